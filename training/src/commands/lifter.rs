//! `stridepose-train lifter`.

use std::path::PathBuf;

use stridepose_train::adversary::TAIL;
use stridepose_train::bag_keypoints;
use stridepose_train::batch::{BatchSettings, PAIR_PERIOD};
use stridepose_train::corpus::KeypointsOnly;
use stridepose_train::discriminator::DiscriminatorKind;
use stridepose_train::loss::LossWeights;
use stridepose_train::network::{LifterNetwork, LifterSize};
use stridepose_train::noise::NoiseSettings;
use stridepose_train::scene::SceneSettings;
use stridepose_train::train::{self, TrainData, TrainSettings};
use stridepose_train::trainer::LearnSettings;

use super::data::DataArguments;
use super::hardware::HardwareArguments;
use super::{training_draw, values};

#[derive(clap::Args)]
pub struct LifterArguments {
    /// What the scenes are drawn from.
    #[command(flatten)]
    data: DataArguments,
    /// Folder for checkpoints and the log.
    #[arg(long, short)]
    output: PathBuf,
    /// Steps of the whole schedule.
    #[arg(long, default_value_t = 10_000, value_parser = values::at_least_one::<u64>)]
    steps: u64,
    /// Samples a batch (30 a second).
    #[arg(long, default_value_t = 3072, value_parser = values::at_least_one::<usize>)]
    samples: usize,
    /// Samples a clip, cycled through from step to step, multiples of 6, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "96,96,96,228", value_name = "SAMPLES,...")]
    lengths: Vec<usize>,
    /// Peak learning rate.
    #[arg(long, default_value_t = 2e-3, value_parser = values::positive)]
    learning_rate: f64,
    /// Residuals after the branches are fused, each 0.3 M parameters; weights to start from may have fewer.
    #[arg(long, default_value_t = LifterSize::default().fuse_residuals)]
    fuse_residuals: usize,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Steps between measurements on the validation persons (moving, nothing hidden); 0 for none.
    #[arg(long, default_value_t = 1000)]
    validate_every: u64,
    /// What computes it; what is learnt does not depend on the number of threads.
    #[command(flatten)]
    hardware: HardwareArguments,
    /// Decay of the exponential moving average of the weights; 0 turns it off.
    #[arg(long, default_value_t = 0.999)]
    ema_decay: f64,
    /// How many times the learning rate goes from its peak to zero. With more than one, the even mean of the weights at the ends of
    /// the cycles is what is measured and exported.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    cycles: u64,
    /// Share of clips of people who mostly stand, where there are any.
    #[arg(long, default_value_t = training_draw().standing_share)]
    standing_share: f64,
    /// Share of clips whose postures are changed beyond what was recorded.
    #[arg(long, default_value_t = training_draw().scene.posture_share)]
    posture_share: f64,
    /// Share of clips that have the trunk or the arms of another clip.
    #[arg(long, default_value_t = training_draw().scene.recombined_share)]
    recombined_share: f64,
    /// Share of clips whose person gets another body than the recorded one.
    #[arg(long, default_value_t = training_draw().scene.retarget_share)]
    retarget_share: f64,
    /// Share of these bodies that are built much like another recorded person; the others are as adults are.
    #[arg(long, default_value_t = training_draw().scene.recorded_body_share)]
    recorded_body_share: f64,
    /// Share of clips in which keypoints are hidden.
    #[arg(long, default_value_t = training_draw().occluded_share)]
    occluded_share: f64,
    /// Share of clips in which it is known where down is.
    #[arg(long, default_value_t = training_draw().gravity_share)]
    gravity_share: f64,
    /// Share of clips whose 2D detector differs from the one of --noise: where in the body it has its joints, how long its
    /// errors last, what it does to whole limbs.
    #[arg(long, default_value_t = training_draw().noise.variety_share)]
    other_detectors_share: f64,
    /// Discriminator to train beside the lifter.
    #[arg(long, value_enum, default_value_t = DiscriminatorChoice::None)]
    discriminator: DiscriminatorChoice,
    /// Weight of the discriminator's judgement in the lifter's loss, m; 0 trains the discriminator alone.
    #[arg(long, default_value_t = 0.0)]
    adversarial_weight: f32,
    /// Weight of the position error at the size that fits best (N-MPJPE).
    #[arg(long, default_value_t = 0.0)]
    normalised_weight: f32,
    /// Weight of bones that change their length and of sides that differ.
    #[arg(long, default_value_t = 0.0)]
    bone_weight: f32,
    /// Share of the training poses whose persons keep their 3D labels; the others give keypoints alone.
    #[arg(long, default_value_t = 1.0)]
    label_share: f64,
    /// Learn from those without labels as well: half of each batch, by reprojection and by what bones do.
    #[arg(long)]
    semi_supervised: bool,
    /// Model folder whose weights a new run starts from instead of drawn ones, e.g. models/lifter; a run that is taken up
    /// again goes on from its checkpoint.
    #[arg(long)]
    start_from: Option<PathBuf>,
    /// Bags with keypoints, or folders with more motion capture of which the keypoints alone are used.
    #[arg(long, num_args = 1..)]
    unlabelled: Vec<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DiscriminatorChoice {
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

/// Trains a lifter.
pub fn lifter(arguments: &LifterArguments) -> anyhow::Result<()> {
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
    for (name, weight) in
        [("--normalised-weight", arguments.normalised_weight), ("--bone-weight", arguments.bone_weight)]
    {
        anyhow::ensure!(weight >= 0.0 && weight.is_finite(), "{name} {weight}: must be at least 0");
    }
    for (name, share) in [
        ("--standing-share", arguments.standing_share),
        ("--posture-share", arguments.posture_share),
        ("--recombined-share", arguments.recombined_share),
        ("--retarget-share", arguments.retarget_share),
        ("--recorded-body-share", arguments.recorded_body_share),
        ("--occluded-share", arguments.occluded_share),
        ("--gravity-share", arguments.gravity_share),
        ("--other-detectors-share", arguments.other_detectors_share),
    ] {
        anyhow::ensure!((0.0..=1.0).contains(&share), "{name} {share}: must be from 0 to 1");
    }
    let share = arguments.label_share;
    anyhow::ensure!(share > 0.0 && share <= 1.0, "--label-share {share}: must be above 0 and at most 1");
    anyhow::ensure!(
        !arguments.semi_supervised || share < 1.0 || !arguments.unlabelled.is_empty(),
        "--semi-supervised with nobody unlabelled; give --unlabelled or a --label-share under 1"
    );
    let (clips, noise) = arguments.data.load()?;
    let settings = TrainSettings {
        folder: arguments.output.clone(),
        learn: LearnSettings {
            size: LifterSize { fuse_residuals: arguments.fuse_residuals, ..LifterSize::default() },
            loss: LossWeights {
                normalised: arguments.normalised_weight,
                bones: arguments.bone_weight,
                ..LossWeights::default()
            },
            is_orthogonalised: true,
            average_decay: arguments.ema_decay,
            cycles: arguments.cycles,
            discriminator: arguments.discriminator.kind(),
            adversarial_weight: arguments.adversarial_weight,
            start_from: arguments.start_from.clone(),
        },
        batch: BatchSettings {
            samples: arguments.samples,
            lengths: arguments.lengths.clone(),
            semi_supervised: arguments.semi_supervised || !arguments.unlabelled.is_empty(),
            standing_share: arguments.standing_share,
            scene: SceneSettings {
                posture_share: arguments.posture_share,
                recombined_share: arguments.recombined_share,
                retarget_share: arguments.retarget_share,
                recorded_body_share: arguments.recorded_body_share,
                ..training_draw().scene
            },
            occluded_share: arguments.occluded_share,
            gravity_share: arguments.gravity_share,
            noise: NoiseSettings { variety_share: arguments.other_detectors_share, ..training_draw().noise },
        },
        steps: arguments.steps,
        learning_rate: arguments.learning_rate,
        seed: arguments.seed,
        checkpoint_every: 250,
        validate_every: arguments.validate_every,
        hardware: arguments.hardware.choose()?,
    };
    let keypoints_only = keypoints_only(arguments)?;
    let data =
        TrainData { clips: &clips, label_share: arguments.label_share, keypoints_only: &keypoints_only, noise: &noise };
    train::train::<LifterNetwork>(&settings, &data)?;
    Ok(())
}

fn keypoints_only(arguments: &LifterArguments) -> anyhow::Result<KeypointsOnly> {
    let mut keypoints_only = KeypointsOnly::default();
    for path in &arguments.unlabelled {
        // A rosbag2 folder has its metadata.yaml; other folders hold motion capture.
        if path.is_dir() && !path.join("metadata.yaml").exists() {
            keypoints_only.clips.extend(arguments.data.mocap.load_any_split(path)?);
        } else {
            let bag = bag_keypoints::read(path)?;
            bag.warnings.iter().for_each(|warning| eprintln!("{warning}"));
            stridepose_train::say!("{}: {} people without labels", path.display(), bag.sequences.len());
            keypoints_only.sequences.extend(bag.sequences);
        }
    }
    Ok(keypoints_only)
}
