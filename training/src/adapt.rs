//! Tuning a shipped lifter to somebody's own camera and people, from recordings without 3D truth.
//!
//! A short run from the lifter's weights: half of each batch is motion capture with its truth, the other half the
//! recordings' keypoints ([`crate::semi_supervised`]). The same scenes are measured before and after. When the
//! validation persons got worse on the mean, nothing is written.

use std::path::PathBuf;

use anyhow::Context;
use burn::prelude::*;
use stridepose::stages::window::FEATURE_COUNT;

use crate::adapt_table::{self, Figure};
use crate::batch::{self, BatchSettings, POSE_VALUES};
use crate::calibrate;
use crate::checkpoint::{self, CheckpointState};
use crate::corpus::KeypointsOnly;
use crate::export;
use crate::export_discriminator;
use crate::hardware::Hardware;
use crate::import::{self, ImportedLifter};
use crate::keypoint_sequence::KeypointSequence;
use crate::loss::LossWeights;
use crate::mocap::{Clip, Split};
use crate::model_folder;
use crate::network::{LOOKAHEADS, LifterNetwork, LifterSize, Rows, TemporalNetwork};
use crate::noise::DetectorNoise;
use crate::run_settings::RunSettings;
use crate::semi_supervised::{UnlabelledWeights, unlabelled_loss};
use crate::train::{self, TrainData, TrainSettings};
use crate::trainer::LearnSettings;
use crate::validate::{Condition, Hidden, Validation};

/// Name of the model folder that is written.
const MODEL: &str = "lifter";
/// Samples of a recording that are answered in one go.
const CHUNK: usize = 900;
/// Samples after the start of a chunk that are not measured: the network has seen too little.
const WARM_UP: usize = 15;
/// Decay of the moving average of the weights: short runs have short memories.
const AVERAGE_DECAY: f64 = 0.98;

/// How a lifter is tuned.
#[derive(Clone, Debug)]
pub struct AdaptSettings {
    /// Model folder of the lifter.
    pub lifter: PathBuf,
    /// Folder for the run and the new model.
    pub folder: PathBuf,
    /// How clips are drawn.
    pub batch: BatchSettings,
    /// Steps of the run.
    pub steps: u64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Scenes drawn for each validation clip.
    pub scenes_per_clip: usize,
    /// What computes it.
    pub hardware: Hardware,
}

/// What a lifter is tuned with.
pub struct AdaptData<'a> {
    /// Motion capture of both splits.
    pub clips: &'a [Clip],
    /// The detector whose errors the motion capture gets.
    pub noise: &'a DetectorNoise,
    /// The recordings.
    pub recordings: &'a KeypointsOnly,
    /// What the golden of the new model holds, `[samples, FEATURE_COUNT]`.
    pub golden_features: &'a [f32],
}

/// What came of it.
pub struct Adapted {
    /// Before and after.
    pub figures: Vec<Figure>,
    /// Where the new model lies, or the reason why none was written.
    pub outcome: Result<PathBuf, String>,
}

/// Tunes and measures; writes `lifter` into the folder unless the validation persons got worse.
///
/// # Errors
/// When the folder already holds a model or half a run that was told otherwise, the lifter cannot be read, there is nobody to measure on, or a file cannot be
/// written.
pub fn adapt(settings: &AdaptSettings, data: &AdaptData<'_>) -> anyhow::Result<Adapted> {
    let model = settings.folder.join(MODEL);
    anyhow::ensure!(!model.exists(), "{} exists; choose another folder or remove it", model.display());
    anyhow::ensure!(
        data.clips.iter().any(|clip| clip.split == Split::Validation),
        "no validation clip: whether the lifter got worse could not be told"
    );
    let before = import::lifter(&settings.lifter, &Device::flex())?;
    let (run, run_data) = (train_settings(settings, &before.size), train_data(data));
    make_way(&run, &run_data, &before.sha256)?;
    crate::say!("measuring {}", settings.lifter.display());
    let was = measure(&before.network, &before.size, settings, data);
    let after = train::train(&run, &run_data)?;
    crate::say!("measuring what came of it");
    let is = measure(&after, &before.size, settings, data);
    let figures: Vec<Figure> = was.into_iter().zip(is).map(|(was, is)| Figure { after: is.before, ..was }).collect();
    let outcome = match adapt_table::refusal(&figures) {
        Some(reason) => Err(reason),
        None => write(&after, &before, &figures, settings, data).map(|()| Ok(model))?,
    };
    Ok(Adapted { figures, outcome })
}

/// Refuses to go on with a run that began otherwise; one that is finished makes way for a new one.
fn make_way(settings: &TrainSettings, data: &TrainData<'_>, lifter: &str) -> anyhow::Result<()> {
    let folder = &settings.folder;
    let Some(state) = checkpoint::read_state::<CheckpointState>(folder)? else { return Ok(()) };
    let Some(was) = RunSettings::read(folder)? else {
        anyhow::bail!(
            "{} holds a run of an earlier version, whose settings are not known; remove it, or use another folder",
            folder.display()
        )
    };
    let mut differences = was.differences(&RunSettings::of(settings, data));
    if let Some(from) = state.started_from.as_deref().filter(|from| *from != lifter) {
        differences.push(format!("lifter of sha256 {from}, now {lifter}"));
    }
    if differences.is_empty() {
        return Ok(());
    }
    let (place, step, differences) = (folder.display(), state.step, differences.join("; "));
    anyhow::ensure!(
        was.is_finished(step),
        "{place} holds a run that stopped at step {step} and was told otherwise: {differences}; go on with what it was told, \
         remove it, or use another folder"
    );
    crate::say!(
        "{place}: the run that is finished there was told otherwise ({differences}); a new one takes its place"
    );
    std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {place}"))
}

fn train_settings(settings: &AdaptSettings, size: &LifterSize) -> TrainSettings {
    TrainSettings {
        folder: settings.folder.join("run"),
        learn: LearnSettings {
            size: size.clone(),
            loss: LossWeights::default(),
            is_orthogonalised: true,
            average_decay: AVERAGE_DECAY,
            cycles: 1,
            discriminator: None,
            adversarial_weight: 0.0,
            start_from: Some(settings.lifter.clone()),
        },
        batch: BatchSettings { semi_supervised: true, ..settings.batch.clone() },
        steps: settings.steps,
        learning_rate: settings.learning_rate,
        seed: settings.seed,
        checkpoint_every: 250,
        validate_every: 0,
        hardware: settings.hardware.clone(),
    }
}

fn train_data<'a>(data: &AdaptData<'a>) -> TrainData<'a> {
    TrainData { clips: data.clips, label_share: 1.0, keypoints_only: data.recordings, noise: data.noise }
}

/// Every figure of `network`, in `before`.
fn measure(network: &LifterNetwork, size: &LifterSize, settings: &AdaptSettings, data: &AdaptData<'_>) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut put = |name: String, before: f64, gates: bool| {
        figures.push(Figure { name, before, after: f64::NAN, gates });
    };
    let validation = validation(network, size, settings, data);
    for (persons, is_moving) in [("moving", true), ("standing", false)] {
        for hidden in [Hidden::Share(0.0), Hidden::Share(0.4), Hidden::Gap(15)] {
            let condition = Condition::hiding(hidden);
            let of = |clip: &Clip| clip.is_moving() == is_moving;
            let Some(score) = validation.score(of, &condition) else { continue };
            let what = match hidden {
                Hidden::Share(share) if share > 0.0 => format!("{:.0} % hidden", 100.0 * share),
                Hidden::Share(_) => "nothing hidden".to_owned(),
                Hidden::Gap(samples) => format!("gap of {samples}"),
            };
            put(format!("validation, {persons}, {what}: MPJPE"), score.mpjpe_mm[0], true);
            put(format!("validation, {persons}, {what}: PA-MPJPE"), score.pa_mpjpe_mm, false);
        }
    }
    if let Some(own) = own(network, size, &data.recordings.sequences) {
        put("recordings: reprojection".to_owned(), own.reprojection_mm, false);
        put("recordings: bones off their mean length".to_owned(), own.constancy_mm, false);
        put("recordings: left bones off right ones".to_owned(), own.symmetry_mm, false);
    }
    figures
}

fn validation<'a>(
    network: &'a LifterNetwork,
    size: &'a LifterSize,
    settings: &AdaptSettings,
    data: &AdaptData<'a>,
) -> Validation<'a> {
    Validation { network, size, clips: data.clips, noise: data.noise, scenes_per_clip: settings.scenes_per_clip }
}

/// What can be said of recordings without truth.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "each is in mm")]
pub(crate) struct OwnFigures {
    /// Mean distance between keypoints and projected joints at the person's distance, mm.
    pub reprojection_mm: f64,
    /// Mean distance of bones from their mean length, mm.
    pub constancy_mm: f64,
    /// Mean difference of left bones and right ones, mm.
    pub symmetry_mm: f64,
}

/// Figures of the first head over `sequences`, weighted by length; `None` when nobody is there long enough.
pub(crate) fn own(network: &LifterNetwork, size: &LifterSize, sequences: &[KeypointSequence]) -> Option<OwnFigures> {
    let device = Device::flex();
    let (mut sums, mut all) = ([0.0; 3], 0.0);
    for chunk in sequences.iter().flat_map(|sequence| sequence.samples.chunks(CHUNK)) {
        let (keypoints, step_secs): (Vec<_>, Vec<_>) = chunk.iter().copied().unzip();
        let rows = batch::watch(&keypoints, &step_secs, None);
        let mut values = vec![0.0; rows.len() * LOOKAHEADS.len() * POSE_VALUES];
        let mut weights = vec![0.0; rows.len() * LOOKAHEADS.len()];
        let mut measured = 0.0;
        for (time, (row, keypoints)) in rows.iter().zip(&keypoints).enumerate().skip(WARM_UP) {
            if row.valid && keypoints.iter().any(Option::is_some) {
                let at = time * LOOKAHEADS.len();
                batch::write_keypoints(&row.camera, keypoints, &mut values[at * POSE_VALUES..][..POSE_VALUES]);
                weights[at] = 1.0;
                measured += 1.0;
            }
        }
        if measured == 0.0 {
            continue;
        }
        let tensor = |values: &[f32], width: usize| {
            Tensor::<1>::from_data(TensorData::from(values), &device).reshape([rows.len(), width])
        };
        let features: Vec<f32> = rows.iter().flat_map(|row| row.features).collect();
        let answers = network.valid().forward(tensor(&features, FEATURE_COUNT), size, 1, Rows::All);
        let (values, weights) = (tensor(&values, LOOKAHEADS.len() * POSE_VALUES), tensor(&weights, LOOKAHEADS.len()));
        let loss = unlabelled_loss(&answers, &values, &weights, 1, &UnlabelledWeights::default());
        for (sum, part) in sums.iter_mut().zip([loss.reprojection, loss.constancy, loss.symmetry]) {
            *sum += 1e3 * measured * f64::from(part.into_scalar::<f32>());
        }
        all += measured;
    }
    let [reprojection_mm, constancy_mm, symmetry_mm] = sums.map(|sum| sum / all);
    (all > 0.0).then_some(OwnFigures { reprojection_mm, constancy_mm, symmetry_mm })
}

/// Calibrates and writes the model, whole or not at all.
fn write(
    network: &LifterNetwork,
    before: &ImportedLifter,
    figures: &[Figure],
    settings: &AdaptSettings,
    data: &AdaptData<'_>,
) -> anyhow::Result<()> {
    let calibration = calibrate::calibrate(&validation(network, &before.size, settings, data))?;
    let mut sources: Vec<&str> = data.recordings.sequences.iter().map(|sequence| sequence.source.as_str()).collect();
    sources.dedup();
    let origin = format!(
        "{}; then stridepose-train adapt --steps {} --learning-rate {} --seed {} on {}, from the graph of sha256 {}; {}",
        before.origin,
        settings.steps,
        settings.learning_rate,
        settings.seed,
        sources.join(", "),
        before.sha256,
        adapt_table::mean_line(figures)
    );
    model_folder::replace(&settings.folder.join(MODEL), |folder| {
        export_discriminator::copy(&settings.lifter, folder)?;
        export::export(network, &before.size, &calibration, &origin, data.golden_features, folder)
    })
}

#[cfg(test)]
#[path = "adapt_tests.rs"]
mod tests;
