//! What the integration tests share.
#![allow(dead_code, reason = "each test uses its own part")]

use std::path::{Path, PathBuf};

/// The folder of provided bags and networks, or a printed `SKIP` when it is not there: users of the project do not
/// have it.
pub fn shared(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("STRIDEPOSE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    if folder.join("bags").is_dir() && folder.join("models").is_dir() {
        return Some(folder);
    }
    println!("SKIP {test}: {} with bags and models is not here", folder.display());
    None
}
