//! Motion capture on disk: `mocap17.npy` (int16, (N, 17, 3), millimetres, z up) and `mocap17.csv`
//! (a row per clip: start, len, source, subject, action, split, licence), and BVH files.
//!
//! BVH files may lie in folders. `split.csv` (a row per file: path below the folder, `train` or `val`) says which
//! persons training never sees; without it every tenth file, in the order of the paths, is for validation.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use nalgebra::Vector3;
use stridepose::skeleton::{JOINT_COUNT, JointArray};

use crate::bvh_clip::{self, BvhClipError, BvhSettings, JointNames};

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
    /// A BVH file is damaged or not understood.
    #[error(transparent)]
    Bvh(#[from] BvhClipError),
    /// There is nothing to read.
    #[error("{folder}: neither mocap17.npy nor any *.bvh")]
    Nothing {
        /// Which folder.
        folder: PathBuf,
    },
    /// A row of the split is damaged.
    #[error("{path}:{line}: {reason}; expected file,split with split train or val")]
    SplitRow {
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

/// A clip shorter than this is no movement.
const SHORTEST_POSES: usize = 2;
/// Without `split.csv` one file in this many is for validation.
const VALIDATION_PERIOD: usize = 10;

/// Reads all clips of `folder`: `mocap17.npy` with `mocap17.csv`, BVH files, or both.
///
/// # Errors
/// [`MocapError`] names the file, the line and what was expected.
pub fn load(folder: &Path, bvh: &BvhSettings) -> Result<Vec<Clip>, MocapError> {
    let mut clips = if folder.join("mocap17.npy").exists() { load_array(folder)? } else { Vec::new() };
    clips.extend(load_bvh(folder, bvh)?);
    if clips.is_empty() {
        return Err(MocapError::Nothing { folder: folder.to_owned() });
    }
    for (split, name) in [(Split::Train, "train"), (Split::Validation, "val")] {
        if !clips.iter().any(|clip| clip.split == split) {
            return Err(MocapError::EmptySplit { path: folder.to_owned(), split: name });
        }
    }
    Ok(clips)
}

fn load_bvh(folder: &Path, settings: &BvhSettings) -> Result<Vec<Clip>, MocapError> {
    let mut files = Vec::new();
    find_bvh(folder, &mut files)?;
    files.sort();
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let splits = read_splits(folder)?;
    let names = JointNames::load(settings.joints.as_deref())?;
    let mut clips = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let subject = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let split = match &splits {
            None if index % VALIDATION_PERIOD == 0 => Split::Validation,
            None => Split::Train,
            // A file that the split does not name is left out.
            Some(splits) => match splits.get(&subject) {
                Some(split) => *split,
                None => continue,
            },
        };
        let text = read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
        let poses = bvh_clip::poses(&text, path, settings, &names)?;
        if poses.len() < SHORTEST_POSES {
            let reason = format!("{} poses at {MOCAP_RATE_HZ} Hz are no movement", poses.len());
            return Err(BvhClipError::Unclear { path: path.clone(), reason }.into());
        }
        clips.push(Clip { source: "bvh".to_owned(), subject, split, poses });
    }
    Ok(clips)
}

fn find_bvh(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), MocapError> {
    let refuse = |source| MocapError::Io { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        let path = entry.path();
        // Links to folders are not followed: they may lead in a circle.
        if entry.file_type().map_err(refuse)?.is_dir() {
            find_bvh(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("bvh")) {
            files.push(path);
        }
    }
    Ok(())
}

fn read_splits(folder: &Path) -> Result<Option<HashMap<String, Split>>, MocapError> {
    let path = folder.join("split.csv");
    if !path.exists() {
        return Ok(None);
    }
    let text = read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
    let mut splits = HashMap::new();
    for (index, row) in text.lines().enumerate().skip(1).filter(|(_, row)| !row.trim().is_empty()) {
        let refuse = |reason: String| MocapError::SplitRow { path: path.clone(), line: index + 1, reason };
        let (file, split) = row.split_once(',').ok_or_else(|| refuse(format!("\"{row}\"")))?;
        if !folder.join(file.trim()).exists() {
            return Err(refuse(format!("there is no file \"{}\"", file.trim())));
        }
        splits.insert(file.trim().to_owned(), split_called(split.trim()).map_err(refuse)?);
    }
    Ok(Some(splits))
}

fn split_called(name: &str) -> Result<Split, String> {
    match name {
        "train" => Ok(Split::Train),
        "val" => Ok(Split::Validation),
        other => Err(format!("split \"{other}\" is neither train nor val")),
    }
}

fn load_array(folder: &Path) -> Result<Vec<Clip>, MocapError> {
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
        if length < SHORTEST_POSES {
            return Err(refuse(format!("a clip of {length} poses is no movement")));
        }
        let split = split_called(split).map_err(refuse)?;
        clips.push(Clip { source: source.to_owned(), subject: subject.to_owned(), split, poses: clip.to_vec() });
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

    fn read_folder(folder: &Path) -> Result<Vec<Clip>, MocapError> {
        load(folder, &BvhSettings::default())
    }

    #[test]
    fn bvh_files_are_split_by_the_csv_or_every_tenth() {
        use crate::bvh_clip::{UpAxis, tests::person};
        let folder = tempfile::tempdir().unwrap();
        assert!(read_folder(folder.path()).unwrap_err().to_string().contains("neither mocap17.npy nor any *.bvh"));
        std::fs::create_dir(folder.path().join("p1")).unwrap();
        for index in 0..12 {
            let text = person("", 0.01, UpAxis::Y, 4, 0.02);
            std::fs::write(folder.path().join(format!("p1/{index:02}.BVH")), text).unwrap();
        }
        let clips = read_folder(folder.path()).unwrap();
        let validation: Vec<&str> =
            clips.iter().filter(|clip| clip.split == Split::Validation).map(|clip| clip.subject.as_str()).collect();
        assert_eq!((clips.len(), validation), (12, vec!["p1/00.BVH", "p1/10.BVH"]));
        assert!(clips[0].is_moving());
        std::fs::write(folder.path().join("split.csv"), "file,split\np1/03.BVH,val\np1/04.BVH,train\n").unwrap();
        let clips = read_folder(folder.path()).unwrap();
        assert_eq!((clips.len(), clips[0].split, clips[1].split), (2, Split::Validation, Split::Train));
        std::fs::write(folder.path().join("split.csv"), "file,split\np1/33.BVH,val\n").unwrap();
        assert!(read_folder(folder.path()).unwrap_err().to_string().contains("split.csv:2: there is no file"));
        std::fs::remove_file(folder.path().join("split.csv")).unwrap();
        std::fs::write(folder.path().join("p1/05.BVH"), "HIERARCHY\nROOT x\n{\nOFFSET 0 0").unwrap();
        let error = read_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("05.BVH:4: the file ends here"), "{error}");
    }

    const INDEX: &str = "start,len,source,subject,action,split,licence\n0,2,a,p1,x,train,l\n2,3,b,p2,y,val,l\n";

    #[test]
    fn clips_are_cut_by_the_index() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 5, INDEX);
        let clips = read_folder(folder.path()).unwrap();
        assert_eq!(clips.len(), 2);
        assert_eq!(clips[1].poses.len(), 3);
        assert!((clips[1].poses[0][0].y - 0.103).abs() < 1e-12);
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 4, INDEX);
        let error = read_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("mocap17.csv:3") && error.contains("2..5"), "{error}");
        write(folder.path(), 5, "start,len,source,subject,action,split,licence\n0,2,a,p1,x,train,l\n");
        assert!(read_folder(folder.path()).unwrap_err().to_string().contains("no clip of split \"val\""));
        std::fs::write(folder.path().join("mocap17.npy"), b"PK").unwrap();
        assert!(read_folder(folder.path()).unwrap_err().to_string().contains("no NumPy header"));
    }
}
