//! `stridepose-train export`.

use std::path::{Path, PathBuf};

use stridepose_train::adversary;
use stridepose_train::batch::{self, BatchSettings};
use stridepose_train::calibrate;
use stridepose_train::corpus::Corpus;
use stridepose_train::discriminator::{Discriminator, DiscriminatorKind};
use stridepose_train::export;
use stridepose_train::export_discriminator;
use stridepose_train::judge::{self, JudgeData};
use stridepose_train::mocap::{Clip, Split};
use stridepose_train::model_folder;
use stridepose_train::noise::DetectorNoise;

use super::discriminator::judge_settings;
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
    /// Folder with the discriminator to take over: of `stridepose-train discriminator`, or another model folder. Without it the
    /// run's own is used, or the one that lies in the model folder already.
    #[arg(long, value_name = "FOLDER")]
    discriminator: Option<PathBuf>,
    /// How these weights were made, kept in the contract.
    #[arg(long)]
    origin: String,
}

/// Calibrates a checkpoint and writes its model folder.
pub fn export(arguments: &ExportArguments) -> anyhow::Result<()> {
    let loaded = Loaded::new(&arguments.validate)?;
    let calibration = calibrate::calibrate(&loaded.validation(arguments.validate.scenes))?;
    stridepose_train::say!("ellipsoid coverage on the validation persons, stated -> found");
    for head in &calibration {
        let coverage: Vec<String> =
            head.coverage.iter().map(|coverage| format!("{} -> {:.1} %", coverage.stated, coverage.found)).collect();
        stridepose_train::say!("look-ahead {:>2}: {}", head.lookahead, coverage.join(", "));
    }
    let features = golden_features(&loaded.clips, &loaded.noise);
    model_folder::replace(&arguments.output, |folder| {
        bring_discriminator(arguments, &loaded, folder)?;
        export::export(&loaded.network, &loaded.size, &calibration, &arguments.origin, &features, folder)
    })?;
    stridepose_train::say!("wrote {}", arguments.output.display());
    Ok(())
}

/// Puts the discriminator into the new model folder before the contract is written.
fn bring_discriminator(arguments: &ExportArguments, loaded: &Loaded, folder: &Path) -> anyhow::Result<()> {
    if let Some(from) = &arguments.discriminator {
        anyhow::ensure!(
            export_discriminator::copy(from, folder)?,
            "--discriminator {}: there is none in that folder",
            from.display()
        );
        stridepose_train::say!("took over the discriminator of {}", from.display());
    } else if let Some((network, kind)) = of_run(arguments, loaded)? {
        let data =
            JudgeData { clips: &loaded.clips, noise: &loaded.noise, network: &loaded.network, size: &loaded.size };
        let settings = judge_settings(kind);
        let judge = judge::calibrated(network, &Corpus::new(&loaded.clips, Split::Validation), &settings, &data);
        stridepose_train::say::write(format_args!("{}", judge::table(&judge)));
        let golden = judge.golden(kind);
        let origin = format!("trained beside the lifter: {}", arguments.origin);
        export_discriminator::export(&judge.network, kind, judge.logistic, &golden, &origin, folder)?;
    } else if export_discriminator::section(folder)?.is_some() {
        stridepose_train::say!("kept the discriminator of {}", arguments.output.display());
    }
    Ok(())
}

/// The discriminator that was trained beside the lifter; none in a model folder.
fn of_run(arguments: &ExportArguments, loaded: &Loaded) -> anyhow::Result<Option<(Discriminator, DiscriminatorKind)>> {
    loaded.step.map_or(Ok(None), |_| adversary::load(&arguments.validate.checkpoint))
}

/// Features of one drawn clip, longer than the widest branch reaches.
pub fn golden_features(clips: &[Clip], noise: &DetectorNoise) -> Vec<f32> {
    let settings = BatchSettings { samples: 240, lengths: vec![240], gravity_share: 1.0, ..training_draw() };
    batch::draw(&Corpus::new(clips, Split::Validation), noise, &settings, 1.0, 7, 0).features
}
