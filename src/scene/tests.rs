#![allow(clippy::unwrap_used, clippy::expect_used)]

use nalgebra::Vector3;

use super::*;
use crate::geometry::CameraModel;
use crate::skeleton::{BONES, Joint};

fn scene(settings: &SceneSettings) -> Vec<SceneImage> {
    let camera = CameraModel::pinhole(settings.width, settings.height, 520.0);
    make_scene(settings, &|point| camera.project(point))
}

#[test]
fn equal_seeds_give_equal_scenes_and_others_differ() {
    let settings = SceneSettings::default();
    let first = scene(&settings);
    assert_eq!(first.len(), 300);
    assert_eq!(first, scene(&settings));
    assert_ne!(first, scene(&SceneSettings { seed: 2, ..settings }));
}

#[test]
fn bones_keep_their_length_and_are_equal_on_both_sides() {
    let images = scene(&SceneSettings::default());
    for person in 0..3 {
        for (parent, child) in BONES {
            let length = |image: &SceneImage, parent: Joint, child: Joint| {
                let joints = &image.people[person].joints_in_camera;
                (joints[parent.index()] - joints[child.index()]).norm()
            };
            let first = length(&images[0], parent, child);
            for image in &images {
                assert!((length(image, parent, child) - first).abs() < 1e-9);
                let other = length(image, parent.mirrored(), child.mirrored());
                assert!((other - first).abs() < 1e-9, "{}: {first} {other}", child.name());
            }
        }
    }
}

#[test]
fn knees_bend_backward_elbows_forward_and_nobody_jumps() {
    let images = scene(&SceneSettings { people: 6, camera_moves: false, ..SceneSettings::default() });
    let mut fastest = 0.0_f64;
    for pair in images.windows(2) {
        for (person, next) in pair[0].people.iter().zip(&pair[1].people) {
            let joint = |joint: Joint| person.joints_in_camera[joint.index()].coords;
            let up = joint(Joint::Thorax) - joint(Joint::Pelvis);
            let left = joint(Joint::LShoulder) - joint(Joint::RShoulder);
            let forward = left.cross(&up).normalize();
            let nose: Vector3<f64> = joint(Joint::Nose) - joint(Joint::Thorax);
            assert!(nose.dot(&forward) > 0.02, "the nose points backward");
            for (upper, middle, lower, sign) in [
                (Joint::LHip, Joint::LKnee, Joint::LAnkle, 1.0),
                (Joint::RHip, Joint::RKnee, Joint::RAnkle, 1.0),
                (Joint::LShoulder, Joint::LElbow, Joint::LWrist, -1.0),
                (Joint::RShoulder, Joint::RElbow, Joint::RWrist, -1.0),
            ] {
                // How far the middle joint lies in front of the line between its neighbours.
                let (a, b) = (joint(upper), joint(lower));
                let along = (b - a).normalize();
                let off = joint(middle) - a - along * along.dot(&(joint(middle) - a));
                assert!(sign * off.dot(&forward) > -0.004, "{} bends the wrong way", middle.name());
            }
            for (now, then) in person.joints_in_camera.iter().zip(&next.joints_in_camera) {
                fastest = fastest.max((then - now).norm() * 30.0);
            }
        }
    }
    assert!(fastest < 7.0, "a joint moves at {fastest} m/s");
}

#[test]
fn people_are_seen_hidden_and_found_with_errors_that_lower_the_score() {
    let images = scene(&SceneSettings { duration_secs: 30.0, ..SceneSettings::default() });
    let (mut seen, mut hidden, mut all) = (0, 0, 0);
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for person in images.iter().flat_map(|image| &image.people) {
        for joint in 0..JOINT_COUNT {
            all += 1;
            if person.is_visible[joint] {
                seen += 1;
            } else {
                hidden += 1;
            }
            let (Some(at), Some(keypoint)) = (person.joints_in_image_px[joint], person.keypoints[joint]) else {
                continue;
            };
            let error = (at.x - f64::from(keypoint.x)).hypot(at.y - f64::from(keypoint.y));
            if error < 1.0 {
                near.push(keypoint.score);
            } else if error > 5.0 && error < 12.0 {
                far.push(keypoint.score);
            }
        }
    }
    assert!(seen * 10 > all * 5, "only {seen} of {all} joints are visible");
    assert!(hidden * 50 > all, "only {hidden} of {all} joints are hidden");
    let mean = |scores: &[f32]| scores.iter().sum::<f32>() / scores.len() as f32;
    assert!(near.len() > 100 && far.len() > 100);
    assert!(mean(&near) > mean(&far) + 0.15, "{} {}", mean(&near), mean(&far));
}

#[test]
fn a_perfect_detector_is_exact() {
    let settings = SceneSettings { detector: DetectorSettings::PERFECT, pillar: None, ..SceneSettings::default() };
    let mut count = 0;
    for person in scene(&settings).iter().flat_map(|image| image.people.clone()) {
        for (at, keypoint) in person.joints_in_image_px.iter().zip(&person.keypoints) {
            let (Some(at), Some(keypoint)) = (at, keypoint) else { continue };
            assert!((at.x - f64::from(keypoint.x)).abs() < 1e-3 && (keypoint.score - 1.0).abs() < 1e-6);
            count += 1;
        }
    }
    assert!(count > 1000);
}
