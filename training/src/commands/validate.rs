//! `stridepose-train validate`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use burn::prelude::*;
use stridepose::skeleton::KeypointLayout;
use stridepose_train::calibrate;
use stridepose_train::checkpoint::{self, Weights};
use stridepose_train::look_ahead;
use stridepose_train::mocap::{Clip, Split};
use stridepose_train::network::{LifterNetwork, LifterSize};
use stridepose_train::noise::{DetectorNoise, NoiseSettings};
use stridepose_train::refinement;
use stridepose_train::validate::{Condition, Hidden, Validation};
use stridepose_train::{export, import, mix};

use super::data::DataArguments;
use super::values;

#[derive(clap::Args)]
pub struct ValidateArguments {
    /// What the scenes are drawn from.
    #[command(flatten)]
    pub data: DataArguments,
    /// Folder of a run or of a model, e.g. models/lifter.
    #[arg(long, visible_alias = "lifter")]
    pub checkpoint: PathBuf,
    /// Scenes (cameras) drawn for each clip.
    #[arg(long, default_value_t = 4, value_parser = values::at_least_one::<usize>)]
    pub scenes: usize,
    /// Take the weights of the last step rather than their moving average.
    #[arg(long)]
    pub raw_weights: bool,
    /// Folder of the lifter whose weights are mixed in, as those that the run started from: the mean of both is often better.
    #[arg(long, value_name = "FOLDER")]
    pub mix: Option<PathBuf>,
    /// What these count in the mean, 0 to 1.
    #[arg(long, default_value_t = 0.5, requires = "mix")]
    pub mix_share: f64,
}

/// What is validated, and with what.
pub struct Loaded {
    pub clips: Vec<Clip>,
    pub noise: DetectorNoise,
    pub network: LifterNetwork,
    pub size: LifterSize,
    /// Steps of the run; absent for a model folder.
    pub step: Option<u64>,
}

impl Loaded {
    pub fn new(arguments: &ValidateArguments) -> anyhow::Result<Self> {
        let (clips, noise) = arguments.data.load()?;
        let (network, size, step) = if arguments.checkpoint.join(export::CONTRACT_FILE).exists() {
            let imported = import::lifter(&arguments.checkpoint, &Device::flex())?;
            (imported.network, imported.size, None)
        } else {
            let weights = if arguments.raw_weights { Weights::Raw } else { Weights::Averaged };
            let (network, state) = checkpoint::load(&arguments.checkpoint, weights)?;
            (network, state.size, Some(state.step))
        };
        let network = match &arguments.mix {
            Some(other) => mix::lifter(network, &size, other, arguments.mix_share)?,
            None => network,
        };
        Ok(Self { clips, noise, network, size, step })
    }

    pub fn validation(&self, scenes_per_clip: usize) -> Validation<'_> {
        Validation { network: &self.network, size: &self.size, clips: &self.clips, noise: &self.noise, scenes_per_clip }
    }
}

/// Prints errors on persons that training never saw.
pub fn validate(arguments: &ValidateArguments) -> anyhow::Result<()> {
    let loaded = Loaded::new(arguments)?;
    let validation = loaded.validation(arguments.scenes);
    if let Some(step) = loaded.step {
        stridepose_train::say!("step {step}");
    }
    stridepose_train::say!(
        "{:<10} {:<10} {:>8} {:>8} {:>8} {:>6}  {:>23}  {:>11}  {:>20}",
        "persons",
        "hidden",
        "layout",
        "detector",
        "gravity",
        "poses",
        "MPJPE mm at 0, 4, 12",
        "PA-MPJPE mm",
        "MPJVE mm at 0, 4, 12"
    );
    let plain = Condition::hiding(Hidden::Share(0.0));
    for (people, of) in PEOPLE {
        if !loaded.clips.iter().any(|clip| clip.split == Split::Validation && of(clip)) {
            stridepose_train::say!("{people:<10} nobody of split val: nothing was measured");
            continue;
        }
        for (layout, hidden) in [
            (KeypointLayout::H36m17, Hidden::Share(0.0)),
            (KeypointLayout::H36m17, Hidden::Share(0.4)),
            (KeypointLayout::H36m17, Hidden::Gap(15)),
            (KeypointLayout::Coco17, Hidden::Share(0.0)),
        ] {
            print_row(&validation, people, of, &Condition { layout, hidden, ..plain });
        }
        for layout in [KeypointLayout::H36m17, KeypointLayout::Coco17] {
            print_row(&validation, people, of, &Condition { layout, detector: NoiseSettings::OTHERS, ..plain });
        }
        for hidden in [Hidden::Share(0.0), Hidden::Share(0.4), Hidden::Gap(15)] {
            print_row(&validation, people, of, &Condition { hidden, knows_gravity: true, ..plain });
        }
    }
    let sources: BTreeSet<&str> = loaded.clips.iter().map(|clip| clip.source.as_str()).collect();
    for source in sources {
        print_row(&validation, source, |clip| clip.source == source, &plain);
    }
    print_look_ahead(&validation);
    print_refinement(&validation)
}

/// People that are measured apart: what they are called, and which clips are theirs.
type People = (&'static str, fn(&Clip) -> bool);

const PEOPLE: [People; 2] = [("moving", Clip::is_moving), ("standing", |clip| !clip.is_moving())];

fn print_row(validation: &Validation<'_>, people: &str, of: impl Fn(&Clip) -> bool, condition: &Condition) {
    let Some(score) = validation.score(of, condition) else { return };
    let heads = |values: &[f64], digits: usize| {
        let columns: Vec<String> = values.iter().map(|value| format!("{value:7.digits$}")).collect();
        columns.concat()
    };
    let velocity =
        if score.mpjve_mm.iter().any(|error| *error > 0.0) { heads(&score.mpjve_mm, 2) } else { String::new() };
    stridepose_train::say!(
        "{people:<10} {:<10} {:>8} {:>8} {:>8} {:>6}  {:>23}  {:>11.1}  {velocity:>20}",
        format!("{:?}", condition.hidden),
        condition.layout.name(),
        if condition.detector == NoiseSettings::MEASURED { "" } else { "others" },
        if condition.knows_gravity { "known" } else { "" },
        score.poses,
        heads(&score.mpjpe_mm, 1),
        score.pa_mpjpe_mm
    );
}

/// What waiting is worth.
fn print_look_ahead(validation: &Validation<'_>) {
    stridepose_train::say!("\nwaiting for 12 images: MPJPE and MPJVE in mm, jitter in m/s³ (of the truth)");
    stridepose_train::say!(
        "{:<10} {:<14} {}",
        "persons",
        "hidden",
        look_ahead::ANSWERS.map(|answer| format!("{answer:>23}")).join("  ")
    );
    for (people, of) in PEOPLE {
        for hidden in [Hidden::Share(0.0), Hidden::Share(0.4)] {
            let condition = Condition::hiding(hidden);
            let (scores, truth) = look_ahead::study(validation, of, &condition);
            if scores[0].poses == 0 {
                continue;
            }
            let columns = scores
                .map(|score| format!("{:7.1} {:7.2} {:7.0}", score.mpjpe_mm, score.mpjve_mm, score.jitter_m_per_s3));
            stridepose_train::say!("{people:<10} {:<14} {}  ({truth:.0})", format!("{hidden:?}"), columns.join("  "));
        }
    }
}

/// What the pipeline's refinement makes of the answers.
fn print_refinement(validation: &Validation<'_>) -> anyhow::Result<()> {
    let calibration = calibrate::calibrate(validation)?;
    stridepose_train::say!("\nrefined, with the root that is found: MPJPE and root error in mm");
    stridepose_train::say!("{:<10} {:<14} {}  worst person by confidence", "persons", "hidden", refinement_columns());
    for (people, of) in PEOPLE {
        for hidden in [Hidden::Share(0.0), Hidden::Share(0.4)] {
            let condition = Condition::hiding(hidden);
            let study = refinement::study(validation, of, &condition, &calibration[0]);
            let Some((change, (source, subject))) = study.worst_change() else { continue };
            let mode = |index: usize| format!("{:8.1} {:8.1}", study.scores[index].mpjpe_mm[0], study.root_mm[index]);
            let modes: Vec<String> = (0..refinement::MODES.len()).map(mode).collect();
            stridepose_train::say!(
                "{people:<10} {:<14} {}  {change:+.1} % ({source} {subject})",
                format!("{hidden:?}"),
                modes.join("  ")
            );
        }
    }
    Ok(())
}

fn refinement_columns() -> String {
    refinement::MODES.map(|(_, mode)| format!("{mode:>17}")).join("  ")
}
