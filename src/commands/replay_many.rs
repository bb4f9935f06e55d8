//! `stridepose replay FOLDER|BAG… -o DIR`: many bags, each into its own folder under DIR, by several workers.
//!
//! A bag that is broken fails alone. Started again with the same output, what is finished is kept and the rest is done:
//! a result is finished when its `summary.json`, written last, can be read. One that was made from another bag or with
//! other parameters is never mixed in; that bag fails with what to do.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Serialize;

use super::parallel::{cores, in_parallel};
use super::replay::{Overlap, Progress, finished_result, remove_half_result, replay};
use super::{ConsoleArgs, Outcome, Refused, print};
use crate::adapters::bag::rosbag2_metadata;
use crate::adapters::model_store::ModelStore;
use crate::config::Config;
use crate::report::summary::Summary;

/// Name of the list of all bags in the output folder.
pub const BATCH_FILE: &str = "batch.json";
/// Folders within folders are searched so deep.
const DEEPEST: usize = 8;

/// A bag and where its result goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Job {
    /// Path of the result under the output folder.
    pub name: PathBuf,
    /// The bag.
    pub bag: PathBuf,
}

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

/// The bags that `paths` mean: `None` when they are a single bag. The folder `output` is no place to look for bags.
///
/// # Errors
/// [`Refused`] for a folder without bags and for bags of the same name.
pub fn jobs(paths: &[PathBuf], output: &Path) -> anyhow::Result<Option<Vec<Job>>> {
    if let [only] = paths
        && (!only.is_dir() || is_bag_folder(only))
    {
        return Ok(None);
    }
    let mut jobs = Vec::new();
    for path in paths {
        if path.is_dir() && !is_bag_folder(path) {
            let mut found = Vec::new();
            find_bags(path, output.canonicalize().ok().as_deref(), DEEPEST, &mut found);
            if found.is_empty() {
                return Err(Refused::because(format!("{} has no bags in it, nor in its folders", path.display())));
            }
            jobs.extend(found.into_iter().map(|bag| {
                let name = bag.strip_prefix(path).unwrap_or(&bag).to_owned();
                Job { name, bag }
            }));
        } else {
            let name = path.file_stem().ok_or_else(|| Refused::because(format!("{} has no name", path.display())))?;
            jobs.push(Job { name: name.into(), bag: path.clone() });
        }
    }
    jobs.sort();
    if let Some(pair) = jobs.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(Refused::because(format!(
            "{} and {} would have the same result folder: replay them one by one",
            pair[0].bag.display(),
            pair[1].bag.display()
        )));
    }
    Ok(Some(jobs))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Whether the folder itself is a bag: it has `metadata.yaml` or files of a bag.
fn is_bag_folder(folder: &Path) -> bool {
    entries(folder).iter().any(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let plain = name.strip_suffix(".zstd").unwrap_or(&name);
        let extension = Path::new(plain).extension().and_then(|extension| extension.to_str());
        path.is_file() && (plain == rosbag2_metadata::FILE_NAME || matches!(extension, Some("mcap" | "db3")))
    })
}

fn find_bags(folder: &Path, output: Option<&Path>, depth: usize, found: &mut Vec<PathBuf>) {
    for path in entries(folder).into_iter().filter(|path| path.is_dir()) {
        if output.is_some() && path.canonicalize().ok().as_deref() == output {
            continue;
        }
        if is_bag_folder(&path) {
            found.push(path);
        } else if depth > 0 {
            find_bags(&path, output, depth - 1, found);
        }
    }
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
    let text = serde_json::to_string_pretty(&finished)? + "\n";
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
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
