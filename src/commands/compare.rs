//! `stridepose compare A B`: two evaluations, or two results with their truth, side by side; a gate with `--fail-if`.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::evaluate::{ComparisonArgs, Evaluated};
use super::files::{check_outputs, write_file};
use super::truth::is_bag;
use super::{Outcome, Refused, print};
use crate::report::comparison::rule::{Rule, Verdict};
use crate::report::comparison::{Side, known_metrics, paired_differences, to_json, to_table};
use crate::report::evaluation::Samples;

/// Arguments of `stridepose compare`.
#[derive(Clone, Debug, clap::Args)]
pub struct CompareArgs {
    /// What was before: JSON of `stridepose evaluate` (--json or --samples), or a result bag
    pub a: PathBuf,
    /// What is now, in either form
    pub b: PathBuf,
    /// Fail (exit code 1) when this holds for B, e.g. 'mpjpe > 1.02x' (of A), 'auc < -0.01' (from A), 'missed > 3'; may
    /// be given many times. Unit and groups of a name may be left out: 'idf1' is 'identity.idf1'
    #[arg(long = "fail-if", value_name = "RULE")]
    pub rules: Vec<String>,
    /// Show every number, not only those that people compare first
    #[arg(long)]
    pub all: bool,
    /// Write all numbers and differences to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Truth of A and B where they are bags; without one there are no errors, only what the bags say themselves
    #[arg(long, value_name = "FILE|BAG")]
    pub truth: Option<PathBuf>,
    /// How bags are compared with the truth.
    #[command(flatten)]
    pub comparison: ComparisonArgs,
}

/// Compares, prints the table, judges the rules.
///
/// # Errors
/// A refusal for input or rules that cannot be used; any other error when a rule is broken.
pub fn run(args: &CompareArgs) -> anyhow::Result<Outcome> {
    if args.truth.is_none() {
        args.comparison.refuse_truth_options()?;
    }
    let is_about_bags = args.truth.is_some() || args.comparison != ComparisonArgs::default();
    if is_about_bags && ![&args.a, &args.b].into_iter().any(|side| is_bag(side) || !side.exists()) {
        return Err(Refused::because(
            "A and B hold numbers already: --truth, --topic and --stamp-tolerance-ms say how bags are evaluated",
        ));
    }
    check_outputs(&args.json, [&args.a, &args.b].into_iter().chain(&args.truth))?;
    let (a, a_outcome) = read(&args.a, args)?;
    let (b, b_outcome) = read(&args.b, args)?;
    // All rules are read before anything is said.
    let known = known_metrics(&a, &b);
    let rules: Result<Vec<Rule>, _> = args.rules.iter().map(|rule| Rule::parse(rule, &known)).collect();
    let rules = rules.map_err(|error| Refused::because(format!("--fail-if {error}")))?;
    let paired = paired_differences(&a, &b);
    if let Some(path) = &args.json {
        let text = format!("{:#}\n", to_json(&a, &b, &paired));
        write_file(path, &text)?;
    }
    let heading = format!("A  {}\nB  {}\n\n", args.a.display(), args.b.display());
    print(&(heading + &to_table(&a, &b, &paired, args.all)))?;
    let verdicts = rules.iter().map(|rule| rule.judge(a.number(&rule.metric), b.number(&rule.metric)));
    let broken: Vec<String> = verdicts
        .filter_map(|verdict| match verdict {
            Verdict::Kept => None,
            Verdict::Broken(sentence) => Some(sentence),
        })
        .collect();
    if !broken.is_empty() {
        return Err(anyhow!("{}", broken.join("; ")));
    }
    if !rules.is_empty() {
        print(&format!("{} of {} rules kept\n", rules.len(), rules.len()))?;
    }
    let is_damaged = [a_outcome, b_outcome].contains(&Outcome::Damaged);
    Ok(if is_damaged { Outcome::Damaged } else { Outcome::Fine })
}

fn read(path: &Path, args: &CompareArgs) -> anyhow::Result<(Side, Outcome)> {
    let refuse = |problem: &dyn std::fmt::Display| Refused::because(format!("{} {problem}", path.display()));
    if !path.exists() {
        return Err(refuse(&"does not exist"));
    }
    if !is_bag(path) {
        let text = std::fs::read_to_string(path).map_err(|error| refuse(&format!("cannot be read: {error}")))?;
        return Ok((Side::parse(&text).map_err(|error| refuse(&error))?, Outcome::Fine));
    }
    let evaluated = Evaluated::read(path, args.truth.as_deref(), &args.comparison)?;
    let samples = evaluated.truth.is_some().then(|| Samples::of(&evaluated.evaluation));
    let side = Side::new(&evaluated.to_json(), samples).map_err(|error| refuse(&error))?;
    Ok((side, evaluated.outcome))
}
