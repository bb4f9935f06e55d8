//! A standing person under the names, units and axes of different sources gives the same clip.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use super::*;

/// Depth, name and offset (x left, y up, z forwards, m) of a standing person's joints.
const PERSON: [(usize, &str, [f64; 3]); 20] = [
    (0, "Hips", [0.0, 0.95, 0.0]),
    (1, "LeftUpLeg", [0.1, 0.0, 0.0]),
    (2, "LeftLeg", [0.0, -0.42, 0.0]),
    (3, "LeftFoot", [0.0, -0.42, 0.0]),
    (1, "RightUpLeg", [-0.1, 0.0, 0.0]),
    (2, "RightLeg", [0.0, -0.42, 0.0]),
    (3, "RightFoot", [0.0, -0.42, 0.0]),
    (1, "Spine", [0.0, 0.1, 0.0]),
    (2, "Spine1", [0.0, 0.1, 0.0]),
    (3, "Spine2", [0.0, 0.1, 0.0]),
    (4, "Neck", [0.0, 0.15, 0.0]),
    (5, "Head", [0.0, 0.1, 0.0]),
    (6, "HeadTop_End", [0.0, 0.2, 0.0]),
    (4, "LeftShoulder", [0.05, 0.1, 0.0]),
    (5, "LeftArm", [0.12, 0.0, 0.0]),
    (6, "LeftForeArm", [0.28, 0.0, 0.0]),
    (7, "LeftHand", [0.25, 0.0, 0.0]),
    (4, "RightShoulder", [-0.05, 0.1, 0.0]),
    (5, "RightArm", [-0.12, 0.0, 0.0]),
    (6, "RightForeArm", [-0.28, 0.0, 0.0]),
];

/// The person as BVH text; the root is at height 0.95, 1.05, … in frames 0, 1, ….
pub fn person(prefix: &str, unit: f64, up: UpAxis, frames: usize, frame_secs: f64) -> String {
    let hand = [(7, "RightHand", [-0.25, 0.0, 0.0])];
    let turned = |[x, y, z]: [f64; 3]| match up {
        UpAxis::Y => [x / unit, y / unit, z / unit],
        UpAxis::Z => [x / unit, -z / unit, y / unit],
    };
    let mut text = String::from("HIERARCHY\n");
    let mut depth = 0;
    for (index, (level, name, offset)) in PERSON.into_iter().chain(hand).enumerate() {
        text += &"}\n".repeat(if index == 0 { 0 } else { depth + 1 - level });
        depth = level;
        let [x, y, z] = turned(offset);
        let (kind, channels) = match index {
            0 => ("ROOT", "6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"),
            _ => ("JOINT", "3 Zrotation Yrotation Xrotation"),
        };
        write!(text, "{kind} {prefix}{name}\n{{\nOFFSET {x} {y} {z}\nCHANNELS {channels}\n").unwrap();
    }
    text += &"}\n".repeat(depth + 1);
    write!(text, "MOTION\nFrames: {frames}\nFrame Time: {frame_secs}\n").unwrap();
    for frame in 0..frames {
        let [x, y, z] = turned([0.0, 0.95 + 0.1 * frame as f64, 0.0]);
        writeln!(text, "{x} {y} {z}{}", " 0".repeat(3 * 21)).unwrap();
    }
    text
}

fn read(text: &str, settings: &BvhSettings) -> Result<Vec<WorldPose>, BvhClipError> {
    poses(text, Path::new("walk.bvh"), settings, &JointNames::load(None).unwrap()).map(|read| read.poses)
}

#[test]
fn sources_differ_in_names_units_and_axes_but_not_in_the_person() {
    let mixamo = read(&person("mixamorig:", 0.01, UpAxis::Y, 5, 0.02), &BvhSettings::default()).unwrap();
    let head = mixamo[0][Joint::Head.index()];
    assert!((head - Vector3::new(0.0, 0.0, 0.95 + 0.75)).norm() < 1e-9, "{head:?}");
    assert!((mixamo[0][Joint::RWrist.index()].x + 0.7).abs() < 1e-9, "right is -x of one who looks along -y");
    assert!((mixamo[0][Joint::Pelvis.index()].z - 0.95).abs() < 1e-9);
    assert!((mixamo[0][Joint::Spine.index()].z - 1.10).abs() < 1e-9, "the middle of Spine and Spine1");
    for (prefix, unit, up) in [("", 0.0254 / 0.45, UpAxis::Y), ("", 1.0, UpAxis::Z), ("mixamorig_", 0.001, UpAxis::Y)] {
        let other =
            read(&person(prefix, unit, up, 5, 0.02).replace("HeadTop_End", "Head_End"), &BvhSettings::default());
        for (a, b) in mixamo.iter().flatten().zip(other.unwrap().iter().flatten()) {
            assert!((a - b).norm() < 1e-9, "{prefix} {unit} {up:?}: {a:?} is not {b:?}");
        }
    }
}

#[test]
fn cmu_s_names_are_one_bone_lower_than_they_say() {
    let text = person("", 0.0254 / 0.45, UpAxis::Y, 2, 0.02);
    let plain = read(&text, &BvhSettings::default()).unwrap();
    let cmu = text.replace("Neck", "Neck1").replace("Spine2", "Neck").replace("Hand", "FingerBase");
    let cmu = read(&cmu.replace("JOINT Spine\n", "JOINT LowerBack\n"), &BvhSettings::default()).unwrap();
    for (a, b) in plain.iter().flatten().zip(cmu.iter().flatten()) {
        assert!((a - b).norm() < 1e-9, "{a:?} is not {b:?}");
    }
}

#[test]
fn an_upper_arm_with_a_name_of_its_own_begins_at_the_shoulder() {
    let text = person("", 0.01, UpAxis::Y, 2, 0.02);
    let plain = read(&text, &BvhSettings::default()).unwrap();
    let xsens = text.replace("JOINT LeftArm", "JOINT LeftUpperArm").replace("JOINT RightArm", "JOINT RightUpperArm");
    assert_eq!(read(&xsens, &BvhSettings::default()).unwrap(), plain);
}

#[test]
fn all_joints_that_are_missing_are_named_at_once() {
    let text = person("", 0.01, UpAxis::Y, 2, 0.02).replace("Hand", "Paw").replace("LeftFoot", "LeftHoof");
    let error = read(&text, &BvhSettings::default()).unwrap_err().to_string();
    assert!(error.contains("no joint for l_ankle, l_wrist, r_wrist; the file has Hips, LeftUpLeg"), "{error}");
}

#[test]
fn what_was_found_out_is_told() {
    for (unit, up) in [(0.01, UpAxis::Y), (1.0, UpAxis::Z)] {
        let text = person("", unit, up, 2, 0.02);
        let found =
            poses(&text, Path::new("walk.bvh"), &BvhSettings::default(), &JointNames::load(None).unwrap()).unwrap();
        assert_eq!((found.metres_per_unit, found.up), (unit, up));
    }
}

#[test]
fn frames_are_interpolated_to_fifty_a_second() {
    // 100 images a second, half a second: the root rises by 0.1 m a frame.
    let fast = read(&person("", 0.01, UpAxis::Y, 51, 0.01), &BvhSettings::default()).unwrap();
    assert_eq!(fast.len(), 26);
    assert!((fast[25][0].z - (0.95 + 5.0)).abs() < 1e-9);
    let slow = read(&person("", 0.01, UpAxis::Y, 3, 0.04), &BvhSettings::default()).unwrap();
    assert_eq!(slow.len(), 5);
    assert!((slow[3][0].z - (0.95 + 0.15)).abs() < 1e-9);
}

#[test]
fn what_does_not_tell_is_refused_with_the_option_that_says_it() {
    let text = person("", 0.01, UpAxis::Y, 5, 0.02);
    let error = |text: &str| read(text, &BvhSettings::default()).unwrap_err().to_string();
    assert!(error(&text.replace("LeftHand", "Left_Hand")).contains("no joint for l_wrist"));
    let child = person("", 0.01 * 1.7, UpAxis::Y, 5, 0.02);
    assert!(error(&child).contains("--bvh-scale"), "{}", error(&child));
    let scaled = BvhSettings { metres_per_unit: Some(0.01), ..BvhSettings::default() };
    assert_eq!(read(&child, &scaled).unwrap().len(), 5);
    let turned = |degrees: f64| {
        let row = |line: &str| match line.strip_suffix(&" 0".repeat(61)) {
            Some(start) => format!("{start} {degrees}{}", " 0".repeat(60)),
            None => line.to_owned(),
        };
        text.lines().map(row).collect::<Vec<_>>().join("\n")
    };
    let head = |text: &str| read(text, &BvhSettings::default()).unwrap()[0][Joint::Head.index()];
    assert!((head(&turned(90.0)) - Vector3::new(0.0, 0.95, 0.75)).norm() < 1e-9, "z is up: {:?}", head(&turned(90.0)));
    let slanted = turned(45.0);
    assert!(error(&slanted).contains("--bvh-up"), "{}", error(&slanted));
    assert!(error(&text.replace("Frames: 5", "Frames: 6")).starts_with("walk.bvh:"));
}

#[test]
fn names_of_one_s_own_take_the_place_of_the_built_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.yaml");
    std::fs::write(&path, "l_wrist: [Left Grip]\n").unwrap();
    let names = JointNames::load(Some(&path)).unwrap();
    let text = person("", 0.01, UpAxis::Y, 2, 0.02).replace("LeftHand", "Left Grip");
    assert_eq!(poses(&text, &path, &BvhSettings::default(), &names).unwrap().poses.len(), 2);
    std::fs::write(&path, "left_wrist: [x]\n").unwrap();
    let error = JointNames::load(Some(&path)).unwrap_err().to_string();
    assert!(error.contains("left_wrist") && error.contains("names.yaml"), "{error}");
}
