//! The metrics against SciPy and NumPy (`tests/goldens/metrics.py`, which states versions and tolerance).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use nalgebra::{Matrix3, Point3, Vector3};
use serde_json::Value;
use stridepose::data::{JointState, Stamp, TrackId};
use stridepose::metrics::{
    ImageReference, JointPositions, PCK_THRESHOLD_MM, PoseError, ResultImage, ResultJoint, ResultPerson,
    ResultSequence, Summary, TruthPerson, TruthSequence, auc, evaluate, pck,
};

const TOLERANCE_MM: f64 = 1e-6;

fn goldens() -> Value {
    serde_json::from_str(include_str!("goldens/metrics.json")).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn point(value: &Value) -> Point3<f64> {
    Point3::new(number(&value[0]), number(&value[1]), number(&value[2]))
}

fn positions(value: &Value) -> JointPositions {
    std::array::from_fn(|joint| Some(&value[joint]).filter(|joint| !joint.is_null()).map(point))
}

fn assert_close(name: &str, ours: Option<f64>, expected: f64) {
    assert!(ours.is_some_and(|ours| (ours - expected).abs() < TOLERANCE_MM), "{name}: {ours:?}, expected {expected}");
}

#[test]
fn every_error_of_a_pose_is_that_of_scipy() {
    let goldens = goldens();
    let poses = goldens["poses"].as_array().unwrap();
    assert!(poses.iter().any(|pose| pose["reflected"] == true), "no golden needs the reflection turned");
    for pose in poses {
        let error = PoseError::of(&positions(&pose["predicted"]), &positions(&pose["truth"]));
        for (key, ours) in
            [("mpjpe_mm", error.mpjpe_mm), ("n_mpjpe_mm", error.n_mpjpe_mm), ("pa_mpjpe_mm", error.pa_mpjpe_mm)]
        {
            for (joint, ours) in ours.into_iter().enumerate() {
                let name = format!("{} {key} of joint {joint}", pose["kind"]);
                match &pose[key][joint] {
                    Value::Null => assert_eq!(ours, None, "{name}"),
                    expected => assert_close(&name, ours, number(expected)),
                }
            }
        }
        let root = point(&pose["root_mm"]).coords;
        assert!((error.root_mm.unwrap() - root).norm() < TOLERANCE_MM);
        let errors: Vec<f64> = error.mpjpe_mm.into_iter().flatten().collect();
        assert_close("pck", pck(&errors, PCK_THRESHOLD_MM), number(&pose["pck_150mm"]));
        assert_close("auc", auc(&errors), number(&pose["auc"]));
    }
}

/// The golden sequence of one person as result and as truth.
fn sequence(golden: &Value) -> (ResultSequence, TruthSequence) {
    let mut result = ResultSequence::default();
    let mut truth = TruthSequence::default();
    for (index, stamp) in golden["stamps_ns"].as_array().unwrap().iter().enumerate() {
        let stamp = Stamp::from_nanoseconds(stamp.as_i64().unwrap());
        let joints = std::array::from_fn(|joint| {
            let covariance = &golden["covariance"][index][joint];
            Some(ResultJoint {
                position_in_camera: point(&golden["predicted"][index][joint]),
                covariance: Some(Matrix3::from_fn(|row, column| number(&covariance[row][column]))),
                confidence: None,
                state: JointState::Measured,
                keypoint_in_image_px: None,
            })
        });
        result.images.push(ResultImage { stamp, people: vec![ResultPerson { track_id: TrackId(1), joints }] });
        let person = TruthPerson { person: "a".to_owned(), action: None, joints: positions(&golden["truth"][index]) };
        truth.images.insert(ImageReference::Stamp(stamp), vec![person]);
    }
    (result, truth)
}

#[test]
fn a_whole_run_is_that_of_numpy() {
    let golden = &goldens()["sequence"];
    let (result, truth) = sequence(golden);
    let evaluation = evaluate(&result, &truth, 0).unwrap();
    let summary = Summary::of(&evaluation);
    assert_eq!((evaluation.matched_images, evaluation.missed, evaluation.false_people), (result.images.len(), 0, 0));
    for (key, ours) in [
        ("mpjpe_mm", summary.overall.mpjpe_mm),
        ("mpjve_mm", summary.overall.mpjve_mm),
        ("mpjve_mm_per_s", summary.overall.mpjve_mm_per_s),
        ("root_mm", summary.root_mm),
    ] {
        assert_close(key, ours, number(&golden[key]));
    }
    for (joint, metrics) in summary.per_joint.iter().enumerate() {
        assert_close("mpjve of a joint", metrics.mpjve_mm_per_s, number(&golden["per_joint_mpjve_mm_per_s"][joint]));
    }
    for (ours, expected) in summary.overall.coverage.unwrap().into_iter().zip(golden["coverage"].as_array().unwrap()) {
        assert_close("coverage", Some(ours), number(expected));
    }
}

#[test]
fn missed_false_and_switched_people_are_counted_and_change_no_error() {
    let (result, truth) = sequence(&goldens()["sequence"]);
    let before = evaluate(&result, &truth, 0).unwrap();

    // A ghost two metres to the side, and from image 4 on another identity.
    let mut changed = result.clone();
    for (index, image) in changed.images.iter_mut().enumerate() {
        let mut ghost = image.people[0].clone();
        for joint in ghost.joints.iter_mut().flatten() {
            joint.position_in_camera += Vector3::new(2.0, 0.0, 0.0);
        }
        image.people.insert(0, ResultPerson { track_id: TrackId(9), ..ghost });
        if index >= 4 {
            image.people[1].track_id = TrackId(2);
        }
    }
    let after = evaluate(&changed, &truth, 0).unwrap();
    assert_eq!((after.false_people, after.identity.switches, after.missed), (7, 1, 0));
    for (before, after) in before.samples.iter().zip(&after.samples) {
        assert_eq!(before.error, after.error);
    }
    // A new track has no velocity yet.
    assert!(before.samples[4].velocity_error_mm_per_s[3].is_some());
    assert_eq!(after.samples[4].velocity_error_mm_per_s[3], None);
    assert!(after.samples[5].velocity_error_mm_per_s[3].is_some());

    // Nobody in image 3: one miss, and no velocity across the gap.
    let mut blind = result;
    blind.images[3].people.clear();
    let after = evaluate(&blind, &truth, 0).unwrap();
    assert_eq!((after.missed, after.matched_images, after.samples.len()), (1, 6, 6));
    assert_eq!(after.samples[3].velocity_error_mm_per_s[3], None);
    assert_eq!(after.samples[3].error, before.samples[4].error);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let (result, truth) = sequence(&goldens()["sequence"]);
    let refusal =
        |result: &ResultSequence, truth: &TruthSequence| evaluate(result, truth, 1000).unwrap_err().to_string();
    assert!(refusal(&ResultSequence::default(), &truth).contains("no images"));
    assert!(refusal(&result, &TruthSequence::default()).contains("not one joint"));
    let people = truth.images.values().next().unwrap().clone();
    let elsewhere = |reference| TruthSequence { images: [(reference, people.clone())].into() };
    let late = ImageReference::Stamp(Stamp::from_nanoseconds(1));
    assert!(refusal(&result, &elsewhere(late)).contains("within 0.001 ms"));
    assert!(refusal(&result, &elsewhere(ImageReference::Index(7))).contains("none of the 1 images"));
    assert!(evaluate(&result, &elsewhere(ImageReference::Index(6)), 0).is_ok());
}
