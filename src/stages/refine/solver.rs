//! Levenberg–Marquardt over the 17 joints of one person, fixed size, nothing allocated.
//!
//! Every term couples a joint with itself, its parent or the root, so each step is solved exactly along the skeleton
//! ([`super::body_tree`]) in a few microseconds. A step is taken only when it lowers the true robust cost; otherwise
//! the damping grows, so the answer never costs more than the start.

use nalgebra::{Matrix3, Vector2, Vector3};

use super::body_tree::{BodyNormal, PARENT};
use super::{KeypointForRefinement, lifter_covariance};
use crate::data::LiftedPose;
use crate::skeleton::{BONES, JOINT_COUNT, Joint, JointArray};

type Joints = JointArray<Vector3<f64>>;

/// Kernel width in standard deviations of keypoint and lifter together.
const KERNEL_SIGMAS: f64 = 3.0;
/// Joints nearer to the camera plane than this are not projected, m.
const NEAREST_M: f64 = 0.05;
/// A step in which no joint moves further than this (m) ends the optimisation.
const SHORTEST_STEP_M: f64 = 2e-4;
/// First damping and its bounds, 1/m².
const DAMPING: (f64, f64, f64) = (1.0, 1e-3, 1e9);
/// The lifter never states a smaller scale than this, m.
const SMALLEST_SIGMA_M: f64 = 5e-3;
/// How much of the lifter's word is about where a joint lies from its parent; the rest is about where it lies from the root.
const ALONG_LIMBS: f64 = 0.5;
/// A joint's own share of its variance is at least this: the rest it has from its parent.
const LEAST_OWN_VARIANCE: f64 = 0.3;
const ROOT: usize = Joint::Pelvis.index();

/// Where the joints should be by the person's own motion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Temporal {
    /// Expected positions, m.
    pub expected: Joints,
    /// Weight, 1/m².
    pub weight: f64,
}

/// Everything the cost is made of.
pub(super) struct Problem<'a> {
    /// The lifter's answer.
    pub lifted: &'a LiftedPose,
    /// Keypoints that weigh something.
    pub keypoints: &'a JointArray<Option<KeypointForRefinement>>,
    /// Where the root should be, m.
    pub root: Vector3<f64>,
    /// How sure that is, 1/m².
    pub root_information: Matrix3<f64>,
    /// This person's bones (m) and their weight (1/m²).
    pub bones: Option<([f64; JOINT_COUNT - 1], f64)>,
    /// Where the joints should be.
    pub temporal: Option<Temporal>,
}

/// The answer.
pub(super) struct Solved {
    /// Joints in the camera optical frame, m.
    pub joints: Joints,
    /// Covariance of each joint from this image's terms and the root, m².
    pub covariance: JointArray<Matrix3<f64>>,
    /// Whether the keypoint of a joint supports it.
    pub is_supported: JointArray<bool>,
    /// Cost of the start.
    pub cost_before: f64,
    /// Cost of `joints`.
    pub cost_after: f64,
}

/// What stays the same in all steps.
struct Constants {
    /// Information of the lifter about each joint from the root.
    pose: JointArray<Matrix3<f64>>,
    /// Information of the lifter about each joint from its parent.
    limbs: JointArray<Matrix3<f64>>,
    /// Squared kernel width of each keypoint, in its own variances; 0 for joints without one.
    kernel: JointArray<f64>,
    /// Normal matrix of the terms that are quadratic, without a gradient.
    quadratic: BodyNormal,
}

impl Constants {
    fn of(problem: &Problem<'_>, start: &Joints) -> Self {
        let lifted = problem.lifted;
        let direction = lifted.viewing_direction.as_ref();
        let along = direction * direction.transpose();
        let across = Matrix3::identity() - along;
        // The inverse of `lifter_covariance` in closed form.
        let information = |lateral: f64, depth: f64, share: f64| {
            let of = |variance: f64| share / (variance + SMALLEST_SIGMA_M.powi(2));
            across * of(lateral) + along * of(depth)
        };
        let pose = std::array::from_fn(|joint| {
            information(lifted.sigma_lateral[joint].powi(2), lifted.sigma_depth[joint].powi(2), 1.0 - ALONG_LIMBS)
        });
        let limbs = std::array::from_fn(|joint| {
            let own = |sigma: &JointArray<f64>| {
                let of_parent = if PARENT[joint] == ROOT { 0.0 } else { sigma[PARENT[joint]].powi(2) };
                let variance = sigma[joint].powi(2);
                (variance - of_parent).max(LEAST_OWN_VARIANCE * variance)
            };
            information(own(&lifted.sigma_lateral), own(&lifted.sigma_depth), ALONG_LIMBS)
        });
        let kernel = std::array::from_fn(|joint| match &problem.keypoints[joint] {
            // Behind the camera at the start: no derivative leads to the front.
            Some(keypoint) if start[joint].z > NEAREST_M => {
                let lifter = problem.lifted.sigma_lateral[joint] / (start[joint].z * keypoint.sigma);
                KERNEL_SIGMAS.powi(2) * (1.0 + lifter * lifter)
            }
            _ => 0.0,
        });
        let mut quadratic = BodyNormal::zero();
        quadratic.diagonal[ROOT] += problem.root_information;
        for joint in 0..JOINT_COUNT {
            if joint != ROOT {
                quadratic.add_from_root(joint, &pose[joint]);
                quadratic.add_bone(joint, &limbs[joint]);
            }
            if let Some(temporal) = &problem.temporal {
                quadratic.diagonal[joint] += Matrix3::from_diagonal_element(temporal.weight);
            }
        }
        Self { pose, limbs, kernel, quadratic }
    }

    /// Normal matrix of the quadratic terms of this image alone: the past is no independent witness. What the lifter states
    /// of a joint from the root is calibrated, so all of its word is about that; what follows of it for limbs is not.
    fn of_this_image(&self, problem: &Problem<'_>) -> BodyNormal {
        let mut normal = BodyNormal::zero();
        normal.diagonal[ROOT] += problem.root_information;
        for joint in (0..JOINT_COUNT).filter(|joint| *joint != ROOT) {
            normal.add_from_root(joint, &(self.pose[joint] / (1.0 - ALONG_LIMBS)));
        }
        normal
    }

    fn keypoint<'p>(&self, problem: &'p Problem<'_>, joint: usize) -> Option<&'p KeypointForRefinement> {
        problem.keypoints[joint].as_ref().filter(|_| self.kernel[joint] > 0.0)
    }
}

/// A joint on the z = 1 plane, beside its keypoint.
struct Projected {
    /// Position.
    point: Vector2<f64>,
    /// (π(X) − x) / σ.
    residual: Vector2<f64>,
    /// 1 / (z σ): the slope of the residual across the line of sight.
    slope: f64,
}

impl Projected {
    /// `None` for a joint that is not in front of the camera.
    fn of(joint: &Vector3<f64>, keypoint: &KeypointForRefinement) -> Option<Self> {
        if !(joint.z > NEAREST_M) {
            return None;
        }
        let (inverse, weight) = (1.0 / joint.z, 1.0 / keypoint.sigma);
        let point = Vector2::new(joint.x * inverse, joint.y * inverse);
        Some(Self { point, residual: (point - keypoint.point.coords) * weight, slope: inverse * weight })
    }

    /// Jᵀr of the residual's Jacobian J, `slope` × [1 0 −x; 0 1 −y].
    fn gradient(&self) -> Vector3<f64> {
        let [x, y] = (self.residual * self.slope).into();
        Vector3::new(x, y, -(self.point.x * x + self.point.y * y))
    }

    /// JᵀJ.
    fn information(&self) -> Matrix3<f64> {
        let square = self.slope * self.slope;
        let (x, y) = (-square * self.point.x, -square * self.point.y);
        let depth = square * self.point.norm_squared();
        Matrix3::new(square, 0.0, x, 0.0, square, y, x, y, depth)
    }
}

/// Geman and McClure's kernel of a squared distance: it ends at `width`, so a far miss pulls no more.
fn kernel(squared: f64, width: f64) -> f64 {
    squared / (1.0 + squared / width)
}

/// Its derivative, the weight of the keypoint.
fn kernel_weight(squared: f64, width: f64) -> f64 {
    (1.0 + squared / width).powi(-2)
}

fn pose_residual(problem: &Problem<'_>, joints: &Joints, joint: usize) -> Vector3<f64> {
    joints[joint] - joints[ROOT] - problem.lifted.joints_from_root[joint]
}

fn limb_residual(problem: &Problem<'_>, joints: &Joints, joint: usize) -> Vector3<f64> {
    let (parent, lifted) = (PARENT[joint], &problem.lifted.joints_from_root);
    joints[joint] - joints[parent] - (lifted[joint] - lifted[parent])
}

/// Takes half the gradient of each term of the cost, or nothing of it.
trait Slopes {
    /// Of a term of `joint`, and of `minus` with the opposite sign where there is one.
    fn add(&mut self, joint: usize, minus: Option<usize>, slope: &Vector3<f64>);
}

impl Slopes for () {
    fn add(&mut self, _: usize, _: Option<usize>, _: &Vector3<f64>) {}
}

impl Slopes for JointArray<Vector3<f64>> {
    fn add(&mut self, joint: usize, minus: Option<usize>, slope: &Vector3<f64>) {
        self[joint] += slope;
        if let Some(minus) = minus {
            self[minus] -= slope;
        }
    }
}

/// Cost of the quadratic terms.
fn quadratic_cost(problem: &Problem<'_>, constants: &Constants, joints: &Joints, slopes: &mut impl Slopes) -> f64 {
    let mut cost = 0.0;
    let mut add = |joint: usize, minus: Option<usize>, residual: Vector3<f64>, information: &Matrix3<f64>| {
        let slope = information * residual;
        cost += residual.dot(&slope);
        slopes.add(joint, minus, &slope);
    };
    add(ROOT, None, joints[ROOT] - problem.root, &problem.root_information);
    for joint in (0..JOINT_COUNT).filter(|joint| *joint != ROOT) {
        add(joint, Some(ROOT), pose_residual(problem, joints, joint), &constants.pose[joint]);
        add(joint, Some(PARENT[joint]), limb_residual(problem, joints, joint), &constants.limbs[joint]);
    }
    if let Some(temporal) = &problem.temporal {
        for (joint, (at, expected)) in joints.iter().zip(&temporal.expected).enumerate() {
            let residual = at - expected;
            cost += temporal.weight * residual.norm_squared();
            slopes.add(joint, None, &(residual * temporal.weight));
        }
    }
    cost
}

/// The cost, infinite where a joint with a keypoint is behind the camera.
fn cost(problem: &Problem<'_>, constants: &Constants, joints: &Joints) -> f64 {
    let mut cost = quadratic_cost(problem, constants, joints, &mut ());
    for (joint, at) in joints.iter().enumerate() {
        if let Some(keypoint) = constants.keypoint(problem, joint) {
            let Some(projected) = Projected::of(at, keypoint) else { return f64::INFINITY };
            cost += keypoint.confidence * kernel(projected.residual.norm_squared(), constants.kernel[joint]);
        }
    }
    if let Some((lengths, weight)) = &problem.bones {
        for ((parent, child), length) in BONES.into_iter().zip(lengths) {
            cost += weight * ((joints[child.index()] - joints[parent.index()]).norm() - length).powi(2);
        }
    }
    cost
}

/// Half the gradient of the cost and its Gauss–Newton normal matrix.
fn linearise(problem: &Problem<'_>, constants: &Constants, joints: &Joints) -> BodyNormal {
    let mut normal = constants.quadratic;
    quadratic_cost(problem, constants, joints, &mut normal.gradient);
    add_curved(&mut normal, problem, constants, joints);
    normal
}

/// Adds keypoints and bones.
fn add_curved(normal: &mut BodyNormal, problem: &Problem<'_>, constants: &Constants, joints: &Joints) {
    for (joint, at) in joints.iter().enumerate() {
        if let Some(keypoint) = constants.keypoint(problem, joint)
            && let Some(projected) = Projected::of(at, keypoint)
        {
            let squared = projected.residual.norm_squared();
            let weight = keypoint.confidence * kernel_weight(squared, constants.kernel[joint]);
            normal.diagonal[joint] += projected.information() * weight;
            normal.gradient[joint] += projected.gradient() * weight;
        }
    }
    if let Some((lengths, weight)) = &problem.bones {
        for ((parent, child), length) in BONES.into_iter().zip(lengths) {
            let bone = joints[child.index()] - joints[parent.index()];
            let norm = bone.norm();
            if norm > 1e-6 {
                let direction = bone / norm;
                normal.add_bone(child.index(), &(direction * direction.transpose() * *weight));
                normal.gradient.add(child.index(), Some(parent.index()), &(direction * ((norm - length) * weight)));
            }
        }
    }
}

/// Minimises from `start` in at most `iterations` steps; 0 gives `start` itself, with covariances.
pub(super) fn solve(problem: &Problem<'_>, start: &Joints, iterations: u32) -> Solved {
    let constants = Constants::of(problem, start);
    let cost_before = cost(problem, &constants, start);
    let (mut joints, mut cost_now) = (*start, cost_before);
    let (mut damping, least, most) = DAMPING;
    let mut linear = linearise(problem, &constants, &joints);
    for left in (0..iterations).rev() {
        let Some(factor) = linear.factor(damping) else {
            damping = (damping * 100.0).min(most);
            continue;
        };
        let step = factor.step();
        let moved: Joints = std::array::from_fn(|joint| joints[joint] + step[joint]);
        let cost_moved = cost(problem, &constants, &moved);
        // Not finite is not lower.
        let is_lower = cost_moved < cost_now;
        if is_lower {
            (joints, cost_now) = (moved, cost_moved);
            damping = (damping * 0.1).max(least);
        } else {
            damping = (damping * 100.0).min(most);
        }
        if left == 0 || step.iter().all(|step| step.norm() < SHORTEST_STEP_M) {
            break;
        }
        if is_lower {
            linear = linearise(problem, &constants, &joints);
        }
    }
    let is_supported = std::array::from_fn(|joint| {
        constants
            .keypoint(problem, joint)
            .and_then(|keypoint| Projected::of(&joints[joint], keypoint))
            .is_some_and(|projected| projected.residual.norm_squared() < constants.kernel[joint])
    });
    let fallback = |joint: usize| {
        let root = problem.root_information.try_inverse().unwrap_or_else(Matrix3::identity);
        root + lifter_covariance(problem.lifted, joint)
    };
    let mut alone = constants.of_this_image(problem);
    add_curved(&mut alone, problem, &constants, &joints);
    let covariance = alone.factor(0.0).map_or_else(|| std::array::from_fn(fallback), |factor| factor.covariances());
    Solved { joints, covariance, is_supported, cost_before, cost_after: cost_now }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use nalgebra::{Matrix2x3, Point2, Unit};

    fn lifted() -> LiftedPose {
        LiftedPose {
            joints_from_root: std::array::from_fn(|joint| {
                let joint = joint as f64;
                let at = Vector3::new((joint * 1.7).sin() * 0.3, joint * 0.05 - 0.4, (joint * 0.9).cos() * 0.2);
                at - if joint < 0.5 { Vector3::new(0.0, -0.4, 0.2) } else { Vector3::zeros() }
            }),
            sigma_lateral: [0.04; JOINT_COUNT],
            sigma_depth: [0.06; JOINT_COUNT],
            viewing_direction: Unit::new_normalize(Vector3::new(0.1, 0.0, 1.0)),
        }
    }

    fn keypoints() -> JointArray<Option<KeypointForRefinement>> {
        std::array::from_fn(|joint| {
            let at = joint as f64;
            let point = Point2::new(0.1 + 0.05 * (at * 1.9).sin(), at * 0.012 - 0.1);
            (joint % 4 != 1).then_some(KeypointForRefinement { point, confidence: 0.3 + 0.04 * at, sigma: 0.01 })
        })
    }

    fn problem<'a>(lifted: &'a LiftedPose, keypoints: &'a JointArray<Option<KeypointForRefinement>>) -> Problem<'a> {
        let root = Vector3::new(0.4, 0.0, 4.0);
        let expected = lifted.joints_from_root.map(|joint| joint + root + Vector3::new(0.02, 0.0, -0.03));
        Problem {
            lifted,
            keypoints,
            root,
            root_information: Matrix3::identity() * 100.0,
            bones: Some(([0.3; JOINT_COUNT - 1], 1000.0)),
            temporal: Some(Temporal { expected, weight: 400.0 }),
        }
    }

    #[test]
    fn the_gradient_is_the_central_difference_of_the_cost() {
        const STEP: f64 = 1e-6;
        let (lifted, keypoints) = (lifted(), keypoints());
        let problem = problem(&lifted, &keypoints);
        let joints = lifted.joints_from_root.map(|joint| joint + Vector3::new(0.35, 0.05, 3.9));
        let constants = Constants::of(&problem, &joints);
        let normal = linearise(&problem, &constants, &joints);
        for unknown in 0..3 * JOINT_COUNT {
            let at = |by: f64| {
                let mut moved = joints;
                moved[unknown / 3][unknown % 3] += by;
                cost(&problem, &constants, &moved)
            };
            let difference = (at(STEP) - at(-STEP)) / (4.0 * STEP);
            let found = normal.gradient[unknown / 3][unknown % 3];
            assert!((difference - found).abs() < 1e-4 * (1.0 + difference.abs()), "unknown {unknown}");
        }
    }

    #[test]
    fn the_reprojection_jacobian_is_the_central_difference() {
        const STEP: f64 = 1e-6;
        let keypoint = KeypointForRefinement { point: Point2::new(0.1, -0.2), confidence: 1.0, sigma: 0.01 };
        let joint = Vector3::new(0.5, -0.4, 3.0);
        let projected = Projected::of(&joint, &keypoint).unwrap();
        let jacobian = Matrix2x3::from_columns(&std::array::from_fn::<_, 3, _>(|axis| {
            let at = |by: f64| Projected::of(&(joint + Vector3::ith(axis, by)), &keypoint).unwrap().residual;
            (at(STEP) - at(-STEP)) / (2.0 * STEP)
        }));
        let (information, gradient) = (jacobian.tr_mul(&jacobian), jacobian.tr_mul(&projected.residual));
        assert!((information - projected.information()).norm() < 1e-5 * information.norm());
        assert!((gradient - projected.gradient()).norm() < 1e-5 * gradient.norm());
    }

    #[test]
    fn more_iterations_never_cost_more_and_reach_a_minimum() {
        let (lifted, keypoints) = (lifted(), keypoints());
        let problem = problem(&lifted, &keypoints);
        let start = lifted.joints_from_root.map(|joint| joint + Vector3::new(0.8, 0.3, 3.0));
        let mut last = f64::INFINITY;
        for iterations in 0..40 {
            let solved = solve(&problem, &start, iterations);
            assert!(solved.cost_after <= solved.cost_before && solved.cost_after <= last);
            last = solved.cost_after;
        }
        let solved = solve(&problem, &start, 40);
        let constants = Constants::of(&problem, &start);
        let gradient = linearise(&problem, &constants, &solved.joints).gradient;
        assert!(gradient.iter().all(|slope| slope.norm() < 1.0), "{gradient:?}");
    }
}
