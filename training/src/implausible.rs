//! Movements that no body makes: what the discriminator learns to tell beside the lifter's own answers.
//!
//! A movement is `[samples][51]`, root-relative joints at 30 Hz, m. Each kind of fault is one that a lifter or a tracker
//! can really make.

use nalgebra::{Rotation3, Unit, Vector3};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use stridepose::skeleton::{JOINT_COUNT, Joint};
pub use stridepose::stages::plausibility::kinematic_chain::Pose;

/// What is wrong with a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Limbs bent through their joint to the other side, all the time.
    FlippedJoints,
    /// The same, from one sample to the next and back.
    FlickeringJoints,
    /// Left and right legs, or all of left and right, exchanged from some sample on.
    SwappedSides,
    /// The legs stand still while the rest of the body goes on.
    FrozenLegs,
    /// A limb of another length.
    WrongLength,
    /// Every joint at random about where it should be.
    Jitter,
    /// From some sample on another person.
    OtherPerson,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::FlippedJoints,
        Self::FlickeringJoints,
        Self::SwappedSides,
        Self::FrozenLegs,
        Self::WrongLength,
        Self::Jitter,
        Self::OtherPerson,
    ];

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FlippedJoints => "flipped joints",
            Self::FlickeringJoints => "flickering joints",
            Self::SwappedSides => "swapped sides",
            Self::FrozenLegs => "frozen legs",
            Self::WrongLength => "wrong length",
            Self::Jitter => "jitter",
            Self::OtherPerson => "other person",
        }
    }

    /// Puts the fault into `movement`; `other` is a movement of somebody else, as long.
    pub fn apply(self, movement: &mut [Pose], other: &[Pose], rng: &mut impl Rng) {
        let length = movement.len();
        match self {
            Self::FlippedJoints => {
                let limbs = draw_limbs(rng);
                for pose in movement.iter_mut() {
                    turn_all(pose, &limbs);
                }
            }
            Self::FlickeringJoints => {
                let limbs = draw_limbs(rng);
                for pose in movement.iter_mut().filter(|_| rng.random_bool(0.4)) {
                    turn_all(pose, &limbs);
                }
                turn_all(&mut movement[length - 1], &limbs);
            }
            Self::SwappedSides => {
                let legs_only = rng.random_bool(0.5);
                let from = rng.random_range(0..length);
                let to = if rng.random_bool(0.5) { length } else { rng.random_range(from + 1..=length) };
                for pose in &mut movement[from..to] {
                    swap_sides(pose, legs_only);
                }
            }
            Self::FrozenLegs => {
                let first = movement[0];
                for pose in movement.iter_mut() {
                    for joint in LEGS {
                        let at = joint.index() * 3;
                        pose[at..at + 3].copy_from_slice(&first[at..at + 3]);
                    }
                }
            }
            Self::WrongLength => {
                let gain = if rng.random_bool(0.5) { rng.random_range(1.4..2.0) } else { rng.random_range(0.3..0.65) };
                for limb in draw_limbs(rng) {
                    for pose in movement.iter_mut() {
                        stretch(pose, limb, gain);
                    }
                }
            }
            Self::Jitter => {
                let sigma = rng.random_range(0.02..0.08_f32);
                for value in movement.iter_mut().flat_map(|pose| &mut pose[3..]) {
                    *value += sigma * rng.sample::<f32, _>(StandardNormal);
                }
            }
            Self::OtherPerson => {
                let from = rng.random_range(1..length);
                movement[from..].copy_from_slice(&other[from..]);
            }
        }
    }
}

const LEGS: [Joint; 6] = [Joint::RHip, Joint::RKnee, Joint::RAnkle, Joint::LHip, Joint::LKnee, Joint::LAnkle];
/// Joints that a limb goes on from.
const LIMBS: [Joint; 9] = [
    Joint::RKnee,
    Joint::RAnkle,
    Joint::LKnee,
    Joint::LAnkle,
    Joint::RElbow,
    Joint::RWrist,
    Joint::LElbow,
    Joint::LWrist,
    Joint::Head,
];

fn draw_limbs(rng: &mut impl Rng) -> Vec<Limb> {
    let count = rng.random_range(1..=3);
    let axis = Vector3::new(rng.sample(StandardNormal), rng.sample(StandardNormal), rng.sample(StandardNormal));
    // A drawn length of zero does not happen.
    let axis = Unit::try_new(axis, 1e-6).unwrap_or_else(Vector3::y_axis);
    let turn = Rotation3::from_axis_angle(&axis, rng.random_range(1.6..std::f32::consts::PI));
    LIMBS.sample(rng, count).map(|joint| Limb { joint: *joint, turn }).collect()
}

/// A limb and the turn that breaks it.
#[derive(Clone, Copy)]
struct Limb {
    joint: Joint,
    turn: Rotation3<f32>,
}

fn at(pose: &Pose, joint: Joint) -> Vector3<f32> {
    Vector3::from_column_slice(&pose[joint.index() * 3..joint.index() * 3 + 3])
}

/// Whether `joint` is `limb` or hangs on it.
fn hangs_on(mut joint: Joint, limb: Joint) -> bool {
    loop {
        if joint == limb {
            return true;
        }
        match joint.parent() {
            Some(parent) => joint = parent,
            None => return false,
        }
    }
}

/// The limb from its parent on, turned about the parent.
fn turn(pose: &mut Pose, limb: Limb) {
    let Some(parent) = limb.joint.parent() else { return };
    let pivot = at(pose, parent);
    move_limb(pose, limb.joint, |joint| pivot + limb.turn * (joint - pivot));
}

fn turn_all(pose: &mut Pose, limbs: &[Limb]) {
    for limb in limbs {
        turn(pose, *limb);
    }
}

/// The bone to the limb's joint `gain` times as long, what hangs on it carried along.
fn stretch(pose: &mut Pose, limb: Limb, gain: f32) {
    let Some(parent) = limb.joint.parent() else { return };
    let shift = (at(pose, limb.joint) - at(pose, parent)) * (gain - 1.0);
    move_limb(pose, limb.joint, |joint| joint + shift);
}

fn move_limb(pose: &mut Pose, limb: Joint, to: impl Fn(Vector3<f32>) -> Vector3<f32>) {
    for joint in Joint::ALL.into_iter().filter(|joint| hangs_on(*joint, limb)) {
        let moved = to(at(pose, joint));
        pose[joint.index() * 3..joint.index() * 3 + 3].copy_from_slice(moved.as_slice());
    }
}

fn swap_sides(pose: &mut Pose, legs_only: bool) {
    let old = *pose;
    for joint in (0..JOINT_COUNT).map(|index| Joint::ALL[index]) {
        if !legs_only || LEGS.contains(&joint) {
            let from = joint.mirrored().index() * 3;
            pose[joint.index() * 3..joint.index() * 3 + 3].copy_from_slice(&old[from..from + 3]);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use stridepose::skeleton::BONES;

    fn movement(seed: f32) -> Vec<Pose> {
        (0..12)
            .map(|time| {
                std::array::from_fn(|value| {
                    if value < 3 { 0.0 } else { 0.4 * (value as f32 * 1.7 + 0.05 * time as f32 + seed).sin() }
                })
            })
            .collect()
    }

    fn lengths(pose: &Pose) -> Vec<f32> {
        BONES.iter().map(|(parent, child)| (at(pose, *child) - at(pose, *parent)).norm()).collect()
    }

    #[test]
    fn every_fault_changes_the_movement_and_leaves_the_pelvis_where_it_is() {
        for fault in Fault::ALL {
            for seed in 0..20 {
                let mut broken = movement(0.0);
                fault.apply(&mut broken, &movement(2.0), &mut ChaCha8Rng::seed_from_u64(seed));
                assert_ne!(broken, movement(0.0), "{fault:?}, seed {seed}");
                assert!(broken.iter().flatten().all(|value| value.is_finite()));
                assert!(broken.iter().all(|pose| pose[..3] == [0.0; 3]), "{fault:?}");
            }
        }
    }

    #[test]
    fn turned_limbs_keep_their_length_and_stretched_ones_do_not() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let whole = movement(0.0);
        let mut flipped = whole.clone();
        Fault::FlippedJoints.apply(&mut flipped, &whole, &mut rng);
        for (a, b) in lengths(&flipped[5]).iter().zip(lengths(&whole[5])) {
            assert!((a - b).abs() < 1e-5);
        }
        let mut stretched = whole.clone();
        Fault::WrongLength.apply(&mut stretched, &whole, &mut rng);
        let changed =
            lengths(&stretched[5]).iter().zip(lengths(&whole[5])).filter(|(a, b)| (*a - b).abs() > 1e-3).count();
        assert!((1..=3).contains(&changed), "{changed} bones");
    }

    #[test]
    fn swapping_sides_twice_changes_nothing() {
        let mut pose = movement(0.0)[3];
        swap_sides(&mut pose, false);
        assert_ne!(pose, movement(0.0)[3]);
        swap_sides(&mut pose, false);
        assert_eq!(pose, movement(0.0)[3]);
    }
}
