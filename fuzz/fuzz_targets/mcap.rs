//! MCAP files: any bytes, and a small bag with bytes changed or its end missing.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stridepose_fuzz::{Scratch, small_mcap};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(|| Scratch::new("fuzzed.mcap", small_mcap));

fuzz_target!(|data: &[u8]| {
    SCRATCH.read(data);
});
