//! Which files of a folder are one recording, by their names: rosbag2 numbers the parts of a bag `NAME_0`, `NAME_1`, and
//! so on.

use std::io;
use std::path::{Path, PathBuf};

use super::rosbag2_metadata;

/// The bag files that lie in `directory` itself, parts by their number, others by their name.
///
/// # Errors
/// The I/O error when the folder cannot be listed.
pub fn bag_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if is_mcap(&path) || has_extension(&path, "db3") {
            files.push(path);
        }
    }
    files.retain(|path| path.is_file());
    // run_2.mcap comes before run_10.mcap.
    files.sort_by_cached_key(|file| (part(file).map_or(0, |part| part.1), file.clone()));
    Ok(files)
}

/// Whether `directory` has the file that says what its bag is made of.
pub fn has_metadata(directory: &Path) -> bool {
    directory.join(rosbag2_metadata::FILE_NAME).is_file()
}

/// Whether `files` are one recording: a single file, or the numbered parts of one.
pub fn are_one_recording(files: &[PathBuf]) -> bool {
    files.len() == 1 || parts(files).is_some()
}

/// Name and numbers of the recording whose parts `files` are: all named alike and numbered, the first with 0.
pub fn parts(files: &[PathBuf]) -> Option<(String, Vec<u64>)> {
    let (name, _) = part(files.first()?)?;
    let is_first_mcap = is_mcap(&files[0]);
    let mut numbers = files
        .iter()
        .map(|file| part(file).filter(|part| part.0 == name && is_mcap(file) == is_first_mcap).map(|part| part.1))
        .collect::<Option<Vec<u64>>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    (numbers.len() == files.len() && numbers.first() == Some(&0)).then_some((name, numbers))
}

/// Name of a bag file without what tells its format.
pub fn recording_name(file: &Path) -> String {
    let name = plain_name(file);
    Path::new(&name).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether it is named as an MCAP file, compressed or not.
pub fn is_mcap(file: &Path) -> bool {
    has_extension(file, "mcap")
}

/// Name of the recording and number of the file in it, where it has one.
fn part(file: &Path) -> Option<(String, u64)> {
    let stem = recording_name(file);
    let (name, number) = stem.rsplit_once('_')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((name.to_owned(), number.parse().ok().filter(|_| is_number)?))
}

fn has_extension(file: &Path, extension: &str) -> bool {
    Path::new(&plain_name(file)).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Its name without `.zstd`.
fn plain_name(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.strip_suffix(".zstd").map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(names: &[&str]) -> bool {
        are_one_recording(&names.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn parts_of_one_name_that_begin_with_zero_are_one_recording() {
        for names in [
            &["x.mcap"][..],
            &["x_0.mcap", "x_1.mcap"],
            &["a_b_0.db3", "a_b_2.db3"],
            &["x_0.mcap.zstd", "x_1.mcap"],
            &["rosbag2_2024_01_01-10_00_00_0.mcap", "rosbag2_2024_01_01-10_00_00_1.mcap"],
        ] {
            assert!(one(names), "{names:?}");
        }
        for names in [
            &[][..],
            &["monday.mcap", "tuesday.mcap"],
            &["walk_1.mcap", "walk_2.mcap"],
            &["x_0.mcap", "y_1.mcap"],
            &["x_0.mcap", "x_1.db3"],
            &["x_0.mcap", "x_00.mcap"],
            &["x_0.mcap", "x.mcap"],
            &["rosbag2_2024_01_01-10_00_00_0.mcap", "rosbag2_2024_01_01-11_00_00_0.mcap"],
        ] {
            assert!(!one(names), "{names:?}");
        }
        assert_eq!(recording_name(Path::new("a/x_0.v1.mcap.zstd")), "x_0.v1");
    }
}
