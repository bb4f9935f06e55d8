//! Everything that is text: metadata.yaml, model.yaml, parameter files, overrides, truth in CSV.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stridepose::adapters::bag::rosbag2_metadata::Metadata;
use stridepose::adapters::truth::csv::parse_truth_csv;
use stridepose::config::Config;
use stridepose::model::ModelContract;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(metadata) = Metadata::parse(text) {
        let _ = metadata.to_yaml();
    }
    if let Ok(contract) = ModelContract::parse(text, "fuzz") {
        let _ = contract.tensor_specs();
    }
    let _ = Config::from_sources(Some(text), &[]);
    let _ = Config::from_sources(None, &[text.to_owned()]);
    let _ = parse_truth_csv(text, None);
    let _ = parse_truth_csv(text, Some(10.0));
});
