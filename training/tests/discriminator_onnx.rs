//! The exported discriminator through ONNX Runtime against the trainer's forward pass.
//!
//! Tolerance 1e-4: both work in f32, in another order of summation, on scores of size 1.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use burn::prelude::*;
use ndarray::Array2;
use serde::Deserialize;
use stridepose::adapters::model_store::Model;
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork, library};
use stridepose::config::Provider;
use stridepose::model::ModelContract;
use stridepose::network::{Network, TensorView};
use stridepose::stages::plausibility::kinematic_chain::{self, POSE_VALUES};
use stridepose_train::discriminator::{Discriminator, DiscriminatorKind};
use stridepose_train::export_discriminator::{self, GoldenGroup};
use stridepose_train::judge::Logistic;

/// Any contract that leaves the graph alone.
const CONTRACT: &str = include_str!("../../models/lifter/model.yaml");

#[derive(Deserialize)]
struct Golden {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    windows: usize,
    poses: Vec<f32>,
    scores: Vec<f32>,
}

#[test]
fn the_exported_discriminator_answers_as_the_trainer_s() {
    if let Err(error) = library() {
        println!("SKIP the_exported_discriminator_answers_as_the_trainer_s: {error}");
        return;
    }
    for kind in [DiscriminatorKind::Spatial, DiscriminatorKind::SpatioTemporal] {
        let folder = tempfile::tempdir().unwrap();
        let network = Discriminator::new(kind, &Device::flex());
        let width = kind.poses() * POSE_VALUES;
        let windows: Vec<f32> = (0..7 * width).map(|index| 0.4 * (index as f32 * 0.37).sin()).collect();
        let groups = [GoldenGroup { name: "any".to_owned(), poses: windows }];
        let logistic = Logistic { scale: 5.0, offset: 0.5 };
        export_discriminator::export(&network, kind, logistic, &groups, "a test", folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("discriminator_golden.json")).unwrap();
        let mut golden: Golden = serde_json::from_str(&text).unwrap();
        let golden = golden.groups.remove(0);
        assert_eq!((golden.windows, golden.scores.len()), (7, 7));

        let model = Model {
            contract: ModelContract::parse(CONTRACT, "model.yaml").unwrap(),
            contract_path: PathBuf::new(),
            weights_path: folder.path().join("discriminator.onnx"),
            weights: std::fs::read(folder.path().join("discriminator.onnx")).unwrap(),
            sha256: String::new(),
        };
        let mut graph =
            OnnxNetwork::load(&model, &EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 })
                .unwrap();
        let (poses, _) = golden.poses.as_chunks::<POSE_VALUES>();
        let features = poses.chunks_exact(kind.poses()).flat_map(kinematic_chain::window_features).collect();
        let features = Array2::from_shape_vec((7, kinematic_chain::feature_count(kind.poses())), features).unwrap();
        let scores = graph.run(&[TensorView::F32(features.view().into_dyn())]).unwrap();
        for (a, b) in scores[0].iter().zip(&golden.scores) {
            assert!((a - b).abs() < 1e-4, "{kind:?}: the graph says {a}, the trainer {b}");
        }
        let spread = golden.scores.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b))
            - golden.scores.iter().fold(f32::INFINITY, |a, b| a.min(*b));
        assert!(spread > 1e-3, "scores that are all alike would prove nothing");
    }
}
