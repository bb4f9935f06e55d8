//! The internal joint set: the 17 joints of Human3.6M, rooted at the pelvis.

/// Number of joints in the internal set.
pub const JOINT_COUNT: usize = 17;

/// One value per joint, in the order of [`Joint::ALL`].
pub type JointArray<T> = [T; JOINT_COUNT];

/// A joint of the internal set; the discriminant is its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Joint {
    Pelvis = 0,
    RHip = 1,
    RKnee = 2,
    RAnkle = 3,
    LHip = 4,
    LKnee = 5,
    LAnkle = 6,
    Spine = 7,
    Thorax = 8,
    Nose = 9,
    Head = 10,
    LShoulder = 11,
    LElbow = 12,
    LWrist = 13,
    RShoulder = 14,
    RElbow = 15,
    RWrist = 16,
}

impl Joint {
    /// Name of the internal set, as `joint_set` in messages.
    pub const SET_NAME: &'static str = "h36m_17";

    /// All joints in index order.
    pub const ALL: [Self; JOINT_COUNT] = [
        Self::Pelvis,
        Self::RHip,
        Self::RKnee,
        Self::RAnkle,
        Self::LHip,
        Self::LKnee,
        Self::LAnkle,
        Self::Spine,
        Self::Thorax,
        Self::Nose,
        Self::Head,
        Self::LShoulder,
        Self::LElbow,
        Self::LWrist,
        Self::RShoulder,
        Self::RElbow,
        Self::RWrist,
    ];

    /// Index into a [`JointArray`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name in messages, files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pelvis => "pelvis",
            Self::RHip => "r_hip",
            Self::RKnee => "r_knee",
            Self::RAnkle => "r_ankle",
            Self::LHip => "l_hip",
            Self::LKnee => "l_knee",
            Self::LAnkle => "l_ankle",
            Self::Spine => "spine",
            Self::Thorax => "thorax",
            Self::Nose => "nose",
            Self::Head => "head",
            Self::LShoulder => "l_shoulder",
            Self::LElbow => "l_elbow",
            Self::LWrist => "l_wrist",
            Self::RShoulder => "r_shoulder",
            Self::RElbow => "r_elbow",
            Self::RWrist => "r_wrist",
        }
    }

    /// The joint called `name`, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|joint| joint.name() == name)
    }

    /// The joint this one hangs on; `None` for the pelvis, the root.
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Pelvis => None,
            Self::RHip | Self::LHip | Self::Spine => Some(Self::Pelvis),
            Self::RKnee => Some(Self::RHip),
            Self::RAnkle => Some(Self::RKnee),
            Self::LKnee => Some(Self::LHip),
            Self::LAnkle => Some(Self::LKnee),
            Self::Thorax => Some(Self::Spine),
            Self::Nose | Self::LShoulder | Self::RShoulder => Some(Self::Thorax),
            Self::Head => Some(Self::Nose),
            Self::LElbow => Some(Self::LShoulder),
            Self::LWrist => Some(Self::LElbow),
            Self::RElbow => Some(Self::RShoulder),
            Self::RWrist => Some(Self::RElbow),
        }
    }

    /// The same joint of the other side; itself on the midline.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::RHip => Self::LHip,
            Self::RKnee => Self::LKnee,
            Self::RAnkle => Self::LAnkle,
            Self::LHip => Self::RHip,
            Self::LKnee => Self::RKnee,
            Self::LAnkle => Self::RAnkle,
            Self::LShoulder => Self::RShoulder,
            Self::LElbow => Self::RElbow,
            Self::LWrist => Self::RWrist,
            Self::RShoulder => Self::LShoulder,
            Self::RElbow => Self::LElbow,
            Self::RWrist => Self::LWrist,
            midline => midline,
        }
    }
}

/// The 16 bones, parent → child, parents before their children.
pub const BONES: [(Joint, Joint); JOINT_COUNT - 1] = [
    (Joint::Pelvis, Joint::RHip),
    (Joint::RHip, Joint::RKnee),
    (Joint::RKnee, Joint::RAnkle),
    (Joint::Pelvis, Joint::LHip),
    (Joint::LHip, Joint::LKnee),
    (Joint::LKnee, Joint::LAnkle),
    (Joint::Pelvis, Joint::Spine),
    (Joint::Spine, Joint::Thorax),
    (Joint::Thorax, Joint::Nose),
    (Joint::Nose, Joint::Head),
    (Joint::Thorax, Joint::LShoulder),
    (Joint::LShoulder, Joint::LElbow),
    (Joint::LElbow, Joint::LWrist),
    (Joint::Thorax, Joint::RShoulder),
    (Joint::RShoulder, Joint::RElbow),
    (Joint::RElbow, Joint::RWrist),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_order_and_names_are_consistent() {
        for (index, joint) in Joint::ALL.into_iter().enumerate() {
            assert_eq!(joint.index(), index);
            assert_eq!(Joint::from_name(joint.name()), Some(joint));
            assert_eq!(joint.mirrored().mirrored(), joint);
        }
        assert_eq!(Joint::from_name("tail"), None);
    }

    #[test]
    fn bones_are_the_parent_relation_in_topological_order() {
        let mut placed = vec![Joint::Pelvis];
        for (parent, child) in BONES {
            assert_eq!(child.parent(), Some(parent));
            assert!(placed.contains(&parent), "{} comes before its parent", child.name());
            placed.push(child);
        }
        assert_eq!(placed.len(), JOINT_COUNT);
    }
}
