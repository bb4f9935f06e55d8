//! `stridepose-train`: the command.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use stridepose::skeleton::KeypointLayout;
use stridepose_train::ablate::{self, AblateSettings};
use stridepose_train::ablate_table;
use stridepose_train::adversary::{self, TAIL};
use stridepose_train::batch::{self, BatchSettings, Corpus, PAIR_PERIOD};
use stridepose_train::bvh_clip::{BvhSettings, UpAxis};
use stridepose_train::calibrate;
use stridepose_train::checkpoint::{self, CheckpointState, Weights};
use stridepose_train::curves;
use stridepose_train::discriminator::DiscriminatorKind;
use stridepose_train::export;
use stridepose_train::export_discriminator;
use stridepose_train::log::RunLog;
use stridepose_train::mocap::{self, Split};
use stridepose_train::network::{LifterNetwork, LifterSize};
use stridepose_train::noise::{DetectorNoise, NoiseSettings};
use stridepose_train::scene::SceneSettings;
use stridepose_train::train::{self, TrainData, TrainSettings};
use stridepose_train::trainer::LearnSettings;
use stridepose_train::validate::{Condition, Hidden, Validation};

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
    /// Calibrate a checkpoint and write its model folder: ONNX graphs and contract.
    Export(ExportArguments),
    /// Train without one part or with another, over several seeds, and write what each is worth; resumes.
    Ablate(AblateArguments),
    /// Draw error and learning rate of runs against the step.
    Curves(CurvesArguments),
}

#[derive(clap::Args)]
struct ExportArguments {
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

#[derive(clap::Args)]
struct DataArguments {
    /// Folder with motion capture: mocap17.npy and mocap17.csv, BVH files (with split.csv if wanted), or both.
    #[arg(long)]
    mocap: PathBuf,
    /// Error statistics of a 2D detector (`detection_noise.json`).
    #[arg(long)]
    noise: PathBuf,
    /// Metres per unit of the BVH files; found out from the legs if left out.
    #[arg(long)]
    bvh_scale: Option<f64>,
    /// Up axis of the BVH files; found out from the body if left out.
    #[arg(long, value_enum)]
    bvh_up: Option<Up>,
    /// Names of joints in the BVH files (YAML); CMU, Mixamo, LaFAN1 and Biovision names are built in.
    #[arg(long)]
    bvh_joints: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Up {
    Y,
    Z,
}

impl DataArguments {
    fn load(&self) -> anyhow::Result<(Vec<mocap::Clip>, DetectorNoise)> {
        Ok((mocap::load(&self.mocap, &self.bvh()?)?, DetectorNoise::load(&self.noise)?))
    }

    fn bvh(&self) -> anyhow::Result<BvhSettings> {
        let metres_per_unit = self.bvh_scale;
        if let Some(scale) = metres_per_unit {
            anyhow::ensure!(scale > 0.0 && scale.is_finite(), "--bvh-scale {scale}: must be positive");
        }
        let up = self.bvh_up.map(|up| match up {
            Up::Y => UpAxis::Y,
            Up::Z => UpAxis::Z,
        });
        Ok(BvhSettings { metres_per_unit, up, joints: self.bvh_joints.clone() })
    }
}

#[derive(clap::Args)]
struct ValidateArguments {
    /// What the scenes are drawn from.
    #[command(flatten)]
    data: DataArguments,
    /// Folder of the checkpoint.
    #[arg(long)]
    checkpoint: PathBuf,
    /// Scenes (cameras) drawn for each clip.
    #[arg(long, default_value_t = 4)]
    scenes: usize,
    /// Take the weights of the last step rather than their moving average.
    #[arg(long)]
    raw_weights: bool,
}

#[derive(clap::Args)]
struct LifterArguments {
    /// What the scenes are drawn from.
    #[command(flatten)]
    data: DataArguments,
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
    /// Steps between measurements on the validation persons (moving, nothing hidden); 0 for none.
    #[arg(long, default_value_t = 1000)]
    validate_every: u64,
    /// Decay of the exponential moving average of the weights; 0 turns it off.
    #[arg(long, default_value_t = 0.999)]
    ema_decay: f64,
    /// Discriminator to train beside the lifter.
    #[arg(long, value_enum, default_value_t = DiscriminatorChoice::None)]
    discriminator: DiscriminatorChoice,
    /// Weight of the discriminator's judgement in the lifter's loss, m; 0 trains the discriminator alone.
    #[arg(long, default_value_t = 0.0)]
    adversarial_weight: f32,
    /// Share of the training poses whose persons keep their 3D labels; the others give keypoints alone.
    #[arg(long, default_value_t = 1.0)]
    label_share: f64,
    /// Learn from those without labels as well: half of each batch, by reprojection and by what bones do.
    #[arg(long)]
    semi_supervised: bool,
    /// Folder with more motion capture, as for --mocap, of which the keypoints alone are used.
    #[arg(long)]
    unlabelled: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DiscriminatorChoice {
    None,
    Spatial,
    SpatioTemporal,
}

impl DiscriminatorChoice {
    fn kind(self) -> Option<DiscriminatorKind> {
        match self {
            Self::None => None,
            Self::Spatial => Some(DiscriminatorKind::Spatial),
            Self::SpatioTemporal => Some(DiscriminatorKind::SpatioTemporal),
        }
    }
}

#[derive(clap::Args)]
struct AblateArguments {
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
    #[arg(long, default_value_t = 2000)]
    steps: u64,
    /// Samples a batch (30 a second).
    #[arg(long, default_value_t = 3072)]
    samples: usize,
    /// Peak learning rate.
    #[arg(long, default_value_t = 2e-3)]
    learning_rate: f64,
    /// A run of each variant with each seed.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3])]
    seeds: Vec<u64>,
    /// Scenes (cameras) drawn for each validation clip.
    #[arg(long, default_value_t = 4)]
    scenes: usize,
    /// Questions to answer; all if left out.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

#[derive(clap::Args)]
struct CurvesArguments {
    /// Folders of runs, overlaid.
    #[arg(long, required = true, num_args = 1..)]
    checkpoint: Vec<PathBuf>,
    /// SVG to write.
    #[arg(long, short)]
    output: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Lifter(arguments) => lifter(&arguments),
        Command::Validate(arguments) => validate(&arguments),
        Command::Export(arguments) => export(&arguments),
        Command::Ablate(arguments) => run_ablation(&arguments),
        Command::Curves(arguments) => draw_curves(&arguments),
    }
}

fn lifter(arguments: &LifterArguments) -> anyhow::Result<()> {
    anyhow::ensure!(
        !arguments.lengths.is_empty()
            && arguments.lengths.iter().all(|length| *length > 0 && length % PAIR_PERIOD == 0),
        "--lengths {:?}: each must be a positive multiple of {PAIR_PERIOD}",
        arguments.lengths
    );
    anyhow::ensure!(
        (0.0..1.0).contains(&arguments.ema_decay),
        "--ema-decay {}: must be at least 0 and under 1",
        arguments.ema_decay
    );
    let weight = arguments.adversarial_weight;
    anyhow::ensure!(weight >= 0.0 && weight.is_finite(), "--adversarial-weight {weight}: must be at least 0");
    anyhow::ensure!(
        weight == 0.0 || arguments.discriminator != DiscriminatorChoice::None,
        "--adversarial-weight {weight} without a discriminator; give --discriminator spatio-temporal"
    );
    anyhow::ensure!(
        arguments.discriminator == DiscriminatorChoice::None || arguments.lengths.iter().all(|length| *length >= TAIL),
        "--lengths {:?}: a discriminator needs clips of at least {TAIL} samples",
        arguments.lengths
    );
    let share = arguments.label_share;
    anyhow::ensure!(share > 0.0 && share <= 1.0, "--label-share {share}: must be above 0 and at most 1");
    anyhow::ensure!(
        !arguments.semi_supervised || share < 1.0 || arguments.unlabelled.is_some(),
        "--semi-supervised with nobody unlabelled; give --unlabelled or a --label-share under 1"
    );
    let (clips, noise) = arguments.data.load()?;
    let settings = TrainSettings {
        folder: arguments.output.clone(),
        learn: LearnSettings {
            size: LifterSize::default(),
            average_decay: arguments.ema_decay,
            discriminator: arguments.discriminator.kind(),
            adversarial_weight: arguments.adversarial_weight,
        },
        batch: BatchSettings {
            samples: arguments.samples,
            lengths: arguments.lengths.clone(),
            semi_supervised: arguments.semi_supervised || arguments.unlabelled.is_some(),
            ..training_draw()
        },
        steps: arguments.steps,
        learning_rate: arguments.learning_rate,
        seed: arguments.seed,
        checkpoint_every: 250,
        validate_every: arguments.validate_every,
    };
    let keypoints_only = match &arguments.unlabelled {
        Some(folder) => mocap::load(folder, &arguments.data.bvh()?)?,
        None => Vec::new(),
    };
    let data =
        TrainData { clips: &clips, label_share: arguments.label_share, keypoints_only: &keypoints_only, noise: &noise };
    train::train(&settings, &data)?;
    Ok(())
}

/// What a checkpoint is validated with.
struct Loaded {
    clips: Vec<mocap::Clip>,
    noise: DetectorNoise,
    network: LifterNetwork,
    state: CheckpointState,
}

impl Loaded {
    fn new(arguments: &ValidateArguments) -> anyhow::Result<Self> {
        let (clips, noise) = arguments.data.load()?;
        let weights = if arguments.raw_weights { Weights::Raw } else { Weights::Averaged };
        let (network, state) = checkpoint::load(&arguments.checkpoint, weights)?;
        Ok(Self { clips, noise, network, state })
    }

    fn validation(&self, scenes_per_clip: usize) -> Validation<'_> {
        Validation {
            network: &self.network,
            image_strides: &self.state.size.image_strides,
            clips: &self.clips,
            noise: &self.noise,
            scenes_per_clip,
        }
    }
}

fn validate(arguments: &ValidateArguments) -> anyhow::Result<()> {
    let loaded = Loaded::new(arguments)?;
    let validation = loaded.validation(arguments.scenes);
    println!("step {}", loaded.state.step);
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
            let of = |clip: &mocap::Clip| clip.is_moving() != standing;
            let score = validation.score(of, &condition);
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

fn export(arguments: &ExportArguments) -> anyhow::Result<()> {
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

fn run_ablation(arguments: &AblateArguments) -> anyhow::Result<()> {
    anyhow::ensure!(arguments.steps > 0 && !arguments.seeds.is_empty(), "--steps and --seeds must not be empty");
    let (clips, noise) = arguments.data.load()?;
    let learn = LearnSettings {
        size: LifterSize::default(),
        average_decay: 0.999,
        discriminator: None,
        adversarial_weight: 0.0,
    };
    let base = TrainSettings {
        folder: PathBuf::new(),
        learn,
        batch: BatchSettings { samples: arguments.samples, lengths: vec![96, 96, 96, 228], ..training_draw() },
        steps: arguments.steps,
        learning_rate: arguments.learning_rate,
        seed: 0,
        checkpoint_every: 250,
        validate_every: 0,
    };
    let settings = AblateSettings {
        folder: arguments.output.clone(),
        base,
        seeds: arguments.seeds.clone(),
        scenes_per_clip: arguments.scenes,
        questions: arguments.only.clone(),
    };
    let data = TrainData { clips: &clips, label_share: 1.0, keypoints_only: &[], noise: &noise };
    let scores = ablate::ablate(&settings, &data)?;
    let command: Vec<String> = std::env::args().skip(1).collect();
    let text = ablate_table::markdown(&settings, &scores, &format!("stridepose-train {}", command.join(" ")))?;
    let path = arguments.table.clone().unwrap_or_else(|| arguments.output.join("TABLE.md"));
    export::write(&path, text.as_bytes())?;
    println!("wrote {}", path.display());
    Ok(())
}

fn draw_curves(arguments: &CurvesArguments) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for folder in &arguments.checkpoint {
        let log = RunLog::read(folder)?;
        if log.damaged_lines > 0 {
            eprintln!("{}: {} lines of the log cannot be read and are left out", folder.display(), log.damaged_lines);
        }
        runs.push((folder.display().to_string(), log));
    }
    curves::write(&runs, &arguments.output)?;
    println!("wrote {}", arguments.output.display());
    Ok(())
}

/// Features of one drawn clip, longer than the widest branch reaches.
fn golden_features(clips: &[mocap::Clip], noise: &DetectorNoise) -> Vec<f32> {
    let settings = BatchSettings { samples: 240, lengths: vec![240], ..training_draw() };
    batch::draw(&Corpus::new(clips, Split::Validation), noise, &settings, 1.0, 7, 0).features
}

/// True movements of a few drawn clips.
fn golden_windows(clips: &[mocap::Clip], noise: &DetectorNoise, kind: DiscriminatorKind) -> Vec<f32> {
    let settings = BatchSettings { samples: 96, lengths: vec![24], ..training_draw() };
    let batch = batch::draw(&Corpus::new(clips, Split::Validation), noise, &settings, 1.0, 8, 0);
    adversary::true_windows(&batch, kind)
}

/// How training clips are drawn, but for their length.
fn training_draw() -> BatchSettings {
    BatchSettings {
        samples: 0,
        lengths: Vec::new(),
        scene: SceneSettings {
            speed: (0.4, 2.5),
            retarget_share: 0.75,
            stamp_jitter: 0.4,
            posture_share: 0.5,
            mirror: true,
        },
        noise: NoiseSettings { scale: (0.3, 1.5), definition_offset: 0.035, strange_scores: 0.4 },
        standing_share: 0.25,
        occlude: true,
        semi_supervised: false,
    }
}
