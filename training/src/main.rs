//! `stridepose-train`: the command.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use stridepose_train::batch::{BatchSettings, Corpus};
use stridepose_train::mocap::{self, Split};
use stridepose_train::network::LifterSize;
use stridepose_train::noise::{DetectorNoise, NoiseSettings};
use stridepose_train::scene::SceneSettings;
use stridepose_train::train::{self, TrainSettings};

/// Train the lifter of stridepose on motion capture and export it to ONNX.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a lifter; resumes when the folder holds a checkpoint.
    Lifter(LifterArguments),
}

#[derive(clap::Args)]
struct LifterArguments {
    /// Folder with mocap17.npy and mocap17.csv.
    #[arg(long)]
    mocap: PathBuf,
    /// Error statistics of a 2D detector, detection_noise.json.
    #[arg(long)]
    noise: PathBuf,
    /// Folder for checkpoints and the log.
    #[arg(long, short)]
    output: PathBuf,
    /// Steps of the whole schedule.
    #[arg(long, default_value_t = 10_000)]
    steps: u64,
    /// Clips a batch.
    #[arg(long, default_value_t = 32)]
    clips: usize,
    /// Samples a clip (30 a second), a multiple of 6.
    #[arg(long, default_value_t = 96)]
    length: usize,
    /// Peak learning rate.
    #[arg(long, default_value_t = 2e-3)]
    learning_rate: f64,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Lifter(arguments) => lifter(&arguments),
    }
}

fn lifter(arguments: &LifterArguments) -> anyhow::Result<()> {
    let clips = mocap::load(&arguments.mocap)?;
    let noise = DetectorNoise::load(&arguments.noise)?;
    let settings = TrainSettings {
        folder: arguments.output.clone(),
        size: LifterSize::default(),
        batch: BatchSettings {
            clips: arguments.clips,
            length: arguments.length,
            scene: SceneSettings { speed: (0.4, 2.5), retarget: true, stamp_jitter: 0.4, mirror: true },
            noise: NoiseSettings { scale: (0.3, 1.5), definition_offset: 0.035, strange_scores: 0.4 },
            standing_share: 0.25,
        },
        steps: arguments.steps,
        learning_rate: arguments.learning_rate,
        seed: arguments.seed,
        checkpoint_every: 250,
    };
    train::train(&settings, &Corpus::new(&clips, Split::Train), &noise)?;
    Ok(())
}
