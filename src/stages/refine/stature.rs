//! How large a person is, where a level floor of known height tells.
//!
//! One camera cannot tell a near small person from a far tall one: scaled about the camera by s, a person keeps all its
//! keypoints. But its lowest point then lies s times as far below the camera, and whoever stands on a floor H below has it
//! there. So each image measures ln s = ln H − ln h, h how far below the camera the soles are at the size so far.
//!
//! Whoever jumps or stands on something has no sole on the floor: what an image says counts the less, the less it fits
//! (Geman and McClure), and less still if it would make the person larger, for nobody stands below the floor. The same foot
//! and the same tilt err the same way for a while: what the images within [`SAME_ERROR_SECS`] say is one opinion, and no
//! number of them knows the size better than the camera's tilt is known.

use crate::data::Upright;
use crate::skeleton::Joint;

use super::solver::Solved;

/// Standard deviation of ln s before anything is known: adults and, less often, children.
const FIRST_SIGMA: f64 = 0.1;
/// Growth of the variance, 1/s: the past is forgotten in minutes.
const FORGOTTEN: f64 = 1e-5;
/// Smallest and largest person, of the lifter's.
const SCALES: (f64, f64) = (0.45, 1.3);
/// Height of an ankle and of any other joint over what it rests on, m (as the training's bodies have it). Of two ankles on the
/// floor the one that errs downwards is taken for the lower: by 0.56 of its standard deviation.
const ANKLE_OVER_FLOOR: f64 = 0.085 - 0.015;
const OTHER_OVER_FLOOR: f64 = 0.05;
/// Standard deviation of how high that really is, keypoint and lifter included, m.
const CONTACT_SIGMA: f64 = 0.04;
/// Standard deviation of the camera's tilt as it is told, rad.
const TILT_SIGMA: f64 = 0.0087;
/// Kernel widths in standard deviations, for soles over the floor and for soles under it.
const KERNEL_SIGMAS: (f64, f64) = (2.0, 4.0);
/// How long the errors of one foot stay the same, s.
const SAME_ERROR_SECS: f64 = 0.5;
/// Soles that lie less far below the camera say nothing, m.
const LEAST_DEPTH: f64 = 0.15;

/// A person's size as a share of what the lifter takes it for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stature {
    ln_scale: f64,
    variance: f64,
    is_told: bool,
}

impl Default for Stature {
    fn default() -> Self {
        Self { ln_scale: 0.0, variance: FIRST_SIGMA * FIRST_SIGMA, is_told: false }
    }
}

impl Stature {
    /// Size over the lifter's.
    pub fn scale(&self) -> f64 {
        self.ln_scale.exp()
    }

    /// Standard deviation of the scale, as a share of it; `untold` where no floor ever told.
    pub(super) fn sigma(&self, untold: f64) -> f64 {
        if self.is_told { self.variance.sqrt().min(untold) } else { untold }
    }

    /// Takes in where the soles are after `dt` s.
    pub(super) fn stand_on(&mut self, upright: &Upright, solved: &Solved, dt: f64) {
        let Some(camera_height) = upright.camera_height else { return };
        let Some((depth, away)) = self.soles(upright, solved) else { return };
        let innovation = (camera_height / depth).ln();
        if !(depth > LEAST_DEPTH && innovation.is_finite()) {
            return;
        }
        let tilt_variance = (TILT_SIGMA * away / depth).powi(2);
        let variance = (CONTACT_SIGMA / depth).powi(2) + tilt_variance;
        self.variance = (self.variance + FORGOTTEN * dt).min(FIRST_SIGMA * FIRST_SIGMA);
        let width = if innovation > 0.0 { KERNEL_SIGMAS.0 } else { KERNEL_SIGMAS.1 };
        let misfit = innovation * innovation / ((self.variance + variance) * width * width);
        let share = if self.is_told { (dt / SAME_ERROR_SECS).clamp(0.0, 1.0) } else { 1.0 };
        let information = share * (1.0 + misfit).powi(-2) / variance;
        let gain = information / (information + 1.0 / self.variance);
        self.ln_scale = (self.ln_scale + gain * innovation).clamp(SCALES.0.ln(), SCALES.1.ln());
        // What was known better from another place stays known.
        let known = self.variance.min(tilt_variance);
        self.variance = (self.variance * (1.0 - gain)).max(known);
        self.is_told = true;
    }

    /// How far below the camera the lowest sole is, and how far from the camera, m; `None` where it is not seen.
    fn soles(&self, upright: &Upright, solved: &Solved) -> Option<(f64, f64)> {
        let scale = self.scale();
        let depth = |joint: Joint| {
            let over = if matches!(joint, Joint::LAnkle | Joint::RAnkle) { ANKLE_OVER_FLOOR } else { OTHER_OVER_FLOOR };
            solved.joints[joint.index()].dot(&upright.down) + over * scale
        };
        let (lowest, depth) =
            Joint::ALL.into_iter().map(|joint| (joint.index(), depth(joint))).max_by(|a, b| a.1.total_cmp(&b.1))?;
        solved.is_supported[lowest].then(|| (depth, solved.joints[lowest].norm()))
    }
}
