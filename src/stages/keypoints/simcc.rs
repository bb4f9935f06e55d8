//! Keypoints from SimCC (Li et al. 2022, arXiv 2107.03332; RTMPose, arXiv 2303.07399): for each keypoint one vector over
//! the columns of the crop and one over its rows, `split_ratio` bins a pixel; each coordinate is the highest bin's.
//!
//! Bin b is crop px b / ratio. The score is the lower of the two highest values, as in MMPose: a keypoint is as sure as its
//! less sure coordinate. The values are no distribution (RTMPose is trained through a sharpened softmax), so that their
//! width says nothing about the error and no spread is given.

use super::{keypoint, mean};
use crate::data::{Keypoint, PersonKeypoints};
use crate::skeleton::KeypointLayout;
use crate::stages::crop::Crop;

/// Decodes one person's SimCC vectors, `x` `[keypoints, x_bins]` and `y` `[keypoints, y_bins]`, where a crop of w x h px
/// has w and h times `split_ratio` bins. A vector with a value that is not finite, or without a positive one, is a keypoint
/// that was not found. The person's score is the mean over the keypoints.
pub fn decode_simcc(x: &[f32], y: &[f32], split_ratio: f64, layout: KeypointLayout, crop: &Crop) -> PersonKeypoints {
    let bins = |pixels: usize| ((pixels as f64 * split_ratio).round() as usize).max(1);
    let pixel = |bin: usize| (bin as f64 / split_ratio) as f32;
    let found: Vec<Option<Keypoint>> = x
        .chunks_exact(bins(crop.output.width_px))
        .zip(y.chunks_exact(bins(crop.output.height_px)))
        .map(|(x, y)| {
            let ((column, across), (row, down)) = (highest(x)?, highest(y)?);
            keypoint(pixel(column), pixel(row), across.min(down), crop)
        })
        .collect();
    let score = mean(found.iter().map(|keypoint| keypoint.map_or(0.0, |keypoint| keypoint.score)));
    PersonKeypoints { keypoints: layout.to_internal(&found), score }
}

/// The highest bin, the first of several, with its value; `None` unless all are finite and that one is positive.
fn highest(values: &[f32]) -> Option<(usize, f32)> {
    let (mut bin, mut peak, mut zero) = (0, 0.0, 0.0);
    for (index, &value) in values.iter().enumerate() {
        if value > peak {
            (bin, peak) = (index, value);
        }
        // Stays zero as long as all are finite.
        zero += value * 0.0;
    }
    (peak > 0.0 && zero == 0.0).then_some((bin, peak))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nalgebra::Point2;

    use super::*;
    use crate::model::PictureSize;
    use crate::skeleton::Joint;

    const CROP: Crop = Crop {
        center_in_image_px: Point2::new(95.5, 127.5),
        scale: 1.0,
        angle: 0.0,
        output: PictureSize { width_px: 192, height_px: 256 },
    };

    fn decode(change: impl Fn(&mut [f32], &mut [f32])) -> Option<Keypoint> {
        let (mut x, mut y) = (vec![0.01; 17 * 384], vec![0.01; 17 * 512]);
        change(&mut x[10 * 384..11 * 384], &mut y[10 * 512..11 * 512]);
        decode_simcc(&x, &y, 2.0, KeypointLayout::Coco17, &CROP).keypoints[Joint::RWrist.index()]
    }

    #[test]
    fn bins_become_pixels_and_the_lower_peak_is_the_score() {
        let found = decode(|x, y| (x[201], y[300]) = (0.9, 0.6)).unwrap();
        assert!((found.x - 100.5).abs() < 1e-4 && (found.y - 150.0).abs() < 1e-4, "{found:?}");
        assert!((found.score - 0.6).abs() < 1e-6 && found.spread.is_none());
    }

    #[test]
    fn what_is_not_finite_or_not_positive_is_not_seen() {
        assert_eq!(decode(|x, _| x[3] = f32::NAN), None);
        assert_eq!(decode(|_, y| y[3] = f32::INFINITY), None);
        assert_eq!(decode(|x, _| x.fill(-0.5)), None);
        assert!(decode_simcc(&[], &[], 2.0, KeypointLayout::Coco17, &CROP).score == 0.0);
    }
}
