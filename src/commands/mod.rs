//! The command line: one file per subcommand, each `XArgs` (clap) and `run(&XArgs, …) -> anyhow::Result<Outcome>`.
//!
//! To wire a command: a `pub mod`, a variant of `Command`, a line in `Command::run`.

pub mod compare;
pub mod console;
pub mod demo;
pub mod doctor;
pub mod evaluate;
mod evaluate_many;
pub mod exit;
pub mod export;
mod files;
pub mod inspect;
pub mod models;
mod parallel;
pub mod parameters;
pub mod replay;
pub mod replay_many;
mod setup;
pub mod truth;

use std::process::ExitCode;

use clap::Parser;

use crate::adapters::bag::{BagError, Completeness};
pub use console::{ConsoleArgs, print};
pub use exit::{Exit, Outcome, Refused};
pub use setup::SetupArgs;

/// Metric 3D human skeletons from one calibrated colour camera.
#[derive(Debug, Parser)]
#[command(name = "stridepose", version, about, propagate_version = true, after_help = EXIT_CODES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    console: ConsoleArgs,
}

const EXIT_CODES: &str = "Exit codes: 0 fine, 1 failed, 2 usage or input refused, 3 finished but the input was damaged";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show what it does: a made-up scene, lifted, refined, compared with its truth
    Demo(demo::DemoArgs),

    /// Run the pipeline over a recorded bag
    Replay(replay::ReplayArgs),

    /// Compare skeletons with a truth: position, pose and velocity errors, per joint and overall; or say what they say without one
    Evaluate(evaluate::EvaluateArgs),

    /// Set two evaluations side by side; fail when a rule about them is broken
    Compare(compare::CompareArgs),

    /// Write skeletons as CSV, JSON, BVH or TRC (OpenSim)
    Export(export::ExportArgs),

    /// Show what a bag holds and what replay would use of it
    Inspect(inspect::InspectArgs),

    /// Try what is installed: ONNX Runtime, providers, models; say what to do about each problem
    Doctor(doctor::DoctorArgs),

    /// Bring networks of others: list, pull, remove, licence
    Models(models::ModelsArgs),

    /// List every setting: type, range, default, what it does
    Parameters(parameters::ParametersArgs),
}

impl Command {
    fn run(&self, console: ConsoleArgs) -> anyhow::Result<Outcome> {
        match self {
            Self::Evaluate(args) => evaluate::run(args, console),
            Self::Compare(args) => compare::run(args),
            Self::Export(args) => export::run(args),
            Self::Demo(args) => demo::run(args, console),
            Self::Replay(args) => replay::run(args, console),
            Self::Inspect(args) => inspect(args),
            Self::Doctor(args) => doctor::run(args),
            Self::Models(args) => models::run(args, console),
            Self::Parameters(args) => parameters::run(args),
        }
    }
}

fn inspect(args: &inspect::InspectArgs) -> anyhow::Result<Outcome> {
    let inspection = inspect::run(args).map_err(refuse_bag)?;
    print(&inspection.text)?;
    match inspection.completeness {
        Completeness::Whole => Ok(Outcome::Fine),
        Completeness::Damaged { .. } => Ok(Outcome::Damaged),
    }
}

/// A bag that is refused is the caller's to mend (exit 2); a bag that fails to be read is not.
pub(crate) fn refuse_bag(error: BagError) -> anyhow::Error {
    match error {
        BagError::Refused(refusal) => Refused::because(refusal),
        other => other.into(),
    }
}

/// Parses the arguments, runs the command, says what went wrong, gives the exit code.
pub fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let result = command_line.console.start_logging().and_then(|()| command_line.command.run(command_line.console));
    let exit = Exit::of(&result);
    if let Err(error) = &result
        && exit != Exit::Fine
    {
        eprintln!("stridepose: {error:#}");
    }
    exit.into()
}
