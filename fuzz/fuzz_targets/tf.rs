//! Truth as frames of a TF tree in a bag: transforms of any bytes, and good ones with bytes changed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stridepose_fuzz::TfScratch;

static SCRATCH: LazyLock<TfScratch> = LazyLock::new(TfScratch::new);

fuzz_target!(|data: &[u8]| {
    SCRATCH.read(data);
});
