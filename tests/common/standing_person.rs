//! Keypoints of a standing person: column from the middle of the body, and row, px.

use stridepose::skeleton::Joint;

/// Where a joint's keypoint lies; `None` for joints without one.
pub fn standing(joint: Joint) -> Option<(f32, f32)> {
    match joint {
        Joint::Nose => Some((0.0, 110.0)),
        Joint::LShoulder => Some((32.0, 155.0)),
        Joint::RShoulder => Some((-32.0, 155.0)),
        Joint::LElbow => Some((42.0, 205.0)),
        Joint::RElbow => Some((-42.0, 205.0)),
        Joint::LWrist => Some((45.0, 250.0)),
        Joint::RWrist => Some((-45.0, 250.0)),
        Joint::LHip => Some((20.0, 255.0)),
        Joint::RHip => Some((-20.0, 255.0)),
        Joint::LKnee => Some((22.0, 335.0)),
        Joint::RKnee => Some((-22.0, 335.0)),
        Joint::LAnkle => Some((23.0, 410.0)),
        Joint::RAnkle => Some((-23.0, 410.0)),
        _ => None,
    }
}
