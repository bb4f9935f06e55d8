//! Why a network could not be brought. Every message has both sides and says what to do.

use std::io;
use std::path::PathBuf;

use super::archive::ArchiveError;
use super::download::DownloadError;
use super::{CatalogueError, Entry};

/// A network that could not be brought. Nothing was put in place.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The catalogue does not allow it.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// No ONNX file is public.
    #[error(
        "{name} cannot be downloaded: {by_hand}. Then put it as {file} into a folder DIR: `stridepose models pull {name} --mirror DIR`"
    )]
    ByHand {
        /// The network.
        name: String,
        /// How to make it.
        by_hand: String,
        /// How to call it.
        file: String,
    },
    /// The mirror does not hold it.
    #[error("{name}: none of {} is in the mirror {}", names.join(", "), mirror.display())]
    NotInMirror {
        /// The network.
        name: String,
        /// Names that were looked for.
        names: Vec<String>,
        /// The mirror.
        mirror: PathBuf,
    },
    /// Somebody else is at work.
    #[error("another stridepose is changing {}: wait until it has ended", .0.display())]
    Busy(PathBuf),
    /// Something of that name lies there which `pull` has not put there.
    #[error("{} was not put there by `stridepose models pull`: delete it yourself if it is not needed", .0.display())]
    NotPulled(PathBuf),
    /// There is something of that name which is not as it was pulled.
    #[error("{reason}. It is not as `pull` left it: `stridepose models remove {name}`, then pull again")]
    Changed {
        /// The network.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The download failed.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The archive is refused.
    #[error("{name}: {reason}; nothing was installed")]
    Archive {
        /// The network.
        name: String,
        /// Why.
        reason: ArchiveError,
    },
    /// It is no ONNX file.
    #[error("{name}: the file from {from} is no whole ONNX model: {reason}; nothing was installed")]
    NotOnnx {
        /// The network.
        name: String,
        /// Where it came from.
        from: String,
        /// Why not.
        reason: String,
    },
    /// It is another file than it should be.
    #[error(
        "{name}: sha256 of the file from {from} is {found}, {who} says {wanted}; nothing was installed{}",
        if *is_trusted { format!(". If the new file is meant: `stridepose models remove {name} --forget`, then pull again") }
        else { String::new() }
    )]
    Checksum {
        /// The network.
        name: String,
        /// Where the file came from.
        from: String,
        /// Its checksum.
        found: String,
        /// What it should be.
        wanted: String,
        /// Who says so.
        who: String,
        /// Whether that is the checksum of the first download.
        is_trusted: bool,
    },
    /// A line cannot be added to the contract.
    #[error("{}: its sha256 must be a line of its own at the top level, or absent", contract.display())]
    NoChecksum {
        /// The contract.
        contract: PathBuf,
    },
    /// The file of trusted checksums cannot be used.
    #[error("{}: {reason}; correct the file or delete it", path.display())]
    Checksums {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {}", path.display(), if source.kind() == io::ErrorKind::StorageFull { "the disk is full".to_owned() } else { source.to_string() })]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl PullError {
    /// That no ONNX file of `entry` is public.
    pub fn by_hand(entry: &Entry) -> Self {
        Self::ByHand {
            name: entry.name.clone(),
            by_hand: entry.by_hand.clone().unwrap_or_default(),
            file: entry.file.clone(),
        }
    }
}
