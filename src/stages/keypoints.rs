//! A keypoint network's raw output to keypoints in the image, in the internal joint order. Here: direct regression
//! (MoveNet, BlazePose); below: heatmaps and SimCC.

mod heatmap;
mod simcc;

use nalgebra::Point2;

pub use self::heatmap::decode_heatmap;
pub use self::simcc::decode_simcc;
use crate::data::{Keypoint, PersonKeypoints};
use crate::skeleton::KeypointLayout;
use crate::stages::crop::Crop;

/// Values of one BlazePose landmark: x, y, z, visibility logit, presence logit.
const BLAZEPOSE_VALUES: usize = 5;
/// Values of one MoveNet keypoint: row, column, score.
const MOVENET_VALUES: usize = 3;

/// Decodes MoveNet single pose. `output` is 17 × (row, column, score), row and column as fractions of the crop.
/// The person's score is the mean over the keypoints.
pub fn decode_movenet(output: &[f32], layout: KeypointLayout, crop: &Crop) -> PersonKeypoints {
    let (width, height) = (crop.output.width_px as f32, crop.output.height_px as f32);
    let found: Vec<Option<Keypoint>> = output
        .chunks_exact(MOVENET_VALUES)
        .map(|value| keypoint(value[1] * width - 0.5, value[0] * height - 0.5, value[2], crop))
        .collect();
    let score = mean(found.iter().map(|keypoint| keypoint.map_or(0.0, |keypoint| keypoint.score)));
    PersonKeypoints { keypoints: layout.to_internal(&found), score }
}

/// Decodes BlazePose. `landmarks` is 39 × (x, y, z, visibility logit, presence logit) in crop px of which the first 33
/// are body landmarks; `presence` says whether there is a person at all. A landmark's score is the probability that it is
/// in the picture and not hidden.
pub fn decode_blazepose(landmarks: &[f32], presence: f32, layout: KeypointLayout, crop: &Crop) -> PersonKeypoints {
    let found: Vec<Option<Keypoint>> = landmarks
        .chunks_exact(BLAZEPOSE_VALUES)
        .map(|value| {
            let score = sigmoid(value[3]).min(sigmoid(value[4]));
            // Pixel edges at integers in BlazePose, pixel centres in ours.
            keypoint(value[0] - 0.5, value[1] - 0.5, score, crop)
        })
        .collect();
    let score = if presence.is_finite() { presence.clamp(0.0, 1.0) } else { 0.0 };
    PersonKeypoints { keypoints: layout.to_internal(&found), score }
}

/// The crop that BlazePose itself proposes for the next image: landmark 33 is the middle of the hips, landmark 34 lies
/// on the circle around the whole body, straight above for somebody upright; the square is that circle's, a quarter
/// larger (MediaPipe's `pose_landmarks_to_roi`).
pub fn blazepose_next_crop(landmarks: &[f32], crop: &Crop) -> Option<Crop> {
    const ENLARGED: f64 = 1.25;
    let landmark = |index: usize| {
        let value = landmarks.get(index * BLAZEPOSE_VALUES..index * BLAZEPOSE_VALUES + 2)?;
        value
            .iter()
            .all(|value| value.is_finite())
            .then(|| Point2::new(f64::from(value[0]) - 0.5, f64::from(value[1]) - 0.5))
    };
    let (center, rim) = (crop.image_from_crop(landmark(33)?), crop.image_from_crop(landmark(34)?));
    let up = rim - center;
    let side_in_image_px = 2.0 * ENLARGED * up.norm();
    // Straight up in the image is (0, -1): the angle is measured clockwise from there.
    let angle = up.x.atan2(-up.y);
    let scale = side_in_image_px / crop.output.width_px as f64;
    (side_in_image_px > 4.0).then_some(Crop { center_in_image_px: center, scale, angle, output: crop.output })
}

/// A keypoint at (x, y) px of the crop; `None` for what is not finite.
pub(super) fn keypoint(x: f32, y: f32, score: f32, crop: &Crop) -> Option<Keypoint> {
    if !(x.is_finite() && y.is_finite() && score.is_finite()) {
        return None;
    }
    let at = crop.image_from_crop(Point2::new(f64::from(x), f64::from(y)));
    Some(Keypoint { x: at.x as f32, y: at.y as f32, score: score.clamp(0.0, 1.0), spread: None })
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / count as f32 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::PictureSize;
    use crate::skeleton::Joint;

    const CROP: Crop =
        Crop { center_in_image_px: Point2::new(99.5, 199.5), scale: 0.5, angle: 0.0, output: PictureSize::square(200) };

    #[test]
    fn movenet_fractions_become_image_pixels() {
        let mut output = vec![0.5; 51];
        output[30..33].copy_from_slice(&[0.25, 0.75, 0.9]); // right wrist
        let person = decode_movenet(&output, KeypointLayout::Coco17, &CROP);
        let wrist = person.keypoints[Joint::RWrist.index()].unwrap();
        // The crop spans 49.5 to 149.5 horizontally and 149.5 to 249.5 vertically.
        assert!((wrist.x - 124.5).abs() < 1e-3 && (wrist.y - 174.5).abs() < 1e-3, "{wrist:?}");
        assert!((wrist.score - 0.9).abs() < 1e-6);
    }

    #[test]
    fn blazepose_pixels_and_logits_become_image_pixels_and_scores() {
        let mut landmarks = vec![0.0; 195];
        landmarks[27 * 5..28 * 5].copy_from_slice(&[100.0, 50.0, 0.0, 2.0, 5.0]); // left ankle
        landmarks[28 * 5] = f32::NAN; // right ankle
        let person = decode_blazepose(&landmarks, 0.97, KeypointLayout::BlazePose33, &CROP);
        let ankle = person.keypoints[Joint::LAnkle.index()].unwrap();
        assert!((ankle.x - 99.5).abs() < 1e-3 && (ankle.y - 174.5).abs() < 1e-3, "{ankle:?}");
        assert!((ankle.score - 0.880_797).abs() < 1e-5);
        assert_eq!(person.keypoints[Joint::RAnkle.index()], None);
        assert_eq!(person.keypoints[Joint::Spine.index()], None);
    }

    #[test]
    fn the_next_crop_turns_with_the_body() {
        let mut landmarks = vec![0.0; 195];
        landmarks[33 * 5..33 * 5 + 2].copy_from_slice(&[100.0, 100.0]);
        // The head lies to the right of the hips.
        landmarks[34 * 5..34 * 5 + 2].copy_from_slice(&[160.0, 100.0]);
        let next = blazepose_next_crop(&landmarks, &CROP).unwrap();
        assert!((next.angle - std::f64::consts::FRAC_PI_2).abs() < 1e-9);
        assert!((next.scale * 200.0 - 75.0).abs() < 1e-9);
        let head = next.crop_from_image(CROP.image_from_crop(Point2::new(159.5, 99.5)));
        assert!((head.x - 99.5).abs() < 1e-6 && head.y < 99.5, "the head is straight up in the next crop: {head}");
    }
}
