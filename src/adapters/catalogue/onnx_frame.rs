//! Whether a file is a whole ONNX model, judged by its outermost protobuf fields alone.
//!
//! A cut download or a web page with an error must not be trusted on first use. `ModelProto` (onnx.proto3) is a series
//! of fields; the last one ends where the file ends, and field 7 is the graph.

use std::io::{self, Read, Seek, SeekFrom};

/// Field number of `ModelProto.graph`.
const GRAPH_FIELD: u64 = 7;

/// Says why the file is no whole ONNX model; `None` where it is one.
///
/// # Errors
/// When the file cannot be read.
pub fn defect(file: &mut (impl Read + Seek)) -> io::Result<Option<String>> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let (mut at, mut has_graph) = (0, false);
    while at < end {
        let Some(key) = varint(file, &mut at)? else {
            return Ok(Some(format!("it breaks off inside a field at byte {at}")));
        };
        let length = match key & 7 {
            0 => varint(file, &mut at)?.map(|_| 0),
            1 => Some(8),
            2 => varint(file, &mut at)?,
            5 => Some(4),
            _ => return Ok(Some(format!("there is no protobuf field at byte {at}"))),
        };
        let next = length.and_then(|length| at.checked_add(length)).filter(|next| *next <= end);
        let Some(next) = next else {
            return Ok(Some(format!("a field at byte {at} is longer than the rest of the file ({end} bytes)")));
        };
        has_graph |= key >> 3 == GRAPH_FIELD && key & 7 == 2;
        at = file.seek(SeekFrom::Start(next))?;
    }
    Ok((!has_graph).then(|| "it has no graph".to_owned()))
}

/// A number of up to ten bytes, seven bits each; `None` where the file ends inside it or it is longer.
fn varint(file: &mut impl Read, at: &mut u64) -> io::Result<Option<u64>> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let mut byte = [0];
        if file.read(&mut byte)? == 0 {
            return Ok(None);
        }
        *at += 1;
        value |= u64::from(byte[0] & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte[0] & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Cursor;

    use super::*;

    fn defect_of(bytes: &[u8]) -> Option<String> {
        defect(&mut Cursor::new(bytes)).unwrap()
    }

    /// `ir_version: 7`, then a graph of 200 bytes.
    fn model() -> Vec<u8> {
        [&[0x08, 0x07, 0x3a, 0xc8, 0x01][..], &[0; 200]].concat()
    }

    #[test]
    fn a_whole_model_has_no_defect_and_every_cut_has_one() {
        let model = model();
        assert_eq!(defect_of(&model), None);
        for length in 0..model.len() {
            assert!(defect_of(&model[..length]).is_some(), "{length}");
        }
    }

    #[test]
    fn what_is_no_model_is_told_apart() {
        assert!(defect_of(b"<!DOCTYPE html><html>not found</html>").is_some());
        assert!(defect_of(&[0xff; 100]).is_some());
        assert!(defect_of(b"version https://git-lfs.github.com/spec/v1\n").is_some());
        assert_eq!(defect_of(&[0x08, 0x07]).unwrap(), "it has no graph");
    }

    #[test]
    fn the_lifter_of_the_project_is_a_whole_model() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/lifter/streaming.onnx");
        assert_eq!(defect(&mut std::fs::File::open(path).unwrap()).unwrap(), None);
    }
}
