//! Skeletons in the formats of other programs.
//!
//! | format | people | frame | unit | time |
//! |---|---|---|---|---|
//! | CSV | all | camera optical | m | stamps; what [`crate::adapters::truth::csv`] reads |
//! | JSON | all | camera optical | m | stamps |
//! | BVH | one track a file | y up | cm | even steps |
//! | TRC (OpenSim) | one track a file | y up | mm | seconds since the first image |
//!
//! *y up* is the camera optical frame turned by half a turn around its x axis: x right, y up, z towards the camera. Up is
//! the camera's up: a camera that looks down gives people who lean.

mod bvh;
mod csv;
mod json;
mod track;
mod trc;

pub use bvh::{Bvh, BvhError};
pub use csv::to_csv;
pub use json::to_json;
pub use track::{TrackSeries, tracks};
pub use trc::to_trc;

use nalgebra::{Point3, Vector3};

use crate::data::JointState;

/// From the camera optical frame to y up.
fn y_up(position_in_camera: &Point3<f64>) -> Vector3<f64> {
    Vector3::new(position_in_camera.x, -position_in_camera.y, -position_in_camera.z)
}

/// Name of a state in files.
const fn state_name(state: JointState) -> &'static str {
    match state {
        JointState::Absent => "absent",
        JointState::Predicted => "predicted",
        JointState::Inferred => "inferred",
        JointState::Measured => "measured",
    }
}
