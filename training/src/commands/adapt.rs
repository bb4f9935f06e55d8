//! `stridepose-train adapt`.

use std::path::PathBuf;

use stridepose_train::adapt::{self, AdaptData, AdaptSettings};
use stridepose_train::adapt_table;
use stridepose_train::bag_keypoints;
use stridepose_train::batch::BatchSettings;
use stridepose_train::corpus::KeypointsOnly;

use super::data::DataArguments;
use super::export::golden_features;
use super::hardware::HardwareArguments;
use super::{training_draw, values};

#[derive(clap::Args)]
pub struct AdaptArguments {
    /// What half of each batch, and all that is measured against the truth, is drawn from.
    #[command(flatten)]
    data: DataArguments,
    /// Model folder of the lifter to tune, e.g. models/lifter.
    #[arg(long)]
    lifter: PathBuf,
    /// Recordings without 3D truth: bags with a keypoints topic, or what `stridepose replay` made of images.
    #[arg(long, num_args = 1.., required = true, value_name = "BAG")]
    unlabelled: Vec<PathBuf>,
    /// Folder for the run; the model is written into FOLDER/lifter.
    #[arg(long, short, value_name = "FOLDER")]
    output: PathBuf,
    /// Steps.
    #[arg(long, default_value_t = 300, value_parser = values::at_least_one::<u64>)]
    steps: u64,
    /// Samples a batch (30 a second).
    #[arg(long, default_value_t = 3072, value_parser = values::at_least_one::<usize>)]
    samples: usize,
    /// Peak learning rate.
    #[arg(long, default_value_t = 2e-4, value_parser = values::positive)]
    learning_rate: f64,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What computes it.
    #[command(flatten)]
    hardware: HardwareArguments,
    /// Scenes (cameras) drawn for each validation clip.
    #[arg(long, default_value_t = 2, value_parser = values::at_least_one::<usize>)]
    scenes: usize,
}

/// Tunes a lifter.
pub fn adapt(arguments: &AdaptArguments) -> anyhow::Result<()> {
    let mut recordings = KeypointsOnly::default();
    for path in &arguments.unlabelled {
        let bag = bag_keypoints::read(path)?;
        bag.warnings.iter().for_each(|warning| eprintln!("{warning}"));
        let samples: usize = bag.sequences.iter().map(|sequence| sequence.samples.len()).sum();
        stridepose_train::say!("{}: {} people, {:.0} s", path.display(), bag.sequences.len(), samples as f64 / 30.0);
        recordings.sequences.extend(bag.sequences);
    }
    let (clips, noise) = arguments.data.load()?;
    let settings = AdaptSettings {
        lifter: arguments.lifter.clone(),
        folder: arguments.output.clone(),
        batch: BatchSettings { samples: arguments.samples, lengths: vec![96, 96, 96, 228], ..training_draw() },
        steps: arguments.steps,
        learning_rate: arguments.learning_rate,
        seed: arguments.seed,
        scenes_per_clip: arguments.scenes,
        hardware: arguments.hardware.choose()?,
    };
    let golden_features = golden_features(&clips, &noise);
    let data = AdaptData { clips: &clips, noise: &noise, recordings: &recordings, golden_features: &golden_features };
    let adapted = adapt::adapt(&settings, &data)?;
    stridepose_train::say::write(format_args!("{}", adapt_table::table(&adapted.figures)));
    match adapted.outcome {
        Ok(folder) => stridepose_train::say!("wrote {}", folder.display()),
        Err(reason) => anyhow::bail!(reason),
    }
    Ok(())
}
