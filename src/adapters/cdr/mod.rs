//! CDR, the wire format of ROS 2 messages (OMG DDS-XTypes, plain XCDR1, `CDR_BE` and `CDR_LE`).
//!
//! A message is a 4-byte encapsulation header (representation identifier, options) and the fields one after the
//! other. Each primitive is aligned to its own size, counted from the byte after the header. Strings carry their
//! length with a closing NUL, sequences their element count, arrays nothing.
//!
//! Guarantees: reading borrows strings and byte arrays from the input (an image is never copied), checks every
//! access against the end of the input, never panics and never allocates more than the input can fill. Writing is
//! little endian.

mod reader;
mod writer;

pub use reader::{CdrError, CdrReader};
pub use writer::CdrWriter;

/// Length of the encapsulation header in bytes.
pub const HEADER_LENGTH: usize = 4;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden_bytes_are_aligned_from_the_end_of_the_header() {
        // uint8 7, float64 1.0 (7 bytes of padding), string "ab", uint16 513 (1 byte of padding).
        let mut buffer = Vec::new();
        let mut writer = CdrWriter::new(&mut buffer);
        writer.u8(7);
        writer.f64(1.0);
        writer.string("ab");
        writer.u16(513);
        let golden: &[u8] =
            &[0, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 3, 0, 0, 0, b'a', b'b', 0, 0, 1, 2];
        assert_eq!(buffer, golden);
    }

    #[test]
    fn big_endian_is_read() {
        let data = [0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 2, b'x', 0];
        let mut reader = CdrReader::new(&data).unwrap();
        assert_eq!(reader.u16("a").unwrap(), 0x0102);
        assert_eq!(reader.string("b").unwrap(), "x");
    }

    #[test]
    fn a_lying_length_is_an_error_with_offset_and_need() {
        let data = [0, 1, 0, 0, 0xff, 0xff, 0xff, 0x7f, 1, 2];
        let error = CdrReader::new(&data).unwrap().bytes("data").unwrap_err();
        assert_eq!(
            error,
            CdrError::Truncated { field: "data", offset: 8, expected_bytes: 0x7fff_ffff, remaining_bytes: 2 }
        );
        let error = CdrReader::new(&data).unwrap().sequence_length("people", 8).unwrap_err();
        assert!(matches!(error, CdrError::Truncated { field: "people", remaining_bytes: 2, .. }));
    }

    #[test]
    fn other_representations_and_bad_strings_are_refused() {
        assert!(matches!(CdrReader::new(&[0, 7, 0, 0]), Err(CdrError::Representation { identifier: 7 })));
        assert!(matches!(CdrReader::new(&[0, 1]), Err(CdrError::Truncated { .. })));
        let unterminated = [0, 1, 0, 0, 2, 0, 0, 0, b'a', b'b'];
        assert!(matches!(
            CdrReader::new(&unterminated).unwrap().string("s"),
            Err(CdrError::UnterminatedString { field: "s", offset: 8 })
        ));
        let not_utf8 = [0, 1, 0, 0, 2, 0, 0, 0, 0xff, 0];
        assert!(matches!(CdrReader::new(&not_utf8).unwrap().string("s"), Err(CdrError::NotUtf8 { .. })));
        let not_bool = [0, 1, 0, 0, 2];
        assert!(matches!(CdrReader::new(&not_bool).unwrap().bool("b"), Err(CdrError::NotBool { value: 2, .. })));
    }

    #[test]
    fn an_empty_string_may_have_length_zero_or_one() {
        let zero = [0, 1, 0, 0, 0, 0, 0, 0];
        assert_eq!(CdrReader::new(&zero).unwrap().string("s").unwrap(), "");
        let one = [0, 1, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(CdrReader::new(&one).unwrap().string("s").unwrap(), "");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(a: u8, b: f64, text in "[^\0]{0,20}", c: i16, bytes: Vec<u8>, d: f32, e: bool, f: i64) {
            let mut buffer = Vec::new();
            let mut writer = CdrWriter::new(&mut buffer);
            writer.u8(a);
            writer.f64(b);
            writer.string(&text);
            writer.i16(c);
            writer.bytes(&bytes);
            writer.f32(d);
            writer.bool(e);
            writer.i64(f);
            let mut reader = CdrReader::new(&buffer).unwrap();
            prop_assert_eq!(reader.u8("a").unwrap(), a);
            prop_assert_eq!(reader.f64("b").unwrap().to_bits(), b.to_bits());
            prop_assert_eq!(reader.string("text").unwrap(), text);
            prop_assert_eq!(reader.i16("c").unwrap(), c);
            prop_assert_eq!(reader.bytes("bytes").unwrap(), &bytes[..]);
            prop_assert_eq!(reader.f32("d").unwrap().to_bits(), d.to_bits());
            prop_assert_eq!(reader.bool("e").unwrap(), e);
            prop_assert_eq!(reader.i64("f").unwrap(), f);
            prop_assert_eq!(reader.remaining(), 0);
        }

        #[test]
        fn any_bytes_end_in_a_value_or_an_error(data: Vec<u8>, calls in proptest::collection::vec(0u8..8, 0..40)) {
            if let Ok(mut reader) = CdrReader::new(&data) {
                for call in calls {
                    let before = reader.remaining();
                    let failed = match call {
                        0 => reader.u8("x").is_err(),
                        1 => reader.u16("x").is_err(),
                        2 => reader.u32("x").is_err(),
                        3 => reader.f64("x").is_err(),
                        4 => reader.string("x").is_err(),
                        5 => reader.bytes("x").is_err(),
                        6 => reader.f64_sequence("x").is_err(),
                        _ => reader.sequence_length("x", 4).is_err(),
                    };
                    prop_assert!(reader.remaining() <= before);
                    if failed {
                        break;
                    }
                }
            }
        }
    }
}
