//! Crop, detector and keypoint decoding against an independent implementation (tests/goldens/two_d_reference.py, where the
//! tolerances and their reasons are).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use image::{Rgb, RgbImage};
use nalgebra::Point2;
use serde::Deserialize;
use stridepose::data::{KeypointsInImage, PersonKeypoints};
use stridepose::model::{Colour, ImageElement, ImageInput, ImageLayout, PictureSize, Placement};
use stridepose::skeleton::{Joint, KeypointLayout};
use stridepose::stages::crop::Crop;
use stridepose::stages::detect::{DetectSettings, decode_yolox};
use stridepose::stages::keypoints::{blazepose_next_crop, decode_blazepose, decode_movenet};

const BILINEAR_TOLERANCE: f32 = 0.02;
const SHRUNK_TOLERANCE: f32 = 16.0;
const SHRUNK_MEAN_TOLERANCE: f32 = 1.5;
const PIXEL_TOLERANCE: f64 = 0.01;

#[derive(Deserialize)]
struct Golden {
    crops: Vec<CropCase>,
    yolox: YoloxCase,
    keypoints: KeypointCases,
}

#[derive(Deserialize)]
struct CropCase {
    image_size: (u32, u32),
    center: [f64; 2],
    side: f64,
    angle: f64,
    output_side: usize,
    is_shrunk: bool,
    speed: f64,
    rgb: Vec<f32>,
}

#[derive(Deserialize)]
struct YoloxCase {
    side: usize,
    strides: Vec<usize>,
    classes: usize,
    image_size: (u32, u32),
    score_threshold: f32,
    nms_iou: f32,
    output: Vec<f32>,
    boxes: Vec<[f32; 4]>,
    scores: Vec<f32>,
}

#[derive(Deserialize)]
struct KeypointCases {
    center: [f64; 2],
    side: f64,
    angle: f64,
    movenet: MovenetCase,
    blazepose: BlazeposeCase,
}

#[derive(Deserialize)]
struct MovenetCase {
    output: Vec<f32>,
    xy: Vec<[f64; 2]>,
    scores: Vec<f32>,
    person_score: f32,
}

#[derive(Deserialize)]
struct BlazeposeCase {
    output: Vec<f32>,
    xy: Vec<[f64; 2]>,
    scores: Vec<f32>,
    next_center: [f64; 2],
    next_side: f64,
    next_angle: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("goldens/two_d_reference.json")).unwrap()
}

fn input(element_type: ImageElement, layout: ImageLayout, colour: Colour) -> ImageInput {
    ImageInput {
        name: String::new(),
        element_type,
        layout,
        colour,
        size: PictureSize::square(16),
        placement: Placement::TopLeft,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        outside: 114,
    }
}

/// The picture of two_d_reference.py.
fn picture((width, height): (u32, u32), speed: f64) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let waves = [0.31 * x + 0.17 * y, 0.11 * x - 0.23 * y + 1.0, 0.05 * x * y / 8.0 + 2.0];
        Rgb(waves.map(|wave| (127.5 + 127.0 * (speed * wave).sin()).floor() as u8))
    })
}

fn crop(center: [f64; 2], side_in_image_px: f64, angle: f64, output_side_px: usize) -> Crop {
    Crop::square(Point2::new(center[0], center[1]), side_in_image_px, angle, output_side_px)
}

#[test]
fn crops_are_the_references() {
    for (number, case) in golden().crops.iter().enumerate() {
        let crop = crop(case.center, case.side, case.angle, case.output_side);
        let image = picture(case.image_size, case.speed);
        let pixels = case.output_side * case.output_side;
        let (mut rows, mut planes, mut bytes) = (vec![0.0; 3 * pixels], vec![0.0; 3 * pixels], vec![0; 3 * pixels]);
        crop.sample_f32(&image, &input(ImageElement::F32, ImageLayout::Nhwc, Colour::Rgb), &mut rows);
        crop.sample_f32(&image, &input(ImageElement::F32, ImageLayout::Nchw, Colour::Bgr), &mut planes);
        crop.sample_u8(&image, &input(ImageElement::U8, ImageLayout::Nhwc, Colour::Rgb), &mut bytes);
        let tolerance = if case.is_shrunk { SHRUNK_TOLERANCE } else { BILINEAR_TOLERANCE };
        let (mut farthest, mut sum) = (0.0_f32, 0.0);
        for (at, &wanted) in case.rgb.iter().enumerate() {
            farthest = farthest.max((rows[at] - wanted).abs());
            sum += (rows[at] - wanted).abs();
            let (pixel, channel) = (at / 3, at % 3);
            // The other layout, colour order and element type hold the same values.
            assert!((planes[(2 - channel) * pixels + pixel] - rows[at]).abs() < 1e-4, "crop {number} value {at}");
            assert!((f32::from(bytes[at]) - rows[at]).abs() <= 0.501, "crop {number} value {at}");
        }
        assert!(farthest < tolerance, "crop {number} is {farthest} of 255 off, allowed {tolerance}");
        let mean = sum / case.rgb.len() as f32;
        assert!(mean < SHRUNK_MEAN_TOLERANCE, "crop {number} is {mean} of 255 off in the mean");
    }
}

#[test]
fn yolox_boxes_are_the_references() {
    let YoloxCase { side, strides, classes, image_size, score_threshold, nms_iou, output, boxes, scores } =
        golden().yolox;
    let letterbox = Crop::letterbox(image_size, PictureSize::square(side), Placement::TopLeft);
    let settings = DetectSettings { score_threshold, nms_iou, max_people: 50 };
    let found = decode_yolox(&output, &strides, classes, &letterbox, image_size, &settings);
    assert_eq!(found.len(), boxes.len());
    for (number, ((found, wanted), score)) in found.iter().zip(&boxes).zip(&scores).enumerate() {
        let bbox = found.bbox_in_image_px;
        for (value, wanted) in [bbox.x_min, bbox.y_min, bbox.x_max, bbox.y_max].iter().zip(wanted) {
            assert!(f64::from((value - wanted).abs()) < PIXEL_TOLERANCE, "box {number}: {bbox:?} against {wanted}");
        }
        assert!((found.score - score).abs() < 1e-5, "box {number}: score {} against {score}", found.score);
    }
    let best_two =
        decode_yolox(&output, &strides, classes, &letterbox, image_size, &DetectSettings { max_people: 2, ..settings });
    assert_eq!(best_two, found[..2]);
}

fn assert_same(keypoints: &KeypointsInImage, layout: KeypointLayout, xy: &[[f64; 2]], scores: &[f32]) {
    for joint in Joint::ALL {
        let found = keypoints[joint.index()];
        let Some(index) = layout.index_of(joint) else {
            assert_eq!(found, None, "{joint:?}");
            continue;
        };
        let found = found.unwrap();
        let apart = (f64::from(found.x) - xy[index][0]).hypot(f64::from(found.y) - xy[index][1]);
        assert!(apart < PIXEL_TOLERANCE, "{joint:?} is {apart} px off");
        assert!((found.score - scores[index]).abs() < 1e-5, "{joint:?}: {} against {}", found.score, scores[index]);
    }
}

#[test]
fn keypoints_are_the_references() {
    let KeypointCases { center, side, angle, movenet, blazepose } = golden().keypoints;
    let PersonKeypoints { keypoints, score } =
        decode_movenet(&movenet.output, KeypointLayout::Coco17, &crop(center, side, angle, 192));
    assert_same(&keypoints, KeypointLayout::Coco17, &movenet.xy, &movenet.scores);
    assert!((score - movenet.person_score).abs() < 1e-5);

    let square = crop(center, side, angle, 256);
    let person = decode_blazepose(&blazepose.output, 0.75, KeypointLayout::BlazePose33, &square);
    assert_same(&person.keypoints, KeypointLayout::BlazePose33, &blazepose.xy, &blazepose.scores);
    assert!((person.score - 0.75).abs() < 1e-6);

    let next = blazepose_next_crop(&blazepose.output, &square).unwrap();
    let apart = next.center_in_image_px - Point2::new(blazepose.next_center[0], blazepose.next_center[1]);
    assert!(apart.norm() < PIXEL_TOLERANCE, "{apart}");
    assert!((256.0 * next.scale - blazepose.next_side).abs() < 2.0 * PIXEL_TOLERANCE);
    // A turn is the same after a full one.
    assert!((next.angle - blazepose.next_angle).sin().abs() < 1e-4 && (next.angle - blazepose.next_angle).cos() > 0.9);
}
