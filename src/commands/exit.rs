//! Exit codes of the command line, in one place.
//!
//! | code | meaning | how a command says it |
//! |---|---|---|
//! | 0 | fine | `Ok(Outcome::Fine)` |
//! | 1 | failed | any other `Err` |
//! | 2 | usage, or the input was refused | `Err` with a [`Refused`] anywhere in its chain |
//! | 3 | finished, but the input was damaged | `Ok(Outcome::Damaged)` |
//!
//! A reader that closed the pipe (`stridepose inspect … | head`) has what it wanted: code 0, no message.

use std::io;
use std::process::ExitCode;

/// How a command that ran to its end found its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was read and used.
    Fine,
    /// The result holds all that could be read, but part of the input was lost; the command said which.
    Damaged,
}

/// The input or the arguments cannot be used; nothing was done. The sentence says what to do.
///
/// `return Err(Refused::because(format!("{path} holds no bag: give …")))`, or
/// `.map_err(Refused::because)?` on any error whose text is that sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refused {
    sentence: String,
}

impl Refused {
    /// A refusal with its reason: one clear sentence.
    // By value, so that it fits `map_err(Refused::because)`.
    #[allow(clippy::needless_pass_by_value)]
    pub fn because(reason: impl ToString) -> anyhow::Error {
        anyhow::Error::new(Self { sentence: reason.to_string() })
    }
}

/// What the process exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0.
    Fine = 0,
    /// 1.
    Failed = 1,
    /// 2.
    Refused = 2,
    /// 3.
    Damaged = 3,
}

impl Exit {
    /// The code that a command's result deserves.
    pub fn of(result: &anyhow::Result<Outcome>) -> Self {
        match result {
            Ok(Outcome::Fine) => Self::Fine,
            Ok(Outcome::Damaged) => Self::Damaged,
            Err(error) if is_broken_pipe(error) => Self::Fine,
            Err(error) if error.chain().any(<dyn std::error::Error>::is::<Refused>) => Self::Refused,
            Err(_) => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Whether the error comes from writing to a pipe that nobody reads any more.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn each_result_has_its_code() {
        assert_eq!(Exit::of(&Ok(Outcome::Fine)) as u8, 0);
        assert_eq!(Exit::of(&Err(anyhow!("disk full"))) as u8, 1);
        assert_eq!(Exit::of(&Err(Refused::because("no bag"))) as u8, 2);
        assert_eq!(Exit::of(&Ok(Outcome::Damaged)) as u8, 3);
    }

    #[test]
    fn a_refusal_is_found_under_context() {
        let result = Err::<Outcome, _>(Refused::because("no bag")).context("opening a.mcap").context("replay");
        assert_eq!(Exit::of(&result), Exit::Refused);
        assert_eq!(format!("{:#}", result.unwrap_err()), "replay: opening a.mcap: no bag");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let closed = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing to stdout");
        assert_eq!(Exit::of(&Err(closed)), Exit::Fine);
        let full = anyhow::Error::new(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(Exit::of(&Err(full)), Exit::Failed);
    }
}
