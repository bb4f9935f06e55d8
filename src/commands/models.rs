//! `stridepose models`: networks of others, listed, brought, removed, with their licences.
//!
//! Nothing is downloaded before its licence was shown and accepted. [`crate::adapters::catalogue`] does the work.

mod check;
mod table;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use check::CheckArgs;
pub use table::markdown;

use super::{ConsoleArgs, Outcome, Refused, print};
use crate::adapters::catalogue::{
    self, Catalogue, Entry, Installed, ModelFolder, NetworkSettings, Progress, PullError, Pulled, Source, Task, Trust,
};
use crate::adapters::model_store::user_model_folder;
use crate::config::nearest::nearest;

/// Names the mirror where `--mirror` does not.
const MIRROR_VARIABLE: &str = "STRIDEPOSE_MIRROR";
/// The licence of most networks, and of this program.
const APACHE_2_0: &str = include_str!("../../LICENSE");

/// Arguments of `stridepose models`.
#[derive(Clone, Debug, clap::Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,

    /// Another catalogue, in the format of models/catalogue.yaml
    #[arg(long, global = true, value_name = "FILE")]
    catalogue: Option<PathBuf>,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum ModelsCommand {
    /// Show what there is and what is here
    List(ListArgs),

    /// Download a network into the user's model folder, where parameters find it by its name
    Pull(PullArgs),

    /// Remove a pulled network, or what is left of a download
    Remove(RemoveArgs),

    /// Show whose a network is, under which licence, and where that is stated
    #[command(visible_alias = "license")]
    Licence(LicenceArgs),

    /// Say which decoder fits an ONNX file, and draft its contract
    Check(CheckArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct ListArgs {
    /// As a table in Markdown, as in docs/models.md
    #[arg(long)]
    markdown: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct PullArgs {
    /// Name in the catalogue
    name: String,

    /// Accept the licence without being asked
    #[arg(long, short)]
    yes: bool,

    /// Folder to take files from instead of the network, also STRIDEPOSE_MIRROR
    #[arg(long, value_name = "DIR")]
    mirror: Option<PathBuf>,

    /// How long the server may stay silent, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: u16,

    /// How often a download that breaks off is tried in all
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20))]
    attempts: u32,
}

#[derive(Clone, Debug, clap::Args)]
struct RemoveArgs {
    /// Name of the pulled network
    name: String,

    /// Forget the checksum of its first download as well, so that another file is accepted next time
    #[arg(long)]
    forget: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct LicenceArgs {
    /// Name in the catalogue
    name: String,

    /// Print the whole text as well, where this program has it
    #[arg(long)]
    text: bool,
}

/// Does what was asked for.
///
/// # Errors
/// [`Refused`] for a name, an answer or a file that cannot be accepted; another error where network or disk fail.
pub fn run(args: &ModelsArgs, console: ConsoleArgs) -> anyhow::Result<Outcome> {
    let catalogue = || args.catalogue.as_deref().map_or_else(Catalogue::own, Catalogue::read).map_err(Refused::because);
    match &args.command {
        ModelsCommand::List(ListArgs { markdown: true }) => print(&markdown(&catalogue()?)),
        ModelsCommand::List(ListArgs { markdown: false }) => {
            print(&table::text(&catalogue()?, user_folder().as_ref().ok()))
        }
        ModelsCommand::Pull(args) => pull(&catalogue()?, args, console),
        ModelsCommand::Remove(args) => remove(args),
        ModelsCommand::Licence(args) => licence(&catalogue()?, args),
        ModelsCommand::Check(args) => return check::run(args),
    }?;
    Ok(Outcome::Fine)
}

fn user_folder() -> anyhow::Result<ModelFolder> {
    user_model_folder().map(ModelFolder::at).ok_or_else(|| {
        Refused::because("there is no folder for models: neither STRIDEPOSE_MODELS nor XDG_DATA_HOME nor HOME is set")
    })
}

fn pull(catalogue: &Catalogue, args: &PullArgs, console: ConsoleArgs) -> anyhow::Result<()> {
    let entry = catalogue.entry(&args.name).map_err(Refused::because)?;
    // What cannot work is said before anybody is asked.
    catalogue.contract_text(entry).map_err(Refused::because)?;
    let folder = user_folder()?;
    let from_environment = || std::env::var_os(MIRROR_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mirror = args.mirror.clone().or_else(from_environment);
    if let Some(mirror) = mirror.as_ref().filter(|mirror| !mirror.is_dir()) {
        return Err(Refused::because(format!("mirror {}: no such folder", mirror.display())));
    }
    let timeout = Duration::from_secs(args.timeout.into());
    let network = NetworkSettings::from_environment(timeout, args.attempts).map_err(Refused::because)?;
    let source = match &mirror {
        Some(mirror) => Source::Mirror(mirror),
        None if entry.url.is_none() => return Err(refuse(PullError::by_hand(entry))),
        None => Source::Network(&network),
    };
    if folder.installed(&entry.name).map_err(refuse)? == Installed::No {
        eprint!("{}", entry.facts());
        accept(entry, args.yes, mirror.as_deref())?;
    }
    let bar = console.progress_bar(None, "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")?;
    let mut on_progress = |progress: Progress| {
        if let Some(total) = progress.total {
            bar.set_length(total);
        }
        bar.set_position(progress.received);
    };
    let result = catalogue::pull(catalogue, entry, &folder, source, &mut on_progress);
    bar.finish_and_clear();
    print(&report(entry, &result.map_err(refuse)?, &folder))
}

fn report(entry: &Entry, pulled: &Pulled, folder: &ModelFolder) -> String {
    let Pulled { folder: place, sha256, trust } = pulled;
    let trust = match trust {
        Trust::AlreadyHere => "was here already".to_owned(),
        Trust::Catalogue => "as the catalogue says".to_owned(),
        Trust::SameAsFirst => "as at the first download".to_owned(),
        Trust::FirstUse => {
            format!("trusted on first use, recorded in {} and checked from now on", folder.checksums_path().display())
        }
    };
    let parameter = match entry.task {
        Task::Detector => "detector.model",
        Task::Keypoints => "keypoints.model",
    };
    let name = &entry.name;
    format!("{name}: {}\n  sha256 {sha256}, {trust}\n  use it with -p {parameter}:={name}\n", place.display())
}

/// Asks whether the licence is accepted.
fn accept(entry: &Entry, yes: bool, mirror: Option<&Path>) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Refused::because(format!(
            "{}: standard input is no terminal, so nobody can be asked: accept the licence with --yes",
            entry.name
        )));
    }
    let what = if mirror.is_some() { "copy" } else { "download" };
    eprint!("Accept the licence {} and {what} it? [y/N] ", entry.licence);
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Refused::because(format!("{}: not accepted, nothing was downloaded", entry.name)))
}

/// What the user must change is exit 2; a network or disk that fails is exit 1.
fn refuse(error: PullError) -> anyhow::Error {
    match error {
        PullError::Download(_) | PullError::Busy(_) | PullError::Io { .. } => error.into(),
        _ => Refused::because(error),
    }
}

fn remove(args: &RemoveArgs) -> anyhow::Result<()> {
    let folder = user_folder()?;
    if folder.remove(&args.name, args.forget).map_err(refuse)? {
        return print(&format!("{}: removed from {}\n", args.name, folder.path().display()));
    }
    let names = folder.names();
    let advice = match nearest(&args.name, names.iter().map(String::as_str)) {
        "" => "nothing is there".to_owned(),
        nearest => format!("the nearest name is {nearest}"),
    };
    Err(Refused::because(format!("no pulled model \"{}\" in {}: {advice}", args.name, folder.path().display())))
}

fn licence(catalogue: &Catalogue, args: &LicenceArgs) -> anyhow::Result<()> {
    let entry = catalogue.entry(&args.name).map_err(Refused::because)?;
    print(&entry.facts())?;
    match (args.text, entry.licence.as_str()) {
        (false, _) => Ok(()),
        (true, "Apache-2.0") => print(&format!("\n{APACHE_2_0}")),
        (true, other) => {
            Err(Refused::because(format!("this program does not have the text of {other}: read {}", entry.licence_url)))
        }
    }
}
