//! What a command says on the console.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// A line. Lost where nobody reads it any more (`stridepose-train … | head`), for training goes on without.
#[macro_export]
macro_rules! say {
    ($($part:tt)*) => { $crate::say::write(format_args!("{}\n", format_args!($($part)*))) };
}

/// The text as it is; see [`say!`](crate::say!).
///
/// # Panics
/// As `print!` does, where the console cannot take it for another reason than that it was closed: a full disk, say.
pub fn write(text: Arguments<'_>) {
    let written = io::stdout().write_fmt(text);
    let is_lost = |error: &io::Error| error.kind() != ErrorKind::BrokenPipe;
    if let Some(error) = written.err().filter(is_lost) {
        panic!("cannot write to stdout: {error}");
    }
}
