//! In what 2D networks differ from the one whose errors were measured, besides the size of the errors: how long an error lasts,
//! where in the body their joints lie, what they do to joints that the body itself hides, and to whole limbs.
//!
//! Public networks are trained on photographs that people have annotated, each after a rule of its own: a hip may be the joint
//! or the fold of the trousers. Held against motion capture, such a difference turns with the body, has no end in time, and
//! costs as much as all other errors (`docs/accuracy.md`). How much is drawn is what MoveNet and BlazePose show there.

use nalgebra::{Matrix3, Point2, Vector2, Vector3};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use stridepose::skeleton::{Joint, JointArray};

use crate::scene::NEAREST_M;

/// Of the difference between two definitions, the share of the standard deviation that left and right do not have in common.
const ONE_SIDED: f64 = 0.3;
/// Standard deviation of where along its bone a network has an elbow, wrist, knee or ankle, in lengths of the bone.
const ALONG_BONE: f64 = 0.06;
/// Shortest trunk that tells how a body is turned, m.
const SHORTEST_TRUNK_M: f64 = 0.05;

/// What a detector has of its own.
#[derive(Clone, Debug)]
pub(crate) struct DetectorVariety {
    /// Share of the jitter's variance that lasts; the rest is new in each sample.
    pub slow_share_of_variance: f64,
    /// How long that lasts, s.
    pub slow_time_constant_secs: f64,
    /// How much larger errors are of joints that lie a trunk's length behind the pelvis.
    pub far_side: f64,
    /// How much of the jump of an elbow or a knee the joint after it takes part in.
    pub chained: f64,
    /// Share of the time in which left and right arm are exchanged.
    pub arm_swap_rate: f64,
    /// Share of the time in which left and right are exchanged altogether.
    pub body_swap_rate: f64,
    /// Where its joints lie; `None`: where those of motion capture do.
    pub definition: Option<JointDefinition>,
}

impl DetectorVariety {
    /// The detector whose errors were measured: a stacked hourglass. Of the jitter's variance 82 % decays with a time constant
    /// of 0.78 s and the rest is white, which is what its autocorrelations at lags of 1, 5 and 25 images at 50 Hz (0.86, 0.72,
    /// 0.43) say.
    pub const MEASURED: Self = Self {
        slow_share_of_variance: 0.82,
        slow_time_constant_secs: 0.78,
        far_side: 1.0,
        chained: 0.0,
        arm_swap_rate: 0.0,
        body_swap_rate: 0.0,
        definition: None,
    };

    /// Draws another one.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let confuses_sides = rng.random_bool(0.4);
        let mut swap_rate = |highest: f64| if confuses_sides { rng.random_range(0.0..highest) } else { 0.0 };
        Self {
            arm_swap_rate: swap_rate(0.05),
            body_swap_rate: swap_rate(0.05),
            slow_share_of_variance: rng.random_range(0.2..1.0),
            slow_time_constant_secs: 0.15 * 10.0_f64.powf(rng.random::<f64>()),
            far_side: rng.random_range(1.0..2.5),
            chained: rng.random(),
            definition: Some(JointDefinition::draw(rng)),
        }
    }

    /// By how much the errors of each joint are larger than they would be if the body did not hide it.
    pub fn behind_the_body(&self, joints: &JointArray<Vector3<f64>>) -> JointArray<f64> {
        let (pelvis, thorax) = (joints[Joint::Pelvis.index()], joints[Joint::Thorax.index()]);
        let trunk = (thorax - pelvis).norm().max(SHORTEST_TRUNK_M);
        joints.map(|joint| 1.0 + (self.far_side - 1.0) * ((joint.z - pelvis.z) / trunk).clamp(0.0, 1.0))
    }

    /// How far beside the projection of each joint this detector has it, on the z = 1 plane.
    pub fn offsets(&self, joints: &JointArray<Vector3<f64>>) -> JointArray<Vector2<f64>> {
        self.definition.as_ref().map_or_else(Default::default, |definition| definition.offsets(joints))
    }
}

/// Where in the body a detector has its joints, as differences from motion capture.
#[derive(Clone, Debug)]
pub(crate) struct JointDefinition {
    /// Along the axes of the trunk (to its left, up, to its front), in pelvis–thorax lengths.
    in_trunk: JointArray<Vector3<f64>>,
    /// Towards the joint before, in lengths of the bone.
    along_bone: JointArray<f64>,
}

impl JointDefinition {
    fn draw(rng: &mut impl Rng) -> Self {
        let mut in_trunk = JointArray::<Vector3<f64>>::default();
        let mut along_bone = JointArray::<f64>::default();
        for joint in Joint::ALL {
            let (of, other) = (joint.index(), joint.mirrored().index());
            let (place, along) = (normal3(rng) * spread(joint), normal(rng) * ALONG_BONE);
            if other == of {
                // A midline joint lies on the midline.
                in_trunk[of] = Vector3::new(0.0, place.y, place.z);
            } else if other > of {
                let [own, others] = [normal3(rng), normal3(rng)].map(|own| own * spread(joint) * ONE_SIDED);
                in_trunk[of] = place + own;
                in_trunk[other] = Vector3::new(-place.x, place.y, place.z) + others;
                if is_limb(joint) {
                    along_bone[of] = along + normal(rng) * ALONG_BONE * ONE_SIDED;
                    along_bone[other] = along + normal(rng) * ALONG_BONE * ONE_SIDED;
                }
            }
        }
        Self { in_trunk, along_bone }
    }

    fn offsets(&self, joints: &JointArray<Vector3<f64>>) -> JointArray<Vector2<f64>> {
        let trunk = trunk_axes(joints).unwrap_or_default();
        Joint::ALL.map(|joint| {
            let (of, at) = (joint.index(), joints[joint.index()]);
            let before = joint.parent().map_or(at, |parent| joints[parent.index()]);
            match (project(at), project(at + trunk * self.in_trunk[of] + (before - at) * self.along_bone[of])) {
                (Some(at), Some(defined)) => defined - at,
                _ => Vector2::zeros(),
            }
        })
    }
}

/// Standard deviation of each coordinate in the trunk, in pelvis–thorax lengths.
const fn spread(joint: Joint) -> f64 {
    match joint {
        Joint::RHip | Joint::LHip => 0.06,
        joint if is_limb(joint) => 0.02,
        _ => 0.05,
    }
}

const fn is_limb(joint: Joint) -> bool {
    is_leg(joint) || is_arm(joint)
}

pub(crate) const fn is_leg(joint: Joint) -> bool {
    matches!(joint, Joint::RKnee | Joint::RAnkle | Joint::LKnee | Joint::LAnkle)
}

pub(crate) const fn is_arm(joint: Joint) -> bool {
    matches!(joint, Joint::RElbow | Joint::RWrist | Joint::LElbow | Joint::LWrist)
}

/// Columns: to the trunk's left, up and to its front, as long as the trunk; `None` where it tells no direction.
fn trunk_axes(joints: &JointArray<Vector3<f64>>) -> Option<Matrix3<f64>> {
    let at = |joint: Joint| joints[joint.index()];
    let up = at(Joint::Thorax) - at(Joint::Pelvis);
    let length = up.norm();
    if length < SHORTEST_TRUNK_M {
        return None;
    }
    let up = up / length;
    let across = at(Joint::LHip) - at(Joint::RHip) + at(Joint::LShoulder) - at(Joint::RShoulder);
    let left = (across - up * up.dot(&across)).try_normalize(SHORTEST_TRUNK_M)?;
    Some(Matrix3::from_columns(&[left, up, left.cross(&up)]) * length)
}

fn project(point: Vector3<f64>) -> Option<Point2<f64>> {
    (point.z > NEAREST_M).then(|| Point2::new(point.x / point.z, point.y / point.z))
}

fn normal(rng: &mut impl Rng) -> f64 {
    rng.sample(StandardNormal)
}

fn normal3(rng: &mut impl Rng) -> Vector3<f64> {
    Vector3::new(normal(rng), normal(rng), normal(rng))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nalgebra::Rotation3;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use stridepose::skeleton::JOINT_COUNT;

    use super::*;
    use crate::test_people;

    /// Somebody who stands 4 m in front of the camera and faces it, turned about the vertical.
    fn standing(turned_rad: f64) -> JointArray<Vector3<f64>> {
        let turned = Rotation3::from_axis_angle(&Vector3::z_axis(), turned_rad);
        // World: +y is to the front, z up. Camera: x right, y down, z away.
        test_people::standing(0.3).map(|joint| {
            let joint = turned * joint;
            Vector3::new(-joint.x, 1.0 - joint.z, 4.0 - joint.y)
        })
    }

    fn drawn(count: u64) -> impl Iterator<Item = JointDefinition> {
        (0..count).map(|seed| JointDefinition::draw(&mut ChaCha8Rng::seed_from_u64(seed)))
    }

    #[test]
    fn the_measured_detector_has_the_joints_where_motion_capture_has_them_and_sees_all_of_them_alike() {
        let measured = DetectorVariety::MEASURED;
        assert!(measured.definition.is_none());
        let joints = standing(0.7);
        assert_eq!(measured.behind_the_body(&joints), [1.0; JOINT_COUNT]);
        assert_eq!(measured.offsets(&joints), [Vector2::zeros(); JOINT_COUNT]);
    }

    #[test]
    fn errors_grow_where_the_body_is_in_the_way() {
        let variety = DetectorVariety { far_side: 2.0, ..DetectorVariety::MEASURED };
        let joints = standing(std::f64::consts::FRAC_PI_2);
        let factors = variety.behind_the_body(&joints);
        let factor = |joint: Joint| factors[joint.index()];
        let (near, far) = if joints[Joint::RWrist.index()].z > joints[Joint::LWrist.index()].z {
            (Joint::LWrist, Joint::RWrist)
        } else {
            (Joint::RWrist, Joint::LWrist)
        };
        assert!(factor(near) == 1.0 && factor(far) > 1.3 && factor(far) <= 2.0, "{} and {}", factor(near), factor(far));
    }

    #[test]
    fn a_definition_is_nearly_the_same_on_both_sides() {
        let (mut common, mut different, mut midline) = (0.0, 0.0, 0.0_f64);
        for definition in drawn(200) {
            let [right, left] = [Joint::RHip, Joint::LHip].map(|joint| definition.in_trunk[joint.index()]);
            let right = Vector3::new(-right.x, right.y, right.z);
            common += (left + right).norm_squared();
            different += (left - right).norm_squared();
            midline = midline.max(definition.in_trunk[Joint::Thorax.index()].x.abs());
        }
        assert!(common > 10.0 * different && different > 0.0, "{common} in common, {different} not");
        assert!(midline == 0.0, "{midline} beside the midline");
    }

    #[test]
    fn a_definition_turns_with_the_body() {
        let (front, back) = (standing(0.0), standing(std::f64::consts::PI));
        for definition in drawn(20) {
            let joint = Joint::RHip.index();
            let [seen, turned] = [&front, &back].map(|joints| definition.offsets(joints)[joint]);
            // To the side it is turned round, upwards it stays. What lies nearer looks larger: a little remains.
            let near = 0.1 * definition.in_trunk[joint].norm() * 0.5 / 4.0;
            assert!((seen.x + turned.x).abs() < near, "{seen:?} and {turned:?}");
            assert!((seen.y - turned.y).abs() < near, "{seen:?} and {turned:?}");
        }
    }

    #[test]
    fn a_trunk_without_a_direction_moves_no_joint() {
        let joints = [Vector3::new(0.1, 0.2, 3.0); JOINT_COUNT];
        assert!(drawn(5).all(|definition| definition.offsets(&joints)[Joint::LWrist.index()] == Vector2::zeros()));
        let behind = standing(0.0).map(|joint| Vector3::new(joint.x, joint.y, -joint.z));
        assert!(drawn(5).all(|definition| definition.offsets(&behind)[Joint::LWrist.index()] == Vector2::zeros()));
    }
}
