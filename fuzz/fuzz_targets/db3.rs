//! SQLite bags: any bytes, and a small bag with bytes changed or its end missing.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stridepose_fuzz::{Scratch, small_db3};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(|| Scratch::new("fuzzed.db3", small_db3));

fuzz_target!(|data: &[u8]| SCRATCH.read(data));
