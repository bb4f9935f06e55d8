//! `std_msgs`: `Header`, `ColorRGBA` and `String`.

use super::{Decode, Encode, Message};
use crate::adapters::cdr::{CdrError, CdrReader, CdrWriter};
use crate::data::Stamp;

/// When and in which frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// Capture time.
    pub stamp: Stamp,
    /// Coordinate frame of the data.
    pub frame_id: &'a str,
}

impl<'a> Decode<'a> for Header<'a> {
    const MINIMUM_BYTES: usize = 12;

    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError> {
        Ok(Self { stamp: Stamp::decode(reader)?, frame_id: reader.string("header.frame_id")? })
    }
}

impl Encode for Header<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.stamp.encode(writer);
        writer.string(self.frame_id);
    }
}

/// A colour; each channel in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct ColorRgba {
    pub r: f32,
    pub g: f32,
    pub b: f32,
    pub a: f32,
}

impl Encode for ColorRgba {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        writer.f32_elements(&[self.r, self.g, self.b, self.a]);
    }
}

/// A line of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// The text.
    pub data: &'a str,
}

impl Message for Text<'_> {
    const TYPE: &'static str = "std_msgs/msg/String";
}

impl<'a> Decode<'a> for Text<'a> {
    const MINIMUM_BYTES: usize = 4;

    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError> {
        Ok(Self { data: reader.string("data")? })
    }
}
