//! What hides a joint: a pillar, other people, the person's own trunk.
//!
//! Bodies are capsules around bones; a joint is hidden when the ray from the camera to it passes within a capsule that
//! lies nearer.

use nalgebra::{Isometry3, Point3};

use crate::skeleton::{BONES, Joint, JointArray};

/// An upright cylinder on the ground, world frame, m.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pillar {
    /// Position along the way of the camera.
    pub x: f64,
    /// Position across.
    pub y: f64,
    /// Radius.
    pub radius: f64,
    /// Height.
    pub height: f64,
}

impl Default for Pillar {
    fn default() -> Self {
        Self { x: 3.0, y: 0.35, radius: 0.15, height: 3.0 }
    }
}

impl Pillar {
    pub(super) fn in_camera(&self, camera_from_world: &Isometry3<f64>) -> (Point3<f64>, Point3<f64>, f64) {
        let at = |z: f64| camera_from_world * Point3::new(self.x, self.y, z);
        (at(0.0), at(self.height), self.radius)
    }
}

const TRUNK_RADIUS: f64 = 0.13;
const LIMB_RADIUS: f64 = 0.06;
const HEAD_RADIUS: f64 = 0.09;
/// A hiding body must lie so much nearer to the camera than the joint, m.
const NEARER_BY: f64 = 0.12;

/// Whether something stands between the camera and `joint` of `person`.
pub(super) fn is_hidden(
    people: &[JointArray<Point3<f64>>],
    person: usize,
    joint: usize,
    pillar: Option<&(Point3<f64>, Point3<f64>, f64)>,
) -> bool {
    let target = people[person][joint];
    if pillar.is_some_and(|(foot, top, radius)| blocks(&target, foot, top, *radius)) {
        return true;
    }
    let is_arm = [Joint::LElbow, Joint::LWrist, Joint::RElbow, Joint::RWrist].iter().any(|arm| arm.index() == joint);
    people.iter().enumerate().any(|(other, joints)| {
        BONES.iter().any(|&(parent, child)| {
            let is_trunk = matches!(child, Joint::Spine | Joint::Thorax);
            if other == person && !(is_trunk && is_arm) {
                return false;
            }
            let radius = match child {
                Joint::Spine | Joint::Thorax | Joint::LHip | Joint::RHip => TRUNK_RADIUS,
                Joint::Nose | Joint::Head => HEAD_RADIUS,
                _ => LIMB_RADIUS,
            };
            blocks(&target, &joints[parent.index()], &joints[child.index()], radius)
        })
    })
}

/// Whether the segment `from`–`to`, thick by `radius`, lies on the way from the origin to `target`.
fn blocks(target: &Point3<f64>, from: &Point3<f64>, to: &Point3<f64>, radius: f64) -> bool {
    let length = target.coords.norm();
    if length < NEARER_BY {
        return false;
    }
    let ray = target.coords / length;
    let along = to - from;
    // Nearest points of the line `s * ray` and the segment `from + t * along`.
    let (slope, extent) = (ray.dot(&along), along.norm_squared());
    let (ray_from, along_from) = (ray.dot(&from.coords), along.dot(&from.coords));
    let determinant = extent - slope * slope;
    let on_segment =
        if determinant > 1e-9 { ((slope * ray_from - along_from) / determinant).clamp(0.0, 1.0) } else { 0.5 };
    let nearest = from.coords + along * on_segment;
    let depth = ray.dot(&nearest);
    depth > 0.05 && depth < length - NEARER_BY.max(radius) && (nearest - ray * depth).norm() < radius
}
