//! Inference stage optimization (paper, section on confidence-based inference stage optimization): the lifted pose is
//! moved so that it projects onto the keypoints, joint by joint as far as the confidence deserves, and no further.
//!
//! For the 17 joints X of one person in the camera optical frame (m), it minimises
//! ```text
//! Σ_j w_j ρ(|π(X_j) − x_j|² / σ_j²)                      keypoints on the z = 1 plane, ρ Geman and McClure's kernel
//! + ½ Σ_j |X_j − X_root − X̂_j|²  in units of (σ̂ lateral, σ̂ depth)   the lifter's pose, from the root
//! + ½ Σ_j |X_j − X_parent − (X̂_j − X̂_parent)|²  in units of what σ̂² grows by from parent to joint, and along each limb
//! + γ (dᵀ(X_root − R))² / P     the root R of the closed form and its filter, along its ray d
//! + λ_b Σ_bones (|b| − ℓ_b)²                              this person's own bones
//! + λ_t Σ_j |X_j − (X_j,t−1 + v_j dt)|²  relative to the root      small accelerations, real dt
//! ```
//! Errors of a lifted limb add up along it: where a keypoint moves a knee, the ankle behind it goes along.
//! `root` places and filters the root, `solver` minimises and never returns a higher cost than it got, nothing is
//! allocated on the way. The inverse normal matrix, plus the uncertainty of the body's scale that all joints share,
//! gives each joint's covariance. What this image was refined to feeds back into the next only through λ_t and only
//! relative to the root, so an error cannot carry the person away.
//!
//! Scale: one camera cannot tell a near small person from a far tall one. The lifter's pose is therefore brought to the
//! running mean size of this person's bones before anything else, so that its noise does not move the root's depth from
//! image to image; what is left scales the whole person about the camera and is in every covariance. Where a level floor of
//! known height is told, `stature` finds that scale by the soles.

mod body_tree;
mod bones;
mod covariance;
mod root;
mod solver;
mod stature;
mod symmetric;

use nalgebra::{Matrix3, Point2, Point3, Vector3};

use crate::data::{Covariance, JointState, LiftedPose, Stamp, Upright};
use crate::skeleton::{JOINT_COUNT, Joint, JointArray};
use crate::stages::window::{self, KeypointsOnPlane};

use bones::BoneMemory;
pub use covariance::{CONFIDENCE_RADIUS_M, probability_within};
use root::{Root, RootFilter};
use solver::{Problem, Temporal};
pub use stature::Stature;

/// How keypoints are weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefineMode {
    /// No refinement: the lifter's pose at the closed-form root.
    Off,
    /// Every keypoint counts the same.
    Unweighted,
    /// Every keypoint counts as far as its confidence deserves.
    Confidence,
}

/// Weights of the terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RefineSettings {
    /// How keypoints are weighed.
    pub mode: RefineMode,
    /// Gauss–Newton steps at most.
    pub iterations: u32,
    /// Keypoints of a lower confidence weigh nothing.
    pub confidence_threshold: f64,
    /// λ_b, 1/m².
    pub bone_weight: f64,
    /// λ_t at 30 Hz, 1/m².
    pub smoothness_weight: f64,
    /// γ: how firmly the depth of the root stays where the filter has it; 0 lets one image's keypoints move it.
    pub depth_damping: f64,
    /// Standard deviation of the body's scale that no image of one camera can tell, as a share of the distance.
    pub body_scale_sigma: f64,
    /// Published covariance over computed covariance (calibration).
    pub covariance_scale: f64,
}

impl Default for RefineSettings {
    fn default() -> Self {
        Self {
            mode: RefineMode::Confidence,
            iterations: 3,
            confidence_threshold: 0.1,
            bone_weight: 1000.0,
            smoothness_weight: 100.0,
            depth_damping: 4.0,
            body_scale_sigma: 0.05,
            covariance_scale: 1.0,
        }
    }
}

/// One keypoint for the refinement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeypointForRefinement {
    /// Position on the undistorted z = 1 plane.
    pub point: Point2<f64>,
    /// Calibrated confidence in [0, 1].
    pub confidence: f64,
    /// Standard deviation on the z = 1 plane.
    pub sigma: f64,
}

/// Keypoints as the refinement takes them. Their standard deviation is `sigma`, a share of the person's extent on the plane, or
/// the spread that the 2D network states where that is larger.
pub fn for_refinement(keypoints: &KeypointsOnPlane, sigma: f64) -> JointArray<Option<KeypointForRefinement>> {
    let sigma = sigma * window::extent(keypoints).clamp(1e-3, 10.0);
    keypoints.map(|keypoint| {
        keypoint.map(|keypoint| KeypointForRefinement {
            point: keypoint.point,
            confidence: keypoint.score,
            sigma: keypoint.spread.map_or(sigma, |spread| spread.max(sigma)),
        })
    })
}

/// The refined person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refined {
    /// Joints in the camera optical frame.
    pub joints: JointArray<RefinedJoint>,
    /// Cost at the start of the optimisation.
    pub cost_before: f64,
    /// Cost of what is returned, never higher.
    pub cost_after: f64,
}

impl Refined {
    /// Positions of the joints in the camera optical frame, m.
    pub fn positions(&self) -> JointArray<Point3<f64>> {
        self.joints.map(|joint| joint.position_in_camera)
    }

    /// Moves the joints to `positions`; what is stated of them stays.
    pub fn place(&mut self, positions: JointArray<Point3<f64>>) {
        for (joint, position) in self.joints.iter_mut().zip(positions) {
            joint.position_in_camera = position;
        }
    }
}

/// One refined joint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RefinedJoint {
    /// Position in the camera optical frame, m.
    pub position_in_camera: Point3<f64>,
    /// Covariance of the position, m².
    pub covariance: Covariance,
    /// Probability that the joint is within [`CONFIDENCE_RADIUS_M`] of the truth.
    pub confidence: f64,
    /// Where the position came from.
    pub state: JointState,
}

/// After a longer pause the past says nothing about the present.
const LONGEST_STEP_SECS: f64 = 0.25;
const MODEL_PERIOD_SECS: f64 = 1.0 / 30.0;
/// At most this many times the smoothness weight of 30 Hz at higher rates.
const MOST_SMOOTHNESS: f64 = 2.0;
/// Time over which the velocities of the joints are averaged, s.
const VELOCITY_SECS: f64 = 0.07;
/// Largest standard deviation of a lifted joint that is believed, m.
const LARGEST_LIFTER_SIGMA_M: f64 = 3.0;
/// No joint lies further from the pelvis, m.
const LARGEST_REACH_M: f64 = 5.0;
/// The pelvis of a root-relative pose lies at its origin, but for rounding, m.
const ROOT_TOLERANCE_M: f64 = 1e-3;
/// No keypoint lies further from the optical axis on the z = 1 plane.
const FURTHEST_POINT: f64 = 1e3;
/// No keypoint is better than this on the z = 1 plane.
const SMALLEST_KEYPOINT_SIGMA: f64 = 1e-7;
/// Weak hold on the root in every direction, 1/m², so that no direction is ever free.
const WEAKEST_HOLD: f64 = 1.0;

/// One person's past, for one stream of images.
#[derive(Clone, Debug, Default)]
pub struct PersonRefiner {
    last: Option<Stamp>,
    root: Option<RootFilter>,
    motion: Option<Motion>,
    bones: BoneMemory,
    stature: Stature,
    upright: Option<Upright>,
}

/// The last refined pose, relative to its root, and how it moved.
#[derive(Clone, Copy, Debug)]
struct Motion {
    joints_from_root: JointArray<Vector3<f64>>,
    velocity: JointArray<Vector3<f64>>,
}

impl PersonRefiner {
    /// A person who was never seen before.
    pub fn new() -> Self {
        Self::default()
    }

    /// From the next image on, how the camera stands: over a floor of known height the soles tell how large the person is.
    pub const fn set_upright(&mut self, upright: Option<Upright>) {
        self.upright = upright;
    }

    /// Takes the person to be as large as another stream of its images found.
    pub fn take_stature_of(&mut self, other: &Self) {
        let ratio = other.stature.scale() / self.stature.scale();
        self.stature = other.stature;
        self.rescale(ratio);
    }

    /// Refines the person in the image at `stamp`. `None` only when there is no way to tell where the person is (too
    /// few usable keypoints now and no root before) or the lifter's answer is no pose; the past is then kept.
    ///
    /// A stamp before the last one starts the person anew, with the same bones.
    pub fn refine(
        &mut self,
        settings: &RefineSettings,
        lifted: &LiftedPose,
        keypoints: &JointArray<Option<KeypointForRefinement>>,
        stamp: Stamp,
    ) -> Option<Refined> {
        let mut lifted = usable(lifted)?;
        let (for_root, for_pose) = weights(settings, keypoints);
        let is_seen = for_root.iter().flatten().count() > 0;
        if is_seen {
            self.bones.update(&lifted.joints_from_root);
        }
        let stature = self.stature.scale();
        let scale = self.bones.scale_of(&lifted.joints_from_root) * stature;
        lifted.joints_from_root = lifted.joints_from_root.map(|joint| joint * scale);

        let dt = self.last.map_or(0.0, |last| stamp.seconds_since(last));
        if dt < 0.0 {
            (self.root, self.motion) = (None, None);
        }
        let dt = dt.max(0.0);
        if let Some(filter) = &mut self.root {
            filter.advance(dt);
        }
        let placed = if is_seen { root::place(&mut self.root, dt, &lifted, &for_root) } else { None };
        // What cannot be placed by its keypoints is carried on.
        let root = if let Some(root) = placed {
            root
        } else {
            let filter = self.root.as_mut()?;
            filter.slow_down(dt);
            filter.root()
        };
        self.last = Some(stamp);
        if placed.is_none() {
            self.motion = None;
            return Some(carried_on(&self.with_stature(settings), &lifted, &root));
        }
        let start: JointArray<Vector3<f64>> = lifted.joints_from_root.map(|joint| root.position + joint);
        let ray = root.position.normalize();
        let variance = root.covariance[(2, 2)].max(1e-6) / (ray.z * ray.z).max(1e-3);
        let problem = Problem {
            lifted: &lifted,
            keypoints: &for_pose,
            root: root.position,
            root_information: ray * ray.transpose() * (settings.depth_damping.max(0.0) / variance)
                + Matrix3::from_diagonal_element(WEAKEST_HOLD),
            bones: self
                .bones
                .known()
                .map(|lengths| (lengths.map(|length| length * stature), settings.bone_weight.max(0.0))),
            temporal: self.temporal(settings, &root.position, dt),
        };
        let iterations = if settings.mode == RefineMode::Off { 0 } else { settings.iterations };
        let solved = solver::solve(&problem, &start, iterations);
        if let Some(upright) = &self.upright {
            self.stature.stand_on(upright, &solved, dt);
        }
        let ratio = self.stature.scale() / stature;
        self.rescale(ratio);
        let (settings, positions) = (self.with_stature(settings), solved.joints.map(|joint| joint * ratio));
        let joints = std::array::from_fn(|joint| {
            let state = if solved.is_supported[joint] { JointState::Measured } else { JointState::Inferred };
            refined(&positions[joint], &(solved.covariance[joint] * (ratio * ratio)), state, &settings)
        });
        self.remember(&positions, dt);
        Some(Refined { joints, cost_before: solved.cost_before, cost_after: solved.cost_after })
    }

    /// The settings with what is known of this person's size.
    fn with_stature(&self, settings: &RefineSettings) -> RefineSettings {
        RefineSettings { body_scale_sigma: self.stature.sigma(settings.body_scale_sigma), ..*settings }
    }

    /// Scales what is remembered about the camera.
    fn rescale(&mut self, ratio: f64) {
        if let Some(root) = &mut self.root {
            root.rescale(ratio);
        }
        if let Some(motion) = &mut self.motion {
            for joint in motion.joints_from_root.iter_mut().chain(&mut motion.velocity) {
                *joint *= ratio;
            }
        }
    }

    fn temporal(&self, settings: &RefineSettings, root: &Vector3<f64>, dt: f64) -> Option<Temporal> {
        let motion = self.motion.as_ref()?;
        if !(dt > 0.0 && dt < LONGEST_STEP_SECS && settings.smoothness_weight > 0.0) {
            return None;
        }
        let weight = settings.smoothness_weight * (MODEL_PERIOD_SECS / dt).powi(4).min(MOST_SMOOTHNESS);
        let expected = std::array::from_fn(|joint| root + motion.joints_from_root[joint] + motion.velocity[joint] * dt);
        Some(Temporal { expected, weight })
    }

    fn remember(&mut self, joints: &JointArray<Vector3<f64>>, dt: f64) {
        let joints_from_root = joints.map(|joint| joint - joints[Joint::Pelvis.index()]);
        let velocity = match &self.motion {
            Some(motion) if dt > 0.0 && dt < LONGEST_STEP_SECS => {
                let blend = dt / (dt + VELOCITY_SECS);
                std::array::from_fn(|joint| {
                    let seen = (joints_from_root[joint] - motion.joints_from_root[joint]) / dt;
                    motion.velocity[joint] + (seen - motion.velocity[joint]) * blend
                })
            }
            _ => [Vector3::zeros(); JOINT_COUNT],
        };
        self.motion = Some(Motion { joints_from_root, velocity });
    }
}

/// The lifter's pose with scales that can be divided by; `None` when it is no root-relative pose of a body or its
/// viewing direction is no direction. Comparisons with NaN are false, so neither passes.
fn usable(lifted: &LiftedPose) -> Option<LiftedPose> {
    let is_pose = lifted.joints_from_root.iter().all(|joint| joint.norm() < LARGEST_REACH_M)
        && lifted.joints_from_root[Joint::Pelvis.index()].norm() < ROOT_TOLERANCE_M
        && (lifted.viewing_direction.norm() - 1.0).abs() < 1e-3;
    // NaN is not small: it is the largest.
    let sigma = |sigma: f64| if sigma < LARGEST_LIFTER_SIGMA_M { sigma.max(0.0) } else { LARGEST_LIFTER_SIGMA_M };
    is_pose.then(|| LiftedPose {
        sigma_lateral: lifted.sigma_lateral.map(sigma),
        sigma_depth: lifted.sigma_depth.map(sigma),
        ..*lifted
    })
}

/// The lifter's pose at the root that nobody saw.
fn carried_on(settings: &RefineSettings, lifted: &LiftedPose, root: &Root) -> Refined {
    let joint = |joint: usize| {
        let covariance = root.covariance + lifter_covariance(lifted, joint);
        refined(&(root.position + lifted.joints_from_root[joint]), &covariance, JointState::Predicted, settings)
    };
    Refined { joints: std::array::from_fn(joint), cost_before: 0.0, cost_after: 0.0 }
}

type Weighted = JointArray<Option<KeypointForRefinement>>;

/// Keypoints with their weights for the root and for the pose; `None` for those that weigh nothing or are not finite.
/// The root always goes by confidence; the pose as the mode asks for.
fn weights(settings: &RefineSettings, keypoints: &Weighted) -> (Weighted, Weighted) {
    let is_usable = |keypoint: &KeypointForRefinement| {
        keypoint.point.coords.iter().all(|value| value.is_finite() && value.abs() < FURTHEST_POINT)
            && keypoint.sigma > SMALLEST_KEYPOINT_SIGMA
            && keypoint.sigma < FURTHEST_POINT
            && keypoint.confidence > 0.0
    };
    let usable = keypoints.map(|keypoint| keypoint.filter(is_usable));
    let by_confidence = usable.map(|keypoint| {
        let keypoint = keypoint.filter(|keypoint| keypoint.confidence >= settings.confidence_threshold)?;
        Some(KeypointForRefinement { confidence: keypoint.confidence.min(1.0), ..keypoint })
    });
    let for_pose = match settings.mode {
        RefineMode::Off | RefineMode::Confidence => by_confidence,
        RefineMode::Unweighted => {
            usable.map(|keypoint| keypoint.map(|keypoint| KeypointForRefinement { confidence: 1.0, ..keypoint }))
        }
    };
    (by_confidence, for_pose)
}

fn lifter_covariance(lifted: &LiftedPose, joint: usize) -> Matrix3<f64> {
    let direction = lifted.viewing_direction.as_ref();
    let along = direction * direction.transpose();
    (Matrix3::identity() - along) * lifted.sigma_lateral[joint].powi(2) + along * lifted.sigma_depth[joint].powi(2)
}

/// Adds what all joints share, the unknown scale that moves them along their rays, and the calibration.
fn refined(
    position: &Vector3<f64>,
    covariance: &Matrix3<f64>,
    state: JointState,
    settings: &RefineSettings,
) -> RefinedJoint {
    let shared = position * position.transpose() * settings.body_scale_sigma.powi(2);
    let covariance = covariance::proper(&((covariance + shared) * settings.covariance_scale));
    let confidence = probability_within(&covariance, CONFIDENCE_RADIUS_M);
    RefinedJoint { position_in_camera: Point3::from(*position), covariance, confidence, state }
}

#[cfg(test)]
mod tests;
