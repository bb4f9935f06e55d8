//! `stridepose/msg/KeypointArray`: 2D keypoints from somebody else's node, checked and brought into the core's form.
//!
//! A keypoint that was not found has score 0 and is masked. Values that make no sense (NaN position with a score,
//! score outside [0, 1], negative spread) mask that keypoint too, with a warning; a person with the wrong number of
//! keypoints is left out with a warning. The rest goes on.

use super::SkeletonArray;
use crate::adapters::cdr::{CdrError, CdrReader, CdrWriter};
use crate::adapters::messages::std_msgs::Header;
use crate::adapters::messages::{Decode, Encode, Message, decode_sequence, encode_sequence};
use crate::data;
use crate::skeleton::{JOINT_COUNT, Joint, KeypointLayout, UnknownLayout};
use crate::warning::{Warning, WarningKind};

/// `stridepose/msg/Keypoint`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keypoint {
    /// Column, px.
    pub u: f32,
    /// Row, px.
    pub v: f32,
    /// Raw score in [0, 1].
    pub score: f32,
    /// Standard deviation of the peak, px; NaN where unknown.
    pub spread: f32,
}

impl Keypoint {
    /// What a keypoint that was not found looks like.
    pub const NOT_FOUND: Self = Self { u: f32::NAN, v: f32::NAN, score: 0.0, spread: f32::NAN };

    /// The core's keypoint, `None` where it was not found.
    ///
    /// # Errors
    /// What is wrong with the values.
    fn checked(&self) -> Result<Option<data::Keypoint>, String> {
        let Self { u, v, score, spread } = *self;
        if !(0.0..=1.0).contains(&score) {
            return Err(format!("score is {score}, expected 0 to 1"));
        }
        if score <= 0.0 {
            return Ok(None);
        }
        if !(u.is_finite() && v.is_finite()) {
            return Err(format!("position is ({u}, {v}) px with score {score}; not found is score 0"));
        }
        let spread = if spread.is_nan() { None } else { Some(spread) };
        match spread {
            Some(spread) if !(spread.is_finite() && spread >= 0.0) => {
                Err(format!("spread is {spread} px, expected 0 or more, or NaN where unknown"))
            }
            spread => Ok(Some(data::Keypoint { x: u, y: v, score, spread })),
        }
    }
}

impl From<Option<data::Keypoint>> for Keypoint {
    fn from(keypoint: Option<data::Keypoint>) -> Self {
        keypoint.map_or(Self::NOT_FOUND, |data::Keypoint { x, y, score, spread }| Self {
            u: x,
            v: y,
            score,
            spread: spread.unwrap_or(f32::NAN),
        })
    }
}

impl Decode<'_> for Keypoint {
    const MINIMUM_BYTES: usize = 16;

    fn decode(reader: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let [u, v, score, spread] = reader.f32_array("keypoint")?;
        Ok(Self { u, v, score, spread })
    }
}

impl Encode for Keypoint {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        writer.f32_elements(&[self.u, self.v, self.score, self.spread]);
    }
}

/// `stridepose/msg/PersonKeypoints`.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonKeypoints {
    /// How sure the 2D node is that this is a person, in [0, 1].
    pub score: f32,
    /// One entry per keypoint of the layout.
    pub keypoints: Vec<Keypoint>,
}

impl Decode<'_> for PersonKeypoints {
    const MINIMUM_BYTES: usize = 8;

    fn decode(reader: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        Ok(Self { score: reader.f32("score")?, keypoints: decode_sequence(reader, "keypoints")? })
    }
}

impl Encode for PersonKeypoints {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        writer.f32(self.score);
        encode_sequence(writer, &self.keypoints);
    }
}

/// `stridepose/msg/KeypointArray`.
#[derive(Clone, Debug, PartialEq)]
pub struct KeypointArray<'a> {
    /// Stamp and frame of the image.
    pub header: Header<'a>,
    /// Name of the keypoint layout.
    pub layout: &'a str,
    /// Everybody found.
    pub people: Vec<PersonKeypoints>,
}

impl KeypointArray<'_> {
    /// The people in the core's form, with warnings about what had to be left out.
    ///
    /// # Errors
    /// [`UnknownLayout`] when no keypoint can be understood.
    pub fn people_in_internal_order(&self) -> Result<(Vec<data::PersonKeypoints>, Vec<Warning>), UnknownLayout> {
        let layout = KeypointLayout::from_name(self.layout)?;
        let mut people = Vec::with_capacity(self.people.len());
        let mut warnings = Vec::new();
        let stamp = self.header.stamp;
        let mut warn = |person: usize, what: String| {
            let at = format!("at {}.{:09}, person {person}", stamp.sec(), stamp.nanosec());
            warnings.push(Warning::new(WarningKind::KeypointsRefused, format!("{at}: {what}")));
        };
        for (index, person) in self.people.iter().enumerate() {
            if person.keypoints.len() != layout.keypoint_count() {
                let (actual, needed) = (person.keypoints.len(), layout.keypoint_count());
                warn(index, format!("has {actual} keypoints, {} needs {needed}; person left out", layout.name()));
                continue;
            }
            if !(0.0..=1.0).contains(&person.score) {
                warn(index, format!("score is {}, expected 0 to 1; person left out", person.score));
                continue;
            }
            let mut masked = Vec::new();
            let mut keypoints = Vec::with_capacity(person.keypoints.len());
            for (number, keypoint) in person.keypoints.iter().enumerate() {
                keypoints.push(keypoint.checked().unwrap_or_else(|what| {
                    masked.push(format!("keypoint {number} {what}"));
                    None
                }));
            }
            if !masked.is_empty() {
                warn(index, format!("{}; masked", masked.join(", ")));
            }
            people.push(data::PersonKeypoints { keypoints: layout.to_internal(&keypoints), score: person.score });
        }
        Ok((people, warnings))
    }
}

impl SkeletonArray<'_> {
    /// The keypoints that the measured joints rest on, person by person, with warnings about what had to be left out.
    pub fn keypoints(&self) -> (Vec<data::PersonKeypoints>, Vec<Warning>) {
        let mut warnings = Vec::new();
        let stamp = self.header.stamp;
        let people = self.skeletons.iter().filter_map(|skeleton| {
            let mut warn = |what: String| {
                let at = format!("at {}.{:09}, person {}", stamp.sec(), stamp.nanosec(), skeleton.track_id);
                warnings.push(Warning::new(WarningKind::KeypointsRefused, format!("{at}: {what}")));
            };
            if skeleton.joint_set != Joint::SET_NAME || skeleton.joints.len() != JOINT_COUNT {
                let (joints, set) = (skeleton.joints.len(), skeleton.joint_set);
                let needed = Joint::SET_NAME;
                warn(format!("{joints} joints of set \"{set}\", {JOINT_COUNT} of {needed} are needed; left out"));
                return None;
            }
            if !(0.0..=1.0).contains(&skeleton.score) {
                warn(format!("score is {}, expected 0 to 1; left out", skeleton.score));
                return None;
            }
            let keypoints = std::array::from_fn(|joint| {
                let joint = &skeleton.joints[joint];
                if joint.state != data::JointState::Measured {
                    return None;
                }
                let keypoint = Keypoint { u: joint.u, v: joint.v, score: joint.keypoint_score, spread: f32::NAN };
                keypoint.checked().unwrap_or_else(|what| {
                    warn(format!("a keypoint's {what}; masked"));
                    None
                })
            });
            Some(data::PersonKeypoints { keypoints, score: skeleton.score })
        });
        (people.collect(), warnings)
    }
}

impl Message for KeypointArray<'_> {
    const TYPE: &'static str = "stridepose/msg/KeypointArray";
}

impl<'a> Decode<'a> for KeypointArray<'a> {
    const MINIMUM_BYTES: usize = 20;

    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError> {
        Ok(Self {
            header: Header::decode(reader)?,
            layout: reader.string("layout")?,
            people: decode_sequence(reader, "people")?,
        })
    }
}

impl Encode for KeypointArray<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.header.encode(writer);
        writer.string(self.layout);
        encode_sequence(writer, &self.people);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::adapters::messages::{from_cdr, to_cdr};
    use crate::data::Stamp;
    use crate::skeleton::Joint;

    const FOUND: Keypoint = Keypoint { u: 3.0, v: 4.0, score: 0.9, spread: f32::NAN };

    fn array(people: Vec<PersonKeypoints>) -> KeypointArray<'static> {
        let header = Header { stamp: Stamp::from_sec_nanosec(1, 5), frame_id: "cam" };
        KeypointArray { header, layout: "coco_17", people }
    }

    #[test]
    fn round_trip_and_conversion() {
        let mut keypoints = vec![FOUND; 17];
        keypoints[0] = Keypoint::NOT_FOUND;
        let mut buffer = Vec::new();
        to_cdr(&array(vec![PersonKeypoints { score: 0.5, keypoints }]), &mut buffer);
        let (people, warnings) = from_cdr::<KeypointArray<'_>>(&buffer).unwrap().people_in_internal_order().unwrap();
        assert_eq!(warnings, []);
        assert_eq!(people[0].keypoints[Joint::Nose.index()], None);
        let knee = people[0].keypoints[Joint::LKnee.index()].unwrap();
        assert_eq!((knee.x, knee.y, knee.score, knee.spread), (3.0, 4.0, 0.9, None));
    }

    #[test]
    fn nonsense_is_masked_or_left_out_with_a_warning_and_the_rest_goes_on() {
        let mut strange = vec![FOUND; 17];
        strange[5].u = f32::NAN;
        strange[6].score = 1.5;
        strange[7].spread = -1.0;
        let short = PersonKeypoints { score: 0.5, keypoints: vec![FOUND; 16] };
        let unsure = PersonKeypoints { score: f32::NAN, keypoints: vec![FOUND; 17] };
        let people = array(vec![short, unsure, PersonKeypoints { score: 0.5, keypoints: strange }]);
        let (people, warnings) = people.people_in_internal_order().unwrap();
        assert_eq!((people.len(), warnings.len()), (1, 3));
        assert!(warnings.iter().all(|warning| warning.kind == WarningKind::KeypointsRefused));
        assert!(warnings[0].message.contains("16 keypoints, coco_17 needs 17"));
        assert!(warnings[2].message.contains("keypoint 6 score is 1.5"));
        for joint in [Joint::LShoulder, Joint::RShoulder, Joint::LElbow] {
            assert_eq!(people[0].keypoints[joint.index()], None);
        }
        assert!(people[0].keypoints[Joint::RElbow.index()].is_some());
        assert!(KeypointArray { layout: "tail_3", ..array(Vec::new()) }.people_in_internal_order().is_err());
    }
}
