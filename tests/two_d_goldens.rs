//! The crop and the detector's decoder against OpenCV; see `tests/goldens/crop.py` and `yolox.py`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use image::{Rgb, RgbImage};
use nalgebra::Point2;
use serde::Deserialize;
use stridepose::model::{Colour, ImageElement, ImageInput, ImageLayout, PictureSize, Placement};
use stridepose::stages::crop::Crop;
use stridepose::stages::detect::{DetectSettings, decode_yolox};

#[derive(Deserialize)]
struct CropGolden {
    width: u32,
    height: u32,
    outside: u8,
    cases: Vec<CropCase>,
}

#[derive(Deserialize)]
struct CropCase {
    center: [f64; 2],
    side: f64,
    angle: f64,
    output: usize,
    tolerance: f32,
    rgb: Vec<u8>,
}

#[test]
fn crops_are_those_of_opencv() {
    let golden: CropGolden = serde_json::from_str(include_str!("goldens/crop.json")).unwrap();
    let image = RgbImage::from_fn(golden.width, golden.height, |x, y| {
        Rgb([4 * x + y, 200 - 3 * y - x, x * y / 8].map(|value| value as u8))
    });
    for case in &golden.cases {
        let crop = Crop::square(Point2::new(case.center[0], case.center[1]), case.side, case.angle, case.output);
        let mut input = ImageInput {
            name: String::new(),
            element_type: ImageElement::F32,
            layout: ImageLayout::Nhwc,
            colour: Colour::Rgb,
            size: PictureSize::square(case.output),
            placement: Placement::TopLeft,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            outside: golden.outside,
        };
        let mut pixels = vec![0.0; case.rgb.len()];
        crop.sample_f32(&image, &input, &mut pixels);
        let what = format!("centre {:?}, side {}, angle {}", case.center, case.side, case.angle);
        // Half a grey value between the image's edge and the outside is a steep step: a 32nd of a pixel is 6 levels.
        let steep = |index: usize| {
            let at =
                crop.image_from_crop(Point2::new((index / 3 % case.output) as f64, (index / 3 / case.output) as f64));
            let edge = |value: f64, size: u32| value < 0.0 || value > f64::from(size - 1);
            edge(at.x, golden.width) || edge(at.y, golden.height)
        };
        for (index, (value, expected)) in pixels.iter().zip(&case.rgb).enumerate() {
            let tolerance = if steep(index) { 6.0 } else { case.tolerance };
            let apart = (value - f32::from(*expected)).abs();
            assert!(apart <= tolerance, "{what}: value {index} is {value}, OpenCV has {expected}");
        }
        // The other layout and element type hold the same picture.
        let mut bytes = vec![0; pixels.len()];
        crop.sample_u8(&image, &input, &mut bytes);
        assert!(bytes.iter().zip(&pixels).all(|(byte, value)| (f32::from(*byte) - value).abs() <= 0.5), "{what}");
        let mut planes = vec![0.0; pixels.len()];
        (input.layout, input.colour) = (ImageLayout::Nchw, Colour::Bgr);
        (input.scale, input.mean, input.std) = (1.0 / 255.0, [0.5; 3], [0.25; 3]);
        crop.sample_f32(&image, &input, &mut planes);
        let area = case.output * case.output;
        for (index, value) in pixels.iter().enumerate() {
            let (pixel, channel) = (index / 3, index % 3);
            let normalised = (value / 255.0 - 0.5) / 0.25;
            assert!((planes[(2 - channel) * area + pixel] - normalised).abs() < 1e-5, "{what}");
        }
    }
}

#[test]
fn a_crop_far_away_or_absurdly_large_is_all_outside_or_finite() {
    let image = RgbImage::from_pixel(8, 8, Rgb([10, 20, 30]));
    let input = ImageInput {
        name: String::new(),
        element_type: ImageElement::F32,
        layout: ImageLayout::Nhwc,
        colour: Colour::Rgb,
        size: PictureSize::square(16),
        placement: Placement::TopLeft,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        outside: 114,
    };
    for angle in [0.0, 1.0] {
        for (center, side, is_outside) in [(1e7, 100.0, true), (1e30, 100.0, true), (4.0, 1e12, false)] {
            let crop = Crop::square(Point2::new(center, 4.0), side, angle, 16);
            let mut pixels = vec![0.0; 768];
            crop.sample_f32(&image, &input, &mut pixels);
            assert!(pixels.iter().all(|value| value.is_finite()));
            assert!(!is_outside || pixels.iter().all(|value| (value - 114.0).abs() < 1e-3));
        }
    }
}

#[derive(Deserialize)]
struct YoloxGolden {
    side: usize,
    width: u32,
    height: u32,
    threshold: f32,
    nms_iou: f32,
    anchors: Vec<Anchor>,
    people: Vec<GoldenPerson>,
}

#[derive(Deserialize)]
struct Anchor {
    index: usize,
    values: [f32; 6],
}

#[derive(Deserialize)]
struct GoldenPerson {
    bbox: [f32; 4],
    score: f32,
}

#[test]
fn boxes_are_those_of_numpy_and_opencv() {
    const VALUES: usize = 85;
    let golden: YoloxGolden = serde_json::from_str(include_str!("goldens/yolox.json")).unwrap();
    let mut output = vec![0.0; 3549 * VALUES];
    for anchor in &golden.anchors {
        output[anchor.index * VALUES..anchor.index * VALUES + 6].copy_from_slice(&anchor.values);
        // Other classes must not matter.
        output[anchor.index * VALUES + 6] = 1.0;
    }
    let settings = DetectSettings { score_threshold: golden.threshold, nms_iou: golden.nms_iou, max_people: 50 };
    let letterbox =
        Crop::letterbox((golden.width, golden.height), PictureSize::square(golden.side), Placement::TopLeft);
    let size = (golden.width, golden.height);
    let found = decode_yolox(&output, &[8, 16, 32], 80, &letterbox, size, &settings);
    assert_eq!(found.len(), golden.people.len());
    for (found, expected) in found.iter().zip(&golden.people) {
        let bbox = found.bbox_in_image_px;
        let ours = [bbox.x_min, bbox.y_min, bbox.x_max, bbox.y_max].map(|edge| edge + 0.5);
        assert!((found.score - expected.score).abs() < 1e-5);
        for (edge, golden_edge) in ours.iter().zip(&expected.bbox) {
            assert!((edge - golden_edge).abs() < 0.01, "{bbox:?} instead of {:?}", expected.bbox);
        }
    }
    let best = DetectSettings { max_people: 2, ..settings };
    assert_eq!(decode_yolox(&output, &[8, 16, 32], 80, &letterbox, size, &best), found[..2]);
}
