//! `stridepose evaluate DIR… --truth FOLDER`: many recordings, each with its own truth, and all of them as one.
//!
//! A recording that cannot be compared fails alone: it is named, left out of the whole, and the command says so in its
//! exit code. So results that many machines made are merged by naming them all, or the folder they lie in.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::evaluate::{EvaluateArgs, compare_with_truth, write_file};
use super::replay_many::BATCH_FILE;
use super::truth::TRUTH_ENDINGS;
use super::{Outcome, Refused, print};
use crate::metrics::{Evaluation, NamedEvaluation, Summary};
use crate::report::evaluation::{Samples, to_json, to_table};

/// A result, its truth, and what both are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    name: String,
    result: PathBuf,
    truth: Result<PathBuf, String>,
}

/// The recordings that `results` mean: `None` when they are a single result.
///
/// # Errors
/// [`Refused`] when `truth` is one for several, two results have the same name, or a list of results cannot be read.
pub fn recordings(results: &[PathBuf], truth: &Path) -> anyhow::Result<Option<Vec<Recording>>> {
    let mut named = Vec::new();
    for path in results {
        if path.join(BATCH_FILE).exists() {
            named.extend(results_of_batch(path)?);
        } else if results.len() == 1 {
            return Ok(None);
        } else {
            let name = path.file_stem().ok_or_else(|| Refused::because(format!("{} has no name", path.display())))?;
            named.push((name.to_string_lossy().into_owned(), path.clone()));
        }
    }
    named.sort();
    if let Some(pair) = named.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let paths = pair.iter().map(|(_, path)| path.display().to_string()).collect::<Vec<_>>().join(" and ");
        return Err(Refused::because(format!("{paths} have the same name; their truths could not be told apart")));
    }
    if !truth.is_dir() || truth.join("metadata.yaml").exists() {
        return Err(Refused::because(format!(
            "--truth {} is one truth for {} results: name a folder with a truth for each, NAME{} or a bag folder NAME",
            truth.display(),
            named.len(),
            TRUTH_ENDINGS.join(", NAME")
        )));
    }
    let recordings =
        named.into_iter().map(|(name, result)| Recording { truth: find_truth(truth, &name), name, result });
    Ok(Some(recordings.collect()))
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
fn path_under(folder: &Path, result: &Path) -> PathBuf {
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

/// Evaluates each, prints a line for each and the tables of all, writes JSON.
///
/// # Errors
/// A refusal when not one recording can be compared, or a report is asked for; an I/O error when a file cannot be written.
pub fn run(args: &EvaluateArgs, recordings: &[Recording]) -> anyhow::Result<Outcome> {
    if args.report.is_some() {
        return Err(Refused::because("--report shows one result: evaluate that one by itself for its report"));
    }
    let bar = ProgressBar::new(recordings.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} recordings, {eta} left  {msg}")?);
    let mut done: Vec<NamedEvaluation> = Vec::new();
    let (mut numbers, mut lines, mut outcome) = (Map::new(), heading(), Outcome::Fine);
    for recording in recordings {
        bar.set_message(recording.name.clone());
        let compared = recording
            .truth
            .clone()
            .map_err(anyhow::Error::msg)
            .and_then(|truth| compare_with_truth(&recording.result, &truth, &args.comparison));
        match compared {
            Ok(compared) => {
                if compared.outcome != Outcome::Fine {
                    outcome = Outcome::Damaged;
                }
                numbers.insert(recording.name.clone(), compared.to_json());
                line(&mut lines, &recording.name, &compared.evaluation, &compared.summary);
                done.push((recording.name.clone(), compared.evaluation));
            }
            Err(error) => {
                outcome = Outcome::Damaged;
                numbers.insert(recording.name.clone(), json!({ "error": format!("{error:#}") }));
                // Writing to a string cannot fail.
                let _ = writeln!(lines, "{:<20} failed: {error:#}", recording.name);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if done.is_empty() {
        return Err(Refused::because(format!("not one of {} recordings can be compared:\n{lines}", recordings.len())));
    }
    let evaluation = Evaluation::merged(&done);
    let summary = Summary::of(&evaluation);
    let mut json = to_json(&evaluation, &summary);
    json["recordings"] = Value::Object(numbers);
    if let Some(path) = &args.json {
        write_file(path, &format!("{json:#}\n"))?;
    }
    if let Some(path) = &args.samples {
        write_file(path, &(Samples::of(&evaluation).with_numbers(&json)? + "\n"))?;
    }
    print(&format!("{lines}\n{} of {} recordings together\n\n", done.len(), recordings.len()))?;
    print(&to_table(&evaluation, &summary))?;
    Ok(outcome)
}

fn heading() -> String {
    format!(
        "{:<20} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>6}\n",
        "recording", "compared", "MPJPE", "PA", "root", "in 90%", "IDF1 %", "missed"
    )
}

fn line(lines: &mut String, name: &str, evaluation: &Evaluation, summary: &Summary) {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    let _ = writeln!(
        lines,
        "{name:<20} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>6}",
        evaluation.compared_images,
        number(summary.overall.mpjpe_mm),
        number(summary.overall.pa_mpjpe_mm),
        number(summary.root_mm),
        number(summary.overall.coverage.map(|shares| 100.0 * shares[2])),
        number(evaluation.identity.idf1().map(|share| 100.0 * share)),
        evaluation.missed,
    );
}
