//! `stridepose evaluate` with truths as arrays, as JSON and as TF frames, on a bag whose errors are known.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/skeleton_bag.rs"]
mod skeleton_bag;

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use nalgebra::{Isometry3, Point3, Translation3, UnitQuaternion, Vector3};
use ndarray::Array3;
use ndarray_npy::WriteNpyExt;
use serde_json::{Value, json};
use stridepose::adapters::bag::writer::{BagWriter, Qos};
use stridepose::adapters::messages::geometry_msgs::{Point, Pose, PoseStamped, Quaternion, TransformStamped};
use stridepose::adapters::messages::std_msgs::Header;
use stridepose::adapters::messages::tf2_msgs::TfMessage;
use stridepose::data::Stamp;
use stridepose::skeleton::{DatasetLayout, Joint};

use skeleton_bag::{IMAGES, stamp, true_joint, write_bag};

/// A result whose left wrist is 85 mm off and whose root is 50 mm off.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_bag(&folder.path().join("result"), "camera", Vector3::new(0.0, 0.03, 0.04), 0.085);
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn write_npy(&self, name: &str, layout: DatasetLayout, metres: f64, world_from_camera: Isometry3<f64>) {
        let array = Array3::from_shape_fn((IMAGES, 17, 3), |(image, joint, axis)| {
            let at = world_from_camera * true_joint(image, layout.joints()[joint]);
            at[axis] / metres
        });
        array.write_npy(std::fs::File::create(self.path(name)).unwrap()).unwrap();
    }

    /// Exit code and stderr, and the numbers where there are any.
    fn evaluate(&self, truth: &str, more: &[&str]) -> (i32, String, Value) {
        let file = self.path("numbers.json");
        let _ = std::fs::remove_file(&file);
        let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
        command.arg("evaluate").arg(self.path("result")).arg("--truth").arg(self.path(truth)).args(more);
        let output = command.arg("--json").arg(&file).current_dir(self.folder.path()).env_remove("RUST_LOG").output();
        let output = output.unwrap();
        let numbers = std::fs::read_to_string(file).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap(), numbers)
    }

    fn assert_known_errors(&self, truth: &str, more: &[&str]) -> (String, Value) {
        let (code, stderr, json) = self.evaluate(truth, more);
        assert_eq!(code, 0, "{truth}: {stderr}");
        for (key, expected) in [("mpjpe_mm", 5.0), ("root_mm", 50.0), ("root_depth_mm", 40.0)] {
            let value = json[key].as_f64().unwrap_or(f64::NAN);
            assert!((value - expected).abs() < 1e-3, "{truth}: {key} {value}, expected {expected}");
        }
        assert_eq!(json["matched_images"].as_u64(), Some(IMAGES as u64 - 1), "{truth}: the first image has nobody");
        (stderr, json)
    }

    fn assert_refused(&self, truth: &str, more: &[&str], sentence: &str) {
        let (code, stderr, json) = self.evaluate(truth, more);
        assert_eq!((code, &json), (2, &Value::Null), "{truth}: {stderr}");
        assert!(stderr.contains(sentence) && stderr.lines().count() == 1, "{truth}: {stderr}");
    }
}

/// The camera 1.2 m up in a world whose z is up.
fn world_from_camera() -> Isometry3<f64> {
    let turned = UnitQuaternion::from_euler_angles(-std::f64::consts::FRAC_PI_2, 0.0, 0.3);
    Isometry3::from_parts(Translation3::new(0.4, -0.2, 1.2), turned)
}

#[test]
fn the_made_up_joints_have_bones_of_a_person() {
    // The scene's thighs and trunk must pass the check of the unit, or every test here tests a refusal.
    for (from, to) in [(Joint::LHip, Joint::LKnee), (Joint::RHip, Joint::RKnee), (Joint::Pelvis, Joint::Thorax)] {
        let length = (true_joint(3, from) - true_joint(3, to)).norm();
        assert!((0.15..0.95).contains(&length), "{}: {length} m", from.name());
    }
}

#[test]
fn arrays_in_either_layout_unit_and_frame_give_the_known_errors() {
    let scene = Scene::new();
    let identity = Isometry3::identity();
    let (h36m, mpi) = (["--truth-layout", "h36m_17"], ["--truth-layout", "mpi_inf_3dhp_17"]);
    scene.write_npy("m.npy", DatasetLayout::H36m17, 1.0, identity);
    scene.assert_known_errors("m.npy", &[&h36m[..], &["--truth-unit", "m"]].concat());
    scene.write_npy("mm.npy", DatasetLayout::MpiInf3dhp17, 0.001, identity);
    scene.assert_known_errors("mm.npy", &[&mpi[..], &["--truth-unit", "mm"]].concat());
    // In the world: the camera beside the array, or named.
    scene.write_npy("world.npy", DatasetLayout::H36m17, 0.001, world_from_camera());
    let matrix = world_from_camera().inverse().to_homogeneous();
    let rows: Vec<Vec<f64>> = matrix.row_iter().map(|row| row.iter().copied().collect()).collect();
    let mut camera = json!({"extrinsics": {"camera_from_world": rows, "unit": "m"}});
    let options = [&h36m[..], &["--truth-unit", "mm"]].concat();
    let (_, stderr, numbers) = scene.evaluate("world.npy", &options);
    assert!(stderr.contains("in the camera's optical frame?") && numbers["mpjpe_mm"].is_null(), "{stderr}");
    scene.write("world.camera.json", &camera.to_string());
    scene.assert_known_errors("world.npy", &options);
    std::fs::rename(scene.path("world.camera.json"), scene.path("other.json")).unwrap();
    scene.assert_known_errors("world.npy", &[&options[..], &["--truth-camera", "other.json"]].concat());
    // Intrinsics are compared with those of the replay.
    camera["intrinsics"] = json!({"fx": 600, "fy": 600, "cx": 320, "cy": 240});
    scene.write("world.camera.json", &camera.to_string());
    let (stderr, _) = scene.assert_known_errors("world.npy", &options);
    assert!(stderr.contains("could not be compared"), "{stderr}");
    let summary = |fx: f64| json!({"camera": {"fx": fx, "fy": 600.0, "cx": 321.0, "cy": 240.0}}).to_string();
    std::fs::write(scene.path("result/summary.json"), summary(602.0)).unwrap();
    assert_eq!(scene.assert_known_errors("world.npy", &options).0, "");
    std::fs::write(scene.path("result/summary.json"), summary(700.0)).unwrap();
    let (stderr, _) = scene.assert_known_errors("world.npy", &options);
    assert!(stderr.contains("fx 600.0") && stderr.contains("fx 700.0"), "{stderr}");
}

#[test]
fn json_tells_stamps_people_and_actions() {
    let scene = Scene::new();
    let joints = |image: usize| Joint::ALL.map(|joint| true_joint(image, joint)).map(|at| [at.x, at.y, at.z]);
    let order: Vec<usize> = (0..IMAGES).rev().collect();
    let file = json!({
        "layout": "h36m_17", "unit": "m", "persons": ["anna"],
        "joints": order.iter().map(|&image| [joints(image)]).collect::<Vec<_>>(),
        "stamps_ns": order.iter().map(|&image| stamp(image).nanoseconds()).collect::<Vec<_>>(),
        "action": order.iter().map(|&image| if image < 20 { json!("sit") } else { json!("walk") }).collect::<Vec<_>>(),
    });
    scene.write("truth.json", &file.to_string());
    let (_, numbers) = scene.assert_known_errors("truth.json", &[]);
    let actions = numbers["per_action"].as_object().unwrap();
    assert_eq!(
        actions.iter().map(|(name, part)| (name.as_str(), part["people"].as_u64().unwrap())).collect::<Vec<_>>(),
        [("sit", 19), ("walk", 20)]
    );
    assert!((actions["sit"]["mpjpe_mm"].as_f64().unwrap() - 5.0).abs() < 1e-6);
    assert_eq!(numbers["mean_of_actions"]["people"], 39);
    assert_eq!(numbers["per_person"].as_object().unwrap().keys().collect::<Vec<_>>(), ["anna"]);
    let mut csv = "image_index,action,joint,x_m,y_m,z_m\n".to_owned();
    for image in 0..IMAGES {
        for joint in Joint::ALL {
            let at = true_joint(image, joint);
            let action = ["", "sit"][usize::from(image < 20)];
            writeln!(csv, "{image},{action},{},{},{},{}", joint.name(), at.x, at.y, at.z).unwrap();
        }
    }
    scene.write("truth.csv", &csv);
    let (_, numbers) = scene.assert_known_errors("truth.csv", &[]);
    assert_eq!(numbers["per_action"].as_object().unwrap().keys().collect::<Vec<_>>(), ["sit"]);
}

/// A bag with TF: the camera in the world, and the person's joints half an interval before and after each image.
fn write_transforms(scene: &Scene, name: &str, frame_of: &dyn Fn(Joint) -> String) {
    let mut writer = BagWriter::create(&scene.path(name)).unwrap();
    let tf = writer.add_topic::<TfMessage<'_>>("/tf", Qos::Stream).unwrap();
    let fixed = writer.add_topic::<TfMessage<'_>>("/tf_static", Qos::Latched).unwrap();
    let camera = world_from_camera();
    let transform = |stamp: Stamp, child: String, at: Point3<f64>, turned: UnitQuaternion<f64>| TransformStamped {
        header: Header { stamp, frame_id: "world" },
        child_frame_id: child.into(),
        translation: Point { x: at.x, y: at.y, z: at.z },
        rotation: Quaternion { x: turned.i, y: turned.j, z: turned.k, w: turned.w },
    };
    let standing = transform(stamp(0), "camera".to_owned(), camera.translation.vector.into(), camera.rotation);
    writer.write(fixed, stamp(0), &TfMessage { transforms: vec![standing] }).unwrap();
    for image in 0..=IMAGES {
        let before = Stamp::from_nanoseconds(stamp(image).nanoseconds() - 20_000_000);
        // The person moves evenly: half an interval back is half a step back.
        let half_step = Vector3::new(0.01, 0.0, 0.0);
        let transforms = Joint::ALL.map(|joint| {
            transform(
                before,
                frame_of(joint),
                camera * (true_joint(image, joint) - half_step),
                UnitQuaternion::identity(),
            )
        });
        writer.write(tf, before, &TfMessage { transforms: transforms.to_vec() }).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn frames_of_joints_are_seen_from_the_camera() {
    let scene = Scene::new();
    let published = |joint: Joint| match joint {
        Joint::Pelvis => "truth/body_3".to_owned(),
        other => format!("truth/{}_3", other.name()),
    };
    write_transforms(&scene, "published", &published);
    scene.assert_known_errors("published", &[]);
    let (_, numbers) = scene.assert_known_errors("published", &["--truth-tf-prefix", "truth/"]);
    assert_eq!(numbers["per_person"].as_object().unwrap().keys().collect::<Vec<_>>(), ["truth/body_3"]);
    write_transforms(&scene, "mocap", &|joint| format!("mocap/{}", joint.name()));
    let lines = |name: &dyn Fn(Joint) -> String| {
        Joint::ALL.map(|joint| format!("{}: {}\n", joint.name(), name(joint))).concat()
    };
    scene.write("frames.yaml", &lines(&|joint| format!("mocap/{}", joint.name())));
    scene.assert_known_errors("mocap", &["--truth-frames", "frames.yaml"]);

    scene.assert_refused("mocap", &[], "no frame is called <prefix>body_<id>");
    scene.assert_refused("published", &["--truth-tf-prefix", "x/"], "no frame is called x/body_<id>");
    scene.write("wrong.yaml", "pelvis: mocap/hip");
    scene.assert_refused("mocap", &["--truth-frames", "wrong.yaml"], "\"mocap/hip\" of pelvis is never published");
    scene.write("tail.yaml", "tail: mocap/hip");
    scene.assert_refused("mocap", &["--truth-frames", "tail.yaml"], "\"tail\" is no joint");
    scene.assert_refused("mocap", &["--truth-frames", "none.yaml"], "none.yaml");
    scene.assert_refused("result", &["--truth-frames", "frames.yaml"], "has no transforms");
}

/// A bag as a motion capture driver makes it: a topic of poses for each joint, in `frame`, and the camera in TF where it is told.
fn write_poses(scene: &Scene, name: &str, frame: &str, camera: Option<Isometry3<f64>>) {
    let mut writer = BagWriter::create(&scene.path(name)).unwrap();
    let topics = Joint::ALL.map(|joint| {
        writer.add_topic::<PoseStamped<'_>>(&format!("/vrpn/{}/pose", joint.name()), Qos::Stream).unwrap()
    });
    let frame_from_camera = camera.unwrap_or_else(Isometry3::identity);
    if camera.is_some() {
        let fixed = writer.add_topic::<TfMessage<'_>>("/tf_static", Qos::Latched).unwrap();
        let (at, turned) = (frame_from_camera.translation, frame_from_camera.rotation);
        let standing = TransformStamped {
            header: Header { stamp: stamp(0), frame_id: frame },
            child_frame_id: "camera".into(),
            translation: Point { x: at.x, y: at.y, z: at.z },
            rotation: Quaternion { x: turned.i, y: turned.j, z: turned.k, w: turned.w },
        };
        writer.write(fixed, stamp(0), &TfMessage { transforms: vec![standing] }).unwrap();
    }
    for image in 0..=IMAGES {
        // Half an interval, and half a step, before each image.
        let before = Stamp::from_nanoseconds(stamp(image).nanoseconds() - 20_000_000);
        for (joint, topic) in Joint::ALL.into_iter().zip(topics) {
            let at = frame_from_camera * (true_joint(image, joint) - Vector3::new(0.01, 0.0, 0.0));
            // A single marker has no rotation, which some drivers say as zeros.
            let orientation = Quaternion { x: 0.0, y: 0.0, z: 0.0, w: 0.0 };
            let pose = Pose { position: Point { x: at.x, y: at.y, z: at.z }, orientation };
            writer
                .write(topic, before, &PoseStamped { header: Header { stamp: before, frame_id: frame }, pose })
                .unwrap();
        }
    }
    writer.finish().unwrap();
}

#[test]
fn topics_of_poses_are_joints() {
    let scene = Scene::new();
    write_poses(&scene, "mocap", "world", Some(world_from_camera()));
    write_poses(&scene, "in_camera", "camera", None);
    write_poses(&scene, "astray", "elsewhere", None);
    let lines = Joint::ALL.map(|joint| format!("{0}: /vrpn/{0}/pose\n", joint.name())).concat();
    scene.write("topics.yaml", &lines);
    for truth in ["mocap", "in_camera"] {
        scene.assert_known_errors(truth, &["--truth-frames", "topics.yaml"]);
    }
    scene.assert_refused("astray", &["--truth-frames", "topics.yaml"], "no joint can be told in frame \"camera\"");
    scene.write("wrong.yaml", "pelvis: /vrpn/hips/pose");
    scene.assert_refused("mocap", &["--truth-frames", "wrong.yaml"], "\"vrpn/hips/pose\" of pelvis is never published");
    scene.assert_refused("in_camera", &["--truth-frames", "wrong.yaml"], "has no transforms");
}

/// The scripts of docs/truths.md, in their order.
fn documented_scripts() -> Vec<&'static str> {
    let blocks = include_str!("../docs/truths.md").split("```python\n").skip(1);
    blocks.map(|block| block.split_once("```").unwrap().0).collect()
}

/// Makes a file of a data set's form out of joints.npy (images, 17, 3; mm) with a script of the test's own, then runs the
/// documented script on it; `None` where Python lacks a library, which is said.
fn run_documented(
    scene: &Scene,
    test: &str,
    library: &str,
    make: &str,
    script: &str,
    arguments: &[&str],
) -> Option<()> {
    let default = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/python/bin/python3");
    let python = std::env::var_os("STRIDEPOSE_PYTHON").map_or(default, PathBuf::from);
    let run = |arguments: &[&str]| Command::new(&python).args(arguments).current_dir(scene.folder.path()).output();
    let import = format!("import numpy, {library}");
    if !run(&["-c", &import]).is_ok_and(|output| output.status.success()) {
        println!("SKIP {test}: {} has no {library} (make setup, or set STRIDEPOSE_PYTHON)", python.display());
        return None;
    }
    scene.write("make.py", make);
    scene.write("documented.py", script);
    for arguments in [&["make.py"][..], &[&["documented.py"], arguments].concat()] {
        let output = run(arguments).unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Some(())
}

#[test]
fn the_documented_script_for_human36m_makes_a_truth() {
    let scene = Scene::new();
    let world_from_camera = world_from_camera();
    scene.write_npy("joints.npy", DatasetLayout::H36m17, 0.001, world_from_camera);
    let (at, turned) = (world_from_camera.translation.vector * 1000.0, world_from_camera.rotation);
    std::fs::create_dir(scene.path("common")).unwrap();
    let cameras = format!(
        "h36m_cameras_extrinsic_params = {{'S9': [{{'orientation': [{}, {}, {}, {}], 'translation': [{}, {}, {}]}}]}}\n",
        turned.w, turned.i, turned.j, turned.k, at.x, at.y, at.z
    );
    scene.write("common/h36m_dataset.py", &cameras);
    let make = "import os, numpy as np\n\
        joints = np.full((40, 32, 3), 9.0)\n\
        joints[:, [j for j in range(32) if j not in (4, 5, 9, 10, 11, 16, 20, 21, 22, 23, 24, 28, 29, 30, 31)]] = np.load('joints.npy') / 1000\n\
        os.mkdir('data')\n\
        np.savez_compressed('data/data_3d_h36m.npz', positions_3d={'S9': {'Directions 1': joints.astype('float32')}})\n";
    let arguments = ["S9", "Directions 1", "0", "truth.json"];
    let test = "the_documented_script_for_human36m_makes_a_truth";
    if run_documented(&scene, test, "numpy", make, documented_scripts()[0], &arguments).is_some() {
        let (_, numbers) = scene.assert_known_errors("truth.json", &[]);
        assert_eq!(numbers["per_action"].as_object().unwrap().keys().collect::<Vec<_>>(), ["Directions"]);
        assert_eq!(numbers["per_person"].as_object().unwrap().keys().collect::<Vec<_>>(), ["S9"]);
    }
}

#[test]
fn the_documented_scripts_for_mpi_inf_3dhp_make_truths() {
    let test = "the_documented_scripts_for_mpi_inf_3dhp_make_truths";
    // Image 3 has no valid annotation.
    let test_set = "import h5py, numpy as np\n\
        joints = np.load('joints.npy')\n\
        valid = np.ones((40, 1))\n\
        joints[3], valid[3] = 0, 0\n\
        with h5py.File('annot.mat', 'w') as file:\n    file['annot3'] = joints[:, None]\n    file['valid_frame'] = valid\n";
    let training_set = "import numpy as np\nfrom scipy.io import savemat\n\
        joints = np.full((40, 28, 3), 9.0)\n\
        joints[:, np.array([8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7]) - 1] = np.load('joints.npy')\n\
        cell = np.empty((14, 1), object)\n\
        for camera in range(14):\n    cell[camera, 0] = joints.reshape(40, 84) + 1000 * (camera != 2)\n\
        savemat('annot.mat', {'annot3': cell})\n";
    let cases = [
        ("h5py", test_set, documented_scripts()[1], &["annot.mat", "truth.json"][..], IMAGES - 2),
        ("scipy", training_set, documented_scripts()[2], &["annot.mat", "2", "truth.json"][..], IMAGES - 1),
    ];
    for (library, make, script, arguments, matched) in cases {
        let scene = Scene::new();
        scene.write_npy("joints.npy", DatasetLayout::MpiInf3dhp17, 0.001, Isometry3::identity());
        if run_documented(&scene, test, library, make, script, arguments).is_some() {
            let (code, stderr, numbers) = scene.evaluate("truth.json", &[]);
            assert_eq!((code, numbers["matched_images"].as_u64()), (0, Some(matched as u64)), "{library}: {stderr}");
            assert!((numbers["mpjpe_mm"].as_f64().unwrap() - 5.0).abs() < 1e-3, "{library}: {}", numbers["mpjpe_mm"]);
        }
    }
}

#[test]
fn what_cannot_be_used_is_exit_2_with_one_sentence() {
    let scene = Scene::new();
    let whole = ["--truth-layout", "h36m_17", "--truth-unit", "m"];
    scene.write_npy("m.npy", DatasetLayout::H36m17, 1.0, Isometry3::identity());
    scene.assert_refused("m.npy", &[], "give --truth-layout h36m_17 or mpi_inf_3dhp_17 and --truth-unit m or mm");
    scene.assert_refused("m.npy", &whole[..2], "give --truth-layout");
    let (_, stderr, _) = scene.evaluate("m.npy", &["--truth-layout", "h36m_17", "--truth-unit", "mm"]);
    assert!(stderr.contains("is the unit m?"), "{stderr}");
    scene.assert_refused("m.npy", &[&whole[..], &["--truth-camera", "none.json"]].concat(), "none.json");
    scene.assert_refused("m.npy", &[&whole[..], &["--max-truth-reprojection", "3"]].concat(), "is for a truth in CSV");
    scene.write("cut.npy", "\u{fffd}");
    scene.assert_refused("cut.npy", &whole, "is no NumPy file");
    scene.write("list.json", "[]");
    scene.assert_refused("list.json", &[], "cannot be read");
    scene.assert_refused("list.json", &["--truth-unit", "m"], "--truth-unit is for a truth in .npy or .npz");
    scene.assert_refused("result", &["--truth-layout", "h36m_17"], "is a bag with skeletons");
    assert_eq!(scene.evaluate("m.npy", &["--truth-unit", "cm"]).0, 2);
    assert_eq!(scene.evaluate("m.npy", &["--truth-layout", "coco"]).0, 2);
}
