//! 2D landmarks in the image.

use crate::data::BoundingBox;
use crate::skeleton::JOINT_COUNT;

/// One 2D landmark in the original image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keypoint {
    /// Column in px; integer coordinates are pixel centres.
    pub x: f32,
    /// Row in px; integer coordinates are pixel centres.
    pub y: f32,
    /// Raw output of the 2D network in [0, 1]; not a probability.
    pub score: f32,
    /// Standard deviation of the network's own peak in px, where the decoder has one.
    pub spread: Option<f32>,
}

/// The keypoints of one person in the internal joint order ([`crate::skeleton::Joint`]).
/// `None` is a joint that the detector's layout lacks or that was not found: both are *masked*.
pub type KeypointsInImage = [Option<Keypoint>; JOINT_COUNT];

/// One person as a 2D stage (ours or somebody else's node) reports it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PersonKeypoints {
    /// Keypoints in image px, internal joint order.
    pub keypoints: KeypointsInImage,
    /// How sure the 2D stage is that this is a person, in [0, 1].
    pub score: f32,
}

impl PersonKeypoints {
    /// No keypoint and no person.
    pub const NOBODY: Self = Self { keypoints: [None; JOINT_COUNT], score: 0.0 };
}

/// One person found by the detector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Rectangle around the person, image px.
    pub bbox_in_image_px: BoundingBox,
    /// Raw detector output in [0, 1].
    pub score: f32,
}
