//! Joint orders of the field's data sets with 17 joints, each joint of which is one of the internal set.
//!
//! * `h36m_17`: the order of VideoPose3D and of all that follow it: Hip, RHip, RKnee, RFoot, LHip, LKnee, LFoot, Spine, Thorax,
//!   Neck/Nose, Head, LShoulder, LElbow, LWrist, RShoulder, RElbow, RWrist (Human3.6M's joints 0–3, 6–8, 12–15, 17–19, 25–27).
//!   It is the internal set: the "foot" is the ankle, "Neck/Nose" our nose.
//! * `mpi_inf_3dhp_17`: the order of `annot3` and `univ_annot3` in the test set of MPI-INF-3DHP: head top, neck, right arm from
//!   the shoulder, left arm, right leg from the hip, left leg, pelvis, spine, head. Its head top is our head, its neck our
//!   thorax, and its head, inside the skull, stands where Human3.6M has "Neck/Nose": the field equates them, though they
//!   are some centimetres apart. The data set's own joint groups leave that one out.

use super::joint::{Joint, JointArray};

/// The order of the joints of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatasetLayout {
    /// Human3.6M, 17 joints, order of VideoPose3D.
    H36m17,
    /// Test set of MPI-INF-3DHP, 17 joints.
    MpiInf3dhp17,
}

impl DatasetLayout {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::H36m17, Self::MpiInf3dhp17];

    /// Name in files and options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H36m17 => Joint::SET_NAME,
            Self::MpiInf3dhp17 => "mpi_inf_3dhp_17",
        }
    }

    /// The layout called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.name() == name)
    }

    /// The internal joint at each place.
    pub const fn joints(self) -> JointArray<Joint> {
        match self {
            Self::H36m17 => Joint::ALL,
            Self::MpiInf3dhp17 => [
                Joint::Head,
                Joint::Thorax,
                Joint::RShoulder,
                Joint::RElbow,
                Joint::RWrist,
                Joint::LShoulder,
                Joint::LElbow,
                Joint::LWrist,
                Joint::RHip,
                Joint::RKnee,
                Joint::RAnkle,
                Joint::LHip,
                Joint::LKnee,
                Joint::LAnkle,
                Joint::Pelvis,
                Joint::Spine,
                Joint::Nose,
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_layout_has_every_joint_once() {
        for layout in DatasetLayout::ALL {
            assert_eq!(layout.joints().iter().collect::<BTreeSet<_>>().len(), layout.joints().len());
            assert_eq!(DatasetLayout::from_name(layout.name()), Some(layout));
        }
        assert_eq!(DatasetLayout::from_name("coco_17"), None);
    }
}
