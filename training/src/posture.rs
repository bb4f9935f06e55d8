//! Postures beyond what was recorded: trunk, upper arms and thighs of a clip are turned by rotations that change slowly.
//!
//! Recorded people mostly walk, sit and gesture. A lifter that has seen nothing else pulls a gymnast back into a walker.
//! Turning the whole body, the trunk about the hips and whole limbs about hip and shoulder widens what it holds possible
//! (in the spirit of PoseAug, Gong et al. 2021, arXiv 2105.02465) and leaves knees and elbows, which bend one way only,
//! as they are. Trunk and thighs mostly turn about the line through the hips, the trunk forwards rather than backwards
//! and the thighs up rather than back, as bodies do.

use nalgebra::{Rotation3, Unit, UnitVector3, Vector3};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use stridepose::skeleton::{BONES, JOINT_COUNT, Joint};

use crate::mocap::WorldPose;

/// What is turned: everything beyond `first` about `about`, by a normal angle of mean `mean` and deviation `sigma` rad.
struct Hinge {
    about: Joint,
    first: Joint,
    /// Share of clips in which the axis is the line through the hips, pointing left; else it is any, fixed in the world.
    about_hips: f64,
    /// Mean angle about the line through the hips; positive angles bend forwards what points up.
    mean: f64,
    sigma: f64,
}

const HINGES: [Hinge; 6] = [
    Hinge { about: Joint::Pelvis, first: Joint::Pelvis, about_hips: 0.5, mean: 0.0, sigma: 0.25 },
    Hinge { about: Joint::Pelvis, first: Joint::Spine, about_hips: 0.7, mean: 0.3, sigma: 0.45 },
    Hinge { about: Joint::LShoulder, first: Joint::LElbow, about_hips: 0.0, mean: 0.0, sigma: 0.7 },
    Hinge { about: Joint::RShoulder, first: Joint::RElbow, about_hips: 0.0, mean: 0.0, sigma: 0.7 },
    Hinge { about: Joint::LHip, first: Joint::LKnee, about_hips: 0.6, mean: -0.1, sigma: 0.35 },
    Hinge { about: Joint::RHip, first: Joint::RKnee, about_hips: 0.6, mean: -0.1, sigma: 0.35 },
];
/// All angles of a clip are scaled by one factor drawn evenly from zero to this.
const LARGEST_FACTOR: f64 = 2.0;

/// Rotations of one clip.
pub struct PostureChange {
    hinges: Vec<(Joint, Vec<usize>, Turn)>,
}

/// A rotation about one axis that swings slowly about a mean angle.
struct Turn {
    /// Fixed in the world; `None`: the line through the hips.
    axis: Option<UnitVector3<f64>>,
    mean: f64,
    swing: f64,
    rate: f64,
    phase: f64,
}

impl PostureChange {
    /// Draws the rotations of one clip.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let factor = rng.random_range(0.0..LARGEST_FACTOR);
        let hinges = HINGES
            .iter()
            .map(|hinge| {
                let about_hips = rng.random_bool(hinge.about_hips);
                let mut normal = || -> f64 { rng.sample(StandardNormal) };
                let axis = Unit::new_normalize(Vector3::new(normal(), normal(), normal() + 1e-9));
                let offset = if about_hips { hinge.mean } else { 0.0 };
                let mean = factor * (offset + hinge.sigma * normal());
                let swing = factor * 0.5 * hinge.sigma * normal();
                let rate = rng.random_range(0.3..2.5);
                let phase = rng.random_range(0.0..std::f64::consts::TAU);
                let axis = (!about_hips).then_some(axis);
                (hinge.about, beyond(hinge.first), Turn { axis, mean, swing, rate, phase })
            })
            .collect();
        Self { hinges }
    }

    /// The pose at `elapsed` s into the clip, changed.
    pub fn apply(&self, pose: &WorldPose, elapsed: f64) -> WorldPose {
        let mut changed = *pose;
        for (about, joints, turn) in &self.hinges {
            let angle = turn.mean + turn.swing * (turn.rate * elapsed + turn.phase).sin();
            let hips = changed[Joint::LHip.index()] - changed[Joint::RHip.index()];
            // Hips in one place have no line through them: nothing turns.
            let Some(axis) = turn.axis.or_else(|| Unit::try_new(hips, 1e-6)) else { continue };
            let rotation = Rotation3::from_axis_angle(&axis, angle);
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

    #[test]
    fn trunks_bend_forwards_rather_than_backwards() {
        // Faces +x: left is +y, up is +z.
        let mut pose: WorldPose = [Vector3::new(0.0, 0.0, 1.0); JOINT_COUNT];
        pose[Joint::LHip.index()].y = 0.1;
        pose[Joint::RHip.index()].y = -0.1;
        pose[Joint::Thorax.index()].z = 1.5;
        let forwards: f64 = (0..500)
            .map(|seed| {
                let changed = PostureChange::draw(&mut ChaCha8Rng::seed_from_u64(seed)).apply(&pose, 0.0);
                changed[Joint::Thorax.index()].x - changed[Joint::Pelvis.index()].x
            })
            .sum();
        assert!(forwards / 500.0 > 0.03, "thoraxes move by {} m on average", forwards / 500.0);
    }
}
