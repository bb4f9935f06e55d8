//! `stridepose-train int8`: a lifter in 8 bits, what that costs and what it brings.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::prelude::*;
use stridepose::model::ModelContract;
use stridepose_train::mocap::Clip;
use stridepose_train::runtime;
use stridepose_train::validate::{Condition, Hidden, Validation};
use stridepose_train::{export, export_int8, import, model_folder};

use super::data::DataArguments;
use super::values;

#[derive(clap::Args)]
pub struct Int8Arguments {
    /// What the scenes are drawn from that both are measured on.
    #[command(flatten)]
    data: DataArguments,
    /// Folder of the lifter, e.g. models/lifter.
    #[arg(long)]
    lifter: PathBuf,
    /// Scenes (cameras) drawn for each clip.
    #[arg(long, default_value_t = 1, value_parser = values::at_least_one::<usize>)]
    scenes: usize,
    /// Model folder to write, e.g. `models/lifter_int8`.
    #[arg(long, short)]
    output: PathBuf,
}

/// Writes the lifter in 8 bits into a model folder of its own and says how it compares.
pub fn int8(arguments: &Int8Arguments) -> anyhow::Result<()> {
    let same = |folder: &Path| folder.canonicalize().ok();
    anyhow::ensure!(
        same(&arguments.output).is_none_or(|output| Some(output) != same(&arguments.lifter)),
        "-o {}: that is the lifter in 32 bits, which stays; name another folder",
        arguments.output.display()
    );
    let (clips, noise) = arguments.data.load()?;
    let lifter = import::lifter(&arguments.lifter, &Device::flex())?;
    let validation = Validation {
        network: &lifter.network,
        size: &lifter.size,
        clips: &clips,
        noise: &noise,
        scenes_per_clip: arguments.scenes,
    };
    let path = arguments.lifter.join(export::CONTRACT_FILE);
    let contract = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let parsed = ModelContract::parse(&contract, &path.display().to_string())?;
    let wide = std::fs::read(arguments.lifter.join(&parsed.file)).with_context(|| path.display().to_string())?;
    let narrow = export_int8::streaming(&lifter.network, &lifter.size);
    stridepose_train::say::write(format_args!("{}", report(&wide, &narrow, &parsed, &validation)?));
    model_folder::replace(&arguments.output, |folder| {
        export_int8::write(&narrow, &contract, &arguments.lifter, folder)
    })?;
    stridepose_train::say!("wrote {}", arguments.output.display());
    Ok(())
}

fn report(wide: &[u8], narrow: &[u8], contract: &ModelContract, validation: &Validation<'_>) -> anyhow::Result<String> {
    let mut text = format!(
        "Validation persons through ONNX Runtime, one person at a time ({:.1} MB of 8 bits beside {:.1} MB of 32):\n\n```text\n\
         persons    hidden         poses  MPJPE mm fp32    int8  change   PA-MPJPE mm fp32    int8\n",
        narrow.len() as f64 / 1e6,
        wide.len() as f64 / 1e6
    );
    for (persons, is_moving) in [("moving", true), ("standing", false)] {
        for hidden in [Hidden::Share(0.0), Hidden::Share(0.4), Hidden::Gap(15)] {
            let condition = Condition::hiding(hidden);
            let of = |clip: &Clip| clip.is_moving() == is_moving;
            let scores = [wide, narrow].map(|graph| runtime::score(graph, contract, validation, of, &condition));
            let [wide, narrow] = scores;
            let (Some(wide), Some(narrow)) = (wide?, narrow?) else {
                let _ = writeln!(
                    text,
                    "{persons:<10} {:<14} nobody of split val: nothing was measured",
                    format!("{hidden:?}")
                );
                continue;
            };
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
    for people in [1, 4, 20] {
        let times = runtime::median_ms(&[wide, narrow], contract, people)?;
        let ratio = times[0] / times[1];
        let (wide, narrow) = (times[0], times[1]);
        let _ = writeln!(text, "{people:>2} people: fp32 {wide:.3} ms, int8 {narrow:.3} ms, {ratio:.2} times as fast");
    }
    text.push_str("```\n");
    Ok(text)
}
