//! `stridepose replay FOLDER|BAG… -o DIR`: many bags, each into its own folder under DIR, by several workers.
//!
//! A bag that is broken fails alone. Started again with the same output, what is finished is kept and the rest is done:
//! a result is finished when its `summary.json`, written last, can be read and its bag is whole. One that was made from another bag or with
//! other parameters is never mixed in; that bag fails with what to do.

mod jobs;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Serialize;
use serde_json::Value;

pub use self::jobs::{Job, jobs};
use super::evaluate_many::path_under;
use super::files::write_file;
use super::parallel::{cores, in_parallel};
use super::replay::{Overlap, Progress, SUMMARY_FILE, finished_result, remove_half_result, replay};
use super::{ConsoleArgs, Outcome, print};
use crate::adapters::model_store::ModelStore;
use crate::config::Config;
use crate::report::summary::Summary;

/// Name of the list of all bags in the output folder.
pub const BATCH_FILE: &str = "batch.json";

/// What became of a bag.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finished {
    bag: PathBuf,
    result: PathBuf,
    /// `done`, `damaged`, `kept` from an earlier run, or `failed`.
    status: &'static str,
    /// Images, where it did not fail.
    images: Option<u64>,
    /// Why it failed.
    error: Option<String>,
    /// Whether its result, made now or earlier, lacks something.
    #[serde(skip)]
    is_damaged: bool,
}

/// Replays all `jobs` into `output`.
///
/// # Errors
/// When a bag failed; every other one is done nevertheless.
pub fn run(
    jobs: &[Job],
    output: &Path,
    workers: Option<usize>,
    config: &Config,
    store: &ModelStore,
    console: ConsoleArgs,
) -> anyhow::Result<Outcome> {
    fs::create_dir_all(output).with_context(|| format!("cannot create {}", output.display()))?;
    let threads = (config.inference.intra_threads as usize).max(1);
    let workers = workers.unwrap_or(cores() / threads);
    let progress = Progress::of_many(console, jobs.len())?;
    let mut finished = in_parallel(jobs, workers, |_, job| {
        let span = tracing::warn_span!("bag", name = %job.name.display());
        let done = span.in_scope(|| one(job, output, config, store, &progress));
        if let Some(error) = &done.error {
            span.in_scope(|| progress.suspend(|| tracing::error!("{error}")));
        }
        progress.bag_done();
        done
    });
    progress.finish();
    finished.sort_by(|a, b| a.bag.cmp(&b.bag));
    let path = output.join(BATCH_FILE);
    let text = serde_json::to_string_pretty(&with_earlier(&finished, output))? + "\n";
    write_file(&path, &text)?;
    print(&table(&finished, output))?;
    let failed: BTreeSet<String> =
        finished.iter().filter(|done| done.error.is_some()).map(|done| done.bag.display().to_string()).collect();
    if !failed.is_empty() {
        let names = failed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(anyhow!("{} of {} bags failed: {names}", failed.len(), finished.len()));
    }
    let is_damaged = finished.iter().any(|done| done.is_damaged);
    Ok(if is_damaged { Outcome::Damaged } else { Outcome::Fine })
}

/// An entry of the list.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Now(&'a Finished),
    Earlier(Value),
}

impl Entry<'_> {
    fn bag(&self) -> PathBuf {
        match self {
            Self::Now(done) => done.bag.clone(),
            Self::Earlier(entry) => entry["bag"].as_str().unwrap_or_default().into(),
        }
    }
}

/// What was done now, and of what the list in `output` holds already, every other bag whose result is still there.
fn with_earlier<'a>(finished: &'a [Finished], output: &Path) -> Vec<Entry<'a>> {
    let path = output.join(BATCH_FILE);
    let earlier = match fs::read_to_string(&path).map(|text| serde_json::from_str::<Vec<Value>>(&text)) {
        Ok(Ok(entries)) => entries,
        Ok(Err(error)) => {
            tracing::warn!("{} is no list of results and is replaced: {error}", path.display());
            Vec::new()
        }
        Err(_) => Vec::new(),
    };
    let now: BTreeSet<&Path> =
        finished.iter().map(|done| done.result.strip_prefix(output).unwrap_or(&done.result)).collect();
    let is_still_there = |entry: &Value| {
        let under = entry["result"].as_str().map(|result| path_under(output, Path::new(result)));
        under.is_some_and(|under| !now.contains(&*under) && output.join(under).join(SUMMARY_FILE).exists())
    };
    let earlier = earlier.into_iter().filter(is_still_there).map(Entry::Earlier);
    let mut entries: Vec<Entry<'_>> = finished.iter().map(Entry::Now).chain(earlier).collect();
    entries.sort_by_cached_key(Entry::bag);
    entries
}

fn one(job: &Job, output: &Path, config: &Config, store: &ModelStore, progress: &Progress) -> Finished {
    let result = output.join(&job.name);
    let done = finished_result(&job.bag, &result, config).and_then(|kept| match kept {
        Some(summary) => Ok(("kept", summary["images"].as_u64(), Summary::tells_damage(&summary))),
        None => {
            remove_half_result(&job.bag, &result)?;
            let summary = replay(&job.bag, &result, config, store, progress, Overlap::Never)?;
            let is_damaged = summary.is_damaged();
            Ok((if is_damaged { "damaged" } else { "done" }, Some(summary.images), is_damaged))
        }
    });
    let bag = job.bag.clone();
    match done {
        Ok((status, images, is_damaged)) => Finished { bag, result, status, images, error: None, is_damaged },
        Err(error) => {
            let error = Some(format!("{error:#}"));
            Finished { bag, result, status: "failed", images: None, error, is_damaged: false }
        }
    }
}

fn table(finished: &[Finished], output: &Path) -> String {
    let mut text = String::new();
    for done in finished {
        let result = done.result.strip_prefix(output).unwrap_or(&done.result).display();
        let note = match (&done.error, done.images) {
            (Some(error), _) => error.clone(),
            (None, Some(images)) => format!("{images} images"),
            (None, None) => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<8} {result}: {note}", done.status);
    }
    let _ = writeln!(text, "results in {}, list in {}", output.display(), output.join(BATCH_FILE).display());
    text
}
