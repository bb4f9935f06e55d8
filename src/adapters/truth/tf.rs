//! Truth from TF: people's joints, or markers on them, are coordinate frames in a bag with /tf and /tf_static.
//!
//! Frames are either named as the live node publishes them with `node.publish_tf`, `<prefix>body_<id>` for the pelvis and
//! `<prefix><joint>_<id>` for the others, or by a YAML file that says which frame is which joint, as a motion capture
//! system needs it:
//!
//! ```yaml
//! anna: {pelvis: mocap/anna/hip, l_knee: mocap/anna/knee_l}
//! ben: {pelvis: mocap/ben/hip}
//! ```
//!
//! (one person may do without the name). A name that is a topic of type `geometry_msgs/msg/PoseStamped` in the bag, such as
//! `/vrpn/anna_hip/pose`, is that topic: what drivers of motion capture systems publish of each marker or body. Its poses are
//! taken for a frame in that of their header; only their position counts.
//!
//! Each frame's origin is looked up in the camera's optical frame at each image's stamp,
//! interpolated between two transforms at most [`LONGEST_GAP_SECS`] apart, never extrapolated; a joint whose frame is not
//! known then has no truth there. A marker stands where it was glued, not in the joint: what that costs is the truth's.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use nalgebra::{Isometry3, Point3};
use serde::Deserialize;

use crate::adapters::bag::{Bag, BagError, Completeness, LONGEST_GAP_SECS, take_in_transforms, transform_topics};
use crate::adapters::messages::geometry_msgs::PoseStamped;
use crate::adapters::messages::tf2_msgs::TfMessage;
use crate::adapters::messages::{Message, from_cdr};
use crate::adapters::tf::{TfError, TransformBuffer};
use crate::data::Stamp;
use crate::metrics::{ImageReference, TruthPerson, TruthSequence};
use crate::skeleton::{JOINT_COUNT, Joint, JointArray};

/// So many frames are named where none is that of a joint.
const NAMED_FRAMES: usize = 8;

/// A bag without usable frames.
#[derive(Debug, thiserror::Error)]
pub enum TruthTfError {
    /// The bag itself.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// No topic.
    #[error(
        "has no transforms: no topic /tf or /tf_static of type {}, nor one of type {} that is named",
        TfMessage::TYPE,
        PoseStamped::TYPE
    )]
    NoTransforms,
    /// None of the frames is a joint.
    #[error("no frame is called {expected}; there are {found}")]
    NoPeople {
        /// The names looked for.
        expected: String,
        /// Some of the frames.
        found: String,
    },
    /// A frame that was named is nowhere.
    #[error("frame \"{frame}\" of {joint} is never published")]
    NoSuchFrame {
        /// The frame.
        frame: String,
        /// The joint.
        joint: &'static str,
    },
    /// Not one joint in not one image.
    #[error("no joint can be told in frame \"{camera_frame}\" at any of {images} images; the first: {first}")]
    NoJoint {
        /// The camera's frame.
        camera_frame: String,
        /// Images asked for.
        images: usize,
        /// Why not in the first.
        first: TfError,
    },
    /// The file that says which frame is which joint.
    #[error("{0}")]
    Mapping(String),
}

/// Which frame is which joint of one person.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonFrames {
    /// Who.
    pub person: String,
    /// The frame of each joint; `None` has no truth.
    pub frames: JointArray<Option<String>>,
}

/// Which frames are people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FrameChoice<'a> {
    /// Those called as the live node calls them; with a prefix only those that have it.
    Published {
        /// `node.tf_prefix`.
        prefix: Option<&'a str>,
    },
    /// These.
    Named(&'a [PersonFrames]),
}

/// The truth of a bag.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthTf {
    /// The truth, by stamp.
    pub truth: TruthSequence,
    /// What could not be used, in words.
    pub problems: Vec<String>,
    /// What is worth saying.
    pub notes: Vec<String>,
    /// Whether the bag is whole.
    pub completeness: Completeness,
}

/// The file that says which frame is which joint.
#[derive(Deserialize)]
#[serde(untagged)]
enum Mapping {
    One(BTreeMap<String, String>),
    Many(BTreeMap<String, BTreeMap<String, String>>),
}

/// Reads the text of a file that says which frame is which joint.
///
/// # Errors
/// [`TruthTfError::Mapping`] says what is no joint.
pub fn parse_mapping(text: &str) -> Result<Vec<PersonFrames>, TruthTfError> {
    let refuse = |problem: String| TruthTfError::Mapping(problem);
    // First as YAML: keys that are there twice are refused with their line.
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| refuse(error.to_string()))?;
    let mapping: Mapping = serde_yaml::from_value(value)
        .map_err(|_| refuse("is neither \"joint: frame\" lines nor \"person: {joint: frame, …}\" lines".to_owned()))?;
    let people = match mapping {
        Mapping::One(joints) => BTreeMap::from([(String::new(), joints)]),
        Mapping::Many(people) => people,
    };
    let people: Vec<PersonFrames> = people
        .into_iter()
        .map(|(person, joints)| {
            let mut frames = [const { None }; JOINT_COUNT];
            for (name, frame) in joints {
                let joint = Joint::from_name(&name).ok_or_else(|| {
                    let ours = Joint::ALL.map(Joint::name).join(", ");
                    refuse(format!("\"{name}\" is no joint; joints are {ours}"))
                })?;
                frames[joint.index()] = Some(frame.trim_start_matches('/').to_owned());
            }
            Ok(PersonFrames { person, frames })
        })
        .collect::<Result<_, TruthTfError>>()?;
    if people.iter().all(|person| person.frames.iter().all(Option::is_none)) {
        return Err(refuse("names no frame".to_owned()));
    }
    Ok(people)
}

/// The people with those names that are topics of poses in the bag replaced by [`pose_frame`]s, and these topics.
fn with_pose_topics(bag: &Bag, people: &[PersonFrames]) -> (Vec<PersonFrames>, BTreeSet<String>) {
    let poses = || bag.topics().iter().filter(|topic| topic.type_name == PoseStamped::TYPE);
    let mut used = BTreeSet::new();
    let mut people = people.to_vec();
    for frame in people.iter_mut().flat_map(|person| person.frames.iter_mut().flatten()) {
        let topic = poses().find(|topic| topic.name.trim_start_matches('/') == frame.as_str());
        if let Some(topic) = topic {
            *frame = pose_frame(&topic.name);
            used.insert(topic.name.clone());
        }
    }
    (people, used)
}

/// What the frame of a topic of poses is called, so that it is no frame of TF.
fn pose_frame(topic: &str) -> String {
    format!("poses on {topic}")
}

/// Whether the bag has transforms.
pub fn has_transforms(bag: &Bag) -> bool {
    !transform_topics(bag).is_empty()
}

/// Looks people up in the bag at `path`, in `camera_frame` at the stamps of the images.
///
/// # Errors
/// [`TruthTfError`] when the bag is refused or there is nobody in it.
pub fn read_truth_tf(
    path: &Path,
    choice: FrameChoice<'_>,
    camera_frame: &str,
    image_stamps: &[Stamp],
) -> Result<TruthTf, TruthTfError> {
    let mut bag = Bag::open(path)?;
    let topics = transform_topics(&bag);
    let (named, poses) = match choice {
        FrameChoice::Published { .. } => (Vec::new(), BTreeSet::new()),
        FrameChoice::Named(people) => with_pose_topics(&bag, people),
    };
    if topics.is_empty() && poses.is_empty() {
        return Err(TruthTfError::NoTransforms);
    }
    let mut buffer = TransformBuffer::of_recording(LONGEST_GAP_SECS);
    let mut problems = Vec::new();
    let names: Vec<String> = topics.into_iter().chain(poses.iter().cloned()).collect();
    let completeness = bag.read::<BagError>(&names, &mut |message| {
        if poses.contains(message.topic) {
            match from_cdr::<PoseStamped<'_>>(message.data) {
                Ok(PoseStamped { header, .. }) if header.frame_id.is_empty() => {
                    problems.push(format!("{} at {} ns: in no frame", message.topic, message.log_time_ns));
                }
                Ok(PoseStamped { header, pose }) => {
                    let at = Isometry3::translation(pose.position.x, pose.position.y, pose.position.z);
                    buffer.insert(header.frame_id, &pose_frame(message.topic), header.stamp, at, false);
                }
                Err(error) => problems.push(format!("{} at {} ns: {error}", message.topic, message.log_time_ns)),
            }
            return Ok(ControlFlow::Continue(()));
        }
        take_in_transforms(&message, &mut buffer, &mut problems);
        Ok(ControlFlow::Continue(()))
    })?;
    let people = match choice {
        FrameChoice::Published { prefix } => published_people(&buffer, prefix)?,
        FrameChoice::Named(_) => named,
    };
    let (truth, notes) = look_up(&buffer, &people, choice, camera_frame, image_stamps)?;
    Ok(TruthTf { truth, problems, notes, completeness })
}

/// The people whose frames are called as the live node calls them.
fn published_people(buffer: &TransformBuffer, prefix: Option<&str>) -> Result<Vec<PersonFrames>, TruthTfError> {
    let names: BTreeSet<&str> = buffer.frame_names().collect();
    let mut people = Vec::new();
    for body in &names {
        let Some(at) = body.rfind("body_") else { continue };
        let (of_body, id) = (&body[..at], &body[at + "body_".len()..]);
        if id.is_empty() || prefix.is_some_and(|prefix| prefix.trim_start_matches('/') != of_body) {
            continue;
        }
        let frames = Joint::ALL.map(|joint| {
            let name = match joint {
                Joint::Pelvis => (*body).to_owned(),
                other => format!("{of_body}{}_{id}", other.name()),
            };
            names.contains(name.as_str()).then_some(name)
        });
        if frames.iter().flatten().count() > 1 {
            people.push(PersonFrames { person: (*body).to_owned(), frames });
        }
    }
    if people.is_empty() {
        let prefix = prefix.unwrap_or("<prefix>");
        let some = names.iter().take(NAMED_FRAMES).copied().collect::<Vec<_>>().join(", ");
        let found = match names.len() {
            0 => "none at all".to_owned(),
            all if all > NAMED_FRAMES => format!("{some} and {} more", all - NAMED_FRAMES),
            _ => some,
        };
        let expected = format!("{prefix}body_<id> with {prefix}<joint>_<id> beside it");
        return Err(TruthTfError::NoPeople { expected, found });
    }
    Ok(people)
}

fn look_up(
    buffer: &TransformBuffer,
    people: &[PersonFrames],
    choice: FrameChoice<'_>,
    camera_frame: &str,
    image_stamps: &[Stamp],
) -> Result<(TruthSequence, Vec<String>), TruthTfError> {
    let mut truth = TruthSequence::default();
    let mut first_error: Option<TfError> = None;
    let mut was_found: Vec<JointArray<bool>> = vec![[false; JOINT_COUNT]; people.len()];
    for &stamp in image_stamps {
        let mut there = Vec::new();
        for (person, was_found) in people.iter().zip(&mut was_found) {
            let mut joints = [None; JOINT_COUNT];
            for ((slot, frame), was_found) in joints.iter_mut().zip(&person.frames).zip(was_found) {
                let Some(frame) = frame else { continue };
                match buffer.target_from_source(camera_frame, frame, stamp) {
                    Ok(camera_from_joint) => {
                        *slot = Some(Point3::from(camera_from_joint.translation.vector));
                        *was_found = true;
                    }
                    Err(error) => {
                        first_error.get_or_insert(error);
                    }
                }
            }
            if joints.iter().any(Option::is_some) {
                there.push(TruthPerson { person: person.person.clone(), action: None, joints });
            }
        }
        if !there.is_empty() {
            truth.images.insert(ImageReference::Stamp(stamp), there);
        }
    }
    // A frame that was named and is nowhere is a slip of the pen.
    if let FrameChoice::Named(_) = choice {
        let known: BTreeSet<&str> = buffer.frame_names().collect();
        for person in people {
            for (joint, frame) in Joint::ALL.into_iter().zip(&person.frames) {
                if let Some(frame) = frame.as_deref().filter(|frame| !known.contains(frame) && *frame != camera_frame) {
                    return Err(TruthTfError::NoSuchFrame { frame: frame.to_owned(), joint: joint.name() });
                }
            }
        }
    }
    let Some(first) = first_error else { return Ok((truth, Vec::new())) };
    if truth.images.is_empty() {
        let (camera_frame, images) = (camera_frame.to_owned(), image_stamps.len());
        return Err(TruthTfError::NoJoint { camera_frame, images, first });
    }
    let mut notes = Vec::new();
    let without = image_stamps.len() - truth.images.len();
    if without > 0 {
        notes.push(format!("{without} of {} images have no transforms; the first: {first}", image_stamps.len()));
    }
    let lost = people.iter().zip(&was_found).flat_map(|(person, was_found)| {
        let frames = person.frames.iter().zip(was_found);
        frames.filter(|(_, was_found)| !**was_found).filter_map(|(frame, _)| frame.as_deref())
    });
    let lost: Vec<&str> = lost.collect();
    if !lost.is_empty() {
        notes.push(format!("frames known at no image: {}", lost.join(", ")));
    }
    Ok((truth, notes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};

    use super::*;

    fn stamp(secs: f64) -> Stamp {
        Stamp::from_nanoseconds((1e9 * secs) as i64)
    }

    /// A camera that looks along the world's x, 1 m up; a person who walks along y, published every 0.1 s until 1 s.
    fn walk() -> TransformBuffer {
        let mut buffer = TransformBuffer::of_recording(LONGEST_GAP_SECS);
        let turned = UnitQuaternion::from_euler_angles(-std::f64::consts::FRAC_PI_2, 0.0, -std::f64::consts::FRAC_PI_2);
        let camera = Isometry3::from_parts(Translation3::new(0.0, 0.0, 1.0), turned);
        buffer.insert("world", "camera", stamp(0.0), camera, true);
        for tick in 0..=10 {
            let at = 0.1 * f64::from(tick);
            buffer.insert("world", "t/body_p7", stamp(at), Isometry3::translation(4.0, at, 1.0), false);
            buffer.insert("t/body_p7", "t/l_hip_p7", stamp(at), Isometry3::translation(0.0, 0.15, 0.0), false);
        }
        buffer
    }

    fn frames(buffer: &TransformBuffer, prefix: Option<&str>) -> Vec<PersonFrames> {
        published_people(buffer, prefix).unwrap()
    }

    #[test]
    fn people_are_seen_from_the_camera_between_two_transforms() {
        let buffer = walk();
        let people = frames(&buffer, None);
        assert_eq!((people.len(), people[0].person.as_str()), (1, "t/body_p7"));
        let choice = FrameChoice::Published { prefix: None };
        let (truth, notes) = look_up(&buffer, &people, choice, "camera", &[stamp(0.25), stamp(1.5)]).unwrap();
        assert_eq!(truth.images.len(), 1, "nothing is extrapolated");
        let joints = truth.images[&ImageReference::Stamp(stamp(0.25))][0].joints;
        // The camera's x is the world's -y, its z the world's x.
        let pelvis = joints[Joint::Pelvis.index()].unwrap();
        assert!((pelvis.coords - Vector3::new(-0.25, 0.0, 4.0)).norm() < 1e-9, "{pelvis}");
        assert!((joints[Joint::LHip.index()].unwrap().coords - Vector3::new(-0.4, 0.0, 4.0)).norm() < 1e-9);
        assert_eq!(joints.iter().flatten().count(), 2);
        assert!(notes[0].starts_with("1 of 2 images have no transforms"), "{notes:?}");
    }

    #[test]
    fn who_was_away_is_not_invented() {
        let mut buffer = walk();
        buffer.insert("world", "t/body_p7", stamp(9.0), Isometry3::translation(4.0, 9.0, 1.0), false);
        let people = frames(&buffer, Some("t/"));
        let choice = FrameChoice::Published { prefix: Some("t/") };
        let error = look_up(&buffer, &people, choice, "camera", &[stamp(5.0)]).unwrap_err().to_string();
        assert!(error.contains("no joint can be told in frame \"camera\" at any of 1 images"), "{error}");
        assert!(error.contains("was not published for 8.000 s"), "{error}");
        let other = published_people(&buffer, Some("other/")).unwrap_err().to_string();
        assert!(other.contains("other/body_<id>") && other.contains("t/body_p7"), "{other}");
        let unknown = look_up(&buffer, &people, choice, "lens", &[stamp(0.5)]).unwrap_err().to_string();
        assert!(unknown.contains("\"lens\" is not known"), "{unknown}");
    }

    #[test]
    fn a_file_says_which_frame_is_which_joint() {
        let one = parse_mapping("pelvis: /t/body_p7\nl_hip: t/l_hip_p7\n").unwrap();
        assert_eq!((one.len(), one[0].frames[0].as_deref()), (1, Some("t/body_p7")));
        let two = parse_mapping("anna: {pelvis: a}\nben: {l_hip: b, nose: c}").unwrap();
        assert_eq!((two[1].person.as_str(), two[1].frames[4].as_deref()), ("ben", Some("b")));
        let buffer = walk();
        let (truth, notes) = look_up(&buffer, &one, FrameChoice::Named(&one), "camera", &[stamp(0.3)]).unwrap();
        assert_eq!((truth.images.len(), notes.len()), (1, 0));
        let wrong = look_up(&buffer, &two, FrameChoice::Named(&two), "camera", &[stamp(0.3)]).unwrap_err();
        assert_eq!(wrong.to_string(), "frame \"a\" of pelvis is never published");
        let refusal = |text: &str| parse_mapping(text).unwrap_err().to_string();
        assert!(refusal("tail: a").contains("\"tail\" is no joint; joints are pelvis, r_hip"));
        assert!(refusal("a: {pelvis: x}\nb: y").contains("is neither"));
        assert!(refusal("- a").contains("is neither"));
        assert!(refusal("{}").contains("names no frame"));
        assert!(refusal("anna: {}").contains("names no frame"));
        assert!(refusal("nose: a\nnose: b").contains("duplicate"));
    }
}
