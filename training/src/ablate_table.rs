//! The tables of a study as markdown: mean and spread over the seeds.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::ablate::{self, AblateSettings, Question, RunScores};
use crate::network::LOOKAHEADS;

/// The tables of the questions asked. `command` is what was run, for who wants to run it again.
///
/// # Errors
/// When a question is unknown.
pub fn markdown(
    settings: &AblateSettings,
    scores: &BTreeMap<&'static str, Vec<RunScores>>,
    command: &str,
) -> anyhow::Result<String> {
    let seeds: Vec<String> = settings.seeds.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "# What each part of the training is worth\n\n\
         Root-relative MPJPE in mm on moving persons that training never saw, random cameras, detector noise as measured; \
         after a slash PA-MPJPE where it was scored (no look-ahead). Every run: {} steps of {} samples, nothing else \
         changed than what the table says. Mean ± standard deviation over {} runs, seeds {}.\n\n\
         ```\n{command}\n```\n",
        settings.base.steps,
        settings.base.batch.samples,
        seeds.len(),
        seeds.join(", "),
    );
    for question in ablate::chosen(&settings.questions)? {
        text.push_str(&table(question, settings, scores));
    }
    Ok(text)
}

fn table(question: &Question, settings: &AblateSettings, scores: &BTreeMap<&'static str, Vec<RunScores>>) -> String {
    let mut text = format!("\n## {}\n\n{}\n\n|", question.name, question.asks);
    let head = |index: usize| match LOOKAHEADS.get(index) {
        None | Some(0) => String::new(),
        Some(lookahead) => format!(", look-ahead {lookahead}"),
    };
    for (condition, index) in question.columns {
        let _ = write!(text, " | {condition}{}", head(*index));
    }
    text.push_str(" | parameters |\n|---");
    text.push_str(&"|---:".repeat(question.columns.len() + 1));
    text.push_str("|\n");
    for (variant, label) in question.variants {
        let _ = write!(text, "| {label}");
        let runs = scores.get(variant).map_or(&[][..], Vec::as_slice);
        if runs.len() < settings.seeds.len() {
            let _ = write!(text, " ({} of {} runs)", runs.len(), settings.seeds.len());
        }
        for (condition, index) in question.columns {
            // Earlier versions wrote errors of 0 mm where nobody was measured.
            let scores = || runs.iter().filter_map(|run| run.get(*condition)).filter(|score| score.poses > 0);
            let errors: Vec<f64> = scores().filter_map(|score| score.mpjpe_mm.get(*index).copied()).collect();
            let _ = write!(text, " | {}", mean_and_spread(&errors));
            if *index == 0 {
                let aligned: Vec<f64> = scores().map(|score| score.pa_mpjpe_mm).collect();
                let _ = write!(text, " / {}", mean_and_spread(&aligned));
            }
        }
        let parameters = ablate::parameters_of(&settings.base, variant);
        let _ = writeln!(text, " | {:.2} M |", parameters as f64 / 1e6);
    }
    text
}

/// `78.2 ± 0.4`; without a spread for one run, a dash for none.
fn mean_and_spread(values: &[f64]) -> String {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    match values.len() {
        0 => "–".to_owned(),
        1 => format!("{mean:.1}"),
        _ => {
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
            format!("{mean:.1} ± {:.1}", variance.sqrt())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_have_the_spread_of_the_sample() {
        assert_eq!(mean_and_spread(&[78.0, 80.0, 82.0]), "80.0 ± 2.0");
        assert_eq!(mean_and_spread(&[78.04]), "78.0");
        assert_eq!(mean_and_spread(&[]), "–");
    }
}
