//! RTMDet, and whatever MMDeploy exports with its NMS inside (RTMPose's YOLOX): `dets` `[n, 5]`, each left, top, right,
//! bottom (letterbox px) and score, and `labels` `[n]`.

use super::{DetectSettings, PERSON, on_image, suppress};
use crate::data::Detection;
use crate::stages::crop::Crop;

/// Values of one box.
const BOX_VALUES: usize = 5;

/// Decodes RTMDet. `boxes` is `[n, 5]`, `labels` `[n]`; rows that are not finite, or no person, are no detection. The boxes
/// are thinned once more with `settings`: that of the graph has its own limits. They come in image px, clipped to the
/// image, by falling score.
pub fn decode_rtmdet(
    boxes: &[f32],
    labels: &[f32],
    letterbox: &Crop,
    image_size: (u32, u32),
    settings: &DetectSettings,
) -> Vec<Detection> {
    let people = boxes.chunks_exact(BOX_VALUES).zip(labels).filter(|(_, label)| **label == PERSON as f32);
    // False for NaN as well.
    let found = people
        .filter(|(row, _)| row[4] >= settings.score_threshold)
        .filter_map(|(row, _)| on_image([row[0], row[1], row[2], row[3]], row[4], letterbox, image_size))
        .collect();
    suppress(found, |detection| detection, settings)
}
