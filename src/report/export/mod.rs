//! Skeletons in the formats of other programs.
//!
//! | format | people | frame | unit | time |
//! |---|---|---|---|---|
//! | CSV | all | camera optical, or any | m | stamps; in the camera's frame what [`crate::adapters::truth::csv`] reads |
//! | JSON | all | camera optical, or any | m | stamps |
//! | BVH | one track a file | y up | cm | even steps |
//! | TRC (OpenSim) | one track a file | y up | mm | seconds since the first image |
//!
//! *y up* is the camera optical frame turned by half a turn around its x axis: x right, y up, z towards the camera. Up is
//! the camera's up: a camera that looks down gives people who lean. [`PlacedSequence`] has them in a frame that stands upright: x stays,
//! y is its z, z is its −y.

mod bvh;
mod csv;
mod json;
mod placed;
mod track;
mod trc;

pub use bvh::{Bvh, BvhError};
pub use csv::to_csv;
pub use json::to_json;
pub use placed::{PlacedSequence, Up};
pub use track::{TrackSeries, tracks};
pub use trc::to_trc;

use crate::data::JointState;

/// Name of a state in files.
const fn state_name(state: JointState) -> &'static str {
    match state {
        JointState::Absent => "absent",
        JointState::Predicted => "predicted",
        JointState::Inferred => "inferred",
        JointState::Measured => "measured",
    }
}
