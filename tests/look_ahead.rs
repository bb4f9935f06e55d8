//! The second answer: every image that the lifter sees is told of once more, with everybody in it, whatever the camera's rate.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "common/standing_person.rs"]
mod standing_person;

use std::collections::BTreeMap;

use stridepose::adapters::engine::{self, Feed};
use stridepose::adapters::model_store::ModelStore;
use stridepose::config::{Config, Value};
use stridepose::data::{Keypoint, PersonEstimate, PersonKeypoints, PoseEstimate, Stamp, TrackId};
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
fn every_image_is_told_of_once_more_with_everybody_in_it() {
    let camera = CameraModel::pinhole(640, 480, 500.0);
    let every_other = |image: usize| if image.is_multiple_of(2) { 2.0 } else { 1.0 };
    let rates: [(&str, Vec<f64>); 6] = [
        ("30 Hz", times(90, |_| 1.0 / 30.0)),
        ("60 Hz", times(180, |_| 1.0 / 60.0)),
        ("100 Hz that jitters", times(300, |image| 0.01 + 0.003 * (2.3 * image as f64).sin())),
        ("30 Hz with images left out", times(90, |image| every_other(image) / 30.0)),
        ("20 Hz that jitters", times(90, |image| 0.05 + 0.006 * (2.3 * image as f64).sin())),
        ("with a pause", times(90, |image| if image == 50 { 0.7 } else { 1.0 / 30.0 })),
    ];
    for (name, times) in rates {
        let mut pipeline = pipeline(0.06);
        let mut told: BTreeMap<Stamp, Vec<TrackId>> = BTreeMap::new();
        let mut said: BTreeMap<Stamp, Vec<TrackId>> = BTreeMap::new();
        let ids = |estimate: &PoseEstimate| estimate.people.iter().map(|person| person.track_id).collect();
        let mut tell = |earlier: &PoseEstimate| {
            let is_next = told.last_key_value().is_none_or(|(last, _)| *last < earlier.stamp);
            assert!(is_next, "{name}: in order, each once");
            told.insert(earlier.stamp, ids(earlier));
        };
        for (image, secs) in times.iter().enumerate() {
            // The second person comes on an odd image.
            let mut people = vec![person(200.0, *secs, image)];
            if image >= 21 {
                people.push(person(440.0, secs + 1.0, image));
            }
            let stamp = Stamp::from_nanoseconds((secs * 1e9) as i64);
            let estimates = pipeline.process_keypoints(stamp, &people, &camera, &mut ()).unwrap();
            said.insert(stamp, ids(&estimates.now));
            for earlier in estimates.earlier {
                assert!(stamp.seconds_since(earlier.stamp) > 0.3, "{name}");
                tell(&earlier);
            }
        }
        let last = pipeline.finish(&camera).unwrap();
        assert!(last.len() >= 6, "{name}: {} images at the end", last.len());
        last.iter().for_each(tell);
        said.retain(|_, people| !people.is_empty());
        assert!(said.len() > 80 && said.values().any(|people| people.len() == 2));
        assert_eq!(told, said, "{name}");
        assert!(pipeline.finish(&camera).unwrap().is_empty(), "{name}: everybody is forgotten");
    }
}

#[test]
fn between_two_samples_the_second_answer_lies_between_theirs() {
    let camera = CameraModel::pinhole(640, 480, 500.0);
    let mut pipeline = pipeline(0.0);
    let mut wrist = Vec::new();
    for (image, secs) in times(240, |_| 1.0 / 60.0).into_iter().enumerate() {
        let stamp = Stamp::from_nanoseconds((secs * 1e9) as i64);
        // Nothing trembles.
        let people = [person(320.0, secs, 0)];
        let estimates = pipeline.process_keypoints(stamp, &people, &camera, &mut ()).unwrap();
        assert!(image < 60 || [0, 2].contains(&estimates.earlier.len()), "image {image}: {estimates:?}");
        let from_root = |person: &PersonEstimate, joint: Joint| {
            person.joints[joint.index()].position_in_camera - person.joints[Joint::Pelvis.index()].position_in_camera
        };
        wrist.extend(estimates.earlier.iter().map(|earlier| from_root(&earlier.people[0], Joint::LWrist)));
    }
    for around in wrist[20..].windows(3) {
        let [before, at, after] = [around[0], around[1], around[2]];
        let off = (at - (before + after) / 2.0).norm();
        assert!(off < 0.005, "{off} m beside the middle of {before} and {after}");
    }
}

#[test]
fn what_is_said_at_the_end_is_near_what_would_have_been_said_later() {
    let camera = CameraModel::pinhole(640, 480, 500.0);
    let run = |images: usize| {
        let mut pipeline = pipeline(0.06);
        let mut told = Vec::new();
        for (image, secs) in times(images, |_| 1.0 / 30.0).into_iter().enumerate() {
            let stamp = Stamp::from_nanoseconds((secs * 1e9) as i64);
            let people = [person(320.0, secs, image)];
            told.extend(pipeline.process_keypoints(stamp, &people, &camera, &mut ()).unwrap().earlier);
        }
        told.extend(pipeline.finish(&camera).unwrap());
        told
    };
    let (cut, whole) = (run(90), run(120));
    for (at, later) in cut.iter().zip(&whole) {
        assert_eq!(at.stamp, later.stamp);
        for (at, later) in at.people[0].joints.iter().zip(&later.people[0].joints) {
            let off = (at.position_in_camera - later.position_in_camera).norm();
            assert!(off < 0.1, "{off} m");
        }
    }
    assert_eq!(cut.last().map(|last| last.stamp), whole.get(cut.len() - 1).map(|then| then.stamp));
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
