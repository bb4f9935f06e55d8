//! A 2D detector that errs the way detectors do.
//!
//! The error has a part that stays for a while (jitter, first-order Gauss–Markov), rare jumps onto something else,
//! and rare swaps of left and right. All sizes are in half sides of the person's square crop (1.25 × the longer side
//! of the person in the image). The score falls with the error d as in a fit of real detectors:
//! `clip(0.028 / (d + 0.028) + 1.1 d + N(-0.005, 0.14), 0, 1)`; far misses may well be confident.

use nalgebra::{Point2, Vector2};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::data::{Keypoint, KeypointsInImage};
use crate::skeleton::{Joint, JointArray};

/// How the detector errs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectorSettings {
    /// Standard deviation of the jitter per axis, half crops.
    pub jitter: f64,
    /// How long the jitter stays, s.
    pub jitter_secs: f64,
    /// Jumps per keypoint and second.
    pub jumps_per_sec: f64,
    /// Swaps of left and right, arms or legs, per person and second.
    pub swaps_per_sec: f64,
    /// Share of hidden joints that get a keypoint all the same, with four times the jitter.
    pub guessed_share: f64,
    /// Share of keypoints that are lost, besides what is hidden.
    pub lost_share: f64,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self {
            jitter: 0.010,
            jitter_secs: 0.12,
            jumps_per_sec: 0.15,
            swaps_per_sec: 0.1,
            guessed_share: 0.4,
            lost_share: 0.01,
        }
    }
}

impl DetectorSettings {
    /// A detector that never errs and never scores below 1.
    pub const PERFECT: Self = Self {
        jitter: 0.0,
        jitter_secs: 0.1,
        jumps_per_sec: 0.0,
        swaps_per_sec: 0.0,
        guessed_share: 0.0,
        lost_share: 0.0,
    };
}

/// Mean length of a jump, a swap and of what happens to a hidden joint, s.
const EPISODE_SECS: f64 = 0.2;

/// One person's detector errors over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Detector {
    errors: JointArray<JointError>,
    arms_swapped: bool,
    legs_swapped: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct JointError {
    /// In standard deviations.
    jitter: Vector2<f64>,
    jump: Option<Vector2<f64>>,
    is_lost: bool,
    is_guessed: bool,
    has_started: bool,
}

impl Detector {
    pub(super) fn observe(
        &mut self,
        rng: &mut impl Rng,
        settings: &DetectorSettings,
        dt: f64,
        joints: &JointArray<Option<Point2<f64>>>,
        is_visible: &JointArray<bool>,
        (width, height): (f64, f64),
    ) -> KeypointsInImage {
        self.advance(rng, settings, dt);
        let half_crop = half_crop_px(joints);
        let mut keypoints: KeypointsInImage = std::array::from_fn(|joint| {
            let error = &self.errors[joint];
            let at = joints[joint]?;
            let noise: f64 = rng.sample(StandardNormal);
            if error.is_lost || !(is_visible[joint] || error.is_guessed) {
                return None;
            }
            let factor = if is_visible[joint] { 1.0 } else { 4.0 };
            let by = error.jitter * (settings.jitter * factor) + error.jump.unwrap_or_default();
            let found = at + by * half_crop;
            let distance = by.norm();
            let score = if settings.jitter > 0.0 {
                (0.028 / (distance + 0.028) + 1.1 * distance - 0.005 + 0.14 * noise).clamp(0.0, 1.0)
            } else {
                1.0
            };
            let is_in_image = found.x > -0.5 && found.y > -0.5 && found.x < width - 0.5 && found.y < height - 0.5;
            is_in_image.then_some(Keypoint { x: found.x as f32, y: found.y as f32, score: score as f32, spread: None })
        });
        for (is_swapped, joints) in [
            (self.arms_swapped, [Joint::LShoulder, Joint::LElbow, Joint::LWrist]),
            (self.legs_swapped, [Joint::LHip, Joint::LKnee, Joint::LAnkle]),
        ] {
            for joint in joints.into_iter().filter(|_| is_swapped) {
                keypoints.swap(joint.index(), joint.mirrored().index());
            }
        }
        keypoints
    }

    /// Draws the same numbers whatever is visible, so that scenes differ only where they must.
    fn advance(&mut self, rng: &mut impl Rng, settings: &DetectorSettings, dt: f64) {
        let ends = 1.0 - (-dt / EPISODE_SECS).exp();
        for error in &mut self.errors {
            let keep = if error.has_started { (-dt / settings.jitter_secs).exp() } else { 0.0 };
            let fresh = Vector2::new(rng.sample(StandardNormal), rng.sample(StandardNormal));
            error.jitter = error.jitter * keep + fresh * (1.0 - keep * keep).sqrt();
            let (angle, size) = (rng.random_range(0.0..std::f64::consts::TAU), rng.random_range(0.1..0.5));
            let (chance, lost, guessed) = (rng.random::<f64>(), rng.random::<f64>(), rng.random::<f64>());
            error.jump = match error.jump {
                Some(jump) => (chance >= ends).then_some(jump),
                None => (chance < settings.jumps_per_sec * dt)
                    .then(|| Vector2::new(f64::cos(angle), f64::sin(angle)) * size),
            };
            if !error.has_started || rng.random_bool(ends) {
                error.is_lost = lost < settings.lost_share;
                error.is_guessed = guessed < settings.guessed_share;
            }
            error.has_started = true;
        }
        for is_swapped in [&mut self.arms_swapped, &mut self.legs_swapped] {
            let chance = rng.random::<f64>();
            *is_swapped = if *is_swapped { chance >= ends } else { chance < 0.5 * settings.swaps_per_sec * dt };
        }
    }
}

/// Half the side of the person's square crop, px.
fn half_crop_px(joints: &JointArray<Option<Point2<f64>>>) -> f64 {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for at in joints.iter().flatten() {
        for axis in 0..2 {
            low[axis] = low[axis].min(at[axis]);
            high[axis] = high[axis].max(at[axis]);
        }
    }
    let side = (high[0] - low[0]).max(high[1] - low[1]);
    if side.is_finite() { 0.5 * 1.25 * side } else { 0.0 }
}
