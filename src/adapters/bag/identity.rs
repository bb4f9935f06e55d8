//! Whether a bag is the one that it was, and whether it is all there, without reading it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{BagError, files};
use crate::adapters::model_store::hexadecimal;

/// So much of the beginning and of the end of each file is looked at.
const LOOKED_AT: u64 = 1 << 16;

/// What tells the content of the bag at `path` from that of others, wherever it lies and whatever its files are called:
/// SHA-256 over the length, the first and the last 64 KiB of each of its files.
///
/// # Errors
/// [`BagError`] when there is no bag, or a file of it cannot be read.
pub fn fingerprint(path: &Path) -> Result<String, BagError> {
    let mut digests = Vec::new();
    for (file, _) in files::find(path)?.found {
        digests.push(digest(&file).map_err(BagError::io("read", &file))?);
    }
    digests.sort_unstable();
    Ok(hexadecimal(&Sha256::digest(digests.concat())))
}

fn digest(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut looked_at = length.to_le_bytes().to_vec();
    (&mut file).take(LOOKED_AT).read_to_end(&mut looked_at)?;
    file.seek(SeekFrom::Start(length.saturating_sub(LOOKED_AT)))?;
    file.take(LOOKED_AT).read_to_end(&mut looked_at)?;
    Ok(Sha256::digest(&looked_at).into())
}

/// Checks that the bag at `path` was closed by its writer and is all there: every file that its `metadata.yaml` lists,
/// each with its end, and as many messages in them as are counted there.
///
/// # Errors
/// What is wrong, in words.
pub fn check_closed(path: &Path) -> Result<(), String> {
    let words = |error: BagError| error.to_string();
    let found = files::find(path).map_err(words)?;
    if let Some(loss) = found.losses.into_iter().next() {
        return Err(loss.reason);
    }
    let metadata = found.metadata.ok_or("metadata.yaml is missing")?;
    let mut count = 0;
    for (file, _) in found.found {
        let storage = files::open(&file).map_err(words)?;
        if let Some(loss) = storage.losses().into_iter().next() {
            return Err(loss.in_file(&file).reason);
        }
        count += storage.topics().iter().filter_map(|topic| topic.message_count).sum::<u64>();
    }
    if count == metadata.message_count {
        Ok(())
    } else {
        Err(format!("metadata.yaml counts {} messages, its files hold {count}", metadata.message_count))
    }
}
