//! A file on its way here: the bytes that have come, and beside them what the server said about the whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What is known about a part, in a file beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartState {
    /// Where it comes from.
    pub url: String,
    /// Strong ETag or date: what `If-Range` takes.
    pub validator: Option<String>,
    /// Bytes of the whole.
    pub total: Option<u64>,
}

/// A file on its way here.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    state_path: PathBuf,
}

impl Part {
    /// The part at `path`; what is known about it lies beside it.
    pub fn at(path: PathBuf) -> Self {
        let state_path = path.with_added_extension("json");
        Self { path, state_path }
    }

    /// Where the bytes are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Deletes it.
    pub fn discard(&self) {
        let _ = std::fs::remove_file(&self.state_path);
        let _ = std::fs::remove_file(&self.path);
    }

    /// Bytes that are here.
    pub fn length(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// What is known about the part, if it belongs to `url`.
    pub fn state(&self, url: &str) -> Option<PartState> {
        let text = std::fs::read_to_string(&self.state_path).ok()?;
        serde_json::from_str::<PartState>(&text).ok().filter(|state| state.url == url)
    }

    /// Keeps what is known about it.
    pub fn set_state(&self, state: &PartState) -> io::Result<()> {
        std::fs::write(&self.state_path, serde_json::to_vec(state)?)
    }

    /// Opens it to go on after `start` bytes; at 0 it begins anew.
    pub fn open(&self, start: u64) -> io::Result<File> {
        match start {
            0 => OpenOptions::new().write(true).create(true).truncate(true).open(&self.path),
            _ => OpenOptions::new().append(true).open(&self.path),
        }
    }
}
