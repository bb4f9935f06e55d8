//! Drawn scenes as tensors, through the very `window` stage that the pipeline uses.
//!
//! Rows are time-major: row `t * batch + clip`. Loss rows are pairs of neighbouring samples, one pair in
//! every [`PAIR_PERIOD`] samples: neighbours differ too little for each of them to be worth the arithmetic of
//! the head, and a pair is what the velocity loss needs.

use std::collections::{BTreeMap, BTreeSet};

use nalgebra::Vector3;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stridepose::geometry::VirtualCamera;
use stridepose::skeleton::{JOINT_COUNT, JointArray, KeypointLayout};
use stridepose::stages::window::{self, BodyMemory, FEATURE_COUNT, KeypointsOnPlane, Sample, SampleKind};

use crate::adversary::TAIL;
use crate::mocap::{Clip, Split};
use crate::network::LOOKAHEADS;
use crate::noise::{self, DetectorNoise, NoiseSettings};
use crate::occlusion;
use crate::scene::{self, Scene, SceneSettings};

/// One pair of loss rows in this many samples.
pub const PAIR_PERIOD: usize = 6;
/// Sets the draw of labelled persons apart from all others.
const LABEL_SEED: u64 = 0x6c61_6265;
/// Values of one target pose.
pub const POSE_VALUES: usize = JOINT_COUNT * 3;

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
    /// Whether keypoints are hidden (explicit occlusion training). Joints that a layout lacks are always hidden.
    pub occlude: bool,
    /// Whether half of the clips are drawn from persons without labels, where there are any.
    pub semi_supervised: bool,
}

/// Motion capture of one split, drawn by length.
pub struct Corpus<'a> {
    moving: Vec<(&'a Clip, usize)>,
    standing: Vec<(&'a Clip, usize)>,
    /// Those of whom the keypoints alone are to be used.
    unlabelled: Option<Box<Corpus<'a>>>,
}

impl<'a> Corpus<'a> {
    /// The clips of `split`.
    pub fn new(clips: &'a [Clip], split: Split) -> Self {
        Self::of(clips.iter().filter(|clip| clip.split == split))
    }

    /// The training clips, of which persons with about `label_share` of the poses keep their labels. The rest, and
    /// `keypoints_only` of any split, are unlabelled.
    pub fn partly_labelled(clips: &'a [Clip], label_share: f64, keypoints_only: &'a [Clip], seed: u64) -> Self {
        let training = || clips.iter().filter(|clip| clip.split == Split::Train);
        let labelled = labelled_persons(training(), label_share, seed);
        let is_labelled = |clip: &&Clip| labelled.contains(&(clip.source.as_str(), clip.subject.as_str()));
        let unlabelled = Self::of(training().filter(|clip| !is_labelled(clip)).chain(keypoints_only));
        let unlabelled = (!unlabelled.is_empty()).then(|| Box::new(unlabelled));
        Self { unlabelled, ..Self::of(training().filter(is_labelled)) }
    }

    fn of(clips: impl Iterator<Item = &'a Clip>) -> Self {
        let mut corpus = Self { moving: Vec::new(), standing: Vec::new(), unlabelled: None };
        for clip in clips {
            let part = if clip.is_moving() { &mut corpus.moving } else { &mut corpus.standing };
            let end = part.last().map_or(0, |&(_, end)| end) + clip.poses.len();
            part.push((clip, end));
        }
        corpus
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.moving.is_empty() && self.standing.is_empty()
    }

    /// Poses with labels and without.
    pub fn poses(&self) -> (usize, usize) {
        let end = |part: &[(&Clip, usize)]| part.last().map_or(0, |&(_, end)| end);
        let labelled = end(&self.moving) + end(&self.standing);
        (labelled, self.unlabelled.as_ref().map_or(0, |unlabelled| unlabelled.poses().0))
    }

    fn draw(&self, standing_share: f64, rng: &mut impl Rng) -> &'a Clip {
        let standing = self.moving.is_empty() || (!self.standing.is_empty() && rng.random_bool(standing_share));
        let clips = if standing { &self.standing } else { &self.moving };
        let total = clips[clips.len() - 1].1;
        let at = rng.random_range(0..total);
        clips[clips.partition_point(|&(_, end)| end <= at)].0
    }
}

/// Persons (source, subject) with about `share` of the poses, at least one, drawn with `seed`.
fn labelled_persons<'a>(clips: impl Iterator<Item = &'a Clip>, share: f64, seed: u64) -> BTreeSet<(&'a str, &'a str)> {
    let mut poses = BTreeMap::<(&str, &str), usize>::new();
    for clip in clips {
        *poses.entry((&clip.source, &clip.subject)).or_default() += clip.poses.len();
    }
    let all: usize = poses.values().sum();
    let mut persons: Vec<_> = poses.into_iter().collect();
    persons.shuffle(&mut ChaCha8Rng::seed_from_u64(seed ^ LABEL_SEED));
    let mut labelled = 0;
    persons
        .into_iter()
        .take_while(|(_, poses)| {
            let takes = labelled == 0 || (labelled as f64) < share * all as f64;
            labelled += poses;
            takes
        })
        .map(|(person, _)| person)
        .collect()
}

/// What is drawn of clips without labels: nothing that needs their 3D, no body or posture but their own.
fn unlabelled_scene(settings: &SceneSettings) -> SceneSettings {
    SceneSettings { retarget_share: 0.0, posture_share: 0.0, ..*settings }
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
    let length = settings.lengths[step as usize % settings.lengths.len()];
    let clips = (settings.samples / length).max(1);
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
    for clip in 0..clips {
        let mut rng =
            ChaCha8Rng::seed_from_u64(seed ^ step.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ ((clip as u64) << 48));
        let (corpus, scene_settings) = match unlabelled {
            Some(unlabelled) if clip >= labelled => (unlabelled.as_ref(), unlabelled_scene(&settings.scene)),
            _ => (corpus, settings.scene),
        };
        let scene = scene::draw(corpus.draw(settings.standing_share, &mut rng), length, &scene_settings, &mut rng);
        let mut detected = noise::detect(&scene, noise, &settings.noise, &mut rng);
        occlusion::mask_layout(&mut detected, draw_layout(&mut rng));
        let mut seen = detected.clone();
        if settings.occlude {
            occlusion::occlude(&mut seen, severity, &mut rng);
        }
        let rows = observe(&scene, &seen);
        write_clip(&mut batch, clip, &rows);
        if clip >= labelled {
            withhold_labels(&mut batch, clip, &rows, &detected);
        }
    }
    batch
}

fn draw_layout(rng: &mut impl Rng) -> KeypointLayout {
    match rng.random_range(0..20) {
        0..5 => KeypointLayout::H36m17,
        5..8 => KeypointLayout::Halpe26,
        _ => KeypointLayout::Coco17,
    }
}

/// One sample as the network meets it.
pub struct ObservedRow {
    /// Input of the network.
    pub features: [f32; FEATURE_COUNT],
    /// The person's virtual camera.
    pub camera: VirtualCamera,
    /// What the network is to answer: root-relative joints in the virtual camera, m.
    pub target: JointArray<Vector3<f64>>,
    /// Whether the person was ever seen up to this sample.
    pub valid: bool,
}

/// Runs the pipeline's `window` stage over a scene.
pub fn observe(scene: &Scene, keypoints: &[KeypointsOnPlane]) -> Vec<ObservedRow> {
    let mut memory = BodyMemory::default();
    let nowhere = VirtualCamera::looking_at(nalgebra::Point2::origin(), 0.2);
    let mut rows = Vec::with_capacity(keypoints.len());
    for ((joints, keypoints), step_secs) in scene.joints_in_camera.iter().zip(keypoints).zip(&scene.step_secs) {
        let sample = Sample { keypoints: *keypoints, step_secs: *step_secs, kind: SampleKind::Keep };
        let camera = memory.update(&sample);
        let mut features = [0.0; FEATURE_COUNT];
        if let Some(camera) = &camera {
            window::write_features(&memory, camera, &sample, &mut features);
        }
        let seen_in = camera.unwrap_or(nowhere);
        let rotation = seen_in.virtual_from_camera();
        let target = scene::from_root(joints).map(|joint| rotation * joint);
        rows.push(ObservedRow { features, camera: seen_in, target, valid: camera.is_some() });
    }
    rows
}

fn write_clip(batch: &mut Batch, clip: usize, rows: &[ObservedRow]) {
    for (time, row) in rows.iter().enumerate() {
        let at = (time * batch.clips + clip) * FEATURE_COUNT;
        batch.features[at..at + FEATURE_COUNT].copy_from_slice(&row.features);
    }
    for (loss_row, time) in loss_times(batch.length).enumerate() {
        for (head, lookahead) in LOOKAHEADS.into_iter().enumerate() {
            let Some(row) = time.checked_sub(lookahead).map(|time| &rows[time]).filter(|row| row.valid) else {
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

/// Puts keypoints in the place of the truth of an unlabelled clip.
fn withhold_labels(batch: &mut Batch, clip: usize, rows: &[ObservedRow], detected: &[KeypointsOnPlane]) {
    for (loss_row, time) in loss_times(batch.length).enumerate() {
        for (head, lookahead) in LOOKAHEADS.into_iter().enumerate() {
            let at = (loss_row * batch.clips + clip) * LOOKAHEADS.len() + head;
            batch.keypoint_weights[at] = std::mem::take(&mut batch.weights[at]);
            batch.targets[at * POSE_VALUES..(at + 1) * POSE_VALUES].fill(0.0);
            let Some(time) = time.checked_sub(lookahead) else { continue };
            let camera = &rows[time].camera;
            let values = &mut batch.keypoints[at * POSE_VALUES..(at + 1) * POSE_VALUES];
            for (values, keypoint) in values.chunks_exact_mut(3).zip(&detected[time]) {
                let seen = keypoint.and_then(|keypoint| Some((camera.to_virtual(keypoint.point)?, keypoint.score)));
                if let Some((point, score)) = seen {
                    let point = point * camera.size();
                    values.copy_from_slice(&[point.x as f32, point.y as f32, score as f32]);
                }
            }
        }
    }
    for tail_row in 0..batch.tail_targets.len() / (batch.clips * POSE_VALUES) {
        let at = (tail_row * batch.clips + clip) * POSE_VALUES;
        batch.tail_targets[at..at + POSE_VALUES].fill(0.0);
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
