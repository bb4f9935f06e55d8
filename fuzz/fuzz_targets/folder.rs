//! Folders of a bag: metadata.yaml and one file, MCAP, SQLite or compressed as a whole, either or both changed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stridepose_fuzz::FolderScratch;

static SCRATCH: LazyLock<FolderScratch> = LazyLock::new(FolderScratch::new);

fuzz_target!(|data: &[u8]| {
    SCRATCH.read(data);
});
