//! People as REP-155 (ROS4HRI) wants them: a list of bodies on `/humans/bodies/tracked`, and below `/humans/bodies/ID/` the
//! 2D skeleton and the region of each. The body's coordinate frame is `body_ID` (`node.publish_tf`).

use crate::adapters::messages::hri_msgs::SKELETON_2D_KEYPOINTS;
use crate::data::PersonEstimate;
use crate::skeleton::Joint;

/// Our joint for each keypoint of `Skeleton2D`; eyes and ears have none.
const KEYPOINTS: [Option<Joint>; SKELETON_2D_KEYPOINTS] = [
    Some(Joint::Nose),
    Some(Joint::Thorax),
    Some(Joint::RShoulder),
    Some(Joint::RElbow),
    Some(Joint::RWrist),
    Some(Joint::LShoulder),
    Some(Joint::LElbow),
    Some(Joint::LWrist),
    Some(Joint::RHip),
    Some(Joint::RKnee),
    Some(Joint::RAnkle),
    Some(Joint::LHip),
    Some(Joint::LKnee),
    Some(Joint::LAnkle),
    None,
    None,
    None,
    None,
];

/// The identity of a body as a word for topics and frames: a word of a topic name may not start with a number.
pub fn body_id(person: &PersonEstimate) -> String {
    format!("p{}", person.track_id.0)
}

/// x, y and score of each keypoint, as shares of the image's size. What was not measured, or lies outside, is 0.
pub fn skeleton_2d(person: &PersonEstimate, (width, height): (u32, u32)) -> [[f32; 3]; SKELETON_2D_KEYPOINTS] {
    KEYPOINTS.map(|joint| {
        let keypoint = joint.and_then(|joint| person.joints[joint.index()].keypoint);
        let at = keypoint.map(|keypoint| [share(keypoint.u, width), share(keypoint.v, height), keypoint.score]);
        at.filter(|at| at.iter().all(|value| (0.0..=1.0).contains(value))).unwrap_or_default()
    })
}

/// Corners of the person's region as shares of the image's size, cut at its borders.
pub fn region(person: &PersonEstimate, (width, height): (u32, u32)) -> [f32; 4] {
    let bbox = &person.bbox_in_image_px;
    [share(bbox.x_min, width), share(bbox.y_min, height), share(bbox.x_max, width), share(bbox.y_max, height)]
        .map(|value| if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) })
}

/// Integer coordinates are pixel centres: the image spans -0.5 … size - 0.5.
fn share(at: f32, size: u32) -> f32 {
    (at + 0.5) / size as f32
}

#[cfg(test)]
mod tests {
    use nalgebra::{Matrix3, Point3};

    use super::*;
    use crate::data::{BoundingBox, JointEstimate, JointState, MeasuredKeypoint, TrackId};
    use crate::skeleton::JOINT_COUNT;

    #[test]
    fn keypoints_and_region_are_shares_of_the_image() {
        let joint = |keypoint| JointEstimate {
            position_in_camera: Point3::new(0.0, 0.0, 3.0),
            covariance: Matrix3::identity(),
            confidence: 0.5,
            state: JointState::Measured,
            keypoint,
        };
        let mut joints = [joint(None); JOINT_COUNT];
        joints[Joint::RHip.index()] = joint(Some(MeasuredKeypoint { u: 99.5, v: 24.5, score: 0.75 }));
        joints[Joint::LHip.index()] = joint(Some(MeasuredKeypoint { u: 500.0, v: 24.5, score: 0.75 }));
        let person = PersonEstimate {
            track_id: TrackId(7),
            joints,
            score: 0.9,
            plausibility: None,
            reprojection_error_px: None,
            bbox_in_image_px: BoundingBox { x_min: -20.0, y_min: 49.5, x_max: 99.5, y_max: 500.0 },
        };
        let skeleton = skeleton_2d(&person, (200, 100));
        assert_eq!(skeleton[8], [0.5, 0.25, 0.75]);
        assert_eq!(skeleton[11], [0.0; 3], "outside the image");
        assert_eq!(skeleton[0], [0.0; 3], "not measured");
        assert_eq!(region(&person, (200, 100)), [0.0, 0.5, 0.5, 1.0]);
        assert_eq!(body_id(&person), "p7");
    }
}
