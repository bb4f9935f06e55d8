//! From the parameters to what each stage takes.

use std::f64::consts::{FRAC_PI_2, PI};

use crate::config::{self, Config};
use crate::data::{LiftedPose, Stamp};
use crate::stages::detect::DetectSettings;
use crate::stages::refine::{PersonRefiner, RefineMode, RefineSettings, Refined, for_refinement};
use crate::stages::track::TrackSettings;
use crate::stages::window::KeypointsOnPlane;

/// The person score under which a finding is nobody.
const PERSON_SCORE_THRESHOLD: f32 = 0.3;
/// Of more people in an image those with the lowest scores are not looked at.
const MOST_DETECTIONS: usize = 100;

/// The parameters as the stages take them.
pub(super) struct Settings {
    pub(super) detect: DetectSettings,
    pub(super) max_people: usize,
    refine: RefineSettings,
    keypoint_sigma: f64,
    pub(super) is_refined_wanted: bool,
    pub(super) lookahead_smoothing_secs: f64,
    /// Whether somebody is asked where down is.
    pub(super) is_gravity_told: bool,
    /// Clockwise turn of the camera where nobody is, rad.
    pub(super) roll: f64,
}

impl Settings {
    pub(super) fn from(config: &Config) -> Self {
        Self {
            detect: detect_settings(config),
            max_people: config.detector.max_people as usize,
            refine: RefineSettings {
                mode: match config.refine.mode {
                    config::RefineMode::Off => RefineMode::Off,
                    config::RefineMode::Unweighted => RefineMode::Unweighted,
                    config::RefineMode::Confidence => RefineMode::Confidence,
                },
                iterations: config.refine.iterations,
                bone_weight: config.refine.bone_weight,
                smoothness_weight: config.refine.smoothness_weight,
                ..RefineSettings::default()
            },
            keypoint_sigma: config.refine.keypoint_sigma,
            is_refined_wanted: config.output.refined,
            lookahead_smoothing_secs: config.refine.lookahead_smoothing_secs,
            is_gravity_told: config.input.gravity != config::Gravity::Unknown,
            roll: match config.input.up_side {
                config::Side::Top => 0.0,
                config::Side::Left => FRAC_PI_2,
                config::Side::Bottom => PI,
                config::Side::Right => -FRAC_PI_2,
            },
        }
    }

    /// Whether what is said with look-ahead is smoothed.
    pub(super) fn smooths(&self) -> bool {
        self.is_refined_wanted && self.lookahead_smoothing_secs > 0.0
    }

    /// Refines one person with its keypoints, whose standard deviation goes with the person's size on the plane.
    pub(super) fn refine(
        &self,
        refiner: &mut PersonRefiner,
        lifted: &LiftedPose,
        keypoints: &KeypointsOnPlane,
        stamp: Stamp,
    ) -> Option<Refined> {
        refiner.refine(&self.refine, lifted, &for_refinement(keypoints, self.keypoint_sigma), stamp)
    }
}

/// Which detections the pipeline looks at. There may be more than `detector.max_people`: among them are those who are followed
/// already.
pub fn detect_settings(config: &Config) -> DetectSettings {
    DetectSettings {
        score_threshold: config.detector.score_threshold as f32,
        nms_iou: config.detector.nms_iou as f32,
        max_people: MOST_DETECTIONS,
    }
}

/// When people are born, kept and forgotten.
pub fn track_settings(config: &Config) -> TrackSettings {
    TrackSettings {
        max_age_secs: config.track.max_age_secs,
        recognise_secs: config.track.recognise_secs,
        min_hits: config.track.min_hits,
        keypoint_score_threshold: config.keypoints.score_threshold as f32,
        person_score_threshold: PERSON_SCORE_THRESHOLD,
        detector_interval: config.detector.interval,
        finds_lying: config.detector.lying,
        max_people: config.detector.max_people as usize,
    }
}
