//! Keypoint layouts of 2D detectors and their mapping onto the internal joints.
//!
//! A joint that a layout does not have stays masked, exactly like an occluded one: no keypoint is invented.

use crate::data::{Keypoint, KeypointsInImage};
use crate::skeleton::{JOINT_COUNT, Joint};

/// The order in which a 2D detector lists its keypoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeypointLayout {
    /// The internal set itself, 17 joints of Human3.6M.
    H36m17,
    /// COCO, 17 keypoints (`MoveNet`, `YOLO` pose, `HRNet`, `RTMPose` body).
    Coco17,
    /// Halpe, 26 keypoints: COCO plus head top, neck, pelvis and feet.
    Halpe26,
    /// `BlazePose`, 33 landmarks.
    BlazePose33,
}

/// A layout name that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("keypoint layout \"{name}\" is not known; known are h36m_17, coco_17, halpe_26, blazepose_33")]
pub struct UnknownLayout {
    /// The name that was asked for.
    pub name: String,
}

impl KeypointLayout {
    /// All layouts.
    pub const ALL: [Self; 4] = [Self::H36m17, Self::Coco17, Self::Halpe26, Self::BlazePose33];

    /// Name in contracts, parameters and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H36m17 => Joint::SET_NAME,
            Self::Coco17 => "coco_17",
            Self::Halpe26 => "halpe_26",
            Self::BlazePose33 => "blazepose_33",
        }
    }

    /// The layout called `name`.
    ///
    /// # Errors
    /// [`UnknownLayout`], which lists the known names.
    pub fn from_name(name: &str) -> Result<Self, UnknownLayout> {
        Self::ALL
            .into_iter()
            .find(|layout| layout.name() == name)
            .ok_or_else(|| UnknownLayout { name: name.to_owned() })
    }

    /// Number of keypoints in the detector's own order.
    pub const fn keypoint_count(self) -> usize {
        match self {
            Self::H36m17 | Self::Coco17 => 17,
            Self::Halpe26 => 26,
            Self::BlazePose33 => 33,
        }
    }

    /// Index of `joint` in the detector's own order; `None` where the layout lacks it.
    pub const fn index_of(self, joint: Joint) -> Option<usize> {
        match self {
            Self::H36m17 => Some(joint.index()),
            Self::Coco17 => coco_index(joint),
            Self::Halpe26 => match joint {
                Joint::Head => Some(17),
                Joint::Thorax => Some(18),
                Joint::Pelvis => Some(19),
                other => coco_index(other),
            },
            Self::BlazePose33 => match joint {
                Joint::Nose => Some(0),
                Joint::LShoulder => Some(11),
                Joint::RShoulder => Some(12),
                Joint::LElbow => Some(13),
                Joint::RElbow => Some(14),
                Joint::LWrist => Some(15),
                Joint::RWrist => Some(16),
                Joint::LHip => Some(23),
                Joint::RHip => Some(24),
                Joint::LKnee => Some(25),
                Joint::RKnee => Some(26),
                Joint::LAnkle => Some(27),
                Joint::RAnkle => Some(28),
                Joint::Pelvis | Joint::Spine | Joint::Thorax | Joint::Head => None,
            },
        }
    }

    /// Whether the layout has `joint` at all.
    pub const fn has(self, joint: Joint) -> bool {
        self.index_of(joint).is_some()
    }

    /// Reorders a detector's keypoints into the internal set; joints the layout lacks stay `None`.
    ///
    /// `keypoints` are in the detector's own order; entries beyond its length count as not found.
    pub fn to_internal(self, keypoints: &[Option<Keypoint>]) -> KeypointsInImage {
        let mut internal = [None; JOINT_COUNT];
        for joint in Joint::ALL {
            internal[joint.index()] = self.index_of(joint).and_then(|index| keypoints.get(index).copied().flatten());
        }
        internal
    }
}

const fn coco_index(joint: Joint) -> Option<usize> {
    match joint {
        Joint::Nose => Some(0),
        Joint::LShoulder => Some(5),
        Joint::RShoulder => Some(6),
        Joint::LElbow => Some(7),
        Joint::RElbow => Some(8),
        Joint::LWrist => Some(9),
        Joint::RWrist => Some(10),
        Joint::LHip => Some(11),
        Joint::RHip => Some(12),
        Joint::LKnee => Some(13),
        Joint::RKnee => Some(14),
        Joint::LAnkle => Some(15),
        Joint::RAnkle => Some(16),
        Joint::Pelvis | Joint::Spine | Joint::Thorax | Joint::Head => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keypoint(x: f32) -> Keypoint {
        Keypoint { x, y: 0.0, score: 1.0, spread: None }
    }

    #[test]
    fn every_layout_maps_distinct_indices_within_its_length() {
        for layout in KeypointLayout::ALL {
            let mut indices: Vec<_> = Joint::ALL.into_iter().filter_map(|joint| layout.index_of(joint)).collect();
            assert!(indices.iter().all(|&index| index < layout.keypoint_count()));
            let count = indices.len();
            indices.sort_unstable();
            indices.dedup();
            assert_eq!(indices.len(), count, "{} maps two joints onto one keypoint", layout.name());
            assert_eq!(KeypointLayout::from_name(layout.name()), Ok(layout));
        }
        assert!(KeypointLayout::from_name("openpose_25").is_err());
    }

    #[test]
    fn coco_leaves_the_midline_masked() {
        let keypoints: Vec<_> = (0..17).map(|index| Some(keypoint(index as f32))).collect();
        let internal = KeypointLayout::Coco17.to_internal(&keypoints);
        for joint in [Joint::Pelvis, Joint::Spine, Joint::Thorax, Joint::Head] {
            assert_eq!(internal[joint.index()], None);
        }
        assert_eq!(internal[Joint::RAnkle.index()], Some(keypoint(16.0)));
        assert_eq!(internal.iter().flatten().count(), 13);
    }

    #[test]
    fn a_short_list_masks_what_is_missing() {
        let internal = KeypointLayout::BlazePose33.to_internal(&[Some(keypoint(0.0))]);
        assert_eq!(internal.iter().flatten().count(), 1);
    }
}
