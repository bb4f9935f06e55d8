//! The joint groups in which MPI-INF-3DHP reports 3DPCK and AUC.
//!
//! From the evaluation script of the data set (Mehta et al., *Monocular 3D human pose estimation in the wild using
//! improved CNN supervision*, 3DV 2017; `mpii_get_pck_auc_joint_groups.m` in the form that the field uses): head (top),
//! neck, shoulders, elbows, wrists, hips, knees, ankles: 14 joints. Pelvis, spine and the joint in the face belong to no
//! group, so that the root's own zero error does not count. The neck of that data set is our thorax.

use crate::skeleton::Joint;

/// One group: its name and its joints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JointGroup {
    /// Name in files and tables.
    pub name: &'static str,
    /// Its joints.
    pub joints: &'static [Joint],
}

/// The groups in the data set's order.
pub const JOINT_GROUPS: [JointGroup; 8] = [
    JointGroup { name: "head", joints: &[Joint::Head] },
    JointGroup { name: "neck", joints: &[Joint::Thorax] },
    JointGroup { name: "shoulders", joints: &[Joint::LShoulder, Joint::RShoulder] },
    JointGroup { name: "elbows", joints: &[Joint::LElbow, Joint::RElbow] },
    JointGroup { name: "wrists", joints: &[Joint::LWrist, Joint::RWrist] },
    JointGroup { name: "hips", joints: &[Joint::LHip, Joint::RHip] },
    JointGroup { name: "knees", joints: &[Joint::LKnee, Joint::RKnee] },
    JointGroup { name: "ankles", joints: &[Joint::LAnkle, Joint::RAnkle] },
];

/// The 14 joints of all groups.
pub fn grouped_joints() -> Vec<Joint> {
    JOINT_GROUPS.iter().flat_map(|group| group.joints).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn fourteen_joints_each_once_and_both_sides_together() {
        let joints = grouped_joints();
        assert_eq!((joints.len(), joints.iter().collect::<BTreeSet<_>>().len()), (14, 14));
        for group in JOINT_GROUPS {
            assert!(group.joints.iter().all(|joint| group.joints.contains(&joint.mirrored())), "{}", group.name);
        }
        for absent in [Joint::Pelvis, Joint::Spine, Joint::Nose] {
            assert!(!joints.contains(&absent));
        }
    }
}
