//! The body: the internal joint set, the layouts of 2D detectors and how they map onto it.

mod dataset_layout;
mod joint;
mod layout;

pub use dataset_layout::DatasetLayout;
pub use joint::{BONES, JOINT_COUNT, Joint, JointArray};
pub use layout::{KeypointLayout, UnknownLayout};
