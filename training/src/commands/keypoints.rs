//! `stridepose-train keypoints`.

use std::path::PathBuf;

use stridepose_train::bvh_clip::BvhSettings;
use stridepose_train::keypoint_crop::CropSettings;
use stridepose_train::keypoint_task::KeypointTask;
use stridepose_train::mocap::{self, Split};
use stridepose_train::multi_scale::MultiScaleSize;
use stridepose_train::picture_train::{self, PictureTrainSettings};
use stridepose_train::pictures::PictureSampler;

#[derive(clap::Args)]
pub struct KeypointsArguments {
    /// Folder with motion capture: mocap17.npy and mocap17.csv, BVH files (with split.csv if wanted), or both.
    #[arg(long)]
    mocap: PathBuf,
    /// Folder for checkpoints and the log.
    #[arg(long, short)]
    output: PathBuf,
    /// Size of the network.
    #[arg(long, value_enum, default_value_t = SizeChoice::Small)]
    size: SizeChoice,
    /// Run or model folder of a network of the same size whose weights a new run starts from.
    #[arg(long)]
    start_from: Option<PathBuf>,
    /// Length of the whole schedule, minutes of training.
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Samples a step.
    #[arg(long, default_value_t = 32)]
    samples: usize,
    /// Peak learning rate.
    #[arg(long, default_value_t = 2e-3)]
    learning_rate: f64,
    /// Threads, each of which takes the gradient of its share of the samples.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SizeChoice {
    Small,
    Base,
}

impl SizeChoice {
    fn size(self) -> MultiScaleSize {
        match self {
            Self::Small => MultiScaleSize::small(),
            Self::Base => MultiScaleSize::base(),
        }
    }
}

/// Trains a keypoint network.
pub fn keypoints(arguments: &KeypointsArguments) -> anyhow::Result<()> {
    let clips = mocap::load(&arguments.mocap, &BvhSettings { metres_per_unit: None, up: None, joints: None })?;
    let size = arguments.size.size();
    let task = KeypointTask {
        source: PictureSampler::new(&clips, Split::Train)?,
        crops: CropSettings { picture: size.picture(), target_sigma: size.target_sigma() },
        start_from: arguments.start_from.clone(),
    };
    let settings = PictureTrainSettings {
        folder: arguments.output.clone(),
        size,
        secs: 60.0 * arguments.minutes,
        samples: arguments.samples,
        learning_rate: arguments.learning_rate,
        workers: arguments.workers,
        seed: arguments.seed,
        checkpoint_secs: 120.0,
    };
    picture_train::train(&settings, &task)?;
    Ok(())
}
