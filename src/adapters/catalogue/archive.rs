//! One file out of a zip, written under a name of our own: no path of the archive is ever used as a path here.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zip::ZipArchive;

/// An archive that is refused.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is no zip, or a damaged one.
    #[error("the download is no zip archive that can be read ({0})")]
    Unreadable(#[from] zip::result::ZipError),
    /// The member is not there, or several fit.
    #[error("{count} files of the archive end in {wanted}, there must be one; it holds {}", names.join(", "))]
    Member {
        /// How the path must end.
        wanted: String,
        /// How many do.
        count: usize,
        /// What it holds, the first few names.
        names: Vec<String>,
    },
    /// Its path leads out of the archive.
    #[error("the archive's file \"{0}\" leads out of its folder")]
    Outside(String),
    /// It unpacks to more than it may.
    #[error("{name} would unpack to more than {limit} bytes")]
    TooLarge {
        /// The member.
        name: String,
        /// What it may have.
        limit: u64,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes the one file of the archive whose path ends in `member` to `target`, at most `limit` bytes.
///
/// # Errors
/// [`ArchiveError`]; what was written to `target` until then is of no use.
pub fn extract(archive: &Path, member: &str, target: &Path, limit: u64) -> Result<(), ArchiveError> {
    let mut archive = ZipArchive::new(File::open(archive)?)?;
    let ends_in_member =
        |name: &str| name.strip_suffix(member).is_some_and(|before| before.is_empty() || before.ends_with('/'));
    let fitting: Vec<String> = archive.file_names().filter(|name| ends_in_member(name)).map(str::to_owned).collect();
    let [name] = fitting.as_slice() else {
        let names = archive.file_names().take(10).map(str::to_owned).collect();
        return Err(ArchiveError::Member { wanted: member.to_owned(), count: fitting.len(), names });
    };
    let file = archive.by_name(name)?;
    if file.enclosed_name().is_none() || !file.is_file() {
        return Err(ArchiveError::Outside(name.clone()));
    }
    let too_large = || ArchiveError::TooLarge { name: name.clone(), limit };
    if file.size() > limit {
        return Err(too_large());
    }
    // The stated size may be a lie: what really comes out is counted as well.
    let written = io::copy(&mut file.take(limit + 1), &mut File::create(target)?)?;
    if written > limit { Err(too_large()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::*;

    fn extract_from(files: &[(&str, &[u8])], member: &str, limit: u64) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, bytes) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        let target = folder.path().join("out");
        extract(&path, member, &target, limit).map_err(|error| error.to_string())?;
        Ok(std::fs::read(target).unwrap())
    }

    #[test]
    fn the_member_is_found_in_any_folder() {
        let files: &[(&str, &[u8])] = &[("x/detail.json", b"{}"), ("x/y/end2end.onnx", b"weights")];
        assert_eq!(extract_from(files, "end2end.onnx", 100).unwrap(), b"weights");
        assert_eq!(extract_from(files, "y/end2end.onnx", 100).unwrap(), b"weights");
        assert!(extract_from(files, "2end.onnx", 100).unwrap_err().contains("0 files"));
    }

    #[test]
    fn two_that_fit_are_refused_with_what_there_is() {
        let files: &[(&str, &[u8])] = &[("det/end2end.onnx", b"a"), ("pose/end2end.onnx", b"b")];
        let error = extract_from(files, "end2end.onnx", 100).unwrap_err();
        assert!(error.contains("2 files") && error.contains("pose/end2end.onnx"), "{error}");
        assert_eq!(extract_from(files, "pose/end2end.onnx", 100).unwrap(), b"b");
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        let error = extract_from(&[("../../end2end.onnx", b"a")], "end2end.onnx", 100).unwrap_err();
        assert!(error.contains("leads out"), "{error}");
    }

    #[test]
    fn a_bomb_is_refused() {
        let error = extract_from(&[("end2end.onnx", &vec![0; 100_000])], "end2end.onnx", 99_999).unwrap_err();
        assert!(error.contains("more than 99999 bytes"), "{error}");
    }

    #[test]
    fn a_bomb_that_lies_about_its_size_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("a.zip"), folder.path().join("out"));
        let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
        writer.start_file("end2end.onnx", SimpleFileOptions::default()).unwrap();
        writer.write_all(&vec![0; 100_000]).unwrap();
        writer.finish().unwrap();
        // The size is stated in the local header and in the central directory.
        let (honest, lie) = (100_000_u32.to_le_bytes(), 10_u32.to_le_bytes());
        let mut bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() - 4 {
            if bytes[at..at + 4] == honest {
                bytes[at..at + 4].copy_from_slice(&lie);
            }
        }
        std::fs::write(&path, bytes).unwrap();
        assert!(extract(&path, "end2end.onnx", &target, 1000).is_err());
        assert!(std::fs::metadata(&target).unwrap().len() <= 1001);
    }

    #[test]
    fn what_is_no_zip_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        std::fs::write(&path, b"<html>").unwrap();
        let error = extract(&path, "a", &folder.path().join("out"), 10).unwrap_err().to_string();
        assert!(error.contains("no zip archive"), "{error}");
    }
}
