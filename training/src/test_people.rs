//! Made-up people and a made-up detector for the tests.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use nalgebra::Vector3;

use crate::mocap::{Clip, Split};
use crate::noise::DetectorNoise;

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

/// A detector with the same small error at every joint; its file goes into `folder`.
pub(crate) fn noise(folder: &Path) -> DetectorNoise {
    let path = folder.join("noise.json");
    let text = r#"{"joints":{"thorax":{"median":0.03,"outlier_gt_half_torso":0.0},"leg_left_right_swap_rate":0.0}}"#;
    std::fs::write(&path, text).unwrap();
    DetectorNoise::load(&path).unwrap()
}
