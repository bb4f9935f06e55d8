//! Plain data that flows between the stages. No behaviour beyond construction and access.

mod attitude;
mod bounding_box;
mod estimate;
mod keypoint;
mod level;
mod lifted_pose;
mod stamp;
mod turn;
mod upright;

pub use attitude::{Attitude, tilt_and_roll};
pub use bounding_box::BoundingBox;
pub use estimate::{Covariance, JointEstimate, JointState, MeasuredKeypoint, PersonEstimate, PoseEstimate, TrackId};
pub use keypoint::{Detection, Keypoint, KeypointsInImage, PersonKeypoints};
pub use level::{LevelImage, LevelView};
pub use lifted_pose::LiftedPose;
pub use stamp::Stamp;
pub use turn::Turn;
pub use upright::Upright;
