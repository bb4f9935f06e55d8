//! YOLOv8, RTMDet, YOLO pose and MoveNet multipose against an independent implementation; see
//! `tests/goldens/single_stage.py`, where the tolerances and their reasons are.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use serde::Deserialize;
use stridepose::data::{Detection, KeypointsInImage};
use stridepose::model::{PictureSize, Placement};
use stridepose::skeleton::{Joint, KeypointLayout};
use stridepose::stages::crop::Crop;
use stridepose::stages::detect::{DetectSettings, decode_rtmdet, decode_yolov8};
use stridepose::stages::single_stage::{FoundPerson, decode_movenet_multipose, decode_yolo_pose};

const TOLERANCE_PX: f32 = 0.02;

#[derive(Deserialize)]
struct Golden {
    image: (u32, u32),
    picture: (usize, usize),
    anchor_count: usize,
    threshold: f32,
    nms_iou: f32,
    yolov8: YoloCase,
    yolo_pose: YoloCase,
    rtmdet: RtmdetCase,
    movenet: MovenetCase,
}

#[derive(Deserialize)]
struct YoloCase {
    anchors: Vec<Anchor>,
    people: Vec<Person>,
}

#[derive(Deserialize)]
struct Anchor {
    index: usize,
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct RtmdetCase {
    boxes: Vec<[f32; 5]>,
    labels: Vec<f32>,
    people: Vec<Person>,
}

#[derive(Deserialize)]
struct MovenetCase {
    rows: Vec<Vec<f32>>,
    people: Vec<Person>,
}

#[derive(Deserialize)]
struct Person {
    bbox: [f32; 4],
    score: f32,
    #[serde(default)]
    xy: Vec<[f32; 2]>,
    #[serde(default)]
    scores: Vec<f32>,
}

impl Golden {
    fn read() -> Self {
        serde_json::from_str(include_str!("goldens/single_stage.json")).unwrap()
    }

    fn letterbox(&self, placement: Placement) -> Crop {
        let (width_px, height_px) = self.picture;
        Crop::letterbox(self.image, PictureSize { width_px, height_px }, placement)
    }

    fn settings(&self) -> DetectSettings {
        DetectSettings { score_threshold: self.threshold, nms_iou: self.nms_iou, max_people: 50 }
    }

    /// `[values, anchors]` as the network gives it; background has some score too.
    fn output(&self, case: &YoloCase) -> Vec<f32> {
        let mut output = vec![0.01; case.anchors[0].values.len() * self.anchor_count];
        for anchor in &case.anchors {
            for (row, value) in anchor.values.iter().enumerate() {
                output[row * self.anchor_count + anchor.index] = *value;
            }
        }
        output
    }
}

fn assert_boxes(what: &str, found: impl ExactSizeIterator<Item = Detection>, people: &[Person]) {
    assert_eq!(found.len(), people.len(), "{what}");
    for (found, person) in found.zip(people) {
        let bbox = found.bbox_in_image_px;
        for (edge, wanted) in [bbox.x_min, bbox.y_min, bbox.x_max, bbox.y_max].iter().zip(&person.bbox) {
            assert!((edge + 0.5 - wanted).abs() < TOLERANCE_PX, "{what}: {bbox:?} instead of {:?}", person.bbox);
        }
        assert!((found.score - person.score).abs() < 1e-5, "{what}: {} against {}", found.score, person.score);
    }
}

fn assert_keypoints(what: &str, found: &KeypointsInImage, person: &Person) {
    for joint in Joint::ALL {
        let Some(index) = KeypointLayout::Coco17.index_of(joint) else { continue };
        let found = found[joint.index()].unwrap();
        let apart = (found.x + 0.5 - person.xy[index][0]).hypot(found.y + 0.5 - person.xy[index][1]);
        assert!(apart < TOLERANCE_PX, "{what}: {joint:?} is {apart} px off");
        assert!((found.score - person.scores[index]).abs() < 1e-5, "{what}: {joint:?}");
    }
}

fn assert_people(what: &str, found: &[FoundPerson], people: &[Person]) {
    assert_boxes(what, found.iter().map(|person| person.detection), people);
    for (found, person) in found.iter().zip(people) {
        assert_keypoints(what, &found.keypoints.keypoints, person);
        assert_eq!(found.keypoints.score, found.detection.score);
    }
}

#[test]
fn yolov8_boxes_are_the_references() {
    let golden = Golden::read();
    let output = golden.output(&golden.yolov8);
    let letterbox = golden.letterbox(Placement::Centre);
    let found = decode_yolov8(&output, 3, &letterbox, golden.image, &golden.settings());
    assert_boxes("yolov8", found.iter().copied(), &golden.yolov8.people);
    let best = DetectSettings { max_people: 2, ..golden.settings() };
    assert_eq!(decode_yolov8(&output, 3, &letterbox, golden.image, &best), found[..2]);
}

#[test]
fn rtmdet_boxes_are_the_references() {
    let golden = Golden::read();
    let RtmdetCase { boxes, labels, people } = &golden.rtmdet;
    let letterbox = golden.letterbox(Placement::TopLeft);
    let found = decode_rtmdet(&boxes.concat(), labels, &letterbox, golden.image, &golden.settings());
    assert_boxes("rtmdet", found.iter().copied(), people);
}

#[test]
fn yolo_pose_people_are_the_references() {
    let golden = Golden::read();
    let output = golden.output(&golden.yolo_pose);
    let letterbox = golden.letterbox(Placement::Centre);
    let (layout, settings) = (KeypointLayout::Coco17, golden.settings());
    let found = decode_yolo_pose(&output, layout, &letterbox, golden.image, &settings);
    assert_people("yolo pose", &found, &golden.yolo_pose.people);
    // As a detector alone it is a YOLOv8 whose further classes nobody asks for.
    let boxes = decode_yolov8(&output, 1 + 3 * 17, &letterbox, golden.image, &settings);
    assert_boxes("yolo pose boxes", boxes.iter().copied(), &golden.yolo_pose.people);
}

#[test]
fn movenet_multipose_people_are_the_references() {
    let golden = Golden::read();
    let letterbox = golden.letterbox(Placement::Centre);
    let output = golden.movenet.rows.concat();
    let found = decode_movenet_multipose(&output, KeypointLayout::Coco17, &letterbox, golden.image, &golden.settings());
    assert_people("movenet multipose", &found, &golden.movenet.people);
}
