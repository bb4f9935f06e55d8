//! The ROS 2 messages that go in and out, one file per message package, over the codec in [`super::cdr`].
//!
//! Strings and byte arrays are borrowed from the message they were read from; nothing is converted here beyond the
//! conversions from and to the types of the core.

pub mod builtin_interfaces;
pub mod geometry_msgs;
pub mod hri_msgs;
pub mod schema;
pub mod sensor_msgs;
pub mod std_msgs;
pub mod stridepose;
pub mod tf2_msgs;
pub mod visualization_msgs;

use crate::adapters::cdr::{CdrError, CdrReader, CdrWriter};

/// A message type that goes over a topic.
pub trait Message {
    /// Full name, e.g. `sensor_msgs/msg/Image`.
    const TYPE: &'static str;
}

/// What can be read from CDR, borrowing from the data.
pub trait Decode<'a>: Sized {
    /// Fewest bytes one value can take, to check sequence lengths before allocating.
    const MINIMUM_BYTES: usize;

    /// Reads one value.
    ///
    /// # Errors
    /// [`CdrError`] with the field and offset where the data is not what the type says.
    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError>;
}

/// What can be written to CDR.
pub trait Encode {
    /// Appends the value's fields.
    fn encode(&self, writer: &mut CdrWriter<'_>);
}

/// Reads a whole message. Bytes behind the last field are ignored: some writers pad the end.
///
/// # Errors
/// [`CdrError`] with the field and offset where the data is not what the type says.
pub fn from_cdr<'a, M: Decode<'a>>(data: &'a [u8]) -> Result<M, CdrError> {
    M::decode(&mut CdrReader::new(data)?)
}

/// Writes a whole message into `buffer`, whose former content is dropped.
pub fn to_cdr<M: Encode>(message: &M, buffer: &mut Vec<u8>) {
    message.encode(&mut CdrWriter::new(buffer));
}

/// Reads a sequence of messages.
fn decode_sequence<'a, M: Decode<'a>>(reader: &mut CdrReader<'a>, field: &'static str) -> Result<Vec<M>, CdrError> {
    let count = reader.sequence_length(field, M::MINIMUM_BYTES)?;
    (0..count).map(|_| M::decode(reader)).collect()
}

/// Writes a sequence of messages.
fn encode_sequence<M: Encode>(writer: &mut CdrWriter<'_>, messages: &[M]) {
    writer.sequence_length(messages.len());
    for message in messages {
        message.encode(writer);
    }
}
