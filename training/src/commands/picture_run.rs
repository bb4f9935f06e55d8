//! What a training run of any 2D network is told.

use std::path::PathBuf;

use stridepose_train::mocap::{Clip, Split};
use stridepose_train::multi_scale::MultiScaleSize;
use stridepose_train::picture_echo::Echo;
use stridepose_train::picture_train::PictureTrainSettings;
use stridepose_train::pictures::{NoClips, PictureSampler};

use super::data::MocapArguments;
use super::hardware::HardwareArguments;
use super::values;

/// Time between checkpoints, s.
const CHECKPOINT_SECS: f64 = 120.0;

#[derive(clap::Args)]
pub struct PictureRunArguments {
    /// Who moves in the pictures.
    #[command(flatten)]
    mocap: MocapArguments,
    /// Folder for checkpoints and the log; a checkpoint in it is gone on from.
    #[arg(long, short)]
    output: PathBuf,
    /// Run or model folder of a network with the same channels whose weights a new run starts from.
    #[arg(long)]
    pub start_from: Option<PathBuf>,
    /// Length of the whole schedule, minutes of training.
    #[arg(long, default_value_t = 60.0, value_parser = values::positive)]
    minutes: f64,
    /// What computes it; each thread takes the gradient of its share of the samples.
    #[command(flatten)]
    hardware: HardwareArguments,
    /// How often a rendered picture is shown, each time with other crops and colours.
    #[arg(long, default_value_t = 4, value_parser = values::at_least_one::<u32>)]
    echo: u32,
    /// Rendered pictures that are kept for that; each takes about a megabyte of memory.
    #[arg(long, default_value_t = 1000, value_parser = values::at_least_one::<usize>)]
    kept_pictures: usize,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl PictureRunArguments {
    /// The motion capture.
    pub fn clips(&self) -> anyhow::Result<Vec<Clip>> {
        self.mocap.load()
    }

    /// Rendered pictures of the people of the training split.
    pub fn source<'a>(&self, clips: &'a [Clip]) -> Result<Echo<PictureSampler<'a>>, NoClips> {
        Ok(Echo::new(PictureSampler::new(clips, Split::Train)?, self.echo, self.kept_pictures))
    }

    /// The run of a network of `size`, `samples` a step.
    ///
    /// # Errors
    /// When a GPU is asked for that is not there.
    pub fn settings(
        &self,
        size: MultiScaleSize,
        samples: usize,
        learning_rate: f64,
    ) -> anyhow::Result<PictureTrainSettings> {
        Ok(PictureTrainSettings {
            folder: self.output.clone(),
            size,
            secs: 60.0 * self.minutes,
            samples,
            learning_rate,
            hardware: self.hardware.choose()?,
            seed: self.seed,
            checkpoint_secs: CHECKPOINT_SECS,
        })
    }
}
