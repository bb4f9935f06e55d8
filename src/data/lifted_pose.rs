//! What the lifter says about one person at one time.

use nalgebra::{Unit, Vector3};

use crate::skeleton::JointArray;

/// What the lifter says about one person at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiftedPose {
    /// Joints relative to the pelvis, in the axes of the camera optical frame (x right, y down, z forward), m.
    pub joints_from_root: JointArray<Vector3<f64>>,
    /// Standard deviation across the viewing ray, m, per joint (each of the two lateral directions).
    pub sigma_lateral: JointArray<f64>,
    /// Standard deviation along the viewing ray, m, per joint.
    pub sigma_depth: JointArray<f64>,
    /// Unit vector of the ray through the person's centre in the camera optical frame.
    pub viewing_direction: Unit<Vector3<f64>>,
}
