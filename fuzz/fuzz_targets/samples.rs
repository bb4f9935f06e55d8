//! What the evaluator wrote, read back and compared: any text, and good numbers and samples with bytes changed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stridepose::report::comparison::rule::Rule;
use stridepose::report::comparison::{Side, known_metrics, paired_differences, to_json, to_table};
use stridepose_fuzz::patched;

const GOOD: &str = r#"{"mpjpe_mm": 50.5, "image_interval_s": 0.1, "per_joint": {"pelvis": {"mpjpe_mm": null}}, "samples":
{"joints": ["pelvis", "r_hip"], "image_index": [0, 1, 3], "stamp_ns": [1, 2, 4], "person": ["a", "a", "b"],
"action": ["walk", null, "sit"], "track_id": [1, 1, 2], "true_distance_m": [2.5, null, 3], "root_mm": [[1,
-2, 3], null, [0, 0, 1e3]], "mpjpe_mm": [[1, 2.5], [null, 0.5], [3, null]], "pa_mpjpe_mm": [[1, 2.5], [null,
0.5], [3, null]], "n_mpjpe_mm": [[1, 2.5], [null, 0.5], [3, null]], "position_error_mm": [[1, 2.5], [null,
0.5], [3, null]], "velocity_error_mm_per_s": [[1, 2.5], [null, 0.5], [3, null]],
"acceleration_error_mm_per_s2": [[1, 2.5], [null, 0.5], [3, null]], "squared_mahalanobis": [[1, 2.5], [null,
0.5], [3, null]], "confidence": [[1, 2.5], [null, 0.5], [3, null]], "state": [[3, 3], [2, 1], [0, 3]]}}"#;

fuzz_target!(|data: &[u8]| {
    let good = Side::parse(GOOD).expect("good samples");
    let text = String::from_utf8_lossy(&patched(GOOD.as_bytes(), data)).into_owned();
    if let Ok(side) = Side::parse(&text) {
        for (a, b) in [(&good, &side), (&side, &good), (&side, &side)] {
            let paired = paired_differences(a, b);
            let _ = to_table(a, b, &paired, true);
            let _ = to_json(a, b, &paired);
        }
    }
    if let Ok(rule) = Rule::parse(&text, &known_metrics(&good, &good)) {
        let _ = rule.judge(Some(1.0), None);
    }
});
