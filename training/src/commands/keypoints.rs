//! `stridepose-train keypoints`.

use stridepose_train::keypoint_crop::CropSettings;
use stridepose_train::keypoint_task::KeypointTask;
use stridepose_train::multi_scale::MultiScaleSize;
use stridepose_train::picture_train;

use super::picture_run::PictureRunArguments;
use super::values;

#[derive(clap::Args)]
pub struct KeypointsArguments {
    #[command(flatten)]
    run: PictureRunArguments,
    /// Size of the network.
    #[arg(long, value_enum, default_value_t = SizeChoice::Small)]
    size: SizeChoice,
    /// Samples a step.
    #[arg(long, default_value_t = 32, value_parser = values::at_least_one::<usize>)]
    samples: usize,
    /// Peak learning rate.
    #[arg(long, default_value_t = 2e-3, value_parser = values::positive)]
    learning_rate: f64,
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
    let size = arguments.size.size();
    let clips = arguments.run.clips()?;
    let task = KeypointTask {
        source: arguments.run.source(&clips)?,
        crops: CropSettings { picture: size.picture(), target_sigma: size.target_sigma() },
        start_from: arguments.run.start_from.clone(),
    };
    picture_train::train(&arguments.run.settings(size, arguments.samples, arguments.learning_rate)?, &task)?;
    Ok(())
}
