//! Who is who on real pictures, with both keypoint networks. The expectations were read off the pictures by eye.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use image::RgbImage;
use stridepose::adapters::bag::{Bag, BagError, ImageSource, TopicRequest};
use stridepose::adapters::model_store::ModelStore;
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork};
use stridepose::config::{Config, Provider};
use stridepose::model::ModelTask;
use stridepose::pipeline::track_settings;
use stridepose::stages::detect::DetectSettings;
use stridepose::stages::image::decode_into;
use stridepose::stages::people::{DetectorStage, KeypointStage};
use stridepose::stages::track::{TrackedPerson, Tracker};

const KEYPOINT_NETWORKS: [&str; 2] = ["blazepose_full", "movenet_lightning"];

/// Everybody in each image of a bag, with the parameters' defaults.
fn track(shared: &Path, bag: &str, keypoint_network: &str) -> Vec<Vec<TrackedPerson>> {
    let store = ModelStore::new(&[shared.join("models")]).unwrap();
    let settings = EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 };
    let load = |name: &str| {
        let model = store.load(name).unwrap();
        let network = OnnxNetwork::load(&model, &settings).unwrap();
        (model.contract.task, Box::new(network))
    };
    let (ModelTask::Detector(contract), network) = load("yolox_nano") else { panic!("a detector") };
    let mut detector = DetectorStage::new(contract, network);
    let (ModelTask::Keypoints(contract), network) = load(keypoint_network) else { panic!("a keypoint network") };
    let mut keypoints = KeypointStage::new(contract, network);
    let config = Config::default();
    let detect = DetectSettings {
        score_threshold: config.detector.score_threshold as f32,
        nms_iou: config.detector.nms_iou as f32,
        max_people: config.detector.max_people as usize,
    };
    let mut tracker = Tracker::new(track_settings(&config));
    let mut bag = Bag::open(&shared.join("bags").join(bag)).unwrap();
    let source = ImageSource::new(&bag, TopicRequest { source: None, camera_info: None }).unwrap();
    let (mut rgb, mut images) = (RgbImage::new(0, 0), Vec::new());
    source
        .read::<BagError>(&mut bag, &mut |image| {
            let image = image.unwrap();
            decode_into(&image.image, &mut rgb).unwrap();
            tracker.begin(image.stamp);
            for turn in tracker.detector_runs() {
                tracker.add_detections(&detector.detect_turned(&rgb, turn, &detect).unwrap(), turn);
            }
            let searches: Vec<_> = tracker.searches().collect();
            tracker.update(&keypoints.find(&rgb, &searches).unwrap(), Some((&rgb).into()));
            let mut people = Vec::new();
            tracker.write_people(&mut people);
            images.push(people);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    images
}

/// On how many images each identity was seen, of those people that `wanted` picks.
fn sightings(images: &[Vec<TrackedPerson>], wanted: impl Fn(usize, f32, f32) -> bool) -> BTreeMap<u32, usize> {
    let mut sightings = BTreeMap::new();
    for (index, people) in images.iter().enumerate() {
        for person in people.iter().filter(|person| person.is_seen) {
            let (x, y) = person.bbox_in_image_px.center();
            if wanted(index, x, y) {
                *sightings.entry(person.id.0).or_default() += 1;
            }
        }
    }
    sightings
}

#[test]
fn the_gymnast_is_one_person() {
    let Some(shared) = common::shared("the_gymnast_is_one_person") else { return };
    for network in KEYPOINT_NETWORKS {
        let sightings = sightings(&track(&shared, "balance", network), |_, _, _| true);
        assert_eq!(sightings.len(), 1, "{network}: {sightings:?}");
        assert!(sightings[&1] >= 97, "{network}: {sightings:?}");
    }
}

#[test]
fn two_people_who_overlap_keep_their_identities() {
    let Some(shared) = common::shared("two_people_who_overlap_keep_their_identities") else { return };
    for network in KEYPOINT_NETWORKS {
        let images = track(&shared, "pair", network);
        // A third one stands at the left edge, far behind.
        let sightings = sightings(&images, |_, x, _| x > 100.0);
        assert_eq!(sightings.len(), 2, "{network}: {sightings:?}");
        assert!(sightings.values().all(|&count| count >= 90), "{network}: {sightings:?}");
        // The woman stands nearer, and so lower in the image, all the time.
        for (index, people) in images.iter().enumerate() {
            let seen = |id| people.iter().find(|person| person.id.0 == id && person.is_seen);
            if let (Some(woman), Some(man)) = (seen(1), seen(2)) {
                let (woman, man) = (woman.bbox_in_image_px.center().1, man.bbox_in_image_px.center().1);
                assert!(woman > man + 50.0, "{network}: image {index}: woman at row {woman}, man at row {man}");
            }
        }
    }
}

#[test]
fn the_walking_woman_is_one_person() {
    let Some(shared) = common::shared("the_walking_woman_is_one_person") else { return };
    for network in KEYPOINT_NETWORKS {
        // Up to image 180 she is the only one on the lawn; the athlete on the wall is higher in the image.
        let sightings = sightings(&track(&shared, "walk", network), |index, _, y| index <= 180 && y > 300.0);
        assert_eq!(sightings.len(), 1, "{network}: {sightings:?}");
        assert!(sightings.values().all(|&count| count >= 120), "{network}: {sightings:?}");
    }
}

#[test]
fn nobody_is_seen_where_nobody_is() {
    let Some(shared) = common::shared("nobody_is_seen_where_nobody_is") else { return };
    for network in KEYPOINT_NETWORKS {
        assert!(track(&shared, "robot_camera_no_people", network).iter().all(Vec::is_empty), "{network}");
    }
}
