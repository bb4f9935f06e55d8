//! Every fault that a stream of messages can have, one after the other, through the whole program: what it must say, what goes
//! on, and that nothing leaves it that is not finite, not a covariance, or calls itself measured without a measurement.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/keypoint_recording.rs"]
mod keypoint_recording;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stridepose::adapters::messages::from_cdr;
use stridepose::adapters::messages::stridepose::{Keypoint, KeypointArray};
use stridepose::adapters::result_bag::read_result_bag;
use stridepose::data::{JointState, Stamp};
use stridepose::metrics::ResultSequence;
use stridepose::skeleton::Joint;

use keypoint_recording::{CAMERA_INFO, IMAGES, Recording};

/// What the program must do with a fault.
struct Expected {
    exit: i32,
    /// Images that were used.
    images: usize,
    /// Least images with a skeleton.
    skeletons: usize,
    /// Every kind of warning, with its count.
    warnings: &'static [(&'static str, u64)],
}

/// A fault, and what must come of it.
type Row = (&'static str, fn(&mut Recording), Expected);

const fn expect(exit: i32, images: usize, skeletons: usize, warnings: &'static [(&'static str, u64)]) -> Expected {
    Expected { exit, images, skeletons, warnings }
}

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
    ("fifty people at once", |recording| recording.change(10, |array| people(array, 50)), expect(0, 30, 28, &[])),
    (
        "from nobody to fifty people and back",
        |recording| {
            (0..IMAGES).for_each(|image| recording.change(image, |array| people(array, [0, 10, 50, 1][image % 4])));
        },
        expect(0, 30, 20, &[]),
    ),
    (
        "the same stamp twice",
        |recording| {
            let earlier: Stamp = from_cdr::<KeypointArray<'_>>(&recording.bytes(9).clone()).unwrap().header.stamp;
            recording.change(10, |array| array.header.stamp = earlier);
        },
        expect(3, 30, 28, &[("image_refused", 1)]),
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

/// Nothing that leaves the program may be worse than unknown.
fn check_sane(name: &str, sequence: &ResultSequence) {
    for image in &sequence.images {
        assert!(image.people.len() <= 50, "{name}: {} people", image.people.len());
        for person in &image.people {
            for joint in Joint::ALL {
                let joint = person.joints[joint.index()].expect("every joint has a place");
                assert!(joint.position_in_camera.coords.iter().all(|value| value.is_finite()), "{name}");
                assert!(joint.position_in_camera.z > 0.0, "{name}: a joint behind the camera");
                let covariance = joint.covariance.expect("every joint has a covariance");
                let eigenvalues = covariance.symmetric_eigenvalues();
                assert!(eigenvalues.iter().all(|value| value.is_finite() && *value > 0.0), "{name}: {eigenvalues}");
                let confidence = joint.confidence.expect("every joint has a confidence");
                assert!((0.0..=1.0).contains(&confidence), "{name}: confidence {confidence}");
            }
        }
    }
}

fn replay(name: &str, recording: &Recording, folder: &Path) -> (i32, Value, ResultSequence) {
    let (bag, output) = (folder.join("bag"), folder.join("result"));
    for path in [&bag, &output] {
        let _ = fs::remove_dir_all(path);
    }
    recording.write(&bag);
    let ran = Command::new(env!("CARGO_BIN_EXE_stridepose"))
        .args(["--quiet", "replay"])
        .arg(&bag)
        .arg("-o")
        .arg(&output)
        .args(["-p", "output.overlay:=false"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(!said.contains("panicked"), "{name}: {said}");
    let summary = fs::read_to_string(output.join("summary.json")).unwrap_or_else(|_| panic!("{name}: {said}"));
    let sequence = read_result_bag(&output, None).unwrap().sequence;
    (ran.status.code().unwrap(), serde_json::from_str(&summary).unwrap(), sequence)
}

#[test]
fn every_fault_is_named_counted_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Recording::whole(folder.path());
    let mut wrong = Vec::new();
    for (name, spoil, expected) in ROWS {
        let mut recording = whole.clone();
        spoil(&mut recording);
        let (exit, summary, sequence) = replay(name, &recording, folder.path());
        check_sane(name, &sequence);
        let warnings: Vec<(String, u64)> = summary["warnings"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(kind, count)| (kind.clone(), count["count"].as_u64().unwrap()))
            .collect();
        let wanted: Vec<(String, u64)> =
            expected.warnings.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        let images = summary["images"].as_u64().unwrap() as usize;
        let skeletons = summary["images_with_skeleton"].as_u64().unwrap() as usize;
        if (exit, images, &warnings) != (expected.exit, expected.images, &wanted) || skeletons < expected.skeletons {
            wrong.push(format!("{name}: exit {exit}, {images} images, {skeletons} with a skeleton, {warnings:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_joint_is_only_measured_where_its_keypoint_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let mut recording = Recording::whole(folder.path());
    // From the 15th image on the left wrist is not found.
    let wrist = stridepose::skeleton::KeypointLayout::Coco17.index_of(Joint::LWrist).unwrap();
    (15..IMAGES)
        .for_each(|image| recording.change(image, |array| array.people[0].keypoints[wrist] = Keypoint::NOT_FOUND));
    let (_, _, sequence) = replay("wrist", &recording, folder.path());
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
