//! Inference stage optimization (paper, section on confidence-based inference stage optimization): the lifted pose is
//! moved so that it projects onto the keypoints, joint by joint as far as the confidence deserves, and no further.
//!
//! For the 17 joints X of one person in the camera optical frame (m), it minimises
//! ```text
//! Σ_j w_j ρ(|π(X_j) − x_j|² / σ_j²)                      keypoints on the z = 1 plane, ρ Cauchy's kernel
//! + Σ_j |X_j − X_root − X̂_j|²  in units of (σ̂ lateral, σ̂ depth)   the lifter's pose
//! + |X_root − m|²               in units of P             where the person should be by now
//! + λ_b Σ_bones (|b| − ℓ_b)²                              this person's own bones
//! + λ_t Σ_j |X_j − (X_j,t−1 + v_j dt)|²                   small accelerations, real dt
//! ```
//! The start is the closed-form root ([`root`]); Gauss–Newton with step halving ([`solver`]) never returns a higher
//! cost than it got, and nothing is allocated on the way. The inverse normal matrix, plus the uncertainty of the body's
//! scale that all joints share, gives each joint's covariance.
//!
//! Scale: one camera cannot tell a near small person from a far tall one. The lifter's pose is therefore brought to the
//! running mean size of this person's bones before anything else, so that its noise does not move the root's depth from
//! image to image.

mod confidence;
mod lifted_check;
mod root;
mod solver;

use nalgebra::{Matrix3, Point2, Point3, Vector3};

use crate::data::{Covariance, JointState, LiftedPose, Stamp};
use crate::skeleton::{BONES, JOINT_COUNT, Joint, JointArray};

pub use confidence::probability_within;
use solver::{Problem, RootPrior, Temporal};

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
    /// Published covariance over computed covariance (calibration).
    pub covariance_scale: f64,
}

impl Default for RefineSettings {
    fn default() -> Self {
        Self {
            mode: RefineMode::Confidence,
            iterations: 4,
            confidence_threshold: 0.1,
            bone_weight: 1000.0,
            smoothness_weight: 400.0,
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

/// Radius of the confidence, m.
pub const CONFIDENCE_RADIUS_M: f64 = 0.15;
/// Standard deviation of the body's scale that no image of one camera can tell, as a share of the distance.
const SCALE_SIGMA: f64 = 0.04;
/// A keypoint further from the projected joint than this many standard deviations does not support it.
const SUPPORT_SIGMAS: f64 = 4.0;
/// The bone term starts when the mean of the bones rests on so many images.
const BONES_KNOWN_AFTER: f64 = 10.0;
/// Images over which this person's bones are averaged.
const BONE_MEMORY: f64 = 150.0;
/// After a longer pause the past says nothing about the present.
const LONGEST_STEP_SECS: f64 = 0.25;
/// Somebody who is not seen goes on as before and comes to rest within about this time.
const COAST_SECS: f64 = 0.32;
const MODEL_PERIOD_SECS: f64 = 1.0 / 30.0;
/// At most this many times the smoothness weight of 30 Hz at higher rates.
const MOST_SMOOTHNESS: f64 = 2.0;
/// Unknown acceleration of a person's root, m/s².
const ROOT_ACCELERATION: f64 = 4.0;
/// The past never says better than this where the root is: lateral m, and depth as a share of the distance.
const ROOT_FLOOR: (f64, f64) = (0.01, 0.02);

/// One person's past, for one stream of images.
#[derive(Clone, Debug, Default)]
pub struct PersonRefiner {
    past: Option<Past>,
    bones: BoneMemory,
}

#[derive(Clone, Copy, Debug)]
struct Past {
    stamp: Stamp,
    joints: JointArray<Vector3<f64>>,
    velocity: JointArray<Vector3<f64>>,
    root_covariance: Matrix3<f64>,
}

/// Running mean of bone lengths.
#[derive(Clone, Debug, Default)]
struct BoneMemory {
    lengths: [f64; JOINT_COUNT - 1],
    weight: f64,
}

impl BoneMemory {
    /// Brings a pose to the mean size of this person and takes its bones into the mean.
    fn normalise(&mut self, joints_from_root: &mut JointArray<Vector3<f64>>) {
        let lengths = bone_lengths(joints_from_root);
        let total: f64 = lengths.iter().sum();
        if !(total > 0.1 && total.is_finite()) {
            return;
        }
        let share = 1.0 / (self.weight + 1.0);
        for (mean, length) in self.lengths.iter_mut().zip(lengths) {
            *mean += (length - *mean) * share;
        }
        self.weight = (self.weight + 1.0).min(BONE_MEMORY);
        let scale = self.lengths.iter().sum::<f64>() / total;
        for joint in joints_from_root.iter_mut() {
            *joint *= scale;
        }
    }

    fn known(&self) -> Option<&[f64; JOINT_COUNT - 1]> {
        (self.weight >= BONES_KNOWN_AFTER).then_some(&self.lengths)
    }
}

fn bone_lengths(joints: &JointArray<Vector3<f64>>) -> [f64; JOINT_COUNT - 1] {
    BONES.map(|(parent, child)| (joints[child.index()] - joints[parent.index()]).norm())
}

impl PersonRefiner {
    /// Refines the person in the image at `stamp`. `None` only when there is no way to tell where the person is: no
    /// usable keypoint now and none before, or a lifted pose that is no pose ([`lifted_check`]). The past is then kept.
    pub fn refine(
        &mut self,
        settings: &RefineSettings,
        lifted: &LiftedPose,
        keypoints: &JointArray<Option<KeypointForRefinement>>,
        stamp: Stamp,
    ) -> Option<Refined> {
        if !lifted_check::is_usable(lifted) {
            return None;
        }
        let mut pose = lifted.joints_from_root;
        let weights = weights(settings, keypoints);
        if weights.iter().flatten().count() > 0 {
            self.bones.normalise(&mut pose);
        }
        let lifted = LiftedPose { joints_from_root: pose, ..*lifted };
        let prior = self.root_prior(stamp, &lifted);
        let Some(found) = root::solve(&lifted, &weights, prior.as_ref()) else {
            return self.predict(settings, &lifted, prior?, stamp);
        };
        let start: JointArray<Vector3<f64>> = lifted.joints_from_root.map(|joint| found.position + joint);
        let problem = Problem {
            lifted: &lifted,
            keypoints: &weights,
            root: prior.unwrap_or(RootPrior { mean: found.position, covariance: found.covariance * 4.0 }),
            bones: self.bones.known().map(|lengths| (*lengths, settings.bone_weight)),
            temporal: self.temporal(settings, stamp),
        };
        let iterations = if settings.mode == RefineMode::Off { 0 } else { settings.iterations };
        let solved = solver::solve(&problem, &start, iterations);
        let joints = std::array::from_fn(|joint| {
            let position = Point3::from(solved.joints[joint]);
            let covariance = published(&solved.covariance[joint], &position, settings);
            let state = match &weights[joint] {
                Some(keypoint) if solver::distance_in_sigmas(&solved.joints[joint], keypoint) < SUPPORT_SIGMAS => {
                    JointState::Measured
                }
                _ => JointState::Inferred,
            };
            refined(position, covariance, state)
        });
        self.remember(stamp, &solved.joints, &solved.covariance[Joint::Pelvis.index()], &lifted);
        Some(Refined { joints, cost_before: solved.cost_before, cost_after: solved.cost_after })
    }

    /// The person was not seen: the root goes on as it went, slower and slower, and the lifter tells the rest.
    fn predict(
        &mut self,
        settings: &RefineSettings,
        lifted: &LiftedPose,
        prior: RootPrior,
        stamp: Stamp,
    ) -> Option<Refined> {
        let past = self.past.as_mut()?;
        let dt = stamp.seconds_since(past.stamp);
        let joints: JointArray<Vector3<f64>> = lifted.joints_from_root.map(|joint| prior.mean + joint);
        past.stamp = stamp;
        past.joints = joints;
        past.velocity = past.velocity.map(|velocity| velocity * (-dt / COAST_SECS).exp());
        past.root_covariance = prior.covariance;
        Some(Refined {
            joints: std::array::from_fn(|joint| {
                let position = Point3::from(joints[joint]);
                let covariance = prior.covariance + lifter_covariance(lifted, joint);
                refined(position, published(&covariance, &position, settings), JointState::Predicted)
            }),
            cost_before: 0.0,
            cost_after: 0.0,
        })
    }

    /// Where the root should be at `stamp`, from where it was.
    fn root_prior(&self, stamp: Stamp, lifted: &LiftedPose) -> Option<RootPrior> {
        let past = self.past.as_ref()?;
        let dt = stamp.seconds_since(past.stamp);
        if dt < 0.0 {
            return None;
        }
        let root = Joint::Pelvis.index();
        // The way of a velocity that fades with COAST_SECS: many short steps go as far as one long one.
        let moved = past.velocity[root] * (COAST_SECS * (1.0 - (-dt / COAST_SECS).exp()));
        let unknown = 0.02 + 0.5 * ROOT_ACCELERATION * dt * dt + 0.3 * dt;
        let mean = past.joints[root] + moved;
        let direction = lifted.viewing_direction.as_ref();
        let floor = Matrix3::identity() * ROOT_FLOOR.0.powi(2)
            + direction * direction.transpose() * (ROOT_FLOOR.1 * mean.norm()).powi(2);
        Some(RootPrior { mean, covariance: past.root_covariance + floor + Matrix3::identity() * unknown.powi(2) })
    }

    fn temporal(&self, settings: &RefineSettings, stamp: Stamp) -> Option<Temporal> {
        let past = self.past.as_ref()?;
        let dt = stamp.seconds_since(past.stamp);
        if !(dt > 0.0 && dt < LONGEST_STEP_SECS) || settings.smoothness_weight <= 0.0 {
            return None;
        }
        let weight = settings.smoothness_weight * (MODEL_PERIOD_SECS / dt).powi(4).min(MOST_SMOOTHNESS);
        let expected = std::array::from_fn(|joint| past.joints[joint] + past.velocity[joint] * dt);
        Some(Temporal { expected, weight })
    }

    fn remember(&mut self, stamp: Stamp, joints: &JointArray<Vector3<f64>>, root: &Matrix3<f64>, lifted: &LiftedPose) {
        // Half a second's trust at most: errors of the lifter last, so the mean of many images is little better.
        let direction = lifted.viewing_direction.as_ref();
        let depth = joints[Joint::Pelvis.index()].norm();
        let floor = direction * direction.transpose() * (ROOT_FLOOR.1 * depth).powi(2);
        let velocity = match &self.past {
            Some(past) => {
                let dt = stamp.seconds_since(past.stamp);
                if dt > 0.0 && dt < LONGEST_STEP_SECS {
                    // A filter of about 0.1 s at any image rate.
                    let blend = (dt / (dt + 0.07)).clamp(0.0, 1.0);
                    std::array::from_fn(|joint| {
                        let seen = (joints[joint] - past.joints[joint]) / dt;
                        past.velocity[joint] + (seen - past.velocity[joint]) * blend
                    })
                } else {
                    [Vector3::zeros(); JOINT_COUNT]
                }
            }
            None => [Vector3::zeros(); JOINT_COUNT],
        };
        self.past = Some(Past { stamp, joints: *joints, velocity, root_covariance: root + floor });
    }
}

/// Confidence per keypoint as the mode asks for, `None` for those that weigh nothing or are not finite.
fn weights(
    settings: &RefineSettings,
    keypoints: &JointArray<Option<KeypointForRefinement>>,
) -> JointArray<Option<KeypointForRefinement>> {
    keypoints.map(|keypoint| {
        keypoint
            .filter(|keypoint| {
                keypoint.point.coords.iter().all(|value| value.is_finite() && value.abs() < 1e3)
                    && keypoint.sigma.is_finite()
                    && keypoint.sigma > 0.0
                    && keypoint.confidence >= settings.confidence_threshold
                    && keypoint.confidence > 0.0
            })
            .map(|keypoint| match settings.mode {
                RefineMode::Unweighted => KeypointForRefinement { confidence: 1.0, ..keypoint },
                RefineMode::Off | RefineMode::Confidence => {
                    KeypointForRefinement { confidence: keypoint.confidence.min(1.0), ..keypoint }
                }
            })
    })
}

fn lifter_covariance(lifted: &LiftedPose, joint: usize) -> Matrix3<f64> {
    let direction = lifted.viewing_direction.as_ref();
    let along = direction * direction.transpose();
    (Matrix3::identity() - along) * lifted.sigma_lateral[joint].powi(2) + along * lifted.sigma_depth[joint].powi(2)
}

/// Adds what all joints share, the unknown scale along the ray, and the calibration; always positive definite.
fn published(covariance: &Matrix3<f64>, position: &Point3<f64>, settings: &RefineSettings) -> Covariance {
    let ray = position.coords;
    let shared = ray * ray.transpose() * SCALE_SIGMA.powi(2);
    let total = (covariance + shared) * settings.covariance_scale;
    (total + total.transpose()) * 0.5 + Matrix3::identity() * 1e-8
}

fn refined(position_in_camera: Point3<f64>, covariance: Covariance, state: JointState) -> RefinedJoint {
    let confidence = probability_within(&covariance, CONFIDENCE_RADIUS_M);
    RefinedJoint { position_in_camera, covariance, confidence, state }
}

#[cfg(test)]
mod tests;
