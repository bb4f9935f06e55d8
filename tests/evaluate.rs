//! `stridepose evaluate` as a user meets it, on bags whose errors are known.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/skeleton_bag.rs"]
mod skeleton_bag;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nalgebra::Vector3;
use serde_json::Value;
use stridepose::adapters::bag::writer::{BagWriter, Qos};
use stridepose::adapters::messages::sensor_msgs::CameraInfo;
use stridepose::adapters::messages::stridepose::SkeletonArray;
use stridepose::data::{JointState, MeasuredKeypoint, Stamp};
use stridepose::geometry::CameraModel;
use stridepose::skeleton::{JOINT_COUNT, Joint};

use skeleton_bag::{IMAGES, estimate, stamp, true_joint, write_bag};

const HEADER: &str = "image_index,joint,x_m,y_m,z_m\n";

/// A result with known errors, and its truth in both forms.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_bag(&folder.path().join("result"), "camera", Vector3::new(0.0, 0.03, 0.04), 0.085);
        write_bag(&folder.path().join("truth"), "camera", Vector3::zeros(), 0.0);
        let mut csv = HEADER.to_owned();
        for image in 1..IMAGES {
            for joint in Joint::ALL {
                let point = true_joint(image, joint);
                writeln!(csv, "{image},{},{},{},{}", joint.name(), point.x, point.y, point.z).unwrap();
            }
        }
        let scene = Self { folder };
        scene.write("truth.csv", &csv);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Exit code, stdout and stderr.
    fn evaluate(&self, result: &str, truth: &str, more: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_stridepose"))
            .arg("evaluate")
            .arg(self.path(result))
            .arg("--truth")
            .arg(self.path(truth))
            .args(more)
            .env_remove("RUST_LOG")
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn json(&self, truth: &str, more: &[&str]) -> Value {
        let file = self.path("numbers.json");
        let (code, _, stderr) = self.evaluate("result", truth, &[&["--json", file.to_str().unwrap()], more].concat());
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    }
}

fn assert_close(json: &Value, key: &str, expected: f64) {
    let value = json[key].as_f64().unwrap_or(f64::NAN);
    assert!((value - expected).abs() < 1e-6, "{key}: {value}, expected {expected}");
}

fn assert_known_errors(json: &Value) {
    // 85 mm in one of 17 joints; the shift of 30 and 40 mm is the root's; the covariance is 100 mm in each axis.
    assert_close(json, "mpjpe_mm", 5.0);
    assert_close(&json["per_joint"]["l_wrist"], "mpjpe_mm", 85.0);
    assert_close(&json["per_joint"]["r_wrist"], "mpjpe_mm", 0.0);
    assert_close(json, "root_mm", 50.0);
    assert_close(json, "root_depth_mm", 40.0);
    assert_close(json, "mpjve_mm", 0.0);
    assert_close(json, "pck_150mm", 1.0);
    assert_close(json, "image_interval_s", 0.04);
    assert_close(&json["coverage"], "50", 1.0);
    assert!(json["pa_mpjpe_mm"].as_f64().unwrap() > 1.0 && json["n_mpjpe_mm"].as_f64().unwrap() < 85.0);
    assert_eq!((json["images"].as_u64(), json["matched_images"].as_u64()), (Some(40), Some(39)));
    assert_eq!((json["missed"].as_u64(), json["false_people"].as_u64()), (Some(0), Some(0)));
    assert_eq!(json["per_joint"].as_object().unwrap().len(), JOINT_COUNT);
}

#[test]
fn a_csv_by_place_and_a_bag_by_stamp_give_the_known_errors() {
    let scene = Scene::new();
    assert_known_errors(&scene.json("truth.csv", &[]));
    assert_known_errors(&scene.json("truth", &[]));
    let (code, stdout, _) = scene.evaluate("result", "truth.csv", &[]);
    assert_eq!(code, 0);
    assert!(stdout.contains("39 with a person found") && stdout.contains("MPJPE           5.0 mm"), "{stdout}");
    assert!(stdout.contains("l_wrist         39     85.0"), "{stdout}");
}

/// A camera of another focal length from image `since` on, and how far its keypoints lie from the truth, px.
const CAMERAS: [(usize, f64, [f32; 2]); 2] = [(0, 500.0, [3.0, 4.0]), (20, 800.0, [3.0, -4.0])];

/// A bag with keypoints of every second joint, as those cameras see them.
fn write_bag_with_keypoints(folder: &Path) {
    let mut writer = BagWriter::create(folder).unwrap();
    let infos = writer.add_topic::<CameraInfo>("/stridepose/camera_info", Qos::Latched).unwrap();
    let skeletons = writer.add_topic::<SkeletonArray<'_>>("/stridepose/skeletons", Qos::Stream).unwrap();
    for image in 0..IMAGES {
        let (since, focal_px, [right, down]) = *CAMERAS.iter().rfind(|(since, ..)| image >= *since).unwrap();
        let info = CameraInfo {
            stamp: stamp(image),
            frame_id: "camera".to_owned(),
            height: 480,
            width: 640,
            distortion_model: "plumb_bob".to_owned(),
            d: vec![0.1, -0.05, 0.0, 0.0, 0.0],
            k: [focal_px, 0.0, 320.0, 0.0, focal_px, 240.0, 0.0, 0.0, 1.0],
            r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            p: [focal_px, 0.0, 320.0, 0.0, 0.0, focal_px, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            ..CameraInfo::default()
        };
        let camera = CameraModel::from_calibration(&info.calibration()).unwrap();
        if image == since {
            writer.write(infos, stamp(image), &info).unwrap();
        }
        let mut estimate = estimate(image, Vector3::zeros(), 0.0);
        for joint in Joint::ALL.into_iter().step_by(2) {
            let at = camera.project(&true_joint(image, joint)).unwrap().cast::<f32>();
            let found = &mut estimate.people[0].joints[joint.index()];
            found.state = JointState::Measured;
            found.keypoint = Some(MeasuredKeypoint { u: at.x + right, v: at.y + down, score: 0.8 });
        }
        let message = SkeletonArray::from_estimate(&estimate, "camera", Duration::ZERO);
        writer.write(skeletons, stamp(image), &message).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn keypoints_are_held_against_the_projected_truth() {
    let near = |value: &Value, expected: f64| (value.as_f64().unwrap_or(f64::NAN) - expected).abs() < 1e-3;
    let scene = Scene::new();
    write_bag_with_keypoints(&scene.path("seen"));
    let (code, stdout, stderr) = scene.evaluate("seen", "truth.csv", &[]);
    assert_eq!(code, 0, "{stderr}");
    let file = scene.path("seen.json");
    scene.evaluate("seen", "truth.csv", &["--json", file.to_str().unwrap()]);
    let json: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(near(&json["keypoint_error_px"], 5.0), "{}", json["keypoint_error_px"]);
    // Of the 39 images with truth 19 are of the first camera, 20 of the second.
    let bias = &json["keypoint_bias_px"];
    assert!(near(&bias[0], 3.0) && near(&bias[1], -4.0 / 39.0), "{bias}");
    let of = |joint: &str| &json["per_joint"][joint]["keypoint_error_px"];
    assert!(near(of("pelvis"), 5.0) && of("r_hip").is_null(), "{} and {}", of("pelvis"), of("r_hip"));
    let line = "keypoints       5.0 px      from where the truth projects; on average +3.0 right, -0.1 down";
    assert!(stdout.contains(line), "{stdout}");

    let blind = scene.json("truth.csv", &[]);
    assert!(blind["keypoint_error_px"].is_null() && blind["keypoint_bias_px"].is_null(), "{blind}");
}

#[test]
fn places_are_counted_on_the_main_topic_also_for_the_one_with_lookahead() {
    let scene = Scene::new();
    let json = scene.json("truth.csv", &["--topic", "/stridepose/skeletons_refined"]);
    assert_close(&json, "mpjpe_mm", 5.0);
    assert_close(&json, "root_mm", 50.0);
    assert_eq!((json["truth_images"].as_u64(), json["matched_images"].as_u64()), (Some(39), Some(37)));
}

#[test]
fn parts_identity_and_calibration_are_told_apart() {
    let json = Scene::new().json("truth.csv", &[]);
    // Everybody is between 2 and 4 m away at the root (4.2 m is the pelvis' depth), inferred throughout.
    let bands = json["by_distance"].as_object().unwrap();
    assert_eq!(bands.keys().collect::<Vec<_>>(), ["4-6m"]);
    assert_close(&bands["4-6m"], "mpjpe_mm", 5.0);
    assert_eq!(bands["4-6m"]["people"].as_u64(), Some(39));
    // No joint is measured anywhere: nothing can be said about hidden ones.
    assert_eq!(json["by_hidden_share"], serde_json::json!({}));
    assert_close(&json["per_person"][""], "mpjpe_mm", 5.0);
    for key in ["idf1", "precision", "recall", "mota"] {
        assert_close(&json["identity"], key, 1.0);
    }
    // 50 mm everywhere, sqrt(30² + 125²) mm at the wrist: all hits, said with 0.9.
    assert_close(&json["calibration"], "expected_error", 1.0 - f64::from(0.9_f32));
    assert_close(&json["calibration"]["bins"][9], "joints", 0.0);
    assert_eq!(json["calibration"]["bins"][8]["joints"].as_u64(), Some(39 * 17));
    assert_close(&json["mpi_inf_3dhp"]["wrists"], "pck_150mm", 1.0);
    assert_close(&json, "acceleration_error_mm", 0.0);
    assert!(json["jitter_m_per_s3"].as_f64().unwrap() < 1e-6 && json["truth_jitter_m_per_s3"].as_f64().unwrap() < 1e-6);
    let interval = &json["interval_95"]["mpjpe_mm"];
    assert!((interval[0].as_f64().unwrap() - 5.0).abs() < 1e-6 && (interval[1].as_f64().unwrap() - 5.0).abs() < 1e-6);
}

#[test]
fn samples_hold_every_error_of_every_joint() {
    let scene = Scene::new();
    let file = scene.path("samples.json");
    let (code, _, stderr) = scene.evaluate("result", "truth.csv", &["--samples", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
    let json: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_known_errors(&json);
    let samples: stridepose::report::evaluation::Samples = serde_json::from_value(json["samples"].clone()).unwrap();
    assert_eq!((samples.image_index.len(), samples.image_index[0], samples.stamp_ns[0]), (39, 1, 1_040_000_000));
    let wrist = samples.joints.iter().position(|name| name == "l_wrist").unwrap();
    for errors in &samples.mpjpe_mm {
        assert!((errors[wrist].unwrap() - 85.0).abs() < 1e-3 && errors[0] == Some(0.0));
    }
    assert!((samples.root_mm[7].unwrap()[2] - 40.0).abs() < 1e-3);
    assert_eq!((samples.velocity_error_mm_per_s[0][3], samples.state[5][3]), (None, 2));
}

#[test]
fn rough_truth_is_left_out_and_counted() {
    let scene = Scene::new();
    let text = std::fs::read_to_string(scene.path("truth.csv")).unwrap();
    let rough = text.lines().enumerate().map(|(index, line)| match index {
        0 => format!("{line},reprojection_px"),
        _ => format!("{line},{}", if line.contains("l_wrist") { "12.5" } else { "3" }),
    });
    scene.write("rough.csv", &rough.collect::<Vec<_>>().join("\n"));
    assert_close(&scene.json("rough.csv", &[]), "mpjpe_mm", 5.0);
    let json = scene.json("rough.csv", &["--max-truth-reprojection", "12"]);
    assert_close(&json, "mpjpe_mm", 0.0);
    assert_eq!(json["truth_lines_left_out"].as_u64(), Some(39));
    let (_, stdout, _) = scene.evaluate("result", "rough.csv", &["--max-truth-reprojection", "12"]);
    assert!(stdout.contains("39 lines left out, more than 12 px"), "{stdout}");
    for (truth, sentence) in [("truth.csv", "column reprojection_px is missing"), ("truth", "is for a truth in CSV")] {
        let (code, _, stderr) = scene.evaluate("result", truth, &["--max-truth-reprojection", "12"]);
        assert!(code == 2 && stderr.contains(sentence), "{stderr}");
    }
    let (code, _, stderr) = scene.evaluate("result", "rough.csv", &["--max-truth-reprojection", "1"]);
    assert!(code == 2 && stderr.contains("all 663 reproject too far away"), "{stderr}");
    assert_eq!(scene.evaluate("result", "rough.csv", &["--max-truth-reprojection", "-1"]).0, 2);
}

/// Writes a result whose person shakes by 1 mm in depth from image to image, with joints of every state: image 0 has nobody, the
/// first ten have all joints measured with confidence 0.8, then the wrists are inferred, in the last ten everything is predicted
/// with 0.3.
fn write_shaky(folder: &std::path::Path, shake: f64) {
    let mut writer = BagWriter::create(folder).unwrap();
    let topic = writer.add_topic::<SkeletonArray<'_>>("/stridepose/skeletons", Qos::Stream).unwrap();
    for image in 0..IMAGES {
        let depth = if image % 2 == 0 { shake } else { 0.0 };
        let mut estimate = estimate(image, Vector3::new(0.0, 0.0, depth), 0.0);
        for (joint, at) in Joint::ALL.into_iter().zip(&mut estimate.people[0].joints) {
            let is_wrist = [Joint::LWrist, Joint::RWrist].contains(&joint);
            (at.state, at.confidence) = match image {
                30.. => (JointState::Predicted, 0.3),
                11.. if is_wrist => (JointState::Inferred, 0.8),
                _ => (JointState::Measured, 0.8),
            };
        }
        if image == 0 {
            estimate.people.clear();
        }
        let message = SkeletonArray::from_estimate(&estimate, "camera", Duration::ZERO);
        writer.write(topic, stamp(image), &message).unwrap();
    }
    writer.finish().unwrap();
}

/// Runs the command line in `folder`.
fn stridepose(folder: &std::path::Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
    let output = command.args(arguments).current_dir(folder).env_remove("RUST_LOG").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn without_a_truth_a_result_says_what_it_says_itself() {
    let folder = tempfile::tempdir().unwrap();
    write_shaky(&folder.path().join("shaky"), 0.001);
    write_shaky(&folder.path().join("calm"), 0.0);
    let mut numbers = ["shaky", "calm"].map(|name| {
        let file = format!("{name}.json");
        let (code, stdout, stderr) = stridepose(folder.path(), &["evaluate", name, "--json", &file]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
        assert!(stdout.contains("Without a truth (--truth) there are no errors"), "{stdout}");
        assert!(stdout.contains("39 over the images, at most 1 at once, 1 tracks"), "{stdout}");
        assert!(!stdout.contains("MPJPE"), "{stdout}");
        serde_json::from_str::<Value>(&std::fs::read_to_string(folder.path().join(file)).unwrap()).unwrap()
    });
    let [json, calm] = &mut numbers;
    // The third difference of 1, 0, 1, 0 mm is 4 mm, over 40 ms cubed.
    let jitter = json["jitter_m_per_s3"].as_f64().unwrap();
    assert!((jitter - 0.004 / 0.04_f64.powi(3)).abs() < 1e-3, "{jitter}");
    assert!(calm["jitter_m_per_s3"].as_f64().unwrap() < 1e-6);
    assert_eq!((json["images"].as_u64(), json.get("mpjpe_mm")), (Some(40), None));
    let observed = &json["observed"];
    assert_eq!((observed["people"].as_u64(), observed["tracks"].as_u64()), (Some(39), Some(1)));
    assert_eq!((observed["images_with_people"].as_u64(), observed["most_people"].as_u64()), (Some(39), Some(1)));
    let joints = 39.0 * 17.0;
    assert_close(observed, "measured_share", (29.0 * 17.0 - 19.0 * 2.0) / joints);
    assert_close(observed, "inferred_share", 19.0 * 2.0 / joints);
    assert_close(observed, "predicted_share", 10.0 / 39.0);
    assert_close(observed, "absent_share", 0.0);
    assert_close(observed, "confidence", (29.0 * f64::from(0.8_f32) + 10.0 * f64::from(0.3_f32)) / 39.0);
    assert_close(observed, "sigma_mm", 1000.0 * f64::from(0.01_f32).sqrt());
    assert_close(observed, "bone_variation", 0.0);
    assert_close(&observed["per_joint"]["l_wrist"], "inferred_share", 19.0 / 39.0);
    assert_close(&observed["per_joint"]["nose"], "measured_share", 29.0 / 39.0);
    assert_close(&observed["per_track"][0], "seconds", 38.0 * 0.04);

    // Two of them side by side, as JSON and as bags, with a rule.
    let (code, stdout, stderr) =
        stridepose(folder.path(), &["compare", "calm.json", "shaky.json", "--fail-if", "jitter > 1.02x"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("'jitter > 1.02x' is broken: B has 62.5"), "{stderr}");
    assert!(stdout.contains("neither side was compared with a truth"), "{stdout}");
    let (code, of_bags, _) =
        stridepose(folder.path(), &["compare", "calm", "shaky", "--fail-if", "measured_share < -0.01"]);
    assert!(code == 0 && of_bags.contains("1 of 1 rules kept"), "{of_bags}");
    let row = |table: &str| table.lines().find(|line| line.starts_with("jitter_m_per_s3")).unwrap().to_owned();
    assert_eq!(row(&stdout), row(&of_bags));

    for (more, sentence) in [
        (["--samples", "x.json"], "--samples are errors: give --truth"),
        (["--truth-unit", "mm"], "say how to read a truth: give --truth"),
    ] {
        let (code, stdout, stderr) = stridepose(folder.path(), &[&["evaluate", "calm"], &more[..]].concat());
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains(sentence), "{stderr}");
    }
}

#[test]
fn what_is_said_without_a_truth_is_also_said_with_one() {
    let scene = Scene::new();
    let json = scene.json("truth.csv", &[]);
    let (code, _, stderr) = stridepose(scene.folder.path(), &["evaluate", "result", "--json", "alone.json"]);
    assert_eq!(code, 0, "{stderr}");
    let alone: Value = serde_json::from_str(&std::fs::read_to_string(scene.path("alone.json")).unwrap()).unwrap();
    for (key, value) in alone.as_object().unwrap() {
        assert_eq!(json.get(key), Some(value), "{key}");
    }
    assert_close(&alone["observed"], "inferred_share", 1.0);
}

/// Issue 6: an hour of 30 Hz skeletons in at most 10 s.
#[test]
#[ignore = "writes 400 MB and measures time: cargo test --release --test evaluate -- --ignored"]
fn an_hour_of_skeletons_takes_at_most_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    for (name, wrist) in [("result", 0.085), ("truth", 0.0)] {
        let mut writer = BagWriter::create(&folder.path().join(name)).unwrap();
        let topic = writer.add_topic::<SkeletonArray<'_>>("/stridepose/skeletons", Qos::Stream).unwrap();
        for image in 0..108_000 {
            let mut estimate = estimate(image % 500, Vector3::zeros(), wrist);
            estimate.stamp = Stamp::from_nanoseconds(33_333_333 * (1 + image as i64));
            let message = SkeletonArray::from_estimate(&estimate, "camera", Duration::ZERO);
            writer.write(topic, estimate.stamp, &message).unwrap();
        }
        writer.finish().unwrap();
    }
    let scene = Scene { folder };
    let (samples, page) = (scene.path("samples.json"), scene.path("report.html"));
    for more in [&[][..], &["--samples", samples.to_str().unwrap()], &["--report", page.to_str().unwrap()]] {
        let began = std::time::Instant::now();
        let (code, stdout, stderr) = scene.evaluate("result", "truth", more);
        let elapsed = began.elapsed().as_secs_f64();
        println!("{more:?}: {elapsed:.2} s");
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains("108000 found") && stdout.contains("MPJPE           5.0 mm"), "{stdout}");
        assert!(elapsed <= 10.0, "{elapsed} s");
    }
    assert!(std::fs::metadata(page).unwrap().len() < 5_000_000, "a page must open");
    let began = std::time::Instant::now();
    let compared = Command::new(env!("CARGO_BIN_EXE_stridepose")).arg("compare").args([&samples, &samples]).output();
    println!("compare: {:.2} s", began.elapsed().as_secs_f64());
    let table = String::from_utf8(compared.unwrap().stdout).unwrap();
    assert!(table.contains("+0.0 [+0.0, +0.0]"), "{table}");
}

#[test]
fn what_cannot_be_compared_is_exit_2_with_one_sentence() {
    let scene = Scene::new();
    scene.write("nan.csv", &format!("{HEADER}1,nose,0,0,4\n1,head,0,nan,4\n"));
    scene.write("short.csv", &format!("{HEADER}1,nose,0,0\n"));
    scene.write("foreign.csv", &format!("{HEADER}1,tail,0,0,4\n"));
    scene.write("late.csv", &format!("{HEADER}4000,nose,0,0,4\n"));
    scene.write("empty.csv", "");
    std::fs::write(scene.path("binary.csv"), [0xff, 0xfe, 0x00]).unwrap();
    write_bag(&scene.path("in_map"), "map", Vector3::zeros(), 0.0);
    scene.write(
        "mm.csv",
        &format!("{HEADER}1,r_hip,0,0,4000\n1,r_knee,0,420,4000\n2,r_hip,0,0,4000\n2,r_knee,0,420,4000\n"),
    );
    let topic = ["--topic", "/skeletons"];
    let own = scene.path("truth.csv");
    let own = ["--json", own.to_str().unwrap()];
    let twice = scene.path("numbers.json");
    let twice = ["--json", twice.to_str().unwrap(), "--report", twice.to_str().unwrap()];
    let cases: [(&str, &str, &[&str], &str); 14] = [
        ("result", "mm.csv", &[], "a thigh of 420.0 m is that of nobody, one of 420.0 mm would be"),
        ("result", "truth.csv", &own, "truth.csv is read and would be written over: name another file"),
        ("result", "truth.csv", &twice, "numbers.json would be written twice"),
        ("result", "truth.csv", &["--truth-topic", "/x"], "--truth-topic is for a truth in a bag with skeletons"),
        ("result", "nan.csv", &[], "line 3: y_m of head is no finite number: \"nan\""),
        ("result", "short.csv", &[], "line 2: 4 fields, the first line has 5 columns"),
        ("result", "foreign.csv", &[], "no joint of ours: it has tail"),
        ("result", "late.csv", &[], "none of the 1 images of the truth is among the 40 of the result"),
        ("result", "empty.csv", &[], "the first line must name the columns"),
        ("result", "binary.csv", &[], "cannot be read"),
        ("result", "nowhere.csv", &[], "does not exist"),
        ("result", "in_map", &[], "the result is in frame \"camera\", the truth in \"map\""),
        ("truth.csv", "truth", &[], "is no bag"),
        ("result", "truth", &topic, "no skeletons on /skeletons"),
    ];
    for (result, truth, more, sentence) in cases {
        let (code, stdout, stderr) = scene.evaluate(result, truth, more);
        assert_eq!(code, 2, "{truth}: {stderr}");
        assert!(stdout.is_empty() && stderr.contains(sentence), "{truth}: {stdout}{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    assert!(!scene.path("numbers.json").exists());
    assert_known_errors(&scene.json("truth.csv", &[]));
}

#[test]
fn a_result_that_was_cut_is_evaluated_as_far_as_it_goes_with_exit_3() {
    let scene = Scene::new();
    let file = std::fs::read_dir(scene.path("result"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "mcap"))
        .unwrap();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() * 6 / 10]).unwrap();
    let (code, stdout, stderr) = scene.evaluate("result", "truth.csv", &[]);
    assert_eq!(code, 3, "{stdout}{stderr}");
    assert!(stderr.contains("the bag is damaged") && stdout.contains("MPJPE           5.0 mm"), "{stdout}{stderr}");
}
