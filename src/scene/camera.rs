//! A camera on a slowly driving robot.

use nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};
use rand::{Rng, RngExt};

/// Where the camera is at any time.
#[derive(Clone, Debug)]
pub(super) struct MovingCamera {
    moves: bool,
    height: f64,
    tilt: f64,
    pan_phase: f64,
}

impl MovingCamera {
    pub(super) fn new(rng: &mut impl Rng, moves: bool) -> Self {
        Self {
            moves,
            height: rng.random_range(1.1..1.5),
            tilt: rng.random_range(0.02..0.08),
            pan_phase: rng.random_range(0.0..std::f64::consts::TAU),
        }
    }

    /// The camera drives to and fro along x, weaves, pans, and nods a little on the ground.
    pub(super) fn camera_from_world(&self, time: f64) -> Isometry3<f64> {
        let on = if self.moves { 1.0 } else { 0.0 };
        let position = Vector3::new(
            on * 0.6 * (1.0 - (0.5 * time).cos()),
            on * 0.25 * (0.7 * time).sin(),
            self.height + on * 0.004 * (17.0 * time).sin(),
        );
        let pan = on * 0.10 * (0.9 * time + self.pan_phase).sin();
        let tilt = self.tilt + on * 0.004 * (11.0 * time).sin();
        // Optical axes of a camera that looks along world x: x right = -y, y down = -z, z forward = x.
        let level = Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0);
        let world_from_camera = Rotation3::from_axis_angle(&Vector3::z_axis(), pan)
            * Rotation3::from_axis_angle(&Vector3::y_axis(), tilt)
            * Rotation3::from_matrix_unchecked(level);
        let rotation = UnitQuaternion::from_rotation_matrix(&world_from_camera);
        Isometry3::from_parts(Translation3::from(position), rotation).inverse()
    }
}
