//! `stridepose evaluate DIR… [--truth FOLDER]`: many recordings, each with its own truth, and all of them as one.
//!
//! As many recordings at once as there are cores. One that cannot be compared fails alone: it is named, left out of the
//! whole, and the command says so in its exit code. So results that many machines made are merged by naming them all, or
//! the folder they lie in.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::evaluate::{EvaluateArgs, Evaluated, report};
use super::files::write_file;
use super::parallel::{cores, in_parallel};
use super::replay_many::BATCH_FILE;
use super::truth::TRUTH_ENDINGS;
use super::{ConsoleArgs, Outcome, Refused, print};
use crate::adapters::bag::recordings::{bag_files, has_metadata};
use crate::adapters::bag::rosbag2_metadata;
use crate::data::JointState;
use crate::metrics::{Evaluation, NamedEvaluation, Summary};
use crate::report::evaluation::{Samples, to_json, to_json_without_truth, to_table, to_table_without_truth};
use crate::report::html::{Index, IndexEntry};
use crate::report::machine::Machine;

/// A result, its truth, and what both are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    name: String,
    result: PathBuf,
    /// `None` is evaluated without one; an error says why there is none.
    truth: Result<Option<PathBuf>, String>,
}

/// The recordings that `results` mean: `None` when they are a single result.
///
/// # Errors
/// [`Refused`] when `truth` is one for several, two results have the same name, or a list of results cannot be read.
pub fn recordings(results: &[PathBuf], truth: Option<&Path>) -> anyhow::Result<Option<Vec<Recording>>> {
    let mut named = Vec::new();
    for path in results {
        if path.join(BATCH_FILE).exists() {
            named.extend(results_of_batch(path)?);
        } else if results.len() > 1 && path.is_file() && path.file_name().is_some_and(|name| name == BATCH_FILE) {
            // The list that lies beside the results.
        } else if results.len() == 1 && holds_results(path) {
            let path = path.display();
            return Err(Refused::because(format!(
                "{path} is no result and has no {BATCH_FILE}: name the results, {path}/*"
            )));
        } else if results.len() == 1 && !truth.is_some_and(is_folder_of_truths) {
            return Ok(None);
        } else {
            let name = path.file_stem().ok_or_else(|| Refused::because(format!("{} has no name", path.display())))?;
            named.push((name.to_string_lossy().into_owned(), path.clone()));
        }
    }
    named.sort();
    if let Some(pair) = named.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let paths = pair.iter().map(|(_, path)| path.display().to_string()).collect::<Vec<_>>().join(" and ");
        return Err(Refused::because(format!("{paths} have the same name; they could not be told apart")));
    }
    let Some(truth) = truth else {
        let alone = named.into_iter().map(|(name, result)| Recording { truth: Ok(None), name, result });
        return Ok(Some(alone.collect()));
    };
    if !is_folder_of_truths(truth) {
        return Err(Refused::because(format!(
            "--truth {} is one truth for {} results: name a folder with a truth for each, NAME{} or a bag folder NAME",
            truth.display(),
            named.len(),
            TRUTH_ENDINGS.join(", NAME")
        )));
    }
    let recordings =
        named.into_iter().map(|(name, result)| Recording { truth: find_truth(truth, &name).map(Some), name, result });
    Ok(Some(recordings.collect()))
}

/// A folder that is no result, with results in its folders.
fn holds_results(path: &Path) -> bool {
    let is_result = |folder: &Path| has_metadata(folder) || bag_files(folder).is_ok_and(|files| !files.is_empty());
    let mut folders = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    !is_result(path) && folders.any(|folder| is_result(&folder.path()))
}

/// A folder that is no bag.
fn is_folder_of_truths(path: &Path) -> bool {
    path.is_dir() && !path.join(rosbag2_metadata::FILE_NAME).exists()
}

/// The results of a replay of many bags, by the list that it left.
fn results_of_batch(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let path = folder.join(BATCH_FILE);
    let refuse = |reason: String| Refused::because(format!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let batch: Value = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    let entries = batch.as_array().ok_or_else(|| refuse("holds no list of bags".to_owned()))?;
    entries
        .iter()
        .map(|entry| {
            let result = entry["result"].as_str().ok_or_else(|| refuse("an entry has no result".to_owned()))?;
            let under = path_under(folder, Path::new(result));
            Ok((under.display().to_string(), folder.join(under)))
        })
        .collect()
}

/// The part of `result` that leads there from `folder`, which may have been moved since, or named from elsewhere.
pub(super) fn path_under(folder: &Path, result: &Path) -> PathBuf {
    let parts: Vec<_> = result.components().collect();
    let ends = (0..parts.len()).map(|start| parts[start..].iter().collect::<PathBuf>());
    let mut relative = ends.filter(|end| end.is_relative());
    let found = relative.clone().find(|end| folder.join(end).exists());
    found.or_else(|| relative.next_back()).unwrap_or_else(|| result.to_owned())
}

fn find_truth(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let files = TRUTH_ENDINGS.iter().map(|ending| format!("{name}{ending}"));
    let candidates: Vec<String> = files.chain([name.to_owned()]).collect();
    let found = candidates.iter().map(|candidate| folder.join(candidate)).find(|path| path.exists());
    found.ok_or_else(|| format!("{} has no {}", folder.display(), candidates.join(", no ")))
}

/// One recording, evaluated.
struct Done {
    json: Value,
    evaluation: Evaluation,
    summary: Summary,
    outcome: Outcome,
    /// The way from the page of all recordings to its own, where one was written.
    page: Vec<String>,
}

/// Evaluates each, prints a line for each and the tables of all, writes JSON and report.
///
/// # Errors
/// A refusal when not one recording can be compared; an I/O error when a file cannot be written.
pub fn run(args: &EvaluateArgs, recordings: &[Recording], console: ConsoleArgs) -> anyhow::Result<Outcome> {
    let bar = console.progress_bar(
        Some(recordings.len() as u64),
        "{elapsed_precise} [{wide_bar}] {pos}/{len} recordings, {eta} left",
    )?;
    if let Some(folder) = pages_folder(args) {
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let done = in_parallel(recordings, cores(), |index, recording| {
        let span = tracing::warn_span!("recording", name = recording.name);
        let done = span.in_scope(|| one(args, index, recording));
        bar.inc(1);
        done.map_err(|error| format!("{error:#}"))
    });
    bar.finish_and_clear();
    let has_truth = args.truth.is_some();
    let mut lines = heading(has_truth);
    let (mut numbers, mut named, mut rest) = (Map::new(), Vec::<NamedEvaluation>::new(), Vec::new());
    let mut outcome = Outcome::Fine;
    for (recording, done) in recordings.iter().zip(done) {
        match done {
            Ok(Done { json, evaluation, summary, outcome: of_one, page }) => {
                if of_one != Outcome::Fine {
                    outcome = Outcome::Damaged;
                }
                line(&mut lines, has_truth, &recording.name, &evaluation, &summary);
                numbers.insert(recording.name.clone(), json);
                rest.push(Ok((named.len(), summary, page)));
                named.push((recording.name.clone(), evaluation));
            }
            Err(error) => {
                outcome = Outcome::Damaged;
                // Writing to a string cannot fail.
                let _ = writeln!(lines, "{:<20} failed: {error}", recording.name);
                numbers.insert(recording.name.clone(), json!({ "error": error }));
                rest.push(Err(error));
            }
        }
    }
    if named.is_empty() {
        return Err(Refused::because(format!("not one of {} recordings can be compared:\n{lines}", recordings.len())));
    }
    let evaluation = Evaluation::merged(&named);
    let summary = Summary::of(&evaluation);
    let mut json =
        if has_truth { to_json(&evaluation, &summary) } else { to_json_without_truth(&evaluation.observation) };
    json["recordings"] = Value::Object(numbers);
    if let Some(path) = &args.json {
        write_file(path, &format!("{json:#}\n"))?;
    }
    if let Some(path) = &args.samples {
        write_file(path, &(Samples::of(&evaluation).with_numbers(&json)? + "\n"))?;
    }
    if let Some(path) = &args.report {
        let entries: Vec<IndexEntry<'_>> = recordings
            .iter()
            .zip(&rest)
            .map(|(recording, done)| match done {
                Ok((place, summary, page)) => IndexEntry {
                    name: &recording.name,
                    evaluation: Ok((&named[*place].1, summary)),
                    page: page.clone(),
                },
                Err(error) => IndexEntry { name: &recording.name, evaluation: Err(error), page: Vec::new() },
            })
            .collect();
        let shown = |path: &PathBuf| path.display().to_string();
        let index = Index {
            results: args.results.iter().map(shown).collect::<Vec<_>>().join(", "),
            truth: args.truth.as_ref().map(shown),
            options: args.comparison.named(has_truth),
            evaluation: &evaluation,
            summary: &summary,
            recordings: &entries,
            machine: Machine::here(),
        };
        write_file(path, &index.to_html()?)?;
    }
    print(&format!("{lines}\n{} of {} recordings together\n\n", named.len(), recordings.len()))?;
    print(&if has_truth { to_table(&evaluation, &summary) } else { to_table_without_truth(&evaluation.observation) })?;
    Ok(outcome)
}

/// Evaluates one recording and writes its page.
fn one(args: &EvaluateArgs, index: usize, recording: &Recording) -> anyhow::Result<Done> {
    let truth = recording.truth.clone().map_err(anyhow::Error::msg)?;
    let evaluated = Evaluated::read(&recording.result, truth.as_deref(), &args.comparison)?;
    let mut page = Vec::new();
    if let Some(folder) = pages_folder(args) {
        let file = page_name(index, &recording.name);
        write_file(&folder.join(&file), &report(&recording.result, truth.as_deref(), &args.comparison, &evaluated)?)?;
        let folder = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        page = vec![folder, file];
    }
    let json = evaluated.to_json();
    let Evaluated { evaluation, summary, outcome, .. } = evaluated;
    Ok(Done { json, evaluation, summary, outcome, page })
}

/// Where the pages of the single recordings go: beside the page of all of them.
fn pages_folder(args: &EvaluateArgs) -> Option<PathBuf> {
    let page = args.report.as_ref()?;
    let stem = page.file_stem().unwrap_or_default().to_string_lossy();
    Some(page.with_file_name(format!("{stem}_recordings")))
}

/// Name of a recording's page: numbered, for two names may differ in signs alone that no file name may have.
fn page_name(index: usize, name: &str) -> String {
    let plain = |sign: char| if sign.is_ascii_alphanumeric() || sign == '-' || sign == '_' { sign } else { '_' };
    format!("{:03}_{}.html", index + 1, name.chars().map(plain).take(100).collect::<String>())
}

fn heading(has_truth: bool) -> String {
    if has_truth {
        format!(
            "{:<20} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>6}\n",
            "recording", "compared", "MPJPE", "PA", "root", "in 90%", "IDF1 %", "missed"
        )
    } else {
        format!(
            "{:<20} {:>8} {:>8} {:>8} {:>10} {:>12} {:>8}\n",
            "recording", "images", "people", "tracks", "measured %", "confidence %", "jitter"
        )
    }
}

fn line(lines: &mut String, has_truth: bool, name: &str, evaluation: &Evaluation, summary: &Summary) {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    let percent = |share: Option<f64>| number(share.map(|share| 100.0 * share));
    let observation = &evaluation.observation;
    let joints = observation.joints();
    let _ = if has_truth {
        writeln!(
            lines,
            "{name:<20} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>6}",
            evaluation.compared_images,
            number(summary.overall.mpjpe_mm),
            number(summary.overall.pa_mpjpe_mm),
            number(summary.root_mm),
            percent(summary.overall.coverage.map(|shares| shares[2])),
            percent(evaluation.identity.idf1()),
            evaluation.missed,
        )
    } else {
        writeln!(
            lines,
            "{name:<20} {:>8} {:>8} {:>8} {:>10} {:>12} {:>8}",
            observation.images,
            observation.people(),
            observation.per_track.len(),
            percent(joints.share(JointState::Measured)),
            percent(joints.confidence()),
            number(observation.jitter_m_per_s3),
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_named_like_a_file_and_no_two_are_the_same() {
        assert_eq!(page_name(0, "night/b"), "001_night_b.html");
        assert_eq!(page_name(11, "../a b\u{e4}"), "012____a_b_.html");
    }
}
