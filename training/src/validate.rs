//! Errors on persons that training never saw, under stated conditions, and the calibration of the scale
//! that the network states.

use burn::prelude::*;
use nalgebra::{Point3, UnitVector3, Vector3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use stridepose::data::Stamp;
use stridepose::geometry::{ScaleFit, Similarity};
use stridepose::skeleton::{JOINT_COUNT, JointArray, KeypointLayout};
use stridepose::stages::window::{FEATURE_COUNT, KeypointsOnPlane, MODEL_RATE_HZ};

use crate::batch::{self, ObservedRow};
use crate::mocap::{Clip, Split};
use crate::network::{HEAD_VALUES, LOOKAHEADS, LifterNetwork, LifterSize, Rows, TemporalNetwork};
use crate::noise::{self, DetectorNoise, NoiseSettings};
use crate::occlusion;
use crate::scene::{self, Cast, Scene, SceneSettings};

/// Samples of a validation scene; the first [`WARM_UP`] are not scored.
const LENGTH: usize = 120;
const WARM_UP: usize = 30;
/// Scenes are forwarded together in batches of this many.
const SCENES_AT_ONCE: usize = 16;
/// Makes the draw of the tilt's error another one than that of the scene.
const GRAVITY_SEED: u64 = 1 << 48;

/// What the detector sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hidden {
    /// Each keypoint on its own with this probability.
    Share(f64),
    /// A run of this many samples without any keypoint; scored at its last sample.
    Gap(usize),
}

impl Hidden {
    /// Whether the sample at `time` of a validation scene is scored.
    pub(crate) fn is_scored(self, time: usize) -> bool {
        match self {
            Self::Share(_) => time >= WARM_UP,
            Self::Gap(_) => time + 1 == LENGTH,
        }
    }
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// Joints the detector has.
    pub layout: KeypointLayout,
    /// What is hidden.
    pub hidden: Hidden,
    /// Whose errors the keypoints have.
    pub detector: NoiseSettings,
    /// Playback speed.
    pub speed: f64,
    /// Whether it is known where down is, as well as a robot knows it.
    pub knows_gravity: bool,
}

impl Condition {
    /// All joints, the measured detector, recorded speed, gravity unknown.
    pub const fn hiding(hidden: Hidden) -> Self {
        Self {
            layout: KeypointLayout::H36m17,
            hidden,
            detector: NoiseSettings::MEASURED,
            speed: 1.0,
            knows_gravity: false,
        }
    }
}

/// Mean errors under one condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Poses scored.
    pub poses: usize,
    /// Root-relative MPJPE of each head, mm.
    pub mpjpe_mm: Vec<f64>,
    /// MPJPE after the best similarity (PA-MPJPE) of the first head, mm.
    pub pa_mpjpe_mm: f64,
    /// Change of the error of each head from one sample to the next (MPJVE), mm; 0 where no two neighbours are scored.
    #[serde(default)]
    pub mpjve_mm: Vec<f64>,
}

/// One scored sample: truth and answer in the virtual camera, m.
pub struct Scored {
    /// Head index into [`LOOKAHEADS`].
    pub head: usize,
    /// True root-relative joints.
    pub truth: JointArray<Vector3<f64>>,
    /// Answered root-relative joints.
    pub answer: JointArray<Vector3<f64>>,
    /// Stated Laplace scales (lateral, depth), m.
    pub scale: JointArray<(f64, f64)>,
}

/// A network and the persons it is scored on. Bodies are the recorded ones, cameras are drawn.
pub struct Validation<'a, N = LifterNetwork> {
    /// The network.
    pub network: &'a N,
    /// Its sizes.
    pub size: &'a LifterSize,
    /// All motion capture; only validation clips are used.
    pub clips: &'a [Clip],
    /// The detector.
    pub noise: &'a DetectorNoise,
    /// Scenes (cameras) drawn for each clip.
    pub scenes_per_clip: usize,
}

impl<N: TemporalNetwork> Validation<'_, N> {
    /// Visits every scored sample of the clips that `of` accepts.
    pub fn answer(&self, of: impl Fn(&Clip) -> bool, condition: &Condition, mut visit: impl FnMut(&Scored)) {
        self.answered_scenes(of, condition, |scene| {
            for time in (0..LENGTH).filter(|time| condition.hidden.is_scored(*time)) {
                for head in 0..LOOKAHEADS.len() {
                    visit(&scene.scored(time, head));
                }
            }
        });
    }

    /// Visits every scene of the clips that `of` accepts.
    pub(crate) fn answered_scenes(
        &self,
        of: impl Fn(&Clip) -> bool,
        condition: &Condition,
        mut visit: impl FnMut(&AnsweredScene<'_>),
    ) {
        let device = Device::flex();
        let network = self.network.valid();
        let mut drawn: Vec<(ValidationScene<'_>, Vec<ObservedRow>)> = Vec::new();
        let mut flush = |drawn: &mut Vec<(ValidationScene<'_>, Vec<ObservedRow>)>| {
            let scenes = drawn.len();
            if scenes == 0 {
                return;
            }
            let mut features = vec![0.0_f32; LENGTH * scenes * FEATURE_COUNT];
            for (scene, (_, rows)) in drawn.iter().enumerate() {
                for (time, row) in rows.iter().enumerate() {
                    features[(time * scenes + scene) * FEATURE_COUNT..][..FEATURE_COUNT]
                        .copy_from_slice(&row.seen.features);
                }
            }
            let features = Tensor::<1>::from_data(TensorData::from(features.as_slice()), &device)
                .reshape([LENGTH * scenes, FEATURE_COUNT]);
            let answers: Vec<f32> =
                network.forward(features, self.size, scenes, Rows::All).into_data().try_to_vec().unwrap_or_default();
            for (index, (scene, rows)) in drawn.iter().enumerate() {
                visit(&AnsweredScene { scene, rows, answers: &answers, index, scenes });
            }
            drawn.clear();
        };
        for scene in self.scenes(of, condition) {
            let rows = batch::observe(&scene.scene, &scene.keypoints, scene.gravity.as_deref());
            drawn.push((scene, rows));
            if drawn.len() == SCENES_AT_ONCE {
                flush(&mut drawn);
            }
        }
        flush(&mut drawn);
    }

    /// The scenes of the clips that `of` accepts, with what the detector sees of them.
    pub(crate) fn scenes<'s>(
        &'s self,
        of: impl Fn(&Clip) -> bool + 's,
        condition: &'s Condition,
    ) -> impl Iterator<Item = ValidationScene<'s>> + 's {
        let settings = SceneSettings {
            speed: (condition.speed, condition.speed * (1.0 + 1e-9)),
            retarget_share: 0.0,
            recorded_body_share: 0.0,
            recombined_share: 0.0,
            stamp_jitter: 0.0,
            posture_share: 0.0,
            mirror: false,
        };
        let clips = self.clips.iter().enumerate();
        let clips = clips.filter(move |(_, clip)| clip.split == Split::Validation && of(clip));
        clips.flat_map(|(index, clip)| (0..self.scenes_per_clip).map(move |scene| (index, clip, scene))).map(
            move |(index, clip, scene_index)| {
                let seed = 1_000_003 * index as u64 + scene_index as u64;
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let scene = scene::draw(&Cast::alone(clip), LENGTH, &settings, &mut rng);
                let mut keypoints = noise::detect(&scene, self.noise, &condition.detector, &mut rng);
                occlusion::mask_layout(&mut keypoints, condition.layout);
                match condition.hidden {
                    Hidden::Share(share) => occlusion::mask_points(&mut keypoints, share, &mut rng),
                    Hidden::Gap(length) => occlusion::mask_run(&mut keypoints, LENGTH - length..LENGTH),
                }
                // Drawn beside the rest, so that a scene is the same whether its camera knows where down is or not.
                let mut rng = ChaCha8Rng::seed_from_u64(seed + GRAVITY_SEED);
                let gravity = condition.knows_gravity.then(|| scene.known_gravity(&mut rng));
                ValidationScene { clip, scene, keypoints, gravity }
            },
        )
    }

    /// Mean errors under `condition` over the clips that `of` accepts; absent where there is none.
    pub fn score(&self, of: impl Fn(&Clip) -> bool, condition: &Condition) -> Option<Score> {
        let mut heads = [HeadSums::default(); LOOKAHEADS.len()];
        self.answered_scenes(of, condition, |scene| {
            for (head, sums) in heads.iter_mut().enumerate() {
                let mut before = None;
                for time in (0..LENGTH).filter(|time| condition.hidden.is_scored(*time)) {
                    let scored = scene.scored(time, head);
                    sums.add(&scored, head == 0);
                    // Of neighbouring samples in the camera's axes, which do not follow the person.
                    let rotation = scene.rows[time - LOOKAHEADS[head]].seen.camera.camera_from_virtual();
                    let error: JointArray<Vector3<f64>> =
                        std::array::from_fn(|joint| rotation * (scored.answer[joint] - scored.truth[joint]));
                    if let Some(before) = before.replace(error) {
                        sums.change += mean_distance(&error, &before);
                        sums.changes += 1;
                    }
                }
            }
        });
        let mean = |sum: f64, count: usize| 1e3 * sum / count.max(1) as f64;
        (heads[0].poses > 0).then(|| Score {
            poses: heads[0].poses,
            mpjpe_mm: heads.iter().map(|head| mean(head.error, head.poses)).collect(),
            pa_mpjpe_mm: mean(heads[0].aligned, heads[0].poses),
            mpjve_mm: heads.iter().map(|head| mean(head.change, head.changes)).collect(),
        })
    }
}

/// Sums of one head.
#[derive(Clone, Copy, Default)]
struct HeadSums {
    error: f64,
    aligned: f64,
    poses: usize,
    change: f64,
    changes: usize,
}

impl HeadSums {
    fn add(&mut self, scored: &Scored, is_aligned: bool) {
        self.error += mean_distance(&scored.answer, &scored.truth);
        self.poses += 1;
        if is_aligned {
            self.aligned += aligned_distance(&scored.answer, &scored.truth);
        }
    }
}

/// A drawn scene of a validation clip.
pub(crate) struct ValidationScene<'a> {
    /// Who moves.
    pub clip: &'a Clip,
    /// The truth.
    pub scene: Scene,
    /// What the detector sees of it.
    pub keypoints: Vec<KeypointsOnPlane>,
    /// The direction of gravity as the camera knows it.
    pub gravity: Option<Vec<UnitVector3<f64>>>,
}

/// A validation scene with the network's answers.
pub(crate) struct AnsweredScene<'a> {
    /// The scene.
    pub scene: &'a ValidationScene<'a>,
    /// Its samples as the network met them.
    pub rows: &'a [ObservedRow],
    /// `[LENGTH, scenes, heads, HEAD_VALUES]` of all scenes that were forwarded together.
    answers: &'a [f32],
    index: usize,
    scenes: usize,
}

impl AnsweredScene<'_> {
    /// What the head `head` says at `time`.
    pub(crate) fn scored(&self, time: usize, head: usize) -> Scored {
        let at = ((time * self.scenes + self.index) * LOOKAHEADS.len() + head) * HEAD_VALUES;
        scored(head, &self.rows[time - LOOKAHEADS[head]], &self.answers[at..at + HEAD_VALUES])
    }
}

fn scored(head: usize, row: &ObservedRow, values: &[f32]) -> Scored {
    let root = Vector3::new(values[0], values[1], values[2]).cast::<f64>();
    Scored {
        head,
        truth: row.target,
        answer: std::array::from_fn(|joint| {
            Vector3::new(values[joint * 3], values[joint * 3 + 1], values[joint * 3 + 2]).cast::<f64>() - root
        }),
        scale: std::array::from_fn(|joint| {
            let scale = |offset: usize| f64::from(values[offset + joint].clamp(-6.0, 1.0)).exp();
            (scale(JOINT_COUNT * 3), scale(JOINT_COUNT * 4))
        }),
    }
}

/// When the sample at `time` of a scene at the model rate was taken.
pub(crate) fn stamp(time: usize) -> Stamp {
    Stamp::from_nanoseconds(1_000_000_000 + (time as f64 * 1e9 / MODEL_RATE_HZ) as i64)
}

/// Mean distance after the best similarity; without one where a pose has none (all joints in one place).
pub(crate) fn aligned_distance(answer: &JointArray<Vector3<f64>>, truth: &JointArray<Vector3<f64>>) -> f64 {
    let (from, onto) = (answer.map(Point3::from), truth.map(Point3::from));
    match Similarity::fit(&from, &onto, ScaleFit::Free) {
        Some(similarity) => mean_distance(&from.map(|point| similarity.apply(&point).coords), truth),
        None => mean_distance(answer, truth),
    }
}

pub(crate) fn mean_distance(a: &JointArray<Vector3<f64>>, b: &JointArray<Vector3<f64>>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).norm()).sum::<f64>() / JOINT_COUNT as f64
}
