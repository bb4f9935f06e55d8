//! One person as it leaves the pipeline: joints, states, the box around, how well they fit the keypoints.

use nalgebra::Point2;

use crate::data::{
    BoundingBox, JointEstimate, JointState, KeypointsInImage, MeasuredKeypoint, PersonEstimate, TrackId,
};
use crate::geometry::CameraModel;
use crate::skeleton::JOINT_COUNT;
use crate::stages::refine::Refined;

/// Somebody who is not seen is carried on while so many joints lie in the image: behind an obstacle, not outside.
const JOINTS_IN_IMAGE: usize = 4;

/// What is known of one person besides the joints.
pub(super) struct Seen<'a> {
    pub(super) keypoints: &'a KeypointsInImage,
    pub(super) score: f64,
    pub(super) plausibility: Option<f64>,
}

/// One person for the output; `None` for whoever is not seen and has left the image, and if anything were not finite: no NaN
/// leaves the pipeline.
pub(super) fn person_estimate(
    track_id: TrackId,
    refined: &Refined,
    seen: &Seen<'_>,
    bbox: Option<BoundingBox>,
    camera: &CameraModel,
) -> Option<PersonEstimate> {
    let (mut squares, mut measured) = (0.0, 0_u32);
    let joints: [JointEstimate; JOINT_COUNT] = std::array::from_fn(|joint| {
        let refined = &refined.joints[joint];
        let keypoint = seen.keypoints[joint].filter(|_| refined.state == JointState::Measured);
        if let (Some(keypoint), Some(at)) = (keypoint, camera.project(&refined.position_in_camera)) {
            squares += (at - Point2::new(f64::from(keypoint.x), f64::from(keypoint.y))).norm_squared();
            measured += 1;
        }
        JointEstimate {
            position_in_camera: refined.position_in_camera,
            covariance: refined.covariance,
            confidence: refined.confidence,
            state: refined.state,
            keypoint: keypoint.map(|keypoint| MeasuredKeypoint { u: keypoint.x, v: keypoint.y, score: keypoint.score }),
        }
    });
    let is_finite = joints.iter().all(|joint| {
        joint.position_in_camera.coords.iter().chain(joint.covariance.iter()).all(|value| value.is_finite())
    });
    let is_seen = seen.keypoints.iter().any(Option::is_some);
    let is_in_image = || joints.iter().filter(|joint| lies_in_image(joint, camera)).count() >= JOINTS_IN_IMAGE;
    (is_finite && (is_seen || is_in_image())).then(|| PersonEstimate {
        track_id,
        joints,
        score: seen.score,
        plausibility: seen.plausibility,
        reprojection_error_px: (measured > 0).then(|| (squares / f64::from(measured)).sqrt()),
        bbox_in_image_px: bbox.unwrap_or_else(|| projected_box(&joints, camera)),
    })
}

fn lies_in_image(joint: &JointEstimate, camera: &CameraModel) -> bool {
    let (width, height) = camera.image_size();
    let spans = |at: f64, size: u32| (-0.5..f64::from(size) - 0.5).contains(&at);
    camera.project(&joint.position_in_camera).is_some_and(|at| spans(at.x, width) && spans(at.y, height))
}

/// The rectangle around the projected joints, always as large as to touch the image.
fn projected_box(joints: &[JointEstimate; JOINT_COUNT], camera: &CameraModel) -> BoundingBox {
    let (width, height) = camera.image_size();
    let in_image = joints.iter().filter_map(|joint| camera.project(&joint.position_in_camera));
    let bbox = BoundingBox::around(in_image.map(|at| (at.x as f32, at.y as f32)));
    BoundingBox {
        x_min: bbox.x_min.min(width as f32),
        y_min: bbox.y_min.min(height as f32),
        x_max: bbox.x_max.max(0.0),
        y_max: bbox.y_max.max(0.0),
    }
}
