//! From one body to another: limb directions of the motion capture are kept, bone lengths are drawn.
//!
//! Skeleton definitions differ between motion capture sources (hip width 0.13 to 0.29 m), so a lifter that
//! trusted one of them would learn its tailor. Mean lengths are for a stature of 1.72 m, measured on adults
//! (proportions after Drillis and Contini 1966, joint definitions of Human3.6M).

use nalgebra::Vector3;
use rand::{Rng, RngExt};
use rand_distr::Normal;
use stridepose::skeleton::{BONES, JOINT_COUNT, Joint};

use crate::mocap::WorldPose;

const MEAN_STATURE_M: f64 = 1.72;
const STATURE_SPREAD_M: f64 = 0.10;
const STATURE_RANGE_M: (f64, f64) = (1.35, 2.05);
/// Spread of one bone's share of the stature.
const PROPORTION_SPREAD: f64 = 0.05;
/// Spread of hip and shoulder width and of the trunk's parts, where definitions differ most.
const TRUNK_SPREAD: f64 = 0.12;

/// Lengths of the 16 bones in the order of [`BONES`], m.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    lengths: [f64; JOINT_COUNT - 1],
}

impl Body {
    /// Draws an adult: stature, then each bone's share of it, left and right alike.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let stature = sample(rng, MEAN_STATURE_M, STATURE_SPREAD_M).clamp(STATURE_RANGE_M.0, STATURE_RANGE_M.1);
        let scale = stature / MEAN_STATURE_M;
        Self::of_bones(|bone| {
            let (mean, spread) = mean_length_m(BONES[bone].1);
            mean * scale * sample(rng, 1.0, spread).clamp(0.6, 1.4)
        })
    }

    /// The body whose bones have the lengths that `length` gives, those of the left as those of the right.
    fn of_bones(mut length: impl FnMut(usize) -> f64) -> Self {
        let mut lengths = [0.0; JOINT_COUNT - 1];
        for (bone, (_, child)) in BONES.into_iter().enumerate() {
            let mirrored = BONES.iter().position(|&(_, other)| other == child.mirrored());
            lengths[bone] = match mirrored {
                Some(twin) if twin < bone => lengths[twin],
                _ => length(bone),
            };
        }
        Self { lengths }
    }

    /// Draws somebody built much like the person of `pose`: each bone a little longer or shorter, left and right alike.
    ///
    /// Recorded bodies differ from measured adults, and by source: where a shoulder or a nose is, each definition says otherwise.
    pub fn draw_like(pose: &WorldPose, rng: &mut impl Rng) -> Self {
        let scale = sample(rng, 1.0, STATURE_SPREAD_M / MEAN_STATURE_M).clamp(0.8, 1.2);
        Self::of_bones(|bone| {
            let (parent, child) = BONES[bone];
            let (_, spread) = mean_length_m(child);
            let length = (pose[child.index()] - pose[parent.index()]).norm();
            length * scale * sample(rng, 1.0, spread).clamp(0.6, 1.4)
        })
    }

    /// The same posture with this body. The pelvis's way over the ground is scaled with the legs.
    pub fn retarget(&self, pose: &WorldPose) -> WorldPose {
        let leg = |length: &dyn Fn(usize) -> f64| length(1) + length(2);
        let source_length = |bone: usize| {
            let (parent, child) = BONES[bone];
            (pose[child.index()] - pose[parent.index()]).norm()
        };
        let scale = leg(&|bone| self.lengths[bone]) / leg(&source_length).max(0.1);
        let mut retargeted = [Vector3::zeros(); JOINT_COUNT];
        retargeted[Joint::Pelvis.index()] = pose[Joint::Pelvis.index()] * scale;
        for (bone, (parent, child)) in BONES.into_iter().enumerate() {
            let direction = (pose[child.index()] - pose[parent.index()]).try_normalize(1e-6).unwrap_or_else(Vector3::z);
            retargeted[child.index()] = retargeted[parent.index()] + direction * self.lengths[bone];
        }
        retargeted
    }
}

fn sample(rng: &mut impl Rng, mean: f64, spread: f64) -> f64 {
    // Both arguments are finite and the spread is positive, for which `Normal::new` cannot fail.
    Normal::new(mean, spread).map_or(mean, |normal| rng.sample(normal))
}

/// Mean length (m) of the bone that ends in `child` and its relative spread.
const fn mean_length_m(child: Joint) -> (f64, f64) {
    match child {
        Joint::RHip | Joint::LHip => (0.115, TRUNK_SPREAD),
        Joint::RKnee | Joint::LKnee => (0.432, PROPORTION_SPREAD),
        Joint::RAnkle | Joint::LAnkle => (0.425, PROPORTION_SPREAD),
        Joint::Spine => (0.225, TRUNK_SPREAD),
        Joint::Thorax => (0.250, TRUNK_SPREAD),
        Joint::Nose => (0.150, TRUNK_SPREAD),
        Joint::Head => (0.125, TRUNK_SPREAD),
        Joint::LShoulder | Joint::RShoulder => (0.165, TRUNK_SPREAD),
        Joint::LElbow | Joint::RElbow => (0.285, PROPORTION_SPREAD),
        Joint::LWrist | Joint::RWrist => (0.250, PROPORTION_SPREAD),
        Joint::Pelvis => (0.0, PROPORTION_SPREAD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn some_pose() -> WorldPose {
        std::array::from_fn(|joint| {
            let joint = joint as f64;
            Vector3::new((joint * 1.3).sin(), (joint * 0.7).cos(), 0.1 * joint)
        })
    }

    #[test]
    fn directions_are_kept_and_lengths_are_the_body_s() {
        let body = Body::draw(&mut ChaCha8Rng::seed_from_u64(1));
        let (pose, retargeted) = (some_pose(), body.retarget(&some_pose()));
        for (bone, (parent, child)) in BONES.into_iter().enumerate() {
            let before = pose[child.index()] - pose[parent.index()];
            let after = retargeted[child.index()] - retargeted[parent.index()];
            assert!((after.norm() - body.lengths[bone]).abs() < 1e-12);
            assert!(before.normalize().dot(&after.normalize()) > 1.0 - 1e-9);
        }
    }

    #[test]
    fn somebody_s_like_has_about_their_bones() {
        let model = Body { lengths: std::array::from_fn(|bone| 0.1 + 0.02 * bone as f64) };
        let pose = model.retarget(&some_pose());
        let likes: Vec<Body> =
            (0..400).map(|seed| Body::draw_like(&pose, &mut ChaCha8Rng::seed_from_u64(seed))).collect();
        for (bone, (_, child)) in BONES.into_iter().enumerate() {
            // Of a pair the first bone counts for both.
            let twin = BONES.iter().position(|&(_, other)| other == child.mirrored());
            let own = model.lengths[twin.map_or(bone, |twin| twin.min(bone))];
            let ratios: Vec<f64> = likes.iter().map(|body| body.lengths[bone] / own).collect();
            let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
            assert!((mean - 1.0).abs() < 0.03, "{child:?}: {mean}");
            assert!(ratios.iter().any(|ratio| (ratio - 1.0).abs() > 0.05), "{child:?}");
        }
    }

    #[test]
    fn left_and_right_are_alike() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for body in [Body::draw(&mut rng), Body::draw_like(&some_pose(), &mut rng)] {
            for (bone, (_, child)) in BONES.into_iter().enumerate() {
                let twin = BONES.iter().position(|&(_, other)| other == child.mirrored());
                assert!(twin.is_some_and(|twin| (body.lengths[twin] - body.lengths[bone]).abs() < 1e-12));
            }
        }
    }
}
