//! `hri_msgs` (REP-155, ROS4HRI): the list of bodies in view, and the 2D skeleton and region of each. Written only.

use super::{Encode, Message, std_msgs::Header};
use crate::adapters::cdr::CdrWriter;

/// Keypoints of [`Skeleton2D`]: OpenPose's COCO order.
pub const SKELETON_2D_KEYPOINTS: usize = 18;

/// Who is in view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdsList<'a> {
    /// When.
    pub header: Header<'a>,
    /// Identities.
    pub ids: &'a [String],
}

impl Message for IdsList<'_> {
    const TYPE: &'static str = "hri_msgs/msg/IdsList";
}

impl Encode for IdsList<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.header.encode(writer);
        writer.sequence_length(self.ids.len());
        self.ids.iter().for_each(|id| writer.string(id));
    }
}

/// One body in the image. Coordinates are shares of the image's width and height, in [0, 1] from its upper left corner.
#[derive(Clone, Debug, PartialEq)]
pub struct Skeleton2D<'a> {
    /// When, in which camera.
    pub header: Header<'a>,
    /// x, y and confidence of each keypoint; all 0 where it was not found.
    pub skeleton: [[f32; 3]; SKELETON_2D_KEYPOINTS],
}

impl Message for Skeleton2D<'_> {
    const TYPE: &'static str = "hri_msgs/msg/Skeleton2D";
}

impl Encode for Skeleton2D<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.header.encode(writer);
        writer.f32_elements(self.skeleton.as_flattened());
    }
}

/// The region of one body; coordinates as in [`Skeleton2D`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormalizedRegionOfInterest2D<'a> {
    /// When, in which camera.
    pub header: Header<'a>,
    /// x and y of the upper left corner, then of the lower right one.
    pub corners: [f32; 4],
    /// Confidence in [0, 1].
    pub confidence: f32,
}

impl Message for NormalizedRegionOfInterest2D<'_> {
    const TYPE: &'static str = "hri_msgs/msg/NormalizedRegionOfInterest2D";
}

impl Encode for NormalizedRegionOfInterest2D<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.header.encode(writer);
        writer.f32_elements(&self.corners);
        writer.f32_elements(&[self.confidence]);
    }
}
