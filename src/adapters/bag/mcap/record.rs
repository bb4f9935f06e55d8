//! Bodies of the records that describe an MCAP file. The lengths they state are checked before they are parsed: the
//! `mcap` crate asks for memory as long as a text claims to be, up to 4 GiB, before it looks for the text.

use mcap::records::{Record, op};

/// What follows in a body.
enum Field {
    /// So many bytes of numbers.
    Numbers(usize),
    /// Something counted: 4 bytes of length, then that many.
    Counted,
    /// Texts by text: counted, with pairs of texts in it, each counted.
    TextByText,
}

use Field::{Counted, Numbers, TextByText};

/// The fields of the records that are parsed here, up to the last counted one.
const fn fields(opcode: u8) -> Option<&'static [Field]> {
    Some(match opcode {
        op::HEADER => &[Counted, Counted],
        op::SCHEMA => &[Numbers(2), Counted, Counted, Counted],
        op::CHANNEL => &[Numbers(4), Counted, Counted, TextByText],
        op::CHUNK_INDEX => &[Numbers(32), Counted, Numbers(8), Counted],
        op::STATISTICS => &[Numbers(42), Counted],
        _ => return None,
    })
}

/// Whether a record of this kind is parsed here.
pub const fn is_known(opcode: u8) -> bool {
    fields(opcode).is_some()
}

/// Parses a header, schema, channel, chunk index or statistics record; `None` for any other and for a damaged one.
pub fn parse(opcode: u8, body: &[u8]) -> Option<Record<'_>> {
    let mut rest = body;
    for field in fields(opcode)? {
        rest = match field {
            Numbers(count) => rest.get(*count..)?,
            Counted => counted(rest)?.1,
            TextByText => {
                let (mut texts, behind) = counted(rest)?;
                while !texts.is_empty() {
                    texts = counted(texts)?.1;
                }
                behind
            }
        };
    }
    mcap::parse_record(opcode, body).ok()
}

/// The bytes that are counted, and what is behind them.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;

    fn put(body: &mut Vec<u8>, text: &str) {
        body.extend((text.len() as u32).to_le_bytes());
        body.extend(text.as_bytes());
    }

    /// Channel 7 of schema 3.
    fn channel() -> Vec<u8> {
        let mut body = vec![7, 0, 3, 0];
        put(&mut body, "/camera/image");
        put(&mut body, "cdr");
        let mut metadata = Vec::new();
        put(&mut metadata, "offered_qos_profiles");
        put(&mut metadata, "[]");
        body.extend((metadata.len() as u32).to_le_bytes());
        body.extend(metadata);
        body
    }

    #[test]
    fn a_channel_is_what_the_specification_says() {
        let body = channel();
        let Some(Record::Channel(channel)) = parse(op::CHANNEL, &body) else { panic!("no channel") };
        assert_eq!((channel.id, channel.schema_id), (7, 3));
        assert_eq!((channel.topic.as_str(), channel.message_encoding.as_str()), ("/camera/image", "cdr"));
        assert_eq!(channel.metadata, BTreeMap::from([("offered_qos_profiles".to_owned(), "[]".to_owned())]));
    }

    #[test]
    fn no_cut_and_no_length_gets_past_the_end_of_the_body() {
        let body = channel();
        for end in 0..body.len() {
            assert!(parse(op::CHANNEL, &body[..end]).is_none(), "cut at {end}");
        }
        // Every place where a length stands: topic, encoding, metadata, key, value.
        for at in [4, 21, 28, 32, 56] {
            let mut body = body.clone();
            assert!(body[at] < 64 && body[at + 1..at + 4] == [0; 3], "{at} is no length");
            body[at..at + 4].fill(0xff);
            assert!(parse(op::CHANNEL, &body).is_none(), "length at {at}");
        }
    }

    #[test]
    fn a_text_of_four_gigabytes_asks_for_no_memory() {
        for opcode in [op::HEADER, op::SCHEMA, op::CHANNEL, op::CHUNK_INDEX, op::STATISTICS] {
            for length in 0..80 {
                assert!(parse(opcode, &vec![0xff; length]).is_none(), "opcode {opcode}, {length} bytes");
            }
        }
    }
}
