//! The program from end to end, as a field engineer runs it: real bags in, skeletons and exit codes out.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

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
fn the_demo_finds_the_people_it_made() {
    let folder = tempfile::tempdir().unwrap();
    let ran = stridepose(&["demo", "-o", text(folder.path()), "--duration-secs", "4"]);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let report = fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert!(report["mpjpe_mm"].as_f64().unwrap() < 100.0, "{}", report["mpjpe_mm"]);
    assert!(folder.path().join("result/overlay.png").is_file());
    let again = stridepose(&["demo", "-o", text(folder.path()), "--duration-secs", "4"]);
    assert_eq!(again.status.code(), Some(0), "an earlier demo is replaced");
}
