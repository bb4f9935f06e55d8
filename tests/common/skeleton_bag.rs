//! Bags with one person whose errors are known.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::Path;
use std::time::Duration;

use nalgebra::{Point3, Vector3};
use stridepose::adapters::bag::writer::{BagWriter, Qos};
use stridepose::adapters::messages::stridepose::SkeletonArray;
use stridepose::data::{
    BoundingBox, Covariance, JointEstimate, JointState, PersonEstimate, PoseEstimate, Stamp, TrackId,
};
use stridepose::skeleton::Joint;

/// Images of a bag.
pub const IMAGES: usize = 40;
/// Stamp of an image, 40 ms apart.
pub fn stamp(image: usize) -> Stamp {
    Stamp::from_nanoseconds(1_000_000_000 + 40_000_000 * image as i64)
}

/// A person that moves sideways by 20 mm an image.
pub fn true_joint(image: usize, joint: Joint) -> Point3<f64> {
    let index = joint.index() as f64;
    Point3::new(0.3 * (1.3 * index).sin() + 0.02 * image as f64, 0.1 * index - 0.8, 4.0 + 0.2 * (2.1 * index).cos())
}

/// The person with every joint moved by `shift` and the left wrist by another 85 mm in depth.
pub fn estimate(image: usize, shift: Vector3<f64>, wrist: f64) -> PoseEstimate {
    let joints = Joint::ALL.map(|joint| JointEstimate {
        position_in_camera: true_joint(image, joint)
            + shift
            + Vector3::z() * if joint == Joint::LWrist { wrist } else { 0.0 },
        covariance: Covariance::identity() * 0.01,
        confidence: 0.9,
        state: JointState::Inferred,
        keypoint: None,
    });
    let person = PersonEstimate {
        track_id: TrackId(1),
        joints,
        score: 1.0,
        plausibility: None,
        reprojection_error_px: None,
        bbox_in_image_px: BoundingBox { x_min: 0.0, y_min: 0.0, x_max: 9.0, y_max: 9.0 },
    };
    PoseEstimate { stamp: stamp(image), people: vec![person], warnings: Vec::new() }
}

/// Writes a bag; image 0 has nobody. The look-ahead topic has no image before the third.
pub fn write_bag(folder: &Path, frame: &str, shift: Vector3<f64>, wrist: f64) {
    let mut writer = BagWriter::create(folder).unwrap();
    let skeletons = writer.add_topic::<SkeletonArray<'_>>("/stridepose/skeletons", Qos::Stream).unwrap();
    let refined = writer.add_topic::<SkeletonArray<'_>>("/stridepose/skeletons_refined", Qos::Stream).unwrap();
    for image in 0..IMAGES {
        let mut estimate = estimate(image, shift, wrist);
        if image == 0 {
            estimate.people.clear();
        }
        let message = SkeletonArray::from_estimate(&estimate, frame, Duration::ZERO);
        writer.write(skeletons, stamp(image), &message).unwrap();
        if image >= 3 {
            writer.write(refined, stamp(image), &message).unwrap();
        }
    }
    writer.finish().unwrap();
}
