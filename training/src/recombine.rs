//! The trunk or the arms of one recorded movement above the legs of another.
//!
//! Motion capture holds few of the combinations that bodies are capable of, and a lifter learns those few by heart: of persons
//! it was trained on it knows the arms by the legs. What comes from another is carried over in the frame of the pelvis (all
//! above it) or of the chest (arms), so that every joint keeps an angle that somebody's had.

use nalgebra::{Matrix3, Vector3};
use rand::{Rng, RngExt};
use stridepose::skeleton::Joint;

use crate::mocap::WorldPose;

const LEFT_ARM: [Joint; 3] = [Joint::LShoulder, Joint::LElbow, Joint::LWrist];
const RIGHT_ARM: [Joint; 3] = [Joint::RShoulder, Joint::RElbow, Joint::RWrist];
const BOTH_ARMS: [Joint; 6] =
    [Joint::LShoulder, Joint::LElbow, Joint::LWrist, Joint::RShoulder, Joint::RElbow, Joint::RWrist];
const UPPER_BODY: [Joint; 10] = [
    Joint::Spine,
    Joint::Thorax,
    Joint::Nose,
    Joint::Head,
    Joint::LShoulder,
    Joint::LElbow,
    Joint::LWrist,
    Joint::RShoulder,
    Joint::RElbow,
    Joint::RWrist,
];

/// What of a clip comes from another.
#[derive(Clone, Copy, Debug)]
pub struct Recombination {
    joints: &'static [Joint],
    /// Where they hang.
    root: Joint,
    /// The frame that they are carried over in.
    frame: fn(&WorldPose) -> Option<Matrix3<f64>>,
}

impl Recombination {
    /// All above the pelvis half of the time, else both arms or one.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let of_chest = |joints| Self { joints, root: Joint::Thorax, frame: chest };
        match rng.random_range(0..10) {
            0..5 => Self { joints: &UPPER_BODY, root: Joint::Pelvis, frame: pelvis },
            5..8 => of_chest(&BOTH_ARMS),
            8 => of_chest(&LEFT_ARM),
            _ => of_chest(&RIGHT_ARM),
        }
    }

    /// `pose` with the joints of `other`; `pose` itself where a body has no frame, for its joints lie on each other.
    pub fn apply(&self, pose: &WorldPose, other: &WorldPose) -> WorldPose {
        let mut joined = *pose;
        if let (Some(own), Some(others)) = ((self.frame)(pose), (self.frame)(other)) {
            let turn = own * others.transpose();
            let (root, from) = (pose[self.root.index()], other[self.root.index()]);
            for joint in self.joints {
                joined[joint.index()] = root + turn * (other[joint.index()] - from);
            }
        }
        joined
    }
}

/// Left, forwards and up of the pelvis, as columns.
fn pelvis(pose: &WorldPose) -> Option<Matrix3<f64>> {
    frame(pose, [Joint::RHip, Joint::LHip], [Joint::Pelvis, Joint::Spine])
}

/// Left, forwards and up of the chest, as columns.
fn chest(pose: &WorldPose) -> Option<Matrix3<f64>> {
    frame(pose, [Joint::RShoulder, Joint::LShoulder], [Joint::Spine, Joint::Thorax])
}

fn frame(pose: &WorldPose, [right, left]: [Joint; 2], [low, high]: [Joint; 2]) -> Option<Matrix3<f64>> {
    let between = |from: Joint, to: Joint| pose[to.index()] - pose[from.index()];
    let left: Vector3<f64> = between(right, left).try_normalize(1e-6)?;
    let up = between(low, high);
    let up = (up - left * left.dot(&up)).try_normalize(1e-6)?;
    Some(Matrix3::from_columns(&[left, up.cross(&left), up]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Rotation3;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use stridepose::skeleton::{BONES, JOINT_COUNT};

    /// Somebody upright whose joints are off by what `seed` says.
    fn somebody(seed: u64) -> WorldPose {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut pose: WorldPose = [Vector3::zeros(); JOINT_COUNT];
        for (parent, child) in BONES {
            let aside = if child.mirrored() == child { 0.0 } else { 0.2 };
            let left = if child.name().starts_with('l') { aside } else { -aside };
            let noise: Vector3<f64> = Vector3::from_fn(|_, _| rng.random_range(-0.05..0.05));
            pose[child.index()] = pose[parent.index()] + Vector3::new(left, 0.0, 0.25) + noise;
        }
        pose
    }

    fn draws() -> impl Iterator<Item = Recombination> {
        (0..40).map(|seed| Recombination::draw(&mut ChaCha8Rng::seed_from_u64(seed)))
    }

    #[test]
    fn bones_keep_the_length_that_they_have_where_they_come_from() {
        let (pose, other) = (somebody(1), somebody(2));
        for recombination in draws() {
            let joined = recombination.apply(&pose, &other);
            for (parent, child) in BONES {
                let length = |pose: &WorldPose| (pose[child.index()] - pose[parent.index()]).norm();
                let of = if recombination.joints.contains(&child) { &other } else { &pose };
                assert!((length(&joined) - length(of)).abs() < 1e-9, "{child:?}");
            }
        }
    }

    #[test]
    fn where_the_other_stands_and_faces_is_of_no_account() {
        let (pose, other) = (somebody(1), somebody(2));
        let turn = Rotation3::from_euler_angles(0.3, -0.2, 2.0);
        let elsewhere = other.map(|joint| turn * joint + Vector3::new(3.0, -1.0, 0.5));
        for recombination in draws() {
            let (joined, same) = (recombination.apply(&pose, &other), recombination.apply(&pose, &elsewhere));
            assert!(joined.iter().zip(&same).all(|(a, b)| (a - b).norm() < 1e-9));
            assert_ne!(joined, pose);
        }
    }

    #[test]
    fn one_s_own_parts_change_nothing_and_a_body_without_a_frame_stays() {
        let pose = somebody(1);
        let nobody: WorldPose = [Vector3::zeros(); JOINT_COUNT];
        for recombination in draws() {
            let joined = recombination.apply(&pose, &pose);
            assert!(joined.iter().zip(&pose).all(|(a, b)| (a - b).norm() < 1e-9));
            assert_eq!(recombination.apply(&pose, &nobody), pose);
        }
    }
}
