//! The subcommands, a file each: arguments and what is done with them.

pub mod ablate;
pub mod adapt;
pub mod curves;
pub mod data;
pub mod discriminator;
pub mod export;
pub mod hardware;
pub mod int8;
pub mod keypoints;
pub mod keypoints_calibrate;
pub mod keypoints_export;
pub mod lifter;
pub mod person;
pub mod picture_measure;
pub mod picture_run;
pub mod validate;
pub mod values;

use stridepose_train::batch::BatchSettings;
use stridepose_train::noise::NoiseSettings;
use stridepose_train::scene::SceneSettings;

/// How training clips are drawn, but for their length.
fn training_draw() -> BatchSettings {
    BatchSettings {
        samples: 0,
        lengths: Vec::new(),
        scene: SceneSettings {
            speed: (0.4, 2.5),
            retarget_share: 0.75,
            recorded_body_share: 0.5,
            recombined_share: 0.3,
            stamp_jitter: 0.4,
            posture_share: 0.5,
            mirror: true,
        },
        noise: NoiseSettings { variety_share: 0.7, ..NoiseSettings::OTHERS },
        standing_share: 0.25,
        occluded_share: 0.75,
        gravity_share: 0.5,
        semi_supervised: false,
    }
}
