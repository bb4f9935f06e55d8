//! Motion capture on disk: `mocap17.npy` (int16, (N, 17, 3), millimetres, z up) and `mocap17.csv`
//! (a row per clip: start, len, source, subject, action, split, licence), and BVH files.
//!
//! BVH files may lie in folders. `split.csv` (a row per file: path below the folder, `train` or `val`) says which
//! persons training never sees; without it every tenth file, in the order of the paths, is for validation.

use std::path::{Path, PathBuf};

use nalgebra::Vector3;
use stridepose::skeleton::JointArray;

use crate::bvh_clip::{BvhClipError, BvhSettings};
use crate::mocap_array;
use crate::mocap_bvh;
use crate::mocap_summary;

/// Rate of the motion capture.
pub const MOCAP_RATE_HZ: f64 = 50.0;

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

    /// Whether it is of those that figures of moving people come from.
    pub(crate) fn is_measured(&self) -> bool {
        self.split == Split::Validation && self.is_moving()
    }
}

/// Motion capture as it was read, and what is to be known of it.
#[derive(Debug)]
pub struct Mocap {
    /// The clips.
    pub clips: Vec<Clip>,
    /// What was found, a line each: clips, persons and poses of each split, unit and up axis of BVH files.
    pub summary: Vec<String>,
    /// What is probably not meant, a line each: figures that come of it would be too good.
    pub warnings: Vec<String>,
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
    /// The split has no row.
    #[error(
        "{path}: no row; give a row file,split for each BVH file, or remove the file, for every tenth BVH file to be for validation"
    )]
    NoSplitRow {
        /// Which file.
        path: PathBuf,
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
pub(crate) const SHORTEST_POSES: usize = 2;

/// Reads all clips of `folder`: `mocap17.npy` with `mocap17.csv`, BVH files, or both.
///
/// # Errors
/// [`MocapError`] names the file, the line and what was expected.
pub fn load(folder: &Path, bvh: &BvhSettings) -> Result<Mocap, MocapError> {
    let mocap = load_any_split(folder, bvh)?;
    for (split, name) in [(Split::Train, "train"), (Split::Validation, "val")] {
        if !mocap.clips.iter().any(|clip| clip.split == split) {
            return Err(MocapError::EmptySplit { path: folder.to_owned(), split: name });
        }
    }
    Ok(mocap)
}

/// The same, but for one split being enough.
///
/// # Errors
/// [`MocapError`] names the file, the line and what was expected.
pub fn load_any_split(folder: &Path, bvh: &BvhSettings) -> Result<Mocap, MocapError> {
    let (mut clips, mut warnings) =
        if folder.join("mocap17.npy").exists() { mocap_array::load(folder)? } else { (Vec::new(), Vec::new()) };
    let files = mocap_bvh::load(folder, bvh)?;
    let read_as = mocap_summary::of_bvh(&files);
    clips.extend(files.into_iter().map(|file| file.clip));
    if clips.is_empty() {
        return Err(MocapError::Nothing { folder: folder.to_owned() });
    }
    warnings.extend(mocap_summary::persons_of_both_splits(&clips));
    let summary = mocap_summary::of_clips(&clips).into_iter().chain(read_as).collect();
    Ok(Mocap { clips, summary, warnings })
}

/// The split called `name` in a table.
pub(crate) fn split_called(name: &str) -> Result<Split, String> {
    match name {
        "train" => Ok(Split::Train),
        "val" => Ok(Split::Validation),
        other => Err(format!("split \"{other}\" is neither train nor val")),
    }
}

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, MocapError> {
    std::fs::read(path).map_err(|source| MocapError::Io { path: path.to_owned(), source })
}

/// The rows of a table with commas, blanks around fields left out: number of the line, from 1, and fields. Empty lines count
/// and are left out.
pub(crate) fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    // Some programs write a byte order mark.
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().zip(1..);
    lines.filter(|(row, _)| !row.trim().is_empty()).map(|(row, line)| (line, row.split(',').map(str::trim).collect()))
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
        load(folder, &BvhSettings::default()).map(|mocap| mocap.clips)
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
        std::fs::write(folder.path().join("split.csv"), "file,split\np1/03.BVH,val\n").unwrap();
        assert!(read_folder(folder.path()).unwrap_err().to_string().contains("no clip of split \"train\""));
        assert_eq!(load_any_split(folder.path(), &BvhSettings::default()).unwrap().clips.len(), 1);
        std::fs::write(folder.path().join("split.csv"), "file,split\np1/33.BVH,val\n").unwrap();
        assert!(read_folder(folder.path()).unwrap_err().to_string().contains("split.csv:2: there is no file"));
        std::fs::remove_file(folder.path().join("split.csv")).unwrap();
        std::fs::write(folder.path().join("p1/05.BVH"), "HIERARCHY\nROOT x\n{\nOFFSET 0 0").unwrap();
        let error = read_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("05.BVH:4: the file ends here"), "{error}");
    }

    #[test]
    fn a_split_that_is_not_what_it_seems_is_refused() {
        use crate::bvh_clip::{UpAxis, tests::person};
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.bvh", "b.bvh"] {
            std::fs::write(folder.path().join(name), person("", 0.01, UpAxis::Y, 4, 0.02)).unwrap();
        }
        std::fs::write(folder.path().join("c.txt"), "").unwrap();
        let split = |text: &str| {
            std::fs::write(folder.path().join("split.csv"), text).unwrap();
            load(folder.path(), &BvhSettings::default())
        };
        for (text, wanted) in [
            ("a.bvh,val\nb.bvh,train\n", "split.csv:1: \"a.bvh,val\" is no header"),
            ("file,split\na.bvh,val\nc.txt,train\n", "split.csv:3: \"c.txt\" is no BVH file"),
            ("file,split\na.bvh,val\nb.bvh,train\n./a.bvh,train\n", "split.csv:4: \"a.bvh\" for the second time"),
            ("file,split\n\n", "split.csv: no row"),
            ("", "split.csv: no row"),
            ("file,split\na.bvh\n", "split.csv:2: 1 fields"),
        ] {
            let error = split(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let mocap = split("file, split\n ./a.bvh , val\nb.bvh,train\n").unwrap();
        assert_eq!((mocap.clips.len(), mocap.warnings.len()), (2, 0));
        assert_eq!(mocap.summary[0], "train: 1 clips of 1 persons, 4 poses (0.0 min)");
        assert_eq!(mocap.summary[2], "2 BVH files with 0.01 m a unit and y up");
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
    fn blanks_and_empty_lines_of_the_index_do_not_matter_and_its_header_does() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 5, &format!("\u{feff}{}\n \n", INDEX.replace(',', ", ")));
        let clips = read_folder(folder.path()).unwrap();
        assert_eq!((clips.len(), clips[1].subject.as_str(), clips[1].split), (2, "p2", Split::Validation));
        write(folder.path(), 5, INDEX.split_once('\n').unwrap().1);
        let error = read_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("mocap17.csv:1: \"0,2,a,p1,x,train,l\" is no header"), "{error}");
        assert!(error.contains("expected start,len,source,subject,action,split"), "{error}");
        for empty in ["", INDEX.split_once('\n').unwrap().0] {
            write(folder.path(), 5, empty);
            assert!(read_folder(folder.path()).unwrap_err().to_string().contains("mocap17.csv:1: no row of a clip"));
        }
    }

    #[test]
    fn what_makes_figures_too_good_is_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 5, &INDEX.replace("2,3,b,p2", "1,4,a,p1"));
        let mocap = load(folder.path(), &BvhSettings::default()).unwrap();
        assert_eq!(mocap.warnings.len(), 2, "{:?}", mocap.warnings);
        assert!(mocap.warnings[0].contains("mocap17.csv:3: poses 1..5 overlap with those of line 2"));
        assert!(mocap.warnings[1].contains("a p1"), "{:?}", mocap.warnings);
        write(folder.path(), 5, INDEX);
        assert!(load(folder.path(), &BvhSettings::default()).unwrap().warnings.is_empty());
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
