//! A body around the 17 joints: primitives of trunk, limbs, hands, feet and head, clothed.
//!
//! Everything is placed in the camera frame from the joints alone; what the joints do not say (turn of the forearm,
//! height of the neck, the foot) follows from the bones around. Frames are (left, forward, up) of the part. Lengths are
//! for an adult and scale with the legs and the trunk.

use nalgebra::{Isometry3, Matrix3, Point3, Vector3};

use crate::skeleton::{Joint, JointArray};

use super::appearance::{Appearance, HairStyle, Hat};
use super::paint::{Cloth, Lay, Paint, What};
use super::primitive::{Primitive, Shape};

/// A person to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Body3d {
    /// Joints in the camera optical frame, m.
    pub joints_in_camera: JointArray<Point3<f64>>,
    /// How the person looks.
    pub appearance: Appearance,
}

/// Primitives and their paints, one each.
#[derive(Default)]
pub(super) struct Geometry {
    pub(super) primitives: Vec<Primitive>,
    pub(super) paints: Vec<Paint>,
}

impl Geometry {
    pub(super) fn add(&mut self, primitive: Option<Primitive>, paint: Paint) {
        let Some(primitive) = primitive else { return };
        self.paints.push(paint);
        self.primitives.push(primitive);
    }
}

/// Axes of a part in the camera frame, unit and orthogonal.
#[derive(Clone, Copy, Debug)]
struct Frame {
    left: Vector3<f32>,
    forward: Vector3<f32>,
    up: Vector3<f32>,
}

impl Frame {
    /// `up` is kept, `left` made orthogonal to it.
    fn new(left: Vector3<f32>, up: Vector3<f32>) -> Option<Self> {
        let up = up.try_normalize(1e-6)?;
        let left = (left - up * left.dot(&up)).try_normalize(1e-6)?;
        Some(Self { left, forward: left.cross(&up), up })
    }

    fn matrix(&self) -> Matrix3<f32> {
        Matrix3::from_columns(&[self.left, self.forward, self.up])
    }

    /// left, forward, up
    fn at(&self, left: f32, forward: f32, up: f32) -> Vector3<f32> {
        self.left * left + self.forward * forward + self.up * up
    }
}

/// A paint whose pattern lies in `frame` about `origin`.
fn paint(frame: &Frame, origin: Vector3<f32>, what: What, gloss: f32) -> Paint {
    Paint { texture_from_camera: frame.matrix().transpose(), texture_origin: origin, what, glow: 0.0, gloss }
}

struct Builder<'a> {
    geometry: &'a mut Geometry,
    owner: usize,
    looks: &'a Appearance,
    scale: f32,
}

/// Size of the body, 1 for an adult of 1.72 m, from the bones of legs and trunk.
pub(super) fn body_scale(joints: &JointArray<Point3<f64>>) -> f32 {
    let bone = |from: Joint, to: Joint| (joints[to.index()] - joints[from.index()]).norm() as f32;
    let legs = bone(Joint::LHip, Joint::LKnee)
        + bone(Joint::LKnee, Joint::LAnkle)
        + bone(Joint::RHip, Joint::RKnee)
        + bone(Joint::RKnee, Joint::RAnkle);
    let trunk = bone(Joint::Pelvis, Joint::Spine) + bone(Joint::Spine, Joint::Thorax);
    (0.5 * (0.5 * legs / 0.857 + trunk / 0.475)).clamp(0.4, 1.6)
}

/// Adds the primitives of `person` to `geometry`.
pub(super) fn build(person: &Body3d, owner: usize, camera_from_world: &Isometry3<f64>, geometry: &mut Geometry) {
    let joints: JointArray<Vector3<f32>> = person.joints_in_camera.map(|joint| joint.coords.map(|value| value as f32));
    if !joints.iter().all(|joint| joint.iter().all(|value| value.is_finite())) {
        return;
    }
    let at = |joint: Joint| joints[joint.index()];
    let scale = body_scale(&person.joints_in_camera);
    let world_up = (camera_from_world.rotation * nalgebra::Vector3::z()).map(|value| value as f32);
    let floor = |point: &Vector3<f32>| {
        (camera_from_world.inverse_transform_point(&Point3::from(point.map(f64::from)))).z as f32
    };
    let mut builder = Builder { geometry, owner, looks: &person.appearance, scale };
    let up = at(Joint::Thorax) - at(Joint::Pelvis);
    let Some(pelvis) = Frame::new(at(Joint::LHip) - at(Joint::RHip), at(Joint::Spine) - at(Joint::Pelvis) + up * 0.3)
    else {
        return;
    };
    let Some(chest) =
        Frame::new(at(Joint::LShoulder) - at(Joint::RShoulder), at(Joint::Thorax) - at(Joint::Spine) + up * 0.3)
    else {
        return;
    };
    builder.trunk(&joints, &pelvis, &chest);
    for [hip, knee, ankle] in [[Joint::LHip, Joint::LKnee, Joint::LAnkle], [Joint::RHip, Joint::RKnee, Joint::RAnkle]] {
        let clearance = floor(&at(ankle));
        builder.leg([at(hip), at(knee), at(ankle)], &pelvis, world_up, clearance);
    }
    builder.skirt(&joints, &pelvis);
    for (side, [shoulder, elbow, wrist]) in [
        (1.0, [Joint::LShoulder, Joint::LElbow, Joint::LWrist]),
        (-1.0, [Joint::RShoulder, Joint::RElbow, Joint::RWrist]),
    ] {
        builder.arm([at(shoulder), at(elbow), at(wrist)], &chest, side);
    }
    builder.head(&joints, &chest);
}

impl Builder<'_> {
    fn add(&mut self, primitive: Option<Primitive>, paint: Paint) {
        let owned = primitive.map(|primitive| Primitive { owner: self.owner, ..primitive });
        self.geometry.add(owned, paint);
    }

    /// A rounded cone from `from` to `to` with `left` across; `depth` flattens it from front to back. The cut ends are
    /// open where `open` says so: (start, end).
    fn cone(
        &mut self,
        (from, ra): (Vector3<f32>, f32),
        (to, rb): (Vector3<f32>, f32),
        left: &Vector3<f32>,
        depth: f32,
        cloth: &Cloth,
    ) {
        let what = What::Cloth(*cloth, Lay::Around { radius: 0.5 * (ra + rb) });
        self.painted_cone((from, ra), (to, rb), left, depth, what, 0.0, false);
    }

    #[allow(clippy::too_many_arguments, reason = "one call per kind of part")]
    fn painted_cone(
        &mut self,
        (from, ra): (Vector3<f32>, f32),
        (to, rb): (Vector3<f32>, f32),
        left: &Vector3<f32>,
        depth: f32,
        what: What,
        gloss: f32,
        cut: bool,
    ) {
        let axis = to - from;
        let length = axis.norm();
        let Some(frame) = Frame::new(*left, axis) else { return };
        let axes = Matrix3::from_columns(&[frame.left, frame.forward * depth, frame.up]);
        let mut primitive = Primitive::new(Shape::RoundCone { length, ra, rb }, axes, from);
        if cut && let Some(primitive) = &mut primitive {
            primitive.clip = Some((Vector3::z(), length));
        }
        let painted = paint(&frame, from, what, gloss);
        self.add(primitive, painted);
    }

    /// An ellipsoid with half axes (left, forward, up).
    fn ellipsoid(&mut self, center: Vector3<f32>, frame: &Frame, half: (f32, f32, f32), cloth: &Cloth) {
        let what = What::Cloth(*cloth, Lay::Around { radius: 0.5 * (half.0 + half.1) });
        self.painted_ellipsoid(center, frame, half, what, 0.0, None);
    }

    fn painted_ellipsoid(
        &mut self,
        center: Vector3<f32>,
        frame: &Frame,
        half: (f32, f32, f32),
        what: What,
        gloss: f32,
        clip: Option<(Vector3<f32>, f32)>,
    ) {
        let axes = Matrix3::from_columns(&[frame.left * half.0, frame.forward * half.1, frame.up * half.2]);
        let primitive = Primitive::new(Shape::Sphere, axes, center).map(|primitive| Primitive { clip, ..primitive });
        let painted = paint(frame, center, what, gloss);
        self.add(primitive, painted);
    }

    fn trunk(&mut self, joints: &JointArray<Vector3<f32>>, pelvis: &Frame, chest: &Frame) {
        let at = |joint: Joint| joints[joint.index()];
        let (s, looks) = (self.scale, self.looks.clone());
        let girth = s * looks.girth;
        let top = &looks.top;
        let bottom = &looks.bottom;
        let loose = top.loose;
        let half_hips = 0.5 * (at(Joint::LHip) - at(Joint::RHip)).norm();
        let half_shoulders = 0.5 * (at(Joint::LShoulder) - at(Joint::RShoulder)).norm();
        let shoulders = (at(Joint::LShoulder) + at(Joint::RShoulder)) * 0.5;
        // Hips and shoulders differ between skeleton definitions; the flesh evens that out.
        let hip_width = (0.5 * half_hips + 0.5 * 0.10 * s) * looks.hips + 0.068 * girth;
        let chest_width =
            (0.6 * half_shoulders + 0.4 * 0.165 * s) * 0.93 * looks.shoulders * (0.75 + 0.25 * looks.girth);
        let waist_width = 0.52 * (hip_width + chest_width) * (0.8 + 0.2 * looks.girth) * 0.88;
        let hips_at = at(Joint::Pelvis) + pelvis.at(0.0, 0.0, 0.025 * s);
        let waist_at = at(Joint::Spine);
        let chest_top = shoulders.lerp(&at(Joint::Thorax), 0.5) - chest.up * (0.075 * s);
        let printed = |cloth: &Cloth, radius: f32| match top.print {
            Some(print) => What::Printed(*cloth, print, radius),
            None => What::Cloth(*cloth, Lay::Around { radius }),
        };
        let chest_origin = chest_top + chest.up * (0.05 * s);
        let hip_depth = 0.105 * girth * (0.6 + 0.4 * looks.hips);
        let chest_depth = 0.112 * girth;
        let waist_depth = 0.098 * girth + 0.4 * looks.belly;
        // Pelvis and buttocks belong to the trousers.
        let lower = if bottom.skirt.is_some() && bottom.length < 0.2 { bottom.legs } else { bottom.cloth };
        self.ellipsoid(hips_at, pelvis, (hip_width + 0.004, hip_depth + 0.004, 0.135 * s), &lower);
        for side in [-1.0, 1.0] {
            let center = at(Joint::Pelvis) + pelvis.at(side * 0.065 * s, -0.042 * girth, -0.03 * s);
            self.ellipsoid(center, pelvis, (0.08 * girth, 0.078 * girth, 0.095 * s), &lower);
        }
        // The abdomen: from the hips to the waist to the chest.
        let trunk_cloth = top.cloth;
        let section = |builder: &mut Self, from: Vector3<f32>, to: Vector3<f32>, wide: (f32, f32), deep: f32| {
            let axis = to - from;
            let Some(frame) = Frame::new(chest.left + pelvis.left, axis) else { return };
            let axes = Matrix3::from_columns(&[frame.left, frame.forward * deep, frame.up]);
            let shape = Shape::RoundCone { length: axis.norm(), ra: wide.0, rb: wide.1 };
            let painted = paint(chest, chest_origin, printed(&trunk_cloth, wide.1), 0.0);
            builder.add(Primitive::new(shape, axes, from), painted);
        };
        let low = hips_at + pelvis.up * (0.06 * s);
        let deep = (waist_depth + loose) / (waist_width + loose);
        section(self, low, waist_at, (0.93 * (hip_width + loose).min(1.15 * waist_width), waist_width + loose), deep);
        let rounding = 0.55 * chest_width;
        let upper = chest_top - chest.up * (0.3 * rounding);
        let deep = (chest_depth + loose) / (chest_width + loose);
        section(self, waist_at, upper, (waist_width + loose, chest_width + loose), deep);
        if looks.belly > 0.0 {
            let center = waist_at.lerp(&hips_at, 0.45) + pelvis.forward * (0.02 + 0.5 * looks.belly);
            let half = (waist_width * 0.85, waist_depth * 0.85 + looks.belly * 0.4, 0.13 * s);
            let painted = paint(chest, chest_origin, printed(&trunk_cloth, waist_width), 0.0);
            let axes = Matrix3::from_columns(&[pelvis.left * half.0, pelvis.forward * half.1, pelvis.up * half.2]);
            self.add(Primitive::new(Shape::Sphere, axes, center), painted);
        }
        if looks.breasts > 0.0 {
            for side in [-1.0, 1.0] {
                let center = chest_top + chest.at(side * 0.075 * s, 0.55 * chest_depth, -0.10 * s);
                let size = 0.05 * s + 0.6 * looks.breasts;
                let half = (size, 0.04 + looks.breasts + loose, size);
                let axes = Matrix3::from_columns(&[chest.left * half.0, chest.forward * half.1, chest.up * half.2]);
                let painted = paint(chest, chest_origin, printed(&trunk_cloth, chest_width), 0.0);
                self.add(Primitive::new(Shape::Sphere, axes, center), painted);
            }
        }
        // The hem hangs over the trousers.
        if top.hem > -0.05 {
            let from = hips_at + pelvis.up * (0.10 * s);
            let to = hips_at - pelvis.up * (top.hem + 0.03);
            let (ra, rb) = (0.97 * hip_width + loose, hip_width + 0.008 + 1.3 * loose);
            let axis = to - from;
            if let Some(frame) = Frame::new(-pelvis.left, axis) {
                let deep = (hip_depth + 0.03 + loose) / (hip_width + loose);
                let axes = Matrix3::from_columns(&[frame.left, frame.forward * deep, frame.up]);
                let shape = Shape::RoundCone { length: axis.norm(), ra, rb };
                let clip = Some((Vector3::z(), axis.norm()));
                let painted = paint(chest, chest_origin, printed(&trunk_cloth, hip_width), 0.0);
                let primitive = Primitive::new(shape, axes, from).map(|primitive| Primitive { clip, ..primitive });
                self.add(primitive, painted);
            }
        } else if let Some(belt) = bottom.belt {
            let from = hips_at + pelvis.up * (0.085 * s);
            let deep = (hip_depth + 0.01) / hip_width;
            let clip = Some((Vector3::z(), 0.12_f32));
            let axes = Matrix3::from_columns(&[pelvis.left, pelvis.forward * deep, pelvis.up]);
            let shape = Shape::RoundCone { length: 0.01, ra: 0.9 * hip_width, rb: 0.9 * hip_width };
            let primitive = Primitive::new(shape, axes, from).map(|primitive| Primitive { clip, ..primitive });
            let what = What::Cloth(belt, Lay::Around { radius: hip_width });
            let painted = paint(pelvis, from, what, 0.0);
            self.add(primitive, painted);
        }
        // Shoulders and the slope up to the neck.
        let neck = self.neck_base(joints, chest);
        let shoulder_radius = 0.056 * girth + 0.6 * loose;
        let upper_cloth = top.cloth;
        for joint in [Joint::LShoulder, Joint::RShoulder] {
            let inner = shoulders.lerp(&neck, 0.35) - chest.up * (0.02 * s);
            let painted = paint(chest, chest_origin, printed(&upper_cloth, chest_width), 0.0);
            let axis = at(joint) - inner;
            if let Some(frame) = Frame::new(chest.forward, axis) {
                let shape =
                    Shape::RoundCone { length: axis.norm(), ra: 0.066 * girth + 0.5 * loose, rb: shoulder_radius };
                self.add(Primitive::new(shape, frame.matrix(), inner), painted);
            }
            let slope = at(joint).lerp(&shoulders, 0.35);
            let what = What::Cloth(upper_cloth, Lay::Around { radius: 0.05 });
            let to = neck - chest.up * (0.02 * s);
            self.painted_cone((slope, 0.045 * girth), (to, 0.048 * girth), &chest.forward, 1.0, what, 0.0, false);
        }
        if let Some(pack) = looks.backpack {
            let center = chest_top + chest.at(0.0, -(chest_depth + 0.085 * s), -0.14 * s);
            self.ellipsoid(center, chest, (0.15 * s, 0.11 * s, 0.23 * s), &pack);
            for side in [-1.0, 1.0] {
                let strap = chest.left * (side * 0.105 * s);
                let over = chest_top + strap + chest.at(0.0, 0.02 * s, 0.095 * s);
                let front = chest_top + strap * 1.15 + chest.at(0.0, chest_depth * 0.78 + loose, -0.04 * s);
                let below = chest_top + strap * 1.5 + chest.at(0.0, chest_depth * 0.55 + loose, -0.22 * s);
                self.cone((over, 0.026 * s), (front, 0.026 * s), &chest.left, 1.0, &pack);
                self.cone((front, 0.026 * s), (below, 0.022 * s), &chest.left, 1.0, &pack);
            }
        }
    }

    /// Where the neck leaves the trunk: at the height of thorax or shoulders, whichever is higher.
    fn neck_base(&self, joints: &JointArray<Vector3<f32>>, chest: &Frame) -> Vector3<f32> {
        let shoulders = (joints[Joint::LShoulder.index()] + joints[Joint::RShoulder.index()]) * 0.5;
        let thorax = joints[Joint::Thorax.index()];
        let middle = shoulders.lerp(&thorax, 0.4);
        let rise = (shoulders - middle).dot(&chest.up).max((thorax - middle).dot(&chest.up));
        middle + chest.up * (rise + 0.035 * self.scale)
    }

    fn leg(&mut self, [hip, knee, ankle]: [Vector3<f32>; 3], pelvis: &Frame, world_up: Vector3<f32>, clearance: f32) {
        let (s, looks) = (self.scale, self.looks.clone());
        let girth = s * looks.girth.powf(0.8);
        let (thigh, shank) = (knee - hip, ankle - knee);
        // The knee's axis points left where the knee is bent; a straight leg has the pelvis's.
        let bend = thigh.cross(&shank) / (thigh.norm() * shank.norm()).max(1e-6);
        let left = pelvis.left * 0.35 + bend;
        let bottom = &looks.bottom;
        let upper_skin = bottom.legs;
        let hip_in = hip + pelvis.at(0.0, 0.0, 0.01 * s);
        let (at_hip, at_knee) = (0.083 * girth, 0.055 * girth);
        self.cone((hip_in, at_hip), (knee, at_knee), &left, 1.0, &upper_skin);
        let shank_frame = Frame::new(left, -shank);
        let back = shank_frame.map_or_else(Vector3::zeros, |frame| -frame.forward);
        let calf = knee + shank * 0.28 + back * (0.012 * girth);
        let (at_calf, at_ankle) = (0.056 * girth, 0.036 * girth);
        self.cone((knee, at_knee * 0.95), (calf, at_calf), &left, 1.0, &upper_skin);
        self.cone((calf, at_calf), (ankle, at_ankle), &left, 1.0, &upper_skin);
        if bottom.skirt.is_none() {
            let loose = bottom.loose;
            let cloth = bottom.cloth;
            let to_knee = bottom.length.min(1.0);
            let end = hip_in.lerp(&knee, to_knee);
            let radius = at_hip + (at_knee - at_hip) * to_knee + loose;
            let cut = bottom.length < 1.0;
            let what = What::Cloth(cloth, Lay::Around { radius: at_hip });
            self.painted_cone((hip_in, at_hip + loose * 0.7), (end, radius), &left, 1.0, what.clone(), 0.0, cut);
            if !cut {
                let share = (bottom.length - 1.0).min(1.0);
                let end = knee + shank * share;
                let radius = (at_knee + (at_ankle - at_knee) * share).max(0.042 * girth) + 1.1 * loose;
                self.painted_cone((knee, at_knee + loose), (end, radius), &left, 1.0, what, 0.0, true);
                let what = What::Cloth(cloth, Lay::Around { radius: at_hip });
                if share > 0.3 {
                    self.painted_cone((calf, at_calf + 0.7 * loose), (end, radius), &left, 1.0, what, 0.0, true);
                }
            }
        }
        self.foot(knee, ankle, left, world_up, clearance);
    }

    fn foot(
        &mut self,
        knee: Vector3<f32>,
        ankle: Vector3<f32>,
        left: Vector3<f32>,
        world_up: Vector3<f32>,
        clearance: f32,
    ) {
        let (s, looks) = (self.scale, self.looks.clone());
        let shank = ankle - knee;
        let Some(leg) = Frame::new(left, -shank) else { return };
        // Flat on the floor when near it, square to the shank in the air.
        let grounded = (1.0 - (clearance - 0.09 * s) / (0.12 * s)).clamp(0.0, 1.0);
        let sole_up = world_up * grounded + leg.up * (1.0 - grounded) + leg.forward * (0.25 * (1.0 - grounded));
        let ahead = leg.forward - leg.up * 0.15;
        let Some(foot) = Frame::new(sole_up.cross(&ahead), sole_up) else { return };
        let shoes = &looks.shoes;
        let drop = (clearance.min(0.095 * s) * grounded + 0.08 * s * (1.0 - grounded)).max(0.05 * s);
        let heel = ankle + foot.at(0.0, -0.035 * s, -drop + 0.045 * s);
        let ball = ankle + foot.at(0.0, 0.125 * s, -drop + 0.034 * s);
        let instep = ankle + foot.at(0.0, 0.01 * s, -0.015 * s);
        let toe = ankle + foot.at(0.0, 0.17 * s, -drop + 0.028 * s);
        let cloth = shoes.cloth;
        self.cone((heel, 0.042 * s), (ball, 0.042 * s), &foot.left, 1.0, &cloth);
        self.cone((instep, 0.04 * s), (ball, 0.033 * s), &foot.left, 1.0, &cloth);
        self.cone((ball, 0.041 * s), (toe, 0.03 * s), &foot.left, 1.0, &cloth);
        let sole_from = ankle + foot.at(0.0, -0.04 * s, -drop + 0.014 * s);
        let sole_to = ankle + foot.at(0.0, 0.165 * s, -drop + 0.014 * s);
        let axis = sole_to - sole_from;
        if let Some(frame) = Frame::new(foot.left, axis) {
            let axes = Matrix3::from_columns(&[frame.left, frame.forward * 0.34, frame.up]);
            let painted = paint(&frame, sole_from, What::Cloth(shoes.sole, Lay::Around { radius: 0.04 }), 0.0);
            let shape = Shape::RoundCone { length: axis.norm(), ra: 0.044 * s, rb: 0.042 * s };
            self.add(Primitive::new(shape, axes, sole_from), painted);
        }
        let up = |share: f32| ankle - shank * share;
        if shoes.socks_height > 0.0 {
            let socks = shoes.socks;
            self.cone((ankle, 0.039 * s), (up(shoes.socks_height * 0.6), 0.045 * s), &left, 1.0, &socks);
        }
        if shoes.shaft > 0.02 {
            let what = What::Cloth(cloth, Lay::Around { radius: 0.05 });
            self.painted_cone((ankle, 0.047 * s), (up(shoes.shaft), 0.062 * s), &left, 1.0, what, 0.0, true);
        }
    }

    fn skirt(&mut self, joints: &JointArray<Vector3<f32>>, pelvis: &Frame) {
        let Some(widening) = self.looks.bottom.skirt else { return };
        let at = |joint: Joint| joints[joint.index()];
        let (s, bottom) = (self.scale, self.looks.bottom.clone());
        let (left_knee, right_knee) = (at(Joint::LKnee), at(Joint::RKnee));
        let share = bottom.length.min(1.0);
        let hips = at(Joint::Pelvis);
        let end = |hip: Joint, knee: Vector3<f32>, ankle: Joint| {
            if bottom.length <= 1.0 { at(hip).lerp(&knee, share) } else { knee.lerp(&at(ankle), bottom.length - 1.0) }
        };
        let (left_end, right_end) =
            (end(Joint::LHip, left_knee, Joint::LAnkle), end(Joint::RHip, right_knee, Joint::RAnkle));
        let middle = (left_end + right_end) * 0.5;
        let apart = 0.5 * (left_end - right_end).norm();
        let what = What::Cloth(bottom.cloth, Lay::Around { radius: 0.2 });
        let low = (0.11 * s + widening + 0.75 * apart).min(0.42 * s);
        let from = hips + pelvis.up * (0.02 * s);
        self.painted_cone(
            (from, 0.16 * s * self.looks.hips),
            (middle, low),
            &pelvis.left,
            0.86,
            what.clone(),
            0.0,
            true,
        );
        for (hip, end) in [(Joint::LHip, left_end), (Joint::RHip, right_end)] {
            let from = at(hip) + pelvis.up * (0.02 * s);
            self.painted_cone((from, 0.105 * s), (end, 0.10 * s), &pelvis.left, 1.0, what.clone(), 0.0, true);
        }
    }

    fn arm(&mut self, [shoulder, elbow, wrist]: [Vector3<f32>; 3], chest: &Frame, side: f32) {
        let (s, looks) = (self.scale, self.looks.clone());
        let girth = s * looks.girth;
        let (upper, fore) = (elbow - shoulder, wrist - elbow);
        let bend = fore.cross(&upper) / (upper.norm() * fore.norm()).max(1e-6);
        let left = chest.left * 0.3 + bend;
        let (at_shoulder, at_elbow, at_wrist) = (0.05 * girth, 0.039 * girth, 0.027 * girth);
        let skin = looks.skin;
        self.cone((shoulder, at_shoulder), (elbow, at_elbow), &left, 1.0, &skin);
        let swell = elbow + fore * 0.25;
        self.cone((elbow, at_elbow * 0.97), (swell, 0.041 * girth), &left, 1.0, &skin);
        self.cone((swell, 0.041 * girth), (wrist, at_wrist), &left, 1.0, &skin);
        let top = &looks.top;
        let (loose, cloth) = (top.loose, top.sleeve_cloth);
        if top.sleeve > 0.12 {
            let what = What::Cloth(cloth, Lay::Around { radius: at_shoulder });
            let share = top.sleeve.min(1.0);
            let cut = top.sleeve < 1.0;
            let end = shoulder.lerp(&elbow, share);
            let radius = at_shoulder + (at_elbow - at_shoulder) * share + loose;
            self.painted_cone((shoulder, at_shoulder + loose), (end, radius), &left, 1.0, what.clone(), 0.0, cut);
            if !cut {
                let share = top.sleeve - 1.0;
                let end = elbow + fore * share;
                let radius = (at_elbow + (at_wrist - at_elbow) * share).max(0.033 * girth) + 0.8 * loose;
                self.painted_cone((elbow, at_elbow + loose), (end, radius), &left, 1.0, what, 0.0, true);
            }
        }
        // The hand hangs on: palm, fingers, thumb.
        let hand_cloth = looks.gloves.unwrap_or(skin);
        let Some(hand) = Frame::new(left.cross(&fore) + chest.forward * 0.2, fore) else { return };
        // hand.up runs along the forearm, hand.forward across the palm's plane, hand.left out of the palm.
        let palm = wrist + hand.up * (0.05 * s);
        let bulge = 1.0 + 0.15 * looks.girth;
        self.ellipsoid(palm, &hand, (0.019 * s * bulge, 0.038 * s * bulge, 0.055 * s), &hand_cloth);
        let fingers = wrist + hand.at(0.008 * s * side, 0.0, 0.12 * s);
        self.ellipsoid(fingers, &hand, (0.015 * s, 0.033 * s, 0.058 * s), &hand_cloth);
        let ahead = if hand.forward.dot(&chest.forward) < 0.0 { -1.0 } else { 1.0 };
        let root = wrist + hand.at(0.0, ahead * 0.028 * s, 0.03 * s);
        let tip = wrist + hand.at(0.0, ahead * 0.055 * s, 0.085 * s);
        self.cone((root, 0.015 * s), (tip, 0.011 * s), &hand.left, 1.0, &hand_cloth);
    }

    fn head(&mut self, joints: &JointArray<Vector3<f32>>, chest: &Frame) {
        let at = |joint: Joint| joints[joint.index()];
        let looks = self.looks.clone();
        let s = self.scale;
        let (nose, top, thorax) = (at(Joint::Nose), at(Joint::Head), at(Joint::Thorax));
        let (rise, reach) = (top - nose, nose - thorax);
        // The head's midplane holds nose, head top and thorax (a turned head turns the nose about the neck).
        let across = rise.cross(&reach) / (rise.norm() * reach.norm()).max(1e-6);
        let Some(tilted) = Frame::new(across + chest.left * 0.25, rise) else { return };
        // The way from nose to head top leans back.
        let lean = 0.40_f32;
        let Some(head) = Frame::new(tilted.left, tilted.up * lean.cos() + tilted.forward * lean.sin()) else { return };
        let unit = (0.5 * rise.norm() + 0.5 * 0.125 * s) * looks.head;
        let place = |left: f32, forward: f32, up: f32| nose + head.at(left, forward, up) * unit;
        let skull = place(0.0, -0.80, 0.22);
        let half = (0.60 * unit, 0.74 * unit, 0.86 * unit);
        let face = |builder: &Self| Paint {
            texture_from_camera: head.matrix().transpose() / unit,
            texture_origin: nose,
            what: What::Face(looks.face, unit),
            glow: 0.0,
            gloss: 0.04 * builder.scale,
        };
        let axes = |half: (f32, f32, f32)| {
            Matrix3::from_columns(&[head.left * half.0, head.forward * half.1, head.up * half.2])
        };
        let painted = face(self);
        self.add(Primitive::new(Shape::Sphere, axes(half), skull), painted);
        // Jaw and chin.
        let painted = face(self);
        self.add(
            Primitive::new(Shape::Sphere, axes((0.46 * unit, 0.52 * unit, 0.52 * unit)), place(0.0, -0.58, -0.20)),
            painted,
        );
        // Nose: a ridge from between the eyes to the tip.
        let skin = Cloth { grain: 0.0, ..looks.skin };
        self.cone(
            (place(0.0, -0.14, 0.30), 0.05 * unit),
            (place(0.0, -0.05, 0.0), 0.085 * unit),
            &head.left,
            1.0,
            &skin,
        );
        for side in [-1.0, 1.0] {
            self.ellipsoid(place(side * 0.60, -0.86, 0.18), &head, (0.06 * unit, 0.13 * unit, 0.19 * unit), &skin);
        }
        // The neck, into the skull.
        let neck_base = self.neck_base(joints, chest);
        let neck_top = place(0.0, -0.86, -0.22);
        let neck_radius = 0.052 * s * (0.7 + 0.3 * looks.girth);
        self.cone(
            (neck_base - chest.up * (0.05 * s), neck_radius * 1.1),
            (neck_top, neck_radius),
            &chest.left,
            1.0,
            &looks.skin,
        );
        let up_neck = (neck_top - neck_base).try_normalize(1e-6).unwrap_or(chest.up);
        if let Some(collar) = looks.top.collar {
            let from = neck_base - up_neck * (0.03 * s);
            let what = What::Cloth(collar, Lay::Around { radius: neck_radius });
            let to = neck_base + up_neck * (0.025 * s);
            self.painted_cone((from, neck_radius * 1.4), (to, neck_radius * 1.25), &chest.left, 1.0, what, 0.0, true);
        }
        if let Some(scarf) = looks.scarf {
            let center = neck_base + up_neck * (0.015 * s);
            self.ellipsoid(center, chest, (0.105 * s, 0.1 * s, 0.055 * s), &scarf);
            let from = center + chest.at(0.04 * s, 0.08 * s, 0.0);
            self.cone(
                (from, 0.035 * s),
                (from + chest.at(0.0, 0.055 * s, -0.25 * s), 0.04 * s),
                &chest.left,
                0.6,
                &scarf,
            );
        }
        self.hair(&head, skull, half, unit, &looks, chest);
        self.hat(&head, skull, half, unit, &looks);
    }

    fn hair(
        &mut self,
        head: &Frame,
        skull: Vector3<f32>,
        half: (f32, f32, f32),
        unit: f32,
        looks: &Appearance,
        chest: &Frame,
    ) {
        let cloth = Cloth::plain(looks.face.hair).with_grain(0.35, 0.012);
        let thick = 1.0 + looks.hair.thickness;
        let style = looks.hair.style;
        if style == HairStyle::Painted {
            return;
        }
        // A shell without the face: local space is the unit sphere (left, forward, up).
        let shell = |grow: f32| (half.0 * grow, half.1 * grow, half.2 * grow);
        let what = || What::Cloth(cloth, Lay::Around { radius: 0.08 });
        let open = Vector3::new(0.0, 0.86, -0.5);
        let opening = match style {
            HairStyle::Afro => 0.22,
            _ => 0.18,
        };
        let lift = head.up * (0.03 * unit) - head.forward * (0.03 * unit);
        self.painted_ellipsoid(skull + lift, head, shell(thick), what(), 0.03, Some((open, opening)));
        let back = skull - head.forward * (0.55 * unit) - head.up * (0.1 * unit);
        match style {
            HairStyle::Long(percent) => {
                let length = 0.35 * f32::from(percent) / 100.0 * self.scale;
                let end = back - chest.up * length - chest.forward * (0.03 * self.scale);
                self.painted_cone((back, 0.48 * unit), (end, 0.42 * unit), &head.left, 0.45, what(), 0.03, false);
                for side in [-1.0, 1.0] {
                    let from = skull + head.at(side * 0.50 * unit, -0.15 * unit, 0.1 * unit);
                    let to = from - chest.up * (0.8 * length).min(0.22) + head.left * (side * 0.05 * unit);
                    self.painted_cone((from, 0.2 * unit), (to, 0.16 * unit), &head.left, 1.0, what(), 0.03, false);
                }
            }
            HairStyle::Bun => {
                let center = skull + head.at(0.0, -0.75 * unit, 0.45 * unit);
                self.painted_ellipsoid(center, head, (0.32 * unit, 0.3 * unit, 0.3 * unit), what(), 0.03, None);
            }
            HairStyle::Tail => {
                let from = skull + head.at(0.0, -0.82 * unit, 0.3 * unit);
                let to = from - chest.up * (0.22 * self.scale) - chest.forward * (0.05 * self.scale);
                self.painted_cone((from, 0.16 * unit), (to, 0.14 * unit), &head.left, 1.0, what(), 0.03, false);
            }
            HairStyle::Painted | HairStyle::Short | HairStyle::Afro => {}
        }
    }

    fn hat(&mut self, head: &Frame, skull: Vector3<f32>, half: (f32, f32, f32), unit: f32, looks: &Appearance) {
        let Some((kind, cloth)) = &looks.hat else { return };
        let what = || What::Cloth(*cloth, Lay::Around { radius: 0.09 });
        let grow = 1.09 + 0.5 * looks.hair.thickness.min(0.15);
        let shell = (half.0 * grow, half.1 * grow, half.2 * grow);
        // Only above a plane that sinks towards the back.
        let above = Vector3::new(0.0, 0.12, -1.0);
        match kind {
            Hat::Beanie => self.painted_ellipsoid(skull, head, shell, what(), 0.0, Some((above, -0.32))),
            Hat::Cap | Hat::Brimmed => {
                self.painted_ellipsoid(skull, head, shell, what(), 0.0, Some((above, -0.42)));
                let (ahead, wide, long) = if *kind == Hat::Cap { (0.72, 0.55, 0.62) } else { (0.0, 1.15, 1.2) };
                let center = skull + head.at(0.0, ahead * unit, 0.40 * unit);
                self.painted_ellipsoid(center, head, (wide * unit, long * unit, 0.05 * unit), what(), 0.0, None);
            }
            Hat::Helmet => {
                let shell = (shell.0 * 1.1, shell.1 * 1.1, shell.2 * 1.08);
                self.painted_ellipsoid(skull, head, shell, what(), 0.25, Some((above, -0.25)));
            }
            Hat::Hood => {
                let shell = (shell.0 * 1.08, shell.1 * 1.05, shell.2 * 1.08);
                let open = Vector3::new(0.0, 1.0, -0.12);
                self.painted_ellipsoid(skull, head, shell, what(), 0.0, Some((open, 0.5)));
                let neck = skull - head.at(0.0, 0.2 * unit, 0.75 * unit);
                self.painted_ellipsoid(neck, head, (0.72 * unit, 0.75 * unit, 0.45 * unit), what(), 0.0, None);
            }
        }
    }
}
