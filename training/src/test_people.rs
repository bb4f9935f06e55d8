//! Made-up people and a made-up detector for the tests.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use nalgebra::Vector3;

use stridepose::skeleton::{JOINT_COUNT, Joint};

use crate::batch::BatchSettings;
use crate::mocap::{Clip, Split, WorldPose};
use crate::noise::{DetectorNoise, NoiseSettings};
use crate::scene::SceneSettings;

/// Six persons of `poses` poses each, the first of them for validation.
pub(crate) fn clips(poses: usize) -> Vec<Clip> {
    (0..6)
        .map(|index| Clip {
            source: "test".to_owned(),
            subject: format!("p{index}"),
            split: if index == 0 { Split::Validation } else { Split::Train },
            poses: (0..poses)
                .map(|time| {
                    std::array::from_fn(|joint| {
                        let swing = 0.1 * (time as f64 * 0.1 + joint as f64).sin();
                        Vector3::new(swing, 0.05 * joint as f64, 0.1 * joint as f64 + 0.2)
                    })
                })
                .collect(),
        })
        .collect()
}

/// Half of the clips get another body or posture.
pub(crate) fn changed() -> SceneSettings {
    SceneSettings {
        speed: (0.5, 2.0),
        retarget_share: 0.5,
        recorded_body_share: 0.5,
        recombined_share: 0.3,
        stamp_jitter: 0.3,
        posture_share: 0.5,
        mirror: true,
    }
}

/// People keep their bodies and postures, but for the trunk or arms of another.
pub(crate) fn unchanged() -> SceneSettings {
    SceneSettings { retarget_share: 0.0, stamp_jitter: 0.0, posture_share: 0.0, ..changed() }
}

/// Short clips of `scene`; keypoints are hidden in most of them.
pub(crate) fn batch(scene: SceneSettings) -> BatchSettings {
    BatchSettings {
        samples: 24,
        lengths: vec![24],
        scene,
        noise: NoiseSettings { scale: (0.5, 1.0), definition_offset: 0.0, variety_share: 0.0, strange_scores: 0.0 },
        standing_share: 0.0,
        occluded_share: 0.75,
        gravity_share: 0.0,
        semi_supervised: false,
    }
}

/// A detector with the same small error at every joint; its file goes into `folder`.
pub(crate) fn noise(folder: &Path) -> DetectorNoise {
    let path = folder.join("noise.json");
    let text = r#"{"joints":{"thorax":{"median":0.03,"outlier_gt_half_torso":0.0},"leg_left_right_swap_rate":0.0}}"#;
    std::fs::write(&path, text).unwrap();
    DetectorNoise::load(&path).unwrap()
}

/// Somebody who stands and faces +y, the arms swung out by `swing` m.
pub(crate) fn standing(swing: f64) -> WorldPose {
    let mut pose = [Vector3::zeros(); JOINT_COUNT];
    let mut put = |joint: Joint, x: f64, y: f64, z: f64| pose[joint.index()] = Vector3::new(x, y, z);
    put(Joint::Pelvis, 0.0, 0.0, 0.94);
    put(Joint::Spine, 0.0, 0.0, 1.16);
    put(Joint::Thorax, 0.0, 0.0, 1.41);
    put(Joint::Nose, 0.0, 0.09, 1.55);
    put(Joint::Head, 0.0, 0.03, 1.67);
    for (side, joints) in [
        (-1.0, [Joint::LHip, Joint::LKnee, Joint::LAnkle, Joint::LShoulder, Joint::LElbow, Joint::LWrist]),
        (1.0, [Joint::RHip, Joint::RKnee, Joint::RAnkle, Joint::RShoulder, Joint::RElbow, Joint::RWrist]),
    ] {
        let [hip, knee, ankle, shoulder, elbow, wrist] = joints;
        put(hip, side * 0.11, 0.0, 0.93);
        put(knee, side * 0.12, 0.03, 0.50);
        put(ankle, side * 0.12, 0.0, 0.09);
        put(shoulder, side * 0.17, 0.0, 1.41);
        put(elbow, side * (0.21 + swing), 0.0, 1.14);
        put(wrist, side * (0.23 + swing), 0.1, 0.92);
    }
    pose
}
