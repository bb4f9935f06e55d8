//! Single-stage networks: people, each with a box and keypoints, from one look at a picture.
//!
//! * **YOLO pose** (YOLOv8-pose, YOLO11-pose; Ultralytics' export without its own NMS): `[5 + 3 k, anchors]`, all centre x
//!   first, then centre y, width, height (px of the picture), the person's score, and x, y, score of each keypoint.
//! * **MoveNet multipose**: `[6, 56]`, each 17 × (row, column, score), then top, left, bottom, right of the box, all as
//!   fractions of the picture, and the person's score.
//!
//! The picture is a letterboxed image, or a crop around one person of whom [`best_match`] then finds the right one.

use crate::data::{BoundingBox, Detection, Keypoint, PersonKeypoints};
use crate::skeleton::KeypointLayout;
use crate::stages::crop::Crop;
use crate::stages::detect::{DetectSettings, centred, on_image, suppress};
use crate::stages::keypoints::keypoint;

/// Values of a YOLO pose anchor before the keypoints.
const BOX_VALUES: usize = 5;
/// Values of one of YOLO's or MoveNet's keypoints.
const KEYPOINT_VALUES: usize = 3;
/// Values of one of MoveNet's people.
const MOVENET_VALUES: usize = 56;
/// Where a person's box begins there.
const MOVENET_BOX: usize = 51;

/// A person's box and keypoints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FoundPerson {
    /// The box.
    pub detection: Detection,
    /// The keypoints; their person score is the box's.
    pub keypoints: PersonKeypoints,
}

/// Decodes YOLO pose. Values that are not finite are no person, or a keypoint that was not found. People come by falling
/// score, without those whose boxes overlap a better one's.
pub fn decode_yolo_pose(
    output: &[f32],
    layout: KeypointLayout,
    crop: &Crop,
    image_size: (u32, u32),
    settings: &DetectSettings,
) -> Vec<FoundPerson> {
    let anchors = output.len() / yolo_pose_values(layout);
    let row = |index: usize| output.get(index * anchors..(index + 1) * anchors).unwrap_or(&[]);
    let mut found = Vec::new();
    for (anchor, &score) in row(BOX_VALUES - 1).iter().enumerate() {
        // False for NaN as well.
        if !(score >= settings.score_threshold) {
            continue;
        }
        let [x, y, width, height] = std::array::from_fn(|index| row(index)[anchor]);
        // Pixel edges at integers in Ultralytics', pixel centres in ours.
        let keypoints = (0..layout.keypoint_count()).map(|index| {
            let [x, y, score] = std::array::from_fn(|value| row(BOX_VALUES + KEYPOINT_VALUES * index + value)[anchor]);
            keypoint(x - 0.5, y - 0.5, score, crop)
        });
        let corners = centred(x, y, width, height);
        found.extend(person(corners, score, &keypoints.collect::<Vec<_>>(), layout, crop, image_size));
    }
    suppress(found, |person| &person.detection, settings)
}

/// Values of a YOLO pose anchor.
pub const fn yolo_pose_values(layout: KeypointLayout) -> usize {
    BOX_VALUES + KEYPOINT_VALUES * layout.keypoint_count()
}

/// Decodes MoveNet multipose. Values that are not finite are no person, or a keypoint that was not found. People come by
/// falling score, without those whose boxes overlap a better one's.
pub fn decode_movenet_multipose(
    output: &[f32],
    layout: KeypointLayout,
    crop: &Crop,
    image_size: (u32, u32),
    settings: &DetectSettings,
) -> Vec<FoundPerson> {
    let (width, height) = (crop.output.width_px as f32, crop.output.height_px as f32);
    let mut found = Vec::new();
    for values in output.chunks_exact(MOVENET_VALUES) {
        let score = values[MOVENET_VALUES - 1];
        // False for NaN as well.
        if !(score >= settings.score_threshold) {
            continue;
        }
        let keypoints: Vec<_> = values[..MOVENET_BOX]
            .chunks_exact(KEYPOINT_VALUES)
            .map(|value| keypoint(value[1] * width - 0.5, value[0] * height - 0.5, value[2], crop))
            .collect();
        let [top, left, bottom, right] = std::array::from_fn(|index| values[MOVENET_BOX + index]);
        let corners = [left * width, top * height, right * width, bottom * height];
        found.extend(person(corners, score, &keypoints, layout, crop, image_size));
    }
    suppress(found, |person| &person.detection, settings)
}

fn person(
    corners: [f32; 4],
    score: f32,
    keypoints: &[Option<Keypoint>],
    layout: KeypointLayout,
    crop: &Crop,
    image_size: (u32, u32),
) -> Option<FoundPerson> {
    let detection = on_image(corners, score, crop, image_size)?;
    let keypoints = PersonKeypoints { keypoints: layout.to_internal(keypoints), score: detection.score };
    Some(FoundPerson { detection, keypoints })
}

/// Of everybody in a crop the one who was searched for: the largest product of score and overlap with the box. `None`
/// where nobody overlaps it.
pub fn best_match<'a>(people: &'a [FoundPerson], bbox_in_image_px: &BoundingBox) -> Option<&'a FoundPerson> {
    let fit = |person: &FoundPerson| person.detection.score * person.detection.bbox_in_image_px.iou(bbox_in_image_px);
    people.iter().filter(|person| fit(person) > 0.0).max_by(|a, b| fit(a).total_cmp(&fit(b)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::{PictureSize, Placement};
    use crate::skeleton::Joint;

    const SETTINGS: DetectSettings = DetectSettings { score_threshold: 0.3, nms_iou: 0.5, max_people: 10 };
    const IMAGE: (u32, u32) = (640, 320);

    /// A 640 x 320 image in the middle of 320 x 320 px: half the size, 80 px further down.
    fn letterbox() -> Crop {
        Crop::letterbox(IMAGE, PictureSize::square(320), Placement::Centre)
    }

    /// Three anchors with the given box and score; each keypoint at the box's centre, score 0.5.
    fn yolo(people: [[f32; 5]; 3]) -> Vec<f32> {
        let mut output = vec![0.0; 56 * 3];
        for (anchor, values) in people.iter().enumerate() {
            for row in 0..5 {
                output[row * 3 + anchor] = values[row];
            }
            for keypoint in 0..17 {
                for (row, value) in [values[0], values[1], 0.5].into_iter().enumerate() {
                    output[(5 + 3 * keypoint + row) * 3 + anchor] = value;
                }
            }
        }
        output
    }

    fn decode(output: &[f32]) -> Vec<FoundPerson> {
        decode_yolo_pose(output, KeypointLayout::Coco17, &letterbox(), IMAGE, &SETTINGS)
    }

    #[test]
    fn an_anchor_becomes_a_person_and_its_double_goes() {
        let found = decode(&yolo([
            [100.0, 150.0, 40.0, 60.0, 0.8],
            [101.0, 150.0, 40.0, 60.0, 0.9],
            [200.0, 150.0, 40.0, 60.0, 0.2],
        ]));
        assert_eq!(found.len(), 1);
        let FoundPerson { detection: Detection { bbox_in_image_px: bbox, score }, keypoints } = found[0];
        for (value, expected) in [(bbox.x_min, 161.5), (bbox.x_max, 241.5), (bbox.y_min, 79.5), (bbox.y_max, 199.5)] {
            assert!((value - expected).abs() < 1e-3, "{bbox:?}");
        }
        assert!((score - 0.9).abs() < 1e-6 && (keypoints.score - 0.9).abs() < 1e-6);
        let ankle = keypoints.keypoints[Joint::RAnkle.index()].unwrap();
        assert!((ankle.x - 201.5).abs() < 1e-3 && (ankle.y - 139.5).abs() < 1e-3 && ankle.score == 0.5, "{ankle:?}");
    }

    #[test]
    fn what_is_not_finite_is_nobody_or_not_seen() {
        let nan = f32::NAN;
        let mut output = yolo([[nan; 5], [100.0, nan, 40.0, 60.0, 0.9], [200.0, 150.0, 40.0, 60.0, 0.8]]);
        output[(5 + 3 * 16) * 3 + 2] = f32::INFINITY;
        let found = decode(&output);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].keypoints.keypoints[Joint::RAnkle.index()], None);
        assert!(found[0].keypoints.keypoints[Joint::LAnkle.index()].is_some());
        assert!(decode(&[]).is_empty());
        assert!(
            decode_movenet_multipose(&[nan; 336], KeypointLayout::Coco17, &letterbox(), IMAGE, &SETTINGS).is_empty()
        );
    }

    #[test]
    fn movenet_fractions_become_image_pixels() {
        let mut output = vec![0.0; 6 * MOVENET_VALUES];
        let someone = &mut output[MOVENET_VALUES..2 * MOVENET_VALUES];
        someone[3 * 16..3 * 17].copy_from_slice(&[0.5, 0.25, 0.7]);
        someone[MOVENET_BOX..].copy_from_slice(&[0.3, 0.2, 0.6, 0.4, 0.85]);
        let found = decode_movenet_multipose(&output, KeypointLayout::Coco17, &letterbox(), IMAGE, &SETTINGS);
        assert_eq!(found.len(), 1);
        let bbox = found[0].detection.bbox_in_image_px;
        for (value, expected) in [(bbox.x_min, 127.5), (bbox.x_max, 255.5), (bbox.y_min, 31.5), (bbox.y_max, 223.5)] {
            assert!((value - expected).abs() < 1e-3, "{bbox:?}");
        }
        let ankle = found[0].keypoints.keypoints[Joint::RAnkle.index()].unwrap();
        assert!((ankle.x - 159.5).abs() < 1e-3 && (ankle.y - 159.5).abs() < 1e-3, "{ankle:?}");
    }

    #[test]
    fn of_two_people_the_one_who_is_searched_for_is_taken() {
        let found = decode(&yolo([[100.0, 150.0, 40.0, 60.0, 0.9], [150.0, 150.0, 40.0, 60.0, 0.5], [0.0; 5]]));
        let bbox = BoundingBox { x_min: 255.0, x_max: 345.0, y_min: 80.0, y_max: 200.0 };
        assert!((best_match(&found, &bbox).unwrap().detection.score - 0.5).abs() < 1e-6);
        let elsewhere = BoundingBox { x_min: 500.0, x_max: 600.0, ..bbox };
        assert_eq!(best_match(&found, &elsewhere), None);
    }
}
