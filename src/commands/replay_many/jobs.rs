//! The bags that a replay of many means: those that are named, and those in the folders that are named.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::BATCH_FILE;
use crate::adapters::bag::recordings::{are_one_recording, bag_files, has_metadata, parts, recording_name};
use crate::commands::Refused;
use crate::commands::replay::SUMMARY_FILE;

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

/// The bags that `paths` mean: `None` when they are a single bag. The folder `output` and results of earlier replays are
/// no place to look for bags.
///
/// # Errors
/// [`Refused`] for a folder without bags and for bags of the same name.
pub fn jobs(paths: &[PathBuf], output: &Path) -> anyhow::Result<Option<Vec<Job>>> {
    let mut search = Search { output: output.canonicalize().ok(), jobs: Vec::new(), results: Vec::new() };
    if let [only] = paths
        && (!only.is_dir() || search.is_bag(only, DEEPEST))
    {
        return Ok(None);
    }
    for path in paths {
        if path.is_dir() && !search.is_bag(path, DEEPEST) {
            let before = search.jobs.len();
            search.find(path, Path::new(""), DEEPEST);
            if search.jobs.len() == before {
                let path = path.display();
                return Err(Refused::because(format!(
                    "{path} has no bags in it, nor in its folders{}",
                    search.left_out()
                )));
            }
        } else {
            let name = path.file_stem().ok_or_else(|| Refused::because(format!("{} has no name", path.display())))?;
            search.jobs.push(Job { name: name.into(), bag: path.clone() });
        }
    }
    if !search.results.is_empty() {
        tracing::warn!("not all that lies there is a recording{}", search.left_out());
    }
    let mut jobs = search.jobs;
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

struct Search {
    /// Where results go, where that is there already.
    output: Option<PathBuf>,
    jobs: Vec<Job>,
    /// Folders with results of earlier replays.
    results: Vec<PathBuf>,
}

impl Search {
    /// Whether the folder itself is a bag: it has `metadata.yaml`, or the files of one recording and no bags below them.
    fn is_bag(&self, folder: &Path, depth: usize) -> bool {
        has_metadata(folder) || are_one_recording(&loose_bags(folder)) && !self.has_bags_below(folder, depth)
    }

    fn has_bags_below(&self, folder: &Path, depth: usize) -> bool {
        folders(folder).iter().any(|folder| {
            !self.is_output(folder)
                && !is_result(folder)
                && (has_metadata(folder)
                    || !loose_bags(folder).is_empty()
                    || depth > 0 && self.has_bags_below(folder, depth - 1))
        })
    }

    /// Finds the bags in `folder`, which is none itself; their results go below `name`.
    fn find(&mut self, folder: &Path, name: &Path, depth: usize) {
        let files = loose_bags(folder);
        if files.len() > 1
            && let Some((recording, _)) = parts(&files)
        {
            self.jobs.push(Job { name: name.join(recording), bag: folder.to_owned() });
        } else {
            self.jobs.extend(files.into_iter().map(|bag| Job { name: name.join(recording_name(&bag)), bag }));
        }
        for path in folders(folder) {
            let name = name.join(path.file_name().unwrap_or_default());
            if self.is_output(&path) {
                continue;
            }
            if is_result(&path) {
                self.results.push(path);
            } else if self.is_bag(&path, depth) {
                self.jobs.push(Job { name, bag: path });
            } else if depth > 0 {
                self.find(&path, &name, depth - 1);
            }
        }
    }

    fn is_output(&self, folder: &Path) -> bool {
        self.output.is_some() && folder.canonicalize().ok() == self.output
    }

    /// How a sentence ends where results were met.
    fn left_out(&self) -> String {
        if self.results.is_empty() {
            return String::new();
        }
        let names = self.results.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        format!("; results of an earlier replay are left out: {names}")
    }
}

fn loose_bags(folder: &Path) -> Vec<PathBuf> {
    bag_files(folder).unwrap_or_default()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    paths.sort();
    paths
}

/// Whether this program wrote a result, or the list of several, into `folder`.
fn is_result(folder: &Path) -> bool {
    let read = |name| serde_json::from_str::<Value>(&fs::read_to_string(folder.join(name)).ok()?).ok();
    let has = |value: &Value, keys: [&str; 3]| keys.iter().all(|key| value.get(key).is_some());
    read(SUMMARY_FILE).is_some_and(|summary| has(&summary, ["version", "input", "parameters"]))
        || read(BATCH_FILE).is_some_and(|batch| {
            batch.as_array().is_some_and(|bags| bags.iter().all(|bag| has(bag, ["bag", "result", "status"])))
        })
}
