//! CenterNet's decoding against an independent implementation; see `tests/goldens/center_heatmap.py`, where the tolerances and
//! their reasons are.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use serde::Deserialize;
use stridepose::model::{PictureSize, Placement};
use stridepose::stages::crop::Crop;
use stridepose::stages::detect::{DetectSettings, decode_center_heatmap};

const TOLERANCE_PX: f32 = 0.02;

#[derive(Deserialize)]
struct Golden {
    columns: usize,
    rows: usize,
    stride: usize,
    image: (u32, u32),
    threshold: f32,
    nms_iou: f32,
    cells: Vec<Cell>,
    people: Vec<Person>,
}

#[derive(Deserialize)]
struct Cell {
    index: usize,
    values: [f32; 5],
}

#[derive(Deserialize)]
struct Person {
    bbox: [f32; 4],
    score: f32,
}

#[test]
fn boxes_are_those_of_centernet() {
    let golden: Golden = serde_json::from_str(include_str!("goldens/center_heatmap.json")).unwrap();
    let cells = golden.columns * golden.rows;
    let (mut heatmap, mut size, mut offset) = (vec![0.0; cells], vec![1.0; 2 * cells], vec![0.0; 2 * cells]);
    for Cell { index, values: [score, width, height, x, y] } in golden.cells {
        heatmap[index] = score;
        (size[index], size[cells + index]) = (width, height);
        (offset[index], offset[cells + index]) = (x, y);
    }
    let picture = PictureSize { width_px: golden.columns * golden.stride, height_px: golden.rows * golden.stride };
    let letterbox = Crop::letterbox(golden.image, picture, Placement::Centre);
    let settings = DetectSettings { score_threshold: golden.threshold, nms_iou: golden.nms_iou, max_people: 50 };
    let found = decode_center_heatmap(&heatmap, &size, &offset, golden.stride, &letterbox, golden.image, &settings);
    assert!(
        golden.people.len() >= 5 && found.len() == golden.people.len(),
        "{} of {}",
        found.len(),
        golden.people.len()
    );
    for (found, expected) in found.iter().zip(&golden.people) {
        let bbox = found.bbox_in_image_px;
        for (value, expected) in [bbox.x_min, bbox.y_min, bbox.x_max, bbox.y_max].into_iter().zip(expected.bbox) {
            assert!((value + 0.5 - expected).abs() < TOLERANCE_PX, "{bbox:?} instead of {expected}");
        }
        assert!((found.score - expected.score).abs() < 1e-5);
    }
}
