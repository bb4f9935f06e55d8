//! Gauss–Newton over the 17 joints of one person, fixed size, nothing allocated.
//!
//! Residuals and Jacobians by term; the normal matrix H = Σ JᵀWJ is 51 × 51 and positive definite because the lifter's
//! term and the root's prior together fix every joint. A step is halved until the cost falls, at most
//! [`MAX_HALVINGS`] times; when it does not fall, the best so far is the answer.

use nalgebra::{Matrix2x3, Matrix3, SMatrix, SVector, Vector2, Vector3};

use super::{KeypointForRefinement, lifter_covariance};
use crate::data::LiftedPose;
use crate::skeleton::{BONES, JOINT_COUNT, Joint, JointArray};

const UNKNOWNS: usize = 3 * JOINT_COUNT;
type Normal = SMatrix<f64, UNKNOWNS, UNKNOWNS>;
type Unknowns = SVector<f64, UNKNOWNS>;
type Joints = JointArray<Vector3<f64>>;

const MAX_HALVINGS: usize = 4;
/// Kernel width in standard deviations.
const KERNEL_SIGMAS: f64 = 2.5;
/// Joints nearer to the camera plane than this are not projected, m.
const NEAREST_M: f64 = 0.05;
/// A step shorter than this (m, all joints together) ends the optimisation.
const SHORTEST_STEP_M: f64 = 1e-5;
/// Extra damping of a step along the viewing ray, 1/m²: depth is the direction that the image says least about.
const DEPTH_DAMPING: f64 = 25.0;
/// The lifter never states a smaller scale than this, m.
const SMALLEST_SIGMA_M: f64 = 5e-3;

/// Where the root should be.
#[derive(Clone, Copy, Debug)]
pub struct RootPrior {
    /// Expected position, m.
    pub mean: Vector3<f64>,
    /// Covariance, m².
    pub covariance: Matrix3<f64>,
}

/// Where the joints should be.
#[derive(Clone, Copy, Debug)]
pub struct Temporal {
    /// Expected positions, m.
    pub expected: Joints,
    /// Weight, 1/m².
    pub weight: f64,
}

/// Everything the cost is made of.
pub struct Problem<'a> {
    /// The lifter's answer.
    pub lifted: &'a LiftedPose,
    /// Keypoints that weigh something.
    pub keypoints: &'a JointArray<Option<KeypointForRefinement>>,
    /// Where the root should be.
    pub root: RootPrior,
    /// This person's bones (m) and their weight (1/m²).
    pub bones: Option<([f64; JOINT_COUNT - 1], f64)>,
    /// Where the joints should be.
    pub temporal: Option<Temporal>,
}

/// The answer.
pub struct Solved {
    /// Joints in the camera optical frame, m.
    pub joints: Joints,
    /// Covariance of each joint, m².
    pub covariance: JointArray<Matrix3<f64>>,
    /// Cost of the start.
    pub cost_before: f64,
    /// Cost of `joints`.
    pub cost_after: f64,
}

/// Distance between the projected joint and the keypoint, in standard deviations; infinite behind the camera.
pub fn distance_in_sigmas(joint: &Vector3<f64>, keypoint: &KeypointForRefinement) -> f64 {
    reprojection(joint, keypoint).map_or(f64::INFINITY, |(residual, _)| residual.norm())
}

/// (π(X) − x) / σ and its Jacobian.
fn reprojection(joint: &Vector3<f64>, keypoint: &KeypointForRefinement) -> Option<(Vector2<f64>, Matrix2x3<f64>)> {
    if !(joint.z > NEAREST_M) {
        return None;
    }
    let (inverse, weight) = (1.0 / joint.z, 1.0 / keypoint.sigma);
    let (x, y) = (joint.x * inverse, joint.y * inverse);
    let residual = Vector2::new(x - keypoint.point.x, y - keypoint.point.y) * weight;
    let jacobian = Matrix2x3::new(inverse, 0.0, -x * inverse, 0.0, inverse, -y * inverse) * weight;
    Some((residual, jacobian))
}

/// Cauchy's kernel of a squared distance in σ².
fn kernel(squared: f64) -> f64 {
    let width = KERNEL_SIGMAS * KERNEL_SIGMAS;
    width * (squared / width).ln_1p()
}

/// Its derivative, the weight of the keypoint.
fn kernel_weight(squared: f64) -> f64 {
    1.0 / (1.0 + squared / (KERNEL_SIGMAS * KERNEL_SIGMAS))
}

/// Information of the terms that are quadratic, once for all steps.
struct Information {
    pose: JointArray<Matrix3<f64>>,
    root: Matrix3<f64>,
}

impl Information {
    fn of(problem: &Problem<'_>) -> Self {
        let floor = Matrix3::identity() * SMALLEST_SIGMA_M.powi(2);
        let inverse = |matrix: Matrix3<f64>| matrix.try_inverse().unwrap_or_else(Matrix3::zeros);
        Self {
            pose: std::array::from_fn(|joint| inverse(lifter_covariance(problem.lifted, joint) + floor)),
            root: inverse(problem.root.covariance + floor),
        }
    }
}

fn pose_residual(problem: &Problem<'_>, joints: &Joints, joint: usize) -> Vector3<f64> {
    joints[joint] - joints[Joint::Pelvis.index()] - problem.lifted.joints_from_root[joint]
}

fn quadratic(residual: &Vector3<f64>, information: &Matrix3<f64>) -> f64 {
    residual.dot(&(information * residual))
}

fn cost(problem: &Problem<'_>, information: &Information, joints: &Joints) -> f64 {
    let root = Joint::Pelvis.index();
    let mut cost = quadratic(&(joints[root] - problem.root.mean), &information.root);
    for joint in 0..JOINT_COUNT {
        if joint != root {
            cost += quadratic(&pose_residual(problem, joints, joint), &information.pose[joint]);
        }
        if let Some(keypoint) = &problem.keypoints[joint] {
            match reprojection(&joints[joint], keypoint) {
                Some((residual, _)) => cost += keypoint.confidence * kernel(residual.norm_squared()),
                None => return f64::INFINITY,
            }
        }
        if let Some(temporal) = &problem.temporal {
            cost += temporal.weight * (joints[joint] - temporal.expected[joint]).norm_squared();
        }
    }
    if let Some((lengths, weight)) = &problem.bones {
        for ((parent, child), length) in BONES.into_iter().zip(lengths) {
            let bone = joints[child.index()] - joints[parent.index()];
            cost += weight * (bone.norm() - length).powi(2);
        }
    }
    cost
}

fn add_block(normal: &mut Normal, row: usize, column: usize, block: &Matrix3<f64>) {
    let mut view = normal.fixed_view_mut::<3, 3>(3 * row, 3 * column);
    view += block;
}

fn add_gradient(gradient: &mut Unknowns, joint: usize, value: &Vector3<f64>) {
    let mut view = gradient.fixed_rows_mut::<3>(3 * joint);
    view += value;
}

/// A term in the difference of two joints.
fn add_pair(
    normal: &mut Normal,
    gradient: &mut Unknowns,
    a: usize,
    b: usize,
    information: &Matrix3<f64>,
    slope: &Vector3<f64>,
) {
    add_block(normal, a, a, information);
    add_block(normal, b, b, information);
    add_block(normal, a, b, &-information);
    add_block(normal, b, a, &-information);
    add_gradient(gradient, a, slope);
    add_gradient(gradient, b, &-slope);
}

/// Half the gradient of the cost and its Gauss–Newton normal matrix.
fn linearise(problem: &Problem<'_>, information: &Information, joints: &Joints, normal: &mut Normal) -> Unknowns {
    normal.fill(0.0);
    let mut gradient = Unknowns::zeros();
    let root = Joint::Pelvis.index();
    add_block(normal, root, root, &information.root);
    add_gradient(&mut gradient, root, &(information.root * (joints[root] - problem.root.mean)));
    for joint in 0..JOINT_COUNT {
        if joint != root {
            let slope = information.pose[joint] * pose_residual(problem, joints, joint);
            add_pair(normal, &mut gradient, joint, root, &information.pose[joint], &slope);
        }
        if let Some(keypoint) = &problem.keypoints[joint]
            && let Some((residual, jacobian)) = reprojection(&joints[joint], keypoint)
        {
            let weight = keypoint.confidence * kernel_weight(residual.norm_squared());
            add_block(normal, joint, joint, &(jacobian.transpose() * jacobian * weight));
            add_gradient(&mut gradient, joint, &(jacobian.transpose() * residual * weight));
        }
        if let Some(temporal) = &problem.temporal {
            add_block(normal, joint, joint, &(Matrix3::identity() * temporal.weight));
            add_gradient(&mut gradient, joint, &((joints[joint] - temporal.expected[joint]) * temporal.weight));
        }
    }
    if let Some((lengths, weight)) = &problem.bones {
        for ((parent, child), length) in BONES.into_iter().zip(lengths) {
            let bone = joints[child.index()] - joints[parent.index()];
            let norm = bone.norm();
            if norm > 1e-6 {
                let direction = bone / norm;
                let along = direction * direction.transpose() * *weight;
                let slope = direction * ((norm - length) * weight);
                add_pair(normal, &mut gradient, child.index(), parent.index(), &along, &slope);
            }
        }
    }
    gradient
}

/// Minimises from `start` in at most `iterations` steps. `iterations` 0 gives `start` itself, with covariances.
pub fn solve(problem: &Problem<'_>, start: &Joints, iterations: u32) -> Solved {
    let information = Information::of(problem);
    let cost_before = cost(problem, &information, start);
    let (mut joints, mut cost_now) = (*start, cost_before);
    let mut normal = Normal::zeros();
    let direction = problem.lifted.viewing_direction.as_ref();
    let damping = direction * direction.transpose() * DEPTH_DAMPING;
    for _ in 0..iterations {
        let gradient = linearise(problem, &information, &joints, &mut normal);
        for joint in 0..JOINT_COUNT {
            add_block(&mut normal, joint, joint, &damping);
        }
        let Some(factor) = normal.cholesky() else { break };
        let mut step = factor.solve(&gradient);
        let mut is_better = false;
        for _ in 0..=MAX_HALVINGS {
            let moved: Joints = std::array::from_fn(|joint| joints[joint] - step.fixed_rows::<3>(3 * joint));
            let cost_moved = cost(problem, &information, &moved);
            if cost_moved < cost_now {
                (joints, cost_now, is_better) = (moved, cost_moved, true);
                break;
            }
            step *= 0.5;
        }
        if !is_better || step.norm() < SHORTEST_STEP_M {
            break;
        }
    }
    linearise(problem, &information, &joints, &mut normal);
    Solved { joints, covariance: covariances(&normal, problem), cost_before, cost_after: cost_now }
}

/// The 3 × 3 diagonal blocks of the inverse normal matrix.
fn covariances(normal: &Normal, problem: &Problem<'_>) -> JointArray<Matrix3<f64>> {
    let fallback = |joint: usize| problem.root.covariance + lifter_covariance(problem.lifted, joint);
    let Some(factor) = normal.cholesky() else { return std::array::from_fn(fallback) };
    // H⁻¹ = L⁻ᵀ L⁻¹: a diagonal block needs only three columns of L⁻¹, and those are zero above the joint.
    let lower = factor.l_dirty();
    std::array::from_fn(|joint| {
        let mut columns = SMatrix::<f64, UNKNOWNS, 3>::zeros();
        for axis in 0..3 {
            let first = 3 * joint + axis;
            for row in first..UNKNOWNS {
                let mut value = if row == first { 1.0 } else { 0.0 };
                for column in first..row {
                    value -= lower[(row, column)] * columns[(column, axis)];
                }
                columns[(row, axis)] = value / lower[(row, row)];
            }
        }
        let block = columns.transpose() * columns;
        if block.iter().all(|value| value.is_finite()) { block } else { fallback(joint) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{Point2, Unit};

    fn lifted() -> LiftedPose {
        LiftedPose {
            joints_from_root: std::array::from_fn(|joint| {
                let joint = joint as f64;
                Vector3::new((joint * 1.7).sin() * 0.3, joint * 0.05 - 0.4, (joint * 0.9).cos() * 0.2)
                    - if joint < 0.5 { Vector3::new(0.0, -0.4, 0.2) } else { Vector3::zeros() }
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
        let mean = Vector3::new(0.4, 0.0, 4.0);
        let expected = lifted.joints_from_root.map(|joint| joint + mean + Vector3::new(0.02, 0.0, -0.03));
        Problem {
            lifted,
            keypoints,
            root: RootPrior { mean, covariance: Matrix3::identity() * 0.01 },
            bones: Some(([0.3; JOINT_COUNT - 1], 1000.0)),
            temporal: Some(Temporal { expected, weight: 400.0 }),
        }
    }

    #[test]
    fn the_gradient_is_the_central_difference_of_the_cost() {
        const STEP: f64 = 1e-6;
        let (lifted, keypoints) = (lifted(), keypoints());
        let problem = problem(&lifted, &keypoints);
        let information = Information::of(&problem);
        let joints = lifted.joints_from_root.map(|joint| joint + Vector3::new(0.35, 0.05, 3.9));
        let mut normal = Normal::zeros();
        let gradient = linearise(&problem, &information, &joints, &mut normal);
        for unknown in 0..UNKNOWNS {
            let at = |by: f64| {
                let mut moved = joints;
                moved[unknown / 3][unknown % 3] += by;
                cost(&problem, &information, &moved)
            };
            let difference = (at(STEP) - at(-STEP)) / (4.0 * STEP);
            assert!((difference - gradient[unknown]).abs() < 1e-4 * (1.0 + difference.abs()), "unknown {unknown}");
        }
    }

    #[test]
    fn the_covariance_is_the_block_of_the_inverse() {
        let (lifted, keypoints) = (lifted(), keypoints());
        let problem = problem(&lifted, &keypoints);
        let joints = lifted.joints_from_root.map(|joint| joint + Vector3::new(0.4, 0.0, 4.0));
        let mut normal = Normal::zeros();
        linearise(&problem, &Information::of(&problem), &joints, &mut normal);
        let inverse = normal.try_inverse().unwrap_or_else(Normal::zeros);
        for (joint, block) in covariances(&normal, &problem).iter().enumerate() {
            let expected = inverse.fixed_view::<3, 3>(3 * joint, 3 * joint);
            assert!((block - expected).norm() < 1e-9 * (1.0 + expected.norm()), "joint {joint}");
        }
    }

    #[test]
    fn every_iteration_lowers_the_cost() {
        let (lifted, keypoints) = (lifted(), keypoints());
        let problem = problem(&lifted, &keypoints);
        let start = lifted.joints_from_root.map(|joint| joint + Vector3::new(0.8, 0.3, 3.0));
        let mut last = f64::INFINITY;
        for iterations in 0..6 {
            let solved = solve(&problem, &start, iterations);
            assert!(solved.cost_after <= solved.cost_before && solved.cost_after <= last);
            last = solved.cost_after;
        }
    }
}
