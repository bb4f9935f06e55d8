//! `tf2_msgs/msg/TFMessage`: transforms between coordinate frames.

use super::geometry_msgs::TransformStamped;
use super::{Decode, Encode, Message, decode_sequence, encode_sequence};
use crate::adapters::cdr::{CdrError, CdrReader, CdrWriter};

/// Some transforms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TfMessage<'a> {
    /// The transforms.
    pub transforms: Vec<TransformStamped<'a>>,
}

impl Message for TfMessage<'_> {
    const TYPE: &'static str = "tf2_msgs/msg/TFMessage";
}

impl<'a> Decode<'a> for TfMessage<'a> {
    const MINIMUM_BYTES: usize = 4;

    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError> {
        Ok(Self { transforms: decode_sequence(reader, "transforms")? })
    }
}

impl Encode for TfMessage<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        encode_sequence(writer, &self.transforms);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::adapters::messages::geometry_msgs::{Point, Quaternion};
    use crate::adapters::messages::std_msgs::Header;
    use crate::adapters::messages::{from_cdr, to_cdr};
    use crate::data::Stamp;

    #[test]
    fn transforms_read_back_as_written() {
        let header = Header { stamp: Stamp::from_sec_nanosec(5, 6), frame_id: "odom" };
        let transform = |child: &'static str| TransformStamped {
            header,
            child_frame_id: child.into(),
            translation: Point { x: 1.0, y: -2.0, z: 3.5 },
            rotation: Quaternion::default(),
        };
        let message = TfMessage { transforms: vec![transform("base"), transform("a longer name")] };
        let mut data = Vec::new();
        to_cdr(&message, &mut data);
        assert_eq!(from_cdr::<TfMessage<'_>>(&data).unwrap(), message);
        assert!(from_cdr::<TfMessage<'_>>(&data[..data.len() - 9]).is_err());
    }
}
