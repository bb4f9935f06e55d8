//! Bags that we write, read by ourselves and by the independent Python libraries rosbags and mcap-ros2-support.
//!
//! The Python with these libraries is `STRIDEPOSE_PYTHON`, else `.cache/python/bin/python` of the project.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![cfg(feature = "replay")]

mod common;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{camera_info, record_bag};
use nalgebra::Point3;
use serde_json::{Value, json};
use stridepose::adapters::bag::rosbag2_metadata::Metadata;
use stridepose::adapters::bag::writer::{BagWriter, Qos};
use stridepose::adapters::bag::{Bag, BagError, Completeness, KeypointSource, TopicRequest};
use stridepose::adapters::messages::from_cdr;
use stridepose::adapters::messages::geometry_msgs::{Point, Pose};
use stridepose::adapters::messages::sensor_msgs::{CameraInfo, CompressedImage, Image};
use stridepose::adapters::messages::std_msgs::{ColorRgba, Header};
use stridepose::adapters::messages::stridepose::{JointSet, Keypoint, KeypointArray, PersonKeypoints, SkeletonArray};
use stridepose::adapters::messages::visualization_msgs::{Marker, MarkerAction, MarkerArray, MarkerKind};
use stridepose::data::{
    BoundingBox, Covariance, JointEstimate, JointState, MeasuredKeypoint, PersonEstimate, PoseEstimate, Stamp, TrackId,
};
use stridepose::skeleton::Joint;
use stridepose::warning::WarningKind;

const FRAME: &str = "camera_optical_frame";

fn estimate(stamp: Stamp) -> PoseEstimate {
    let joints = Joint::ALL.map(|joint| {
        let index = joint.index() as f64;
        let measured = joint.index() % 2 == 0;
        JointEstimate {
            position_in_camera: Point3::new(0.25 * index, -0.5, 3.0 + index),
            covariance: Covariance::new(1.0, 2.0, 3.0, 2.0, 4.0, 5.0, 3.0, 5.0, 6.0) / 1024.0,
            confidence: 0.5,
            state: if measured { JointState::Measured } else { JointState::Inferred },
            keypoint: measured.then_some(MeasuredKeypoint { u: 10.5, v: 20.25, score: 0.75 }),
        }
    });
    let person = PersonEstimate {
        track_id: TrackId(3),
        joints,
        score: 0.875,
        plausibility: None,
        reprojection_error_px: Some(1.5),
        bbox_in_image_px: BoundingBox { x_min: 9.5, y_min: 19.5, x_max: 109.5, y_max: 219.5 },
    };
    PoseEstimate { stamp, people: vec![person], warnings: Vec::new() }
}

fn header_json(stamp: Stamp) -> Value {
    json!({"stamp": {"sec": stamp.sec(), "nanosec": stamp.nanosec()}, "frame_id": FRAME})
}

fn skeletons_json(stamp: Stamp) -> Value {
    let joints: Vec<Value> = (0..17)
        .map(|index| {
            let measured = index % 2 == 0;
            let or_nan = |value: f64| if measured { json!(value) } else { json!("nan") };
            json!({
                "position": {"x": 0.25 * f64::from(index), "y": -0.5, "z": 3.0 + f64::from(index)},
                "covariance": ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(|value| value / 1024.0)),
                "confidence": 0.5,
                "state": if measured { 3 } else { 2 },
                "u": or_nan(10.5), "v": or_nan(20.25), "keypoint_score": or_nan(0.75),
            })
        })
        .collect();
    json!({"header": header_json(stamp), "skeletons": [{
        "track_id": 3, "joint_set": "h36m_17", "joints": joints, "score": 0.875, "plausibility": "nan",
        "reprojection_error": 1.5,
        "roi": {"x_offset": 10, "y_offset": 20, "width": 100, "height": 200, "do_rectify": false},
        "lookahead": {"sec": 0, "nanosec": 400_000_000},
    }]})
}

/// Writes every message type there is, and returns what a reader must find.
fn write_everything(directory: &Path) -> Value {
    let mut writer = BagWriter::create(directory).unwrap();
    let joint_sets = writer.add_topic::<JointSet<'_>>("/joint_set", Qos::Latched).unwrap();
    let skeletons = writer.add_topic::<SkeletonArray<'_>>("/skeletons", Qos::Stream).unwrap();
    let markers = writer.add_topic::<MarkerArray<'_>>("/markers", Qos::Stream).unwrap();
    let overlays = writer.add_topic::<CompressedImage<'_>>("/overlay/compressed", Qos::Stream).unwrap();
    let images = writer.add_topic::<Image<'_>>("/image", Qos::Stream).unwrap();
    let infos = writer.add_topic::<CameraInfo>("/camera_info", Qos::Stream).unwrap();
    let keypoints = writer.add_topic::<KeypointArray<'_>>("/keypoints", Qos::Stream).unwrap();
    let mut messages = Vec::new();

    let set = JointSet::internal();
    let time = |number: i32| Stamp::from_sec_nanosec(1_700_000_000 + number, 123_456_789);
    writer.write(joint_sets, time(0), &set).unwrap();
    messages.push(json!({"topic": "/joint_set", "log_time_ns": time(0).nanoseconds(), "fields": {
        "name": set.name, "joint_names": set.joint_names, "parents": set.parents, "left": set.left, "right": set.right,
    }}));
    for number in 1..4 {
        let stamp = time(number);
        let header = Header { stamp, frame_id: FRAME };
        let mut push = |topic: &str, fields: Value| {
            messages.push(json!({"topic": topic, "log_time_ns": stamp.nanoseconds(), "fields": fields}));
        };
        let array = SkeletonArray::from_estimate(&estimate(stamp), FRAME, Duration::from_millis(400));
        writer.write(skeletons, stamp, &array).unwrap();
        push("/skeletons", skeletons_json(stamp));

        let marker = Marker {
            header,
            namespace: "bones",
            id: number,
            kind: MarkerKind::LineList,
            action: MarkerAction::Add,
            pose: Pose::default(),
            scale: Point { x: 0.02, y: 0.0, z: 0.0 },
            color: ColorRgba { r: 1.0, g: 0.5, b: 0.25, a: 1.0 },
            lifetime: Duration::from_millis(1500),
            points: vec![Point { x: 1.0, y: 2.0, z: 3.0 }; number as usize],
            colors: vec![ColorRgba { r: 0.0, g: 1.0, b: 0.0, a: 0.5 }],
            text: "person 3".into(),
        };
        writer.write(markers, stamp, &MarkerArray { markers: vec![marker] }).unwrap();
        let points: Vec<_> = (0..number).map(|_| json!({"x": 1.0, "y": 2.0, "z": 3.0})).collect();
        push(
            "/markers",
            json!({"markers": [{
                "header": header_json(stamp), "ns": "bones", "id": number, "type": 5, "action": 0,
                "pose": {"position": {"x": 0.0, "y": 0.0, "z": 0.0}, "orientation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}},
                "scale": {"x": 0.02, "y": 0.0, "z": 0.0}, "color": {"r": 1.0, "g": 0.5, "b": 0.25, "a": 1.0},
                "lifetime": {"sec": 1, "nanosec": 500_000_000}, "frame_locked": false, "points": points,
                "colors": [{"r": 0.0, "g": 1.0, "b": 0.0, "a": 0.5}], "texture_resource": "", "uv_coordinates": [],
                "text": "person 3", "mesh_resource": "", "mesh_use_embedded_materials": false,
            }]}),
        );

        let data = [0xff, 0xd8, number as u8];
        writer.write(overlays, stamp, &CompressedImage { header, format: "jpeg", data: &data }).unwrap();
        push("/overlay/compressed", json!({"header": header_json(stamp), "format": "jpeg", "data": data}));

        let pixels = [1, 2, 3, 4, 5, 6];
        let image =
            Image { header, height: 1, width: 2, encoding: "rgb8", is_bigendian: false, step: 6, data: &pixels };
        writer.write(images, stamp, &image).unwrap();
        push(
            "/image",
            json!({
                "header": header_json(stamp), "height": 1, "width": 2, "encoding": "rgb8", "is_bigendian": 0, "step": 6,
                "data": pixels,
            }),
        );

        let info = camera_info(stamp);
        writer.write(infos, stamp, &info).unwrap();
        push(
            "/camera_info",
            json!({
                "header": header_json(stamp), "height": 2, "width": 4, "distortion_model": "plumb_bob", "binning_x": 1,
                "binning_y": 1,
                "roi": {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": false},
            }),
        );

        let person = PersonKeypoints { score: 0.5, keypoints: vec![Keypoint::NOT_FOUND; 17] };
        let array = KeypointArray { header, layout: "coco_17", people: vec![person] };
        writer.write(keypoints, stamp, &array).unwrap();
        let not_found = json!({"u": "nan", "v": "nan", "score": 0.0, "spread": "nan"});
        push(
            "/keypoints",
            json!({
                "header": header_json(stamp), "layout": "coco_17",
                "people": [{"score": 0.5, "keypoints": vec![not_found; 17]}],
            }),
        );
    }
    writer.finish().unwrap();
    let topic = |name: &str, type_name: &str, durability: &str| json!({"name": name, "type": type_name, "durability": durability});
    json!({
        "duration_ns": 3_000_000_000_i64,
        "topics": [
            topic("/joint_set", "stridepose/msg/JointSet", "TRANSIENT_LOCAL"),
            topic("/skeletons", "stridepose/msg/SkeletonArray", "VOLATILE"),
            topic("/markers", "visualization_msgs/msg/MarkerArray", "VOLATILE"),
            topic("/overlay/compressed", "sensor_msgs/msg/CompressedImage", "VOLATILE"),
            topic("/image", "sensor_msgs/msg/Image", "VOLATILE"),
            topic("/camera_info", "sensor_msgs/msg/CameraInfo", "VOLATILE"),
            topic("/keypoints", "stridepose/msg/KeypointArray", "VOLATILE"),
        ],
        "messages": messages,
    })
}

#[test]
fn rosbags_and_mcap_ros2_support_read_what_we_write() {
    let python = std::env::var_os("STRIDEPOSE_PYTHON")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/python/bin/python"), PathBuf::from);
    let has_libraries = Command::new(&python)
        .args(["-c", "import rosbags, mcap_ros2"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_libraries {
        println!(
            "SKIP rosbags_and_mcap_ros2_support_read_what_we_write: {} has not the libraries of tests/interop/requirements.txt",
            python.display()
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bag = folder.path().join("run");
    let expected = write_everything(&bag);
    let expected_file = folder.path().join("expected.json");
    std::fs::write(&expected_file, expected.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/read_bag.py");
    let output = Command::new(&python).arg(&script).arg(&bag).arg(&expected_file).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("19 messages agree"), "{said}");
}

#[test]
fn we_read_what_we_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    write_everything(&path);
    let mut bag = Bag::open(&path).unwrap();
    assert_eq!(bag.topics().len(), 7);
    assert_eq!(bag.topics()[1].message_count, Some(3));
    let mut stamps = Vec::new();
    let read = bag.read::<BagError>(&["/skeletons".into()], &mut |message| {
        let array: SkeletonArray<'_> = from_cdr(message.data).unwrap();
        assert_eq!((array.header.frame_id, array.skeletons[0].joints.len()), (FRAME, 17));
        assert_eq!(array.header.stamp.nanoseconds(), message.log_time_ns);
        stamps.push(array.header.stamp.sec());
        Ok(ControlFlow::Continue(()))
    });
    assert_eq!((read.unwrap(), stamps), (Completeness::Whole, vec![1_700_000_001, 1_700_000_002, 1_700_000_003]));
    let metadata = Metadata::parse(&std::fs::read_to_string(path.join("metadata.yaml")).unwrap()).unwrap();
    assert_eq!(
        (metadata.message_count, metadata.duration_ns, metadata.storage_identifier.as_str()),
        (19, 3_000_000_000, "mcap")
    );
}

#[test]
fn the_same_messages_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let contents = |name: &str| {
        let path = folder.path().join(name).join("run");
        write_everything(&path);
        ["run_0.mcap", "metadata.yaml"].map(|file| std::fs::read(path.join(file)).unwrap())
    };
    assert_eq!(contents("first"), contents("second"));
}

#[test]
fn a_killed_writer_leaves_a_bag_that_gives_all_but_its_last_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut writer = BagWriter::create(&path).unwrap();
    let topic = writer.add_topic::<SkeletonArray<'_>>("/skeletons", Qos::Stream).unwrap();
    for number in 0..50 {
        let stamp = Stamp::from_nanoseconds(1_000_000_000 + number * 100_000_000);
        writer.write(topic, stamp, &SkeletonArray::from_estimate(&estimate(stamp), FRAME, Duration::ZERO)).unwrap();
    }
    // As after a kill: nothing is closed.
    std::mem::forget(writer);
    let mut bag = Bag::open(&path).unwrap();
    let mut count = 0;
    let completeness = bag
        .read::<BagError>(&["/skeletons".into()], &mut |message| {
            from_cdr::<SkeletonArray<'_>>(message.data).unwrap();
            count += 1;
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert!(matches!(completeness, Completeness::Damaged { .. }));
    assert!(count >= 40, "{count} of 50");
}

#[test]
fn what_is_there_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("camera");
    record_bag(&path, &|_, _| {});
    let before = std::fs::read(path.join("camera_0.mcap")).unwrap();
    let error = BagWriter::create(&path).err().unwrap();
    assert!(error.is_refusal() && error.to_string().contains("exists and is not empty"), "{error}");
    assert!(BagWriter::create(&path.join("metadata.yaml")).err().unwrap().is_refusal());
    assert_eq!(std::fs::read(path.join("camera_0.mcap")).unwrap(), before);
}

#[test]
fn keypoints_of_another_node_are_read_with_their_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut writer = BagWriter::create(&path).unwrap();
    let keypoints = writer.add_topic::<KeypointArray<'_>>("/pose/keypoints", Qos::Stream).unwrap();
    let infos = writer.add_topic::<CameraInfo>("/camera_info", Qos::Latched).unwrap();
    let found = Keypoint { u: 1.0, v: 2.0, score: 0.5, spread: 3.0 };
    for number in 0..3 {
        let stamp = Stamp::from_sec_nanosec(10 + number, 0);
        if number == 0 {
            writer.write(infos, stamp, &camera_info(stamp)).unwrap();
        }
        let mut person = PersonKeypoints { score: 0.9, keypoints: vec![found; 17] };
        if number == 1 {
            person.keypoints[5].v = f32::NAN;
        }
        let layout = if number == 2 { "tail_3" } else { "coco_17" };
        let header = Header { stamp, frame_id: FRAME };
        writer.write(keypoints, stamp, &KeypointArray { header, layout, people: vec![person] }).unwrap();
    }
    writer.finish().unwrap();
    let mut bag = Bag::open(&path).unwrap();
    let source = KeypointSource::new(&bag, TopicRequest::default()).unwrap();
    let mut seen = Vec::new();
    source
        .read::<BagError>(&mut bag, &mut |item| {
            seen.push(match item {
                Ok(array) => {
                    assert_eq!((array.frame_id, array.camera_info.stamp.sec()), (FRAME, 10));
                    (array.people[0].keypoints.iter().flatten().count(), array.warnings.len())
                }
                Err(skipped) => {
                    assert_eq!(skipped.warning.kind, WarningKind::KeypointsRefused);
                    (0, 1)
                }
            });
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!(seen, [(13, 0), (12, 1), (0, 1)]);
}
