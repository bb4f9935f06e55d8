//! Motion capture on disk: `mocap17.npy` (int16, (N, 17, 3), millimetres, z up) and `mocap17.csv`
//! (a row per clip: start, len, source, subject, action, split, licence).

use std::path::{Path, PathBuf};

use nalgebra::Vector3;
use stridepose::skeleton::{JOINT_COUNT, JointArray};

/// Rate of the motion capture.
pub const MOCAP_RATE_HZ: f64 = 50.0;
const METRES_PER_UNIT: f64 = 1e-3;
/// Any joint further from the origin than this is a broken file, not a person.
const FARTHEST_MM: i16 = i16::MAX;

/// Joints of one person at one time in the world frame (z up), m.
pub type WorldPose = JointArray<Vector3<f64>>;

/// Which persons a clip belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Persons to train on.
    Train,
    /// Persons that training never sees.
    Validation,
}

/// One recorded movement.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Where it comes from, e.g. `cmu`.
    pub source: String,
    /// Who moves.
    pub subject: String,
    /// Training or validation person.
    pub split: Split,
    /// Poses at [`MOCAP_RATE_HZ`].
    pub poses: Vec<WorldPose>,
}

impl Clip {
    /// Whether the person moves about, rather than mostly stands (`reactidle`).
    pub fn is_moving(&self) -> bool {
        self.source != "reactidle"
    }
}

/// What can be wrong with motion capture on disk.
#[derive(Debug, thiserror::Error)]
pub enum MocapError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The array is not what the layout asks for.
    #[error("{path}: {reason}; expected NumPy little-endian int16 of shape (N, 17, 3) in C order")]
    Array {
        /// Which file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A row of the index is damaged.
    #[error("{path}:{line}: {reason}; expected start,len,source,subject,action,split,licence")]
    Index {
        /// Which file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What was found.
        reason: String,
    },
    /// A split has no clip.
    #[error("{path}: no clip of split \"{split}\"")]
    EmptySplit {
        /// Which file.
        path: PathBuf,
        /// Which split.
        split: &'static str,
    },
}

/// Reads all clips of `folder` (`mocap17.npy` and `mocap17.csv`).
///
/// # Errors
/// [`MocapError`] names the file, the line and what was expected.
pub fn load(folder: &Path) -> Result<Vec<Clip>, MocapError> {
    let poses = read_array(&folder.join("mocap17.npy"))?;
    let path = folder.join("mocap17.csv");
    let text = read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
    let mut clips = Vec::new();
    for (index, row) in text.lines().enumerate().skip(1) {
        let refuse = |reason: String| MocapError::Index { path: path.clone(), line: index + 1, reason };
        let fields: Vec<&str> = row.split(',').collect();
        let [start, length, source, subject, _action, split, ..] = fields[..] else {
            return Err(refuse(format!("{} fields", fields.len())));
        };
        let number = |text: &str| text.parse::<usize>().map_err(|error| refuse(format!("\"{text}\": {error}")));
        let (start, length) = (number(start)?, number(length)?);
        let range = start..start.saturating_add(length);
        let clip = poses
            .get(range.clone())
            .ok_or_else(|| refuse(format!("rows {range:?} of an array of {} poses", poses.len())))?;
        if length < 2 {
            return Err(refuse(format!("a clip of {length} poses is no movement")));
        }
        let split = match split {
            "train" => Split::Train,
            "val" => Split::Validation,
            other => return Err(refuse(format!("split \"{other}\" is neither train nor val"))),
        };
        clips.push(Clip { source: source.to_owned(), subject: subject.to_owned(), split, poses: clip.to_vec() });
    }
    for (split, name) in [(Split::Train, "train"), (Split::Validation, "val")] {
        if !clips.iter().any(|clip| clip.split == split) {
            return Err(MocapError::EmptySplit { path, split: name });
        }
    }
    Ok(clips)
}

fn read(path: &Path) -> Result<Vec<u8>, MocapError> {
    std::fs::read(path).map_err(|source| MocapError::Io { path: path.to_owned(), source })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn write(folder: &Path, pose_count: usize, index: &str) {
        let header = format!("{{'descr': '<i2', 'fortran_order': False, 'shape': ({pose_count}, 17, 3), }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        for value in 0..pose_count * 51 {
            bytes.extend((value as i16).to_le_bytes());
        }
        std::fs::write(folder.join("mocap17.npy"), bytes).unwrap();
        std::fs::write(folder.join("mocap17.csv"), index).unwrap();
    }

    const INDEX: &str = "start,len,source,subject,action,split,licence\n0,2,a,p1,x,train,l\n2,3,b,p2,y,val,l\n";

    #[test]
    fn clips_are_cut_by_the_index() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 5, INDEX);
        let clips = load(folder.path()).unwrap();
        assert_eq!(clips.len(), 2);
        assert_eq!(clips[1].poses.len(), 3);
        assert!((clips[1].poses[0][0].y - 0.103).abs() < 1e-12);
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 4, INDEX);
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("mocap17.csv:3") && error.contains("2..5"), "{error}");
        write(folder.path(), 5, "start,len,source,subject,action,split,licence\n0,2,a,p1,x,train,l\n");
        assert!(load(folder.path()).unwrap_err().to_string().contains("no clip of split \"val\""));
        std::fs::write(folder.path().join("mocap17.npy"), b"PK").unwrap();
        assert!(load(folder.path()).unwrap_err().to_string().contains("no NumPy header"));
    }
}
