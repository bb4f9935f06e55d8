//! Postures beyond what was recorded: trunk, upper arms and thighs of a clip are turned by rotations that change slowly.
//!
//! Recorded people mostly walk, sit and gesture. A lifter that has seen nothing else pulls a gymnast back into a walker.
//! Turning whole limbs about hip, shoulder and lower back widens what it holds possible (in the spirit of PoseAug, Gong
//! et al. 2021, arXiv 2105.02465) and leaves knees and elbows, which bend one way only, as they are.

use nalgebra::{Rotation3, Unit, UnitVector3, Vector3};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use stridepose::skeleton::{BONES, JOINT_COUNT, Joint};

use crate::mocap::WorldPose;

/// What is turned: everything beyond `first` about `about`, by a normal angle of `sigma` rad.
struct Hinge {
    about: Joint,
    first: Joint,
    sigma: f64,
}

const HINGES: [Hinge; 5] = [
    Hinge { about: Joint::Pelvis, first: Joint::Spine, sigma: 0.35 },
    Hinge { about: Joint::LShoulder, first: Joint::LElbow, sigma: 0.6 },
    Hinge { about: Joint::RShoulder, first: Joint::RElbow, sigma: 0.6 },
    Hinge { about: Joint::LHip, first: Joint::LKnee, sigma: 0.3 },
    Hinge { about: Joint::RHip, first: Joint::RKnee, sigma: 0.3 },
];

/// Rotations of one clip.
pub struct PostureChange {
    hinges: Vec<(Joint, Vec<usize>, Turn)>,
}

/// A rotation about one axis that swings slowly about a mean angle.
struct Turn {
    axis: UnitVector3<f64>,
    mean: f64,
    swing: f64,
    rate: f64,
    phase: f64,
}

impl PostureChange {
    /// Draws the rotations of one clip.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let hinges = HINGES
            .iter()
            .map(|hinge| {
                let mut normal = || -> f64 { rng.sample(StandardNormal) };
                let axis = Unit::new_normalize(Vector3::new(normal(), normal(), normal() + 1e-9));
                let (mean, swing) = (hinge.sigma * normal(), 0.5 * hinge.sigma * normal());
                let rate = rng.random_range(0.3..2.5);
                let phase = rng.random_range(0.0..std::f64::consts::TAU);
                (hinge.about, beyond(hinge.first), Turn { axis, mean, swing, rate, phase })
            })
            .collect();
        Self { hinges }
    }

    /// The pose at `elapsed` s into the clip, changed. Axes turn with nothing: they are fixed in the world.
    pub fn apply(&self, pose: &WorldPose, elapsed: f64) -> WorldPose {
        let mut changed = *pose;
        for (about, joints, turn) in &self.hinges {
            let angle = turn.mean + turn.swing * (turn.rate * elapsed + turn.phase).sin();
            let rotation = Rotation3::from_axis_angle(&turn.axis, angle);
            let center = changed[about.index()];
            for &joint in joints {
                changed[joint] = center + rotation * (changed[joint] - center);
            }
        }
        changed
    }
}

/// `first` and all that hangs on it.
fn beyond(first: Joint) -> Vec<usize> {
    let mut is_beyond = [false; JOINT_COUNT];
    is_beyond[first.index()] = true;
    for (parent, child) in BONES {
        is_beyond[child.index()] |= is_beyond[parent.index()];
    }
    (0..JOINT_COUNT).filter(|&joint| is_beyond[joint]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn bones_keep_their_lengths() {
        let pose: WorldPose = std::array::from_fn(|joint| Vector3::new((joint as f64).sin(), 0.1 * joint as f64, 1.0));
        for seed in 0..20 {
            let changed = PostureChange::draw(&mut ChaCha8Rng::seed_from_u64(seed)).apply(&pose, 0.7);
            for (parent, child) in BONES {
                let length = |pose: &WorldPose| (pose[child.index()] - pose[parent.index()]).norm();
                assert!((length(&changed) - length(&pose)).abs() < 1e-9);
            }
            assert_ne!(changed, pose);
        }
    }
}
