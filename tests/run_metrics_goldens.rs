//! The metrics of a whole run against SciPy and NumPy (`tests/goldens/run_metrics.py`: versions, tolerance, its reason).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use nalgebra::Point3;
use serde_json::Value;
use stridepose::data::{JointState, Stamp, TrackId};
use stridepose::metrics::{
    Calibration, Evaluation, ImageReference, ImageSum, JOINT_GROUPS, JointPositions, PCK_THRESHOLD_MM, ResultImage,
    ResultJoint, ResultPerson, ResultSequence, Statement, TruthPerson, TruthSequence, auc, evaluate, grouped_joints,
    interval_of_mean, mean, pck,
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
    for (name, ours) in [("idf1", identity.idf1()), ("precision", identity.precision()), ("recall", identity.recall())]
    {
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
