//! Somebody's joints in the world from motion capture: another posture, another body, standing on the floor.
//!
//! Sources disagree about where shoulders, nose and head top lie on a body (with one of them the shoulders are above the
//! thorax and the nose is between them). A picture shows where they are, so here they are put where they are on a body:
//! shoulders beside the base of the neck with the shrugs of the clip, nose and head top on a head that is turned as the
//! clip's. Lengths for a stature of 1.72 m after Winter, Biomechanics and Motor Control of Human Movement, 4th ed.,
//! fig. 4.1, as in the walkers of `stridepose::scene`.

use nalgebra::{Matrix3, Point3, Rotation3, Vector3};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use stridepose::skeleton::{Joint, JointArray};

use crate::body::Body;
use crate::mocap::{Clip, WorldPose};
use crate::posture::PostureChange;
use crate::scene::mirrored;

/// Poses of a clip that its mean shoulder height is taken from.
const POSES_FOR_MEAN: usize = 64;
/// Share of people whose posture is changed.
const POSTURE_SHARE: f64 = 0.3;
/// Share of children, and their size.
const CHILD_SHARE: f64 = 0.1;
const CHILD_SCALE: (f64, f64) = (0.6, 0.9);
/// A pose with nothing below this height is in the air, m.
const AIRBORNE: f64 = 0.35;
/// Height of an ankle and of any other joint over the floor it touches, m.
const ANKLE_HEIGHT: f64 = 0.085;
const OTHER_HEIGHT: f64 = 0.05;

/// A clip and what is known of its skeleton definition.
pub(super) struct Performer<'a> {
    pub(super) clip: &'a Clip,
    /// Mean height and reach of the shoulders over the thorax, along trunk and forwards, m.
    shoulder_mean: (f64, f64),
}

impl<'a> Performer<'a> {
    pub(super) fn new(clip: &'a Clip) -> Self {
        let step = (clip.poses.len() / POSES_FOR_MEAN).max(1);
        let offsets: Vec<(f64, f64)> = clip
            .poses
            .iter()
            .step_by(step)
            .filter_map(|pose| {
                let chest = chest_axes(pose)?;
                let middle = (pose[Joint::LShoulder.index()] + pose[Joint::RShoulder.index()]) * 0.5;
                let offset = chest.tr_mul(&(middle - pose[Joint::Thorax.index()]));
                Some((offset.z, offset.y))
            })
            .collect();
        let count = offsets.len().max(1) as f64;
        let sum = offsets.iter().fold((0.0, 0.0), |sum, offset| (sum.0 + offset.0, sum.1 + offset.1));
        Self { clip, shoulder_mean: (sum.0 / count, sum.1 / count) }
    }

    /// Somebody at a time of the clip, turned any way, the pelvis above the origin of the floor.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> JointArray<Point3<f64>> {
        let recorded = self.clip.poses[rng.random_range(0..self.clip.poses.len())];
        let posture = rng.random_bool(POSTURE_SHARE).then(|| PostureChange::draw(rng));
        let body = Body::draw(rng);
        let head = HeadShape::draw(rng);
        let mirror = rng.random_bool(0.5);
        let yaw = rng.random_range(0.0..std::f64::consts::TAU);
        let is_child = rng.random_bool(CHILD_SHARE);
        let scale = if is_child { rng.random_range(CHILD_SCALE.0..CHILD_SCALE.1) } else { 1.0 };

        let lowest = recorded.iter().map(|joint| joint.z).fold(f64::INFINITY, f64::min);
        let changed = posture.map_or(recorded, |posture| posture.apply(&recorded, 0.0));
        let mut pose = body.retarget(&changed);
        self.reshape(&changed, &mut pose, &head);
        if mirror {
            pose = mirrored(&pose);
        }
        let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), yaw);
        let root = pose[Joint::Pelvis.index()];
        let airborne = if lowest > AIRBORNE { lowest } else { 0.0 };
        let drop = foot_of(&pose) - airborne;
        pose.map(|joint| {
            let from_root = Vector3::new(joint.x - root.x, joint.y - root.y, joint.z - drop);
            Point3::from(turn * from_root * scale)
        })
    }

    /// Shoulders (with the arms that hang on them), nose and head top where they are on a body.
    fn reshape(&self, source: &WorldPose, pose: &mut WorldPose, shape: &HeadShape) {
        let (Some(chest), Some(head)) = (chest_axes(source), head_axes(source)) else { return };
        let thorax = pose[Joint::Thorax.index()];
        for [shoulder, elbow, wrist] in
            [[Joint::LShoulder, Joint::LElbow, Joint::LWrist], [Joint::RShoulder, Joint::RElbow, Joint::RWrist]]
        {
            let recorded = chest.tr_mul(&(source[shoulder.index()] - source[Joint::Thorax.index()]));
            let length = (pose[shoulder.index()] - thorax).norm();
            let rise = 0.6 * (recorded.z - self.shoulder_mean.0) + shape.shoulder_rise;
            let reach = 0.6 * (recorded.y - self.shoulder_mean.1) - 0.01;
            let offset = chest * Vector3::new(recorded.x.signum() * length, reach, rise);
            let shift = thorax + offset - pose[shoulder.index()];
            for joint in [shoulder, elbow, wrist] {
                pose[joint.index()] += shift;
            }
        }
        let trunk = thorax - pose[Joint::Pelvis.index()];
        let scale = trunk.norm() / 0.475;
        let at = |forward: f64, up: f64| head * Vector3::new(0.0, forward, up) * scale;
        let neck = thorax + chest.column(2) * (0.055 * scale);
        pose[Joint::Nose.index()] = neck + at(shape.nose.0, shape.nose.1);
        pose[Joint::Head.index()] = pose[Joint::Nose.index()] + at(shape.top.0, shape.top.1);
    }
}

/// Height of the floor that the lowest joint touches.
fn foot_of(pose: &WorldPose) -> f64 {
    Joint::ALL
        .into_iter()
        .map(|joint| {
            let over = if matches!(joint, Joint::LAnkle | Joint::RAnkle) { ANKLE_HEIGHT } else { OTHER_HEIGHT };
            pose[joint.index()].z - over
        })
        .fold(f64::INFINITY, f64::min)
}

/// Lengths of a head, m: (forward, up) from the neck to the nose and from there to the head top.
struct HeadShape {
    nose: (f64, f64),
    top: (f64, f64),
    shoulder_rise: f64,
}

impl HeadShape {
    fn draw(rng: &mut impl Rng) -> Self {
        let mut length = |mean: f64| {
            let normal: f64 = rng.sample(StandardNormal);
            mean * (1.0 + 0.07 * normal.clamp(-2.0, 2.0))
        };
        Self {
            nose: (length(0.088), length(0.090)),
            top: (-length(0.065), length(0.122)),
            shoulder_rise: length(0.03) - 0.04,
        }
    }
}

/// Columns left, forward, up of the chest; `None` where the joints span no frame.
fn chest_axes(pose: &WorldPose) -> Option<Matrix3<f64>> {
    let up = pose[Joint::Thorax.index()] - pose[Joint::Spine.index()];
    axes(pose[Joint::LShoulder.index()] - pose[Joint::RShoulder.index()], up)
}

/// Columns left, forward, up of the head: its midplane holds thorax, nose and head top, and the way from the nose to
/// the top leans back by about 0.4 rad.
fn head_axes(pose: &WorldPose) -> Option<Matrix3<f64>> {
    const LEAN: f64 = 0.4;
    let rise = pose[Joint::Head.index()] - pose[Joint::Nose.index()];
    let reach = pose[Joint::Nose.index()] - pose[Joint::Thorax.index()];
    let chest = chest_axes(pose)?;
    let across = rise.cross(&reach) / (rise.norm() * reach.norm()).max(1e-9);
    let tilted = axes(across + chest.column(0) * 0.25, rise)?;
    let up = tilted.column(2) * LEAN.cos() + tilted.column(1) * LEAN.sin();
    axes(tilted.column(0).into_owned(), up)
}

fn axes(left: Vector3<f64>, up: Vector3<f64>) -> Option<Matrix3<f64>> {
    let up = up.try_normalize(1e-6)?;
    let left = (left - up * left.dot(&up)).try_normalize(1e-6)?;
    Some(Matrix3::from_columns(&[left, left.cross(&up), up]))
}
