//! What leaves the pipeline for one image.

use nalgebra::{Matrix3, Point3};

use crate::data::{BoundingBox, Stamp};
use crate::skeleton::JOINT_COUNT;
use crate::warning::Warning;

/// Identity of a person, stable while the person is tracked. Never 0, never reused within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(pub u32);

/// Where the position of a joint came from, weakest first (`state` of `stridepose/msg/Joint`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum JointState {
    /// No position is given.
    Absent = 0,
    /// No keypoint of this person in this image: carried on by the temporal model alone.
    Predicted = 1,
    /// The person was seen, this joint was not: inferred from the other joints and the past.
    Inferred = 2,
    /// A keypoint of this very image supports the joint.
    Measured = 3,
}

/// Symmetric 3×3 covariance in m².
pub type Covariance = Matrix3<f64>;

/// The 2D keypoint that a measured joint rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredKeypoint {
    /// Column in image px.
    pub u: f32,
    /// Row in image px.
    pub v: f32,
    /// Raw score of the 2D network in [0, 1].
    pub score: f32,
}

/// One joint of one person in the camera's optical frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointEstimate {
    /// Position in the camera optical frame (x right, y down, z forward), m.
    pub position_in_camera: Point3<f64>,
    /// Covariance of the position in the camera optical frame, m².
    pub covariance: Covariance,
    /// Calibrated probability in [0, 1] that the joint is within 150 mm of the truth.
    pub confidence: f64,
    /// Where the position came from.
    pub state: JointState,
    /// The supporting keypoint, for [`JointState::Measured`] only.
    pub keypoint: Option<MeasuredKeypoint>,
}

/// One person in one image.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonEstimate {
    /// Identity.
    pub track_id: TrackId,
    /// Joints in the internal order ([`crate::skeleton::Joint`]).
    pub joints: [JointEstimate; JOINT_COUNT],
    /// How sure the pipeline is that this is a person, in [0, 1].
    pub score: f64,
    /// Score of the spatio-temporal discriminator in [0, 1], where the lifter comes with one.
    pub plausibility: Option<f64>,
    /// Root mean square distance between projected joints and keypoints in px, over measured joints.
    pub reprojection_error_px: Option<f64>,
    /// Rectangle around the person, image px.
    pub bbox_in_image_px: BoundingBox,
}

/// Everything the pipeline says about one image.
#[derive(Clone, Debug, PartialEq)]
pub struct PoseEstimate {
    /// The image's own stamp, untouched.
    pub stamp: Stamp,
    /// Everybody in view, by ascending [`TrackId`].
    pub people: Vec<PersonEstimate>,
    /// Recoverable trouble with this image.
    pub warnings: Vec<Warning>,
}
