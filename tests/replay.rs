//! The program from end to end, as a field engineer runs it: real bags in, skeletons and exit codes out.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;
#[path = "common/keypoint_recording.rs"]
mod keypoint_recording;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use stridepose::adapters::messages::stridepose::Keypoint;
use stridepose::adapters::model_store::ModelStore;
use stridepose::adapters::result_bag::read_result_bag;
use stridepose::adapters::scene_bag::{write_scene_bag, write_scene_pictures};
use stridepose::commands::ConsoleArgs;
use stridepose::commands::inspect::{self, InspectArgs};
use stridepose::commands::replay::{Overlap, Progress};
use stridepose::config::Config;
use stridepose::scene::SceneSettings;

use keypoint_recording::Recording;

fn stridepose(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stridepose")).arg("--quiet").args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Replays without overlays and gives exit code and summary.
fn replay(bag: &Path, output: &Path, models: &Path, more: &[&str]) -> (i32, Value) {
    let mut arguments = vec!["replay", text(bag), "-o", text(output), "--models", text(models)];
    arguments.extend(["-p", "output.overlay:=false"]);
    arguments.extend(more);
    let ran = stridepose(&arguments);
    let code = ran.status.code().unwrap();
    let summary = fs::read_to_string(output.join("summary.json"))
        .unwrap_or_else(|_| panic!("no summary, exit {code}: {}", String::from_utf8_lossy(&ran.stderr)));
    (code, serde_json::from_str(&summary).unwrap())
}

fn only_mcap(folder: &Path) -> PathBuf {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|kind| kind == "mcap"))
        .unwrap()
}

#[test]
fn one_gymnast_is_one_identity_and_twice_the_same_bytes() {
    let Some(shared) = common::shared("one_gymnast_is_one_identity_and_twice_the_same_bytes") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (bag, models) = (shared.join("bags/balance"), shared.join("models"));
    let keypoints = ["-p", "keypoints.model:=movenet_lightning"];
    // The name of the folder is in the bag: the same in both.
    let run = |side: &str| {
        let output = folder.path().join(side).join("result");
        fs::create_dir_all(output.parent().unwrap()).unwrap();
        let (code, summary) = replay(&bag, &output, &models, &keypoints);
        assert_eq!(code, 0, "{summary}");
        (output, summary)
    };
    let (first, summary) = run("a");
    assert_eq!(summary["images"], 100);
    assert!(summary["images_with_skeleton"].as_u64().unwrap() >= 97, "{summary}");
    assert_eq!(summary["tracks"], 1, "{summary}");
    assert_eq!(summary["provider"], "cpu");
    assert!(summary["warnings"].as_object().unwrap().is_empty(), "{summary}");
    let (second, _) = run("b");
    assert_eq!(fs::read(only_mcap(&first)).unwrap(), fs::read(only_mcap(&second)).unwrap(), "replay is not repeatable");

    let report = folder.path().join("report.json");
    let truth = shared.join("bags/balance_truth.csv");
    let evaluated = stridepose(&["evaluate", text(&first), "--truth", text(&truth), "--json", text(&report)]);
    assert_eq!(evaluated.status.code(), Some(0));
    let report: Value = serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    for key in ["mpjpe_mm", "pa_mpjpe_mm", "n_mpjpe_mm", "mpjve_mm", "root_mm"] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert!(report["matched_images"].as_u64().unwrap() >= 97);
    // The truth is rough: a third of its images are off by 25 px and more. This guards against breakage, not accuracy.
    assert!(report["mpjpe_mm"].as_f64().unwrap() < 200.0, "{}", report["mpjpe_mm"]);
}

#[test]
fn an_empty_room_has_no_skeletons() {
    let Some(shared) = common::shared("an_empty_room_has_no_skeletons") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (code, summary) =
        replay(&shared.join("bags/robot_camera_no_people"), &folder.path().join("r"), &shared.join("models"), &[]);
    assert_eq!((code, summary["images"].as_u64(), summary["skeletons"].as_u64()), (0, Some(10), Some(0)), "{summary}");
}

#[test]
fn a_cut_bag_gives_what_is_before_the_cut_and_exit_code_3() {
    let Some(shared) = common::shared("a_cut_bag_gives_what_is_before_the_cut_and_exit_code_3") else { return };
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(shared.join("bags/balance/balance.mcap")).unwrap();
    let cut = folder.path().join("cut.mcap");
    fs::write(&cut, &whole[..whole.len() * 2 / 5]).unwrap();
    let models = shared.join("models");
    let (code, summary) =
        replay(&cut, &folder.path().join("r"), &models, &["-p", "keypoints.model:=movenet_lightning"]);
    let images = summary["images"].as_u64().unwrap();
    assert_eq!(code, 3, "{summary}");
    assert!((30..50).contains(&images), "{summary}");
    assert_eq!(summary["images_with_skeleton"].as_u64().unwrap(), images - 1, "{summary}");
    assert!(summary["damage"].is_string(), "{summary}");
}

#[test]
fn what_is_no_bag_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, words, folder_without_bag) =
        (folder.path().join("empty.mcap"), folder.path().join("words.txt"), folder.path().join("nothing"));
    fs::write(&empty, b"").unwrap();
    fs::write(&words, b"dear diary").unwrap();
    fs::create_dir(&folder_without_bag).unwrap();
    let mut inputs = vec![empty, words, folder_without_bag, folder.path().join("missing")];
    if let Some(shared) = common::shared("what_is_no_bag_is_refused_in_one_sentence (foreign MCAP)") {
        inputs.push(shared.join("bags/foreign_foxglove_json.mcap"));
    }
    for input in inputs {
        let refused = stridepose(&["replay", text(&input), "-o", text(&folder.path().join("out"))]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{}: {said}", input.display());
        assert_eq!(said.trim().lines().count(), 1, "{}: {said}", input.display());
        assert!(!folder.path().join("out").exists(), "{}", input.display());
    }
}

#[test]
fn a_spoilt_image_is_counted_named_and_skipped() {
    let Some(shared) = common::shared("a_spoilt_image_is_counted_named_and_skipped") else { return };
    let folder = tempfile::tempdir().unwrap();
    let bag = folder.path().join("bag");
    // The third image's row step is a lie.
    common::record_bag(&bag, &|number, data| {
        if number == 2 {
            let step = data.windows(4).position(|bytes| bytes == 12_u32.to_le_bytes()).unwrap();
            data[step..step + 4].copy_from_slice(&7_u32.to_le_bytes());
        }
    });
    let (code, summary) = replay(&bag, &folder.path().join("r"), &shared.join("models"), &[]);
    assert_eq!(code, 3, "{summary}");
    assert_eq!(summary["images"], 6, "{summary}");
    assert_eq!(summary["warnings"]["image_refused"]["count"], 1, "{summary}");
}

#[test]
fn camera_infos_that_make_no_sense_are_counted_named_and_skipped() {
    let Some(shared) = common::shared("camera_infos_that_make_no_sense_are_counted_named_and_skipped") else { return };
    let folder = tempfile::tempdir().unwrap();
    let bag = folder.path().join("bag");
    common::record_bag_with(&bag, &|_, _| {}, &|number, info| match number {
        1 => info.k = [0.0; 9],
        2 => info.k[0] = f64::NAN,
        3 => info.width = 640,
        4 => info.d[1] = f64::INFINITY,
        _ => {}
    });
    let (code, summary) = replay(&bag, &folder.path().join("r"), &shared.join("models"), &[]);
    assert_eq!((code, summary["images"].as_u64()), (3, Some(6)), "{summary}");
    let refused = &summary["warnings"]["camera_info_refused"];
    assert_eq!(refused["count"], 4, "{summary}");
    assert!(
        refused["first"].as_str().unwrap().contains("is the camera calibrated?"),
        "the advice is missing: {refused}"
    );
    // The good ones went all the way.
    assert_eq!(summary["stages_ms"]["keypoints"]["count"], 2, "{summary}");
}

#[test]
fn keypoints_that_make_no_sense_are_counted_named_and_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let spoilt = folder.path().join("spoilt");
    let mut recording = Recording::whole(folder.path());
    recording.change(10, |array| {
        array.people[0].keypoints[5] = Keypoint { u: f32::NAN, v: 1.0, score: 0.9, spread: f32::NAN };
    });
    recording.change(11, |array| array.people[0].keypoints[6].score = f32::NAN);
    recording.change(12, |array| {
        array.people[0].keypoints[7] = Keypoint { u: 1.0, v: f32::INFINITY, score: 0.9, spread: f32::NAN };
    });
    recording.change(13, |array| array.people[0].keypoints.truncate(3));
    recording.write(&spoilt);
    let nothing = folder.path();
    let (code, summary) = replay(&spoilt, &folder.path().join("r"), nothing, &[]);
    assert_eq!((code, summary["images"].as_u64()), (3, Some(30)), "{summary}");
    assert_eq!(summary["warnings"]["keypoints_refused"]["count"], 4, "{summary}");
    assert!(summary["images_with_skeleton"].as_u64().unwrap() >= 28, "the rest goes on: {summary}");
}

#[test]
fn every_storage_gives_the_same_skeletons() {
    let Some(shared) = common::shared("every_storage_gives_the_same_skeletons") else { return };
    let folder = tempfile::tempdir().unwrap();
    let skeletons = |name: &str, network: &str| {
        let output = folder.path().join(format!("{name}_{network}"));
        let keypoints = format!("keypoints.model:={network}");
        let more = ["-p", keypoints.as_str()];
        let (code, summary) = replay(&shared.join("bags").join(name), &output, &shared.join("models"), &more);
        assert_eq!(code, 0, "{name}: {summary}");
        read_result_bag(&output, None).unwrap().sequence.images
    };
    let whole = skeletons("balance", "movenet_lightning");
    for name in ["balance_zstd_12", "balance_db3_12", "balance_db3_zstd_12"] {
        let part = skeletons(name, "movenet_lightning");
        assert_eq!(part.len(), 12, "{name}");
        assert_eq!(part[..], whole[..12], "{name}");
        assert!(part.iter().filter(|image| image.people.len() == 1).count() >= 11, "{name}");
    }
    // Raw images were not through the JPEG encoder. That moves keypoints by parts of a pixel, the body by some millimetres, a hand
    // or a foot by some centimetres, and the distance, which hangs on the height in the image, by a part of its stated
    // deviation. BlazePose computes in floats: the steps of MoveNet's int8 sums are not the same on every CPU.
    let [raw, whole] = ["balance_raw_3", "balance"].map(|name| skeletons(name, "blazepose_full"));
    assert_eq!(raw.len(), 3);
    for (raw, jpeg) in raw.iter().zip(&whole) {
        assert_eq!((raw.stamp, raw.people.len()), (jpeg.stamp, jpeg.people.len()));
        for (raw, jpeg) in raw.people.iter().zip(&jpeg.people) {
            let (raw_root, jpeg_root) = (raw.positions()[0].unwrap(), jpeg.positions()[0].unwrap());
            let mut all_in_body = 0.0;
            for (raw, jpeg) in raw.joints.iter().zip(&jpeg.joints) {
                let (raw, jpeg) = (raw.unwrap(), jpeg.unwrap());
                let (from_raw, from_jpeg) = (raw.position_in_camera, jpeg.position_in_camera);
                let in_body = ((from_raw - raw_root) - (from_jpeg - jpeg_root)).norm();
                assert!(in_body < 0.08, "a joint of the body lies {in_body} m apart");
                all_in_body += in_body;
                let apart = from_raw - from_jpeg;
                let inverse = jpeg.covariance.unwrap().try_inverse().unwrap();
                let deviations = apart.dot(&(inverse * apart)).sqrt();
                assert!(deviations < 2.5, "a joint lies {deviations} standard deviations apart");
            }
            let mean = all_in_body / raw.joints.len() as f64;
            assert!(mean < 0.02, "the joints of the body lie {mean} m apart");
        }
    }
}

#[test]
fn the_demo_finds_the_people_it_made() {
    let folder = tempfile::tempdir().unwrap();
    // Found in pictures, then as keypoints; the second replaces the first.
    for (input, most_mm, least_recall) in [("images", 150.0, 0.7), ("keypoints", 100.0, 0.9)] {
        let ran = stridepose(&["demo", "-o", text(folder.path()), "--duration-secs", "4", "--input", input]);
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
        let report = fs::read_to_string(folder.path().join("report.json")).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        assert!(report["mpjpe_mm"].as_f64().unwrap() < most_mm, "{input}: {}", report["mpjpe_mm"]);
        let recall = report["identity"]["recall"].as_f64().unwrap();
        assert!(recall > least_recall, "{input}: {recall}");
        assert!(folder.path().join("result/overlay.png").is_file());
    }
}

#[test]
fn a_frame_that_stands_upright_tells_the_lifter_where_down_is() {
    let folder = tempfile::tempdir().unwrap();
    let scene = folder.path().join("scene");
    let settings = SceneSettings { people: 1, duration_secs: 2.0, pillar: None, ..SceneSettings::default() };
    write_scene_bag(&settings, &scene).unwrap();
    let run = |name: &str, asked: &[&str]| {
        let output = folder.path().join(name);
        let asked: Vec<&str> = asked.iter().flat_map(|asked| ["-p", asked]).collect();
        let (code, summary) = replay(&scene, &output, folder.path(), &asked);
        (code, summary, read_result_bag(&output, None).unwrap().sequence)
    };
    let (without, plain, untold) = run("without", &[]);
    let (with, known, told) = run("odom", &["input.gravity:=tf", "input.gravity_frame:=odom"]);
    let (unknown, warned, refused) = run("map", &["input.gravity:=tf", "input.gravity_frame:=map"]);
    let (_, _, fixed) = run("fixed", &["input.gravity:=fixed", "input.tilt_deg:=30.0"]);
    assert_eq!((without, with, unknown), (0, 0, 0), "nothing is lost");
    assert!(plain["warnings"].as_object().unwrap().is_empty() && known["warnings"].as_object().unwrap().is_empty());
    let warned = &warned["warnings"]["gravity_unknown"];
    assert_eq!(warned["count"], 60, "{warned}");
    assert!(warned["first"].as_str().unwrap().contains("\"map\" is not known"), "{warned}");
    assert_eq!(refused, untold, "what is not known changes nothing");
    assert_ne!(told, untold);
    assert!(fixed != untold && fixed != told);
}

#[test]
fn a_floor_that_is_told_says_how_far_away_people_are() {
    let folder = tempfile::tempdir().unwrap();
    let (mut untold, mut told) = (0.0, 0.0);
    for seed in 1..4 {
        let (scene, truth) = (folder.path().join(format!("scene_{seed}")), folder.path().join(format!("truth_{seed}")));
        let settings = SceneSettings { people: 1, duration_secs: 3.0, pillar: None, seed, ..SceneSettings::default() };
        write_scene_bag(&settings, &scene).unwrap();
        let error = |name: &str, asked: &str| {
            let output = folder.path().join(format!("{name}_{seed}"));
            let (code, summary) = replay(
                &scene,
                &output,
                folder.path(),
                &["-p", "input.gravity:=tf", "-p", "input.gravity_frame:=odom", "-p", asked],
            );
            assert!(code == 0 && summary["warnings"].as_object().unwrap().is_empty(), "{summary}");
            let json = truth.with_extension(format!("{name}.json"));
            let ran = stridepose(&["evaluate", text(&output), "--truth", text(&scene), "--json", text(&json)]);
            assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
            let report: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
            report["root_mm"].as_f64().unwrap()
        };
        untold += error("untold", "input.floor:=unknown");
        told += error("told", "input.floor:=frame");
    }
    assert!(told < 0.75 * untold, "{told} instead of {untold} mm over three people");
}

#[test]
fn inspect_says_how_the_frames_of_a_recording_tilt_its_camera() {
    let folder = tempfile::tempdir().unwrap();
    let scene = folder.path().join("scene");
    let settings = SceneSettings { people: 1, duration_secs: 1.0, pillar: None, ..SceneSettings::default() };
    write_scene_bag(&settings, &scene).unwrap();
    let text = inspect::run(&InspectArgs { bag: scene.clone(), image: None, camera_info: None }).unwrap().text;
    let (_, told) = text.split_once("-p input.floor:=frame)\n").unwrap_or_else(|| panic!("no gravity in\n{text}"));
    let told: Vec<&str> = told.lines().take_while(|line| !line.is_empty()).collect();
    let [camera, odom] = told.as_slice() else { panic!("{told:?}") };
    assert!(camera.contains("camera_optical_frame, first image"), "{camera}");
    let words: Vec<&str> = odom.split_whitespace().collect();
    assert_eq!((words[0], words[4], words[8], words[12]), ("odom", "down,", "clockwise", "m"), "{odom}");
    let number = |word: &str| word.trim_end_matches('°').parse::<f64>().unwrap();
    assert!(number(words[3]).abs() < 30.0 && number(words[7]).abs() < 5.0, "{odom}");
    assert!((0.5..2.5).contains(&number(words[11])), "{odom}");
}

/// Decoding and the detector ahead, writing behind: the bytes are those of one thread that does one thing after the other.
#[test]
fn threads_change_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SceneSettings { duration_secs: 1.5, ..SceneSettings::default() };
    let scene = folder.path().join("scene");
    write_scene_pictures(&settings, &scene, &mut |_| ()).unwrap();
    let parameters =
        ["detector.model:=stridepose_person", "keypoints.model:=stridepose_pose_small", "detector.interval:=4"];
    let config = Config::from_sources(None, &parameters.map(str::to_owned)).unwrap();
    let store = ModelStore::new(&[]).unwrap();
    let [alone, together] = [Overlap::Never, Overlap::WhereThereIsACore].map(|overlap| {
        // The name of the folder is in the bag: the same in both.
        let output = folder.path().join(format!("{overlap:?}")).join("result");
        let progress = Progress::of_one(ConsoleArgs { quiet: true, verbose: 0 }).unwrap();
        let summary =
            stridepose::commands::replay::replay(&scene, &output, &config, &store, &progress, overlap).unwrap();
        assert!(summary.skeletons > 20, "{}", summary.skeletons);
        (fs::read(only_mcap(&output)).unwrap(), summary.stages_ms["detect"].count)
    });
    assert!(alone.0 == together.0, "other bytes with threads");
    assert_eq!(alone.1, together.1, "runs of the detector that were used");
}
