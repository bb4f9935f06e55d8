//! Where the person is: closed-form weighted least squares.
//!
//! With the lifter's root-relative joints X̂ each keypoint (x, y) on the z = 1 plane gives two equations that are
//! linear in the root R: (R + X̂)_x − x (R + X̂)_z = 0 and the same in y. They are weighted by confidence over the
//! variance of keypoint and lifter at the joint's depth, and re-weighted three times with Cauchy's kernel so that a
//! keypoint on somebody else does not move the person.

use nalgebra::{Matrix3, RowVector3, Vector3};

use super::KeypointForRefinement;
use super::solver::RootPrior;
use crate::data::LiftedPose;
use crate::skeleton::JointArray;

/// Fewer keypoints than this do not say how far away a person is.
const MIN_KEYPOINTS: usize = 4;
/// Nobody stands nearer or further, m.
const DEPTH_RANGE_M: (f64, f64) = (0.2, 200.0);
const REWEIGHTINGS: usize = 4;
/// Kernel width in standard deviations.
const KERNEL_SIGMAS: f64 = 2.5;

/// A root with its covariance.
#[derive(Clone, Copy, Debug)]
pub struct Root {
    /// Pelvis in the camera optical frame, m.
    pub position: Vector3<f64>,
    /// Its covariance, m².
    pub covariance: Matrix3<f64>,
}

/// The root that the keypoints and, where there is one, the past agree on. `None` when neither tells.
pub fn solve(
    lifted: &LiftedPose,
    keypoints: &JointArray<Option<KeypointForRefinement>>,
    prior: Option<&RootPrior>,
) -> Option<Root> {
    let count = keypoints.iter().flatten().count();
    if count == 0 || (prior.is_none() && count < MIN_KEYPOINTS) {
        return None;
    }
    let prior_information = prior.and_then(|prior| prior.covariance.try_inverse().map(|inverse| (inverse, prior.mean)));
    let mut depth = prior.map_or_else(|| rough_depth(lifted, keypoints), |prior| Some(prior.mean.z))?;
    let mut found: Option<Root> = None;
    for _ in 0..REWEIGHTINGS {
        let mut normal = Matrix3::zeros();
        let mut right = Vector3::zeros();
        for (joint, keypoint) in keypoints.iter().enumerate() {
            let Some(keypoint) = keypoint else { continue };
            let offset = lifted.joints_from_root[joint];
            let at = (depth + offset.z).max(DEPTH_RANGE_M.0);
            let variance = (keypoint.sigma * at).powi(2) + lifted.sigma_lateral[joint].powi(2);
            let rows = [
                (RowVector3::new(1.0, 0.0, -keypoint.point.x), keypoint.point.x * offset.z - offset.x),
                (RowVector3::new(0.0, 1.0, -keypoint.point.y), keypoint.point.y * offset.z - offset.y),
            ];
            let kernel = found.map_or(1.0, |root| {
                let squared: f64 = rows.iter().map(|(row, value)| ((row * root.position).x - value).powi(2)).sum();
                1.0 / (1.0 + squared / (variance * KERNEL_SIGMAS * KERNEL_SIGMAS))
            });
            let weight = keypoint.confidence * kernel / variance;
            for (row, value) in rows {
                normal += row.transpose() * row * weight;
                right += row.transpose() * (value * weight);
            }
        }
        if let Some((information, mean)) = &prior_information {
            normal += information;
            right += information * mean;
        }
        let covariance = normal.try_inverse()?;
        let position = covariance * right;
        let is_somewhere = (DEPTH_RANGE_M.0..DEPTH_RANGE_M.1).contains(&position.z);
        if !is_somewhere || !covariance.iter().all(|value| value.is_finite()) {
            return None;
        }
        depth = position.z;
        found = Some(Root { position, covariance });
    }
    found
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
