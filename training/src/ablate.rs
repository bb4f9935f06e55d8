//! What each part of the training is worth: short schedules that differ in one thing, each over several seeds.
//!
//! Every run has a folder, `VARIANT/seed-N`, with its checkpoint, log and `scores.json`. A study that was interrupted
//! goes on where it was: runs with scores are left alone, a run with a checkpoint is taken up again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use stridepose::skeleton::KeypointLayout;

use crate::calibrate;
use crate::discriminator::DiscriminatorKind;
use crate::export;
use crate::fingerprint;
use crate::mocap::Clip;
use crate::network::{LifterNetwork, LifterSize, TemporalNetwork};
use crate::refinement;
use crate::train::{self, TrainData, TrainSettings};
use crate::validate::{Condition, Hidden, Score, Validation};
use crate::video_pose_3d::{self, VideoPose3d};

/// Weight of the discriminator's judgement where it is tried, m.
const ADVERSARIAL_WEIGHT: f32 = 0.01;
/// Share of labels that semi-supervised learning is tried with.
const LABEL_SHARE: f64 = 0.1;
/// The variants that are no multi-stride networks.
const VIDEO_POSE_3D: &str = "videopose3d";
const NARROW_VIDEO_POSE_3D: &str = "videopose3d-narrow";
const SCORES_FILE: &str = "scores.json";
const STUDY_FILE: &str = "study.json";

/// A study.
pub struct AblateSettings {
    /// Folder of the study.
    pub folder: PathBuf,
    /// What every run has in common; its folder and seed are not used.
    pub base: TrainSettings,
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// Scenes drawn for each validation clip.
    pub scenes_per_clip: usize,
    /// Questions to answer, of [`QUESTIONS`].
    pub questions: Vec<String>,
}

/// A table of the study: runs that differ in one thing, and what they are measured by.
pub struct Question {
    /// Name.
    pub name: &'static str,
    /// What is asked.
    pub asks: &'static str,
    /// Name and label of the variants, the one in use first.
    pub variants: &'static [(&'static str, &'static str)],
    /// Columns: conditions by name, and the head that is read.
    pub columns: &'static [(&'static str, usize)],
}

/// All questions.
pub const QUESTIONS: &[Question] = &[
    Question {
        name: "strides",
        asks: "Image strides of the branches at equal numbers of parameters; stride 8 alone has the span of all four.",
        variants: &[("base", "1, 2, 4, 8"), ("strides-1-2", "1, 2"), ("strides-1", "1"), ("strides-8", "8")],
        columns: &[("speed 0.5", 0), ("nothing hidden", 0), ("speed 2", 0), ("40 % hidden", 0), ("gap 20", 0)],
    },
    Question {
        name: "architecture",
        asks: "VideoPose3D's causal network of 243 images on the same data. As it is, 1024 channels, it gets as much arithmetic: so \
               many fewer steps as it has more parameters, which are its multiply-adds an image too; and Adam, as by its \
               authors, for orthogonalising such matrices costs more than their gradient. Narrowed to equal parameters it is \
               trained in the very same way.",
        variants: &[
            ("base", "multi-stride"),
            (VIDEO_POSE_3D, "VideoPose3D"),
            (NARROW_VIDEO_POSE_3D, "VideoPose3D, narrow"),
        ],
        columns: &[
            ("nothing hidden", 0),
            ("nothing hidden", 2),
            ("40 % hidden", 0),
            ("gap 10", 0),
            ("gap 20", 0),
            ("speed 0.5", 0),
            ("speed 2", 0),
            ("COCO", 0),
        ],
    },
    Question {
        name: "discriminator",
        asks: "The discriminator that judges the answers.",
        variants: &[("base", "none"), ("discriminator-spatial", "spatial"), ("discriminator", "spatio-temporal")],
        columns: &[("nothing hidden", 0), ("nothing hidden", 2), ("40 % hidden", 0), ("gap 20", 0)],
    },
    Question {
        name: "loss",
        asks: "Terms of the loss beside position, velocity and likelihood.",
        variants: &[("base", "none"), ("loss-normalised", "N-MPJPE, weight 0.5"), ("loss-bones", "bones, weight 0.2")],
        columns: &[("nothing hidden", 0), ("nothing hidden", 2), ("40 % hidden", 0), ("gap 20", 0)],
    },
    Question {
        name: "occlusion",
        asks: "Keypoints hidden in training. Gaps are images in a row without a keypoint, scored at their end.",
        variants: &[("base", "on"), ("occlusion-off", "off")],
        columns: &[
            ("nothing hidden", 0),
            ("20 % hidden", 0),
            ("40 % hidden", 0),
            ("60 % hidden", 0),
            ("gap 5", 0),
            ("gap 10", 0),
            ("gap 20", 0),
            ("gap 30", 0),
        ],
    },
    Question {
        name: "semi-supervised",
        asks: "People without labels, where the persons of 10 % of the poses have labels.",
        variants: &[
            ("semi-off", "not used"),
            ("semi", "reprojection and bones"),
            ("semi-discriminator", "the same and spatio-temporal discriminator"),
        ],
        columns: &[("nothing hidden", 0), ("nothing hidden", 2), ("40 % hidden", 0), ("speed 2", 0)],
    },
    Question {
        name: "look-ahead",
        asks: "Images that the answer waits for: 0, 4, 12; that of 12 with hindsight or from the head alone.",
        variants: &[("base", "hindsight"), ("hindsight-off", "head alone")],
        columns: &[
            ("nothing hidden", 0),
            ("nothing hidden", 1),
            ("nothing hidden", 2),
            ("40 % hidden", 0),
            ("40 % hidden", 1),
            ("40 % hidden", 2),
        ],
    },
    Question {
        name: "refinement",
        asks: "The pipeline's refinement of the answers, image by image, with the root that it finds itself.",
        variants: &[("base", "as trained")],
        columns: &[
            ("nothing hidden, refinement off", 0),
            ("nothing hidden, unweighted", 0),
            ("nothing hidden, by confidence", 0),
            ("40 % hidden, refinement off", 0),
            ("40 % hidden, unweighted", 0),
            ("40 % hidden, by confidence", 0),
        ],
    },
    Question {
        name: "layouts",
        asks: "Joints that the detector has.",
        variants: &[("base", "as trained")],
        columns: &[("nothing hidden", 0), ("COCO", 0), ("BlazePose", 0)],
    },
];

/// What every run is measured under, by the name that [`QUESTIONS`] use.
fn conditions() -> Vec<(&'static str, Condition)> {
    let of = Condition::hiding;
    let none = of(Hidden::Share(0.0));
    vec![
        ("nothing hidden", none),
        ("speed 0.5", Condition { speed: 0.5, ..none }),
        ("speed 2", Condition { speed: 2.0, ..none }),
        ("20 % hidden", of(Hidden::Share(0.2))),
        ("40 % hidden", of(Hidden::Share(0.4))),
        ("60 % hidden", of(Hidden::Share(0.6))),
        ("gap 5", of(Hidden::Gap(5))),
        ("gap 10", of(Hidden::Gap(10))),
        ("gap 20", of(Hidden::Gap(20))),
        ("gap 30", of(Hidden::Gap(30))),
        ("COCO", Condition { layout: KeypointLayout::Coco17, ..none }),
        ("BlazePose", Condition { layout: KeypointLayout::BlazePose33, ..none }),
    ]
}

/// Conditions under which the refinement is measured too.
const REFINED: [&str; 2] = ["nothing hidden", "40 % hidden"];

/// What one run scored, by condition.
pub type RunScores = BTreeMap<String, Score>;

/// What all runs of a study must have in common for their figures to be compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Study {
    steps: u64,
    samples: usize,
    lengths: Vec<usize>,
    learning_rate: f64,
    scenes_per_clip: usize,
    size: LifterSize,
    /// Fingerprints of motion capture and noise; absent in studies of earlier versions.
    #[serde(default)]
    data: Option<String>,
}

/// Runs what is missing.
///
/// # Errors
/// When a question is unknown, a seed is given twice, nobody can be measured, the folder holds another study, or a run fails;
/// what is done stays done.
pub fn ablate(settings: &AblateSettings, data: &TrainData<'_>) -> anyhow::Result<()> {
    check_study(settings, data)?;
    anyhow::ensure!(
        data.clips.iter().any(Clip::is_measured),
        "no validation person moves: a study has figures of moving persons alone, so that there is nothing to measure"
    );
    for variant in variants(settings)? {
        for &seed in &settings.seeds {
            run(settings, data, variant, seed)?;
        }
    }
    Ok(())
}

/// The scores of the runs that are done, by variant, in the order of the seeds.
///
/// # Errors
/// When a question is unknown, the folder holds another study, or scores cannot be read.
pub fn done(settings: &AblateSettings, data: &TrainData<'_>) -> anyhow::Result<BTreeMap<&'static str, Vec<RunScores>>> {
    check_study(settings, data)?;
    let of_variant = |variant: &'static str| -> anyhow::Result<_> {
        let paths = settings.seeds.iter().map(|seed| run_folder(settings, variant, *seed).join(SCORES_FILE));
        let scores: anyhow::Result<Vec<RunScores>> =
            paths.filter(|path| path.exists()).map(|path| read_json(&path)).collect();
        Ok((variant, scores?))
    };
    variants(settings)?.into_iter().map(of_variant).collect()
}

/// The variants that the questions compare, each once.
fn variants(settings: &AblateSettings) -> anyhow::Result<Vec<&'static str>> {
    let mut variants = Vec::new();
    for (variant, _) in chosen(&settings.questions)?.into_iter().flat_map(|question| question.variants) {
        if !variants.contains(variant) {
            variants.push(*variant);
        }
    }
    Ok(variants)
}

fn run_folder(settings: &AblateSettings, variant: &str, seed: u64) -> PathBuf {
    settings.folder.join(variant).join(format!("seed-{seed}"))
}

/// The questions called `names`; all of them for no name.
///
/// # Errors
/// When there is no such question.
pub fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Question>> {
    if names.is_empty() {
        return Ok(QUESTIONS.iter().collect());
    }
    let find = |name: &String| {
        QUESTIONS.iter().find(|question| question.name == name).with_context(|| {
            let known: Vec<&str> = QUESTIONS.iter().map(|question| question.name).collect();
            format!("no question \"{name}\"; there are {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

fn check_study(settings: &AblateSettings, data: &TrainData<'_>) -> anyhow::Result<()> {
    let unlike: BTreeSet<u64> = settings.seeds.iter().copied().collect();
    anyhow::ensure!(
        unlike.len() == settings.seeds.len() && !unlike.is_empty(),
        "seeds {:?}: give one at least, and each once; the same run twice has no spread",
        settings.seeds
    );
    let study = Study {
        steps: settings.base.steps,
        samples: settings.base.batch.samples,
        lengths: settings.base.batch.lengths.clone(),
        learning_rate: settings.base.learning_rate,
        scenes_per_clip: settings.scenes_per_clip,
        size: settings.base.learn.size.clone(),
        data: Some(format!("{} {}", fingerprint::of_clips(data.clips), fingerprint::of_noise(data.noise))),
    };
    std::fs::create_dir_all(&settings.folder)
        .with_context(|| format!("cannot create {}", settings.folder.display()))?;
    let path = settings.folder.join(STUDY_FILE);
    let write = || export::write(&path, serde_json::to_string(&study)?.as_bytes());
    if !path.exists() {
        return write();
    }
    let existing: Study = read_json(&path)?;
    let is_unnoted = existing.data.is_none();
    let existing = Study { data: existing.data.or_else(|| study.data.clone()), ..existing };
    anyhow::ensure!(
        existing == study,
        "{} holds a study with {existing:?}, asked for is {study:?} (data: fingerprints of motion capture and noise); use another \
         folder",
        settings.folder.display()
    );
    if is_unnoted {
        crate::say!(
            "{}: an earlier version did not note which motion capture and noise the study has; taken to be those given now",
            settings.folder.display()
        );
        write()?;
    }
    Ok(())
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// Does one run, unless it is done.
fn run(settings: &AblateSettings, data: &TrainData<'_>, variant: &str, seed: u64) -> anyhow::Result<()> {
    let folder = run_folder(settings, variant, seed);
    let path = folder.join(SCORES_FILE);
    if path.exists() {
        return Ok(());
    }
    crate::say!("{variant}, seed {seed}");
    let (train_settings, label_share) = varied(&settings.base, variant)?;
    let train_settings = TrainSettings { folder, seed, ..train_settings };
    let data = TrainData { label_share, ..*data };
    let scores = match variant {
        VIDEO_POSE_3D | NARROW_VIDEO_POSE_3D => {
            trained::<VideoPose3d>(&train_settings, &data, settings.scenes_per_clip)?
        }
        _ => trained::<LifterNetwork>(&train_settings, &data, settings.scenes_per_clip)?,
    };
    export::write(&path, serde_json::to_string(&scores)?.as_bytes())
}

/// Trains a network and scores it.
fn trained<N: TemporalNetwork>(
    settings: &TrainSettings,
    data: &TrainData<'_>,
    scenes_per_clip: usize,
) -> anyhow::Result<RunScores> {
    let network: N = train::train(settings, data)?;
    let size = &settings.learn.size;
    let validation = Validation { network: &network, size, clips: data.clips, noise: data.noise, scenes_per_clip };
    let mut scores: RunScores = conditions()
        .into_iter()
        .filter_map(|(name, condition)| Some((name.to_owned(), validation.score(Clip::is_moving, &condition)?)))
        .collect();
    scores.extend(refined(&validation)?);
    Ok(scores)
}

/// Scores of the refined answers, by what [`QUESTIONS`] call them.
fn refined<N: TemporalNetwork>(validation: &Validation<'_, N>) -> anyhow::Result<RunScores> {
    let calibration = calibrate::calibrate(validation)?;
    let mut scores = RunScores::new();
    for (name, condition) in conditions().into_iter().filter(|(name, _)| REFINED.contains(name)) {
        let study = refinement::study(validation, Clip::is_moving, &condition, &calibration[0]);
        let named = refinement::MODES.iter().zip(study.scores);
        scores.extend(named.map(|((_, mode), score)| (refined_name(name, mode), score)));
    }
    Ok(scores)
}

fn refined_name(condition: &str, mode: &str) -> String {
    let off = if mode == "off" { "refinement " } else { "" };
    format!("{condition}, {off}{mode}")
}

/// The settings of `variant` and its share of labels.
fn varied(base: &TrainSettings, variant: &str) -> anyhow::Result<(TrainSettings, f64)> {
    let mut settings = base.clone();
    let mut label_share = 1.0;
    let strides = |image_strides: &[usize]| with_equal_parameters(&base.learn.size, image_strides);
    match variant {
        "base" => {}
        "strides-1" => settings.learn.size = strides(&[1]),
        "strides-8" => settings.learn.size = strides(&[8]),
        "strides-1-2" => settings.learn.size = strides(&[1, 2]),
        "discriminator-spatial" => settings.learn.discriminator = Some(DiscriminatorKind::Spatial),
        "discriminator" | "semi-discriminator" => {
            settings.learn.discriminator = Some(DiscriminatorKind::SpatioTemporal);
        }
        VIDEO_POSE_3D => {
            // As much arithmetic as the others, not as many steps.
            settings.learn.size.branch = video_pose_3d::CHANNELS;
            settings.learn.is_orthogonalised = false;
            let ratio = base.learn.size.parameters() as f64 / VideoPose3d::parameters(video_pose_3d::CHANNELS) as f64;
            settings.steps = ((base.steps as f64 * ratio).round() as u64).max(1);
        }
        NARROW_VIDEO_POSE_3D => {
            let parameters = base.learn.size.parameters();
            let fits = |channels: &usize| VideoPose3d::parameters(*channels) <= parameters;
            settings.learn.size.branch = (1..video_pose_3d::CHANNELS).take_while(fits).last().unwrap_or(1);
        }
        "loss-normalised" => settings.learn.loss.normalised = 0.5,
        "loss-bones" => settings.learn.loss.bones = 0.2,
        "hindsight-off" => settings.learn.size.hindsight = 0,
        "occlusion-off" => settings.batch.occluded_share = 0.0,
        "semi-off" | "semi" => {}
        _ => anyhow::bail!("no variant \"{variant}\""),
    }
    if settings.learn.discriminator.is_some() {
        settings.learn.adversarial_weight = ADVERSARIAL_WEIGHT;
    }
    if variant.starts_with("semi") {
        label_share = LABEL_SHARE;
        settings.batch.semi_supervised = variant != "semi-off";
    }
    Ok((settings, label_share))
}

/// Numbers that the network of `variant` learns; 0 for no variant.
pub(crate) fn parameters_of(base: &TrainSettings, variant: &str) -> usize {
    match variant {
        VIDEO_POSE_3D | NARROW_VIDEO_POSE_3D => {
            varied(base, variant).map_or(0, |(settings, _)| VideoPose3d::parameters(settings.learn.size.branch))
        }
        _ => varied(base, variant).map_or(0, |(settings, _)| settings.learn.size.parameters()),
    }
}

/// The size with other image strides whose number of parameters is nearest to that of `size`.
fn with_equal_parameters(size: &LifterSize, image_strides: &[usize]) -> LifterSize {
    let of = |branch: usize| LifterSize { image_strides: image_strides.to_vec(), branch, ..size.clone() };
    let wanted = size.parameters();
    let (mut low, mut high) = (1, 64 * size.branch);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if of(middle).parameters() <= wanted { low = middle } else { high = middle }
    }
    let off = |branch: &usize| of(*branch).parameters().abs_diff(wanted);
    of(if off(&low) <= off(&high) { low } else { high })
}

#[cfg(test)]
#[path = "ablate_tests.rs"]
mod tests;
