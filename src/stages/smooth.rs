//! Fixed-lag smoothing of what is said with look-ahead.
//!
//! When a second answer comes for an earlier image, what was said of the images after it is known. Each coordinate of each
//! joint is fitted by a parabola around the time `t0` of that image (local quadratic regression: Savitzky and Golay 1964,
//! doi 10.1021/ac60214a047, here for images at any times):
//!
//! ```text
//! min over a, b, c of  sum_k w_k (x(t_k) - a - b τ_k - c τ_k²)²     τ_k = (t_k - t0) / σ,  w_k = exp(-τ_k² / 2)
//! ```
//! and becomes `a`. Images up to 3σ before and after count, as far in both directions as there are images: at the start of a
//! person's track less, down to nothing. A parabola keeps what a straight fit or a mean would flatten: reversals and bounces.
//! No heap is used once the memory has its size.

use std::collections::VecDeque;

use nalgebra::{Matrix3, Point3, Vector3};

use crate::data::Stamp;
use crate::skeleton::{JOINT_COUNT, JointArray};

/// Images count up to so many standard deviations before and after.
const REACH: f64 = 3.0;
/// What is older is not asked for again, s.
const LONGEST_SECS: f64 = 2.0;
/// Fewer images are no fit.
const FEWEST_IMAGES: usize = 4;

/// What was said of one person lately, the best answer for each image.
#[derive(Clone, Debug, Default)]
pub struct Smoother {
    /// By ascending stamp.
    poses: VecDeque<(Stamp, JointArray<Point3<f64>>)>,
}

impl Smoother {
    /// Takes what is said of the newest image: joints in the camera optical frame, m. Whatever is not newer than what was
    /// taken before is left out.
    pub fn see(&mut self, stamp: Stamp, joints: JointArray<Point3<f64>>) {
        if self.poses.back().is_some_and(|(last, _)| *last >= stamp) {
            return;
        }
        self.poses.push_back((stamp, joints));
        self.forget(|then| stamp.seconds_since(then) > LONGEST_SECS);
    }

    /// Takes what is said of the image at `stamp` with look-ahead, in the place of what was said when it was new, and smooths
    /// it with what lies up to 3 × `sigma_secs` (above 0) around it. Stamps must ascend from call to call.
    #[must_use]
    pub fn smooth(
        &mut self,
        stamp: Stamp,
        joints: JointArray<Point3<f64>>,
        sigma_secs: f64,
    ) -> JointArray<Point3<f64>> {
        match self.poses.binary_search_by_key(&stamp, |(then, _)| *then) {
            Ok(place) => self.poses[place].1 = joints,
            Err(place) => self.poses.insert(place, (stamp, joints)),
        }
        self.forget(|then| stamp.seconds_since(then) > REACH * sigma_secs);
        self.fitted(stamp, sigma_secs).unwrap_or(joints)
    }

    fn forget(&mut self, is_old: impl Fn(Stamp) -> bool) {
        while self.poses.front().is_some_and(|(then, _)| is_old(*then)) {
            self.poses.pop_front();
        }
    }

    /// The parabolas at `stamp`; `None` where there are too few images around it.
    fn fitted(&self, stamp: Stamp, sigma_secs: f64) -> Option<JointArray<Point3<f64>>> {
        let (first, last) = (self.poses.front()?.0, self.poses.back()?.0);
        let in_both = stamp.seconds_since(first).min(last.seconds_since(stamp));
        // Stamps are whole nanoseconds: images just as far on both sides count on both.
        let reach = in_both.min(REACH * sigma_secs) + 1e-9;
        let around = self.poses.iter().filter_map(|(then, joints)| {
            let after = then.seconds_since(stamp);
            let tau = after / sigma_secs;
            (after.abs() <= reach).then(|| (tau, (-0.5 * tau * tau).exp(), joints))
        });
        let mut moments = [0.0; 5];
        let mut images = 0;
        for (tau, weight, _) in around.clone() {
            moments.iter_mut().enumerate().for_each(|(power, moment)| *moment += weight * tau.powi(power as i32));
            images += 1;
        }
        if images < FEWEST_IMAGES {
            return None;
        }
        let inverse = Matrix3::from_fn(|row, column| moments[row + column]).try_inverse()?;
        let of_constant = inverse.row(0);
        let mut sum = [Vector3::zeros(); JOINT_COUNT];
        for (tau, weight, joints) in around {
            let share = weight * (of_constant[0] + of_constant[1] * tau + of_constant[2] * tau * tau);
            for (sum, joint) in sum.iter_mut().zip(joints) {
                *sum += share * joint.coords;
            }
        }
        sum.iter().all(|joint| joint.iter().all(|value| value.is_finite())).then(|| sum.map(Point3::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGMA_SECS: f64 = 0.06;

    fn at(secs: f64) -> Stamp {
        Stamp::from_nanoseconds((secs * 1e9).round() as i64 + 1_000_000_000)
    }

    fn everywhere(x: f64) -> JointArray<Point3<f64>> {
        std::array::from_fn(|joint| Point3::new(x, 2.0 * x + joint as f64, 3.0 - x))
    }

    /// Smooths `path` at `times` with a look-ahead of `lag` images; what is said at once is off by `first_error`.
    fn smoothed(times: &[f64], lag: usize, path: impl Fn(f64) -> f64, first_error: f64) -> Vec<(f64, f64)> {
        let mut smoother = Smoother::default();
        let mut answers = Vec::new();
        for (index, time) in times.iter().enumerate() {
            smoother.see(at(*time), everywhere(path(*time) + first_error));
            if let Some(then) = index.checked_sub(lag) {
                let joints = smoother.smooth(at(times[then]), everywhere(path(times[then])), SIGMA_SECS);
                assert!((joints[4].y - (2.0 * joints[4].x + 4.0)).abs() < 1e-9, "joints are smoothed alike");
                answers.push((times[then], joints[3].x));
            }
        }
        answers
    }

    fn uneven(count: usize) -> Vec<f64> {
        (0..count).map(|index| index as f64 / 30.0 + 0.009 * (1.7 * index as f64).sin()).collect()
    }

    #[test]
    fn a_parabola_stays_as_it_is_at_any_times() {
        let path = |time: f64| 1.0 - 2.0 * time + 3.0 * time * time;
        for (time, x) in smoothed(&uneven(40), 12, path, 0.0) {
            assert!((x - path(time)).abs() < 1e-6, "{x} at {time} instead of {}", path(time));
        }
    }

    #[test]
    fn what_trembles_from_image_to_image_is_calmed() {
        let times: Vec<f64> = (0..60).map(|index| f64::from(index) / 30.0).collect();
        let tremble = |time: f64| if (time * 30.0).round() as i64 % 2 == 0 { 0.01 } else { -0.01 };
        let answers = smoothed(&times, 12, tremble, 0.0);
        for (time, x) in &answers[6..] {
            assert!(x.abs() < 5e-4, "{x} at {time}");
        }
        // Of the very first image there is no before: it stays as it is.
        assert!((answers[0].1 - 0.01).abs() < 1e-12, "{}", answers[0].1);
    }

    #[test]
    fn later_images_count_as_they_were_said_and_earlier_ones_as_they_were_said_again() {
        let answers = smoothed(&uneven(40), 12, |_| 0.0, 0.1);
        // Half of what counts lies after the image, and was off by 0.1 when it was said.
        for (time, x) in &answers[8..] {
            assert!((0.02..0.05).contains(x), "{x} at {time}");
        }
    }

    #[test]
    fn few_images_are_left_alone() {
        for times in [vec![0.0], vec![0.0, 0.1, 0.2], vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5]] {
            for (time, x) in smoothed(&times, 1.min(times.len() - 1), |time| 7.0 * time, 0.0) {
                assert!((x - 7.0 * time).abs() < 1e-9, "{x} at {time}");
            }
        }
        let mut smoother = Smoother::default();
        assert_eq!(
            smoother.smooth(at(1.0), everywhere(2.0), SIGMA_SECS),
            everywhere(2.0),
            "never seen when it was new"
        );
    }

    #[test]
    fn what_is_never_asked_for_is_forgotten() {
        let mut smoother = Smoother::default();
        for index in 0..1000 {
            smoother.see(at(f64::from(index) / 30.0), everywhere(0.0));
            smoother.see(at(f64::from(index) / 30.0), everywhere(9.0));
        }
        assert!(smoother.poses.len() <= 61, "{}", smoother.poses.len());
        assert!(smoother.poses.iter().all(|(_, joints)| joints[0].x == 0.0), "the same image again is left out");
    }
}
