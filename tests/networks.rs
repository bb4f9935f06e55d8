//! Real networks through ONNX Runtime: providers, contracts, and the lifter's equalities.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;

use ndarray::Array2;
use serde::Deserialize;
use stridepose::adapters::model_store::ModelStore;
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork, graph_tensors};
use stridepose::config::Provider;
use stridepose::model::{ModelContract, ModelTask, PictureSize, judge_styles};
use stridepose::network::{Network, TensorView};
use stridepose::skeleton::JOINT_COUNT;
use stridepose::stages::lift::LifterFacts;
use stridepose::stages::window::FEATURE_COUNT;

const CPU: EngineSettings = EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 };

#[test]
fn foreign_networks_fit_their_contracts() {
    let Some(shared) = common::shared("foreign_networks_fit_their_contracts") else { return };
    let store = ModelStore::new(&[shared.join("models")]).unwrap();
    for name in ["yolox_nano", "blazepose_full", "movenet_lightning"] {
        let network = OnnxNetwork::load(&store.load(name).unwrap(), &CPU).unwrap();
        assert_eq!(network.provider(), "cpu", "{name}");
        assert_eq!(network.inputs().len(), 1, "{name}");
    }
}

/// The drafts for three networks of others ask for the tensors that their own contracts ask for.
#[test]
fn foreign_networks_fit_the_styles_of_their_contracts() {
    let Some(shared) = common::shared("foreign_networks_fit_the_styles_of_their_contracts") else { return };
    let store = ModelStore::new(&[shared.join("models")]).unwrap();
    for (name, style) in [("yolox_nano", "yolox"), ("blazepose_full", "blazepose"), ("movenet_lightning", "movenet")] {
        let model = store.load(name).unwrap();
        let (inputs, outputs) = graph_tensors(&model.weights_path, &model.weights).unwrap();
        let fits: Vec<_> = judge_styles(&inputs, &outputs)
            .into_iter()
            .filter_map(|fit| Some((fit.style, fit.outcome.ok()?)))
            .collect();
        assert_eq!(fits.iter().map(|(style, _)| *style).collect::<Vec<_>>(), [style], "{name}");
        let yaml = fits[0].1.to_yaml(name, &model.contract.file, Some(&model.sha256));
        let draft = ModelContract::parse(&yaml, name).unwrap();
        assert_eq!(draft.tensor_specs(), model.contract.tensor_specs(), "{name}");
        let input = |contract: &ModelContract| match &contract.task {
            ModelTask::Detector(detector) => detector.input.clone(),
            ModelTask::Keypoints(keypoints) => keypoints.input.clone(),
            ModelTask::Lifter(_) => panic!("{name} takes no picture"),
        };
        assert_eq!(input(&draft), input(&model.contract), "the preprocessing too");
    }
}

#[test]
fn a_contract_that_contradicts_the_graph_prints_both_sides() {
    let Some(shared) = common::shared("a_contract_that_contradicts_the_graph_prints_both_sides") else { return };
    let store = ModelStore::new(&[shared.join("models")]).unwrap();
    let mut model = store.load("yolox_nano").unwrap();
    let ModelTask::Detector(detector) = &mut model.contract.task else { panic!("a detector") };
    detector.input.size = PictureSize::square(640);
    let Err(error) = OnnxNetwork::load(&model, &CPU) else { panic!("a 640 px contract fitted a 416 px graph") };
    let error = error.to_string();
    assert!(error.contains("640") && error.contains("416"), "{error}");
}

#[test]
fn a_file_that_is_no_graph_is_refused() {
    let store = ModelStore::new(&[]).unwrap();
    let mut model = store.load("lifter").unwrap();
    model.weights = b"not a graph".to_vec();
    assert!(OnnxNetwork::load(&model, &CPU).is_err());
}

#[test]
fn a_provider_that_does_not_work_is_named() {
    let store = ModelStore::new(&[]).unwrap();
    let settings = EngineSettings { provider: Provider::Cuda, ..CPU };
    match OnnxNetwork::load(&store.load("lifter").unwrap(), &settings) {
        Ok(network) => assert!(network.provider().contains("cuda"), "took {}", network.provider()),
        Err(error) => assert!(error.to_string().contains("cuda"), "{error}"),
    }
}

#[derive(Deserialize)]
struct Golden {
    samples: usize,
    features: Vec<f32>,
    answers: Vec<f32>,
}

fn golden() -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/lifter/golden.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The trainer's forward pass, the whole-sequence graph and the streaming graph are three implementations; what
/// they answer must be the same to 1e-4 (m, ln m).
#[test]
fn streaming_whole_sequence_and_trainer_agree() {
    let golden = golden();
    let store = ModelStore::new(&[]).unwrap();
    let mut model = store.load("lifter").unwrap();
    let ModelTask::Lifter(facts) = model.contract.task.clone() else { panic!("a lifter") };
    let mut streaming = OnnxNetwork::load(&model, &CPU).unwrap();
    model.weights_path = model.weights_path.with_file_name("sequence.onnx");
    model.weights = std::fs::read(&model.weights_path).unwrap();
    let mut sequence = OnnxNetwork::load(&model, &CPU).unwrap();

    let features = Array2::from_shape_vec((golden.samples, FEATURE_COUNT), golden.features).unwrap();
    let whole = sequence.run(&[TensorView::F32(features.view().into_dyn())]).unwrap();
    let apart = farthest(whole[0].as_slice().unwrap(), &golden.answers);
    assert!(apart < 1e-4, "whole sequence and trainer are {apart} apart");

    let answers = streamed(&mut streaming, &facts, &features);
    let apart = farthest(&answers, &golden.answers);
    assert!(apart < 1e-4, "streaming and trainer are {apart} apart");
}

/// The lifter in 8 bits that is shipped is the same lifter: joints within millimetres of those of 32 bits.
#[test]
fn eight_bits_say_nearly_the_same() {
    let golden = golden();
    let model = ModelStore::new(&[]).unwrap().load("lifter_int8").unwrap();
    let ModelTask::Lifter(facts) = model.contract.task.clone() else { panic!("a lifter") };
    let mut network = OnnxNetwork::load(&model, &CPU).unwrap();
    let features = Array2::from_shape_vec((golden.samples, FEATURE_COUNT), golden.features).unwrap();
    let answers = streamed(&mut network, &facts, &features);
    let width = golden.answers.len() / golden.samples;
    let mut apart_m = Vec::new();
    for (narrow, wide) in answers.chunks_exact(width).zip(golden.answers.chunks_exact(width)) {
        // The joints of the answer that is given at once.
        for (narrow, wide) in narrow.chunks_exact(3).zip(wide.chunks_exact(3)).take(JOINT_COUNT) {
            apart_m.push(narrow.iter().zip(wide).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt());
        }
    }
    let mean = apart_m.iter().sum::<f32>() / apart_m.len() as f32;
    assert!(mean > 0.0 && mean < 0.01, "{mean} m");
}

/// What a streaming lifter answers to each row of `features`.
fn streamed(network: &mut OnnxNetwork, facts: &LifterFacts, features: &Array2<f32>) -> Vec<f32> {
    // Channels of each row that is kept, and how long ago it is read again.
    let mut kept: Vec<(usize, Vec<usize>)> = Vec::new();
    for stride in &facts.image_strides {
        kept.extend(facts.dilations.iter().map(|d| (facts.branch_channels, vec![2 * d * stride, d * stride])));
    }
    kept.extend(facts.recall.iter().map(|recall| (recall.channels, recall.ages.clone())));
    let oldest = kept.iter().map(|(_, ages)| ages[0]).max().unwrap();
    assert!(features.nrows() > oldest, "the golden must reach the oldest row");
    let mut history: Vec<Vec<f32>> = Vec::new();
    let mut answers = Vec::new();
    for time in 0..features.nrows() {
        let mut past = Vec::new();
        let mut start = 0;
        for (channels, ages) in &kept {
            for ago in ages {
                match time.checked_sub(*ago) {
                    Some(then) => past.extend_from_slice(&history[then][start..start + channels]),
                    None => past.resize(past.len() + channels, 0.0),
                }
            }
            start += channels;
        }
        let past = Array2::from_shape_vec((1, past.len()), past).unwrap();
        let row = features.slice(ndarray::s![time..=time, ..]).to_owned();
        let outputs =
            network.run(&[TensorView::F32(row.view().into_dyn()), TensorView::F32(past.view().into_dyn())]).unwrap();
        answers.extend_from_slice(outputs[0].as_slice().unwrap());
        history.push(outputs[1].as_slice().unwrap().to_vec());
    }
    answers
}
