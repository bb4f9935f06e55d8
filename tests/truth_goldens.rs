//! Truth arrays in the layouts of Human3.6M and MPI-INF-3DHP against NumPy and SciPy (`tests/goldens/truth_arrays.py`: versions,
//! tolerance, its reason). The `.npz` is NumPy's own.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::Path;

use nalgebra::Point3;
use serde_json::{Value, json};
use stridepose::adapters::truth::array::{Meaning, Unit, truth_of_array};
use stridepose::adapters::truth::camera::{CameraFile, TruthCamera};
use stridepose::adapters::truth::json::parse_truth_json;
use stridepose::adapters::truth::npy::read_truth_npy;
use stridepose::data::{JointState, Stamp, TrackId};
use stridepose::metrics::{
    JOINT_GROUPS, JointMetrics, ResultImage, ResultJoint, ResultPerson, ResultSequence, Summary, TruthSequence,
    evaluate,
};
use stridepose::skeleton::DatasetLayout;

const TOLERANCE: f64 = 1e-6;

fn goldens() -> Value {
    serde_json::from_str(include_str!("goldens/truth_arrays.json")).unwrap()
}

/// The first `people` of the prediction.
fn predicted(golden: &Value, people: usize) -> ResultSequence {
    let predicted: Vec<Vec<[[f64; 3]; 17]>> = serde_json::from_value(golden["predicted"].clone()).unwrap();
    let images = 0..predicted[0].len();
    let person = |index: usize, image: usize| ResultPerson {
        track_id: TrackId(index as u32),
        joints: predicted[index][image].map(|at| {
            Some(ResultJoint {
                position_in_camera: Point3::from(at),
                covariance: None,
                confidence: None,
                state: JointState::Measured,
                keypoint_in_image_px: None,
            })
        }),
    };
    let image = |image: usize| ResultImage {
        stamp: Stamp::from_nanoseconds(20_000_000 * (1 + image as i64)),
        people: (0..people).map(|index| person(index, image)).collect(),
    };
    ResultSequence { images: images.map(image).collect(), ..ResultSequence::default() }
}

fn from_npz(name: &str, layout: DatasetLayout, camera: TruthCamera) -> TruthSequence {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/truth_arrays.npz");
    let file = read_truth_npy(&path, Some(name)).unwrap();
    let unit = Unit::Millimetre;
    let meaning = Meaning { layout, unit, camera, stamps_ns: file.stamps_ns, persons: None, action: None };
    truth_of_array(&file.array, meaning).unwrap().truth
}

fn assert_close(name: &str, ours: Option<f64>, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!(ours.is_some_and(|ours| (ours - expected).abs() < TOLERANCE), "{name}: {ours:?}, expected {expected}");
}

fn assert_metrics(name: &str, ours: &JointMetrics, root_mm: Option<f64>, expected: &Value) {
    let values = [
        ("mpjpe_mm", ours.mpjpe_mm),
        ("n_mpjpe_mm", ours.n_mpjpe_mm),
        ("pa_mpjpe_mm", ours.pa_mpjpe_mm),
        ("root_mm", root_mm),
    ];
    for (key, value) in values {
        assert_close(&format!("{name} {key}"), value, &expected[key]);
    }
}

#[test]
fn human36m_in_the_world_is_as_numpy_says() {
    let golden = goldens();
    let camera: CameraFile = serde_json::from_value(golden["camera"].clone()).unwrap();
    let camera = camera.checked(Unit::Millimetre).unwrap();
    let of_npz = from_npz("h36m", DatasetLayout::H36m17, camera);
    let of_json = parse_truth_json(&golden["h36m_file"].to_string(), None).unwrap().truth;
    let expected = &golden["h36m"];
    for (name, truth) in [("npz", &of_npz), ("json", &of_json)] {
        let evaluation = evaluate(&predicted(&golden, 1), truth, 0).unwrap();
        let summary = Summary::of(&evaluation);
        assert_eq!(evaluation.samples.len() as u64, expected["people"].as_u64().unwrap());
        assert_metrics(name, &summary.overall, summary.root_mm, expected);
        for (metrics, expected) in summary.per_joint.iter().zip(expected["per_joint_mpjpe_mm"].as_array().unwrap()) {
            assert_close(name, metrics.mpjpe_mm, expected);
        }
        let actions: Vec<&str> = summary.per_action.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(actions, if name == "json" { vec!["Sitting", "Walking"] } else { Vec::new() });
        let mean = summary.mean_of_actions.as_ref();
        assert_eq!(mean.is_some(), name == "json");
        if let Some(mean) = mean {
            let parts = ["Sitting", "Walking"].map(|action| &expected["per_action"][action]);
            for (ours, key) in [(mean.joints.mpjpe_mm, "mpjpe_mm"), (mean.joints.pa_mpjpe_mm, "pa_mpjpe_mm")] {
                let [sitting, walking] = parts.map(|part| part[key].as_f64().unwrap());
                assert!((sitting - walking).abs() > 1e-3, "a mean of the same is no test: {sitting}, {walking}");
                assert_close(key, ours, &json!(0.5 * (sitting + walking)));
            }
        }
        for group in &summary.per_action {
            let expected = &expected["per_action"][&group.name];
            assert_eq!(group.people as u64, expected["people"].as_u64().unwrap());
            assert_metrics(&group.name, &group.joints, group.root_mm, expected);
        }
    }
}

#[test]
fn mpi_inf_3dhp_with_its_groups_is_as_numpy_says() {
    let golden = goldens();
    let truth = from_npz("mpi_inf_3dhp", DatasetLayout::MpiInf3dhp17, TruthCamera::default());
    let evaluation = evaluate(&predicted(&golden, 2), &truth, 0).unwrap();
    let summary = Summary::of(&evaluation);
    let expected = &golden["mpi_inf_3dhp"];
    assert_eq!(evaluation.samples.len() as u64, expected["people"].as_u64().unwrap());
    assert_metrics("3dhp", &summary.overall, summary.root_mm, expected);
    let groups = JOINT_GROUPS.iter().map(|group| group.name).zip(&summary.per_joint_group);
    for (name, ours) in groups.chain([("all", &summary.grouped)]) {
        let expected = &expected["groups"][name];
        assert_eq!(ours.samples as u64, expected["joints"].as_u64().unwrap(), "{name}");
        assert_close(name, ours.pck_150mm, &expected["pck_150mm"]);
        assert_close(name, ours.auc, &expected["auc"]);
    }
}
