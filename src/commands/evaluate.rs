//! `stridepose evaluate DIR --truth FILE|BAG`: how far the skeletons of a run are from a truth.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;
use tracing::warn;

use super::replay::SUMMARY_FILE;
use super::truth::{TruthArgs, read_truth};
use super::{Outcome, Refused, evaluate_many, print, refuse_bag};
use crate::adapters::bag::Completeness;
use crate::adapters::overlay_bag::{overlay_stamps, read_overlays};
use crate::adapters::result_bag::{ResultBagError, read_result_bag};
use crate::metrics::{Evaluation, ResultSequence, Summary, TruthSequence, evaluate, pair_images};
use crate::report::evaluation::{Samples, to_json, to_table};
use crate::report::html::{Report, Strips};
use crate::report::machine::Machine;

/// Arguments of `stridepose evaluate`.
#[derive(Clone, Debug, clap::Args)]
pub struct EvaluateArgs {
    /// The bag that `stridepose replay` wrote; several, or the folder of a replay of several bags, are evaluated each and
    /// all together
    #[arg(value_name = "DIR", required = true, num_args = 1..)]
    pub results: Vec<PathBuf>,
    /// The truth: a bag with skeletons, or with people's joints as TF frames; a CSV file with the columns `image_index` (or
    /// stamp, or `stamp_ns`), joint, `x_m`, `y_m`, `z_m` in the camera's optical frame, and person where there are several;
    /// an array of 17 joints as .npy, .npz or .json. Of several results: a folder with a truth of the name of each, NAME.csv,
    /// .mcap, .json, .npy, .npz or a bag folder NAME
    #[arg(long, value_name = "FILE|BAG|FOLDER")]
    pub truth: PathBuf,
    /// Write all numbers to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write all numbers, and the raw errors of every joint of every person in every image, to this file
    #[arg(long, value_name = "FILE")]
    pub samples: Option<PathBuf>,
    /// Write a report for people: one HTML file with tables, plots, pictures and a 3D view
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// What a result is compared with and how.
    #[command(flatten)]
    pub comparison: ComparisonArgs,
}

/// How skeletons are compared with a truth: shared by the commands that do.
#[derive(Clone, Debug, clap::Args)]
pub struct ComparisonArgs {
    /// Topic of the skeletons in the result [default: /stridepose/skeletons, or the only one]
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// How far the stamps of truth and image may be apart
    #[arg(long, value_name = "MS", default_value_t = 5.0, value_parser = tolerance_ms)]
    pub stamp_tolerance_ms: f64,
    /// What the truth does not say itself.
    #[command(flatten)]
    pub truth_options: TruthArgs,
}

impl ComparisonArgs {
    fn tolerance_ns(&self) -> u64 {
        (self.stamp_tolerance_ms * 1e6) as u64
    }

    /// Each option with its value, for people.
    fn named(&self) -> Vec<(&'static str, String)> {
        let topic = self.topic.clone().unwrap_or_else(|| "chosen by type".to_owned());
        let own = [("topic", topic), ("stamp tolerance", format!("{} ms", self.stamp_tolerance_ms))];
        own.into_iter().chain(self.truth_options.named()).collect()
    }
}

impl Default for ComparisonArgs {
    fn default() -> Self {
        Self { topic: None, stamp_tolerance_ms: 5.0, truth_options: TruthArgs::default() }
    }
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
    if let Some(recordings) = evaluate_many::recordings(&args.results, &args.truth)? {
        return evaluate_many::run(args, &recordings);
    }
    let [result] = args.results.as_slice() else { return Err(Refused::because("name a result")) };
    let compared = compare_with_truth(result, &args.truth, &args.comparison)?;
    let Compared { evaluation, summary, truth_lines_left_out, .. } = &compared;
    let json = compared.to_json();
    if let Some(path) = &args.json {
        write_file(path, &format!("{json:#}\n"))?;
    }
    if let Some(path) = &args.samples {
        write_file(path, &(Samples::of(evaluation).with_numbers(&json)? + "\n"))?;
    }
    if let Some(path) = &args.report {
        write_file(path, &report(args, result, &compared)?)?;
    }
    if let Some(limit) = args.comparison.truth_options.max_truth_reprojection {
        print(&format!("Truth    {truth_lines_left_out} lines left out, more than {limit} px beside the image\n"))?;
    }
    print(&to_table(evaluation, summary))?;
    Ok(compared.outcome)
}

/// The HTML report.
fn report(args: &EvaluateArgs, result: &Path, compared: &Compared) -> anyhow::Result<String> {
    let Compared { evaluation, summary, sequence, truth, .. } = compared;
    let pictured = overlay_stamps(result).map_err(refuse_bag)?;
    let strips = Strips::choose(evaluation, &pictured);
    let pictures = read_overlays(result, &strips.stamps()).map_err(refuse_bag)?;
    let true_people = pair_images(sequence, truth, args.comparison.tolerance_ns()).map_err(Refused::because)?;
    let folder = if result.is_dir() { Some(result) } else { result.parent() };
    let run_path = folder.map(|folder| folder.join(SUMMARY_FILE)).filter(|path| path.exists());
    let run = match run_path {
        Some(path) => match std::fs::read_to_string(&path)
            .map_err(anyhow::Error::from)
            .and_then(|text| Ok(serde_json::from_str::<Value>(&text)?))
        {
            Ok(run) => Some(run),
            Err(error) => {
                warn!("{}: {error}; the report goes without it", path.display());
                None
            }
        },
        None => None,
    };
    let report = Report {
        result: result.display().to_string(),
        truth: args.truth.display().to_string(),
        options: args.comparison.named(),
        evaluation,
        summary,
        sequence,
        true_people: &true_people,
        run: run.as_ref(),
        strips,
        pictures,
        machine: Machine::here(),
    };
    Ok(report.to_html()?)
}

pub(super) fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A result that was compared with a truth.
pub struct Compared {
    /// Every error.
    pub evaluation: Evaluation,
    /// The numbers.
    pub summary: Summary,
    /// The result.
    pub sequence: ResultSequence,
    /// The truth, by stamp where it can be.
    pub truth: TruthSequence,
    /// Lines of a truth CSV that reproject too far away.
    pub truth_lines_left_out: usize,
    /// Whether something was lost on the way.
    pub outcome: Outcome,
}

impl Compared {
    /// All numbers.
    pub fn to_json(&self) -> Value {
        let mut json = to_json(&self.evaluation, &self.summary);
        json["truth_lines_left_out"] = self.truth_lines_left_out.into();
        json
    }
}

/// Reads both sides and compares them; what is damaged is said.
///
/// # Errors
/// A refusal when result and truth cannot be compared.
pub fn compare_with_truth(result_path: &Path, truth_path: &Path, args: &ComparisonArgs) -> anyhow::Result<Compared> {
    let result = read_result_bag(result_path, args.topic.as_deref()).map_err(refuse_result)?;
    let truth = read_truth(truth_path, &args.truth_options, &result, result_path)?;
    let truth_lines_left_out = truth.left_out;
    check_frames(&result.frames, &truth.frames)?;
    let damage =
        [(result_path, &result.completeness, &result.problems), (truth_path, &truth.completeness, &truth.problems)];
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
    let evaluation = evaluate(&result.sequence, &truth, args.tolerance_ns())
        .map_err(Refused::because)
        .with_context(|| format!("{} and {}", result_path.display(), truth_path.display()))?;
    if evaluation.matched_images == 0 && result.sequence.images.iter().any(|image| !image.people.is_empty()) {
        warn!(
            "{}: nobody in it is where the result has somebody: is it of this recording, and in the camera's optical frame?",
            truth_path.display()
        );
    }
    let summary = Summary::of(&evaluation);
    Ok(Compared { evaluation, summary, sequence: result.sequence, truth, truth_lines_left_out, outcome })
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
pub(super) fn report_damage(path: &Path, completeness: &Completeness, problems: &[String]) -> bool {
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

pub(super) fn refuse_result(error: ResultBagError) -> anyhow::Error {
    match error {
        ResultBagError::Bag(error) => refuse_bag(error),
        topic @ ResultBagError::Topic { .. } => Refused::because(topic),
    }
}
