//! What can go wrong with a bag: an input that is refused (the user gave the wrong thing) apart from a failure (disk,
//! permission). Damage is neither: it is reported by [`super::Completeness`] after everything readable was read.

use std::path::{Path, PathBuf};

/// A bag that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BagError {
    /// The input is not what is asked for; nothing was done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The operating system refused.
    #[error("cannot {action} {}: {reason}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said. No source of this error: its text is in this one's already.
        reason: std::io::Error,
    },
    /// The bag could not be written.
    #[error("cannot write bag {}: {reason}", path.display())]
    Write {
        /// File that was being written.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// One sentence about why an input is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is nothing at the path.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// A file of no bytes.
    #[error("{} is empty (0 bytes)", .0.display())]
    Empty(PathBuf),
    /// A file that is neither MCAP nor `SQLite`.
    #[error("{} is no bag: it starts with {start}, not with the signature of MCAP or SQLite", path.display())]
    NotABag {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        start: String,
    },
    /// A `SQLite` database without the tables of rosbag2.
    #[error("{} is a SQLite database but no rosbag2 bag: {reason}", path.display())]
    NotARosbag2Database {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A `SQLite` database that is cut or damaged where its tables are listed.
    #[error("{} is a damaged SQLite database, nothing of it can be read: {reason}", path.display())]
    DamagedDatabase {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An MCAP file without a single ROS 2 channel.
    #[error(
        "{} is an MCAP file but no ROS 2 bag: its messages are encoded as {encodings} (profile \"{profile}\"), ROS 2 needs cdr",
        path.display()
    )]
    NotRos2 {
        /// The file.
        path: PathBuf,
        /// Message encodings of its channels.
        encodings: String,
        /// Profile named in its header.
        profile: String,
    },
    /// A folder without a bag.
    #[error("folder {} holds no bag: no metadata.yaml, no .mcap and no .db3 file", .0.display())]
    FolderWithoutBags(PathBuf),
    /// A folder with bags of both kinds and nothing that says which one is meant.
    #[error(
        "folder {} holds {mcap_files} .mcap and {db3_files} .db3 files and no usable metadata.yaml; name one of the files",
        path.display()
    )]
    MixedFolder {
        /// The folder.
        path: PathBuf,
        /// How many of one kind.
        mcap_files: usize,
        /// How many of the other.
        db3_files: usize,
    },
    /// A folder with files that are not numbered as parts of one recording.
    #[error(
        "folder {} has no metadata.yaml, and its files are not the parts NAME_0, NAME_1, ... of one recording: {files}; name \
         one of them",
        path.display()
    )]
    SeveralRecordings {
        /// The folder.
        path: PathBuf,
        /// Names of the files.
        files: String,
    },
    /// A folder whose metadata.yaml lists files that are not there.
    #[error("bag {} lists {listed} in its metadata.yaml, and none of these files can be read: {reason}", path.display())]
    NoListedFile {
        /// The folder.
        path: PathBuf,
        /// The files listed.
        listed: String,
        /// What is wrong with the first one.
        reason: String,
    },
    /// A compression that is not supported.
    #[error("bag {} is compressed with \"{format}\", only zstd is supported", path.display())]
    Compression {
        /// The bag.
        path: PathBuf,
        /// Name of the compression.
        format: String,
    },
    /// The place to write to is taken.
    #[error("{} exists and is not empty; name another place to write to", .0.display())]
    OutputExists(PathBuf),
    /// No topic, or more than one, could be meant.
    #[error("{0}")]
    Topic(String),
}

impl BagError {
    /// Whether the input was refused, rather than something failed on the way.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Wraps an error of the operating system.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |reason| Self::Io { action, path: path.to_owned(), reason }
    }
}
