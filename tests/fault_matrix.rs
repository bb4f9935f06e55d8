//! Every fault that a stream of messages can have, one after the other, through the whole program: what it must say, what goes
//! on, and that nothing leaves it that is not finite, not a covariance, or calls itself measured without a measurement.
//!
//! Of files: `fault_files.rs`; of pictures: `fault_images.rs`. Which fault is tested where: docs/faults.md.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/faults.rs"]
mod faults;
#[path = "common/keypoint_recording.rs"]
mod keypoint_recording;

use std::fs;
use std::path::Path;

use stridepose::adapters::messages::from_cdr;
use stridepose::adapters::messages::stridepose::{Keypoint, KeypointArray};
use stridepose::data::{JointState, Stamp};
use stridepose::skeleton::Joint;

use faults::{Expected, Ran, expect, without_identities};
use keypoint_recording::{CAMERA_INFO, IMAGES, Recording};

/// A fault, and what must come of it.
type Row = (&'static str, fn(&mut Recording), Expected);

fn people(array: &mut KeypointArray<'_>, count: usize) {
    let person = array.people[0].clone();
    array.people = (0..count)
        .map(|index| {
            let mut person = person.clone();
            for keypoint in &mut person.keypoints {
                keypoint.u += (index % 10) as f32 * 60.0 - 250.0;
                keypoint.v += (index / 10) as f32 * 40.0 - 80.0;
            }
            person
        })
        .collect();
}

const ROWS: &[Row] = &[
    ("nothing wrong", |_| (), expect(0, 30, 28, &[])),
    (
        "a message cut in the middle",
        |recording| {
            let bytes = recording.bytes(10);
            bytes.truncate(bytes.len() / 2);
        },
        expect(3, 30, 28, &[("keypoints_refused", 1)]),
    ),
    ("an empty message", |recording| recording.bytes(10).clear(), expect(3, 30, 28, &[("message_refused", 1)])),
    (
        "a message of another byte order that is none",
        |recording| recording.bytes(10)[1] = 77,
        expect(3, 30, 28, &[("message_refused", 1)]),
    ),
    (
        "a message that announces four milliards of people",
        |recording| {
            let bytes = recording.bytes(10);
            let at = 4 + 8 + 4 + "camera_optical_frame".len() + 1;
            bytes[at..].fill(0xff);
        },
        expect(3, 30, 28, &[("keypoints_refused", 1)]),
    ),
    (
        "a layout that nobody knows",
        |recording| recording.change(10, |array| array.layout = "octopus"),
        expect(3, 30, 28, &[("keypoints_refused", 1)]),
    ),
    (
        "too few keypoints for the layout",
        |recording| recording.change(10, |array| array.people[0].keypoints.truncate(3)),
        expect(3, 30, 28, &[("keypoints_refused", 1)]),
    ),
    (
        "a million keypoints",
        |recording| {
            recording.change(10, |array| {
                let keypoint = array.people[0].keypoints[0];
                array.people[0].keypoints = vec![keypoint; 1_000_000];
            });
        },
        expect(3, 30, 28, &[("keypoints_refused", 1)]),
    ),
    (
        "a keypoint that is not a number",
        |recording| {
            recording.change(10, |array| {
                array.people[0].keypoints[5] = Keypoint { u: f32::NAN, v: 1.0, score: 0.9, spread: f32::NAN };
            });
        },
        expect(3, 30, 28, &[("keypoints_refused", 1)]),
    ),
    (
        "no keypoint that is a number",
        |recording| {
            recording.change(10, |array| {
                array.people[0].keypoints.fill(Keypoint {
                    u: f32::NAN,
                    v: f32::NAN,
                    score: f32::NAN,
                    spread: f32::NAN,
                });
            });
        },
        expect(3, 30, 28, &[("keypoints_refused", 1)]),
    ),
    (
        "a person's score that is not a number",
        |recording| recording.change(10, |array| array.people[0].score = f32::NAN),
        expect(3, 30, 28, &[("keypoints_refused", 1)]),
    ),
    (
        "keypoints as far away as a float can say",
        |recording| {
            recording.change(10, |array| {
                for keypoint in &mut array.people[0].keypoints {
                    (keypoint.u, keypoint.v) = (f32::MAX, -f32::MAX);
                }
            });
        },
        expect(0, 30, 28, &[]),
    ),
    (
        "all keypoints in one place",
        |recording| {
            recording.change(10, |array| {
                for keypoint in &mut array.people[0].keypoints {
                    (keypoint.u, keypoint.v) = (320.0, 240.0);
                }
            });
        },
        expect(0, 30, 28, &[]),
    ),
    (
        "nobody for a third of a second",
        |recording| (10..20).for_each(|image| recording.change(image, |array| array.people.clear())),
        expect(0, 30, 28, &[]),
    ),
    (
        "fifty people at once, of whom ten are wanted",
        |recording| recording.change(10, |array| people(array, 50)),
        expect(0, 30, 28, &[("too_many_people", 1)]),
    ),
    (
        "three thousand people at once",
        |recording| recording.change(10, |array| people(array, 3000)),
        expect(0, 30, 28, &[("too_many_people", 1)]),
    ),
    (
        "from nobody to fifty people and back",
        |recording| {
            (0..IMAGES).for_each(|image| recording.change(image, |array| people(array, [0, 10, 50, 1][image % 4])));
        },
        expect(0, 30, 20, &[("too_many_people", 7)]),
    ),
    (
        "the same stamp twice",
        |recording| {
            let earlier: Stamp = from_cdr::<KeypointArray<'_>>(&recording.bytes(9).clone()).unwrap().header.stamp;
            recording.change(10, |array| array.header.stamp = earlier);
        },
        expect(3, 30, 28, &[("image_refused", 1)]),
    ),
    ("two images in the wrong order", |recording| recording.swap(10, 11), expect(3, 30, 27, &[("image_refused", 1)])),
    (
        // The first image after that could have come late.
        "time that jumps back a tenth of a second",
        |recording| recording.shift(15, -0.1),
        expect(3, 30, 27, &[("image_refused", 1), ("time_went_back", 1)]),
    ),
    (
        "time that jumps back five seconds",
        |recording| recording.shift(15, -5.0),
        expect(0, 30, 28, &[("time_went_back", 1)]),
    ),
    (
        "a recording that starts again",
        |recording| {
            let again = recording.messages.clone();
            let later = |stamp: Stamp| Stamp::from_nanoseconds(stamp.nanoseconds() + 2_000_000_000);
            recording.messages.extend(again.into_iter().map(|(topic, stamp, bytes)| (topic, later(stamp), bytes)));
        },
        expect(0, 60, 56, &[("time_went_back", 1)]),
    ),
    ("a gap of a year", |recording| recording.shift(15, 31_536_000.0), expect(0, 30, 26, &[])),
    (
        "a stamp of zero",
        |recording| recording.change(10, |array| array.header.stamp = Stamp::from_nanoseconds(0)),
        expect(3, 30, 28, &[("image_refused", 1)]),
    ),
    (
        "a stamp before 1970",
        |recording| recording.change(10, |array| array.header.stamp = Stamp::from_nanoseconds(-7_000_000_000)),
        expect(3, 30, 28, &[("image_refused", 1)]),
    ),
    (
        "a CameraInfo that is cut, which is no image",
        |recording| {
            let infos = recording.messages.iter_mut().filter(|(topic, ..)| *topic == CAMERA_INFO);
            infos.skip(10).take(1).for_each(|(.., bytes)| bytes.truncate(20));
        },
        expect(3, 30, 28, &[("camera_info_refused", 1)]),
    ),
    (
        // The tenth image waits for the CameraInfo that comes next.
        "no CameraInfo before the eleventh image",
        |recording| {
            let mut seen = 0;
            recording.messages.retain(|(topic, ..)| {
                seen += usize::from(*topic == CAMERA_INFO);
                *topic != CAMERA_INFO || seen > 10
            });
        },
        expect(3, 30, 18, &[("no_camera_info", 9)]),
    ),
];

fn replay(name: &str, recording: &Recording, folder: &Path, more: &[&str]) -> Ran {
    let bag = folder.join("bag");
    let _ = fs::remove_dir_all(&bag);
    recording.write(&bag);
    faults::replay(name, &bag, &folder.join("result"), more)
}

#[test]
fn every_fault_is_named_counted_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Recording::whole(folder.path());
    let mut wrong = Vec::new();
    for (name, spoil, expected) in ROWS {
        let mut recording = whole.clone();
        spoil(&mut recording);
        let ran = replay(name, &recording, folder.path(), &[]);
        let most = ran.sequence.images.iter().map(|image| image.people.len()).max();
        wrong.extend(ran.difference(name, expected));
        // A truth may count images: none may be missing from the result.
        if ran.sequence.images.len() != expected.images {
            wrong.push(format!("{name}: {} images in the result", ran.sequence.images.len()));
        }
        if most > Some(10) {
            wrong.push(format!("{name}: {most:?} people in one image"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_same_faults_twice_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut recording = Recording::whole(folder.path());
    (0..IMAGES).for_each(|image| recording.change(image, |array| people(array, [0, 10, 50, 1][image % 4])));
    recording.bytes(5).truncate(40);
    recording.change(6, |array| array.layout = "octopus");
    recording.shift(20, -5.0);
    let run = |side: &str| {
        let folder = folder.path().join(side);
        fs::create_dir(&folder).unwrap();
        let ran = replay(side, &recording, &folder, &["-p", "detector.max_people:=50"]);
        assert_eq!((ran.exit, ran.warnings().len()), (3, 2), "{:?}", ran.warnings());
        fs::read(&ran.file).unwrap()
    };
    assert!(run("a") == run("b"), "the results differ");
}

#[test]
fn what_follows_a_jump_back_in_time_is_what_a_fresh_start_gives() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Recording::whole(folder.path());
    let mut jumped = whole.clone();
    jumped.shift(15, -5.0);
    let mut fresh = jumped.clone();
    // An image and its info are two messages.
    fresh.messages.drain(..2 * 15);
    let of =
        |name: &str, recording: &Recording| without_identities(&replay(name, recording, folder.path(), &[]).sequence);
    let (whole, jumped, fresh) = (of("whole", &whole), of("jumped", &jumped), of("fresh", &fresh));
    assert_eq!((jumped.len(), fresh.len()), (IMAGES, IMAGES - 15));
    // What is read comes by stamp: the images after the jump have the earlier ones.
    assert!(jumped[15..] == whole[..15], "before the jump");
    assert!(jumped[..15] == fresh[..], "after the jump");
    assert!(fresh.iter().filter(|(_, people)| people.len() == 1).count() >= 13, "nobody to compare");
    // Without the jump they differ: the window knows the half second before.
    assert!(whole[15..].iter().zip(&fresh).all(|(went_on, anew)| went_on.1 != anew.1));
}

#[test]
fn an_image_that_comes_late_is_skipped_and_nobody_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Recording::whole(folder.path());
    let mut late = whole.clone();
    late.swap(10, 11);
    let mut without = whole.clone();
    // An image and its info are two messages.
    without.messages.drain(2 * 10..2 * 11);
    let ran = replay("late", &late, folder.path(), &[]);
    let skipped = ran.sequence.images[10].clone();
    assert!(skipped.people.is_empty(), "the late image has nobody: {skipped:?}");
    let mut others = ran.sequence;
    others.images.remove(10);
    assert_eq!(others, replay("without", &without, folder.path(), &[]).sequence);
    assert!(others.images[1..].iter().all(|image| image.people.len() == 1), "nobody to compare");
}

#[test]
fn everybody_of_none_to_fifty_has_a_skeleton() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Recording::whole(folder.path());
    for count in [0, 1, 2, 5, 10, 20, 35, 50] {
        let mut recording = whole.clone();
        (0..IMAGES).for_each(|image| recording.change(image, |array| people(array, count)));
        let name = format!("{count} people");
        let ran = replay(&name, &recording, folder.path(), &["-p", "detector.max_people:=50"]);
        assert_eq!((ran.exit, ran.images(), ran.warnings()), (0, IMAGES, Vec::new()), "{name}");
        let skeletons: Vec<usize> = ran.sequence.images.iter().map(|image| image.people.len()).collect();
        // Somebody is published from the second image on (track.min_hits).
        assert_eq!(skeletons[1..], [count; IMAGES - 1], "{name}");
        let total: usize = skeletons.iter().sum();
        assert_eq!(ran.summary["skeletons"].as_u64(), Some(total as u64), "{name}");
    }
}

#[test]
fn of_a_crowd_the_best_by_score_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut recording = Recording::whole(folder.path());
    // Six people of whom three are wanted: the second, fourth and sixth have the highest scores.
    for image in 0..IMAGES {
        recording.change(image, |array| {
            people(array, 6);
            for (index, person) in array.people.iter_mut().enumerate() {
                person.score = if index % 2 == 1 { 0.9 } else { 0.6 };
            }
        });
    }
    let mut best = recording.clone();
    for image in 0..IMAGES {
        best.change(image, |array| array.people.retain(|person| person.score > 0.8));
    }
    let three = &["-p", "detector.max_people:=3"];
    let of_six = replay("six", &recording, folder.path(), three);
    assert_eq!(of_six.warnings(), [("too_many_people".to_owned(), IMAGES as u64)]);
    assert_eq!(of_six.exit, 0, "nothing of the input was lost");
    let of_three = replay("three", &best, folder.path(), three);
    assert_eq!(of_six.sequence, of_three.sequence);
    assert!(of_three.sequence.images[1..].iter().all(|image| image.people.len() == 3));
}

#[test]
fn a_joint_is_only_measured_where_its_keypoint_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let mut recording = Recording::whole(folder.path());
    // From the 15th image on the left wrist is not found.
    let wrist = stridepose::skeleton::KeypointLayout::Coco17.index_of(Joint::LWrist).unwrap();
    (15..IMAGES)
        .for_each(|image| recording.change(image, |array| array.people[0].keypoints[wrist] = Keypoint::NOT_FOUND));
    let sequence = replay("wrist", &recording, folder.path(), &[]).sequence;
    let states: Vec<JointState> = sequence
        .images
        .iter()
        .flat_map(|image| &image.people)
        .map(|person| person.joints[Joint::LWrist.index()].unwrap().state)
        .collect();
    assert!(states.len() >= 28, "{states:?}");
    let late = &states[states.len() - 15..];
    assert!(late.iter().all(|state| *state != JointState::Measured), "{late:?}");
    assert!(states[..states.len() - 15].contains(&JointState::Measured), "{states:?}");
}
