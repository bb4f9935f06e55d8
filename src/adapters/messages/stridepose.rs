//! `stridepose/msg/*`, our own messages: read (by `evaluate`) and written (by replay and node).
//!
//! The definitions with units, frames and joint order are the files in `msg/`; fields here carry the same names.
//! Absent values are NaN in the messages and `Option` in the core; the conversions are here.

mod keypoints;

use std::time::Duration;

pub use keypoints::{Keypoint, KeypointArray, PersonKeypoints};

use super::geometry_msgs::Point;
use super::sensor_msgs::RegionOfInterestMessage;
use super::std_msgs::Header;
use super::{Decode, Encode, Message, decode_sequence, encode_sequence};
use crate::adapters::cdr::{CdrError, CdrReader, CdrWriter};
use crate::data::{BoundingBox, JointEstimate, JointState, PersonEstimate, PoseEstimate};
use crate::skeleton::Joint as InternalJoint;

/// `stridepose/msg/Joint`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Joint {
    /// Position in the header's frame, m.
    pub position: Point,
    /// xx xy xz yy yz zz, m².
    pub covariance: [f32; 6],
    /// Calibrated confidence in [0, 1].
    pub confidence: f32,
    /// Where the position came from.
    pub state: JointState,
    /// Column of the supporting keypoint, px; NaN where not measured.
    pub u: f32,
    /// Row of the supporting keypoint, px; NaN where not measured.
    pub v: f32,
    /// Raw score of the supporting keypoint; NaN where not measured.
    pub keypoint_score: f32,
}

impl From<&JointEstimate> for Joint {
    /// An absent joint carries no numbers; a joint that is not measured carries no keypoint.
    fn from(joint: &JointEstimate) -> Self {
        let keypoint = joint.keypoint.filter(|_| joint.state == JointState::Measured);
        let (position, covariance, confidence) = if joint.state == JointState::Absent {
            (Point { x: f64::NAN, y: f64::NAN, z: f64::NAN }, [f32::NAN; 6], 0.0)
        } else {
            let (x, c) = (joint.position_in_camera, joint.covariance);
            let upper_triangle = [c.m11, c.m12, c.m13, c.m22, c.m23, c.m33].map(|value| value as f32);
            (Point { x: x.x, y: x.y, z: x.z }, upper_triangle, joint.confidence as f32)
        };
        Self {
            position,
            covariance,
            confidence,
            state: joint.state,
            u: keypoint.map_or(f32::NAN, |keypoint| keypoint.u),
            v: keypoint.map_or(f32::NAN, |keypoint| keypoint.v),
            keypoint_score: keypoint.map_or(f32::NAN, |keypoint| keypoint.score),
        }
    }
}

impl Decode<'_> for Joint {
    const MINIMUM_BYTES: usize = 68;

    fn decode(reader: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        Ok(Self {
            position: Point::decode(reader)?,
            covariance: reader.f32_array("covariance")?,
            confidence: reader.f32("confidence")?,
            state: match reader.u8("state")? {
                0 => JointState::Absent,
                1 => JointState::Predicted,
                2 => JointState::Inferred,
                3 => JointState::Measured,
                other => {
                    return Err(CdrError::Value {
                        field: "state",
                        offset: reader.offset(),
                        value: u64::from(other),
                        expected: "0 (absent) to 3 (measured)",
                    });
                }
            },
            u: reader.f32("u")?,
            v: reader.f32("v")?,
            keypoint_score: reader.f32("keypoint_score")?,
        })
    }
}

impl Encode for Joint {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.position.encode(writer);
        writer.f32_elements(&self.covariance);
        writer.f32(self.confidence);
        writer.u8(self.state as u8);
        writer.f32_elements(&[self.u, self.v, self.keypoint_score]);
    }
}

/// `stridepose/msg/Skeleton`.
#[derive(Clone, Debug, PartialEq)]
pub struct Skeleton<'a> {
    /// Identity, never 0.
    pub track_id: u32,
    /// Name of the joint set.
    pub joint_set: &'a str,
    /// Joints in the set's order.
    pub joints: Vec<Joint>,
    /// How sure the pipeline is that this is a person, in [0, 1].
    pub score: f32,
    /// Discriminator score in [0, 1]; NaN where unknown.
    pub plausibility: f32,
    /// Root mean square reprojection error, px; NaN where unknown.
    pub reprojection_error: f32,
    /// Rectangle around the person, image px.
    pub roi: RegionOfInterestMessage,
    /// How much later than the stamp the last image used was.
    pub lookahead: Duration,
}

impl Skeleton<'static> {
    fn from_estimate(person: &PersonEstimate, lookahead: Duration) -> Self {
        Self {
            track_id: person.track_id.0,
            joint_set: InternalJoint::SET_NAME,
            joints: person.joints.iter().map(Joint::from).collect(),
            score: person.score as f32,
            plausibility: person.plausibility.map_or(f32::NAN, |value| value as f32),
            reprojection_error: person.reprojection_error_px.map_or(f32::NAN, |value| value as f32),
            roi: region_of_interest(&person.bbox_in_image_px),
            lookahead,
        }
    }
}

/// The whole pixels that `bbox` touches. Pixel column c spans c − 0.5 to c + 0.5; what lies left of or above the
/// image is cut off, right and bottom were cut by who knows the image size.
fn region_of_interest(bbox: &BoundingBox) -> RegionOfInterestMessage {
    // `as` saturates: NaN and negative values become 0.
    let first = |low: f32| (low + 0.5).floor() as u32;
    let end = |high: f32| (high + 0.5).ceil() as u32;
    let (x_offset, y_offset) = (first(bbox.x_min), first(bbox.y_min));
    RegionOfInterestMessage {
        x_offset,
        y_offset,
        height: end(bbox.y_max).saturating_sub(y_offset),
        width: end(bbox.x_max).saturating_sub(x_offset),
        do_rectify: false,
    }
}

impl<'a> Decode<'a> for Skeleton<'a> {
    const MINIMUM_BYTES: usize = 52;

    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError> {
        Ok(Self {
            track_id: reader.u32("track_id")?,
            joint_set: reader.string("joint_set")?,
            joints: decode_sequence(reader, "joints")?,
            score: reader.f32("score")?,
            plausibility: reader.f32("plausibility")?,
            reprojection_error: reader.f32("reprojection_error")?,
            roi: RegionOfInterestMessage::decode(reader)?,
            lookahead: Duration::decode(reader)?,
        })
    }
}

impl Encode for Skeleton<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        writer.u32(self.track_id);
        writer.string(self.joint_set);
        encode_sequence(writer, &self.joints);
        writer.f32_elements(&[self.score, self.plausibility, self.reprojection_error]);
        self.roi.encode(writer);
        self.lookahead.encode(writer);
    }
}

/// `stridepose/msg/SkeletonArray`.
#[derive(Clone, Debug, PartialEq)]
pub struct SkeletonArray<'a> {
    /// Stamp of the image and camera optical frame.
    pub header: Header<'a>,
    /// Everybody in view, by ascending track id.
    pub skeletons: Vec<Skeleton<'a>>,
}

impl<'a> SkeletonArray<'a> {
    /// The message for `estimate`, made with images up to `lookahead` after its stamp, in the frame of its camera.
    pub fn from_estimate(estimate: &PoseEstimate, frame_id: &'a str, lookahead: Duration) -> Self {
        Self {
            header: Header { stamp: estimate.stamp, frame_id },
            skeletons: estimate.people.iter().map(|person| Skeleton::from_estimate(person, lookahead)).collect(),
        }
    }
}

impl Message for SkeletonArray<'_> {
    const TYPE: &'static str = "stridepose/msg/SkeletonArray";
}

impl<'a> Decode<'a> for SkeletonArray<'a> {
    const MINIMUM_BYTES: usize = 16;

    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError> {
        Ok(Self { header: Header::decode(reader)?, skeletons: decode_sequence(reader, "skeletons")? })
    }
}

impl Encode for SkeletonArray<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.header.encode(writer);
        encode_sequence(writer, &self.skeletons);
    }
}

/// `stridepose/msg/JointSet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointSet<'a> {
    /// Name of the set.
    pub name: &'a str,
    /// Joint names in order.
    pub joint_names: Vec<&'a str>,
    /// Index of each joint's parent; -1 for the root.
    pub parents: Vec<i16>,
    /// Left joint of each mirrored pair.
    pub left: Vec<u8>,
    /// Right joint of each mirrored pair.
    pub right: Vec<u8>,
}

impl JointSet<'static> {
    /// The internal joint set, the one of every skeleton that stridepose writes.
    pub fn internal() -> Self {
        let pairs = InternalJoint::ALL.into_iter().filter(|joint| joint.name().starts_with("l_"));
        let (left, right) = pairs.map(|joint| (joint.index() as u8, joint.mirrored().index() as u8)).unzip();
        Self {
            name: InternalJoint::SET_NAME,
            joint_names: InternalJoint::ALL.map(InternalJoint::name).to_vec(),
            parents: InternalJoint::ALL.map(|joint| joint.parent().map_or(-1, |parent| parent.index() as i16)).to_vec(),
            left,
            right,
        }
    }
}

impl Message for JointSet<'_> {
    const TYPE: &'static str = "stridepose/msg/JointSet";
}

impl<'a> Decode<'a> for JointSet<'a> {
    const MINIMUM_BYTES: usize = 20;

    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError> {
        let name = reader.string("name")?;
        let names = reader.sequence_length("joint_names", 4)?;
        let joint_names = (0..names).map(|_| reader.string("joint_names")).collect::<Result<_, _>>()?;
        let parent_count = reader.sequence_length("parents", 2)?;
        let parents = (0..parent_count).map(|_| reader.i16("parents")).collect::<Result<_, _>>()?;
        let (left, right) = (reader.bytes("left")?.to_vec(), reader.bytes("right")?.to_vec());
        Ok(Self { name, joint_names, parents, left, right })
    }
}

impl Encode for JointSet<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        writer.string(self.name);
        writer.sequence_length(self.joint_names.len());
        for name in &self.joint_names {
            writer.string(name);
        }
        writer.sequence_length(self.parents.len());
        for &parent in &self.parents {
            writer.i16(parent);
        }
        writer.bytes(&self.left);
        writer.bytes(&self.right);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]

    use super::*;
    use crate::adapters::messages::{from_cdr, to_cdr};
    use crate::data::{Covariance, MeasuredKeypoint, Stamp, TrackId};
    use nalgebra::Point3;

    fn person() -> PersonEstimate {
        let measured = JointEstimate {
            position_in_camera: Point3::new(0.5, -0.25, 3.0),
            covariance: Covariance::new(1.0, 2.0, 3.0, 2.0, 4.0, 5.0, 3.0, 5.0, 6.0),
            confidence: 0.75,
            state: JointState::Measured,
            keypoint: Some(MeasuredKeypoint { u: 10.5, v: 20.25, score: 0.5 }),
        };
        let mut joints = [measured; 17];
        joints[1] = JointEstimate { state: JointState::Inferred, ..measured };
        joints[2].state = JointState::Absent;
        PersonEstimate {
            track_id: TrackId(7),
            joints,
            score: 0.5,
            plausibility: None,
            reprojection_error_px: Some(1.5),
            bbox_in_image_px: BoundingBox { x_min: -3.0, y_min: 9.5, x_max: 20.2, y_max: 29.5 },
        }
    }

    #[test]
    fn an_estimate_becomes_a_message_with_nan_for_what_is_absent() {
        let estimate =
            PoseEstimate { stamp: Stamp::from_sec_nanosec(5, 6), people: vec![person()], warnings: Vec::new() };
        let array = SkeletonArray::from_estimate(&estimate, "cam", Duration::from_millis(400));
        let mut buffer = Vec::new();
        to_cdr(&array, &mut buffer);
        let read: SkeletonArray<'_> = from_cdr(&buffer).unwrap();
        assert_eq!(read.header, Header { stamp: Stamp::from_sec_nanosec(5, 6), frame_id: "cam" });
        let skeleton = &read.skeletons[0];
        assert_eq!((skeleton.track_id, skeleton.joint_set), (7, "h36m_17"));
        assert!(skeleton.plausibility.is_nan());
        assert!((skeleton.reprojection_error - 1.5).abs() < f32::EPSILON);
        assert_eq!(skeleton.lookahead, Duration::from_millis(400));
        // Columns 0..=20 and rows 10..=29 are touched.
        let roi = skeleton.roi;
        assert_eq!((roi.x_offset, roi.y_offset, roi.width, roi.height), (0, 10, 21, 20));

        let [measured, inferred, absent] = [0, 1, 2].map(|index| skeleton.joints[index]);
        assert_eq!(measured.covariance, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!((measured.u, measured.v, measured.keypoint_score), (10.5, 20.25, 0.5));
        assert_eq!(measured.position, Point { x: 0.5, y: -0.25, z: 3.0 });
        assert!(inferred.u.is_nan() && inferred.keypoint_score.is_nan());
        assert!(absent.position.x.is_nan() && absent.covariance[0].is_nan() && absent.u.is_nan());
        assert!(absent.confidence.abs() < f32::EPSILON);
    }

    #[test]
    fn the_keypoints_of_a_skeleton_are_those_of_its_measured_joints() {
        let estimate =
            PoseEstimate { stamp: Stamp::from_sec_nanosec(5, 6), people: vec![person(); 3], warnings: Vec::new() };
        let mut array = SkeletonArray::from_estimate(&estimate, "cam", Duration::ZERO);
        array.skeletons[1].joint_set = "smpl_24";
        array.skeletons[2].joints[4].keypoint_score = 2.0;
        let (people, warnings) = array.keypoints();
        assert_eq!((people.len(), warnings.len()), (2, 2), "{warnings:?}");
        assert!(warnings[0].message.contains("smpl_24") && warnings[1].message.contains("score is 2"), "{warnings:?}");
        let first = people[0].keypoints[0].unwrap();
        assert_eq!((first.x, first.y, first.score, first.spread), (10.5, 20.25, 0.5, None));
        assert_eq!((people[0].keypoints[1], people[0].keypoints[2]), (None, None), "inferred and absent");
        assert_eq!((people[0].keypoints[4].is_some(), people[1].keypoints[4].is_some()), (true, false));
    }

    #[test]
    fn the_joint_set_round_trips_and_pairs_left_with_right() {
        let set = JointSet::internal();
        let mut buffer = Vec::new();
        to_cdr(&set, &mut buffer);
        assert_eq!(from_cdr::<JointSet<'_>>(&buffer).unwrap(), set);
        assert_eq!(set.parents[0], -1);
        assert_eq!(set.left.len(), 6);
        for (&left, &right) in set.left.iter().zip(&set.right) {
            assert_eq!(set.joint_names[left as usize].replace("l_", "r_"), set.joint_names[right as usize]);
        }
    }

    #[test]
    fn a_state_that_is_not_defined_is_refused() {
        let joint = Joint::from(&person().joints[0]);
        let mut buffer = Vec::new();
        to_cdr(&joint, &mut buffer);
        buffer[4 + 24 + 24 + 4] = 9;
        assert!(matches!(from_cdr::<Joint>(&buffer), Err(CdrError::Value { field: "state", value: 9, .. })));
    }
}
