//! The metrics of a whole run against SciPy and NumPy (`tests/goldens/run_metrics.py`: versions, tolerance, its reason).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use nalgebra::Point3;
use serde_json::Value;
use stridepose::data::{JointState, Stamp, TrackId};
use stridepose::metrics::{
    Calibration, Evaluation, GroupSummary, ImageReference, ImageSum, Interval, JOINT_GROUPS, JointPositions,
    PCK_THRESHOLD_MM, ResultImage, ResultJoint, ResultPerson, ResultSequence, Statement, Summary, TruthPerson,
    TruthSequence, auc, evaluate, grouped_joints, interval_of_mean, mean, pck,
};
use stridepose::skeleton::Joint;

fn goldens() -> Value {
    serde_json::from_str(include_str!("goldens/run_metrics.json")).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn positions(value: &Value) -> JointPositions {
    std::array::from_fn(|joint| {
        let [x, y, z] = [0, 1, 2].map(|axis| number(&value[joint][axis]));
        Some(Point3::new(x, y, z))
    })
}

fn assert_close(name: &str, ours: Option<f64>, expected: &Value) {
    let (ours, expected) = (ours.unwrap(), number(expected));
    assert!((ours - expected).abs() < 1e-6 * expected.abs().max(1.0), "{name}: {ours}, expected {expected}");
}

fn evaluation(golden: &Value) -> Evaluation {
    let mut result = ResultSequence::default();
    let mut truth = TruthSequence::default();
    for (stamp, image) in list(&golden["stamps_ns"]).iter().zip(list(&golden["images"])) {
        let stamp = Stamp::from_nanoseconds(stamp.as_i64().unwrap());
        let people = list(&image["found"]).iter().zip(list(&image["confidence"])).map(|(found, confidence)| {
            let at = positions(&found[1]);
            let joint = |index: usize| {
                Some(ResultJoint {
                    position_in_camera: at[index].unwrap(),
                    covariance: None,
                    confidence: Some(number(&confidence[index])),
                    state: JointState::Measured,
                    keypoint_in_image_px: None,
                })
            };
            ResultPerson { track_id: TrackId(found[0].as_u64().unwrap() as u32), joints: std::array::from_fn(joint) }
        });
        result.images.push(ResultImage { stamp, people: people.collect() });
        let people = list(&image["truth"]).iter().map(|person| TruthPerson {
            person: person[0].as_str().unwrap().to_owned(),
            action: None,
            joints: positions(&person[1]),
        });
        truth.images.insert(ImageReference::Stamp(stamp), people.collect());
    }
    evaluate(&result, &truth, 0).unwrap()
}

#[test]
fn identity_is_that_of_scipy() {
    let golden = goldens();
    let identity = evaluation(&golden).identity;
    assert!(golden["switches"].as_u64().unwrap() > 2 && golden["fragmentations"].as_u64().unwrap() > 2);
    assert_eq!(identity.switches as u64, golden["switches"].as_u64().unwrap());
    assert_eq!(identity.fragmentations as u64, golden["fragmentations"].as_u64().unwrap());
    assert_eq!(identity.matched as u64, golden["matched"].as_u64().unwrap());
    for (name, ours) in [
        ("idf1", identity.idf1()),
        ("idp", identity.idp()),
        ("idr", identity.idr()),
        ("mota", identity.mota()),
        ("precision", identity.precision()),
        ("recall", identity.recall()),
    ] {
        assert_close(name, ours, &golden[name]);
    }
}

#[test]
fn smoothness_is_that_of_the_interpolating_polynomial() {
    let golden = goldens();
    let evaluation = evaluation(&golden);
    let acceleration: Vec<f64> =
        evaluation.samples.iter().flat_map(|sample| sample.acceleration_error_mm_per_s2).flatten().collect();
    assert_close("acceleration", mean(&acceleration), &golden["acceleration_error_mm_per_s2"]);
    assert_close("jitter", evaluation.observation.jitter_m_per_s3, &golden["jitter_m_per_s3"]);
    assert_close("jitter of the truth", evaluation.truth_jitter_m_per_s3, &golden["truth_jitter_m_per_s3"]);
}

#[test]
fn joint_groups_are_those_of_mpi_inf_3dhp() {
    let golden = goldens();
    let evaluation = evaluation(&golden);
    let errors = |joints: &[Joint]| -> Vec<f64> {
        let samples = evaluation.samples.iter().map(|sample| sample.error.mpjpe_mm);
        samples.flat_map(|errors| joints.iter().filter_map(move |joint| errors[joint.index()])).collect()
    };
    let check = |name: &str, joints: &[Joint], expected: &Value| {
        assert_close(name, pck(&errors(joints), PCK_THRESHOLD_MM), &expected[0]);
        assert_close(name, auc(&errors(joints)), &expected[1]);
    };
    for group in JOINT_GROUPS {
        check(group.name, group.joints, &golden["pck_groups"][group.name]);
    }
    check("all 14", &grouped_joints(), &golden["pck_14"]);
}

#[test]
fn calibration_is_that_of_numpy() {
    let golden = goldens();
    let evaluation = evaluation(&golden);
    let position: Vec<f64> = evaluation.samples.iter().flat_map(|sample| sample.position_error_mm).flatten().collect();
    assert_close("position error", mean(&position), &golden["position_error_mm"]);
    let statements = evaluation
        .samples
        .iter()
        .flat_map(|sample| sample.confidence.into_iter().flatten().zip(sample.position_error_mm.into_iter().flatten()));
    let statement = |(confidence, error)| Statement { confidence, is_hit: error < PCK_THRESHOLD_MM };
    let calibration = Calibration::of(statements.map(statement)).unwrap();
    assert_close("ECE", Some(calibration.expected_error), &golden["expected_calibration_error"]);
    for (bin, expected) in calibration.bins.iter().zip(list(&golden["reliability"])) {
        assert_eq!(bin.count as u64, expected[0].as_u64().unwrap());
        assert_close("mean confidence", bin.mean_confidence, &expected[1]);
        assert_close("share of hits", bin.hit_share, &expected[2]);
    }
}

#[test]
fn the_bootstrap_interval_is_that_of_numpy_as_far_as_chance_allows() {
    let golden = &goldens()["bootstrap"];
    let series = list(&golden["series"]).iter().zip(list(&golden["weights"]));
    let images: Vec<ImageSum> = series
        .map(|(value, weight)| {
            let count = weight.as_u64().unwrap() as usize;
            ImageSum { count, sum: number(value) * count as f64 }
        })
        .collect();
    let block = golden["block"].as_u64().unwrap() as usize;
    let (low, high) = (number(&golden["interval"][0]), number(&golden["interval"][1]));
    for seed in 0..5 {
        let interval = interval_of_mean(&images, block, seed).unwrap();
        let allowed = 0.06 * (high - low);
        assert!(
            (interval.low - low).abs() < allowed && (interval.high - high).abs() < allowed,
            "{interval:?} {low} {high}"
        );
    }
}

/// A run of the parts' scene against its truth.
fn parts_run(golden: &Value, run: &str) -> Evaluation {
    let mut result = ResultSequence::default();
    let mut truth = TruthSequence::default();
    let images = list(&golden["truth"]).iter().zip(list(&golden[run]));
    for (stamp, (people, found)) in list(&golden["stamps_ns"]).iter().zip(images) {
        let stamp = Stamp::from_nanoseconds(stamp.as_i64().unwrap());
        let people = list(people).iter().map(|person| TruthPerson {
            person: person[0].as_str().unwrap().to_owned(),
            action: Some(person[1].as_str().unwrap().to_owned()),
            joints: positions(&person[2]),
        });
        truth.images.insert(ImageReference::Stamp(stamp), people.collect());
        let found = list(found).iter().map(|found| ResultPerson {
            track_id: TrackId(found[0].as_u64().unwrap() as u32),
            joints: std::array::from_fn(|joint| {
                let at = found[1][joint].as_array()?;
                Some(ResultJoint {
                    position_in_camera: Point3::new(number(&at[0]), number(&at[1]), number(&at[2])),
                    covariance: None,
                    confidence: None,
                    state: match found[2][joint].as_u64().unwrap() {
                        1 => JointState::Predicted,
                        2 => JointState::Inferred,
                        3 => JointState::Measured,
                        other => panic!("state {other} has no position"),
                    },
                    keypoint_in_image_px: None,
                })
            }),
        });
        result.images.push(ResultImage { stamp, people: found.collect() });
    }
    evaluate(&result, &truth, 0).unwrap()
}

fn assert_group(group: &GroupSummary, expected: &Value) {
    let (name, joints) = (&group.name, &group.joints);
    for (metric, ours) in [
        ("mpjpe_mm", joints.mpjpe_mm),
        ("pa_mpjpe_mm", joints.pa_mpjpe_mm),
        ("n_mpjpe_mm", joints.n_mpjpe_mm),
        ("position_error_mm", joints.position_error_mm),
        ("pck_150mm", joints.pck_150mm),
        ("auc", joints.auc),
        ("root_mm", group.root_mm),
    ] {
        assert_close(&format!("{metric} of {name}"), ours, &expected[metric]);
    }
    // The mean of the actions has no counts of its own.
    if let Some(people) = expected["people"].as_u64() {
        assert_eq!(group.people as u64, people, "people of {name}");
        assert_eq!(joints.samples as u64, expected["joints"].as_u64().unwrap(), "joints of {name}");
    }
}

#[test]
fn persons_actions_distances_and_hidden_shares_are_those_of_numpy() {
    let golden = &goldens()["parts"];
    let summary = Summary::of(&parts_run(golden, "a"));
    for (kind, groups, parts) in [
        ("per_person", &summary.per_person, 5),
        ("per_action", &summary.per_action, 2),
        ("by_distance", &summary.by_distance, 5),
        ("by_hidden_share", &summary.by_hidden_share, 5),
    ] {
        let expected = golden[kind].as_object().unwrap();
        assert_eq!((groups.len(), expected.len()), (parts, parts), "{kind}");
        for group in groups {
            assert_group(group, expected.get(&group.name).unwrap_or_else(|| panic!("{kind} has no {}", group.name)));
        }
    }
    assert_group(summary.mean_of_actions.as_ref().unwrap(), &golden["mean_of_actions"]);
}

/// Two bounds from 2000 and from 20000 draws.
fn assert_interval(name: &str, ours: Option<Interval>, expected: &Value) {
    let (ours, low, high) = (ours.unwrap(), number(&expected[0]), number(&expected[1]));
    let allowed = 0.06 * (high - low);
    assert!((ours.low - low).abs() < allowed && (ours.high - high).abs() < allowed, "{name}: {ours:?}, {low} {high}");
}

#[test]
fn intervals_of_a_run_are_those_of_numpy_as_far_as_chance_allows() {
    let golden = &goldens()["parts"];
    let intervals = Summary::of(&parts_run(golden, "a")).intervals;
    let expected = &golden["intervals"];
    assert_interval("MPJPE", intervals.mpjpe_mm, &expected["mpjpe"]);
    assert_interval("PA-MPJPE", intervals.pa_mpjpe_mm, &expected["pa"]);
    assert_interval("N-MPJPE", intervals.n_mpjpe_mm, &expected["n"]);
    assert_interval("root", intervals.root_mm, &expected["root"]);
}

#[cfg(feature = "replay")]
#[test]
fn paired_differences_are_those_of_numpy() {
    use stridepose::report::comparison::{Side, paired_differences};
    use stridepose::report::evaluation::{Samples, to_json};

    let golden = &goldens()["parts"];
    let [a, b] = ["a", "b"].map(|run| {
        let evaluation = parts_run(golden, run);
        let numbers = to_json(&evaluation, &Summary::of(&evaluation));
        Side::new(&numbers, Some(Samples::of(&evaluation))).unwrap()
    });
    let differences = paired_differences(&a, &b);
    for (name, expected) in golden["paired"].as_object().unwrap() {
        let ours = differences.get(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(ours.pairs as u64, expected["pairs"].as_u64().unwrap(), "{name}");
        // Samples are kept in single precision: 1e-5 mm at 200 mm.
        assert!((ours.mean - number(&expected["mean"])).abs() < 1e-4, "{name}: {} {expected}", ours.mean);
        assert_interval(name, ours.interval, &expected["interval"]);
        let is_clear = number(&expected["interval"][0]) > 0.0 || number(&expected["interval"][1]) < 0.0;
        assert_eq!(ours.is_clear(), is_clear, "{name}");
    }
}
