//! `stridepose-train discriminator`.

use std::path::PathBuf;

use burn::prelude::Device;
use stridepose_train::batch::BatchSettings;
use stridepose_train::discriminator::DiscriminatorKind;
use stridepose_train::export_discriminator;
use stridepose_train::import;
use stridepose_train::judge::{self, JudgeData, JudgeSettings};
use stridepose_train::model_folder;

use super::data::DataArguments;
use super::{training_draw, values};

/// Samples of a clip: enough for the lifter to have found the person before the last ones are judged.
const CLIP_SAMPLES: usize = 48;

#[derive(clap::Args)]
pub struct DiscriminatorArguments {
    /// What the movements are drawn from.
    #[command(flatten)]
    data: DataArguments,
    /// Model folder of the lifter, which stays as it is, e.g. models/lifter.
    #[arg(long)]
    lifter: PathBuf,
    /// Folder to write; a model folder gets the discriminator into its contract.
    #[arg(long, short, value_name = "FOLDER")]
    output: PathBuf,
    /// Steps.
    #[arg(long, default_value_t = 300, value_parser = values::at_least_one::<u64>)]
    steps: u64,
    /// Samples a batch (30 a second).
    #[arg(long, default_value_t = 3072, value_parser = values::at_least_one::<usize>)]
    samples: usize,
    /// Peak learning rate.
    #[arg(long, default_value_t = 1e-3, value_parser = values::positive)]
    learning_rate: f64,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How a discriminator of `kind` is trained and measured, unless something else is asked for.
pub fn judge_settings(kind: DiscriminatorKind) -> JudgeSettings {
    JudgeSettings {
        kind,
        batch: BatchSettings { samples: 3072, lengths: vec![CLIP_SAMPLES], ..training_draw() },
        steps: 0,
        learning_rate: 0.0,
        seed: 0,
        measured_batches: 20,
    }
}

/// Trains a discriminator.
pub fn discriminator(arguments: &DiscriminatorArguments) -> anyhow::Result<()> {
    let lifter = import::lifter(&arguments.lifter, &Device::flex())?;
    let (clips, noise) = arguments.data.load()?;
    let kind = DiscriminatorKind::SpatioTemporal;
    let base = judge_settings(kind);
    let settings = JudgeSettings {
        batch: BatchSettings { samples: arguments.samples, ..base.batch },
        steps: arguments.steps,
        learning_rate: arguments.learning_rate,
        seed: arguments.seed,
        ..base
    };
    let data = JudgeData { clips: &clips, noise: &noise, network: &lifter.network, size: &lifter.size };
    let judge = judge::train(&settings, &data)?;
    stridepose_train::say::write(format_args!("{}", judge::table(&judge)));
    let origin = format!(
        "stridepose-train discriminator --steps {} --samples {} --learning-rate {} --seed {}, beside the lifter of sha256 {}",
        arguments.steps, arguments.samples, arguments.learning_rate, arguments.seed, lifter.sha256
    );
    let mut attached = false;
    model_folder::replace(&arguments.output, |folder| {
        export_discriminator::export(&judge.network, kind, judge.logistic, &judge.golden(kind), &origin, folder)?;
        attached = export_discriminator::attach(folder)?;
        Ok(())
    })?;
    let contract = if attached { ", and its contract" } else { "" };
    stridepose_train::say!("wrote {}{contract}", arguments.output.display());
    Ok(())
}
