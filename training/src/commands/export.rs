//! `stridepose-train export`.

use std::path::PathBuf;

use stridepose_train::adversary;
use stridepose_train::batch::{self, BatchSettings};
use stridepose_train::calibrate;
use stridepose_train::corpus::Corpus;
use stridepose_train::discriminator::DiscriminatorKind;
use stridepose_train::export;
use stridepose_train::export_discriminator;
use stridepose_train::mocap::{Clip, Split};
use stridepose_train::noise::DetectorNoise;

use super::training_draw;
use super::validate::{Loaded, ValidateArguments};

#[derive(clap::Args)]
pub struct ExportArguments {
    /// What to calibrate on.
    #[command(flatten)]
    validate: ValidateArguments,
    /// Model folder to write, e.g. models/lifter.
    #[arg(long, short)]
    output: PathBuf,
    /// How these weights were made, kept in the contract.
    #[arg(long)]
    origin: String,
}

/// Calibrates a checkpoint and writes its model folder.
pub fn export(arguments: &ExportArguments) -> anyhow::Result<()> {
    let loaded = Loaded::new(&arguments.validate)?;
    let calibration = calibrate::calibrate(&loaded.validation(arguments.validate.scenes));
    println!("ellipsoid coverage on the validation persons, stated -> found");
    for head in &calibration {
        let coverage: Vec<String> =
            head.coverage.iter().map(|coverage| format!("{} -> {:.1} %", coverage.stated, coverage.found)).collect();
        println!("look-ahead {:>2}: {}", head.lookahead, coverage.join(", "));
    }
    let features = golden_features(&loaded.clips, &loaded.noise);
    export::export(&loaded.network, &loaded.state.size, &calibration, &arguments.origin, &features, &arguments.output)?;
    if let Some((discriminator, kind)) = adversary::load(&arguments.validate.checkpoint)? {
        let windows = golden_windows(&loaded.clips, &loaded.noise, kind);
        export_discriminator::export(&discriminator, kind, &windows, &arguments.output)?;
    }
    println!("wrote {}", arguments.output.display());
    Ok(())
}

/// Features of one drawn clip, longer than the widest branch reaches.
pub fn golden_features(clips: &[Clip], noise: &DetectorNoise) -> Vec<f32> {
    let settings = BatchSettings { samples: 240, lengths: vec![240], ..training_draw() };
    batch::draw(&Corpus::new(clips, Split::Validation), noise, &settings, 1.0, 7, 0).features
}

/// True movements of a few drawn clips.
fn golden_windows(clips: &[Clip], noise: &DetectorNoise, kind: DiscriminatorKind) -> Vec<f32> {
    let settings = BatchSettings { samples: 96, lengths: vec![24], ..training_draw() };
    let batch = batch::draw(&Corpus::new(clips, Split::Validation), noise, &settings, 1.0, 8, 0);
    adversary::true_windows(&batch, kind)
}
