//! Where the person is: closed-form weighted least squares, and a filter that keeps its depth smooth.
//!
//! With the lifter's root-relative joints (a, b, c) each keypoint (x, y) on the z = 1 plane gives two equations that
//! are linear in the root (X, Y, Z): X − x Z = x c − a and Y − y Z = y c − b. They are weighted by confidence over the
//! variance of keypoint and lifter at the joint's depth and re-weighted with Geman and McClure's kernel, so that a
//! keypoint on somebody else does not move the person.
//!
//! X and Y rest on every single keypoint; Z rests on the size of the body in the image alone. So each axis has its own
//! constant-velocity filter in real time, Z a stiff one. The errors of a lifter last: what the images within
//! [`SAME_ERROR_SECS`] say about Z is one opinion, not many, and counts as one, at any image rate.
//! The filter is fed with these roots alone, never with refined ones, so nothing can run away in a loop.

use nalgebra::{Matrix3, Vector3};

use super::KeypointForRefinement;
use crate::data::LiftedPose;
use crate::skeleton::JointArray;

/// Fewer keypoints than this do not say how far away a person is who was never seen before.
const MIN_KEYPOINTS: usize = 4;
/// Nobody stands nearer or further, m.
const DEPTH_RANGE_M: (f64, f64) = (0.2, 200.0);
/// A first depth must be known better than this share of itself.
const LARGEST_DEPTH_SIGMA: f64 = 0.5;
const REWEIGHTINGS: usize = 5;
/// Kernel width in standard deviations.
const KERNEL_SIGMAS: f64 = 3.0;
/// How long errors of the lifter stay the same, s; from `tests/refine_study.rs`: longer is smoother and less accurate.
const SAME_ERROR_SECS: f64 = 0.2;
/// How fast velocities change: variance per second, m²/s³, for x, y and z.
const VELOCITY_CHANGE: [f64; 3] = [4.0, 4.0, 1.0];
/// Standard deviation of the velocity of somebody who is seen for the first time, m/s.
const FIRST_SPEED: f64 = 1.5;
/// The velocity of somebody unseen falls to 1/e in this time, s.
const DECAY_SECS: f64 = 0.7;
/// Longer steps count as unseen time.
const LONGEST_STEP_SECS: f64 = 0.2;
/// Largest standard deviation of a position that is ever carried on, m.
const LARGEST_SIGMA_M: f64 = 10.0;

/// A root with its covariance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    /// Pelvis in the camera optical frame, m.
    pub position: Vector3<f64>,
    /// Its covariance without the uncertainty of the body's scale, m².
    pub covariance: Matrix3<f64>,
}

/// Position and velocity along one axis with their covariance.
#[derive(Clone, Copy, Debug)]
struct Axis {
    position: f64,
    velocity: f64,
    variance: f64,
    correlation: f64,
    velocity_variance: f64,
}

impl Axis {
    fn first(position: f64, variance: f64) -> Self {
        Self { position, velocity: 0.0, variance, correlation: 0.0, velocity_variance: FIRST_SPEED * FIRST_SPEED }
    }

    fn advance(&mut self, dt: f64, change: f64) {
        let (way, keep) = if dt <= LONGEST_STEP_SECS {
            (dt, 1.0)
        } else {
            let keep = (-dt / DECAY_SECS).exp();
            (DECAY_SECS * (1.0 - keep), keep)
        };
        self.position += self.velocity * way;
        self.velocity *= keep;
        let change = change * dt;
        self.variance += way * (2.0 * self.correlation + way * self.velocity_variance) + change * dt * dt / 3.0;
        self.correlation = keep * (self.correlation + way * self.velocity_variance) + 0.5 * change * dt;
        self.velocity_variance = keep * keep * self.velocity_variance + change;
        let most = LARGEST_SIGMA_M * LARGEST_SIGMA_M;
        if !(self.variance <= most) {
            *self = Self::first(self.position, most);
        }
    }

    /// Takes over a position that already contains this prediction, and tells the velocity.
    fn update(&mut self, position: f64, variance: f64) {
        let gain = self.correlation / self.variance;
        let left = (variance / self.variance).clamp(0.0, 1.0);
        self.velocity += gain * (position - self.position);
        self.velocity_variance -= gain * self.correlation * (1.0 - left);
        self.correlation *= left;
        (self.position, self.variance) = (position, self.variance * left);
    }
}

/// The root over time.
#[derive(Clone, Copy, Debug)]
pub(super) struct RootFilter {
    axes: [Axis; 3],
}

impl RootFilter {
    /// The root so far.
    pub(super) fn root(&self) -> Root {
        let axis = |pick: fn(&Axis) -> f64| Vector3::from(self.axes.map(|axis| pick(&axis)));
        Root { position: axis(|axis| axis.position), covariance: Matrix3::from_diagonal(&axis(|axis| axis.variance)) }
    }

    /// Lets `dt` ≥ 0 seconds pass.
    pub(super) fn advance(&mut self, dt: f64) {
        for (axis, change) in self.axes.iter_mut().zip(VELOCITY_CHANGE) {
            axis.advance(dt, change);
        }
        // Everybody stays before the camera.
        let depth = &mut self.axes[2];
        if depth.position < DEPTH_RANGE_M.0 {
            (depth.position, depth.velocity) = (DEPTH_RANGE_M.0, 0.0);
        }
    }

    /// The person is `ratio` times as large and as far away as was thought.
    pub(super) fn rescale(&mut self, ratio: f64) {
        for axis in &mut self.axes {
            axis.position *= ratio;
            axis.velocity *= ratio;
            for variance in [&mut axis.variance, &mut axis.correlation, &mut axis.velocity_variance] {
                *variance *= ratio * ratio;
            }
        }
    }

    /// Nobody was seen for `dt` seconds: the person slows down.
    pub(super) fn slow_down(&mut self, dt: f64) {
        for axis in &mut self.axes {
            axis.velocity *= (-dt / DECAY_SECS).exp();
        }
    }
}

/// The linear equations of all keypoints, reduced to what they say about the depth.
struct Equations {
    weight: f64,
    mean_point: [f64; 2],
    mean_value: [f64; 2],
    depth: f64,
    depth_information: f64,
}

impl Equations {
    fn of(
        lifted: &LiftedPose,
        keypoints: &JointArray<Option<KeypointForRefinement>>,
        depth: f64,
        root: Option<&Root>,
    ) -> Option<Self> {
        let mut sums = [0.0; 7];
        for (joint, keypoint) in keypoints.iter().enumerate() {
            let Some(keypoint) = keypoint else { continue };
            let offset = lifted.joints_from_root[joint];
            let at = (depth + offset.z).max(DEPTH_RANGE_M.0);
            let variance = (keypoint.sigma * at).powi(2) + lifted.sigma_lateral[joint].powi(2);
            let (x, y) = (keypoint.point.x, keypoint.point.y);
            let (value_x, value_y) = (x * offset.z - offset.x, y * offset.z - offset.y);
            let kernel = root.map_or(1.0, |root| {
                let (miss_x, miss_y) =
                    (root.position.x - x * root.position.z - value_x, root.position.y - y * root.position.z - value_y);
                let spread = variance + 0.5 * (root.covariance[(0, 0)] + root.covariance[(1, 1)]);
                (1.0 + (miss_x * miss_x + miss_y * miss_y) / (spread * KERNEL_SIGMAS * KERNEL_SIGMAS)).powi(-2)
            });
            let weight = keypoint.confidence * kernel / variance;
            let terms = [1.0, x, y, value_x, value_y, x * x + y * y, -(x * value_x + y * value_y)];
            for (sum, term) in sums.iter_mut().zip(terms) {
                *sum += weight * term;
            }
        }
        let weight = sums[0];
        if !(weight > 0.0 && sums.iter().all(|sum| sum.is_finite())) {
            return None;
        }
        let [x, y, value_x, value_y] = [1, 2, 3, 4].map(|index| sums[index] / weight);
        let depth_information = (sums[5] - weight * (x * x + y * y)).max(0.0);
        let right = sums[6] + weight * (x * value_x + y * value_y);
        Some(Self {
            weight,
            mean_point: [x, y],
            mean_value: [value_x, value_y],
            depth: if depth_information > 1e-9 { right / depth_information } else { depth },
            depth_information: if depth_information > 1e-9 { depth_information } else { 0.0 },
        })
    }

    /// The root, where the depth is known from here and elsewhere.
    fn root(&self, depth: f64, depth_variance: f64, prior: Option<&Root>) -> Root {
        let mut position = Vector3::new(0.0, 0.0, depth);
        let mut slopes = Vector3::new(0.0, 0.0, 1.0);
        let mut lateral = Matrix3::zeros();
        for axis in 0..2 {
            let seen = self.mean_value[axis] + self.mean_point[axis] * depth;
            let (information, mean) =
                prior.map_or((0.0, 0.0), |prior| (1.0 / prior.covariance[(axis, axis)], prior.position[axis]));
            let share = self.weight / (self.weight + information);
            position[axis] = mean + (seen - mean) * share;
            slopes[axis] = self.mean_point[axis] * share;
            lateral[(axis, axis)] = 1.0 / (self.weight + information);
        }
        Root { position, covariance: lateral + slopes * slopes.transpose() * depth_variance }
    }
}

/// Places the root by the keypoints and, where there is one, the filter's prediction (already advanced by `dt`), and
/// updates the filter. `None`, and an unchanged filter, when neither tells or the answer is nowhere.
pub(super) fn place(
    filter: &mut Option<RootFilter>,
    dt: f64,
    lifted: &LiftedPose,
    keypoints: &JointArray<Option<KeypointForRefinement>>,
) -> Option<Root> {
    let prior = filter.map(|filter| filter.root());
    let count = keypoints.iter().flatten().count();
    if count == 0 || (prior.is_none() && count < MIN_KEYPOINTS) {
        return None;
    }
    let mut depth = prior.map_or_else(|| rough_depth(lifted, keypoints), |prior| Some(prior.position.z))?;
    // Opinions of one and the same error count once.
    let share = if prior.is_some() { (dt / SAME_ERROR_SECS).clamp(0.0, 1.0) } else { 1.0 };
    let mut found = prior;
    for _ in 0..REWEIGHTINGS {
        let equations = Equations::of(lifted, keypoints, depth, found.as_ref())?;
        let prior_information = prior.map_or(0.0, |prior| 1.0 / prior.covariance[(2, 2)]);
        let seen_information = equations.depth_information * share;
        let information = prior_information + seen_information;
        if !(information > 0.0) {
            return None;
        }
        let from_prior = prior.map_or(0.0, |prior| prior_information * prior.position.z);
        depth = (from_prior + seen_information * equations.depth) / information;
        let variance = 1.0 / information;
        let is_somewhere = (DEPTH_RANGE_M.0..DEPTH_RANGE_M.1).contains(&depth);
        if !is_somewhere || (prior.is_none() && variance.sqrt() > LARGEST_DEPTH_SIGMA * depth) {
            return None;
        }
        found = Some(equations.root(depth, variance, prior.as_ref()));
    }
    let root = found.filter(|root| root.position.iter().all(|value| value.is_finite()))?;
    let variance = |axis: usize| root.covariance[(axis, axis)].max(1e-8);
    if let Some(filter) = filter {
        for (index, axis) in filter.axes.iter_mut().enumerate() {
            axis.update(root.position[index], variance(index));
        }
    } else {
        let axis = |axis: usize| Axis::first(root.position[axis], variance(axis));
        *filter = Some(RootFilter { axes: [axis(0), axis(1), axis(2)] });
    }
    Some(root)
}

/// Depth from the ratio of the lifter's lateral extent to the extent on the plane.
fn rough_depth(lifted: &LiftedPose, keypoints: &JointArray<Option<KeypointForRefinement>>) -> Option<f64> {
    let seen = || keypoints.iter().enumerate().filter_map(|(joint, keypoint)| Some((joint, (*keypoint)?.point)));
    let count = seen().count() as f64;
    let mean_joint =
        seen().map(|(joint, _)| lifted.joints_from_root[joint].xy()).sum::<nalgebra::Vector2<f64>>() / count;
    let mean_point = seen().map(|(_, point)| point.coords).sum::<nalgebra::Vector2<f64>>() / count;
    let joints: f64 = seen().map(|(joint, _)| (lifted.joints_from_root[joint].xy() - mean_joint).norm_squared()).sum();
    let points: f64 = seen().map(|(_, point)| (point.coords - mean_point).norm_squared()).sum();
    let depth = (joints / points).sqrt();
    (depth.is_finite() && points > 0.0).then(|| depth.clamp(DEPTH_RANGE_M.0, DEPTH_RANGE_M.1))
}
