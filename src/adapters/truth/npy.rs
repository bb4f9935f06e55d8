//! Truth as a NumPy array of joints: `.npy`, or `.npz` with one array or a named one.
//!
//! `[images, 17, 3]` or `[images, people, 17, 3]`, float32 or float64, in C or Fortran order. An `.npz` may have
//! `stamps_ns` (int64, one for each image) beside it. Object arrays, which hold Python code, are refused.

use std::io::{Cursor, Read};
use std::path::Path;

use ndarray::{Array1, ArrayD};
use ndarray_npy::ReadNpyExt;
use ndarray_npy::npy::header::Header;
use zip::ZipArchive;

use super::array::{PoseArray, TruthArrayError};
use crate::skeleton::JOINT_COUNT;

/// The array of stamps in an `.npz`.
const STAMPS: &str = "stamps_ns";
/// Larger arrays are refused before they are unpacked: a day of one person at 30 Hz has 1.1 GB.
const LARGEST_BYTES: u64 = 2_000_000_000;

/// Longer headers are refused, as NumPy does (`max_header_size`).
const LONGEST_HEADER: u64 = 10_000;
/// Brackets that a header may open. That of an array of numbers opens two; the parser takes twice as long for each that is nested.
const MOST_BRACKETS: usize = 12;

/// An array and the stamps beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct NumpyFile {
    /// The joints.
    pub array: PoseArray,
    /// Stamps of its images.
    pub stamps_ns: Option<Vec<i64>>,
}

/// Reads the file at `path`, in an `.npz` the array called `name`, or the only one.
///
/// # Errors
/// [`TruthArrayError`] says why it is no array of joints.
pub fn read_truth_npy(path: &Path, name: Option<&str>) -> Result<NumpyFile, TruthArrayError> {
    let bytes = std::fs::read(path).map_err(unreadable)?;
    // An .npz is a zip archive, whatever it is called.
    if !bytes.starts_with(b"PK") {
        if let Some(name) = name {
            return Err(TruthArrayError::Meaning(format!("is one array without a name; \"{name}\" cannot be chosen")));
        }
        return Ok(NumpyFile { array: parse_npy(&bytes)?, stamps_ns: None });
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    let names: Vec<String> =
        archive.file_names().filter_map(|name| name.strip_suffix(".npy")).map(str::to_owned).collect();
    let arrays: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != STAMPS).collect();
    let found = || if arrays.is_empty() { "no array".to_owned() } else { format!("the arrays {}", arrays.join(", ")) };
    let chosen = match (name, arrays.as_slice()) {
        (Some(name), all) if all.contains(&name) => name,
        (Some(name), _) => {
            return Err(TruthArrayError::Meaning(format!("has no array \"{name}\": it has {}", found())));
        }
        (None, &[only]) => only,
        (None, _) => return Err(TruthArrayError::Meaning(format!("has {}; which one is the truth?", found()))),
    };
    let array = parse_npy(&entry(&mut archive, chosen)?)?;
    let stamps_ns =
        if names.iter().any(|name| name == STAMPS) { Some(parse_stamps(&entry(&mut archive, STAMPS)?)?) } else { None };
    Ok(NumpyFile { array, stamps_ns })
}

fn unreadable(error: impl std::fmt::Display) -> TruthArrayError {
    TruthArrayError::Unreadable(error.to_string())
}

fn entry(archive: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str) -> Result<Vec<u8>, TruthArrayError> {
    let file = archive.by_name(&format!("{name}.npy")).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_BYTES {
        return Err(TruthArrayError::Unreadable(format!("array {name} has more than {LARGEST_BYTES} bytes")));
    }
    Ok(bytes)
}

/// Reads an `.npy` file.
///
/// # Errors
/// [`TruthArrayError`] says why it is no array of joints.
pub fn parse_npy(bytes: &[u8]) -> Result<PoseArray, TruthArrayError> {
    let (header, kind) = header_of(bytes)?;
    let array: ArrayD<f64> = match kind.as_str() {
        "<f8" | ">f8" => ArrayD::<f64>::read_npy(Cursor::new(bytes)).map_err(unreadable)?,
        "<f4" | ">f4" => ArrayD::<f32>::read_npy(Cursor::new(bytes)).map_err(unreadable)?.mapv(f64::from),
        other => {
            return Err(TruthArrayError::Unreadable(format!(
                "has elements of type {other}; float32 and float64 are read"
            )));
        }
    };
    let people = match *header.shape.as_slice() {
        [_, JOINT_COUNT, 3] => 1,
        [_, people, JOINT_COUNT, 3] => people,
        _ => return Err(TruthArrayError::Shape { found: format!("{:?}", header.shape) }),
    };
    // In the order of the indices, whatever the order in memory.
    let values: Vec<f64> = array.iter().copied().collect();
    let poses = values
        .chunks_exact(JOINT_COUNT * 3)
        .map(|pose| std::array::from_fn(|joint| std::array::from_fn(|axis| pose[3 * joint + axis])));
    Ok(PoseArray { people, poses: poses.collect() })
}

fn parse_stamps(bytes: &[u8]) -> Result<Vec<i64>, TruthArrayError> {
    let (header, kind) = header_of(bytes)?;
    if header.shape.len() != 1 || !["<i8", ">i8"].contains(&kind.as_str()) {
        return Err(TruthArrayError::Meaning(format!(
            "{STAMPS} has shape {:?} and type {kind}; one int64 for each image is needed",
            header.shape
        )));
    }
    Ok(Array1::<i64>::read_npy(Cursor::new(bytes)).map_err(unreadable)?.to_vec())
}

/// The header and the type of the elements, once the file is as long as they say: what follows takes memory for it.
fn header_of(bytes: &[u8]) -> Result<(Header, String), TruthArrayError> {
    let short = || TruthArrayError::Unreadable(format!("is cut off: {} bytes are too few for its array", bytes.len()));
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(TruthArrayError::Unreadable("is no NumPy file".to_owned()));
    }
    let header_length = match *bytes.get(6..12).ok_or_else(short)? {
        [1, _, low, high, ..] => u64::from(u16::from_le_bytes([low, high])),
        [_, _, a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        _ => return Err(short()),
    };
    if header_length > bytes.len() as u64 {
        return Err(short());
    }
    // The header begins two bytes later in newer versions.
    let header = &bytes[10..bytes.len().min(12 + header_length as usize)];
    let brackets = header.iter().filter(|byte| b"{[(".contains(byte)).count();
    if header_length > LONGEST_HEADER || brackets > MOST_BRACKETS {
        return Err(TruthArrayError::Unreadable(format!(
            "has a header of {header_length} bytes with {brackets} opening brackets; that of an array of numbers is shorter"
        )));
    }
    let mut rest = bytes;
    let header = Header::from_reader(&mut rest).map_err(unreadable)?;
    let kind = header.type_descriptor.as_string().map_or_else(|| header.type_descriptor.to_string(), Clone::clone);
    let element_bytes = match kind.get(1..) {
        Some("f8" | "i8") => 8_usize,
        Some("f4") => 4,
        // Refused by who asked.
        _ => 0,
    };
    let needed = header.shape.iter().try_fold(element_bytes, |product, length| product.checked_mul(*length));
    if needed.is_none_or(|needed| needed > rest.len()) {
        return Err(short());
    }
    Ok((header, kind))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::io::Write;

    use ndarray::{Array, Array3, ArrayBase, Data, Dimension};
    use ndarray_npy::{WritableElement, WriteNpyExt};
    use proptest::prelude::*;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn npy<A: WritableElement, S: Data<Elem = A>, D: Dimension>(array: &ArrayBase<S, D>) -> Vec<u8> {
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        bytes
    }

    /// A file that ends after its header.
    fn headed(header: &str) -> Vec<u8> {
        [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat()
    }

    fn numbers(images: usize) -> Array3<f64> {
        Array::from_shape_fn((images, JOINT_COUNT, 3), |(i, j, k)| (100 * i + 10 * j + k) as f64)
    }

    fn npz(folder: &Path, entries: &[(&str, Vec<u8>)]) -> std::path::PathBuf {
        let path = folder.join("truth.npz");
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for (name, bytes) in entries {
            archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap();
        path
    }

    #[test]
    fn both_shapes_types_and_orders_are_the_same_numbers() {
        let expected = parse_npy(&npy(&numbers(4))).unwrap();
        assert_eq!((expected.people, expected.poses.len(), expected.poses[2][3]), (1, 4, [230.0, 231.0, 232.0]));
        assert_eq!(parse_npy(&npy(&numbers(4).mapv(|value| value as f32))).unwrap(), expected);
        let turned = numbers(4).reversed_axes().as_standard_layout().reversed_axes().to_owned();
        assert!(!turned.is_standard_layout());
        assert_eq!(parse_npy(&npy(&turned)).unwrap(), expected);
        let two = numbers(4).into_shape_with_order((2, 2, JOINT_COUNT, 3)).unwrap();
        assert_eq!(parse_npy(&npy(&two)).unwrap(), PoseArray { people: 2, ..expected });
    }

    #[test]
    fn an_archive_has_one_array_or_a_named_one() {
        let folder = tempfile::tempdir().unwrap();
        let stamps = npy(&Array1::from(vec![7_i64, 8]));
        let path = npz(folder.path(), &[("joints", npy(&numbers(2))), ("stamps_ns", stamps.clone())]);
        let read = read_truth_npy(&path, None).unwrap();
        assert_eq!((read.stamps_ns, read.array.poses.len()), (Some(vec![7, 8]), 2));
        let path = npz(folder.path(), &[("a", npy(&numbers(1))), ("b", npy(&numbers(3)))]);
        assert_eq!(read_truth_npy(&path, Some("b")).unwrap().array.poses.len(), 3);
        let refusal = |name| read_truth_npy(&path, name).unwrap_err().to_string();
        assert_eq!(refusal(None), "has the arrays a, b; which one is the truth?");
        assert_eq!(refusal(Some("c")), "has no array \"c\": it has the arrays a, b");
        let path = npz(folder.path(), &[("stamps_ns", stamps)]);
        assert!(read_truth_npy(&path, None).unwrap_err().to_string().contains("has no array"));
        let path = npz(folder.path(), &[("a", npy(&numbers(1))), ("stamps_ns", npy(&numbers(1)))]);
        assert!(read_truth_npy(&path, None).unwrap_err().to_string().contains("one int64 for each image"));
        let plain = folder.path().join("a.npy");
        std::fs::write(&plain, npy(&numbers(1))).unwrap();
        assert!(read_truth_npy(&plain, Some("b")).unwrap_err().to_string().contains("without a name"));
        std::fs::write(&plain, b"PK\x03\x04 cut").unwrap();
        assert!(matches!(read_truth_npy(&plain, None), Err(TruthArrayError::Unreadable(_))));
    }

    #[test]
    fn what_is_no_array_of_joints_is_refused() {
        let refusal = |bytes: &[u8]| parse_npy(bytes).unwrap_err().to_string();
        assert!(refusal(b"").contains("is no NumPy file"));
        assert!(refusal(&npy(&Array::<f64, _>::zeros((2, 16, 3)))).contains("has shape [2, 16, 3]"));
        assert!(refusal(&npy(&Array::<f64, _>::zeros(51))).contains("has shape [51]"));
        assert!(refusal(&npy(&Array::<i64, _>::zeros((2, 17, 3)))).contains("elements of type <i8"));
        let whole = npy(&numbers(2));
        for length in 0..whole.len() {
            assert!(parse_npy(&whole[..length]).is_err(), "{length} bytes");
        }
        // A shape that would fill the memory, and one that cannot be counted.
        for images in ["999999999999", "99999999999999999999", "18446744073709551615"] {
            let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({images}, 17, 3), }}\n");
            assert!(parse_npy(&headed(&header)).is_err(), "{images}");
        }
        assert!(refusal(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}").contains("cut off"));
        let nested = "{".repeat(100) + "'descr': 0";
        assert!(refusal(&headed(&nested)).contains("100 opening brackets"));
        let long = " ".repeat(20_000);
        assert!(refusal(&headed(&long)).contains("header of 20000 bytes"));
        let pickled = "{'descr': '|O', 'fortran_order': False, 'shape': (1, 17, 3), }\n";
        assert!(refusal(&headed(pickled)).contains("elements of type |O"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_no_more_is_read_than_is_there(
            junk in proptest::collection::vec(any::<u8>(), 0..200),
            header in "[-{}()',:<>|a-z0-9_ ]{0,80}",
            positions in proptest::collection::vec((0_usize..400, any::<u8>()), 0..6),
            length in 0_usize..1000,
        ) {
            let mut whole = npy(&numbers(2));
            for (position, value) in positions {
                let position = position % whole.len();
                whole[position] = value;
            }
            whole.truncate(length.max(10));
            let headed = [headed(&header), junk.clone()].concat();
            for bytes in [junk, whole, headed] {
                if let Ok(array) = parse_npy(&bytes) {
                    prop_assert!(array.poses.len() * JOINT_COUNT * 3 * 4 <= bytes.len());
                }
                let _ = parse_stamps(&bytes);
            }
        }
    }
}
