//! The second answer: every image that the lifter sees is told of once more, with everybody in it, whatever the camera's rate.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "common/standing_person.rs"]
mod standing_person;

use std::collections::BTreeMap;

use stridepose::adapters::engine::{self, Feed};
use stridepose::adapters::model_store::ModelStore;
use stridepose::config::{Config, Value};
use stridepose::data::{Keypoint, PersonKeypoints, Stamp};
use stridepose::geometry::CameraModel;
use stridepose::pipeline::Pipeline;
use stridepose::skeleton::Joint;

fn pipeline(smoothing_secs: f64) -> Pipeline {
    let mut config = Config::default();
    config.set("output.refined", &Value::Bool(true)).unwrap();
    config.set("refine.lookahead_smoothing_secs", &Value::Float(smoothing_secs)).unwrap();
    engine::build(&config, &ModelStore::new(&[]).unwrap(), Feed::Keypoints).unwrap().pipeline
}

/// Somebody who stands at `middle` and sways, with keypoints that tremble from image to image.
fn person(middle: f32, secs: f64, image: usize) -> PersonKeypoints {
    let keypoints = Joint::ALL.map(|joint| {
        let (x, y) = standing_person::standing(joint)?;
        let sway = (3.0 * secs as f32).sin() * (410.0 - y) * 0.02;
        let tremble = |of: usize| ((image * 37 + joint.index() * 11 + of * 5) % 7) as f32 - 3.0;
        Some(Keypoint { x: middle + x + sway + tremble(0), y: y + tremble(1), score: 0.9, spread: None })
    });
    PersonKeypoints { keypoints, score: 0.9 }
}

/// Stamps of images, s: `interval(image)` after the one before.
fn times(count: usize, interval: impl Fn(usize) -> f64) -> Vec<f64> {
    (0..count)
        .scan(1_700_000_000.0, |time, image| {
            *time += interval(image);
            Some(*time)
        })
        .collect()
}

#[test]
fn every_sampled_image_is_told_of_once_more_with_everybody_in_it() {
    let camera = CameraModel::pinhole(640, 480, 500.0);
    let every_other = |image: usize| if image.is_multiple_of(2) { 2.0 } else { 1.0 };
    // Rate, and which share of the images are samples of the lifter at least.
    let rates: [(&str, Vec<f64>, f64); 5] = [
        ("30 Hz", times(90, |_| 1.0 / 30.0), 1.0),
        ("60 Hz", times(180, |_| 1.0 / 60.0), 0.5),
        ("30 Hz with images left out", times(90, |image| every_other(image) / 30.0), 1.0),
        ("20 Hz that jitters", times(90, |image| 0.05 + 0.006 * (2.3 * image as f64).sin()), 1.0),
        ("with a pause", times(90, |image| if image == 50 { 0.7 } else { 1.0 / 30.0 }), 1.0),
    ];
    for (name, times, share) in rates {
        let mut pipeline = pipeline(0.06);
        let mut told: BTreeMap<Stamp, usize> = BTreeMap::new();
        let mut both = 0;
        for (image, secs) in times.iter().enumerate() {
            // The second person comes on an odd image.
            let mut people = vec![person(200.0, *secs, image)];
            if image >= 21 {
                people.push(person(440.0, secs + 1.0, image));
            }
            let stamp = Stamp::from_nanoseconds((secs * 1e9) as i64);
            let estimates = pipeline.process_keypoints(stamp, &people, &camera, &mut ()).unwrap();
            for earlier in estimates.earlier {
                assert!(stamp.seconds_since(earlier.stamp) > 0.3, "{name}");
                assert!(
                    told.last_key_value().is_none_or(|(last, _)| *last < earlier.stamp),
                    "{name}: in order, each once"
                );
                told.insert(earlier.stamp, earlier.people.len());
                both += usize::from(earlier.people.len() == 2);
            }
        }
        let until = times.last().unwrap() - 0.45;
        let wanted =
            times.iter().enumerate().filter(|(image, secs)| *image >= 4 && **secs < until).count() as f64 * share;
        assert!(told.len() as f64 >= wanted - 2.0, "{name}: {} images of {wanted}", told.len());
        // From when the second one is known, both are told of in every image.
        let alone = told.values().filter(|people| **people == 1).count();
        assert!(alone as f64 <= 25.0 * share.max(0.6), "{name}: {alone} with one, {both} with both");
        assert!(told.values().rev().take(10).all(|people| *people == 2), "{name}: {told:?}");
    }
}

#[test]
fn smoothing_calms_what_is_told_later_and_nothing_else() {
    let camera = CameraModel::pinhole(640, 480, 500.0);
    let run = |smoothing_secs: f64| {
        let mut pipeline = pipeline(smoothing_secs);
        let (mut now, mut later) = (Vec::new(), Vec::new());
        for (image, secs) in times(120, |_| 1.0 / 30.0).into_iter().enumerate() {
            let people = [person(320.0, secs, image)];
            let stamp = Stamp::from_nanoseconds((secs * 1e9) as i64);
            let estimates = pipeline.process_keypoints(stamp, &people, &camera, &mut ()).unwrap();
            now.push(estimates.now);
            later.extend(
                estimates
                    .earlier
                    .into_iter()
                    .map(|earlier| earlier.people[0].joints[Joint::LWrist.index()].position_in_camera),
            );
        }
        let acceleration = |at: usize| (later[at + 1] - later[at]) - (later[at] - later[at - 1]);
        let tremble = (10..later.len() - 1).map(|at| acceleration(at).norm()).sum::<f64>();
        (now, tremble)
    };
    let ((now, calm), (now_as_it_is, as_it_is)) = (run(0.06), run(0.0));
    assert_eq!(now, now_as_it_is);
    assert!(calm < 0.3 * as_it_is, "{calm} against {as_it_is}");
}
