//! A run against its truth: which image is which, who is who, and every error as a raw sample.
//!
//! * Images: by place in the recording or by nearest stamp ([`crate::metrics::association`]). Only images with truth
//!   are compared; there every unmatched true person is *missed* and every unmatched prediction *false*.
//! * Identity switch: a true person is matched to another track than the last time it was matched.
//! * Velocity error: ‖Δp − Δt‖ / Δstamp of the root-relative joints between neighbouring compared images in which the
//!   same true person is matched to the same track (MPJVE of `VideoPose3D`, with stamps). Neighbours more than 1.5 median
//!   intervals apart are a gap, not a movement.

use std::collections::HashMap;

use nalgebra::Vector3;

use crate::data::{Stamp, TrackId};
use crate::metrics::association::{match_people, match_stamps};
use crate::metrics::coverage::squared_mahalanobis;
use crate::metrics::pose_error::{JointPositions, PoseError, root_pair};
use crate::metrics::sequence::{
    ImageReference, ResultImage, ResultSequence, TruthPerson, TruthSequence, median_interval,
};
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
    /// Who it is in the result.
    pub track_id: TrackId,
    /// Errors of the pose.
    pub error: PoseError,
    /// e ᵀ Σ⁻¹ e of each joint in the camera frame; `None` without a usable covariance.
    pub squared_mahalanobis: JointArray<Option<f64>>,
    /// Error of each joint's root-relative velocity, mm/s; `None` without a predecessor.
    pub velocity_error_mm_per_s: JointArray<Option<f64>>,
}

/// Everything that was found, image by image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Matched people in the order of the images.
    pub samples: Vec<PersonSample>,
    /// Median time between the images of the result, s.
    pub image_interval: Option<f64>,
    /// Images of the result.
    pub images: usize,
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
    /// How often a true person came back as another track.
    pub identity_switches: usize,
    /// Joints whose covariance is not positive definite or not finite.
    pub covariances_refused: usize,
}

/// Neighbouring images further apart than so many median intervals are a gap.
const LONGEST_INTERVAL: f64 = 1.5;

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
        image_interval: result.image_interval(),
        images: result.images.len(),
        truth_images: truth.images.len(),
        compared_images: compared.len(),
        ..Evaluation::default()
    };
    let mut last_track: HashMap<&str, TrackId> = HashMap::new();
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
        previous = evaluation.add_image(image_index, image, people, &previous, &mut last_track);
        previous_stamp = Some(image.stamp);
    }
    Ok(evaluation)
}

/// The images of the result that have truth, in order, with it.
fn pair_images<'a>(
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
}

impl Evaluation {
    /// Adds one compared image and gives the people to take the next velocities from.
    fn add_image<'a>(
        &mut self,
        image_index: usize,
        image: &ResultImage,
        people: &'a [TruthPerson],
        previous: &HashMap<&'a str, Moment>,
        last_track: &mut HashMap<&'a str, TrackId>,
    ) -> HashMap<&'a str, Moment> {
        let predicted: Vec<JointPositions> = image.people.iter().map(super::ResultPerson::positions).collect();
        let true_joints: Vec<JointPositions> = people.iter().map(|person| person.joints).collect();
        let matches = match_people(&predicted, &true_joints);
        let matched = matches.iter().flatten().count();
        self.matched_images += usize::from(matched > 0);
        self.missed += people.len() - matched;
        self.false_people += predicted.len() - matched;
        let mut now = HashMap::new();
        for (person, index) in people.iter().zip(matches).filter_map(|(person, index)| Some((person, index?))) {
            let track_id = image.people[index].track_id;
            if last_track.insert(&person.person, track_id).is_some_and(|last| last != track_id) {
                self.identity_switches += 1;
            }
            let moment = Moment {
                stamp: image.stamp,
                track_id,
                difference: root_relative_difference(&predicted[index], &person.joints),
            };
            let velocity_error_mm_per_s = previous
                .get(person.person.as_str())
                .filter(|before| before.track_id == track_id)
                .map_or([None; JOINT_COUNT], |before| velocity_error_mm_per_s(before, &moment));
            let mut refused = 0;
            let squared_mahalanobis = std::array::from_fn(|joint| {
                let (predicted, truth) = image.people[index].joints[joint].zip(person.joints[joint])?;
                let squared = squared_mahalanobis(&predicted.position_in_camera, &predicted.covariance?, &truth);
                refused += usize::from(squared.is_none());
                squared
            });
            self.covariances_refused += refused;
            self.samples.push(PersonSample {
                image_index,
                stamp: image.stamp,
                person: person.person.clone(),
                track_id,
                error: PoseError::of(&predicted[index], &person.joints),
                squared_mahalanobis,
                velocity_error_mm_per_s,
            });
            now.insert(person.person.as_str(), moment);
        }
        now
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
