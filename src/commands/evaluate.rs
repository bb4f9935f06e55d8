//! `stridepose evaluate DIR [--truth FILE|BAG]`: how far the skeletons of a run are from a truth, or, without one, what
//! they say themselves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;
use tracing::warn;

use super::files::{check_outputs, write_file};
use super::replay::SUMMARY_FILE;
use super::truth::{TruthArgs, read_truth};
use super::{ConsoleArgs, Outcome, Refused, evaluate_many, print, refuse_bag};
use crate::adapters::bag::Completeness;
use crate::adapters::overlay_bag::{overlay_stamps, read_overlays};
use crate::adapters::result_bag::{ResultBagError, read_result_bag};
use crate::metrics::{Evaluation, ResultSequence, Summary, TruthSequence, evaluate, pair_images};
use crate::report::evaluation::{Samples, to_json, to_json_without_truth, to_table, to_table_without_truth};
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
    /// .mcap, .json, .npy, .npz or a bag folder NAME. Without it there are no errors, only what the result says itself: who is
    /// in it, jitter, how much is measured, stated confidence
    #[arg(long, value_name = "FILE|BAG|FOLDER")]
    pub truth: Option<PathBuf>,
    /// Write all numbers to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write all numbers, and the raw errors of every joint of every person in every image, to this file
    #[arg(long, value_name = "FILE")]
    pub samples: Option<PathBuf>,
    /// Write a report for people: one HTML file with tables, plots, pictures and a 3D view; of several results a page of all
    /// of them, with the pages of each in a folder beside it
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// What a result is compared with and how.
    #[command(flatten)]
    pub comparison: ComparisonArgs,
}

/// How skeletons are compared with a truth: shared by the commands that do.
#[derive(Clone, Debug, PartialEq, clap::Args)]
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

    /// Each option that matters with its value, for people.
    pub(super) fn named(&self, has_truth: bool) -> Vec<(&'static str, String)> {
        let topic = self.topic.clone().unwrap_or_else(|| "chosen by type".to_owned());
        let mut named = vec![("topic", topic)];
        if has_truth {
            named.push(("stamp tolerance", format!("{} ms", self.stamp_tolerance_ms)));
            named.extend(self.truth_options.named());
        }
        named
    }

    /// Without a truth, an option about one is a mistake of whoever gave it.
    pub(super) fn refuse_truth_options(&self) -> anyhow::Result<()> {
        if self.truth_options == TruthArgs::default() {
            return Ok(());
        }
        Err(Refused::because(
            "options that begin with --truth- and --max-truth-reprojection say how to read a truth: give --truth",
        ))
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
pub fn run(args: &EvaluateArgs, console: ConsoleArgs) -> anyhow::Result<Outcome> {
    if args.truth.is_none() {
        if args.samples.is_some() {
            return Err(Refused::because("--samples are errors: give --truth, or write what there is with --json"));
        }
        args.comparison.refuse_truth_options()?;
    }
    let outputs = [&args.json, &args.samples, &args.report].into_iter().flatten();
    check_outputs(outputs, args.results.iter().chain(&args.truth))?;
    if let Some(recordings) = evaluate_many::recordings(&args.results, args.truth.as_deref())? {
        return evaluate_many::run(args, &recordings, console);
    }
    let [result] = args.results.as_slice() else { return Err(Refused::because("name a result")) };
    let evaluated = Evaluated::read(result, args.truth.as_deref(), &args.comparison)?;
    let json = evaluated.to_json();
    if let Some(path) = &args.json {
        write_file(path, &format!("{json:#}\n"))?;
    }
    if let Some(path) = &args.samples {
        write_file(path, &(Samples::of(&evaluated.evaluation).with_numbers(&json)? + "\n"))?;
    }
    if let Some(path) = &args.report {
        write_file(path, &report(result, args.truth.as_deref(), &args.comparison, &evaluated)?)?;
    }
    if let (Some(limit), Some(truth)) = (args.comparison.truth_options.max_truth_reprojection, &evaluated.truth) {
        print(&format!("Truth    {} lines left out, more than {limit} px beside the image\n", truth.lines_left_out))?;
    }
    print(&evaluated.to_table())?;
    Ok(evaluated.outcome)
}

/// The HTML report of one result.
pub(super) fn report(
    result: &Path,
    truth_path: Option<&Path>,
    comparison: &ComparisonArgs,
    evaluated: &Evaluated,
) -> anyhow::Result<String> {
    let Evaluated { evaluation, summary, sequence, truth, .. } = evaluated;
    let pictured = overlay_stamps(result).map_err(refuse_bag)?;
    let strips = match truth {
        Some(_) => Strips::by_error(evaluation, &pictured),
        None => Strips::by_confidence(sequence, &pictured),
    };
    let pictures = read_overlays(result, &strips.stamps()).map_err(refuse_bag)?;
    let true_people = match truth {
        Some(truth) => pair_images(sequence, &truth.sequence, comparison.tolerance_ns()).map_err(Refused::because)?,
        None => Vec::new(),
    };
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
        truth: truth_path.map(|truth| truth.display().to_string()),
        options: comparison.named(truth_path.is_some()),
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

/// A truth that a result was compared with.
pub struct ComparedTruth {
    /// By stamp where it can be.
    pub sequence: TruthSequence,
    /// Lines of a truth CSV that reproject too far away.
    pub lines_left_out: usize,
}

/// A result, compared with a truth where there is one.
pub struct Evaluated {
    /// Every error; without a truth nothing but what the result says itself.
    pub evaluation: Evaluation,
    /// The numbers.
    pub summary: Summary,
    /// The result.
    pub sequence: ResultSequence,
    /// The truth, where there is one.
    pub truth: Option<ComparedTruth>,
    /// Whether something was lost on the way.
    pub outcome: Outcome,
}

impl Evaluated {
    /// Reads a result and its truth and compares them; what is damaged is said.
    ///
    /// # Errors
    /// A refusal when result and truth cannot be compared, or the result has no images.
    pub fn read(result_path: &Path, truth_path: Option<&Path>, args: &ComparisonArgs) -> anyhow::Result<Self> {
        let result = read_result_bag(result_path, args.topic.as_deref()).map_err(refuse_result)?;
        let Some(truth_path) = truth_path else {
            let is_damaged = report_damage(result_path, &result.completeness, &result.problems);
            let evaluation = Evaluation::without_truth(&result.sequence)
                .map_err(Refused::because)
                .with_context(|| result_path.display().to_string())?;
            let outcome = if is_damaged { Outcome::Damaged } else { Outcome::Fine };
            let summary = Summary::of(&evaluation);
            return Ok(Self { evaluation, summary, sequence: result.sequence, truth: None, outcome });
        };
        let truth = read_truth(truth_path, &args.truth_options, &result, result_path)?;
        let lines_left_out = truth.left_out;
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
        let truth = Some(ComparedTruth { sequence: truth, lines_left_out });
        Ok(Self { evaluation, summary, sequence: result.sequence, truth, outcome })
    }

    /// All numbers.
    pub fn to_json(&self) -> Value {
        let Some(truth) = &self.truth else { return to_json_without_truth(&self.evaluation.observation) };
        let mut json = to_json(&self.evaluation, &self.summary);
        json["truth_lines_left_out"] = truth.lines_left_out.into();
        json
    }

    /// The tables.
    pub fn to_table(&self) -> String {
        match self.truth {
            Some(_) => to_table(&self.evaluation, &self.summary),
            None => to_table_without_truth(&self.evaluation.observation),
        }
    }
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
