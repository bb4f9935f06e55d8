//! `stridepose export`: every format is read back by a reader of its own and compared with what was in the bag.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nalgebra::{Isometry3, Matrix3, Point3, Quaternion, Rotation3, Translation3, UnitQuaternion, Vector3};
use serde_json::Value;
use stridepose::adapters::bag::writer::{BagWriter, Qos};
use stridepose::adapters::messages::geometry_msgs::{self, TransformStamped};
use stridepose::adapters::messages::std_msgs::Header;
use stridepose::adapters::messages::stridepose::SkeletonArray;
use stridepose::adapters::messages::tf2_msgs::TfMessage;
use stridepose::adapters::truth::csv::parse_truth_csv;
use stridepose::data::{
    BoundingBox, Covariance, JointEstimate, JointState, PersonEstimate, PoseEstimate, Stamp, TrackId,
};
use stridepose::skeleton::{BONES, JOINT_COUNT, Joint, JointArray};

const IMAGES: usize = 30;
const STEP_NS: i64 = 40_000_000;

type Pose = JointArray<Point3<f64>>;

/// A body of constant bone lengths that turns every bone by angles of its own, or, with `stretch`, one whose bones breathe.
fn pose(track: u32, image: usize, stretch: f64) -> Pose {
    let mut joints = [Point3::new(0.4 * f64::from(track) + 0.01 * image as f64, 0.1, 4.0); JOINT_COUNT];
    for (index, (parent, child)) in BONES.into_iter().enumerate() {
        let (i, t) = (index as f64, image as f64 / 30.0);
        // All directions of the sphere, also straight up and down.
        let turn = Rotation3::from_euler_angles(
            2.0 * (i + 5.0 * t).sin(),
            3.0 * (2.0 * i - 4.0 * t).cos(),
            1.5 * (i * t).sin(),
        );
        let length = 0.1 + 0.02 * i + stretch * (7.0 * t + i).sin();
        joints[child.index()] = joints[parent.index()] + turn * Vector3::new(0.0, length, 0.0);
    }
    joints
}

fn stamp(image: usize) -> Stamp {
    Stamp::from_nanoseconds(5_000_000_000 + STEP_NS * image as i64)
}

/// Somebody as they are in an image; track 2 has no nose in image 20.
fn somebody(track: u32, image: usize, stretch: f64) -> PersonEstimate {
    PersonEstimate {
        track_id: TrackId(track),
        joints: std::array::from_fn(|joint| JointEstimate {
            position_in_camera: pose(track, image, stretch)[joint],
            covariance: Covariance::from_diagonal(&Vector3::new(0.25, 0.5, 1.0)),
            confidence: 0.75,
            state: match (track, image, joint) {
                (2, 20, 9) => JointState::Absent,
                (_, _, 3) => JointState::Inferred,
                _ => JointState::Predicted,
            },
            keypoint: None,
        }),
        score: 1.0,
        plausibility: None,
        reprojection_error_px: None,
        bbox_in_image_px: BoundingBox { x_min: 0.0, y_min: 0.0, x_max: 9.0, y_max: 9.0 },
    }
}

/// Two tracks; the second is there from image 10 on and has no nose in image 20.
fn write_bag(folder: &Path, stretch: f64) {
    let mut writer = BagWriter::create(folder).unwrap();
    let topic = writer.add_topic::<SkeletonArray<'_>>("/stridepose/skeletons", Qos::Stream).unwrap();
    for image in 0..IMAGES {
        let people =
            (1..=2).filter(|&track| track == 1 || image >= 10).map(|track| somebody(track, image, stretch)).collect();
        let estimate = PoseEstimate { stamp: stamp(image), people, warnings: Vec::new() };
        writer.write(topic, stamp(image), &SkeletonArray::from_estimate(&estimate, "camera", Duration::ZERO)).unwrap();
    }
    writer.finish().unwrap();
}

/// Exit code, stdout and stderr of an export in a folder.
fn export(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
    let output = command.arg("export").args(arguments).current_dir(folder).env_remove("RUST_LOG").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Exports and gives the text of a file.
fn exported(folder: &Path, arguments: &[&str], file: &str) -> String {
    let (code, _, stderr) = export(folder, arguments);
    assert_eq!(code, 0, "{stderr}");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

fn scene(stretch: f64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_bag(&folder.path().join("result"), stretch);
    folder
}

/// y up from the camera's frame.
fn y_up(at: Point3<f64>) -> Vector3<f64> {
    Vector3::new(at.x, -at.y, -at.z)
}

#[test]
fn csv_can_serve_as_truth_and_is_exact() {
    let folder = scene(0.0);
    let text = exported(folder.path(), &["result", "--format", "csv", "-o", "all.csv"], "all.csv");
    let read = parse_truth_csv(&text, None).unwrap();
    assert_eq!(read.truth.images.len(), IMAGES);
    for (image, people) in read.truth.images.values().enumerate() {
        assert_eq!(people.len(), if image < 10 { 1 } else { 2 });
        for person in people {
            let track: u32 = person.person.parse().unwrap();
            for (joint, at) in person.joints.iter().enumerate() {
                let is_absent = (track, image, joint) == (2, 20, 9);
                assert_eq!(*at, (!is_absent).then(|| pose(track, image, 0.0)[joint]));
            }
        }
    }
    let line = text.lines().nth(4).unwrap();
    assert!(line.starts_with("0,5000000000,1,r_ankle,") && line.ends_with(",0.75,inferred,0.25,0,0,0.5,0,1"), "{line}");
    // And the program itself finds no error.
    let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
    let output =
        command.args(["evaluate", "result", "--truth", "all.csv"]).current_dir(folder.path()).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("MPJPE           0.0 mm"));
}

#[test]
fn json_holds_everything() {
    let folder = scene(0.0);
    let text = exported(folder.path(), &["result", "--format", "json", "-o", "all.json"], "all.json");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((json["frame_id"].as_str(), json["joints"][3].as_str()), (Some("camera"), Some("r_ankle")));
    assert_eq!(json["bones"].as_array().unwrap().len(), 16);
    let image = &json["images"][20];
    assert_eq!(image["stamp_ns"].as_i64(), Some(stamp(20).nanoseconds()));
    let joints = &image["people"][1]["joints"];
    assert!(joints[9].is_null());
    let at = pose(2, 20, 0.0)[3];
    assert_eq!(joints[3]["position_m"], serde_json::json!([at.x, at.y, at.z]));
    assert_eq!((joints[3]["state"].as_str(), joints[3]["confidence"].as_f64()), (Some("inferred"), Some(0.75)));
    assert_eq!(joints[3]["covariance_m2"], serde_json::json!([0.25, 0.0, 0.0, 0.5, 0.0, 1.0]));
}

#[derive(Default)]
struct BvhJoint {
    name: String,
    parent: Option<usize>,
    offset: Vector3<f64>,
    first_channel: usize,
    channels: Vec<String>,
}

/// A BVH file as its grammar says, and forward kinematics over it: the places of all named joints in each frame, cm.
struct BvhReader {
    joints: Vec<BvhJoint>,
    frames: Vec<Vec<f64>>,
    interval: f64,
}

impl BvhReader {
    fn parse(text: &str) -> Self {
        let mut reader = Self { joints: Vec::new(), frames: Vec::new(), interval: 0.0 };
        let (hierarchy, motion) = text.split_once("MOTION").unwrap();
        let mut words = hierarchy.split_whitespace();
        assert_eq!(words.next(), Some("HIERARCHY"));
        let mut open: Vec<Option<usize>> = Vec::new();
        let mut channels = 0;
        let mut pending = None;
        while let Some(word) = words.next() {
            match word {
                "ROOT" | "JOINT" => {
                    let parent = open.last().copied().flatten();
                    let name = words.next().unwrap().to_owned();
                    reader.joints.push(BvhJoint { name, parent, ..BvhJoint::default() });
                    pending = Some(reader.joints.len() - 1);
                }
                "End" => {
                    assert_eq!(words.next(), Some("Site"));
                    pending = None;
                }
                "{" => open.push(pending),
                "}" => {
                    open.pop().expect("a brace too many");
                }
                "OFFSET" => {
                    let offset = Vector3::from_fn(|_, _| words.next().unwrap().parse().unwrap());
                    if let Some(joint) = *open.last().unwrap() {
                        reader.joints[joint].offset = offset;
                    }
                }
                "CHANNELS" => {
                    let count: usize = words.next().unwrap().parse().unwrap();
                    let names = (0..count).map(|_| words.next().unwrap().to_owned()).collect();
                    let joint = open.last().unwrap().unwrap();
                    reader.joints[joint].first_channel = channels;
                    reader.joints[joint].channels = names;
                    channels += count;
                }
                other => panic!("{other}"),
            }
        }
        assert!(open.is_empty());
        let mut lines = motion.trim_start().lines();
        let count: usize = lines.next().unwrap().strip_prefix("Frames: ").unwrap().parse().unwrap();
        reader.interval = lines.next().unwrap().strip_prefix("Frame Time: ").unwrap().parse().unwrap();
        reader.frames = lines.map(|line| line.split(' ').map(|value| value.parse().unwrap()).collect()).collect();
        assert_eq!(reader.frames.len(), count);
        assert!(reader.frames.iter().all(|frame| frame.len() == channels));
        reader
    }

    fn positions(&self, frame: usize) -> HashMap<&str, Vector3<f64>> {
        let mut places: Vec<(Vector3<f64>, Matrix3<f64>)> = Vec::new();
        let mut named = HashMap::new();
        for BvhJoint { name, parent, offset, first_channel, channels } in &self.joints {
            let mut shift = *offset;
            let mut turn = Matrix3::identity();
            for (channel, value) in channels.iter().zip(&self.frames[frame][*first_channel..]) {
                let about = |axis| Rotation3::from_axis_angle(&axis, value.to_radians()).into_inner();
                match channel.as_str() {
                    "Xposition" => shift.x += value,
                    "Yposition" => shift.y += value,
                    "Zposition" => shift.z += value,
                    "Xrotation" => turn *= about(Vector3::x_axis()),
                    "Yrotation" => turn *= about(Vector3::y_axis()),
                    "Zrotation" => turn *= about(Vector3::z_axis()),
                    other => panic!("{other}"),
                }
            }
            let (origin, orientation) = parent.map_or((Vector3::zeros(), Matrix3::identity()), |parent| places[parent]);
            places.push((origin + orientation * shift, orientation * turn));
            named.insert(name.as_str(), places[places.len() - 1].0);
        }
        named
    }

    /// Mean and largest distance from the poses of a track, mm, from `first` image on.
    fn distance_mm(&self, track: u32, first: usize, stretch: f64) -> (f64, f64) {
        let (mut sum, mut largest) = (0.0, 0.0_f64);
        for frame in 0..self.frames.len() {
            let places = self.positions(frame);
            for (joint, at) in Joint::ALL.into_iter().zip(pose(track, first + frame, stretch)) {
                let distance = (places[joint.name()] * 10.0 - y_up(at) * 1000.0).norm();
                sum += distance;
                largest = largest.max(distance);
            }
        }
        (sum / (self.frames.len() * JOINT_COUNT) as f64, largest)
    }
}

#[test]
fn bvh_moves_every_joint_to_its_place_within_a_millimetre() {
    let folder = scene(0.0);
    let (code, stdout, _) = export(folder.path(), &["result", "--format", "bvh", "-o", "walk.bvh"]);
    assert_eq!(code, 0);
    assert!(
        stdout.contains("walk.1.bvh: constant bone lengths move joints by 0.0 mm on average, 0.0 mm at most"),
        "{stdout}"
    );
    let first = BvhReader::parse(&std::fs::read_to_string(folder.path().join("walk.1.bvh")).unwrap());
    assert_eq!((first.frames.len(), first.joints.len()), (IMAGES, JOINT_COUNT + 6));
    assert!((first.interval - 0.04).abs() < 1e-9);
    let (mean, largest) = first.distance_mm(1, 0, 0.0);
    assert!(largest < 0.02, "{mean} {largest}");
    // The second starts later, and its nose is carried on a straight line through the image without it.
    let second = BvhReader::parse(&std::fs::read_to_string(folder.path().join("walk.2.bvh")).unwrap());
    assert_eq!(second.frames.len(), IMAGES - 10);
    let elsewhere = second.positions(9)["l_wrist"] * 10.0 - y_up(pose(2, 19, 0.0)[Joint::LWrist.index()]) * 1000.0;
    assert!(elsewhere.norm() < 0.02, "{elsewhere}");
}

#[test]
fn bvh_states_what_constant_lengths_cost() {
    let folder = scene(0.01);
    let (_, stdout, _) = export(folder.path(), &["result", "--format", "bvh", "-o", "one.bvh", "--track", "1"]);
    let reader = BvhReader::parse(&std::fs::read_to_string(folder.path().join("one.bvh")).unwrap());
    let (mean, largest) = reader.distance_mm(1, 0, 0.01);
    assert!(mean > 2.0 && largest < 60.0, "{mean} {largest}");
    let stated = format!("move joints by {mean:.1} mm on average, {largest:.1} mm at most");
    assert!(stdout.contains(&stated), "{stdout} is not {stated}");
}

#[test]
fn trc_has_the_markers_in_millimetres_and_gaps_empty() {
    let folder = scene(0.0);
    let text = exported(folder.path(), &["result", "--format", "trc", "-o", "two.trc", "--track", "2"], "two.trc");
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines[0], ["PathFileType", "4", "(X/Y/Z)", "two.trc"]);
    let header: HashMap<&str, &str> = lines[1].iter().copied().zip(lines[2].iter().copied()).collect();
    assert_eq!((header["NumFrames"], header["NumMarkers"], header["Units"]), ("20", "17", "mm"));
    assert!((header["DataRate"].parse::<f64>().unwrap() - 25.0).abs() < 1e-3);
    let names: Vec<&str> = lines[3].iter().copied().skip(2).step_by(3).collect();
    assert_eq!(names[..17], Joint::ALL.map(Joint::name));
    assert_eq!((lines[4][2], lines[4].last()), ("X1", Some(&"Z17")));
    assert!(lines[5] == [""]);
    for (row, cells) in lines[6..].iter().enumerate() {
        assert_eq!(cells.len(), 2 + 3 * JOINT_COUNT);
        assert_eq!(cells[0], (row + 1).to_string());
        assert!((cells[1].parse::<f64>().unwrap() - 0.04 * (row + 10) as f64).abs() < 1e-6);
        for (joint, at) in pose(2, row + 10, 0.0).into_iter().enumerate() {
            let marker = &cells[2 + 3 * joint..5 + 3 * joint];
            if (row + 10, joint) == (20, 9) {
                assert_eq!(marker, ["", "", ""]);
            } else {
                let read = Vector3::from_fn(|axis, _| marker[axis].parse::<f64>().unwrap());
                assert!((read - y_up(at) * 1000.0).norm() < 1e-3);
            }
        }
    }
    assert_eq!(lines.len(), 26);
}

/// How the robot that carries the camera moves over the floor, and where it is in its first and last image.
fn odom_from_camera(image: usize) -> Isometry3<f64> {
    let optical = UnitQuaternion::from_quaternion(Quaternion::new(0.5, -0.5, 0.5, -0.5));
    let robot = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), 0.05 * image as f64);
    let nod = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), 0.3);
    let base = Isometry3::from_parts(Translation3::new(0.1 * image as f64, -0.2, 0.0), robot);
    base * Isometry3::from_parts(Translation3::new(0.0, 0.0, 1.2), nod * optical)
}

/// The recording of that robot: its transforms from image `first` on, the camera on a mast.
fn write_transforms(folder: &Path, first: usize) {
    let mut writer = BagWriter::create(folder).unwrap();
    let moving = writer.add_topic::<TfMessage<'_>>("/tf", Qos::Stream).unwrap();
    let fixed = writer.add_topic::<TfMessage<'_>>("/tf_static", Qos::Latched).unwrap();
    let base_from_camera = odom_from_camera(0);
    let message = |image: usize, parent: &'static str, child: &'static str, pose: Isometry3<f64>| {
        let (at, turn) = (pose.translation.vector, pose.rotation.coords);
        let header = Header { stamp: stamp(image), frame_id: parent };
        let translation = geometry_msgs::Point { x: at.x, y: at.y, z: at.z };
        let rotation = geometry_msgs::Quaternion { x: turn.x, y: turn.y, z: turn.z, w: turn.w };
        TfMessage { transforms: vec![TransformStamped { header, child_frame_id: child.into(), translation, rotation }] }
    };
    writer.write(fixed, stamp(0), &message(0, "base", "camera", base_from_camera)).unwrap();
    for image in first..IMAGES {
        let odom_from_base = odom_from_camera(image) * base_from_camera.inverse();
        writer.write(moving, stamp(image), &message(image, "odom", "base", odom_from_base)).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn a_frame_of_tf_is_where_everybody_is_in_the_world() {
    let folder = scene(0.0);
    write_transforms(&folder.path().join("recording"), 0);
    let arguments = |format, file| ["result", "--format", format, "-o", file, "--frame", "odom", "--tf", "recording"];
    let text = exported(folder.path(), &arguments("json", "all.json"), "all.json");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["frame_id"].as_str(), Some("odom"));
    let numbers =
        |value: &Value| -> Vec<f64> { value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect() };
    for image in [0, 7, 29] {
        let joint = &json["images"][image]["people"][0]["joints"][16];
        let wanted = odom_from_camera(image) * pose(1, image, 0.0)[16];
        let found = numbers(&joint["position_m"]);
        assert!((Point3::from_slice(&found) - wanted).norm() < 1e-9, "{image}: {found:?} instead of {wanted}");
        let turn = odom_from_camera(image).rotation.to_rotation_matrix();
        let wanted = turn.matrix() * Matrix3::from_diagonal(&Vector3::new(0.25, 0.5, 1.0)) * turn.matrix().transpose();
        let found = numbers(&joint["covariance_m2"]);
        for (found, at) in found.iter().zip([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]) {
            assert!((found - wanted[at]).abs() < 1e-9);
        }
    }
    // y is what was z there.
    let text = exported(folder.path(), &arguments("trc", "all.trc"), "all.1.trc");
    let row: Vec<f64> = text.lines().nth(6 + 12).unwrap().split('\t').map(|cell| cell.parse().unwrap()).collect();
    let at = odom_from_camera(12) * pose(1, 12, 0.0)[16];
    for (found, wanted) in row[2 + 3 * 16..].iter().zip([at.x, at.z, -at.y]) {
        assert!((found - 1000.0 * wanted).abs() < 1e-3, "{found} instead of {wanted} m");
    }
    // A file in that frame is no truth for what the camera sees.
    let text = exported(folder.path(), &arguments("csv", "all.csv"), "all.csv");
    assert!(text.lines().next().unwrap().ends_with(",in_frame") && text.lines().nth(3).unwrap().ends_with(",odom"));
    let refusal = parse_truth_csv(&text, None).unwrap_err().to_string();
    assert!(refusal.contains("without --frame"), "{refusal}");
}

#[test]
fn images_for_which_tf_does_not_tell_are_left_out_and_counted() {
    let folder = scene(0.0);
    write_transforms(&folder.path().join("recording"), 12);
    let arguments = ["result", "--format", "json", "-o", "all.json", "--frame", "odom", "--tf", "recording"];
    let (code, _, stderr) = export(folder.path(), &arguments);
    assert!(
        code == 0 && stderr.contains("12 of 30 images with people are left out, the first because frame \"base\""),
        "{stderr}"
    );
    let json: Value = serde_json::from_slice(&std::fs::read(folder.path().join("all.json")).unwrap()).unwrap();
    let people: Vec<usize> =
        json["images"].as_array().unwrap().iter().map(|image| image["people"].as_array().unwrap().len()).collect();
    assert_eq!((people.len(), &people[..13], people[29]), (IMAGES, &[&[0; 12][..], &[2]].concat()[..], 2));
}

#[test]
fn a_camera_that_looked_down_and_aside_is_made_level() {
    let folder = scene(0.0);
    let level = ["result", "--format", "trc", "-o", "all.trc", "--track", "1", "--tilt-deg", "25", "--roll-deg", "-10"];
    let text = exported(folder.path(), &level, "all.trc");
    let row: Vec<f64> = text.lines().nth(6).unwrap().split('\t').map(|cell| cell.parse().unwrap()).collect();
    let at = |joint: usize| Vector3::from_column_slice(&row[2 + 3 * joint..5 + 3 * joint]) / 1000.0;
    // Gravity as the README has it: down, right where it is turned clockwise, ahead where it looks down.
    let (tilt, roll) = (25_f64.to_radians(), -10_f64.to_radians());
    let down = Vector3::new(tilt.cos() * roll.sin(), tilt.cos() * roll.cos(), tilt.sin());
    let joints = pose(1, 0, 0.0);
    let ahead = (Vector3::z() - down * down.z).normalize();
    for (joint, in_camera) in joints.iter().enumerate() {
        let in_camera = in_camera.coords;
        assert!((at(joint).y + in_camera.dot(&down)).abs() < 1e-6, "height of {joint}");
        assert!((at(joint).z + in_camera.dot(&ahead)).abs() < 1e-6, "depth of {joint}");
        assert!((at(joint).norm() - in_camera.norm()).abs() < 1e-6);
    }
}

#[test]
fn frames_that_nobody_knows_are_refused() {
    let folder = scene(0.0);
    write_transforms(&folder.path().join("recording"), 0);
    for (arguments, wanted) in [
        (&["--frame", "odom"][..], "has no transforms on /tf or /tf_static: name the recording with --tf BAG"),
        (&["--frame", "map", "--tf", "recording"], "where camera is in map: frame \"map\" is not known"),
        (&["--frame", "map", "--tf", "recording"], "among its frames are base, camera, odom"),
        (&["--frame", "odom", "--tf", "nowhere"], "nowhere"),
        (&["--tf", "recording"], "--frame"),
        (&["--tilt-deg", "91"], "91 is no angle from -90 to 90"),
        (&["--tilt-deg", "NaN"], "NaN is no angle"),
        (&["--frame", "odom", "--tilt-deg", "3"], "cannot be used with"),
    ] {
        let all = [&["result", "--format", "bvh", "-o", "x.bvh"], arguments].concat();
        let (code, _, stderr) = export(folder.path(), &all);
        assert!(code == 2 && stderr.contains(wanted), "{arguments:?}: {code} {stderr}");
    }
    assert!(!folder.path().join("x.1.bvh").exists());
}

#[test]
fn images_of_the_topic_with_look_ahead_are_counted_on_the_main_one() {
    let folder = scene(0.0);
    let mut writer = BagWriter::create(&folder.path().join("both")).unwrap();
    let main = writer.add_topic::<SkeletonArray<'_>>("/stridepose/skeletons", Qos::Stream).unwrap();
    let refined = writer.add_topic::<SkeletonArray<'_>>("/stridepose/skeletons_refined", Qos::Stream).unwrap();
    for image in 0..8 {
        let nobody = PoseEstimate { stamp: stamp(image), people: Vec::new(), warnings: Vec::new() };
        writer.write(main, stamp(image), &SkeletonArray::from_estimate(&nobody, "camera", Duration::ZERO)).unwrap();
        // Every other image, seen again.
        if image % 2 == 1 {
            let somebody = PoseEstimate { people: vec![somebody(1, image, 0.0)], ..nobody };
            let seen = SkeletonArray::from_estimate(&somebody, "camera", Duration::ZERO);
            writer.write(refined, stamp(image), &seen).unwrap();
        }
    }
    writer.finish().unwrap();
    let arguments = |format, file| ["both", "--topic", "/stridepose/skeletons_refined", "--format", format, "-o", file];
    let text = exported(folder.path(), &arguments("csv", "all.csv"), "all.csv");
    let numbers: Vec<&str> = text.lines().skip(1).step_by(JOINT_COUNT).map(|line| &line[..2]).collect();
    assert_eq!(numbers, ["1,", "3,", "5,", "7,"]);
    let json: Value =
        serde_json::from_str(&exported(folder.path(), &arguments("json", "all.json"), "all.json")).unwrap();
    assert_eq!((json["images"][0]["index"].as_u64(), json["images"][3]["index"].as_u64()), (Some(1), Some(7)));
}

#[test]
fn what_is_not_there_is_refused() {
    let folder = scene(0.0);
    let refusal = |arguments: &[&str]| {
        let (code, stdout, stderr) = export(folder.path(), arguments);
        assert!(code == 2 && stdout.is_empty(), "{arguments:?}: {stdout}{stderr}");
        stderr
    };
    assert!(refusal(&["result", "--format", "csv", "-o", "x", "--track", "7"]).contains("has no track 7"));
    assert!(refusal(&["nowhere", "--format", "csv", "-o", "x"]).contains("nowhere"));
    assert!(refusal(&["result", "--format", "fbx", "-o", "x"]).contains("csv, json, bvh, trc"));
    let bag = folder.path().join("result/result_0.mcap");
    let before = std::fs::read(&bag).unwrap();
    assert!(refusal(&["result", "--format", "csv", "-o", "result/result_0.mcap"]).contains("would be written over"));
    assert!(std::fs::read(&bag).unwrap() == before && !folder.path().join("x").exists());
}
