//! Files that commands write for people and scripts: whole or not at all, and never over what they read.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Refused;

/// Writes `text` to the file `path`: beside it first, so that what was there stays whole until the new file is.
///
/// # Errors
/// An I/O error with the path; nothing half is left behind.
pub(super) fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    // A terminal or a pipe has no place beside it.
    if fs::metadata(path).is_ok_and(|known| !known.is_file()) {
        return fs::write(path, text).with_context(cannot);
    }
    // A link stays one.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut partial = target.clone().into_os_string();
    partial.push(".partial");
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, &target));
    if written.is_err() {
        // It may not even be there.
        let _ = fs::remove_file(&partial);
    }
    written.with_context(cannot)
}

/// Refuses output files that are one another, an input, or a part of an input bag.
///
/// # Errors
/// [`Refused`] with the file.
pub(super) fn check_outputs<'a>(
    outputs: impl IntoIterator<Item = &'a PathBuf>,
    inputs: impl IntoIterator<Item = &'a PathBuf>,
) -> anyhow::Result<()> {
    let outputs: Vec<(&PathBuf, PathBuf)> = outputs.into_iter().map(|path| (path, place(path))).collect();
    let inputs: Vec<PathBuf> = inputs.into_iter().map(|path| place(path)).collect();
    for (index, (path, output)) in outputs.iter().enumerate() {
        let is_of_bag = || {
            let is_recording = output
                .extension()
                .is_some_and(|kind| ["mcap", "db3", "zstd", "yaml"].iter().any(|known| kind == *known));
            is_recording && output.exists() && inputs.iter().any(|input| output.starts_with(input))
        };
        if inputs.contains(output) || is_of_bag() {
            let path = path.display();
            return Err(Refused::because(format!("{path} is read and would be written over: name another file")));
        }
        if outputs[..index].iter().any(|(_, earlier)| earlier == output) {
            let path = path.display();
            return Err(Refused::because(format!("{path} would be written twice: name a file for each")));
        }
    }
    Ok(())
}

/// Where `path` is, through links and whatever it is relative to.
fn place(path: &Path) -> PathBuf {
    if let Ok(place) = fs::canonicalize(path) {
        return place;
    }
    // Not there yet: its folder may be.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    match (fs::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn outputs_are_new_and_each_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("bag")).unwrap();
        for name in ["bag/bag_0.mcap", "bag/report.html", "truth.csv"] {
            fs::write(at(name), "x").unwrap();
        }
        let check = |outputs: &[&str], inputs: &[&str]| {
            let paths = |names: &[&str]| names.iter().map(|name| at(name)).collect::<Vec<_>>();
            check_outputs(&paths(outputs), &paths(inputs)).map_err(|error| error.to_string())
        };
        assert!(check(&["a.json", "b.json"], &["bag", "truth.csv"]).is_ok());
        // A report in the result's folder is where people look for it.
        assert!(check(&["bag/report.html", "bag/numbers.json"], &["bag"]).is_ok());
        for (outputs, inputs, wanted) in [
            (&["truth.csv"][..], &["bag", "truth.csv"][..], "written over"),
            (&["bag/../truth.csv"], &["truth.csv"], "written over"),
            (&["bag/bag_0.mcap"], &["bag"], "written over"),
            (&["a.json", "b.json", "bag/../a.json"], &["bag"], "written twice"),
        ] {
            let refused = check(outputs, inputs).unwrap_err();
            assert!(refused.contains(wanted), "{outputs:?}: {refused}");
        }
    }

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.json");
        write_file(&path, "one").unwrap();
        write_file(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let nowhere = folder.path().join("no/folder.json");
        assert!(format!("{:#}", write_file(&nowhere, "x").unwrap_err()).contains("no/folder.json"));
    }
}
