//! `stridepose evaluate` of several results: each with its own truth, and all as one.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/skeleton_bag.rs"]
mod skeleton_bag;

use std::path::{Path, PathBuf};
use std::process::Command;

use nalgebra::Vector3;
use serde_json::{Value, json};

use skeleton_bag::{IMAGES, write_bag};

/// Results `a` (one joint of 17 off by 85 mm, root by 50 mm) and `b` (nothing off), `c` without a truth.
struct Recordings {
    folder: tempfile::TempDir,
}

impl Recordings {
    fn new() -> Self {
        let recordings = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(recordings.path("truths")).unwrap();
        std::fs::create_dir_all(recordings.path("results/night")).unwrap();
        write_bag(&recordings.path("results/a"), "camera", Vector3::new(0.0, 0.03, 0.04), 0.085);
        write_bag(&recordings.path("results/night/b"), "camera", Vector3::zeros(), 0.0);
        write_bag(&recordings.path("results/c"), "camera", Vector3::zeros(), 0.0);
        write_bag(&recordings.path("truths/a"), "camera", Vector3::zeros(), 0.0);
        write_bag(&recordings.path("truths/b"), "camera", Vector3::zeros(), 0.0);
        write_bag(&recordings.path("truths/night/b"), "camera", Vector3::zeros(), 0.0);
        recordings
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Exit code, stdout, stderr.
    fn evaluate(&self, results: &[&str], truth: &str, more: &[&Path]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
        command.arg("evaluate").args(results.iter().map(|result| self.path(result)));
        let output = command.arg("--truth").arg(self.path(truth)).args(more).env_remove("RUST_LOG").output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn json(&self, results: &[&str], exit_code: i32) -> Value {
        let file = self.path("numbers.json");
        let (code, _, stderr) = self.evaluate(results, "truths", &[Path::new("--json"), &file]);
        assert_eq!(code, exit_code, "{stderr}");
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    }
}

fn assert_both(json: &Value) {
    let is = |value: &Value, expected: f64| {
        let found = value.as_f64().unwrap_or(f64::NAN);
        assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
    };
    is(&json["mpjpe_mm"], 2.5);
    is(&json["root_mm"], 25.0);
    assert_eq!(json["images"], json!(2 * IMAGES));
    assert_eq!(json["identity"]["idf1"], json!(1.0));
}

#[test]
fn several_results_are_evaluated_each_and_as_one() {
    let recordings = Recordings::new();
    let json = recordings.json(&["results/a", "results/night/b"], 0);
    assert_both(&json);
    let each = &json["recordings"];
    assert!((each["a"]["mpjpe_mm"].as_f64().unwrap() - 5.0).abs() < 1e-6);
    assert!(each["b"]["mpjpe_mm"].as_f64().unwrap() < 1e-6);
    let names: Vec<&String> = json["per_person"].as_object().unwrap().keys().collect();
    assert!(names.len() == 2 && names[0].starts_with("a/") && names[1].starts_with("b/"), "{names:?}");
}

#[test]
fn the_folder_of_a_replay_of_many_bags_may_have_been_moved() {
    let recordings = Recordings::new();
    let entry = |result: &str| json!({ "bag": "x", "result": result, "status": "done" });
    let batch = json!([entry("/elsewhere/results/a"), entry("results/night/b")]);
    std::fs::write(recordings.path("results/batch.json"), batch.to_string()).unwrap();
    let json = recordings.json(&["results"], 0);
    assert_both(&json);
    assert!(json["recordings"]["night/b"].is_object(), "{}", json["recordings"]);
}

#[test]
fn what_cannot_be_compared_fails_alone() {
    let recordings = Recordings::new();
    let json = recordings.json(&["results/a", "results/night/b", "results/c"], 3);
    assert_both(&json);
    assert!(json["recordings"]["c"]["error"].as_str().unwrap().contains("has no c.csv"), "{}", json["recordings"]["c"]);
    let (code, stdout, _) = recordings.evaluate(&["results/a", "results/c"], "truths", &[]);
    assert_eq!(code, 3);
    assert!(stdout.contains("1 of 2 recordings together") && stdout.contains("failed"), "{stdout}");
}

#[test]
fn what_makes_no_sense_is_exit_2_with_what_to_do() {
    let recordings = Recordings::new();
    std::fs::write(recordings.path("truth.csv"), "image_index,joint,x_m,y_m,z_m\n").unwrap();
    let report = recordings.path("report.html");
    let two = ["results/a", "results/night/b"];
    let cases: [(&[&str], &str, &[&Path], &str); 5] = [
        (&two, "truth.csv", &[], "one truth for 2 results"),
        (&two, "truths/a", &[], "one truth for 2 results"),
        (&two, "truths", &[Path::new("--report"), &report], "--report shows one result"),
        (&["results/a", "results/a"], "truths", &[], "same name"),
        (&["results/c", "results/night"], "truths", &[], "not one of 2 recordings"),
    ];
    for (results, truth, more, sentence) in cases {
        let (code, _, stderr) = recordings.evaluate(results, truth, more);
        assert_eq!(code, 2, "{sentence}: {stderr}");
        assert!(stderr.contains(sentence), "{sentence}: {stderr}");
    }
}
