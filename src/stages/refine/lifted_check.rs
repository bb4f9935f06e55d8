//! Whether a lifted pose is one at all: a network may answer anything, and nothing of it may reach a covariance.

use crate::data::LiftedPose;
use crate::skeleton::Joint;

/// No joint lies further from the pelvis, m.
const LARGEST_REACH_M: f64 = 5.0;
/// The root of a root-relative pose lies at its origin, but for rounding, m.
const ROOT_TOLERANCE_M: f64 = 1e-3;
/// A lifter less sure than this says nothing, m.
const LARGEST_SIGMA_M: f64 = 10.0;

/// The pelvis at the origin, joints within reach, standard deviations positive and not absurd, the direction a unit vector; all finite.
pub(super) fn is_usable(lifted: &LiftedPose) -> bool {
    let in_reach = |joint: &nalgebra::Vector3<f64>| joint.iter().all(|value| value.abs() < LARGEST_REACH_M);
    let sigmas = lifted.sigma_lateral.iter().chain(&lifted.sigma_depth);
    lifted.joints_from_root.iter().all(in_reach)
        && lifted.joints_from_root[Joint::Pelvis.index()].norm() < ROOT_TOLERANCE_M
        && sigmas.into_iter().all(|&sigma| sigma > 0.0 && sigma < LARGEST_SIGMA_M)
        && (lifted.viewing_direction.norm() - 1.0).abs() < 1e-3
}
