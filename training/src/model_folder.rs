//! Model folders are written whole or not at all.
//!
//! A new one is made in a folder beside, takes over what else lies in the old one and then gets its name:
//!
//! ```text
//! models/lifter                   the model
//! models/lifter.partial/lifter    what is being written
//! models/lifter.partial/before    the old model, for the moment between two renames
//! ```
//! A full disk or a kill at any moment leaves the old model whole; where it is still called `before`, the next write puts it
//! back first.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::Context;

const BEFORE: &str = "before";

/// Makes what `write` puts into the folder that it is given the model folder `folder`; other files in it stay.
///
/// # Errors
/// When `write` fails or a file cannot be written; `folder` is as it was then.
pub fn replace(folder: &Path, write: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let context = || format!("cannot write {}", folder.display());
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).with_context(context)?;
    }
    // Through links and dots, so that a name can be taken and given.
    let folder = if folder.exists() { &folder.canonicalize().with_context(context)? } else { folder };
    let name = folder.file_name().with_context(|| format!("{} is no name of a folder", folder.display()))?;
    let mut partial = OsString::from(name);
    partial.push(".partial");
    let partial = folder.with_file_name(partial);
    recover(folder, &partial).with_context(context)?;
    let new = partial.join(name);
    let written = fs::create_dir_all(&new)
        .and_then(|()| if folder.exists() { take_over(folder, &new) } else { Ok(()) })
        .with_context(context)
        .and_then(|()| write(&new))
        .and_then(|()| exchange(&new, folder, &partial.join(BEFORE)).with_context(context));
    match written {
        Ok(()) => fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display())),
        Err(error) => {
            // It may be what fills the disk; the first error is the one to tell. An old model in it is never removed.
            if !partial.join(BEFORE).exists() {
                let _ = fs::remove_dir_all(&partial);
            }
            Err(error)
        }
    }
}

/// Puts back what a killed write left without its name, and removes the rest of it.
fn recover(folder: &Path, partial: &Path) -> std::io::Result<()> {
    let before = partial.join(BEFORE);
    if before.exists() && !folder.exists() {
        fs::rename(&before, folder)?;
    }
    if partial.exists() { fs::remove_dir_all(partial) } else { Ok(()) }
}

/// The files of `from` in `to` too, without a copy where the file system allows it: nothing here is written in place.
fn take_over(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, new) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            fs::create_dir(&new)?;
            take_over(&path, &new)?;
        } else if fs::hard_link(&path, &new).is_err() {
            fs::copy(&path, &new)?;
        }
    }
    Ok(())
}

/// Gives the folder `new` the name `folder`; one that has it is called `before` then.
fn exchange(new: &Path, folder: &Path, before: &Path) -> std::io::Result<()> {
    if !folder.exists() {
        return fs::rename(new, folder);
    }
    fs::rename(folder, before)?;
    fs::rename(new, folder).inspect_err(|_| {
        // Where this fails too, the next write puts it back.
        let _ = fs::rename(before, folder);
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::export::write;

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    fn model(folder: &Path) -> impl Fn(&str) -> anyhow::Result<()> + '_ {
        |text| {
            replace(folder, |new| {
                assert_eq!(new.file_name(), folder.file_name(), "the contract takes its name from it");
                write(&new.join("graph.onnx"), text.as_bytes())?;
                write(&new.join("model.yaml"), text.as_bytes())
            })
        }
    }

    #[test]
    fn a_model_is_replaced_whole_and_other_files_stay() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("models/lifter");
        model(&folder)("first").unwrap();
        fs::create_dir(folder.join("notes")).unwrap();
        fs::write(folder.join("notes/README.md"), "mine").unwrap();
        model(&folder)("second").unwrap();
        assert_eq!(
            (text(&folder.join("graph.onnx")), text(&folder.join("model.yaml"))),
            ("second".into(), "second".into())
        );
        assert_eq!(text(&folder.join("notes/README.md")), "mine");
        assert_eq!(fs::read_dir(temporary.path().join("models")).unwrap().count(), 1, "nothing half-written stays");
    }

    #[test]
    fn a_write_that_fails_or_is_killed_leaves_the_model_that_was_there() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("lifter");
        let fails = || {
            replace(&folder, |new| {
                write(&new.join("graph.onnx"), b"other")?;
                anyhow::bail!("No space left on device")
            })
        };
        assert!(fails().is_err());
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
        model(&folder)("first").unwrap();
        assert!(format!("{:#}", fails().unwrap_err()).contains("No space left"));
        assert_eq!(
            (text(&folder.join("graph.onnx")), fs::read_dir(temporary.path()).unwrap().count()),
            ("first".into(), 1)
        );
        // Killed between the two renames.
        let partial = temporary.path().join("lifter.partial");
        fs::create_dir(&partial).unwrap();
        fs::rename(&folder, partial.join(BEFORE)).unwrap();
        assert!(fails().is_err());
        assert_eq!((text(&folder.join("model.yaml")), partial.exists()), ("first".into(), false));
    }
}
