//! The discriminator that ships with the lifter: the trainer's scores, the order of true and broken movements, and what the
//! pipeline makes of them.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/standing_person.rs"]
mod standing_person;

use std::path::Path;

use ndarray::Array2;
use serde::Deserialize;
use stridepose::adapters::engine::{self, Feed};
use stridepose::adapters::model_store::{Model, ModelStore, load_discriminator};
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork};
use stridepose::config::{Config, Provider, Value};
use stridepose::data::{Keypoint, PersonKeypoints, Stamp};
use stridepose::geometry::CameraModel;
use stridepose::model::ModelTask;
use stridepose::network::{Network, TensorView};
use stridepose::pipeline::Estimates;
use stridepose::skeleton::Joint;
use stridepose::stages::plausibility::kinematic_chain::{self, POSE_VALUES};

#[derive(Deserialize)]
struct Golden {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    windows: usize,
    poses: Vec<f32>,
    scores: Vec<f32>,
}

fn lifter() -> Model {
    ModelStore::new(&[]).unwrap().load("lifter").unwrap()
}

/// The shipped discriminator; without one the test is skipped.
fn discriminator(test: &str) -> Option<Model> {
    let discriminator = load_discriminator(&lifter()).unwrap();
    if discriminator.is_none() {
        println!("SKIP {test}: models/lifter comes without a discriminator");
    }
    discriminator
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Movements of validation persons, kind by kind. Tolerance of the scores 1e-4: two implementations in f32.
#[test]
fn scores_are_the_trainer_s_and_broken_movements_are_less_plausible_than_true_ones() {
    let Some(model) = discriminator("scores_are_the_trainer_s_and_broken_movements_are_less_plausible") else { return };
    let ModelTask::Lifter(facts) = &model.contract.task else { panic!("a lifter") };
    let facts = facts.discriminator.as_ref().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/lifter/discriminator_golden.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut network =
        OnnxNetwork::load(&model, &EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 })
            .unwrap();
    let mut medians = Vec::new();
    for group in &golden.groups {
        let (poses, _) = group.poses.as_chunks::<POSE_VALUES>();
        let features = poses.chunks_exact(facts.window_ages.len()).flat_map(kinematic_chain::window_features).collect();
        let width = kinematic_chain::feature_count(facts.window_ages.len());
        let features = Array2::from_shape_vec((group.windows, width), features).unwrap();
        let scores = network.run(&[TensorView::F32(features.view().into_dyn())]).unwrap()[0].to_owned();
        for (found, wanted) in scores.iter().zip(&group.scores) {
            assert!((found - wanted).abs() < 1e-4, "{}: {found} against {wanted}", group.name);
        }
        let plausibility =
            |score: &f32| 1.0 / (1.0 + (-facts.score_scale * (f64::from(*score) - facts.score_offset)).exp());
        medians.push((group.name.as_str(), median(scores.iter().map(plausibility).collect())));
    }
    let of = |name: &str| medians.iter().find(|(group, _)| *group == name).unwrap().1;
    assert!((0.5..=1.0).contains(&of("true")), "{medians:?}");
    // Frozen legs are not told, as the model's README says.
    for broken in ["flipped joints", "flickering joints", "swapped sides", "wrong length", "jitter", "other person"] {
        assert!(of(broken) < of("true") && of(broken) < of("answered"), "{broken}: {medians:?}");
    }
}

/// Keypoints of a standing person who sways.
fn swaying(image: usize) -> Vec<PersonKeypoints> {
    let keypoints = Joint::ALL.map(|joint| {
        let (x, y) = standing_person::standing(joint)?;
        let sway = (image as f32 * 0.1).sin() * (410.0 - y) * 0.02;
        Some(Keypoint { x: 320.0 + x + sway, y, score: 0.9, spread: None })
    });
    vec![PersonKeypoints { keypoints, score: 0.9 }]
}

#[test]
fn every_person_gets_a_plausibility_once_the_movement_is_long_enough() {
    let test = "every_person_gets_a_plausibility_once_the_movement_is_long_enough";
    let Some(model) = discriminator(test) else { return };
    let ModelTask::Lifter(facts) = &model.contract.task else { panic!("a lifter") };
    let oldest = *facts.discriminator.as_ref().unwrap().window_ages.last().unwrap();
    let mut config = Config::default();
    let store = ModelStore::new(&[]).unwrap();
    let mut pipeline = engine::build(&config, &store, Feed::Keypoints).unwrap().pipeline;
    let camera = CameraModel::pinhole(640, 480, 500.0);
    let process = |image: usize, pipeline: &mut stridepose::pipeline::Pipeline| -> Estimates {
        let stamp = Stamp::from_nanoseconds(1_700_000_000_000_000_000 + image as i64 * 33_333_333);
        pipeline.process_keypoints(stamp, &swaying(image), &camera, &mut ()).unwrap()
    };
    let mut first = None;
    for image in 0..60 {
        let estimates = process(image, &mut pipeline);
        let Some(person) = estimates.now.people.first() else { continue };
        let first = *first.get_or_insert(image);
        // A person is published from its second image on, and lifted from then on.
        assert_eq!(person.plausibility.is_some(), image >= first + oldest, "image {image}, first {first}");
        assert!(person.plausibility.is_none_or(|value| (0.0..=1.0).contains(&value)));
        if image > 50 {
            assert_eq!(estimates.earlier.len(), 1);
            assert!(estimates.earlier[0].people[0].plausibility.is_some_and(|value| (0.0..=1.0).contains(&value)));
        }
    }
    assert!(first.is_some_and(|first| first < 5), "{first:?}");
    config.set("lifter.plausibility", &Value::Bool(false)).unwrap();
    pipeline.set_config(&config);
    assert_eq!(process(60, &mut pipeline).now.people[0].plausibility, None);
    config.set("lifter.plausibility", &Value::Bool(true)).unwrap();
    pipeline.set_config(&config);
    assert!(process(61, &mut pipeline).now.people[0].plausibility.is_some(), "the movement was not forgotten");
}
