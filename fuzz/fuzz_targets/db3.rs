//! SQLite bags: any bytes, and a small bag with bytes changed or its end missing, its messages plain or compressed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stridepose_fuzz::{Scratch, small_compressed_db3, small_db3};

static PLAIN: LazyLock<Scratch> = LazyLock::new(|| Scratch::new("fuzzed.db3", small_db3));
static COMPRESSED: LazyLock<Scratch> = LazyLock::new(|| Scratch::new("fuzzed.db3", small_compressed_db3));

fuzz_target!(|data: &[u8]| {
    let is_compressed = data.first().is_some_and(|kind| kind & 0x80 != 0);
    if is_compressed { COMPRESSED.read(data) } else { PLAIN.read(data) };
});
