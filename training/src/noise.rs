//! From true keypoints to those of a real detector: jitter correlated in time, rare large jumps, left and
//! right leg swapped, a constant offset of definition, and a score that falls with the error.
//!
//! Statistics per joint come from a file measured on a real detector (`detection_noise.json`: radial error
//! quantiles as a fraction of the pelvis–thorax length). In what other detectors differ from that one, besides the size of
//! their errors, is drawn (`detector_variety`). The score model is
//! `score = clip(0.028 / (d + 0.028) + 1.1 d + N(-0.005, 0.14), 0, 1)` with d in half person crops.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nalgebra::{Point2, Vector2};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::Deserialize;
use stridepose::skeleton::{JOINT_COUNT, Joint, JointArray};
use stridepose::stages::window::{KeypointOnPlane, KeypointsOnPlane};

use crate::detector_variety::{DetectorVariety, is_arm, is_leg};
use crate::scene::Scene;

/// What the file calls the share of images in which left and right legs are exchanged.
const LEG_SWAP_RATE: &str = "leg_left_right_swap_rate";
/// Half of the errors of any detector are smaller than this, pelvis–thorax lengths.
const LARGEST_MEDIAN: f64 = 1.0;
const RAYLEIGH_MEDIAN: f64 = 1.177;
const JUMP_MEAN_SECS: f64 = 0.25;
const SWAP_MEAN_SECS: f64 = 0.15;
/// Half a person crop is about this many pelvis–thorax lengths.
const TORSOS_PER_HALF_CROP: f64 = 2.1;

/// Error statistics of one joint, in pelvis–thorax lengths.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct JointNoise {
    /// Median radial error.
    pub median: f64,
    /// Share of errors above half a pelvis–thorax length.
    pub outlier_gt_half_torso: f64,
}

/// Error statistics of a detector.
#[derive(Clone, Debug)]
pub struct DetectorNoise {
    joints: JointArray<JointNoise>,
    leg_swap_rate: f64,
}

enum Entry {
    Joint(JointNoise),
    Rate(f64),
}

#[derive(Deserialize)]
struct NoiseFile {
    joints: BTreeMap<String, serde_json::Value>,
}

/// A noise file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct NoiseFileError {
    path: PathBuf,
    reason: String,
}

impl DetectorNoise {
    /// Reads a noise file. Joints it lacks (the midline) take the thorax's statistics.
    ///
    /// # Errors
    /// [`NoiseFileError`] when the file cannot be read, lacks the thorax, has a joint that is none of the internal set or a
    /// number that no detector has.
    pub fn load(path: &Path) -> Result<Self, NoiseFileError> {
        let refuse = |reason: String| NoiseFileError { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let file: NoiseFile = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        let mut joints = BTreeMap::new();
        for (name, value) in file.joints {
            let entry = entry(&name, &value).map_err(refuse)?;
            joints.insert(name, entry);
        }
        let joint = |name: &str| match joints.get(name) {
            Some(Entry::Joint(noise)) => Some(*noise),
            _ => None,
        };
        let thorax = joint("thorax").ok_or_else(|| refuse("no statistics for \"thorax\"".into()))?;
        let leg_swap_rate = match joints.get(LEG_SWAP_RATE) {
            Some(Entry::Rate(rate)) => *rate,
            _ => return Err(refuse(format!("no \"{LEG_SWAP_RATE}\""))),
        };
        Ok(Self { joints: Joint::ALL.map(|of| joint(of.name()).unwrap_or(thorax)), leg_swap_rate })
    }

    /// Every number of it, always in the same order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = f64> {
        let joints = self.joints.iter().flat_map(|joint| [joint.median, joint.outlier_gt_half_torso]);
        joints.chain([self.leg_swap_rate])
    }
}

/// What `value` says of `name`; refuses what no detector has, with both.
fn entry(name: &str, value: &serde_json::Value) -> Result<Entry, String> {
    let entry = match value.as_f64() {
        Some(rate) => Entry::Rate(rate),
        None => Entry::Joint(JointNoise::deserialize(value).map_err(|error| format!("{name} is {value}: {error}"))?),
    };
    let within = |what: &str, value: f64, most: f64, unit: &str| {
        let is_within = (0.0..=most).contains(&value);
        is_within.then_some(()).ok_or_else(|| format!("{what} of {value}; expected 0 to {most}, {unit}"))
    };
    match &entry {
        Entry::Rate(rate) if name == LEG_SWAP_RATE => within(name, *rate, 1.0, "a share of the images")?,
        Entry::Joint(noise) if Joint::from_name(name).is_some() => {
            let (median, outliers) = (noise.median, noise.outlier_gt_half_torso);
            within(&format!("{name} has a \"median\""), median, LARGEST_MEDIAN, "in pelvis–thorax lengths")?;
            within(&format!("{name} has an \"outlier_gt_half_torso\""), outliers, 1.0, "a share of the images")?;
        }
        Entry::Joint(_) => {
            let known = Joint::ALL.map(Joint::name).join(", ");
            return Err(format!("\"{name}\" is no joint of {}; there are {known}", Joint::SET_NAME));
        }
        Entry::Rate(rate) => {
            return Err(format!(
                "\"{name}\" is {rate}; expected \"{LEG_SWAP_RATE}\", or for a joint \"median\" and \"outlier_gt_half_torso\""
            ));
        }
    }
    Ok(entry)
}

/// How a clip's detector is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseSettings {
    /// Jitter is scaled by a factor drawn log-uniformly from this range for each clip.
    pub scale: (f64, f64),
    /// Standard deviation of the constant offset of each joint in the image, pelvis–thorax lengths.
    pub definition_offset: f64,
    /// Share of clips whose detector differs from the measured one in more than the size of its errors.
    pub variety_share: f64,
    /// Share of clips whose scores are warped (raised to a power) or carry no information.
    pub strange_scores: f64,
}

impl NoiseSettings {
    /// The detector whose errors were measured.
    pub const MEASURED: Self =
        Self { scale: (1.0, 1.0 + 1e-9), definition_offset: 0.0, variety_share: 0.0, strange_scores: 0.0 };

    /// Detectors as different from it as public networks are from each other.
    pub const OTHERS: Self =
        Self { scale: (0.3, 1.5), definition_offset: 0.02, variety_share: 1.0, strange_scores: 0.4 };
}

/// A detector with a character of its own, for one clip.
struct ClipDetector {
    scale: f64,
    variety: DetectorVariety,
    offset: JointArray<Vector2<f64>>,
    score_power: f64,
    score_floor: f64,
    gives_spread: bool,
}

/// What a detector reports of `scene`, a row per sample.
pub fn detect(
    scene: &Scene,
    noise: &DetectorNoise,
    settings: &NoiseSettings,
    rng: &mut impl Rng,
) -> Vec<KeypointsOnPlane> {
    let detector = ClipDetector::draw(settings, rng);
    let variety = &detector.variety;
    let mut jitter = JointArray::<Jitter>::default();
    let mut swaps = [
        Swap::new(is_leg, noise.leg_swap_rate * detector.scale),
        Swap::new(is_arm, variety.arm_swap_rate),
        Swap::new(|_| true, variety.body_swap_rate),
    ];
    let mut rows = Vec::with_capacity(scene.keypoints.len());
    for (row, step_secs) in scene.step_secs.iter().enumerate() {
        for swap in swaps.iter_mut().filter(|swap| swap.rate > 0.0) {
            swap.episode.advance(swap.rate, SWAP_MEAN_SECS, *step_secs, rng);
        }
        let torso = torso_on_plane(scene, row);
        let joints = &scene.joints_in_camera[row];
        let (behind, defined) = (variety.behind_the_body(joints), variety.offsets(joints));
        let keypoints: KeypointsOnPlane = std::array::from_fn(|joint| {
            let of = Joint::ALL[joint];
            let scale = detector.scale * behind[joint];
            let own = jitter[joint].advance(&noise.joints[joint], scale, variety, *step_secs, rng);
            let error = own + jump_before(of, &jitter) * variety.chained;
            let swapped = swaps.iter().any(|swap| swap.episode.on && (swap.takes)(of));
            let target = if swapped { of.mirrored().index() } else { joint };
            let seen = scene.keypoints[row][target].or(scene.keypoints[row][joint])?;
            let truth = scene.keypoints[row][joint]?;
            let point = seen + defined[target] + (error + detector.offset[joint]) * torso;
            let wrong_by = ((seen - truth) / torso + error).norm() / TORSOS_PER_HALF_CROP;
            let spread = detector.gives_spread.then(|| {
                let blur: f64 = rng.sample(StandardNormal);
                torso * noise.joints[joint].median * scale * (0.4 * blur).exp() * (1.0 + wrong_by)
            });
            Some(KeypointOnPlane { point, score: detector.score(wrong_by, rng), spread })
        });
        rows.push(keypoints);
    }
    rows
}

impl ClipDetector {
    fn draw(settings: &NoiseSettings, rng: &mut impl Rng) -> Self {
        let (low, high) = settings.scale;
        let strange = rng.random_bool(settings.strange_scores);
        Self {
            variety: if settings.variety_share > 0.0 && rng.random_bool(settings.variety_share) {
                DetectorVariety::draw(rng)
            } else {
                DetectorVariety::MEASURED
            },
            scale: low * (high / low).powf(rng.random::<f64>()),
            offset: std::array::from_fn(|_| normal2(rng) * settings.definition_offset),
            score_power: if strange { 4.0_f64.powf(rng.random_range(-1.0..1.0)) } else { 1.0 },
            score_floor: if strange { rng.random_range(0.0..1.0) } else { 0.0 },
            gives_spread: rng.random_bool(0.4),
        }
    }

    fn score(&self, wrong_by_half_crops: f64, rng: &mut impl Rng) -> f64 {
        let d = wrong_by_half_crops.min(0.6);
        let normal: f64 = rng.sample(StandardNormal);
        let score = (0.028 / (d + 0.028) + 1.1 * d - 0.005 + 0.14 * normal).clamp(0.0, 1.0);
        let warped = score.powf(self.score_power);
        self.score_floor + (1.0 - self.score_floor) * warped
    }
}

/// Error of one joint over time, pelvis–thorax lengths.
#[derive(Clone, Copy, Default)]
struct Jitter {
    slow: Option<Vector2<f64>>,
    jump: Episode,
    jump_by: Vector2<f64>,
}

/// Left and right exchanged, in episodes.
struct Swap {
    takes: fn(Joint) -> bool,
    rate: f64,
    episode: Episode,
}

impl Swap {
    fn new(takes: fn(Joint) -> bool, rate: f64) -> Self {
        Self { takes, rate, episode: Episode::default() }
    }
}

impl Jitter {
    fn advance(
        &mut self,
        noise: &JointNoise,
        scale: f64,
        variety: &DetectorVariety,
        step_secs: f64,
        rng: &mut impl Rng,
    ) -> Vector2<f64> {
        let sigma = noise.median / RAYLEIGH_MEDIAN * scale;
        let keep = (-step_secs / variety.slow_time_constant_secs).exp();
        let slow = match self.slow {
            Some(slow) => slow * keep + normal2(rng) * (1.0 - keep * keep).sqrt(),
            None => normal2(rng),
        };
        self.slow = Some(slow);
        let was_jumping = self.jump.on;
        // Jumps of 0.3 to 1.2 torsos: about three in four are above half a torso.
        let jumping = self.jump.advance(noise.outlier_gt_half_torso * 1.33 * scale, JUMP_MEAN_SECS, step_secs, rng);
        if jumping && !was_jumping {
            let angle = rng.random_range(0.0..std::f64::consts::TAU);
            self.jump_by = Vector2::new(angle.cos(), angle.sin()) * rng.random_range(0.3..1.2);
        }
        let slow_share = variety.slow_share_of_variance;
        slow * (sigma * slow_share.sqrt()) + normal2(rng) * (sigma * (1.0 - slow_share).sqrt()) + self.jump()
    }

    /// How far the joint has jumped just now, pelvis–thorax lengths.
    fn jump(&self) -> Vector2<f64> {
        if self.jump.on { self.jump_by } else { Vector2::zeros() }
    }
}

/// The jump of the elbow or knee before `joint`.
fn jump_before(joint: Joint, jitter: &JointArray<Jitter>) -> Vector2<f64> {
    match joint {
        Joint::RWrist | Joint::LWrist | Joint::RAnkle | Joint::LAnkle => {
            joint.parent().map_or_else(Vector2::zeros, |parent| jitter[parent.index()].jump())
        }
        _ => Vector2::zeros(),
    }
}

/// Something that is on for a share of the time, in episodes of a mean duration.
#[derive(Clone, Copy, Default)]
pub(crate) struct Episode {
    on: bool,
    started: bool,
}

impl Episode {
    /// One step of the two-state chain whose stationary share of "on" is `share`.
    pub(crate) fn advance(&mut self, share: f64, mean_secs: f64, step_secs: f64, rng: &mut impl Rng) -> bool {
        let share = share.clamp(0.0, 0.95);
        let leave = (step_secs / mean_secs).min(1.0);
        let probability_on = match (self.started, self.on) {
            (false, _) => share,
            (true, true) => 1.0 - leave,
            (true, false) => (leave * share / (1.0 - share)).min(1.0),
        };
        self.started = true;
        self.on = rng.random_bool(probability_on);
        self.on
    }
}

fn normal2(rng: &mut impl Rng) -> Vector2<f64> {
    Vector2::new(rng.sample(StandardNormal), rng.sample(StandardNormal))
}

/// Pelvis–thorax length on the z = 1 plane, not foreshortened.
fn torso_on_plane(scene: &Scene, row: usize) -> f64 {
    let joints = &scene.joints_in_camera[row];
    let (pelvis, thorax) = (joints[Joint::Pelvis.index()], joints[Joint::Thorax.index()]);
    (thorax - pelvis).norm() / pelvis.z.max(0.3)
}

/// Keypoints without any error and with full score: for tests and for the noise-free column of tables.
pub fn perfect(scene: &Scene) -> Vec<KeypointsOnPlane> {
    let keypoint = |point: Point2<f64>| KeypointOnPlane { point, score: 1.0, spread: None };
    scene
        .keypoints
        .iter()
        .map(|row| std::array::from_fn::<_, JOINT_COUNT, _>(|joint| row[joint].map(keypoint)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nalgebra::Vector3;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const ANKLE: JointNoise = JointNoise { median: 0.054, outlier_gt_half_torso: 0.025 };

    fn still_person(rows: usize) -> Scene {
        let joints: JointArray<Vector3<f64>> =
            std::array::from_fn(|joint| Vector3::new(0.1 * joint as f64 - 0.8, 0.05 * joint as f64, 4.0));
        Scene {
            joints_in_camera: vec![joints; rows],
            gravity_in_camera: vec![Vector3::y_axis(); rows],
            keypoints: vec![joints.map(|joint| Some(Point2::new(joint.x / joint.z, joint.y / joint.z))); rows],
            step_secs: vec![1.0 / 30.0; rows],
        }
    }

    #[test]
    fn what_no_detector_has_is_refused_with_joint_and_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("noise.json");
        let load = |more: &str, swap: &str| {
            let thorax = r#""thorax":{"median":0.03,"outlier_gt_half_torso":0.01}"#;
            let text = format!("{{\"joints\":{{{thorax}{more},\"leg_left_right_swap_rate\":{swap}}}}}");
            std::fs::write(&path, text).unwrap();
            DetectorNoise::load(&path).map_err(|error| error.to_string())
        };
        let joint = |name: &str, median: &str, outliers: &str| {
            format!(",\"{name}\":{{\"median\":{median},\"outlier_gt_half_torso\":{outliers}}}")
        };
        assert!(load(&joint("l_knee", "0", "1"), "1").is_ok());
        for (more, swap, wanted) in [
            (joint("l_knee", "-0.1", "0"), "0", "l_knee has a \"median\" of -0.1"),
            (joint("l_knee", "1e9", "0"), "0", "l_knee has a \"median\" of 1000000000"),
            (joint("r_hip", "0.1", "1.2"), "0", "r_hip has an \"outlier_gt_half_torso\" of 1.2"),
            (joint("r_hip", "0.1", "-1"), "0", "\"outlier_gt_half_torso\" of -1"),
            (joint("left_hip", "0.1", "0"), "0", "\"left_hip\" is no joint"),
            (",\"r_hip\":3".to_owned(), "0", "\"r_hip\" is 3"),
            (joint("r_hip", "null", "0"), "0", "r_hip is {\"median\":null"),
            (
                ",\"r_hip\":{\"median\":0.1}".to_owned(),
                "0",
                "r_hip is {\"median\":0.1}: missing field `outlier_gt_half_torso`",
            ),
            (String::new(), "-0.5", "leg_left_right_swap_rate of -0.5"),
            (String::new(), "5", "leg_left_right_swap_rate of 5"),
        ] {
            let error = load(&more, swap).unwrap_err();
            assert!(error.contains(wanted) && error.contains("noise.json"), "{error}");
        }
    }

    #[test]
    fn errors_have_the_measured_quantiles() {
        let scene = still_person(60_000);
        let noise = DetectorNoise { joints: [ANKLE; JOINT_COUNT], leg_swap_rate: 0.0 };
        let settings =
            NoiseSettings { scale: (1.0, 1.0 + 1e-9), definition_offset: 0.0, variety_share: 0.0, strange_scores: 0.0 };
        let rows = detect(&scene, &noise, &settings, &mut ChaCha8Rng::seed_from_u64(5));
        let torso = torso_on_plane(&scene, 0);
        let mut errors: Vec<f64> = rows
            .iter()
            .zip(&scene.keypoints)
            .map(|(row, truth)| (row[3].unwrap().point - truth[3].unwrap()).norm() / torso)
            .collect();
        errors.sort_by(f64::total_cmp);
        let (median, p99) = (errors[errors.len() / 2], errors[errors.len() * 99 / 100]);
        let jumps = errors.iter().filter(|&&error| error > 0.5).count() as f64 / errors.len() as f64;
        assert!((median - 0.054).abs() < 0.006, "median {median}");
        assert!((0.6..1.2).contains(&p99), "p99 {p99}");
        assert!((0.015..0.035).contains(&jumps), "{jumps} above half a torso");
    }

    #[test]
    fn other_detectors_differ_in_how_long_errors_last() {
        let scene = still_person(3000);
        let noise = DetectorNoise {
            joints: [JointNoise { outlier_gt_half_torso: 0.0, ..ANKLE }; JOINT_COUNT],
            leg_swap_rate: 0.0,
        };
        let settings =
            NoiseSettings { scale: (1.0, 1.0 + 1e-9), definition_offset: 0.0, variety_share: 1.0, strange_scores: 0.0 };
        let persistence = |seed: u64| {
            let rows = detect(&scene, &noise, &settings, &mut ChaCha8Rng::seed_from_u64(seed));
            let across: Vec<f64> = rows.iter().map(|row| row[Joint::Head.index()].unwrap().point.x).collect();
            let mean = across.iter().sum::<f64>() / across.len() as f64;
            let product =
                |lag: usize| across.iter().zip(&across[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
            product(1) / product(0)
        };
        let mut found: Vec<f64> = (0..12).map(persistence).collect();
        found.sort_by(f64::total_cmp);
        assert!(found[0] < 0.5 && found[11] > 0.8, "{found:?}");
    }

    #[test]
    fn a_wrist_goes_along_with_its_elbow() {
        let jumping = Jitter { jump: Episode { on: true, started: true }, jump_by: Vector2::new(0.4, 0.3), slow: None };
        let mut jitter = JointArray::<Jitter>::default();
        jitter[Joint::LElbow.index()] = jumping;
        assert_eq!(jump_before(Joint::LWrist, &jitter), jumping.jump_by);
        assert_eq!(jump_before(Joint::RWrist, &jitter), Vector2::zeros());
        assert_eq!(jump_before(Joint::LShoulder, &jitter), Vector2::zeros());
    }

    #[test]
    fn scores_fall_with_the_error() {
        let detector = ClipDetector {
            scale: 1.0,
            variety: DetectorVariety::MEASURED,
            offset: [Vector2::zeros(); JOINT_COUNT],
            score_power: 1.0,
            score_floor: 0.0,
            gives_spread: false,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut mean = |d: f64| (0..2000).map(|_| detector.score(d, &mut rng)).sum::<f64>() / 2000.0;
        assert!(mean(0.0) > mean(0.03) && mean(0.03) > mean(0.15));
    }
}
