//! `stridepose evaluate DIR --truth CSV|BAG`: how far the skeletons of a run are from a truth.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tracing::warn;

use super::{Outcome, Refused, print, refuse_bag};
use crate::adapters::bag::Completeness;
use crate::adapters::result_bag::{ResultBag, ResultBagError, read_result_bag, truth_from_result};
use crate::adapters::truth_csv::read_truth_csv;
use crate::metrics::{Summary, TruthSequence, evaluate};
use crate::report::evaluation::{to_json, to_table};

/// Arguments of `stridepose evaluate`.
#[derive(Clone, Debug, clap::Args)]
pub struct EvaluateArgs {
    /// The bag that `stridepose replay` wrote
    #[arg(value_name = "DIR")]
    pub result: PathBuf,
    /// The truth: a bag with skeletons, or a CSV file with the columns `image_index` (or stamp, or `stamp_ns`), joint,
    /// `x_m`, `y_m`, `z_m` in the camera's optical frame, and person where there are several
    #[arg(long, value_name = "CSV|BAG")]
    pub truth: PathBuf,
    /// Write all numbers to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Topic of the skeletons in the result [default: /stridepose/skeletons, or the only one]
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Topic of the skeletons in a truth bag [default: /stridepose/skeletons, or the only one]
    #[arg(long, value_name = "TOPIC")]
    pub truth_topic: Option<String>,
    /// How far the stamps of truth and image may be apart
    #[arg(long, value_name = "MS", default_value_t = 5.0, value_parser = tolerance_ms)]
    pub stamp_tolerance_ms: f64,
}

fn tolerance_ms(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=60_000.0).contains(&value) { Ok(value) } else { Err("must be 0 to 60000 ms".to_owned()) }
}

/// Evaluates, prints the table, writes the JSON.
///
/// # Errors
/// A refusal when result and truth cannot be compared; an I/O error when the JSON cannot be written.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<Outcome> {
    let result = read_result_bag(&args.result, args.topic.as_deref()).map_err(refuse_result)?;
    let truth = read_truth(args)?;
    check_frames(&result.frames, &truth.frames)?;
    let damage =
        [(&args.result, &result.completeness, &result.problems), (&args.truth, &truth.completeness, &truth.problems)];
    let mut outcome = Outcome::Fine;
    for (path, completeness, problems) in damage {
        if report_damage(path, completeness, problems) {
            outcome = Outcome::Damaged;
        }
    }
    let truth = match &result.image_stamps {
        Some(image_stamps) => truth.sequence.with_stamps(image_stamps),
        None => truth.sequence,
    };
    let evaluation = evaluate(&result.sequence, &truth, (args.stamp_tolerance_ms * 1e6) as u64)
        .map_err(Refused::because)
        .with_context(|| format!("{} and {}", args.result.display(), args.truth.display()))?;
    let summary = Summary::of(&evaluation);
    if let Some(path) = &args.json {
        let text = format!("{:#}\n", to_json(&evaluation, &summary));
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&to_table(&evaluation, &summary))?;
    Ok(outcome)
}

/// A truth from either source.
struct Truth {
    sequence: TruthSequence,
    frames: BTreeSet<String>,
    problems: Vec<String>,
    completeness: Completeness,
}

fn read_truth(args: &EvaluateArgs) -> anyhow::Result<Truth> {
    let path = &args.truth;
    if !path.exists() {
        return Err(Refused::because(format!("the truth {} does not exist", path.display())));
    }
    if !is_bag(path) {
        let csv = read_truth_csv(path).map_err(|error| Refused::because(format!("{}: {error}", path.display())))?;
        if !csv.foreign_joints.is_empty() {
            warn!("{}: {csv}", path.display());
        }
        let (frames, problems, completeness) = (BTreeSet::new(), Vec::new(), Completeness::Whole);
        return Ok(Truth { sequence: csv.truth, frames, problems, completeness });
    }
    let ResultBag { sequence, frames, problems, completeness, .. } =
        read_result_bag(path, args.truth_topic.as_deref()).map_err(refuse_result)?;
    Ok(Truth { sequence: truth_from_result(sequence), frames, problems, completeness })
}

/// Directories and what is called like a file of a bag.
fn is_bag(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    path.is_dir() || extension.is_some_and(|extension| ["mcap", "db3", "zstd"].contains(&extension.as_str()))
}

/// Positions in different frames cannot be compared.
fn check_frames(result: &BTreeSet<String>, truth: &BTreeSet<String>) -> anyhow::Result<()> {
    if result.is_empty() || truth.is_empty() || result == truth {
        return Ok(());
    }
    let list =
        |frames: &BTreeSet<String>| frames.iter().map(|frame| format!("\"{frame}\"")).collect::<Vec<_>>().join(", ");
    Err(Refused::because(format!(
        "the result is in frame {}, the truth in {}: both must be in the camera's optical frame",
        list(result),
        list(truth)
    )))
}

/// Says what is lost; whether anything is.
fn report_damage(path: &Path, completeness: &Completeness, problems: &[String]) -> bool {
    /// So many problems are named, the others counted.
    const NAMED: usize = 3;
    if *completeness != Completeness::Whole {
        warn!("{}: {completeness}", path.display());
    }
    for problem in problems.iter().take(NAMED) {
        warn!("{}: {problem}", path.display());
    }
    if problems.len() > NAMED {
        warn!("{}: and {} more", path.display(), problems.len() - NAMED);
    }
    *completeness != Completeness::Whole || !problems.is_empty()
}

fn refuse_result(error: ResultBagError) -> anyhow::Error {
    match error {
        ResultBagError::Bag(error) => refuse_bag(error),
        topic @ ResultBagError::Topic { .. } => Refused::because(topic),
    }
}
