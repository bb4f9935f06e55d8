//! Finding people: a detector's raw output to boxes in the image. Here: YOLOX; below: CenterNet, YOLOv8 and RTMDet.
//!
//! YOLOX (Ge et al. 2021, arXiv 2107.08430): on the grid of each stride s, cell (column, row), the output is
//! x, y, ln w, ln h in strides, objectness and class scores. Centre = (x + column) s, size = exp(·) s, all in letterbox
//! px; score = objectness × class. Overlapping boxes are thinned greedily by score (non-maximum suppression).

mod center_heatmap;
mod rtmdet;
mod yolov8;

use nalgebra::Point2;

pub use self::center_heatmap::decode_center_heatmap;
pub use self::rtmdet::decode_rtmdet;
pub(super) use self::yolov8::centred;
pub use self::yolov8::decode_yolov8;

use crate::data::{BoundingBox, Detection};
use crate::stages::crop::Crop;

/// Which detections are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectSettings {
    /// Lower scores are dropped.
    pub score_threshold: f32,
    /// Of two boxes with a larger intersection over union the lower score is dropped.
    pub nms_iou: f32,
    /// At most this many, highest scores first.
    pub max_people: usize,
}

/// COCO's class of people.
const PERSON: usize = 0;
/// Values before the class scores.
const BOX_VALUES: usize = 5;

/// Decodes YOLOX. `output` is `[anchors, 5 + classes]`; values that are not finite are no detection. Boxes come in
/// image px, clipped to the image, by falling score.
pub fn decode_yolox(
    output: &[f32],
    strides: &[usize],
    classes: usize,
    letterbox: &Crop,
    image_size: (u32, u32),
    settings: &DetectSettings,
) -> Vec<Detection> {
    let mut found = Vec::new();
    let mut anchors = output.chunks_exact(BOX_VALUES + classes);
    for &stride in strides {
        let (columns, rows) = (letterbox.output.width_px / stride, letterbox.output.height_px / stride);
        for (cell, anchor) in anchors.by_ref().take(columns * rows).enumerate() {
            let score = anchor[4] * anchor[BOX_VALUES + PERSON];
            // False for NaN as well.
            if !(score >= settings.score_threshold) {
                continue;
            }
            let stride = stride as f32;
            let x = (anchor[0] + (cell % columns) as f32) * stride;
            let y = (anchor[1] + (cell / columns) as f32) * stride;
            let (half_width, half_height) = (0.5 * anchor[2].exp() * stride, 0.5 * anchor[3].exp() * stride);
            let corners = [x - half_width, y - half_height, x + half_width, y + half_height];
            found.extend(on_image(corners, score, letterbox, image_size));
        }
    }
    suppress(found, |detection| detection, settings)
}

/// A box (left, top, right, bottom in px of the picture) as a detection in the image, clipped to it; `None` for what is not
/// finite or outside. Every family's boxes have the left edge of the first pixel at 0; ours have its centre there.
pub(super) fn on_image(
    [left, top, right, bottom]: [f32; 4],
    score: f32,
    crop: &Crop,
    image_size: (u32, u32),
) -> Option<Detection> {
    // False for NaN as well.
    if !(left < right && top < bottom) {
        return None;
    }
    let corner = |x: f32, y: f32| crop.image_from_crop(Point2::new(f64::from(x) - 0.5, f64::from(y) - 0.5));
    let bbox = clipped([corner(left, top), corner(right, bottom)], image_size);
    (bbox.area() > 0.0 && bbox.area().is_finite())
        .then(|| Detection { bbox_in_image_px: bbox, score: score.clamp(0.0, 1.0) })
}

/// The part of a box that lies in the image, from two opposite corners.
fn clipped(corners: [Point2<f64>; 2], (width, height): (u32, u32)) -> BoundingBox {
    let clip = |value: f64, size: u32| value.clamp(-0.5, f64::from(size) - 0.5) as f32;
    BoundingBox::around(corners.map(|corner| (clip(corner.x, width), clip(corner.y, height))))
}

/// Greedy non-maximum suppression of whatever has a detection.
pub(super) fn suppress<T>(
    mut found: Vec<T>,
    detection: impl Fn(&T) -> &Detection,
    settings: &DetectSettings,
) -> Vec<T> {
    found.sort_by(|a, b| detection(b).score.total_cmp(&detection(a).score));
    let mut kept: Vec<T> = Vec::new();
    for candidate in found {
        if kept.len() == settings.max_people {
            break;
        }
        let bbox = detection(&candidate).bbox_in_image_px;
        if !kept.iter().any(|other| detection(other).bbox_in_image_px.iou(&bbox) > settings.nms_iou) {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Turn;
    use crate::model::{PictureSize, Placement};

    const SETTINGS: DetectSettings = DetectSettings { score_threshold: 0.4, nms_iou: 0.45, max_people: 10 };

    /// One stride of 32 on a 64 px letterbox of a 128 px image: four anchors of one class.
    fn decode(anchors: [[f32; 6]; 4]) -> Vec<Detection> {
        decode_yolox(
            &anchors.concat(),
            &[32],
            1,
            &Crop::letterbox((128, 128), PictureSize::square(64), Placement::TopLeft),
            (128, 128),
            &SETTINGS,
        )
    }

    const NOTHING: [f32; 6] = [0.0; 6];

    #[test]
    fn a_cell_becomes_a_box_in_the_image() {
        // Cell (1, 0), centre at (1.5, 0.5) strides = (48, 16) px, size 32 x 16 px in the letterbox; twice that outside.
        let found = decode([NOTHING, [0.5, 0.5, 0.0, 0.5_f32.ln(), 0.9, 0.8], NOTHING, NOTHING]);
        assert_eq!(found.len(), 1);
        let bbox = found[0].bbox_in_image_px;
        for (value, expected) in [(bbox.x_min, 63.5), (bbox.x_max, 127.5), (bbox.y_min, 15.5), (bbox.y_max, 47.5)] {
            assert!((value - expected).abs() < 1e-3, "{bbox:?}");
        }
        assert!((found[0].score - 0.72).abs() < 1e-6);
    }

    #[test]
    fn of_two_overlapping_boxes_the_better_stays() {
        let found = decode([[0.5, 0.5, 0.0, 0.0, 0.9, 0.9], [-0.4, 0.5, 0.0, 0.0, 0.9, 1.0], NOTHING, NOTHING]);
        assert_eq!(found.len(), 1);
        assert!((found[0].score - 0.9).abs() < 1e-6);
    }

    #[test]
    fn yolov8_and_rtmdet_boxes_become_boxes_in_the_image() {
        let letterbox = Crop::letterbox((128, 64), PictureSize::square(64), Placement::Centre);
        // Two anchors of two classes, value by value; the second is no person.
        let yolov8 = [[32.0, 10.0], [32.0, 30.0], [20.0, 8.0], [16.0, 8.0], [0.8, 0.1], [0.9, 0.9]].concat();
        let rtmdet = [[22.0, 24.0, 42.0, 40.0, 0.8], [0.0, 20.0, 10.0, 40.0, 0.9]].concat();
        for found in [
            decode_yolov8(&yolov8, 2, &letterbox, (128, 64), &SETTINGS),
            decode_rtmdet(&rtmdet, &[0.0, 1.0], &letterbox, (128, 64), &SETTINGS),
        ] {
            assert_eq!(found.len(), 1);
            let bbox = found[0].bbox_in_image_px;
            for (value, expected) in [(bbox.x_min, 43.5), (bbox.x_max, 83.5), (bbox.y_min, 15.5), (bbox.y_max, 47.5)] {
                assert!((value - expected).abs() < 1e-3, "{bbox:?}");
            }
            assert!((found[0].score - 0.8).abs() < 1e-6);
        }
        let nan = f32::NAN;
        assert!(decode_yolov8(&[nan; 12], 2, &letterbox, (128, 64), &SETTINGS).is_empty());
        assert!(decode_yolov8(&[nan, nan, nan, nan, 0.9], 1, &letterbox, (128, 64), &SETTINGS).is_empty());
        assert!(decode_rtmdet(&[nan; 10], &[0.0, nan], &letterbox, (128, 64), &SETTINGS).is_empty());
        assert!(decode_rtmdet(&[nan, 0.0, 9.0, 9.0, 0.9], &[0.0], &letterbox, (128, 64), &SETTINGS).is_empty());
        assert!(decode_rtmdet(&[], &[], &letterbox, (128, 64), &SETTINGS).is_empty());
    }

    #[test]
    fn boxes_of_a_turned_picture_lie_in_the_image() {
        let size = PictureSize::square(80);
        let place = |turn| {
            let crop = Crop::turned_letterbox((80, 40), size, Placement::TopLeft, turn);
            on_image([5.0, 10.0, 25.0, 60.0], 0.5, &crop, (80, 40)).map(|found| found.bbox_in_image_px)
        };
        let bbox = |x_min, y_min, x_max, y_max| Some(BoundingBox { x_min, y_min, x_max, y_max });
        let near =
            |a: Option<BoundingBox>, b: Option<BoundingBox>| matches!((a, b), (Some(a), Some(b)) if a.iou(&b) > 0.999);
        // Up in the picture is right in the image, left in the picture is up.
        assert!(near(place(Turn::HeadRight), bbox(19.5, 4.5, 69.5, 24.5)), "{:?}", place(Turn::HeadRight));
        assert!(near(place(Turn::HeadLeft), bbox(9.5, 14.5, 59.5, 34.5)), "{:?}", place(Turn::HeadLeft));
        let inverted =
            on_image([25.0, 10.0, 5.0, 60.0], 0.5, &Crop::letterbox((80, 40), size, Placement::TopLeft), (80, 40));
        assert_eq!(inverted, None);
    }

    #[test]
    fn values_that_are_not_finite_are_no_detection() {
        let nan = f32::NAN;
        assert!(
            decode([[nan; 6], [0.0, 0.0, f32::INFINITY, nan, 0.9, 0.9], NOTHING, [0.5, 0.5, 0.0, 0.0, nan, 1.0]])
                .is_empty()
        );
    }
}
