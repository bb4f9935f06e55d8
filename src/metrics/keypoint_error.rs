//! How far the keypoints that a result rests on lie from where the truth projects: the share of the error that comes from the
//! 2D network, and what it has in common everywhere, which is rather the truth's calibration, or where a network has its joints.

use nalgebra::{Point2, Point3, Vector2};

use crate::geometry::CameraModel;

/// Keypoints against the projected truth, px.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeypointError {
    /// Mean distance.
    pub mean_px: f64,
    /// Mean difference: to the right and down is positive. As large as the distance where all are wrong in the same way.
    pub bias_px: Vector2<f64>,
}

impl KeypointError {
    /// Of the differences in `errors`, px; `None` of none.
    pub fn of(errors: &[Vector2<f64>]) -> Option<Self> {
        let count = errors.len() as f64;
        (!errors.is_empty()).then(|| Self {
            mean_px: errors.iter().map(Vector2::norm).sum::<f64>() / count,
            bias_px: errors.iter().sum::<Vector2<f64>>() / count,
        })
    }
}

/// From where `truth` (camera optical frame, m) is in the image of `camera` to where `keypoint` (px) is; `None` for a truth
/// that the camera cannot see.
pub fn keypoint_error(camera: &CameraModel, keypoint: Point2<f64>, truth: &Point3<f64>) -> Option<Vector2<f64>> {
    Some(keypoint - camera.project(truth)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_keypoint_right_of_the_truth_and_below_it_is_wrong_by_positive_numbers() {
        let camera = CameraModel::pinhole(640, 480, 500.0);
        let truth = Point3::new(0.2, -0.1, 2.0);
        let at = camera.project(&truth).unwrap();
        let error = keypoint_error(&camera, at + Vector2::new(3.0, 4.0), &truth).unwrap();
        assert!((error - Vector2::new(3.0, 4.0)).norm() < 1e-9, "{error:?}");
        assert_eq!(keypoint_error(&camera, at, &Point3::new(0.0, 0.0, -1.0)), None);
    }

    #[test]
    fn what_all_have_in_common_is_told_from_the_rest() {
        let found = KeypointError::of(&[Vector2::new(3.0, 4.0), Vector2::new(3.0, -4.0)]).unwrap();
        assert_eq!((found.mean_px, found.bias_px), (5.0, Vector2::new(3.0, 0.0)));
        assert_eq!(KeypointError::of(&[]), None);
    }
}
