//! The folder of pulled networks: `NAME/model.yaml` with the weights beside it, and the checksums that were trusted.
//!
//! Nothing half done has a final name: a network is put together in a folder of its own and moved into place in one
//! step. One pull or removal at a time: each holds the lock of the folder.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::PullError;
use crate::adapters::model_store::{CONTRACT_FILE, hexadecimal};
use crate::model::ModelContract;

/// Checksums that were trusted on first use.
const CHECKSUMS_FILE: &str = "checksums.yaml";
/// Lies beside what was pulled, and nowhere else.
pub(super) const ORIGIN_FILE: &str = "origin.txt";
/// Held while something is changed.
const LOCK_FILE: &str = ".lock";
const CHECKSUMS_HEADER: &str = "# sha256 of the weights that `stridepose models pull` trusted on first use. A later download with another one \
     is refused.\n";

/// A checksum that was trusted on first use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// SHA-256 of the weights.
    pub sha256: String,
    /// Where they came from.
    pub from: String,
}

/// Where pulled networks lie.
#[derive(Clone, Debug)]
pub struct ModelFolder {
    path: PathBuf,
}

/// Held while something is changed; the lock ends with it.
#[derive(Debug)]
pub struct FolderLock(#[allow(dead_code, reason = "the lock ends when the file is closed")] File);

/// How a network in the folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installed {
    /// There is none.
    No,
    /// Contract and weights, which are those that were pulled.
    Sound {
        /// SHA-256 of the weights.
        sha256: String,
    },
    /// A folder of that name that is not as `pull` left it.
    Changed {
        /// What is wrong.
        reason: String,
    },
}

impl ModelFolder {
    /// The folder at `path`; it need not be there yet.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of one network.
    pub fn model(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where a file of `name` lies while it is on its way.
    pub(super) fn hidden(&self, name: &str, ending: &str) -> PathBuf {
        self.path.join(format!(".{name}.{ending}"))
    }

    /// The file of trusted checksums.
    pub fn checksums_path(&self) -> PathBuf {
        self.path.join(CHECKSUMS_FILE)
    }

    /// Creates the folder and keeps others out of it.
    ///
    /// # Errors
    /// [`PullError::Busy`] while another process does something here.
    pub fn lock(&self) -> Result<FolderLock, PullError> {
        fs::create_dir_all(&self.path).map_err(|source| self.io(&self.path, source))?;
        let path = self.path.join(LOCK_FILE);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|source| self.io(&path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock(file)),
            Err(TryLockError::WouldBlock) => Err(PullError::Busy(self.path.clone())),
            Err(TryLockError::Error(source)) => Err(self.io(&path, source)),
        }
    }

    /// Names of the networks that lie here, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().join(CONTRACT_FILE).is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }

    /// Looks at the network called `name`, with its checksum.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn installed(&self, name: &str) -> Result<Installed, PullError> {
        let folder = self.model(name);
        if !folder.exists() {
            return Ok(Installed::No);
        }
        let changed = |reason: String| Ok(Installed::Changed { reason });
        let contract_path = folder.join(CONTRACT_FILE);
        let Ok(text) = fs::read_to_string(&contract_path) else {
            return changed(format!("{} has no {CONTRACT_FILE}", folder.display()));
        };
        let contract = match ModelContract::parse(&text, &contract_path.display().to_string()) {
            Ok(contract) => contract,
            Err(error) => return changed(error.to_string()),
        };
        let weights = folder.join(&contract.file);
        if !weights.is_file() {
            return changed(format!("{} is missing", weights.display()));
        }
        let found = sha256_of(&weights).map_err(|source| self.io(&weights, source))?;
        match contract.sha256 {
            Some(wanted) if wanted == found => Ok(Installed::Sound { sha256: found }),
            Some(wanted) => changed(format!("{}: sha256 is {found}, its contract says {wanted}", weights.display())),
            None => changed(format!("{} states no sha256", contract_path.display())),
        }
    }

    /// Checksums that were trusted on first use, by name.
    ///
    /// # Errors
    /// When the file is there and cannot be used: nothing is trusted anew because of that.
    pub fn trusted(&self) -> Result<BTreeMap<String, Trusted>, PullError> {
        let path = self.checksums_path();
        match fs::read_to_string(&path) {
            Ok(text) => serde_yaml::from_str::<Option<_>>(&text)
                .map(Option::unwrap_or_default)
                .map_err(|error| PullError::Checksums { path, reason: error.to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(source) => Err(self.io(&path, source)),
        }
    }

    /// Writes the trusted checksums in one step.
    pub(super) fn set_trusted(&self, trusted: &BTreeMap<String, Trusted>) -> Result<(), PullError> {
        let path = self.checksums_path();
        let text = serde_yaml::to_string(trusted)
            .map_err(|error| PullError::Checksums { path: path.clone(), reason: error.to_string() })?;
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            file.write_all(CHECKSUMS_HEADER.as_bytes())?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| self.io(&path, source))
    }

    /// Removes the network called `name` and what is left of broken downloads; `forget` also its trusted checksum.
    /// `false` where there was nothing.
    ///
    /// # Errors
    /// [`PullError::Busy`], [`PullError::NotPulled`], or when it cannot be deleted.
    pub fn remove(&self, name: &str, forget: bool) -> Result<bool, PullError> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) || !self.path.is_dir() {
            return Ok(false);
        }
        let _lock = self.lock()?;
        let mut was_there = false;
        if self.model(name).exists() && !self.model(name).join(ORIGIN_FILE).is_file() {
            return Err(PullError::NotPulled(self.model(name)));
        }
        for path in [self.model(name), self.hidden(name, "new")] {
            if path.is_dir() {
                fs::remove_dir_all(&path).map_err(|source| self.io(&path, source))?;
                was_there = true;
            }
        }
        for path in [self.hidden(name, "part"), self.hidden(name, "part.json")] {
            was_there |= fs::remove_file(&path).is_ok();
        }
        if forget {
            let mut trusted = self.trusted()?;
            if trusted.remove(name).is_some() {
                self.set_trusted(&trusted)?;
                was_there = true;
            }
        }
        Ok(was_there)
    }

    #[allow(clippy::unused_self, reason = "reads as what it is: an error of this folder")]
    pub(super) fn io(&self, path: &Path, source: io::Error) -> PullError {
        PullError::Io { path: path.to_owned(), source }
    }
}

/// SHA-256 of a file in lower-case hexadecimal.
pub(super) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hexadecimal(&digest.finalize())),
            count => digest.update(&buffer[..count]),
        }
    }
}
