//! `CameraModel` against OpenCV (`tests/goldens/camera.py`, which states versions and tolerances).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use nalgebra::{Point2, Point3};
use serde_json::Value;
use stridepose::geometry::{Calibration, CameraModel};

const PROJECTION_PX: f64 = 1e-9;
const UNDISTORTION: f64 = 1e-10;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn every_lens_projects_and_undistorts_like_opencv() {
    let goldens: Value = serde_json::from_str(include_str!("goldens/camera.json")).unwrap();
    let cases = goldens["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 7);
    for (name, case) in cases {
        let camera = CameraModel::from_calibration(&Calibration {
            width: 640,
            height: 480,
            distortion_model: case["distortion_model"].as_str().unwrap().to_owned(),
            d: numbers(&case["d"]),
            k: numbers(&goldens["k"]).try_into().unwrap(),
            binning_x: 0,
            binning_y: 0,
            roi: None,
        })
        .unwrap();
        let rows = |key: &str| case[key].as_array().unwrap().iter().map(numbers).collect::<Vec<_>>();
        let (points, pixels, normalised) = (rows("points_in_camera"), rows("pixels"), rows("normalised"));
        assert_eq!((points.len(), pixels.len(), normalised.len()), (24, 24, 24));
        for ((point, pixel), on_plane) in points.iter().zip(&pixels).zip(&normalised) {
            let pixel = Point2::new(pixel[0], pixel[1]);
            let projected = camera.project(&Point3::new(point[0], point[1], point[2])).expect(name);
            assert!((projected - pixel).norm() < PROJECTION_PX, "{name}: {projected}, OpenCV {pixel}");
            let undistorted = camera.normalise(pixel).expect(name);
            let expected = Point2::new(on_plane[0], on_plane[1]);
            assert!((undistorted - expected).norm() < UNDISTORTION, "{name}: {undistorted}, OpenCV {expected}");
        }
    }
}
