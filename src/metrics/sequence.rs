//! What is compared: the skeletons of a run and the truth, image by image, in the camera optical frame, m.

use std::collections::BTreeMap;

use nalgebra::{Point2, Point3};

use crate::data::{Covariance, JointState, Stamp, TrackId};
use crate::geometry::CameraModel;
use crate::metrics::pose_error::JointPositions;
use crate::skeleton::JointArray;

/// One joint of a result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResultJoint {
    /// Position in the camera optical frame, m.
    pub position_in_camera: Point3<f64>,
    /// Its covariance, m²; `None` where none is stated.
    pub covariance: Option<Covariance>,
    /// Stated probability in [0, 1] that the joint is within 150 mm of the truth; `None` where none is stated.
    pub confidence: Option<f64>,
    /// Where the position came from.
    pub state: JointState,
    /// The keypoint that it rests on, px in the image; `None` where it rests on none.
    pub keypoint_in_image_px: Option<Point2<f64>>,
}

/// One person of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultPerson {
    /// Identity.
    pub track_id: TrackId,
    /// Joints; `None` is absent.
    pub joints: JointArray<Option<ResultJoint>>,
}

impl ResultPerson {
    /// The positions alone.
    pub fn positions(&self) -> JointPositions {
        self.joints.map(|joint| joint.map(|joint| joint.position_in_camera))
    }
}

/// The people of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultImage {
    /// The image's stamp.
    pub stamp: Stamp,
    /// Everybody found, possibly nobody.
    pub people: Vec<ResultPerson>,
}

/// A run: every image of the input in order, those without people, too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultSequence {
    /// The images.
    pub images: Vec<ResultImage>,
    /// The camera, each time that it is another, with the stamp from which on it is that one; empty where it is not known.
    pub cameras: Vec<(Stamp, CameraModel)>,
}

impl ResultSequence {
    /// Median of the times between neighbouring images, s; `None` for fewer than two images.
    pub fn image_interval(&self) -> Option<f64> {
        median_interval(self.images.iter().map(|image| image.stamp))
    }

    /// The camera of the image at `stamp`.
    pub fn camera_at(&self, stamp: Stamp) -> Option<&CameraModel> {
        self.cameras.iter().rev().find(|(since, _)| *since <= stamp).map(|(_, camera)| camera)
    }
}

/// Which image a truth is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageReference {
    /// The image with this place in the recording, from 0.
    Index(usize),
    /// The image with this stamp.
    Stamp(Stamp),
}

/// One person of the truth.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthPerson {
    /// Who, the same in every image.
    pub person: String,
    /// What they do, where the truth says.
    pub action: Option<String>,
    /// Joints; `None` where there is no truth.
    pub joints: JointPositions,
}

/// The truth, by image. An image that is not here has no truth; an image without people is known to be empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TruthSequence {
    /// The people of each image.
    pub images: BTreeMap<ImageReference, Vec<TruthPerson>>,
}

impl TruthSequence {
    /// The same truth with places in the recording replaced by the stamps of the images there. A place beyond the last
    /// stamp stays as it is.
    #[must_use]
    pub fn with_stamps(self, image_stamps: &[Stamp]) -> Self {
        let stamped = |reference| match reference {
            ImageReference::Index(index) => image_stamps.get(index).copied().map_or(reference, ImageReference::Stamp),
            ImageReference::Stamp(_) => reference,
        };
        Self { images: self.images.into_iter().map(|(reference, people)| (stamped(reference), people)).collect() }
    }
}

/// Median of the positive differences of successive stamps, s.
pub(super) fn median_interval(stamps: impl Iterator<Item = Stamp>) -> Option<f64> {
    let stamps: Vec<Stamp> = stamps.collect();
    let mut intervals: Vec<f64> =
        stamps.windows(2).map(|pair| pair[1].seconds_since(pair[0])).filter(|&interval| interval > 0.0).collect();
    intervals.sort_by(f64::total_cmp);
    intervals.get(intervals.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_stamps() {
        let stamps = [7, 8].map(Stamp::from_nanoseconds);
        let keys = [ImageReference::Index(1), ImageReference::Index(5), ImageReference::Stamp(stamps[0])];
        let truth = TruthSequence { images: keys.into_iter().map(|key| (key, Vec::new())).collect() };
        let expected = [ImageReference::Index(5), ImageReference::Stamp(stamps[0]), ImageReference::Stamp(stamps[1])];
        assert_eq!(truth.with_stamps(&stamps).images.into_keys().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_interval_is_the_median_and_ignores_steps_back() {
        let image = |ns| ResultImage { stamp: Stamp::from_nanoseconds(ns), people: Vec::new() };
        let of = |stamps: &[i64]| {
            ResultSequence { images: stamps.iter().copied().map(image).collect(), ..ResultSequence::default() }
                .image_interval()
        };
        assert_eq!(of(&[0, 100_000_000, 200_000_000, 900_000_000, 0, 100_000_000]), Some(0.1));
        assert_eq!((of(&[5]), of(&[])), (None, None));
    }
}
