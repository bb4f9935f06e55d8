//! Drawn scenes as tensors, through the very `window` stage that the pipeline uses.
//!
//! Rows are time-major: row `t * batch + clip`. Loss rows are pairs of neighbouring samples, one pair in
//! every [`PAIR_PERIOD`] samples: neighbours differ too little for each of them to be worth the arithmetic of
//! the head, and a pair is what the velocity loss needs.

use std::ops::Range;

use nalgebra::{Rotation3, UnitVector3, Vector3};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use stridepose::data::Attitude;
use stridepose::geometry::VirtualCamera;
use stridepose::skeleton::{JointArray, KeypointLayout};
pub use stridepose::stages::plausibility::kinematic_chain::POSE_VALUES;
use stridepose::stages::window::{self, BodyMemory, FEATURE_COUNT, KeypointsOnPlane, Sample, SampleKind};

use crate::adversary::TAIL;
use crate::corpus::Corpus;
use crate::network::LOOKAHEADS;
use crate::noise::{self, DetectorNoise, NoiseSettings};
use crate::occlusion;
use crate::scene::{self, Scene, SceneSettings};

/// One pair of loss rows in this many samples.
pub const PAIR_PERIOD: usize = 6;

/// One batch: features of every sample, targets of the loss rows.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Clips.
    pub clips: usize,
    /// Samples a clip.
    pub length: usize,
    /// `[length * clips, FEATURE_COUNT]`.
    pub features: Vec<f32>,
    /// `[loss rows * clips, LOOKAHEADS, POSE_VALUES]`: root-relative joints in the virtual camera, m.
    pub targets: Vec<f32>,
    /// `[loss rows * clips, LOOKAHEADS]`: 1 where the target exists, 0 before the clip's start.
    pub weights: Vec<f32>,
    /// `[TAIL * clips, POSE_VALUES]`: root-relative joints at the last [`TAIL`] samples, m.
    pub tail_targets: Vec<f32>,
    /// Clips whose 3D truth may be used: the first of them all. The others have keypoints alone.
    pub labelled: usize,
    /// `[loss rows * clips, LOOKAHEADS, POSE_VALUES]`: x, y on the z = 1 plane of the virtual camera and score of each
    /// joint as detected, before any was hidden; empty where every clip is labelled.
    pub keypoints: Vec<f32>,
    /// `[loss rows * clips, LOOKAHEADS]`: 1 where the keypoints of an unlabelled clip exist; empty likewise.
    pub keypoint_weights: Vec<f32>,
}

impl Batch {
    /// Loss rows of each clip.
    pub fn loss_rows(&self) -> usize {
        self.length / PAIR_PERIOD * 2
    }
}

/// Everything a clip is drawn with.
#[derive(Clone, Debug)]
pub struct BatchSettings {
    /// Samples a batch, about.
    pub samples: usize,
    /// Samples a clip, cycled through from step to step; each a multiple of [`PAIR_PERIOD`]. Short clips give
    /// many people a batch, long ones reach as far back as the widest branch does.
    pub lengths: Vec<usize>,
    /// Motion and camera.
    pub scene: SceneSettings,
    /// Detector.
    pub noise: NoiseSettings,
    /// Share of clips of people who mostly stand (`reactidle`).
    pub standing_share: f64,
    /// Share of clips in which keypoints are hidden (explicit occlusion training). Joints that a layout lacks are always hidden.
    pub occluded_share: f64,
    /// Share of clips in which it is known where down is.
    pub gravity_share: f64,
    /// Whether half of the clips are drawn from persons without labels, where there are any.
    pub semi_supervised: bool,
}

impl BatchSettings {
    /// Samples of each clip of batch number `step`.
    fn length(&self, step: u64) -> usize {
        self.lengths[step as usize % self.lengths.len()]
    }

    /// Clips of batch number `step`.
    fn clips(&self, step: u64) -> usize {
        (self.samples / self.length(step)).max(1)
    }

    /// The clips of batch number `step` in parts of about `part_samples`.
    pub(crate) fn parts(&self, step: u64, part_samples: usize) -> Vec<Range<usize>> {
        let clips = self.clips(step);
        let parts = (clips * self.length(step)).div_ceil(part_samples).min(clips);
        (0..parts).map(|part| clips * part / parts..clips * (part + 1) / parts).collect()
    }
}

/// Draws batch number `step` of the run with `seed`: the same numbers whenever it is asked for.
pub fn draw(
    corpus: &Corpus<'_>,
    noise: &DetectorNoise,
    settings: &BatchSettings,
    severity: f64,
    seed: u64,
    step: u64,
) -> Batch {
    draw_part(&Draw { corpus, noise, settings, severity, seed, step }, 0..settings.clips(step))
}

/// What a batch is drawn from and by.
#[derive(Clone, Copy)]
pub(crate) struct Draw<'a> {
    pub corpus: &'a Corpus<'a>,
    pub noise: &'a DetectorNoise,
    pub settings: &'a BatchSettings,
    /// Of occlusions, from 0 to 1.
    pub severity: f64,
    pub seed: u64,
    pub step: u64,
}

/// Draws the clips `of_batch` of a batch. Each clip is the same whatever others are drawn with it, but that the second half
/// of each part is that without labels, where such are drawn.
pub(crate) fn draw_part(draw: &Draw<'_>, of_batch: Range<usize>) -> Batch {
    let Draw { corpus, noise, settings, severity, seed, step } = *draw;
    let length = settings.length(step);
    let clips = of_batch.len();
    let loss_rows = length / PAIR_PERIOD * 2;
    let unlabelled = corpus.unlabelled.as_ref().filter(|_| settings.semi_supervised);
    let labelled = if unlabelled.is_some() { clips.div_ceil(2) } else { clips };
    let rows_with_keypoints = if unlabelled.is_some() { loss_rows * clips * LOOKAHEADS.len() } else { 0 };
    let mut batch = Batch {
        clips,
        length,
        features: vec![0.0; length * clips * FEATURE_COUNT],
        targets: vec![0.0; loss_rows * clips * LOOKAHEADS.len() * POSE_VALUES],
        weights: vec![0.0; loss_rows * clips * LOOKAHEADS.len()],
        tail_targets: vec![0.0; TAIL.min(length) * clips * POSE_VALUES],
        labelled,
        keypoints: vec![0.0; rows_with_keypoints * POSE_VALUES],
        keypoint_weights: vec![0.0; rows_with_keypoints],
    };
    let draw_clip = |clip: usize| {
        let of_clip = (of_batch.start + clip) as u64;
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ step.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (of_clip << 48));
        let hide = |detected: &[KeypointsOnPlane], rng: &mut ChaCha8Rng| {
            let mut seen = detected.to_vec();
            if rng.random_bool(settings.occluded_share) {
                occlusion::occlude(&mut seen, severity, rng);
            }
            seen
        };
        match unlabelled {
            Some(unlabelled) if clip >= labelled => {
                let (detected, step_secs) = unlabelled.draw(length, noise, settings, &mut rng);
                DrawnClip::Unlabelled { rows: watch(&hide(&detected, &mut rng), &step_secs, None), detected }
            }
            _ => {
                let cast = corpus.draw_cast(settings, &mut rng);
                let scene = scene::draw(&cast, length, &settings.scene, &mut rng);
                let detected = detect(&scene, noise, settings, &mut rng);
                let seen = hide(&detected, &mut rng);
                let gravity = rng.random_bool(settings.gravity_share).then(|| scene.known_gravity(&mut rng));
                DrawnClip::Labelled(observe(&scene, &seen, gravity.as_deref()))
            }
        }
    };
    let drawn: Vec<DrawnClip> = (0..clips).into_par_iter().map(draw_clip).collect();
    for (clip, drawn) in drawn.iter().enumerate() {
        match drawn {
            DrawnClip::Labelled(rows) => {
                write_features(&mut batch, clip, rows.iter().map(|row| &row.seen));
                write_targets(&mut batch, clip, rows);
            }
            DrawnClip::Unlabelled { rows, detected } => {
                write_features(&mut batch, clip, rows.iter());
                write_keypoint_targets(&mut batch, clip, rows, detected);
            }
        }
    }
    batch
}

/// One clip of a batch.
enum DrawnClip {
    Labelled(Vec<ObservedRow>),
    Unlabelled { rows: Vec<SeenRow>, detected: Vec<KeypointsOnPlane> },
}

/// What a drawn detector with a drawn layout reports of `scene`.
pub(crate) fn detect(
    scene: &Scene,
    noise: &DetectorNoise,
    settings: &BatchSettings,
    rng: &mut impl Rng,
) -> Vec<KeypointsOnPlane> {
    let mut detected = noise::detect(scene, noise, &settings.noise, rng);
    occlusion::mask_layout(&mut detected, draw_layout(rng));
    detected
}

fn draw_layout(rng: &mut impl Rng) -> KeypointLayout {
    match rng.random_range(0..20) {
        0..5 => KeypointLayout::H36m17,
        5..8 => KeypointLayout::Halpe26,
        _ => KeypointLayout::Coco17,
    }
}

/// One sample as the network meets it.
pub struct SeenRow {
    /// Input of the network.
    pub features: [f32; FEATURE_COUNT],
    /// The person's virtual camera.
    pub camera: VirtualCamera,
    /// Whether the person was ever seen up to this sample.
    pub valid: bool,
}

/// One sample with its truth.
pub struct ObservedRow {
    /// What the network meets.
    pub seen: SeenRow,
    /// What it is to answer: root-relative joints in the virtual camera, m.
    pub target: JointArray<Vector3<f64>>,
}

/// Runs the pipeline's `window` stage over keypoints, `step_secs` apart, with the direction of gravity in the camera where it
/// is known.
pub fn watch(keypoints: &[KeypointsOnPlane], step_secs: &[f64], gravity: Option<&[UnitVector3<f64>]>) -> Vec<SeenRow> {
    let mut memory = BodyMemory::default();
    let nowhere = VirtualCamera::looking_at(nalgebra::Point2::origin(), 0.2, &Rotation3::identity());
    keypoints
        .iter()
        .zip(step_secs)
        .enumerate()
        .map(|(time, (keypoints, step_secs))| {
            let attitude = Attitude::new(gravity.map(|gravity| gravity[time]), 0.0);
            let sample = Sample { keypoints: *keypoints, attitude, step_secs: *step_secs, kind: SampleKind::Keep };
            let camera = memory.update(&sample);
            let mut features = [0.0; FEATURE_COUNT];
            if let Some(camera) = &camera {
                window::write_features(&memory, camera, &sample, &mut features);
            }
            SeenRow { features, camera: camera.unwrap_or(nowhere), valid: camera.is_some() }
        })
        .collect()
}

/// The same over a scene, of which the truth is known.
pub fn observe(
    scene: &Scene,
    keypoints: &[KeypointsOnPlane],
    gravity: Option<&[UnitVector3<f64>]>,
) -> Vec<ObservedRow> {
    watch(keypoints, &scene.step_secs, gravity)
        .into_iter()
        .zip(&scene.joints_in_camera)
        .map(|(seen, joints)| {
            let rotation = seen.camera.virtual_from_camera();
            ObservedRow { target: scene::from_root(joints).map(|joint| rotation * joint), seen }
        })
        .collect()
}

fn write_features<'a>(batch: &mut Batch, clip: usize, rows: impl Iterator<Item = &'a SeenRow>) {
    for (time, row) in rows.enumerate() {
        let at = (time * batch.clips + clip) * FEATURE_COUNT;
        batch.features[at..at + FEATURE_COUNT].copy_from_slice(&row.features);
    }
}

fn write_targets(batch: &mut Batch, clip: usize, rows: &[ObservedRow]) {
    for (loss_row, time) in loss_times(batch.length).enumerate() {
        for (head, lookahead) in LOOKAHEADS.into_iter().enumerate() {
            let Some(row) = time.checked_sub(lookahead).map(|time| &rows[time]).filter(|row| row.seen.valid) else {
                continue;
            };
            let at = (loss_row * batch.clips + clip) * LOOKAHEADS.len() + head;
            batch.weights[at] = 1.0;
            write_pose(&row.target, &mut batch.targets[at * POSE_VALUES..(at + 1) * POSE_VALUES]);
        }
    }
    for (tail_row, row) in rows[batch.length.saturating_sub(TAIL)..].iter().enumerate() {
        let at = (tail_row * batch.clips + clip) * POSE_VALUES;
        write_pose(&row.target, &mut batch.tail_targets[at..at + POSE_VALUES]);
    }
}

/// Keypoints in the place of a truth.
fn write_keypoint_targets(batch: &mut Batch, clip: usize, rows: &[SeenRow], detected: &[KeypointsOnPlane]) {
    for (loss_row, time) in loss_times(batch.length).enumerate() {
        for (head, lookahead) in LOOKAHEADS.into_iter().enumerate() {
            let Some(time) = time.checked_sub(lookahead).filter(|time| rows[*time].valid) else { continue };
            let at = (loss_row * batch.clips + clip) * LOOKAHEADS.len() + head;
            batch.keypoint_weights[at] = 1.0;
            let values = &mut batch.keypoints[at * POSE_VALUES..(at + 1) * POSE_VALUES];
            write_keypoints(&rows[time].camera, &detected[time], values);
        }
    }
}

/// x and y on the z = 1 plane of `camera`, and the score of each keypoint that is seen.
pub(crate) fn write_keypoints(camera: &VirtualCamera, keypoints: &KeypointsOnPlane, values: &mut [f32]) {
    for (values, keypoint) in values.chunks_exact_mut(3).zip(keypoints) {
        let seen = keypoint.and_then(|keypoint| Some((camera.to_virtual(keypoint.point)?, keypoint.score)));
        if let Some((point, score)) = seen {
            let point = point * camera.size();
            values.copy_from_slice(&[point.x as f32, point.y as f32, score as f32]);
        }
    }
}

fn write_pose(pose: &JointArray<Vector3<f64>>, values: &mut [f32]) {
    for (values, joint) in values.chunks_exact_mut(3).zip(pose) {
        values.copy_from_slice(&[joint.x as f32, joint.y as f32, joint.z as f32]);
    }
}

/// Times of the loss rows: the last two of every [`PAIR_PERIOD`] samples.
pub fn loss_times(length: usize) -> impl Iterator<Item = usize> {
    (0..length).filter(|time| time % PAIR_PERIOD >= PAIR_PERIOD - 2)
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
