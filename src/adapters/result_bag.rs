//! Skeletons from a bag: results of `stridepose replay`, or a truth in the same message.
//!
//! One `SkeletonArray` an image, in the order of the bag. A message that cannot be decoded would shift every later
//! `image_index`: it stays in the sequence as an image without people (with the bag's log time), and is counted.
//! Another topic than [`SKELETONS_TOPIC`], such as the one with look-ahead, may leave images out: there the images are
//! counted on [`SKELETONS_TOPIC`] and found by their stamps.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use nalgebra::{Matrix3, Point2, Point3};

use crate::adapters::bag::{Bag, BagError, Completeness, Topic};
use crate::adapters::messages::sensor_msgs::CameraInfo;
use crate::adapters::messages::stridepose::{Joint as JointMessage, Skeleton, SkeletonArray};
use crate::adapters::messages::{Message, from_cdr};
use crate::adapters::result_writer::{CAMERA_INFO_TOPIC, SKELETONS_TOPIC};
use crate::data::{JointState, Stamp, TrackId};
use crate::geometry::CameraModel;
use crate::metrics::{
    ImageReference, ResultImage, ResultJoint, ResultPerson, ResultSequence, TruthPerson, TruthSequence,
};
use crate::skeleton::{JOINT_COUNT, Joint};

/// A bag without usable skeletons.
#[derive(Debug, thiserror::Error)]
pub enum ResultBagError {
    /// The bag itself.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// The topic is not there, or which one is meant is open.
    #[error("{path} has {problem}; its topics of type {} are: {found}", SkeletonArray::TYPE)]
    Topic {
        /// The bag.
        path: String,
        /// What is wrong.
        problem: String,
        /// What there is.
        found: String,
    },
}

/// The skeletons of a bag.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultBag {
    /// Every image, in order.
    pub sequence: ResultSequence,
    /// Stamps of all images of the recording, where `sequence` may lack some.
    pub image_stamps: Option<Vec<Stamp>>,
    /// Coordinate frames named in the messages.
    pub frames: BTreeSet<String>,
    /// What could not be used, in words.
    pub problems: Vec<String>,
    /// Whether the bag is whole.
    pub completeness: Completeness,
}

/// The same people as truth, told apart by their track id, found by stamp.
///
/// Predicted and inferred joints count: who uses a bag as truth vouches for them.
pub fn truth_from_result(result: ResultSequence) -> TruthSequence {
    let mut truth = TruthSequence::default();
    for image in result.images {
        let people = truth.images.entry(ImageReference::Stamp(image.stamp)).or_default();
        people.extend(image.people.iter().map(|person| TruthPerson {
            person: person.track_id.0.to_string(),
            action: None,
            joints: person.positions(),
        }));
    }
    truth
}

/// Reads the skeletons of `topic` from the bag at `path`; without a topic from [`SKELETONS_TOPIC`], or from the only
/// topic of that type.
///
/// # Errors
/// [`ResultBagError`] when the bag is refused or has no such topic.
pub fn read_result_bag(path: &Path, topic: Option<&str>) -> Result<ResultBag, ResultBagError> {
    let mut bag = Bag::open(path)?;
    let topic = choose_topic(&bag, topic)?;
    let mut sequence = ResultSequence::default();
    let mut frames = BTreeSet::new();
    let mut problems = Vec::new();
    let counts_images = topic != SKELETONS_TOPIC && bag.topics().iter().any(|topic| topic.name == SKELETONS_TOPIC);
    let image_stamps = if counts_images { Some(stamps(&mut bag)?) } else { None };
    let has_camera = |topic: &&Topic| topic.name == CAMERA_INFO_TOPIC && topic.type_name == CameraInfo::TYPE;
    let camera_topic = bag.topics().iter().find(has_camera).map(|topic| topic.name.clone());
    let topics: Vec<String> = camera_topic.into_iter().chain([topic]).collect();
    let completeness = bag.read::<BagError>(&topics, &mut |message| {
        if message.topic == CAMERA_INFO_TOPIC {
            sequence.cameras.extend(camera(message.data));
            return Ok(ControlFlow::Continue(()));
        }
        let index = sequence.images.len();
        let image = match from_cdr::<SkeletonArray<'_>>(message.data) {
            Ok(array) => {
                // Images that could not be read before the first good one have none.
                let has_frame = !(array.header.frame_id.is_empty() && array.skeletons.is_empty());
                if has_frame && !frames.contains(array.header.frame_id) {
                    frames.insert(array.header.frame_id.to_owned());
                }
                let people = array.skeletons.iter().filter_map(|skeleton| match person(skeleton) {
                    Ok(person) => Some(person),
                    Err(problem) => {
                        problems.push(format!("image {index}, track {}: {problem}", skeleton.track_id));
                        None
                    }
                });
                ResultImage { stamp: array.header.stamp, people: people.collect() }
            }
            Err(error) => {
                problems.push(format!("image {index}: {error}"));
                ResultImage { stamp: Stamp::from_nanoseconds(message.log_time_ns), people: Vec::new() }
            }
        };
        sequence.images.push(image);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(ResultBag { sequence, image_stamps, frames, problems, completeness })
}

/// A camera, with the stamp from which on it is the one; one that is none says nothing about the keypoints.
fn camera(data: &[u8]) -> Option<(Stamp, CameraModel)> {
    let info = from_cdr::<CameraInfo>(data).ok()?;
    Some((info.stamp, CameraModel::from_calibration(&info.calibration()).ok()?))
}

/// Stamps on [`SKELETONS_TOPIC`].
fn stamps(bag: &mut Bag) -> Result<Vec<Stamp>, BagError> {
    let mut stamps = Vec::new();
    bag.read::<BagError>(&[SKELETONS_TOPIC.to_owned()], &mut |message| {
        let stamp = from_cdr::<SkeletonArray<'_>>(message.data).map(|array| array.header.stamp);
        stamps.push(stamp.unwrap_or(Stamp::from_nanoseconds(message.log_time_ns)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(stamps)
}

fn choose_topic(bag: &Bag, topic: Option<&str>) -> Result<String, ResultBagError> {
    let candidates: Vec<&str> = bag
        .topics()
        .iter()
        .filter(|topic| topic.type_name == SkeletonArray::TYPE)
        .map(|topic| topic.name.as_str())
        .collect();
    let chosen = match (topic, candidates.as_slice()) {
        (Some(wanted), all) => all.iter().find(|&&name| name == wanted),
        (None, [only]) => Some(only),
        (None, all) => all.iter().find(|&&name| name == SKELETONS_TOPIC),
    };
    chosen.map(|&name| name.to_owned()).ok_or_else(|| ResultBagError::Topic {
        path: bag.path().display().to_string(),
        problem: match topic {
            Some(wanted) => format!("no skeletons on {wanted}"),
            None if candidates.is_empty() => "no skeletons".to_owned(),
            None => "skeletons on several topics".to_owned(),
        },
        found: if candidates.is_empty() { "none".to_owned() } else { candidates.join(", ") }
            + &bag.topics().but_damaged(),
    })
}

fn person(skeleton: &Skeleton<'_>) -> Result<ResultPerson, String> {
    if skeleton.joint_set != Joint::SET_NAME || skeleton.joints.len() != JOINT_COUNT {
        return Err(format!(
            "{} joints of set \"{}\", {JOINT_COUNT} of {} are needed; person left out",
            skeleton.joints.len(),
            skeleton.joint_set,
            Joint::SET_NAME
        ));
    }
    let mut joints = [None; JOINT_COUNT];
    for (slot, (message, joint)) in joints.iter_mut().zip(skeleton.joints.iter().zip(Joint::ALL)) {
        *slot = result_joint(message).map_err(|problem| format!("{}: {problem}; person left out", joint.name()))?;
    }
    Ok(ResultPerson { track_id: TrackId(skeleton.track_id), joints })
}

fn result_joint(message: &JointMessage) -> Result<Option<ResultJoint>, String> {
    if message.state == JointState::Absent {
        return Ok(None);
    }
    let position = Point3::new(message.position.x, message.position.y, message.position.z);
    if !position.iter().all(|value| value.is_finite()) {
        return Err(format!("position {position} though the joint is not absent"));
    }
    let [xx, xy, xz, yy, yz, zz] = message.covariance.map(f64::from);
    let covariance = Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, zz);
    // All NaN is "none stated"; anything else is taken at its word and fails its coverage.
    let is_stated = !message.covariance.iter().all(|value| value.is_nan());
    Ok(Some(ResultJoint {
        position_in_camera: position,
        covariance: is_stated.then_some(covariance),
        confidence: Some(f64::from(message.confidence)).filter(|confidence| confidence.is_finite()),
        state: message.state,
        keypoint_in_image_px: (message.u.is_finite() && message.v.is_finite())
            .then(|| Point2::new(f64::from(message.u), f64::from(message.v))),
    }))
}
