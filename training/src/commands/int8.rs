//! `stridepose-train export --int8`: the 8-bit variant, what it costs and what it brings.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use stridepose::model::ModelContract;
use stridepose::skeleton::KeypointLayout;
use stridepose_train::export::{self, Variant};
use stridepose_train::export_int8;
use stridepose_train::mocap::Clip;
use stridepose_train::runtime;
use stridepose_train::validate::{Condition, Hidden, Validation};

use super::validate::Loaded;

/// Heading of the section in the model's README.
const HEADING: &str = "## int8";

/// Writes the variant into the model folder's `int8`, measures it beside the graph of 32 bits and tells README.
pub fn export(loaded: &Loaded, validation: &Validation<'_>, model: &Path) -> anyhow::Result<()> {
    let path = model.join("model.yaml");
    let contract = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let parsed = ModelContract::parse(&contract, &path.display().to_string())?;
    let wide = std::fs::read(model.join(&parsed.file)).with_context(|| model.display().to_string())?;
    let narrow = export_int8::streaming(&loaded.network, &loaded.state.size);
    let report = report(&wide, &narrow, &parsed, validation, model)?;
    print!("{report}");
    export::export_variant(&Variant { name: "int8", file: "streaming_int8.onnx", graph: &narrow }, &contract, model)?;
    into_readme(&model.join("README.md"), &report)
}

fn report(
    wide: &[u8],
    narrow: &[u8],
    contract: &ModelContract,
    validation: &Validation<'_>,
    model: &Path,
) -> anyhow::Result<String> {
    let mut text = format!(
        "{HEADING}\n`stridepose-train export --int8` writes `int8/streaming_int8.onnx` ({:.1} MB beside {:.1} MB) with a contract; \
         use it with\n`--models {}` and `-p lifter.model:=int8`. Validation persons through ONNX Runtime, one person at a time:\n\n```text\n\
         persons    hidden         poses  MPJPE mm fp32    int8  change   PA-MPJPE mm fp32    int8\n",
        narrow.len() as f64 / 1e6,
        wide.len() as f64 / 1e6,
        model.display()
    );
    for (persons, is_moving) in [("moving", true), ("standing", false)] {
        for hidden in [Hidden::Share(0.0), Hidden::Share(0.4), Hidden::Gap(15)] {
            let condition = Condition { layout: KeypointLayout::H36m17, hidden, speed: 1.0 };
            let of = |clip: &Clip| clip.is_moving() == is_moving;
            let scores = [wide, narrow].map(|graph| runtime::score(graph, contract, validation, of, &condition));
            let [wide, narrow] = scores;
            let (wide, narrow) = (wide?, narrow?);
            let _ = writeln!(
                text,
                "{persons:<10} {:<14} {:>5}  {:>13.2} {:>7.2} {:>+7.2}   {:>16.2} {:>7.2}",
                format!("{hidden:?}"),
                wide.poses,
                wide.mpjpe_mm[0],
                narrow.mpjpe_mm[0],
                narrow.mpjpe_mm[0] - wide.mpjpe_mm[0],
                wide.pa_mpjpe_mm,
                narrow.pa_mpjpe_mm
            );
        }
    }
    text.push_str("```\n\nMedian time of one run on this machine's CPU, one thread:\n\n```text\n");
    for people in [1, 4, 10] {
        let times = runtime::median_ms(&[wide, narrow], contract, people)?;
        let ratio = times[0] / times[1];
        let (wide, narrow) = (times[0], times[1]);
        let _ = writeln!(text, "{people:>2} people: fp32 {wide:.3} ms, int8 {narrow:.3} ms, {ratio:.2} times as fast");
    }
    text.push_str("```\n");
    Ok(text)
}

/// Puts `section` in the place of the one with its heading, or at the end.
fn into_readme(path: &Path, section: &str) -> anyhow::Result<()> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.with_context(|| path.display().to_string())?,
    };
    export::write(path, with_section(&text, section).as_bytes())
}

fn with_section(text: &str, section: &str) -> String {
    let is_heading = |line: &str| line.trim_end() == HEADING;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let start = lines.iter().position(|line| is_heading(line)).unwrap_or(lines.len());
    let rest = lines.get(start + 1..).unwrap_or_default();
    let end = rest.iter().position(|line| line.starts_with("## ")).map_or(lines.len(), |at| start + 1 + at);
    let (before, after) = (lines[..start].concat(), lines[end..].concat());
    let before = before.trim_end();
    let gap = if before.is_empty() { "" } else { "\n\n" };
    let tail = if after.is_empty() { String::new() } else { format!("\n{after}") };
    format!("{before}{gap}{section}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_takes_its_own_place_and_no_other() {
        let new = "## int8\nnew\n";
        assert_eq!(with_section("", new), new);
        assert_eq!(with_section("# lifter\ntext\n", new), "# lifter\ntext\n\n## int8\nnew\n");
        let text = "# lifter\n\n## int8\nold\n\nolder\n## Figures\nkept\n";
        let replaced = with_section(text, new);
        assert_eq!(replaced, "# lifter\n\n## int8\nnew\n\n## Figures\nkept\n");
        assert_eq!(with_section(&replaced, new), replaced);
    }
}
