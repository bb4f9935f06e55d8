//! Seeds give pictures again, splits share nobody, and the truth fits the picture.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use nalgebra::Vector3;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stridepose::skeleton::Joint;

use super::view::{CloseUp, View};
use super::{NoClips, PictureSampler};
use crate::mocap::{Clip, Split};
use crate::test_people;

#[test]
fn one_seed_is_one_picture_in_any_thread() {
    let clips = people();
    let sampler = PictureSampler::new(&clips, Split::Train).unwrap();
    let again = std::thread::scope(|scope| scope.spawn(|| sampler.draw(5)).join().unwrap());
    assert_eq!(sampler.draw(5), again);
    assert_ne!(sampler.draw(5).image, sampler.draw(6).image);
    let validation = PictureSampler::new(&clips, Split::Validation).unwrap();
    assert_ne!(sampler.draw(5).image, validation.draw(5).image);
}

#[test]
fn a_split_without_clips_is_refused_with_the_numbers() {
    let clips = &people()[1..];
    let refused = PictureSampler::new(clips, Split::Validation).err().unwrap();
    assert_eq!(refused, NoClips { clips: 5, split: Split::Validation });
    assert!(refused.to_string().contains("none of 5 clips"));
}

#[test]
fn the_truth_fits_the_picture() {
    let clips = people();
    let sampler = PictureSampler::new(&clips, Split::Train).unwrap();
    let (mut counts, mut visible, mut joints) = (HashSet::new(), 0, 0);
    for seed in 0..60 {
        let picture = sampler.draw(seed);
        let (width, height) = (f64::from(picture.image.width()), f64::from(picture.image.height()));
        counts.insert(picture.people.len());
        for person in &picture.people {
            let (inner, outer) = (person.visible_bbox_in_image_px, person.whole_bbox_in_image_px);
            assert!(inner.x_min >= -0.5 && f64::from(inner.x_max) <= width - 0.5, "seed {seed}: {inner:?}");
            assert!(inner.y_min >= -0.5 && f64::from(inner.y_max) <= height - 0.5, "seed {seed}: {inner:?}");
            assert!(outer.x_min <= inner.x_min && outer.x_max >= inner.x_max, "seed {seed}: {outer:?} {inner:?}");
            assert!(outer.y_min <= inner.y_min && outer.y_max >= inner.y_max, "seed {seed}: {outer:?} {inner:?}");
            assert!(person.visible_share > 0.0 && person.visible_share <= 1.0);
            for joint in Joint::ALL {
                let at = person.joints_in_image_px[joint.index()];
                joints += 1;
                if person.is_visible[joint.index()] {
                    visible += 1;
                    assert!(at.x > -0.5 && at.x < width - 0.5 && at.y > -0.5 && at.y < height - 0.5);
                    let near = 2.0;
                    let is_in = at.x > f64::from(inner.x_min) - near
                        && at.x < f64::from(inner.x_max) + near
                        && at.y > f64::from(inner.y_min) - near
                        && at.y < f64::from(inner.y_max) + near;
                    assert!(is_in, "seed {seed}: {} at {at} outside {inner:?}", joint.name());
                }
            }
        }
    }
    assert!(counts.len() >= 4, "pictures have {counts:?} people");
    let share = f64::from(visible) / f64::from(joints);
    assert!((0.4..0.95).contains(&share), "{share} of the joints are visible");
}

#[test]
fn where_nobody_is_cameras_look_at_anything_and_things_lie_in_sight() {
    let (mut steepest, mut most_level) = (0.0_f64, f64::INFINITY);
    for seed in 0..60 {
        let view = View::draw(0, None, &mut ChaCha8Rng::seed_from_u64(seed));
        let axis = view.camera_from_world.inverse() * Vector3::z();
        let down = (-axis.z).asin();
        (steepest, most_level) = (steepest.max(down), most_level.min(down));
        let floor = view.floor_in_sight();
        assert!(floor.z == 0.0 && floor.coords.norm() < 6.5, "seed {seed}: {floor}");
        if down > 0.7 {
            let seen = view.camera_from_world * floor;
            assert!(
                seen.x.hypot(seen.y) < 1e-6 && seen.z > 0.0,
                "seed {seed}: {seen} is not in the middle of the picture"
            );
        }
    }
    assert!(steepest > 1.0 && most_level < 0.0, "{most_level} to {steepest} rad");
}

#[test]
fn who_is_right_before_the_camera_fills_the_picture_and_changes_no_other() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (mut nearest, mut farthest) = (f64::INFINITY, 0.0_f64);
    for seed in 0..60 {
        let draw = |close_up: Option<&CloseUp>| View::draw(2, close_up, &mut ChaCha8Rng::seed_from_u64(seed));
        let (near, far) = (draw(Some(&CloseUp::draw(&mut rng))), draw(None));
        assert_eq!((near.eye, near.camera.image_size()), (far.eye, far.camera.image_size()));
        let Some(place) = near.places.first() else { continue };
        (nearest, farthest) = (nearest.min(place.x), farthest.max(place.x));
        assert!(place.x <= far.places[0].x, "seed {seed}: {place} behind {}", far.places[0]);
        // Face, chest or belly is in the middle of the picture.
        let axis = near.camera_from_world.inverse() * Vector3::z();
        let height = near.eye.z + axis.z / axis.x * place.x;
        assert!((0.7..1.9).contains(&height), "seed {seed}: looks at {height} m");
    }
    assert!(nearest < 0.7 && farthest < 4.0, "{nearest} to {farthest} m");
}

/// Six persons with the joints of a standing body, each in another posture.
fn people() -> Vec<Clip> {
    let mut clips = test_people::clips(4);
    for (person, clip) in clips.iter_mut().enumerate() {
        for (time, pose) in clip.poses.iter_mut().enumerate() {
            let swing = 0.1 * (person as f64 + time as f64);
            *pose = test_people::standing(swing);
        }
    }
    clips
}
