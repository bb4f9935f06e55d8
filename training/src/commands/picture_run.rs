//! What a training run of any 2D network is told.

use std::path::PathBuf;

use stridepose_train::bvh_clip::BvhSettings;
use stridepose_train::mocap::{self, Clip};
use stridepose_train::multi_scale::MultiScaleSize;
use stridepose_train::picture_train::PictureTrainSettings;

/// Time between checkpoints, s.
const CHECKPOINT_SECS: f64 = 120.0;

#[derive(clap::Args)]
pub struct PictureRunArguments {
    /// Folder with motion capture: mocap17.npy and mocap17.csv, BVH files (with split.csv if wanted), or both.
    #[arg(long)]
    mocap: PathBuf,
    /// Folder for checkpoints and the log; a checkpoint in it is gone on from.
    #[arg(long, short)]
    output: PathBuf,
    /// Run or model folder of a keypoint network with the same channels whose weights a new run starts from.
    #[arg(long)]
    pub start_from: Option<PathBuf>,
    /// Length of the whole schedule, minutes of training.
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Threads, each of which takes the gradient of its share of the samples.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl PictureRunArguments {
    /// The motion capture.
    pub fn clips(&self) -> anyhow::Result<Vec<Clip>> {
        Ok(mocap::load(&self.mocap, &BvhSettings::default())?)
    }

    /// The run of a network of `size`, `samples` a step.
    pub fn settings(&self, size: MultiScaleSize, samples: usize, learning_rate: f64) -> PictureTrainSettings {
        PictureTrainSettings {
            folder: self.output.clone(),
            size,
            secs: 60.0 * self.minutes,
            samples,
            learning_rate,
            workers: self.workers,
            seed: self.seed,
            checkpoint_secs: CHECKPOINT_SECS,
        }
    }
}
