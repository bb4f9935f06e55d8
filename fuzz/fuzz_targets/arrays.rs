//! Truth in arrays: NumPy files of any bytes, JSON, the table of frames of a TF tree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stridepose::adapters::truth::json::parse_truth_json;
use stridepose::adapters::truth::npy::parse_npy;
use stridepose::adapters::truth::tf::parse_mapping;

fuzz_target!(|data: &[u8]| {
    let _ = parse_npy(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = parse_truth_json(text, None);
    let _ = parse_mapping(text);
});
