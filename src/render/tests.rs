//! Equal scenes give equal bytes, and the truth about people is what the picture shows.
#![allow(clippy::unwrap_used)]

use nalgebra::{Isometry3, Matrix3, Point3, Rotation3, Translation3, UnitQuaternion, Vector3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::appearance::Top;
use super::{
    Appearance, Background, BackgroundFamily, Body3d, CameraEffects, Light, Prop, RenderScene, RenderedPicture, render,
};
use crate::geometry::{Calibration, CameraModel};
use crate::skeleton::{Joint, JointArray};

fn camera() -> CameraModel {
    CameraModel::pinhole(320, 240, 260.0)
}

/// A camera 1.2 m above the origin that looks along +x.
fn camera_from_world() -> Isometry3<f64> {
    let level = Matrix3::new(0.0, -1.0, 0.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0);
    let rotation = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(level));
    Isometry3::from_parts(Translation3::identity(), rotation) * Translation3::new(0.0, 0.0, -1.2)
}

/// Somebody who stands at (x, y) of the floor, turned by `yaw`; at 0 the face is towards +x, away from the camera.
fn standing(x: f64, y: f64, yaw: f64) -> JointArray<Point3<f64>> {
    let mut joints = [Point3::origin(); 17];
    let mut put = |joint: Joint, forward: f64, left: f64, up: f64| {
        joints[joint.index()] = Point3::new(forward, left, up);
    };
    put(Joint::Pelvis, 0.0, 0.0, 0.94);
    put(Joint::Spine, 0.0, 0.0, 1.16);
    put(Joint::Thorax, 0.0, 0.0, 1.41);
    put(Joint::Nose, 0.09, 0.0, 1.55);
    put(Joint::Head, 0.03, 0.0, 1.67);
    for (side, [hip, knee, ankle, shoulder, elbow, wrist]) in [
        (1.0, [Joint::LHip, Joint::LKnee, Joint::LAnkle, Joint::LShoulder, Joint::LElbow, Joint::LWrist]),
        (-1.0, [Joint::RHip, Joint::RKnee, Joint::RAnkle, Joint::RShoulder, Joint::RElbow, Joint::RWrist]),
    ] {
        put(hip, 0.0, side * 0.11, 0.93);
        put(knee, 0.03, side * 0.12, 0.50);
        put(ankle, 0.0, side * 0.12, 0.09);
        put(shoulder, 0.0, side * 0.17, 1.40);
        put(elbow, 0.0, side * 0.24, 1.13);
        put(wrist, 0.06, side * 0.27, 0.90);
    }
    let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), yaw);
    joints.map(|joint| camera_from_world() * (turn * joint + Vector3::new(x, y, 0.0)))
}

const FACING: f64 = std::f64::consts::PI;

fn scene(people: &[JointArray<Point3<f64>>], occluders: Vec<Prop>, seed: u64) -> RenderScene {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let people = people
        .iter()
        .map(|joints| Body3d { joints_in_camera: *joints, appearance: Appearance::draw(&mut rng) })
        .collect();
    let keep = [Point3::new(0.0, 0.0, 1.2), Point3::new(4.0, 0.0, 0.0)];
    RenderScene {
        people,
        background: Background { props: Vec::new(), ..Background::draw(BackgroundFamily::Studio, &keep, &mut rng) },
        occluders,
        light: Light::draw(&mut rng),
        camera_from_world: camera_from_world(),
    }
}

fn picture(people: &[JointArray<Point3<f64>>], occluders: Vec<Prop>, seed: u64) -> RenderedPicture {
    render(&scene(people, occluders, seed), &camera())
}

#[test]
fn equal_scenes_give_equal_bytes_and_other_seeds_other_ones() {
    let people = [standing(3.0, 0.0, FACING), standing(4.0, 0.8, 0.3)];
    assert_eq!(picture(&people, Vec::new(), 1), picture(&people, Vec::new(), 1));
    assert_ne!(picture(&people, Vec::new(), 1).image, picture(&people, Vec::new(), 2).image);
    let effects = CameraEffects { noise: 4.0, jpeg_quality: Some(70), ..CameraEffects::NONE };
    let plain = picture(&people, Vec::new(), 1).image;
    assert_eq!(effects.apply(plain.clone(), 3), effects.apply(plain.clone(), 3));
    assert_ne!(effects.apply(plain.clone(), 3), effects.apply(plain.clone(), 4));
    assert_eq!(CameraEffects::NONE.apply(plain.clone(), 3), plain);
}

#[test]
fn visible_joints_lie_on_the_silhouette_of_their_person() {
    for seed in 0..12 {
        let people = [standing(2.6, 0.0, f64::from(seed as u32))];
        let with = scene(&people, Vec::new(), seed);
        let picture = render(&with, &camera());
        let without = render(&RenderScene { people: Vec::new(), ..with.clone() }, &camera());
        let person = &picture.people[0];
        assert_eq!(person.visible_pixels, person.silhouette_pixels, "nothing stands before");
        for joint in Joint::ALL {
            let at = person.joints_in_image_px[joint.index()].unwrap();
            if !person.is_visible[joint.index()] || joint == Joint::Head {
                continue;
            }
            // Somewhere within two pixels the picture differs from the one without people.
            let (x, y) = (at.x.round() as i32, at.y.round() as i32);
            let differs = (-2..=2).any(|dx| {
                (-2..=2).any(|dy| {
                    let (x, y) = ((x + dx) as u32, (y + dy) as u32);
                    picture.image.get_pixel(x, y) != without.image.get_pixel(x, y)
                })
            });
            assert!(differs, "seed {seed}: nothing of the person at the {}", joint.name());
        }
    }
}

#[test]
fn front_and_back_show_what_they_can() {
    for seed in 0..6 {
        let front = picture(&[standing(2.5, 0.0, FACING)], Vec::new(), seed);
        let back = picture(&[standing(2.5, 0.0, 0.0)], Vec::new(), seed);
        assert!(front.people[0].is_visible[Joint::Nose.index()], "seed {seed}: no nose from the front");
        assert!(!back.people[0].is_visible[Joint::Nose.index()], "seed {seed}: a nose from behind");
        for joint in [Joint::LKnee, Joint::RKnee, Joint::LElbow, Joint::RElbow, Joint::Thorax] {
            assert!(front.people[0].is_visible[joint.index()], "seed {seed}: {} from the front", joint.name());
        }
        // Seen from the person's left the right arm is behind the trunk.
        let side = picture(&[standing(2.5, 0.0, 0.5 * FACING)], Vec::new(), seed);
        let seen = |joint: Joint| side.people[0].is_visible[joint.index()];
        let (near, far) = if seen(Joint::LElbow) { (Joint::LHip, Joint::RHip) } else { (Joint::RHip, Joint::LHip) };
        assert!(seen(near) && !seen(far), "seed {seed}: hips {:?}", (seen(near), seen(far)));
    }
}

#[test]
fn nobody_is_seen_behind_a_box_and_half_is_behind_half_a_one() {
    let person = standing(4.0, 0.0, FACING);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut behind = |half_width: f64, y: f64| {
        let wall = Prop::cuboid(Point3::new(2.0, y, 0.0), [0.1, half_width, 1.5], 0.0, &mut rng);
        picture(&[person], vec![wall], 1).people[0].clone()
    };
    let hidden = behind(2.0, 0.0);
    assert_eq!(hidden.visible_pixels, 0);
    assert_eq!(hidden.visible_joints(), 0);
    assert_eq!(hidden.visible_bbox_in_image_px, None);
    assert!(hidden.silhouette_pixels > 1000 && hidden.whole_bbox_in_image_px.is_some());
    assert!(hidden.visible_share().abs() < f64::EPSILON);
    // A box over the half with y > 0, where the right side of somebody who faces the camera is.
    let half = behind(1.0, 1.0);
    assert!((0.35..0.65).contains(&half.visible_share()), "{}", half.visible_share());
    for joint in [Joint::LKnee, Joint::LElbow, Joint::RKnee, Joint::RElbow] {
        let at = half.joints_in_image_px[joint.index()].unwrap();
        assert_eq!(half.is_visible[joint.index()], at.x > 160.0, "{} at {at}", joint.name());
    }
}

#[test]
fn what_lies_on_the_floor_changes_the_picture_and_hides_nothing_above_it() {
    let person = [standing(4.0, 0.0, FACING)];
    let clean = picture(&person, Vec::new(), 1);
    for seed in 0..5 {
        let litter = Prop::litter(Point3::new(3.0, 0.0, 0.0), 1.5, &mut ChaCha8Rng::seed_from_u64(seed));
        let littered = picture(&person, litter, 1);
        let changed = clean.image.pixels().zip(littered.image.pixels()).filter(|(a, b)| a != b).count();
        assert!(changed > 50, "seed {seed}: {changed} pixels");
        for joint in [Joint::Head, Joint::LWrist, Joint::RWrist, Joint::Pelvis] {
            let seen = |picture: &RenderedPicture| picture.people[0].is_visible[joint.index()];
            assert_eq!(seen(&littered), seen(&clean), "seed {seed}: {}", joint.name());
        }
    }
}

#[test]
fn the_nearer_person_hides_the_farther_in_any_order() {
    let (near, far) = (standing(2.5, 0.0, FACING), standing(4.0, 0.0, FACING));
    let one = picture(&[near, far], Vec::new(), 1);
    let other = picture(&[far, near], Vec::new(), 1);
    assert!((one.people[0].visible_share() - 1.0).abs() < f64::EPSILON);
    assert!(one.people[1].visible_share() < 0.35, "{}", one.people[1].visible_share());
    assert!((other.people[1].visible_share() - 1.0).abs() < f64::EPSILON);
    assert!(other.people[0].visible_share() < 0.35);
    assert!(!one.people[1].is_visible[Joint::Spine.index()]);
}

#[test]
fn the_border_cuts_what_is_seen_and_not_the_whole_box() {
    let person = picture(&[standing(2.0, 1.23, FACING)], Vec::new(), 3).people[0].clone();
    let (seen, whole) = (person.visible_bbox_in_image_px.unwrap(), person.whole_bbox_in_image_px.unwrap());
    assert!((seen.x_min + 0.5).abs() < 1e-6, "{seen:?}");
    assert!(whole.x_min < -10.0 && (whole.x_max - seen.x_max).abs() < 1e-6, "{whole:?}");
    for joint in Joint::ALL {
        let at = person.joints_in_image_px[joint.index()].unwrap();
        assert!(at.x > -0.5 || !person.is_visible[joint.index()]);
    }
    assert!(Joint::ALL.iter().any(|joint| person.joints_in_image_px[joint.index()].unwrap().x < -0.5));
}

#[test]
fn the_box_is_tight() {
    let with = scene(&[standing(3.0, 0.0, FACING)], Vec::new(), 5);
    let picture = render(&with, &camera());
    let bbox = picture.people[0].visible_bbox_in_image_px.unwrap();
    let height = 260.0 * 1.75 / 3.0;
    assert!((bbox.height() - height as f32).abs() < 0.15 * height as f32, "{bbox:?}");
    assert_eq!(Some(bbox), picture.people[0].whole_bbox_in_image_px);
}

#[test]
fn empty_and_impossible_scenes_are_pictures_all_the_same() {
    let empty = picture(&[], Vec::new(), 1);
    assert!(empty.people.is_empty());
    assert!(empty.image.pixels().any(|pixel| pixel.0 != [0; 3]));
    let mut broken = standing(3.0, 0.0, 0.0);
    broken[Joint::LKnee.index()].x = f64::NAN;
    let behind = standing(-3.0, 0.0, 0.0);
    let collapsed = [Point3::new(0.0, 0.0, 3.0); 17];
    let picture = picture(&[broken, behind, collapsed], Vec::new(), 1);
    for person in &picture.people {
        assert_eq!((person.visible_pixels, person.visible_bbox_in_image_px), (0, None));
        assert_eq!(person.whole_bbox_in_image_px, None);
    }
}

#[test]
fn without_a_shirt_the_trunk_shows_skin_unless_there_are_breasts() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut undressed = 0;
    for looks in (0..20).map(|_| Appearance::draw(&mut rng)) {
        let bare = looks.clone().without_shirt();
        if looks.breasts > 0.0 {
            assert_eq!(bare, looks);
            continue;
        }
        undressed += 1;
        let mut scene = scene(&[standing(3.0, 0.0, FACING)], Vec::new(), 1);
        let mut show = |appearance: &Appearance| {
            // Nothing on the back or in front of the trunk.
            scene.people[0].appearance = Appearance { backpack: None, scarf: None, ..appearance.clone() };
            render(&scene, &camera())
        };
        let (dressed, bare_picture) = (show(&looks), show(&bare));
        let at = bare_picture.people[0].joints_in_image_px[Joint::Spine.index()].unwrap();
        let at = |picture: &RenderedPicture| *picture.image.get_pixel(at.x.round() as u32, at.y.round() as u32);
        let cloth = Top { cloth: bare.skin, print: None, ..looks.top.clone() };
        let in_skin_cloth = show(&Appearance { top: cloth, ..looks.clone() });
        // Its hue: a loose shirt bends away from the light.
        let hue = |pixel: image::Rgb<u8>| {
            let sum: f32 = pixel.0.iter().map(|value| f32::from(*value)).sum();
            pixel.0.map(|value| f32::from(value) / sum)
        };
        for (bare, cloth) in hue(at(&bare_picture)).into_iter().zip(hue(at(&in_skin_cloth))) {
            assert!((bare - cloth).abs() < 0.02, "{:?}, cloth of skin {:?}", at(&bare_picture), at(&in_skin_cloth));
        }
        assert_ne!(bare_picture.image, dressed.image);
    }
    assert!(undressed > 4, "{undressed} of 20");
}

#[test]
fn every_lens_sees_people_where_it_projects_them() {
    for (model, d) in
        [("plumb_bob", vec![-0.28, 0.07, 0.001, -0.0006, 0.01]), ("equidistant", vec![0.02, -0.01, 0.003, -0.001])]
    {
        let calibration = Calibration {
            width: 320,
            height: 240,
            distortion_model: model.to_owned(),
            d,
            k: [150.0, 0.0, 159.5, 0.0, 150.0, 119.5, 0.0, 0.0, 1.0],
            binning_x: 1,
            binning_y: 1,
            roi: None,
        };
        let camera = CameraModel::from_calibration(&calibration).unwrap();
        let person = render(&scene(&[standing(1.6, 0.9, FACING)], Vec::new(), 1), &camera).people[0].clone();
        let bbox = person.visible_bbox_in_image_px.unwrap();
        assert!(person.visible_joints() > 8, "{model}: {} joints", person.visible_joints());
        for joint in [Joint::LKnee, Joint::RKnee, Joint::Spine, Joint::Nose] {
            let at = person.joints_in_image_px[joint.index()].unwrap();
            let is_in = (f64::from(bbox.x_min)..f64::from(bbox.x_max)).contains(&at.x)
                && (f64::from(bbox.y_min)..f64::from(bbox.y_max)).contains(&at.y);
            assert!(is_in && person.is_visible[joint.index()], "{model}: {} at {at} in {bbox:?}", joint.name());
        }
    }
}

#[test]
fn blur_moves_nothing() {
    let mut dot = image::RgbImage::new(41, 31);
    dot.put_pixel(20, 15, image::Rgb([255; 3]));
    for effects in [
        CameraEffects { motion: Some((0.5, 8.0)), ..CameraEffects::NONE },
        CameraEffects { defocus_px: 1.5, ..CameraEffects::NONE },
    ] {
        let blurred = effects.apply(dot.clone(), 0);
        let (mut sum, mut at) = (0.0, (0.0, 0.0));
        for (x, y, pixel) in blurred.enumerate_pixels() {
            let light = f64::from(pixel.0[1]);
            sum += light;
            at = (at.0 + light * f64::from(x), at.1 + light * f64::from(y));
        }
        assert!(sum > 150.0, "{effects:?} loses the light: {sum}");
        assert!((at.0 / sum - 20.0).abs() < 0.2 && (at.1 / sum - 15.0).abs() < 0.2, "{effects:?}: {at:?} / {sum}");
        assert!(blurred.get_pixel(20, 15).0[1] < 140);
    }
}
