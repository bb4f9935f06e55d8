//! A camera that is mounted on its side or on its head sees the same people.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/standing_person.rs"]
mod standing_person;

use std::f64::consts::FRAC_PI_2;

use image::{RgbImage, imageops};
use nalgebra::{Point3, Rotation3, UnitVector3, Vector3};
use stridepose::adapters::engine::{self, Feed};
use stridepose::adapters::model_store::ModelStore;
use stridepose::config::Config;
use stridepose::data::{BoundingBox, Keypoint, PersonEstimate, PersonKeypoints, Stamp, Upright};
use stridepose::geometry::CameraModel;
use stridepose::pipeline::Pipeline;
use stridepose::scene::{ScenePainter, SceneSettings, make_scene};
use stridepose::skeleton::Joint;

const SIZE: (u32, u32) = (640, 480);
const FOCAL_LENGTH_PX: f64 = 525.0;
/// The side of the image that is up, by how many quarters the camera is turned clockwise.
const UP: [&str; 4] = ["top", "left", "bottom", "right"];

fn stamp(image: usize) -> Stamp {
    Stamp::from_nanoseconds(1_700_000_000_000_000_000 + image as i64 * 33_333_333)
}

fn pipeline(feed: Feed, parameters: &[String]) -> Pipeline {
    let config = Config::from_sources(None, parameters).unwrap();
    engine::build(&config, &ModelStore::new(&[]).unwrap(), feed).unwrap().pipeline
}

/// What a camera sees that is turned clockwise by so many quarters.
fn turned(picture: &RgbImage, quarters: usize) -> RgbImage {
    match quarters {
        0 => picture.clone(),
        1 => imageops::rotate270(picture),
        2 => imageops::rotate180(picture),
        _ => imageops::rotate90(picture),
    }
}

fn camera(quarters: usize) -> CameraModel {
    let (width, height) = if quarters.is_multiple_of(2) { SIZE } else { (SIZE.1, SIZE.0) };
    CameraModel::pinhole(width, height, FOCAL_LENGTH_PX)
}

/// Where a rectangle of the upright camera's image lies in that of a camera that is turned.
fn turned_box(bbox: &BoundingBox, quarters: usize) -> BoundingBox {
    let (right, bottom) = (SIZE.0 as f32 - 1.0, SIZE.1 as f32 - 1.0);
    BoundingBox::around([(bbox.x_min, bbox.y_min), (bbox.x_max, bbox.y_max)].map(|(x, y)| match quarters {
        1 => (y, right - x),
        2 => (right - x, bottom - y),
        _ => (bottom - y, x),
    }))
}

/// The upright camera's axes from those of one that is turned clockwise by `roll` rad.
fn upright_from_turned(roll: f64) -> Rotation3<f64> {
    Rotation3::from_axis_angle(&Vector3::z_axis(), roll)
}

/// One person who walks, as an upright camera sees it.
fn pictures() -> Vec<RgbImage> {
    let settings = SceneSettings { people: 1, duration_secs: 1.4, pillar: None, seed: 4, ..SceneSettings::default() };
    let camera = camera(0);
    let images = make_scene(&settings, &|point| camera.project(point));
    let painter = ScenePainter::new(&settings, &images);
    images.iter().map(|image| painter.paint(image, &camera).0).collect()
}

/// Mean distance of the joints, m.
fn apart(a: &PersonEstimate, b: &PersonEstimate, b_to_a: &Rotation3<f64>) -> f64 {
    let pairs = a.joints.iter().zip(&b.joints);
    let distances = pairs.map(|(a, b)| (a.position_in_camera - b_to_a * b.position_in_camera).norm());
    distances.sum::<f64>() / a.joints.len() as f64
}

#[test]
fn pictures_of_a_turned_camera_give_the_skeletons_of_an_upright_one() {
    let pictures = pictures();
    let watch = |quarters: usize, up_side: &str| -> Vec<Vec<PersonEstimate>> {
        let parameters = [
            "detector.model:=stridepose_person".to_owned(),
            "keypoints.model:=stridepose_pose_small".to_owned(),
            format!("input.up_side:={up_side}"),
        ];
        let mut pipeline = pipeline(Feed::Images, &parameters);
        let seen = pictures.iter().enumerate().map(|(index, picture)| {
            let (picture, camera) = (turned(picture, quarters), camera(quarters));
            pipeline.process_picture(stamp(index), &picture, None, &camera, &mut ()).unwrap().now.people
        });
        seen.collect()
    };
    let upright = watch(0, UP[0]);
    let seen = |people: &[Vec<PersonEstimate>]| people.iter().filter(|people| people.len() == 1).count();
    assert!(seen(&upright) > 30, "{} of {} images", seen(&upright), upright.len());
    for (quarters, up_side) in UP.iter().enumerate().skip(1) {
        let people = watch(quarters, up_side);
        let rotation = upright_from_turned(quarters as f64 * FRAC_PI_2);
        let mut distances = Vec::new();
        for (upright, turned) in upright.iter().zip(&people).filter(|(upright, _)| upright.len() == 1) {
            assert_eq!(turned.len(), 1, "{quarters} quarters");
            distances.push(apart(&upright[0], &turned[0], &rotation));
            let wanted = turned_box(&upright[0].bbox_in_image_px, quarters);
            let iou = wanted.iou(&turned[0].bbox_in_image_px);
            assert!(iou > 0.6, "{quarters} quarters: {:?} instead of {wanted:?}", turned[0].bbox_in_image_px);
        }
        distances.sort_by(f64::total_cmp);
        // A crop is sampled at other places between the pixels: the networks say almost the same.
        let median = distances[distances.len() / 2];
        assert!(median < 0.03, "{quarters} quarters: {median} m");
    }
    // Nobody is where nobody is told that the camera stands on its head.
    let untold = watch(2, UP[0]);
    let rotation = upright_from_turned(2.0 * FRAC_PI_2);
    let right = upright.iter().zip(&untold).filter(|(upright, untold)| {
        upright.iter().zip(*untold).any(|(upright, untold)| apart(upright, untold, &rotation) < 0.1)
    });
    assert!(right.count() < upright.len() / 4);
}

/// A standing person, seen by a camera that is turned clockwise by `roll` rad.
fn standing(index: usize, roll: f64) -> Vec<PersonKeypoints> {
    let level = CameraModel::pinhole(SIZE.0, SIZE.1, FOCAL_LENGTH_PX);
    let keypoints = Joint::ALL.map(|joint| {
        let (offset, y) = standing_person::standing(joint)?;
        let at = level.normalise([f64::from(400.0 + offset + index as f32), f64::from(y)].into())?;
        let seen = upright_from_turned(roll).inverse() * Vector3::new(at.x, at.y, 1.0);
        let at = level.project(&Point3::from(seen))?;
        Some(Keypoint { x: at.x as f32, y: at.y as f32, score: 0.9, spread: None })
    });
    vec![PersonKeypoints { keypoints, score: 0.9 }]
}

#[test]
fn keypoints_of_a_turned_camera_are_lifted_as_those_of_an_upright_one() {
    let camera = CameraModel::pinhole(SIZE.0, SIZE.1, FOCAL_LENGTH_PX);
    let watch = |parameter: &str, roll: f64, is_told: bool| -> PersonEstimate {
        let mut pipeline = pipeline(Feed::Keypoints, &[parameter.to_owned()]);
        let mut last = None;
        for index in 0..40 {
            let down = UnitVector3::new_normalize(Vector3::new(roll.sin(), roll.cos(), 0.2));
            // Not told for a moment: the camera still stands as it stood.
            pipeline.set_upright((is_told && index != 30).then_some(Upright { down, camera_height: None }));
            let people = standing(index, roll);
            last = pipeline.process_keypoints(stamp(index), &people, &camera, &mut ()).unwrap().now.people.pop();
        }
        last.unwrap()
    };
    let upright = [("input.gravity:=unknown", false), ("input.gravity:=tf", true)]
        .map(|(parameter, is_told)| watch(parameter, 0.0, is_told));
    for (quarters, up_side) in UP.iter().enumerate() {
        let roll = quarters as f64 * FRAC_PI_2;
        let turned = watch(&format!("input.up_side:={up_side}"), roll, false);
        let distance = apart(&upright[0], &turned, &upright_from_turned(roll));
        assert!(distance < 2e-3, "{up_side}: {distance} m");
    }
    for roll in [-2.5, -0.8, 0.5, 1.2, 3.1] {
        let turned = watch("input.gravity:=tf", roll, true);
        let distance = apart(&upright[1], &turned, &upright_from_turned(roll));
        assert!(distance < 2e-3, "{roll} rad: {distance} m");
    }
}
