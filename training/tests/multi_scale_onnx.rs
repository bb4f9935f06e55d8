//! The exported 2D networks through ONNX Runtime against the trainer's forward pass, two and three pictures at once.
//!
//! Tolerance 1e-4 of values of size 1: both work in f32, in another order of summation, with the same weights.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use burn::module::{ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::Distribution;
use ndarray::Array4;
use stridepose::adapters::model_store::Model;
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork, library};
use stridepose::config::Provider;
use stridepose::model::ModelContract;
use stridepose::network::{Network, TensorView};
use stridepose_train::multi_scale::{MultiScaleNetwork, MultiScaleSize};
use stridepose_train::{export_model, export_multi_scale, keypoint_task, person_task};

/// Small enough for a test, with everything that the shipped ones have.
fn size(outputs: usize) -> MultiScaleSize {
    MultiScaleSize {
        width_px: 64,
        height_px: 96,
        stem: 8,
        channels: vec![8, 16, 24, 32],
        modules: vec![2, 3, 4, 4],
        blocks: vec![1, 2, 1, 1],
        head: 16,
        outputs,
    }
}

/// A network of which no weight is zero.
fn network(size: &MultiScaleSize) -> MultiScaleNetwork {
    struct Disturb;
    impl ModuleMapper for Disturb {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| {
                let noise = Tensor::random(tensor.dims(), Distribution::Normal(0.0, 0.05), &tensor.device());
                tensor + noise
            })
        }
    }
    export_multi_scale::rounded(&MultiScaleNetwork::new(size, &Device::flex()).map(&mut Disturb))
}

fn pictures(size: &MultiScaleSize, count: usize) -> Vec<f32> {
    (0..count * 3 * size.width_px * size.height_px).map(|index| 1.5 * (index as f32 * 0.0371).sin()).collect()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn forward(network: &MultiScaleNetwork, size: &MultiScaleSize, count: usize) -> stridepose_train::multi_scale::Answers {
    let input = Tensor::<1>::from_data(TensorData::from(pictures(size, count).as_slice()), &Device::flex());
    network.forward(input.reshape([count, 3, size.height_px, size.width_px]))
}

fn compare(folder: &Path, size: &MultiScaleSize, count: usize, expected: &[Vec<f32>]) {
    let text = std::fs::read_to_string(folder.join("model.yaml")).unwrap();
    let contract = ModelContract::parse(&text, "model.yaml").unwrap();
    let weights_path = folder.join(&contract.file);
    let model = Model {
        contract_path: folder.join("model.yaml"),
        weights: std::fs::read(&weights_path).unwrap(),
        weights_path,
        sha256: contract.sha256.clone().unwrap(),
        contract,
    };
    let mut graph =
        OnnxNetwork::load(&model, &EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 })
            .unwrap();
    let input = Array4::from_shape_vec((count, 3, size.height_px, size.width_px), pictures(size, count)).unwrap();
    let outputs = graph.run(&[TensorView::F32(input.view().into_dyn())]).unwrap();
    assert_eq!(outputs.len(), expected.len());
    for (output, expected) in outputs.iter().zip(expected) {
        assert_eq!(output.len(), expected.len());
        for (a, b) in output.iter().zip(expected) {
            assert!((a - b).abs() < 1e-4 * b.abs().max(1.0), "the graph says {a}, the trainer {b}");
        }
        let spread = expected.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b))
            - expected.iter().fold(f32::INFINITY, |a, b| a.min(*b));
        assert!(spread > 1e-3, "values that are all alike would prove nothing");
    }
}

#[test]
fn the_exported_keypoint_network_answers_as_the_trainer_s() {
    if let Err(error) = library() {
        println!("SKIP the_exported_keypoint_network_answers_as_the_trainer_s: {error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (size, confidence) = (size(17), std::array::from_fn(|knot| knot as f32 / 10.0));
    let network = network(&size);
    export_model::keypoints(folder.path(), &network, &size, &confidence, "a \"test\": #1").unwrap();
    for count in [1, 3] {
        let maps = keypoint_task::maps(forward(&network, &size, count), size.target_sigma());
        compare(folder.path(), &size, count, &[values(maps)]);
    }
}

#[test]
fn the_exported_detector_answers_as_the_trainer_s() {
    if let Err(error) = library() {
        println!("SKIP the_exported_detector_answers_as_the_trainer_s: {error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let size = size(person_task::PERSON_MAPS);
    let network = network(&size);
    export_model::person(folder.path(), &network, &size, "a test").unwrap();
    for count in [1, 2] {
        let outputs = person_task::read_out(&forward(&network, &size, count)).map(values);
        compare(folder.path(), &size, count, &outputs);
    }
}
