//! A person who walks: anthropometric bones, gait with arm swing, a turning path with stops.
//!
//! Bone lengths are shares of the stature (Winter, Biomechanics and Motor Control of Human Movement, 4th ed., fig. 4.1;
//! the spine is parted as the Human3.6M joints lie), each with a few per cent of its own. Joint angles follow the usual
//! curves of level walking in coarse form: the hip swings, the knee bends while the leg swings forward, the arm
//! swings against the leg of its side, the elbow stays a little bent. Knees bend backward only, elbows forward only.

use std::f64::consts::TAU;

use nalgebra::{Point3, Vector3};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::skeleton::{JOINT_COUNT, Joint, JointArray};

/// Bone lengths and offsets of one person, m.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Body {
    /// Height of the standing person.
    pub stature: f64,
    /// Pelvis to hip.
    pub half_hips: f64,
    /// Hip to knee.
    pub thigh: f64,
    /// Knee to ankle.
    pub shank: f64,
    /// Pelvis to spine.
    pub lower_back: f64,
    /// Spine to thorax.
    pub upper_back: f64,
    /// Thorax to nose, up and forward.
    pub nose: (f64, f64),
    /// Nose to head top, up and forward.
    pub head: (f64, f64),
    /// Thorax to shoulder, sideways.
    pub half_shoulders: f64,
    /// Shoulder to elbow.
    pub upper_arm: f64,
    /// Elbow to wrist.
    pub forearm: f64,
}

impl Body {
    /// Draws a grown-up.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let normal: f64 = rng.sample(StandardNormal);
        let stature = (1.70 + 0.09 * normal).clamp(1.50, 1.95);
        let mut length = |share: f64| {
            let own: f64 = rng.sample(StandardNormal);
            stature * share * (1.0 + 0.03 * own.clamp(-2.0, 2.0))
        };
        Self {
            stature,
            half_hips: length(0.072),
            thigh: length(0.245),
            shank: length(0.246),
            lower_back: length(0.133),
            upper_back: length(0.146),
            nose: (length(0.068), length(0.055)),
            head: (length(0.070), -length(0.045)),
            half_shoulders: length(0.090),
            upper_arm: length(0.172),
            forearm: length(0.150),
        }
    }
}

/// Height of the ankle above the sole, as a share of the stature.
const ANKLE_HEIGHT: f64 = 0.045;

/// One walking person.
#[derive(Clone, Debug)]
pub(super) struct Walker {
    body: Body,
    /// Centre, half axes and sense of the oval that is walked, m.
    center: (f64, f64),
    axes: (f64, f64),
    sense: f64,
    /// Angle on the oval.
    angle: f64,
    /// Where in the step cycle, rad; left heel strike at 0.
    phase: f64,
    speed: f64,
    cruise: f64,
    /// When the next stop or start comes, s.
    changes: Vec<f64>,
    time: f64,
    arm_swing: f64,
    lean: f64,
}

impl Walker {
    /// Draws a person; `index` of `count` keeps the paths apart.
    pub(super) fn new(rng: &mut impl Rng, index: usize, count: usize) -> Self {
        let body = Body::draw(rng);
        let share = (index as f64 + 0.5) / count.max(1) as f64;
        let cruise = rng.random_range(0.9..1.5);
        let mut changes = Vec::new();
        let mut at = rng.random_range(2.0..6.0);
        while at < 600.0 {
            changes.push(at);
            at += rng.random_range(0.8..2.0);
            changes.push(at);
            at += rng.random_range(3.0..8.0);
        }
        Self {
            body,
            center: (4.2 + 2.2 * share + rng.random_range(-0.3..0.3), rng.random_range(-0.5..0.5)),
            axes: (rng.random_range(0.7..1.2), rng.random_range(0.8..1.5)),
            sense: if rng.random_bool(0.5) { 1.0 } else { -1.0 },
            angle: TAU * share + rng.random_range(-0.5..0.5),
            phase: rng.random_range(0.0..TAU),
            speed: cruise,
            cruise,
            changes,
            time: 0.0,
            arm_swing: rng.random_range(0.25..0.5),
            lean: rng.random_range(0.02..0.09),
        }
    }

    /// Lets `dt` seconds pass.
    pub(super) fn advance(&mut self, dt: f64) {
        self.time += dt;
        let changed = self.changes.iter().take_while(|&&at| at <= self.time).count();
        let wanted = if changed % 2 == 1 { 0.0 } else { self.cruise * (1.0 + 0.25 * (0.9 * self.time).sin()) };
        self.speed += (wanted - self.speed) * (1.0 - (-dt / 0.35).exp());
        let way = self.speed * dt;
        let (a, b) = self.axes;
        let metres_per_radian = (a * self.angle.sin()).hypot(b * self.angle.cos());
        self.angle += self.sense * way / metres_per_radian;
        // A faster walker makes longer steps: 1.4 m a cycle at 1.3 m/s for 1.70 m.
        let cycle = self.body.stature * (0.45 + 0.29 * self.speed);
        self.phase = (self.phase + TAU * way / cycle) % TAU;
    }

    /// Joints in the world frame.
    pub(super) fn joints_in_world(&self) -> JointArray<Point3<f64>> {
        let (a, b) = self.axes;
        let (sine, cosine) = self.angle.sin_cos();
        let heading = (self.sense * b * cosine).atan2(-self.sense * a * sine);
        let ground = Point3::new(self.center.0 + a * cosine, self.center.1 + b * sine, 0.0);
        let forward = Vector3::new(heading.cos(), heading.sin(), 0.0);
        let left = Vector3::new(-heading.sin(), heading.cos(), 0.0);
        self.joints_of_body().map(|joint| ground + forward * joint.x + left * joint.y + Vector3::z() * joint.z)
    }

    /// Joints with x forward, y left, z up, the origin on the ground under the pelvis.
    fn joints_of_body(&self) -> JointArray<Vector3<f64>> {
        let body = &self.body;
        let vigour = (self.speed / 1.3).clamp(0.0, 1.15);
        let mut joints = [Vector3::zeros(); JOINT_COUNT];
        let mut put = |joint: Joint, at: Vector3<f64>| {
            joints[joint.index()] = at;
            at
        };
        let hip_yaw = 0.08 * vigour * self.phase.sin();
        for (side, phase, [hip, knee, ankle]) in [
            (1.0, self.phase, [Joint::LHip, Joint::LKnee, Joint::LAnkle]),
            (-1.0, self.phase + TAU / 2.0, [Joint::RHip, Joint::RKnee, Joint::RAnkle]),
        ] {
            let swing = phase.cos().max(0.0);
            let hip_angle = vigour * (0.40 * phase.sin() + 0.10 + 0.15 * swing);
            let knee_angle = 0.05 + vigour * (0.10 + 0.80 * swing.powf(1.5));
            let at = put(hip, turned(Vector3::new(0.0, side * body.half_hips, 0.0), -side.signum() * side * hip_yaw));
            let at = put(knee, at + below(hip_angle, 0.02 * side) * body.thigh);
            put(ankle, at + below(hip_angle - knee_angle, 0.0) * body.shank);
        }
        let lean = self.lean + 0.04 * vigour;
        let up = Vector3::new(lean.sin(), 0.0, lean.cos());
        let spine = put(Joint::Spine, up * body.lower_back);
        let thorax = put(Joint::Thorax, spine + up * body.upper_back);
        let ahead = |(rise, forward): (f64, f64)| Vector3::new(forward, 0.0, rise);
        let nose = put(Joint::Nose, thorax + ahead(body.nose));
        put(Joint::Head, nose + ahead(body.head));
        for (side, phase, [shoulder, elbow, wrist]) in [
            (1.0, self.phase, [Joint::LShoulder, Joint::LElbow, Joint::LWrist]),
            (-1.0, self.phase + TAU / 2.0, [Joint::RShoulder, Joint::RElbow, Joint::RWrist]),
        ] {
            let swing = -self.arm_swing * vigour * phase.sin();
            let bend = 0.25 + 0.35 * vigour * (0.5 - 0.5 * phase.sin());
            let out = Vector3::new(0.0, side * body.half_shoulders, -0.02);
            let at = put(shoulder, thorax + turned(out, 0.10 * vigour * self.phase.sin()));
            let at = put(elbow, at + below(swing, 0.14 * side) * body.upper_arm);
            put(wrist, at + below(swing + bend, 0.05 * side) * body.forearm);
        }
        // The lower foot stands on the ground; a smooth minimum hands over from foot to foot.
        let (left, right) = (joints[Joint::LAnkle.index()].z, joints[Joint::RAnkle.index()].z);
        let sharpness = 60.0;
        let lower = -((-sharpness * left).exp() + (-sharpness * right).exp()).ln() / sharpness;
        let raise = Vector3::new(0.0, 0.015 * vigour * self.phase.cos(), ANKLE_HEIGHT * body.stature - lower);
        joints.map(|joint| joint + raise)
    }
}

/// Unit vector down, swung forward by `pitch` and outward (to the left) by `out`, rad.
fn below(pitch: f64, out: f64) -> Vector3<f64> {
    Vector3::new(pitch.sin() * out.cos(), out.sin(), -pitch.cos() * out.cos())
}

/// Turned to the left about the vertical.
fn turned(vector: Vector3<f64>, yaw: f64) -> Vector3<f64> {
    nalgebra::Rotation3::from_axis_angle(&Vector3::z_axis(), yaw) * vector
}
