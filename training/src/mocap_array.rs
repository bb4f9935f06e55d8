//! Motion capture as an array: `mocap17.npy` and its index `mocap17.csv`.

use std::ops::Range;
use std::path::Path;

use nalgebra::Vector3;
use stridepose::skeleton::JOINT_COUNT;

use crate::mocap::{Clip, MocapError, SHORTEST_POSES, WorldPose, read, rows, split_called};

const METRES_PER_UNIT: f64 = 1e-3;
/// Any joint further from the origin than this is a broken file, not a person.
const FARTHEST_MM: i16 = i16::MAX;
/// What the first line of the index says; more columns may follow.
const HEADER: [&str; 6] = ["start", "len", "source", "subject", "action", "split"];

/// The clips of the array in `folder`, and warnings: rows of the index that have poses in common.
///
/// # Errors
/// When a file is damaged or the index does not fit the array.
pub(crate) fn load(folder: &Path) -> Result<(Vec<Clip>, Vec<String>), MocapError> {
    let poses = read_array(&folder.join("mocap17.npy"))?;
    let path = folder.join("mocap17.csv");
    let text = read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
    let (mut clips, mut ranges) = (Vec::new(), Vec::new());
    let mut rows = rows(&text);
    if let Some((line, fields)) = rows.next()
        && !fields.starts_with(&HEADER)
    {
        let reason = format!("\"{}\" is no header", fields.join(","));
        return Err(MocapError::Index { path, line, reason });
    }
    for (line, fields) in rows {
        let refuse = |reason: String| MocapError::Index { path: path.clone(), line, reason };
        let [start, length, source, subject, _action, split, ..] = fields[..] else {
            return Err(refuse(format!("{} fields", fields.len())));
        };
        let number = |text: &str| text.parse::<usize>().map_err(|error| refuse(format!("\"{text}\": {error}")));
        let (start, length) = (number(start)?, number(length)?);
        let range = start..start.saturating_add(length);
        let clip = poses
            .get(range.clone())
            .ok_or_else(|| refuse(format!("rows {range:?} of an array of {} poses", poses.len())))?;
        if length < SHORTEST_POSES {
            return Err(refuse(format!("a clip of {length} poses is no movement")));
        }
        let split = split_called(split).map_err(refuse)?;
        clips.push(Clip { source: source.to_owned(), subject: subject.to_owned(), split, poses: clip.to_vec() });
        ranges.push((line, range));
    }
    if clips.is_empty() {
        return Err(MocapError::Index { path, line: 1, reason: "no row of a clip follows".to_owned() });
    }
    Ok((clips, overlaps(&path, ranges)))
}

/// A warning for each row whose poses are in part those of another one.
fn overlaps(path: &Path, mut ranges: Vec<(usize, Range<usize>)>) -> Vec<String> {
    ranges.sort_by_key(|(_, range)| range.start);
    let mut furthest: Option<(usize, Range<usize>)> = None;
    let mut warnings = Vec::new();
    for (line, range) in ranges {
        if let Some((other, taken)) = furthest.as_ref().filter(|(_, taken)| range.start < taken.end) {
            let place = path.display();
            warnings.push(format!("{place}:{line}: poses {range:?} overlap with those of line {other}, {taken:?}"));
        }
        if furthest.as_ref().is_none_or(|(_, taken)| taken.end < range.end) {
            furthest = Some((line, range));
        }
    }
    warnings
}

fn read_array(path: &Path) -> Result<Vec<WorldPose>, MocapError> {
    let bytes = read(path)?;
    let refuse = |reason: &str| MocapError::Array { path: path.to_owned(), reason: reason.to_owned() };
    if bytes.len() < 10 || &bytes[..6] != b"\x93NUMPY" {
        return Err(refuse("no NumPy header"));
    }
    let header_length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = bytes.get(10..10 + header_length).ok_or_else(|| refuse("the header is cut"))?;
    let header = String::from_utf8_lossy(header);
    if bytes[6] != 1 || !header.contains("'<i2'") || !header.contains("'fortran_order': False") {
        return Err(refuse(&format!("header {}", header.trim())));
    }
    if !header.replace(' ', "").contains(&format!(",{JOINT_COUNT},3)")) {
        return Err(refuse(&format!("header {}", header.trim())));
    }
    let values: Vec<i16> =
        bytes[10 + header_length..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    if !values.len().is_multiple_of(JOINT_COUNT * 3) {
        return Err(refuse(&format!("{} values are no whole number of poses", values.len())));
    }
    if values.iter().any(|value| value.unsigned_abs() >= FARTHEST_MM.unsigned_abs()) {
        return Err(refuse("a coordinate at the limit of int16 (overflow)"));
    }
    Ok(values
        .chunks_exact(JOINT_COUNT * 3)
        .map(|pose| {
            std::array::from_fn(|joint| {
                let at = |axis: usize| f64::from(pose[joint * 3 + axis]) * METRES_PER_UNIT;
                Vector3::new(at(0), at(1), at(2))
            })
        })
        .collect())
}
