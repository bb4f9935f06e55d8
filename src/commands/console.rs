//! What every command shares about the terminal: how much to say, where logs go, how text is printed.
//!
//! Results go to stdout, everything else (logs, progress, errors) to stderr. Commands build their text and hand it
//! to [`print()`]; `println!` would panic when the reader has closed the pipe.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;

use super::exit::Refused;

/// `--quiet` and `-v`, valid before and after the subcommand.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct ConsoleArgs {
    /// Say only errors: no progress bar, no notes, no warnings
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say more; -vv says everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl ConsoleArgs {
    /// Whether a progress bar makes sense: stderr is a terminal and nobody asked for quiet.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// A bar of this style over `length` steps, of unknown number where `None`; one that is not drawn where none makes sense.
    ///
    /// # Errors
    /// When the style is no template of `indicatif`.
    pub fn progress_bar(&self, length: Option<u64>, style: &str) -> anyhow::Result<ProgressBar> {
        if !self.shows_progress() {
            return Ok(ProgressBar::hidden());
        }
        let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
        Ok(bar.with_style(ProgressStyle::with_template(style)?))
    }

    /// The log filter, in the syntax of `RUST_LOG`; ONNX Runtime's own chatter stays at warnings.
    fn filter(self) -> &'static str {
        match (self.quiet, self.verbose) {
            (true, _) => "error,ort=error",
            (false, 0) => "warn,stridepose=info,ort=warn",
            (false, 1) => "info,stridepose=debug,ort=warn",
            (false, _) => "trace,ort=debug",
        }
    }

    /// Sends logs to stderr; `RUST_LOG`, where set, overrides `--quiet` and `-v`.
    ///
    /// # Errors
    /// [`Refused`] when `RUST_LOG` cannot be parsed.
    pub fn start_logging(self) -> anyhow::Result<()> {
        let directives = match std::env::var("RUST_LOG") {
            Ok(from_user) if !from_user.is_empty() && from_user.contains("ort=") => from_user,
            Ok(from_user) if !from_user.is_empty() => format!("ort=warn,{from_user}"),
            _ => self.filter().to_owned(),
        };
        let filter = EnvFilter::builder().parse(&directives).map_err(|error| {
            Refused::because(format!(
                "RUST_LOG is not a log filter ({error}): unset it, or write e.g. RUST_LOG=stridepose=debug"
            ))
        })?;
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .without_time()
            .with_target(self.verbose > 0)
            .try_init()
            .map_err(|error| anyhow::anyhow!("logging is already set up: {error}"))
    }
}

/// Writes a command's result to stdout.
///
/// # Errors
/// The I/O error, which `Exit::of` knows to be harmless when the reader closed the pipe.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_parses_and_tames_onnx_runtime() {
        for (quiet, verbose) in [(true, 0), (false, 0), (false, 1), (false, 2)] {
            let filter = ConsoleArgs { quiet, verbose }.filter();
            assert!(EnvFilter::builder().parse(filter).is_ok(), "{filter}");
            assert!(filter.contains("ort="), "{filter}");
        }
    }
}
