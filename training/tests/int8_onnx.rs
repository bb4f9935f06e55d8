//! The lifter in 8 bits through ONNX Runtime: near the answers of 32 bits, and whole-sequence scoring through the pipeline's
//! own stage agrees with the trainer's.
#![allow(clippy::unwrap_used)]

use burn::prelude::*;
use nalgebra::Vector3;
use stridepose::adapters::onnx::library;
use stridepose::model::ModelContract;
use stridepose::skeleton::KeypointLayout;
use stridepose_train::mocap::{Clip, Split};
use stridepose_train::noise::DetectorNoise;
use stridepose_train::validate::{Condition, Hidden, Validation};
use stridepose_train::{export, export_int8, import, runtime};

const CONTRACT: &str = include_str!("../../models/lifter/model.yaml");

fn clips() -> Vec<Clip> {
    let walker = |index: i32| Clip {
        source: "test".to_owned(),
        subject: format!("p{index}"),
        split: Split::Validation,
        poses: (0..160)
            .map(|time| {
                std::array::from_fn(|joint| {
                    let swing = 0.1 * (f64::from(time) * 0.1 + joint as f64).sin();
                    Vector3::new(swing, 0.03 * joint as f64, 0.1 * joint as f64 + 0.2)
                })
            })
            .collect(),
    };
    (0..2).map(walker).collect()
}

#[test]
fn eight_bits_cost_little_and_scores_through_the_runtime_are_the_trainer_s() {
    if let Err(error) = library() {
        println!("SKIP eight_bits_cost_little_and_scores_through_the_runtime_are_the_trainer_s: {error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.json");
    let text = r#"{"joints":{"thorax":{"median":0.03,"outlier_gt_half_torso":0.0},"leg_left_right_swap_rate":0.0}}"#;
    std::fs::write(&path, text).unwrap();
    let (noise, clips) = (DetectorNoise::load(&path).unwrap(), clips());
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/lifter");
    let lifter = import::lifter(&models, &Device::flex()).unwrap();
    let contract = ModelContract::parse(CONTRACT, "model.yaml").unwrap();
    let validation = Validation {
        network: &lifter.network,
        image_strides: &lifter.size.image_strides,
        clips: &clips,
        noise: &noise,
        scenes_per_clip: 2,
    };
    let wide = export::streaming(&lifter.network, &lifter.size);
    let narrow = export_int8::streaming(&lifter.network, &lifter.size);
    assert!(narrow.len() * 3 < wide.len(), "{} and {} bytes", narrow.len(), wide.len());
    for hidden in [Hidden::Share(0.2), Hidden::Gap(10)] {
        let condition = Condition { layout: KeypointLayout::H36m17, hidden, speed: 1.0 };
        let trained = validation.score(|_| true, &condition);
        let score = |graph: &[u8]| runtime::score(graph, &contract, &validation, |_| true, &condition).unwrap();
        let (wide, narrow) = (score(&wide), score(&narrow));
        assert_eq!((wide.poses, narrow.poses), (trained.poses, trained.poses));
        // Mean over poses: f32 sums in another order, and stamps in whole nanoseconds.
        assert!((wide.mpjpe_mm[0] - trained.mpjpe_mm[0]).abs() < 0.1, "{wide:?} against {trained:?}");
        assert!((wide.pa_mpjpe_mm - trained.pa_mpjpe_mm).abs() < 0.1, "{wide:?} against {trained:?}");
        let change = narrow.mpjpe_mm[0] - wide.mpjpe_mm[0];
        assert!(change.abs() > 0.0 && change.abs() < 0.1 * wide.mpjpe_mm[0], "{change} of {wide:?}");
    }
    let times = runtime::median_ms(&[&wide, &narrow], &contract, 1).unwrap();
    assert!(times.iter().all(|time| *time > 0.0 && *time < 1000.0), "{times:?}");
}

#[test]
fn the_variant_has_the_lifter_s_contract_with_its_own_file() {
    let folder = tempfile::tempdir().unwrap();
    let variant = export::Variant { name: "int8", file: "streaming_int8.onnx", graph: b"bytes" };
    export::export_variant(&variant, CONTRACT, folder.path()).unwrap();
    let text = std::fs::read_to_string(folder.path().join("int8/model.yaml")).unwrap();
    let written = ModelContract::parse(&text, "int8").unwrap();
    let original = ModelContract::parse(CONTRACT, "lifter").unwrap();
    assert_eq!((written.name.as_str(), written.file.as_str()), ("int8", "streaming_int8.onnx"));
    assert_ne!(written.sha256, original.sha256);
    assert_eq!(written.origin, original.origin);
    assert!(!text.contains("discriminator"));
}
