//! `stridepose-train`: the command.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use stridepose::skeleton::KeypointLayout;
use stridepose_train::batch::{BatchSettings, Corpus, PAIR_PERIOD};
use stridepose_train::mocap::{self, Split};
use stridepose_train::network::LifterSize;
use stridepose_train::noise::{DetectorNoise, NoiseSettings};
use stridepose_train::scene::SceneSettings;
use stridepose_train::train::{self, TrainSettings};
use stridepose_train::validate::{self, Condition, Hidden};

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
    /// Errors of a checkpoint on persons that training never saw.
    Validate(ValidateArguments),
}

#[derive(clap::Args)]
struct ValidateArguments {
    /// Folder with mocap17.npy and mocap17.csv.
    #[arg(long)]
    mocap: PathBuf,
    /// Error statistics of a 2D detector, detection_noise.json.
    #[arg(long)]
    noise: PathBuf,
    /// Folder of the checkpoint.
    #[arg(long)]
    checkpoint: PathBuf,
    /// Scenes (cameras) drawn for each clip.
    #[arg(long, default_value_t = 4)]
    scenes: usize,
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
    /// Samples a batch (30 a second).
    #[arg(long, default_value_t = 3072)]
    samples: usize,
    /// Samples a clip, cycled through from step to step, multiples of 6.
    #[arg(long, value_delimiter = ',', default_values_t = [96, 96, 96, 228])]
    lengths: Vec<usize>,
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
        Command::Validate(arguments) => validate(&arguments),
    }
}

fn lifter(arguments: &LifterArguments) -> anyhow::Result<()> {
    anyhow::ensure!(
        !arguments.lengths.is_empty()
            && arguments.lengths.iter().all(|length| *length > 0 && length % PAIR_PERIOD == 0),
        "--lengths {:?}: each must be a positive multiple of {PAIR_PERIOD}",
        arguments.lengths
    );
    let clips = mocap::load(&arguments.mocap)?;
    let noise = DetectorNoise::load(&arguments.noise)?;
    let settings = TrainSettings {
        folder: arguments.output.clone(),
        size: LifterSize::default(),
        batch: BatchSettings {
            samples: arguments.samples,
            lengths: arguments.lengths.clone(),
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

fn validate(arguments: &ValidateArguments) -> anyhow::Result<()> {
    let clips = mocap::load(&arguments.mocap)?;
    let noise = DetectorNoise::load(&arguments.noise)?;
    let (network, state) = train::load(&arguments.checkpoint)?;
    println!("step {}", state.step);
    println!(
        "{:<10} {:<14} {:>6} {:>8}  MPJPE mm at look-ahead 0, 4, 12   PA-MPJPE mm",
        "persons", "hidden", "layout", "poses"
    );
    for standing in [false, true] {
        for (layout, hidden) in [
            (KeypointLayout::H36m17, Hidden::Share(0.0)),
            (KeypointLayout::H36m17, Hidden::Share(0.4)),
            (KeypointLayout::H36m17, Hidden::Gap(15)),
            (KeypointLayout::Coco17, Hidden::Share(0.0)),
        ] {
            let condition = Condition { layout, hidden, speed: 1.0 };
            let of = |clip: &mocap::Clip| (clip.source == "reactidle") == standing;
            let score =
                validate::score(&network, &state.size.image_strides, &clips, of, &noise, &condition, arguments.scenes);
            let heads: Vec<String> = score.mpjpe_mm.iter().map(|error| format!("{error:7.1}")).collect();
            println!(
                "{:<10} {:<14} {:>6} {:>8}  {}   {:7.1}",
                if standing { "standing" } else { "moving" },
                format!("{hidden:?}"),
                layout.name(),
                score.poses,
                heads.join(" "),
                score.pa_mpjpe_mm
            );
        }
    }
    Ok(())
}
