//! `stridepose parameters`: every setting with its type, range, default and what it does.

use super::{Outcome, print};
use crate::config::{Config, PARAMETERS, parameter_table_markdown};

/// Arguments of `stridepose parameters`.
#[derive(Debug, clap::Args)]
pub struct ParametersArgs {
    /// As a ROS 2 parameter file, to start one's own from
    #[arg(long, conflicts_with = "markdown")]
    yaml: bool,

    /// As a table in Markdown, as in the README
    #[arg(long)]
    markdown: bool,

    /// Only parameters whose name or description contains this word
    #[arg(conflicts_with_all = ["yaml", "markdown"])]
    word: Option<String>,
}

/// Prints the parameters.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(args: &ParametersArgs) -> anyhow::Result<Outcome> {
    let text = match args {
        ParametersArgs { yaml: true, .. } => Config::default().to_parameter_file(),
        ParametersArgs { markdown: true, .. } => parameter_table_markdown(),
        ParametersArgs { word, .. } => list(word.as_deref().unwrap_or_default()),
    };
    print(&text)?;
    Ok(Outcome::Fine)
}

fn list(word: &str) -> String {
    let word = word.to_lowercase();
    let blocks: Vec<String> = PARAMETERS
        .iter()
        .filter(|spec| spec.name.contains(&word) || spec.description().to_lowercase().contains(&word))
        .map(|spec| format!("{} = {}\n    {}\n    {}\n", spec.name, spec.default, spec.description(), spec.facts()))
        .collect();
    if blocks.is_empty() { format!("no parameter speaks of '{word}'\n") } else { blocks.concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_narrows_the_list() {
        assert_eq!(list("").matches(" = ").count(), PARAMETERS.len());
        let found = list("INTERVAL");
        assert!(found.contains("detector.interval = 10\n") && !found.contains("nms_iou"), "{found}");
        assert_eq!(list("xyzzy"), "no parameter speaks of 'xyzzy'\n");
    }
}
