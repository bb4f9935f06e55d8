//! Draws the default scene for people to look at: `STRIDEPOSE_SCENE_PICTURE=scene.png cargo test --release
//! --test scene_picture`. Without the variable it only checks that people are drawn.

#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use image::{Rgb, RgbImage};
use nalgebra::{Matrix3, Point2};
use stridepose::data::{BoundingBox, JointEstimate, JointState, PersonEstimate, TrackId};
use stridepose::geometry::CameraModel;
use stridepose::report::overlay::{contact_sheet, draw_disc, draw_line, draw_person};
use stridepose::report::top_view::TopView;
use stridepose::scene::{SceneImage, ScenePerson, SceneSettings, make_scene};

fn estimate(person: &ScenePerson) -> PersonEstimate {
    PersonEstimate {
        track_id: TrackId(person.identity),
        joints: std::array::from_fn(|joint| JointEstimate {
            position_in_camera: person.joints_in_camera[joint],
            covariance: Matrix3::from_diagonal_element(0.01),
            confidence: 1.0,
            state: if person.is_visible[joint] { JointState::Measured } else { JointState::Predicted },
            keypoint: None,
        }),
        score: 1.0,
        plausibility: None,
        reprojection_error_px: None,
        bbox_in_image_px: person.bbox_in_image_px.unwrap_or(BoundingBox {
            x_min: 0.0,
            y_min: 0.0,
            x_max: 0.0,
            y_max: 0.0,
        }),
    }
}

fn picture(image: &SceneImage, camera: &CameraModel) -> RgbImage {
    let mut picture = RgbImage::from_pixel(640, 480, Rgb([70, 75, 80]));
    let people: Vec<_> = image.people.iter().map(estimate).collect();
    for (person, truth) in people.iter().zip(&image.people) {
        draw_person(&mut picture, camera, person);
        for keypoint in truth.keypoints.iter().flatten() {
            let at = Point2::new(f64::from(keypoint.x), f64::from(keypoint.y));
            draw_disc(&mut picture, at, 1.5, [255; 3], f64::from(keypoint.score));
        }
    }
    if let Some((foot, top, radius)) = image.pillar_in_camera
        && let (Some(foot_px), Some(top_px)) = (camera.project(&foot), camera.project(&top))
    {
        draw_line(&mut picture, foot_px, top_px, radius * 520.0 / foot.z, [30; 3], 0.6);
    }
    let above = TopView { width: 220, height: 480, ..TopView::default() }.draw(&people);
    let mut both = RgbImage::new(860, 480);
    image::imageops::replace(&mut both, &picture, 0, 0);
    image::imageops::replace(&mut both, &above, 640, 0);
    both
}

#[test]
fn the_default_scene_can_be_looked_at() {
    let camera = CameraModel::pinhole(640, 480, 520.0);
    let images = make_scene(&SceneSettings::default(), &|at| camera.project(at));
    let pictures: Vec<_> = images.iter().step_by(26).map(|image| picture(image, &camera)).collect();
    assert_eq!(pictures.len(), 12);
    for picture in &pictures {
        let drawn = picture.pixels().filter(|pixel| pixel.0.iter().any(|&value| value > 150)).count();
        assert!(drawn > 1500, "only {drawn} bright pixels");
    }
    if let Some(path) = std::env::var_os("STRIDEPOSE_SCENE_PICTURE") {
        contact_sheet(&pictures, 3).save(path).unwrap();
    }
}
