//! The person detector beside the keypoint network: it needs the picture and nothing that is known of the people, so the images
//! on its interval are looked at while they wait. What it finds is the same; where somebody is lost, the pipeline's own
//! detector runs at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use image::RgbImage;

use crate::adapters::engine::{self, EngineError};
use crate::adapters::model_store::ModelStore;
use crate::adapters::stage_timer::NetworkTime;
use crate::config::Config;
use crate::data::{Detection, LevelImage, LevelView};
use crate::network::NetworkError;
use crate::pipeline::detect_settings;
use crate::stages::detect::DetectSettings;
use crate::stages::people::DetectorStage;

/// What was found in an image that waits.
pub(super) struct FoundAhead {
    pub(super) detections: Vec<Detection>,
    /// How the image was looked at.
    pub(super) view: LevelView,
    /// How long that took, and how much of it was not the network.
    pub(super) took: Duration,
    pub(super) own: Duration,
}

/// The number of the message on which the pipeline wants its detector next, and for which turn of the camera, as far as is
/// known.
#[derive(Clone, Default)]
pub(super) struct NextDetection(Arc<Next>);

#[derive(Default)]
struct Next {
    message: AtomicU64,
    /// Bits of the turn, rad.
    roll: AtomicU64,
}

impl NextDetection {
    pub(super) fn set(&self, message: u64, roll: f64) {
        self.0.message.store(message, Ordering::Relaxed);
        self.0.roll.store(roll.to_bits(), Ordering::Relaxed);
    }

    fn roll(&self) -> f64 {
        f64::from_bits(self.0.roll.load(Ordering::Relaxed))
    }

    /// Whether that is message `message` if nobody is lost until then.
    fn is(&self, message: u64, interval: u64) -> bool {
        message.checked_sub(self.0.message.load(Ordering::Relaxed)).is_some_and(|after| after.is_multiple_of(interval))
    }
}

/// The detector of the thread that reads ahead.
pub(super) struct DetectAhead {
    detector: DetectorStage,
    network_time: NetworkTime,
    settings: DetectSettings,
    interval: u64,
    next: NextDetection,
    message: u64,
}

impl DetectAhead {
    /// `None` where one network finds people and keypoints at once.
    pub(super) fn new(config: &Config, store: &ModelStore, next: NextDetection) -> Result<Option<Self>, EngineError> {
        let second = engine::second_detector(config, store)?;
        Ok(second.map(|(detector, network_time)| Self {
            detector,
            network_time,
            settings: detect_settings(config),
            interval: u64::from(config.detector.interval),
            next,
            message: 0,
        }))
    }

    /// Takes the next message's picture, where it has one, and looks at it if the pipeline will want that.
    pub(super) fn see(&mut self, picture: Option<&RgbImage>) -> Result<Option<FoundAhead>, NetworkError> {
        let is_wanted = self.next.is(self.message, self.interval);
        self.message += 1;
        let Some(picture) = picture.filter(|_| is_wanted) else { return Ok(None) };
        let began = self.network_time.now();
        let view = LevelView::new(picture.dimensions(), self.next.roll());
        let detections = self.detector.detect(LevelImage { image: picture, view }, &self.settings)?;
        let (took, own) = self.network_time.since(began);
        Ok(Some(FoundAhead { detections, view, took, own }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_goes_on_from_where_the_detector_runs_next() {
        let next = NextDetection::default();
        let wanted = |interval| (0..20).filter(|&message| next.is(message, interval)).collect::<Vec<_>>();
        assert_eq!(wanted(10), [0, 10]);
        next.set(7, 0.0);
        assert_eq!(wanted(10), [7, 17]);
        assert_eq!(wanted(1), (7..20).collect::<Vec<_>>());
    }
}
