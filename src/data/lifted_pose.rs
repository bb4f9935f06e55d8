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

impl LiftedPose {
    /// The pose at `fraction` of the way from this one to `other`, 0 to 1.
    #[must_use]
    pub fn toward(&self, other: &Self, fraction: f64) -> Self {
        let scalars = |from: &JointArray<f64>, to: &JointArray<f64>| -> JointArray<f64> {
            std::array::from_fn(|joint| from[joint] + (to[joint] - from[joint]) * fraction)
        };
        Self {
            joints_from_root: std::array::from_fn(|joint| {
                self.joints_from_root[joint].lerp(&other.joints_from_root[joint], fraction)
            }),
            sigma_lateral: scalars(&self.sigma_lateral, &other.sigma_lateral),
            sigma_depth: scalars(&self.sigma_depth, &other.sigma_depth),
            viewing_direction: Unit::new_normalize(self.viewing_direction.lerp(&other.viewing_direction, fraction)),
        }
    }
}
