//! A run against its truth: which image is which, who is who, and every error as a raw sample.
//!
//! * Images: by place in the recording or by nearest stamp ([`crate::metrics::association`]). Only images with truth
//!   are compared; there every unmatched true person is *missed* and every unmatched prediction *false*.
//! * Identity and detection: [`crate::metrics::identity`].
//! * Velocity error: ‖Δp − Δt‖ / Δstamp of the root-relative joints between neighbouring compared images in which the
//!   same true person is matched to the same track (MPJVE of `VideoPose3D`, with stamps). Neighbours more than 1.5 median
//!   intervals apart are a gap, not a movement.
//! * Acceleration error: the same over three neighbours ([`crate::metrics::smoothness`]).
//! * Jitter: of the result over all its images, of the truth over the compared ones.

use std::collections::HashMap;

use nalgebra::{Vector2, Vector3};

use crate::data::{JointState, Stamp, TrackId};
use crate::metrics::association::{match_people, match_stamps, person_cost};
use crate::metrics::coverage::squared_mahalanobis;
use crate::metrics::identity::{Identity, IdentityCounts, ImageIdentities};
use crate::metrics::jitter::Jitter;
use crate::metrics::keypoint_error::keypoint_error;
use crate::metrics::observation::Observation;
use crate::metrics::pose_error::{JointPositions, PoseError, root_of, root_pair};
use crate::metrics::sequence::{
    ImageReference, ResultImage, ResultSequence, TruthPerson, TruthSequence, median_interval,
};
use crate::metrics::smoothness::second_derivative;
use crate::skeleton::{JOINT_COUNT, JointArray};

/// Why a run cannot be compared with a truth.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// Nothing to evaluate.
    #[error("the result has no images: was anything replayed?")]
    NoImages,
    /// Nothing to compare with.
    #[error("the truth has {images} images, but not one joint of ours")]
    NoTruth {
        /// Images in the truth.
        images: usize,
    },
    /// Truth and result are of different recordings.
    #[error("none of the {truth_images} images of the truth is among the {images} of the result: {why}")]
    NoOverlap {
        /// Images in the truth.
        truth_images: usize,
        /// Images in the result.
        images: usize,
        /// How they were compared and what was there.
        why: String,
    },
}

/// One true person in one image and the prediction it was matched with.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonSample {
    /// Place of the image in the recording.
    pub image_index: usize,
    /// Its stamp.
    pub stamp: Stamp,
    /// Who it is in truth.
    pub person: String,
    /// What they do, where the truth says.
    pub action: Option<String>,
    /// Who it is in the result.
    pub track_id: TrackId,
    /// Errors of the pose.
    pub error: PoseError,
    /// e ᵀ Σ⁻¹ e of each joint in the camera frame; `None` without a usable covariance.
    pub squared_mahalanobis: JointArray<Option<f64>>,
    /// Error of each joint's root-relative velocity, mm/s; `None` without a predecessor.
    pub velocity_error_mm_per_s: JointArray<Option<f64>>,
    /// Error of each joint's root-relative acceleration, mm/s²; `None` without two predecessors.
    pub acceleration_error_mm_per_s2: JointArray<Option<f64>>,
    /// Distance of each joint from its truth in the camera frame, mm.
    pub position_error_mm: JointArray<Option<f64>>,
    /// From where each joint's truth is in the image to the keypoint that the joint rests on, px; `None` without either, or
    /// where the camera is not known.
    pub keypoint_error_px: JointArray<Option<Vector2<f64>>>,
    /// Stated probability that it is within 150 mm; `None` where the joint has no truth, or no probability is stated.
    pub confidence: JointArray<Option<f64>>,
    /// Where each predicted joint came from.
    pub state: JointArray<JointState>,
    /// Distance of the true root from the camera, m; `None` without a true root.
    pub true_distance: Option<f64>,
}

/// Everything that was found, image by image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Matched people in the order of the images.
    pub samples: Vec<PersonSample>,
    /// What the result says without the truth.
    pub observation: Observation,
    /// Images with truth.
    pub truth_images: usize,
    /// Images with truth that are in the result.
    pub compared_images: usize,
    /// Compared images in which at least one true person was found.
    pub matched_images: usize,
    /// True people that were not found, over the compared images.
    pub missed: usize,
    /// Predicted people that are nobody, over the compared images.
    pub false_people: usize,
    /// Identity and detection, over the compared images.
    pub identity: Identity,
    /// Jitter of the truth in the compared images, m/s³.
    pub truth_jitter_m_per_s3: Option<f64>,
    /// Joints whose covariance is not positive definite or not finite.
    pub covariances_refused: usize,
}

/// Neighbouring images further apart than so many median intervals are a gap.
pub(super) const LONGEST_INTERVAL: f64 = 1.5;

/// Compares `result` with `truth`; stamps may differ by `stamp_tolerance_ns`.
///
/// # Errors
/// [`EvaluationError`] when there is nothing to compare.
pub fn evaluate(
    result: &ResultSequence,
    truth: &TruthSequence,
    stamp_tolerance_ns: u64,
) -> Result<Evaluation, EvaluationError> {
    if result.images.is_empty() {
        return Err(EvaluationError::NoImages);
    }
    let has_joints = |person: &TruthPerson| person.joints.iter().any(Option::is_some);
    if !truth.images.values().flatten().any(has_joints) {
        return Err(EvaluationError::NoTruth { images: truth.images.len() });
    }
    let compared = pair_images(result, truth, stamp_tolerance_ns)?;
    let interval = median_interval(compared.iter().map(|&(index, _)| result.images[index].stamp));
    let mut evaluation = Evaluation {
        observation: Observation::of(result),
        truth_images: truth.images.len(),
        compared_images: compared.len(),
        ..Evaluation::default()
    };
    let mut identities = IdentityCounts::default();
    let mut truth_jitter = Jitter::new(interval);
    let mut previous: HashMap<&str, Moment> = HashMap::new();
    let mut previous_stamp = None;
    for (image_index, people) in compared {
        let image = &result.images[image_index];
        let is_neighbour = previous_stamp.zip(interval).is_some_and(|(before, interval)| {
            let elapsed = image.stamp.seconds_since(before);
            elapsed > 0.0 && elapsed <= LONGEST_INTERVAL * interval
        });
        if !is_neighbour {
            previous.clear();
        }
        previous = evaluation.add_image(result, image_index, people, &previous, &mut identities);
        for person in people {
            truth_jitter.add(person.person.as_str(), image.stamp, &person.joints);
        }
        previous_stamp = Some(image.stamp);
    }
    evaluation.identity = identities.finish();
    evaluation.truth_jitter_m_per_s3 = truth_jitter.mean();
    Ok(evaluation)
}

/// The images of the result that have truth, in order, with it: `(place in the result, people)`.
///
/// # Errors
/// [`EvaluationError::NoOverlap`] when there is none.
pub fn pair_images<'a>(
    result: &ResultSequence,
    truth: &'a TruthSequence,
    stamp_tolerance_ns: u64,
) -> Result<Vec<(usize, &'a [TruthPerson])>, EvaluationError> {
    let result_stamps: Vec<Stamp> = result.images.iter().map(|image| image.stamp).collect();
    let truth_stamps: Vec<Stamp> = truth
        .images
        .keys()
        .filter_map(|reference| match reference {
            ImageReference::Stamp(stamp) => Some(*stamp),
            ImageReference::Index(_) => None,
        })
        .collect();
    let mut by_stamp = match_stamps(&result_stamps, &truth_stamps, stamp_tolerance_ns).into_iter();
    let mut compared: Vec<(usize, &[TruthPerson])> = truth
        .images
        .iter()
        .filter_map(|(reference, people)| {
            let index = match reference {
                ImageReference::Index(index) => Some(*index).filter(|&index| index < result.images.len()),
                ImageReference::Stamp(_) => by_stamp.next().flatten(),
            };
            Some((index?, people.as_slice()))
        })
        .collect();
    compared.sort_by_key(|&(index, _)| index);
    if !compared.is_empty() {
        return Ok(compared);
    }
    let why = match (
        truth_stamps.iter().min(),
        truth_stamps.iter().max(),
        result_stamps.iter().min(),
        result_stamps.iter().max(),
    ) {
        (Some(first), Some(last), Some(result_first), Some(result_last)) => format!(
            "by stamp within {} ms, the truth is from {} to {} ns, the result from {} to {} ns",
            stamp_tolerance_ns as f64 * 1e-6,
            first.nanoseconds(),
            last.nanoseconds(),
            result_first.nanoseconds(),
            result_last.nanoseconds()
        ),
        _ => "by image_index, which counts the images of the result from 0".to_owned(),
    };
    Err(EvaluationError::NoOverlap { truth_images: truth.images.len(), images: result.images.len(), why })
}

/// A matched person at one time, to take velocities from.
struct Moment {
    stamp: Stamp,
    track_id: TrackId,
    /// Predicted minus true root-relative position, m. Its change is Δp − Δt.
    difference: JointArray<Option<Vector3<f64>>>,
    /// The same one image earlier.
    earlier: Option<(Stamp, JointArray<Option<Vector3<f64>>>)>,
}

impl Evaluation {
    /// Of a result without a truth: nothing but what it says itself.
    ///
    /// # Errors
    /// [`EvaluationError::NoImages`].
    pub fn without_truth(result: &ResultSequence) -> Result<Self, EvaluationError> {
        if result.images.is_empty() {
            return Err(EvaluationError::NoImages);
        }
        Ok(Self { observation: Observation::of(result), ..Self::default() })
    }

    /// Adds one compared image and gives the people to take the next velocities from.
    fn add_image<'a>(
        &mut self,
        result: &ResultSequence,
        image_index: usize,
        people: &'a [TruthPerson],
        previous: &HashMap<&'a str, Moment>,
        identities: &mut IdentityCounts<'a>,
    ) -> HashMap<&'a str, Moment> {
        let image = &result.images[image_index];
        let camera = result.camera_at(image.stamp);
        let predicted: Vec<JointPositions> = image.people.iter().map(super::ResultPerson::positions).collect();
        let true_joints: Vec<JointPositions> = people.iter().map(|person| person.joints).collect();
        let matches = match_people(&predicted, &true_joints);
        let matched = matches.iter().flatten().count();
        self.matched_images += usize::from(matched > 0);
        self.missed += people.len() - matched;
        self.false_people += predicted.len() - matched;
        identities.add(&identities_of(image, &predicted, people, &true_joints, &matches));
        let mut now = HashMap::new();
        for (person, index) in people.iter().zip(matches).filter_map(|(person, index)| Some((person, index?))) {
            let found = &image.people[index];
            let track_id = found.track_id;
            let before = previous.get(person.person.as_str()).filter(|before| before.track_id == track_id);
            let moment = Moment {
                stamp: image.stamp,
                track_id,
                difference: root_relative_difference(&predicted[index], &person.joints),
                earlier: before.map(|before| (before.stamp, before.difference)),
            };
            let mut refused = 0;
            let squared_mahalanobis = std::array::from_fn(|joint| {
                let (predicted, truth) = found.joints[joint].zip(person.joints[joint])?;
                let squared = squared_mahalanobis(&predicted.position_in_camera, &predicted.covariance?, &truth);
                refused += usize::from(squared.is_none());
                squared
            });
            self.covariances_refused += refused;
            self.samples.push(PersonSample {
                image_index,
                stamp: image.stamp,
                person: person.person.clone(),
                action: person.action.clone(),
                track_id,
                error: PoseError::of(&predicted[index], &person.joints),
                squared_mahalanobis,
                velocity_error_mm_per_s: before
                    .map_or([None; JOINT_COUNT], |before| velocity_error_mm_per_s(before, &moment)),
                acceleration_error_mm_per_s2: before
                    .map_or([None; JOINT_COUNT], |before| acceleration_error_mm_per_s2(before, &moment)),
                position_error_mm: std::array::from_fn(|joint| {
                    predicted[index][joint].zip(person.joints[joint]).map(|(p, t)| (p - t).norm() * 1000.0)
                }),
                keypoint_error_px: std::array::from_fn(|joint| {
                    let keypoint = found.joints[joint]?.keypoint_in_image_px?;
                    keypoint_error(camera?, keypoint, &person.joints[joint]?)
                }),
                confidence: std::array::from_fn(|joint| {
                    person.joints[joint].and(found.joints[joint]).and_then(|joint| joint.confidence)
                }),
                state: found.joints.map(|joint| joint.map_or(JointState::Absent, |joint| joint.state)),
                true_distance: root_of(&person.joints).map(|root| root.coords.norm()),
            });
            now.insert(person.person.as_str(), moment);
        }
        now
    }
}

/// Who is there, who was found, and who may be whom.
fn identities_of<'a>(
    image: &ResultImage,
    predicted: &[JointPositions],
    people: &'a [TruthPerson],
    true_joints: &[JointPositions],
    matches: &[Option<usize>],
) -> ImageIdentities<'a> {
    let pairs = (0..people.len()).flat_map(|person| (0..predicted.len()).map(move |track| (person, track)));
    let is_close = |&(person, track): &(usize, usize)| person_cost(&predicted[track], &true_joints[person]).is_some();
    ImageIdentities {
        people: people.iter().map(|person| person.person.as_str()).collect(),
        tracks: image.people.iter().map(|person| person.track_id).collect(),
        close: pairs.filter(is_close).collect(),
        matched: matches.to_vec(),
    }
}

fn root_relative_difference(predicted: &JointPositions, truth: &JointPositions) -> JointArray<Option<Vector3<f64>>> {
    let Some((predicted_root, true_root)) = root_pair(predicted, truth) else { return [None; JOINT_COUNT] };
    std::array::from_fn(|joint| predicted[joint].zip(truth[joint]).map(|(p, t)| (p - predicted_root) - (t - true_root)))
}

fn velocity_error_mm_per_s(before: &Moment, now: &Moment) -> JointArray<Option<f64>> {
    let elapsed = now.stamp.seconds_since(before.stamp);
    std::array::from_fn(|joint| {
        now.difference[joint]
            .zip(before.difference[joint])
            .map(|(now, before)| (now - before).norm() / elapsed * 1000.0)
    })
}

fn acceleration_error_mm_per_s2(before: &Moment, now: &Moment) -> JointArray<Option<f64>> {
    let Some((earlier_stamp, earlier)) = &before.earlier else { return [None; JOINT_COUNT] };
    let times = [*earlier_stamp, before.stamp, now.stamp].map(|stamp| stamp.seconds_since(*earlier_stamp));
    std::array::from_fn(|joint| {
        let positions = [earlier[joint]?, before.difference[joint]?, now.difference[joint]?];
        second_derivative(positions, times).map(|acceleration| acceleration.norm() * 1000.0)
    })
}
