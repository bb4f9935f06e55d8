//! Truth from an array of joints, `[image][person][joint]` → x, y, z, as the field's data sets are passed on.
//!
//! Frame: the camera's optical frame, or the world's where the camera's extrinsics are given. Unit: m or mm, stated; the
//! thighs and the trunk must then be those of a person. Image i of the array is image i of the recording, unless stamps
//! are given. A joint whose x, y and z are all NaN has no truth; a person without any joint is not in that image, and
//! nobody is claimed to be missing there. Nothing is repaired: what cannot be meant is refused with its place.

use nalgebra::Point3;

use super::camera::TruthCamera;
use crate::data::Stamp;
use crate::metrics::{ImageReference, JointPositions, TruthPerson, TruthSequence};
use crate::skeleton::{DatasetLayout, JOINT_COUNT, Joint, JointArray};

/// Unit of lengths in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Metres.
    Metre,
    /// Millimetres.
    Millimetre,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Metre, Self::Millimetre];

    /// Its sign.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metre => "m",
            Self::Millimetre => "mm",
        }
    }

    /// The unit with the sign `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }

    /// How long it is, m.
    pub const fn metres(self) -> f64 {
        match self {
            Self::Metre => 1.0,
            Self::Millimetre => 1e-3,
        }
    }
}

/// An array that is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TruthArrayError {
    /// It cannot be read at all.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Something that must be said is not, or not so that it can be meant.
    #[error("{0}")]
    Meaning(String),
    /// Another shape than one of joints.
    #[error("has shape {found}; [images, 17, 3] or [images, people, 17, 3] is needed")]
    Shape {
        /// What it has.
        found: String,
    },
    /// Lists that do not fit each other.
    #[error("has {found} {what} for {needed} {of}")]
    Count {
        /// Entries of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
        /// Of what.
        of: &'static str,
    },
    /// Coordinates that are neither a place nor its absence.
    #[error(
        "image {image}, person {person}, {joint}: ({x}, {y}, {z}) is no place; a joint without truth is NaN in all three"
    )]
    NoPlace {
        /// Place in the array.
        image: usize,
        /// Place in the array.
        person: usize,
        /// Name of the joint.
        joint: &'static str,
        /// Coordinate.
        x: f64,
        /// Coordinate.
        y: f64,
        /// Coordinate.
        z: f64,
    },
    /// Zeros where NaN is meant.
    #[error("image {image}, person {person}: all joints are at 0, 0, 0; who is not there is NaN")]
    AllZero {
        /// Place in the array.
        image: usize,
        /// Place in the array.
        person: usize,
    },
    /// Two images with one stamp.
    #[error("stamps_ns has {stamp_ns} twice")]
    StampTwice {
        /// The stamp.
        stamp_ns: i64,
    },
    /// Nothing in it.
    #[error("has not one joint")]
    Empty,
    /// Nobody is so long.
    #[error("with unit {unit} the {bone} is {length:.4} m long (median): {hint}")]
    NotAPerson {
        /// What was measured.
        bone: &'static str,
        /// Its length, m.
        length: f64,
        /// Unit stated.
        unit: &'static str,
        /// Unit it would be that of a person in.
        hint: String,
    },
    /// Positions without the root's.
    #[error("every pelvis is at 0, 0, 0: the joints are relative to it, and where the people were is not told")]
    RootRelative,
    /// Wrong frame.
    #[error("{behind} of {people} people are behind the camera: {hint}")]
    BehindCamera {
        /// People with their joints at z <= 0.
        behind: usize,
        /// All people.
        people: usize,
        /// What may be the reason.
        hint: &'static str,
    },
}

/// Coordinates in the unit, frame and joint order of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoseArray {
    /// People in each image.
    pub people: usize,
    /// Person after person, image after image; NaN where there is no truth.
    pub poses: Vec<JointArray<[f64; 3]>>,
}

/// What the people of an array do.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(untagged)]
pub enum Action {
    /// Everybody the same all the time.
    Always(String),
    /// An entry for each image.
    PerImage(Vec<Option<String>>),
}

/// What the numbers of an array mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    /// Order of the joints.
    pub layout: DatasetLayout,
    /// Unit.
    pub unit: Unit,
    /// The camera, where one is told; with extrinsics the joints are in the world.
    pub camera: TruthCamera,
    /// Stamps of the images; without, they are those of the recording in order.
    pub stamps_ns: Option<Vec<i64>>,
    /// Names of the people; without, they are numbers from 0.
    pub persons: Option<Vec<String>>,
    /// What they do.
    pub action: Option<Action>,
}

/// Truth, and what is worth saying about it.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthArray {
    /// The truth.
    pub truth: TruthSequence,
    /// Its camera.
    pub camera: TruthCamera,
    /// What could not be checked.
    pub notes: Vec<String>,
}

/// A bone whose length tells the unit: name, ends, and lengths between which it is that of a person, a child or a giant, m.
type Yardstick = (&'static str, [Joint; 2], [f64; 2]);

/// Both thighs and the trunk.
const YARDSTICKS: [Yardstick; 3] = [
    ("thigh", [Joint::LHip, Joint::LKnee], [0.12, 0.65]),
    ("thigh", [Joint::RHip, Joint::RKnee], [0.12, 0.65]),
    ("trunk (pelvis to thorax)", [Joint::Pelvis, Joint::Thorax], [0.15, 0.95]),
];

/// Makes truth of `array`.
///
/// # Errors
/// [`TruthArrayError`] says what cannot be meant.
pub fn truth_of_array(array: &PoseArray, meaning: Meaning) -> Result<TruthArray, TruthArrayError> {
    let people = array.people;
    let images = array.poses.len().checked_div(people).unwrap_or(0);
    check_count("stamps_ns", meaning.stamps_ns.as_ref().map(Vec::len), images, "images")?;
    check_count("persons", meaning.persons.as_ref().map(Vec::len), people, "people")?;
    if let Some(Action::PerImage(actions)) = &meaning.action {
        check_count("actions", Some(actions.len()), images, "images")?;
    }
    let poses: Vec<JointPositions> = array
        .poses
        .iter()
        .enumerate()
        .map(|(at, pose)| pose_of(pose, meaning.layout, at / people, at % people))
        .collect::<Result<_, _>>()?;
    let mut notes = Vec::new();
    check_lengths(&poses, meaning.unit, &mut notes)?;
    let mut pelvises = poses.iter().filter_map(|pose| pose[Joint::Pelvis.index()]).peekable();
    if pelvises.peek().is_some() && pelvises.all(|pelvis| pelvis == Point3::origin()) {
        return Err(TruthArrayError::RootRelative);
    }
    let in_camera = |point: Point3<f64>| meaning.camera.to_camera(point * meaning.unit.metres());
    let poses: Vec<JointPositions> = poses.into_iter().map(|pose| pose.map(|joint| joint.map(in_camera))).collect();
    check_depth(&poses, meaning.camera.camera_from_world.is_some())?;

    let mut truth = TruthSequence::default();
    for (image, of_image) in poses.chunks(people).enumerate() {
        let reference = match &meaning.stamps_ns {
            Some(stamps) => ImageReference::Stamp(Stamp::from_nanoseconds(stamps[image])),
            None => ImageReference::Index(image),
        };
        let action = match &meaning.action {
            Some(Action::Always(action)) => Some(action.as_str()),
            Some(Action::PerImage(actions)) => actions[image].as_deref(),
            None => None,
        };
        let there = of_image.iter().enumerate().filter(|(_, joints)| joints.iter().any(Option::is_some));
        let there: Vec<TruthPerson> = there
            .map(|(person, joints)| TruthPerson {
                person: meaning.persons.as_ref().map_or_else(|| person.to_string(), |names| names[person].clone()),
                action: action.filter(|action| !action.is_empty()).map(str::to_owned),
                joints: *joints,
            })
            .collect();
        if there.is_empty() {
            continue;
        }
        if truth.images.insert(reference, there).is_some() {
            let stamp_ns = meaning.stamps_ns.map_or(0, |stamps| stamps[image]);
            return Err(TruthArrayError::StampTwice { stamp_ns });
        }
    }
    Ok(TruthArray { truth, camera: meaning.camera, notes })
}

fn check_count(
    what: &'static str,
    found: Option<usize>,
    needed: usize,
    of: &'static str,
) -> Result<(), TruthArrayError> {
    match found {
        Some(found) if found != needed => Err(TruthArrayError::Count { what, found, needed, of }),
        _ => Ok(()),
    }
}

/// One person in the order of the internal set, still in the file's unit and frame.
fn pose_of(
    pose: &JointArray<[f64; 3]>,
    layout: DatasetLayout,
    image: usize,
    person: usize,
) -> Result<JointPositions, TruthArrayError> {
    if pose.iter().flatten().all(|value| *value == 0.0) {
        return Err(TruthArrayError::AllZero { image, person });
    }
    let mut positions = [None; JOINT_COUNT];
    for (joint, &[x, y, z]) in layout.joints().into_iter().zip(pose) {
        positions[joint.index()] = match [x, y, z].map(f64::is_finite) {
            [true, true, true] => Some(Point3::new(x, y, z)),
            _ if [x, y, z].iter().all(|value| value.is_nan()) => None,
            _ => return Err(TruthArrayError::NoPlace { image, person, joint: joint.name(), x, y, z }),
        };
    }
    Ok(positions)
}

/// The unit in which people of `poses`, said to be in metres, are people, where that is another one: with a bone and its median
/// length.
pub fn foreign_unit(poses: &[JointPositions]) -> Option<(&'static str, f64, &'static str)> {
    YARDSTICKS.into_iter().find_map(|(bone, ends, [least, most])| {
        let median = median_length(poses, ends).filter(|median| !(least..=most).contains(median))?;
        let units = [("mm", 0.001), ("cm", 0.01)];
        let (name, _) = units.into_iter().find(|(_, metres)| (least..=most).contains(&(median * metres)))?;
        Some((bone, median, name))
    })
}

fn median_length(poses: &[JointPositions], [from, to]: [Joint; 2]) -> Option<f64> {
    let lengths = poses.iter().filter_map(|pose| Some((pose[to.index()]? - pose[from.index()]?).norm()));
    let mut lengths: Vec<f64> = lengths.collect();
    lengths.sort_by(f64::total_cmp);
    lengths.get(lengths.len() / 2).copied()
}

/// Whether the yardsticks are those of a person in `unit`.
fn check_lengths(poses: &[JointPositions], unit: Unit, notes: &mut Vec<String>) -> Result<(), TruthArrayError> {
    let mut is_checked = false;
    for (bone, ends, range) in YARDSTICKS {
        let Some(median) = median_length(poses, ends) else { continue };
        let is_of_a_person = |metres: f64| (range[0]..=range[1]).contains(&(median * metres));
        is_checked = true;
        if is_of_a_person(unit.metres()) {
            continue;
        }
        let other = Unit::ALL.into_iter().find(|other| is_of_a_person(other.metres()));
        let hint = match other {
            Some(other) => format!("in {0} it would be that of a person; is the unit {0}?", other.name()),
            None if is_of_a_person(0.01) => {
                "in cm it would be that of a person; convert the array to m or mm".to_owned()
            }
            None => "it is that of a person neither in m nor in mm; are the layout and the numbers right?".to_owned(),
        };
        let length = median * unit.metres();
        return Err(TruthArrayError::NotAPerson { bone, length, unit: unit.name(), hint });
    }
    if !poses.iter().flatten().any(Option::is_some) {
        return Err(TruthArrayError::Empty);
    }
    if !is_checked {
        notes.push(format!("has no thigh and no trunk: that its unit is {} could not be checked", unit.name()));
    }
    Ok(())
}

/// Whether people are where a camera can see them.
fn check_depth(poses: &[JointPositions], is_from_world: bool) -> Result<(), TruthArrayError> {
    let mut people = 0;
    let mut behind = 0;
    for pose in poses {
        let depths: Vec<f64> = pose.iter().flatten().map(|joint| joint.z).collect();
        people += usize::from(!depths.is_empty());
        behind += usize::from(!depths.is_empty() && depths.iter().all(|depth| *depth <= 0.0));
    }
    if 2 * behind <= people {
        return Ok(());
    }
    let hint = if is_from_world {
        "is the motion from world to camera, x_camera = R x_world + t?"
    } else {
        "if the joints are in the world, the camera's extrinsics are needed (camera.extrinsics)"
    };
    Err(TruthArrayError::BehindCamera { behind, people, hint })
}

#[cfg(test)]
#[path = "array_tests.rs"]
mod tests;
