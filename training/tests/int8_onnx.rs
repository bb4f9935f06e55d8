//! The lifter in 8 bits through ONNX Runtime: near the answers of 32 bits, and whole-sequence scoring through the pipeline's
//! own stage agrees with the trainer's.
#![allow(clippy::unwrap_used)]

use burn::prelude::*;
use nalgebra::Vector3;
use ndarray::Array2;
use stridepose::adapters::model_store::{ModelStore, load_discriminator};
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork, library};
use stridepose::config::Provider;
use stridepose::model::ModelContract;
use stridepose::network::{Network, TensorView};
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
    let validation =
        Validation { network: &lifter.network, size: &lifter.size, clips: &clips, noise: &noise, scenes_per_clip: 2 };
    let wide = export::streaming(&lifter.network, &lifter.size);
    let narrow = export_int8::streaming(&lifter.network, &lifter.size);
    assert!(narrow.len() * 3 < wide.len(), "{} and {} bytes", narrow.len(), wide.len());
    for hidden in [Hidden::Share(0.2), Hidden::Gap(10)] {
        let condition = Condition::hiding(hidden);
        let trained = validation.score(|_| true, &condition).unwrap();
        let score =
            |graph: &[u8]| runtime::score(graph, &contract, &validation, |_| true, &condition).unwrap().unwrap();
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
fn one_person_s_answer_in_8_bits_does_not_depend_on_the_others() {
    if let Err(error) = library() {
        println!("SKIP one_person_s_answer_in_8_bits_does_not_depend_on_the_others: {error}");
        return;
    }
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/lifter");
    let lifter = import::lifter(&models, &Device::flex()).unwrap();
    let narrow = export_int8::streaming(&lifter.network, &lifter.size);
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("small");
    export_int8::write(&narrow, CONTRACT, &models, &output).unwrap();
    let model = ModelStore::new(&[folder.path().to_owned()]).unwrap().load("small").unwrap();
    let settings = EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 };
    let mut network = OnnxNetwork::load(&model, &settings).unwrap();
    let widths: Vec<usize> = network.inputs().iter().map(|input| input.shape[1].unwrap()).collect();
    let mut answers = |people: &[usize]| {
        let inputs: Vec<Array2<f32>> = widths
            .iter()
            .map(|width| {
                Array2::from_shape_fn((people.len(), *width), |(row, column)| {
                    let person = people[row] as f32;
                    (person * 5.0 + column as f32 * 0.37).sin() * (1.0 + 20.0 * person)
                })
            })
            .collect();
        let views: Vec<_> = inputs.iter().map(|input| TensorView::F32(input.view().into_dyn())).collect();
        network.run(&views).unwrap()[0].rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>()
    };
    let (alone, with_another) = (answers(&[0]), answers(&[0, 3, 2]));
    let apart = alone[0].iter().zip(&with_another[0]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-4, "{apart}");
    assert!(with_another[0] != with_another[1]);
}

#[test]
fn the_folder_has_the_lifter_s_contract_with_its_own_file_and_the_same_discriminator() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("small");
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/lifter");
    export_int8::write(b"bytes", CONTRACT, &models, &output).unwrap();
    let model = ModelStore::new(&[folder.path().to_owned()]).unwrap().load("small").unwrap();
    let original = ModelContract::parse(CONTRACT, "lifter").unwrap();
    assert_eq!((model.contract.name.as_str(), model.weights.as_slice()), ("small", &b"bytes"[..]));
    assert_eq!((&model.contract.origin, &model.contract.task), (&original.origin, &original.task));
    assert!(load_discriminator(&model).unwrap().is_some());
}
