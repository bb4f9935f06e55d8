//! `geometry_msgs`: `Point`, `Vector3`, `Quaternion`, `Pose`, `PoseStamped` and `TransformStamped`.

use std::borrow::Cow;

use super::{Decode, Encode, Message};
use crate::adapters::cdr::{CdrError, CdrReader, CdrWriter};
use crate::adapters::messages::std_msgs::Header;

/// A position, m.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct Point {
    pub x: f64,
    pub y: f64,
    pub z: f64,
}

impl Decode<'_> for Point {
    const MINIMUM_BYTES: usize = 24;

    fn decode(reader: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let [x, y, z] = reader.f64_array("point")?;
        Ok(Self { x, y, z })
    }
}

impl Encode for Point {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        writer.f64_elements(&[self.x, self.y, self.z]);
    }
}

/// A direction or a size; same layout as [`Point`].
pub type Vector3 = Point;

/// A rotation as unit quaternion.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct Quaternion {
    pub x: f64,
    pub y: f64,
    pub z: f64,
    pub w: f64,
}

impl Default for Quaternion {
    /// No rotation.
    fn default() -> Self {
        Self { x: 0.0, y: 0.0, z: 0.0, w: 1.0 }
    }
}

impl Encode for Quaternion {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        writer.f64_elements(&[self.x, self.y, self.z, self.w]);
    }
}

/// A rigid transform of an object into the header's frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pose {
    /// Position of the object's origin, m.
    pub position: Point,
    /// Rotation of the object.
    pub orientation: Quaternion,
}

impl Encode for Pose {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.position.encode(writer);
        self.orientation.encode(writer);
    }
}

impl Decode<'_> for Quaternion {
    const MINIMUM_BYTES: usize = 32;

    fn decode(reader: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let [x, y, z, w] = reader.f64_array("quaternion")?;
        Ok(Self { x, y, z, w })
    }
}

impl Decode<'_> for Pose {
    const MINIMUM_BYTES: usize = 56;

    fn decode(reader: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        Ok(Self { position: Point::decode(reader)?, orientation: Quaternion::decode(reader)? })
    }
}

/// Where an object is in the header's frame at a time: what motion capture drivers publish of each marker or body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoseStamped<'a> {
    /// Time and frame.
    pub header: Header<'a>,
    /// The object in it.
    pub pose: Pose,
}

impl Message for PoseStamped<'_> {
    const TYPE: &'static str = "geometry_msgs/msg/PoseStamped";
}

impl<'a> Decode<'a> for PoseStamped<'a> {
    const MINIMUM_BYTES: usize = 12 + 56;

    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError> {
        Ok(Self { header: Header::decode(reader)?, pose: Pose::decode(reader)? })
    }
}

impl Encode for PoseStamped<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.header.encode(writer);
        self.pose.encode(writer);
    }
}

/// Where a frame is in its parent (the header's frame) at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct TransformStamped<'a> {
    /// Time and parent frame.
    pub header: Header<'a>,
    /// The frame.
    pub child_frame_id: Cow<'a, str>,
    /// Its origin in the parent, m.
    pub translation: Vector3,
    /// Its rotation.
    pub rotation: Quaternion,
}

impl<'a> Decode<'a> for TransformStamped<'a> {
    const MINIMUM_BYTES: usize = 12 + 4 + 56;

    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError> {
        Ok(Self {
            header: Header::decode(reader)?,
            child_frame_id: reader.string("child_frame_id")?.into(),
            translation: Point::decode(reader)?,
            rotation: Quaternion::decode(reader)?,
        })
    }
}

impl Encode for TransformStamped<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.header.encode(writer);
        writer.string(&self.child_frame_id);
        self.translation.encode(writer);
        self.rotation.encode(writer);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::adapters::messages::{from_cdr, to_cdr};
    use crate::data::Stamp;

    #[test]
    fn a_pose_reads_back_as_written() {
        let header = Header { stamp: Stamp::from_sec_nanosec(5, 6), frame_id: "world" };
        let position = Point { x: 1.0, y: -2.0, z: 3.5 };
        let pose = PoseStamped { header, pose: Pose { position, orientation: Quaternion::default() } };
        let mut data = Vec::new();
        to_cdr(&pose, &mut data);
        assert_eq!(from_cdr::<PoseStamped<'_>>(&data).unwrap(), pose);
        assert!(from_cdr::<PoseStamped<'_>>(&data[..data.len() - 1]).is_err());
    }
}
