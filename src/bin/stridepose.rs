//! `stridepose`: the bag tool. Everything it can do is in [`stridepose::commands`].

use std::process::ExitCode;

fn main() -> ExitCode {
    stridepose::commands::main()
}
