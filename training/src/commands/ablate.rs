//! `stridepose-train ablate`.

use std::path::PathBuf;

use stridepose_train::ablate::{self, AblateSettings};
use stridepose_train::ablate_table;
use stridepose_train::batch::BatchSettings;
use stridepose_train::corpus::KeypointsOnly;
use stridepose_train::export;
use stridepose_train::loss::LossWeights;
use stridepose_train::network::LifterSize;
use stridepose_train::noise::NoiseSettings;
use stridepose_train::train::{TrainData, TrainSettings};
use stridepose_train::trainer::LearnSettings;

use super::data::DataArguments;
use super::hardware::HardwareArguments;
use super::{training_draw, values};

#[derive(clap::Args)]
pub struct AblateArguments {
    /// What to train and to measure on.
    #[command(flatten)]
    data: DataArguments,
    /// Folder of the runs.
    #[arg(long, short)]
    output: PathBuf,
    /// Table to write; without it TABLE.md in the folder of the runs.
    #[arg(long)]
    table: Option<PathBuf>,
    /// Steps of each run.
    #[arg(long, default_value_t = 2000, value_parser = values::at_least_one::<u64>)]
    steps: u64,
    /// Samples a batch (30 a second).
    #[arg(long, default_value_t = 3072, value_parser = values::at_least_one::<usize>)]
    samples: usize,
    /// Peak learning rate.
    #[arg(long, default_value_t = 2e-3, value_parser = values::positive)]
    learning_rate: f64,
    /// What computes it; what is learnt does not depend on the number of threads.
    #[command(flatten)]
    hardware: HardwareArguments,
    /// A run of each variant with each of these seeds, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3", value_name = "SEED,...")]
    seeds: Vec<u64>,
    /// Scenes (cameras) drawn for each validation clip.
    #[arg(long, default_value_t = 4, value_parser = values::at_least_one::<usize>)]
    scenes: usize,
    /// Write the tables of the runs that are done, and run nothing.
    #[arg(long)]
    tables_only: bool,
    /// Questions to answer, separated by commas; all if left out.
    #[arg(long, value_delimiter = ',', value_name = "QUESTION,...")]
    only: Vec<String>,
}

/// Runs a study and writes its tables.
pub fn ablate(arguments: &AblateArguments) -> anyhow::Result<()> {
    let (clips, noise) = arguments.data.load()?;
    let learn = LearnSettings {
        // Two residuals, as the tables have it: what is deeper needs longer runs to show what it is worth.
        size: LifterSize { fuse_residuals: 2, ..LifterSize::default() },
        loss: LossWeights::default(),
        is_orthogonalised: true,
        average_decay: 0.999,
        cycles: 1,
        discriminator: None,
        adversarial_weight: 0.0,
        start_from: None,
    };
    let base = TrainSettings {
        folder: PathBuf::new(),
        learn,
        batch: BatchSettings {
            samples: arguments.samples,
            lengths: vec![96, 96, 96, 228],
            gravity_share: 0.0,
            // The tables of docs/ablation.md are of this detector.
            noise: NoiseSettings { definition_offset: 0.035, variety_share: 0.0, ..NoiseSettings::OTHERS },
            ..training_draw()
        },
        steps: arguments.steps,
        learning_rate: arguments.learning_rate,
        seed: 0,
        checkpoint_every: 250,
        validate_every: 0,
        hardware: arguments.hardware.choose()?,
    };
    let settings = AblateSettings {
        folder: arguments.output.clone(),
        base,
        seeds: arguments.seeds.clone(),
        scenes_per_clip: arguments.scenes,
        questions: arguments.only.clone(),
    };
    let data = TrainData { clips: &clips, label_share: 1.0, keypoints_only: &KeypointsOnly::default(), noise: &noise };
    if !arguments.tables_only {
        ablate::ablate(&settings, &data)?;
    }
    let scores = ablate::done(&settings, &data)?;
    let command: Vec<String> = std::env::args().skip(1).collect();
    let text = ablate_table::markdown(&settings, &scores, &format!("stridepose-train {}", command.join(" ")))?;
    let path = arguments.table.clone().unwrap_or_else(|| arguments.output.join("TABLE.md"));
    export::write(&path, text.as_bytes())?;
    stridepose_train::say!("wrote {}", path.display());
    Ok(())
}
