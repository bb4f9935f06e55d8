//! How the camera stands.

use nalgebra::UnitVector3;

/// What is known of a camera's place over the ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Upright {
    /// Direction of gravity in the camera optical frame.
    pub down: UnitVector3<f64>,
    /// Height of the camera over the level floor that people stand on, m; `None` where nobody knows it.
    pub camera_height: Option<f64>,
}
