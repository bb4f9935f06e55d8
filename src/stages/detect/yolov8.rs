//! YOLOv8, YOLO11 and their like (Ultralytics' export without its own NMS): `[4 + classes, anchors]`, all centre x first,
//! then centre y, width, height (letterbox px) and the score of each class.

use super::{DetectSettings, PERSON, on_image, suppress};
use crate::data::Detection;
use crate::stages::crop::Crop;

/// Values before the class scores.
const BOX_VALUES: usize = 4;

/// Decodes YOLOv8. `output` is `[4 + classes, anchors]`; a person's score is its class's, whatever the other classes say.
/// Values that are not finite are no detection. Boxes come in image px, clipped to the image, by falling score.
pub fn decode_yolov8(
    output: &[f32],
    classes: usize,
    letterbox: &Crop,
    image_size: (u32, u32),
    settings: &DetectSettings,
) -> Vec<Detection> {
    let anchors = output.len() / (BOX_VALUES + classes);
    let row = |index: usize| output.get(index * anchors..(index + 1) * anchors).unwrap_or(&[]);
    let mut found = Vec::new();
    for (anchor, &score) in row(BOX_VALUES + PERSON).iter().enumerate() {
        // False for NaN as well.
        if score >= settings.score_threshold {
            let [x, y, width, height] = std::array::from_fn(|index| row(index)[anchor]);
            found.extend(on_image(centred(x, y, width, height), score, letterbox, image_size));
        }
    }
    suppress(found, |detection| detection, settings)
}

/// Left, top, right and bottom of a box with its centre and size.
pub(in crate::stages) fn centred(x: f32, y: f32, width: f32, height: f32) -> [f32; 4] {
    [x - 0.5 * width, y - 0.5 * height, x + 0.5 * width, y + 0.5 * height]
}
