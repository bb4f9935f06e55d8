//! BVH files of a folder as clips, and the table that splits them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::bvh_clip::{self, BvhClipError, BvhPoses, BvhSettings, JointNames, UpAxis};
use crate::mocap::{Clip, MOCAP_RATE_HZ, MocapError, SHORTEST_POSES, Split, read, rows, split_called};

/// Without `split.csv` one file in this many is for validation.
const VALIDATION_PERIOD: usize = 10;

/// A BVH file, and how it was read.
pub(crate) struct BvhFile {
    /// The movement.
    pub clip: Clip,
    /// Metres per unit.
    pub metres_per_unit: f64,
    /// Up axis.
    pub up: UpAxis,
}

/// The BVH files of `folder` that its `split.csv` names; all of them without one.
///
/// # Errors
/// When a file is damaged or not understood, or a row of the split does not fit.
pub(crate) fn load(folder: &Path, settings: &BvhSettings) -> Result<Vec<BvhFile>, MocapError> {
    let mut files = Vec::new();
    find_bvh(folder, &mut files)?;
    files.sort();
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let subject = |path: &Path| path.strip_prefix(folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let files: Vec<(String, PathBuf)> = files.into_iter().map(|path| (subject(&path), path)).collect();
    let splits = read_splits(folder, &files)?;
    let names = JointNames::load(settings.joints.as_deref())?;
    let mut clips = Vec::new();
    for (index, (subject, path)) in files.into_iter().enumerate() {
        let split = match &splits {
            None if index % VALIDATION_PERIOD == 0 => Split::Validation,
            None => Split::Train,
            // A file that the split does not name is left out.
            Some(splits) => match splits.get(&subject) {
                Some(split) => *split,
                None => continue,
            },
        };
        let text = read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
        let BvhPoses { poses, metres_per_unit, up } = bvh_clip::poses(&text, &path, settings, &names)?;
        if poses.len() < SHORTEST_POSES {
            let reason = format!("{} poses at {MOCAP_RATE_HZ} Hz are no movement", poses.len());
            return Err(BvhClipError::Unclear { path, reason }.into());
        }
        let clip = Clip { source: "bvh".to_owned(), subject, split, poses };
        clips.push(BvhFile { clip, metres_per_unit, up });
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

/// The split of each of `files` (path below `folder`, path) that `split.csv` names; `None` where there is no such table.
fn read_splits(folder: &Path, files: &[(String, PathBuf)]) -> Result<Option<HashMap<String, Split>>, MocapError> {
    let path = folder.join("split.csv");
    if !path.exists() {
        return Ok(None);
    }
    let text = read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
    let mut splits = HashMap::new();
    let mut rows = rows(&text);
    if let Some((line, fields)) = rows.next()
        && fields != ["file", "split"]
    {
        let reason = format!("\"{}\" is no header", fields.join(","));
        return Err(MocapError::SplitRow { path, line, reason });
    }
    for (line, fields) in rows {
        let refuse = |reason: String| MocapError::SplitRow { path: path.clone(), line, reason };
        let [file, split] = fields[..] else { return Err(refuse(format!("{} fields", fields.len()))) };
        let file = file.replace('\\', "/");
        let file = file.strip_prefix("./").unwrap_or(&file);
        if !folder.join(file).exists() {
            return Err(refuse(format!("there is no file \"{file}\"")));
        }
        if !files.iter().any(|(subject, _)| subject == file) {
            return Err(refuse(format!("\"{file}\" is no BVH file below {}", folder.display())));
        }
        if splits.insert(file.to_owned(), split_called(split).map_err(refuse)?).is_some() {
            return Err(refuse(format!("\"{file}\" for the second time")));
        }
    }
    if splits.is_empty() { Err(MocapError::NoSplitRow { path }) } else { Ok(Some(splits)) }
}
