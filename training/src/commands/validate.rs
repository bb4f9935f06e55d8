//! `stridepose-train validate`.

use std::path::PathBuf;

use stridepose::skeleton::KeypointLayout;
use stridepose_train::checkpoint::{self, CheckpointState, Weights};
use stridepose_train::mocap::Clip;
use stridepose_train::network::LifterNetwork;
use stridepose_train::noise::DetectorNoise;
use stridepose_train::validate::{Condition, Hidden, Validation};

use super::data::DataArguments;

#[derive(clap::Args)]
pub struct ValidateArguments {
    /// What the scenes are drawn from.
    #[command(flatten)]
    pub data: DataArguments,
    /// Folder of the checkpoint.
    #[arg(long)]
    pub checkpoint: PathBuf,
    /// Scenes (cameras) drawn for each clip.
    #[arg(long, default_value_t = 4)]
    pub scenes: usize,
    /// Take the weights of the last step rather than their moving average.
    #[arg(long)]
    pub raw_weights: bool,
}

/// What a checkpoint is validated with.
pub struct Loaded {
    pub clips: Vec<Clip>,
    pub noise: DetectorNoise,
    pub network: LifterNetwork,
    pub state: CheckpointState,
}

impl Loaded {
    pub fn new(arguments: &ValidateArguments) -> anyhow::Result<Self> {
        let (clips, noise) = arguments.data.load()?;
        let weights = if arguments.raw_weights { Weights::Raw } else { Weights::Averaged };
        let (network, state) = checkpoint::load(&arguments.checkpoint, weights)?;
        Ok(Self { clips, noise, network, state })
    }

    pub fn validation(&self, scenes_per_clip: usize) -> Validation<'_> {
        Validation {
            network: &self.network,
            image_strides: &self.state.size.image_strides,
            clips: &self.clips,
            noise: &self.noise,
            scenes_per_clip,
        }
    }
}

/// Prints errors on persons that training never saw.
pub fn validate(arguments: &ValidateArguments) -> anyhow::Result<()> {
    let loaded = Loaded::new(arguments)?;
    let validation = loaded.validation(arguments.scenes);
    println!("step {}", loaded.state.step);
    println!(
        "{:<10} {:<14} {:>6} {:>8}  MPJPE mm at look-ahead 0, 4, 12   PA-MPJPE mm",
        "persons", "hidden", "layout", "poses"
    );
    for standing in [false, true] {
        for (layout, hidden) in [
            (KeypointLayout::H36m17, Hidden::Share(0.0)),
            (KeypointLayout::H36m17, Hidden::Share(0.4)),
            (KeypointLayout::H36m17, Hidden::Gap(15)),
            (KeypointLayout::Coco17, Hidden::Share(0.0)),
        ] {
            let condition = Condition { layout, hidden, speed: 1.0 };
            let of = |clip: &Clip| clip.is_moving() != standing;
            let score = validation.score(of, &condition);
            let heads: Vec<String> = score.mpjpe_mm.iter().map(|error| format!("{error:7.1}")).collect();
            println!(
                "{:<10} {:<14} {:>6} {:>8}  {}   {:7.1}",
                if standing { "standing" } else { "moving" },
                format!("{hidden:?}"),
                layout.name(),
                score.poses,
                heads.join(" "),
                score.pa_mpjpe_mm
            );
        }
    }
    Ok(())
}
