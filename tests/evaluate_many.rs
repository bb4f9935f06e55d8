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
fn one_result_finds_its_truth_in_the_folder_too() {
    let recordings = Recordings::new();
    let json = recordings.json(&["results/a"], 0);
    assert!((json["mpjpe_mm"].as_f64().unwrap() - 5.0).abs() < 1e-6, "{json}");
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

/// Every address that the page leads to.
fn links(html: &str) -> Vec<&str> {
    html.split("href=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

#[test]
fn the_report_of_several_has_all_of_them_as_one_and_leads_to_each() {
    let recordings = Recordings::new();
    let page = recordings.path("all of them.html");
    let results = ["results/a", "results/night/b", "results/c"];
    let (code, _, stderr) = recordings.evaluate(&results, "truths", &[Path::new("--report"), &page]);
    assert_eq!(code, 3, "{stderr}");
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(
        html.contains("default-src 'none'")
            && html.matches("://").count() == html.matches("http://www.w3.org/").count()
    );
    for section in ["recordings", "failed", "numbers", "joints", "calibration", "per-joint", "per-person", "comparison"]
    {
        assert_eq!(html.matches(&format!("<section id=\"{section}\">")).count(), 1, "{section}");
    }
    // 5 and 0 mm apart, 2.5 mm together.
    let row = |name: &str| {
        let rest = html.split_once(&format!(">{name}</")).unwrap_or_else(|| panic!("no {name}")).1;
        let cells = rest.split_once("</tr>").unwrap().0.split("<td>").skip(1);
        cells.map(|cell| cell.split_once('<').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(row("a")[..2], ["40", "5.0"]);
    assert_eq!(row("b")[..2], ["40", "0.0"]);
    assert_eq!(row("together")[..2], ["80", "2.5"]);
    assert!(row("c")[0].contains("has no c.csv"), "{:?}", row("c"));
    assert_eq!(links(&html), ["all%20of%20them_recordings/001_a.html", "all%20of%20them_recordings/002_b.html"]);
    let names: Vec<&str> = html.matches("<section id=\"time\">").collect();
    assert!(names.is_empty(), "several recordings have no common time");
    for (file, mpjpe) in [("001_a.html", "5.0"), ("002_b.html", "0.0")] {
        let one = std::fs::read_to_string(recordings.path("all of them_recordings").join(file)).unwrap();
        let cell = one.split_once("<th scope=\"row\">MPJPE</th><td>").unwrap().1;
        assert!(cell.starts_with(mpjpe) && one.contains("<section id=\"view3d\">"), "{file}");
    }
}

#[test]
fn several_results_without_a_truth_are_looked_at_each_and_as_one() {
    let recordings = Recordings::new();
    let (json, page) = (recordings.path("alone.json"), recordings.path("alone.html"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
    command.arg("evaluate").args(["results/a", "results/c"]).current_dir(recordings.folder.path());
    let output = command.arg("--json").arg(&json).arg("--report").arg(&page).env_remove("RUST_LOG").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && stdout.contains("2 of 2 recordings together"), "{stdout}");
    let json: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!((&json["images"], &json["observed"]["people"]), (&json!(2 * IMAGES), &json!(2 * (IMAGES - 1))));
    assert_eq!(json["recordings"]["c"]["observed"]["tracks"], json!(1));
    let html = std::fs::read_to_string(page).unwrap();
    assert_eq!(links(&html), ["alone_recordings/001_a.html", "alone_recordings/002_c.html"]);
    assert!(html.contains("<section id=\"observed\">") && !html.contains("MPJPE"));
    let one = std::fs::read_to_string(recordings.path("alone_recordings/001_a.html")).unwrap();
    assert!(one.contains("without a truth") && one.contains("<section id=\"tracks\">") && !one.contains("MPJPE"));
}

#[test]
fn quiet_draws_no_bar() {
    let recordings = Recordings::new();
    // A bar is drawn on a terminal alone; `script` is one.
    let on_terminal = |more: &str| {
        let program = env!("CARGO_BIN_EXE_stridepose");
        let command = format!("'{program}' evaluate results/a results/night/b --truth truths {more}");
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).stdin(std::process::Stdio::null());
        script.current_dir(recordings.folder.path()).env("TERM", "xterm").env_remove("RUST_LOG").output()
    };
    let Ok(loud) = on_terminal("") else {
        println!("SKIP quiet_draws_no_bar: there is no `script` (apt-get install bsdutils)");
        return;
    };
    let text = |output: std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let (loud, quiet) = (text(loud), text(on_terminal("--quiet").unwrap()));
    assert!(loud.contains("/2 recordings"), "{loud}");
    assert!(quiet.contains("2 of 2 recordings together") && !quiet.contains("/2 recordings"), "{quiet}");
}

#[test]
fn what_makes_no_sense_is_exit_2_with_what_to_do() {
    let recordings = Recordings::new();
    std::fs::write(recordings.path("truth.csv"), "image_index,joint,x_m,y_m,z_m\n").unwrap();
    let two = ["results/a", "results/night/b"];
    let cases: [(&[&str], &str, &[&Path], &str); 4] = [
        (&two, "truth.csv", &[], "one truth for 2 results"),
        (&two, "truths/a", &[], "one truth for 2 results"),
        (&["results/a", "results/a"], "truths", &[], "same name"),
        (&["results/c", "results/night"], "truths", &[], "not one of 2 recordings"),
    ];
    for (results, truth, more, sentence) in cases {
        let (code, _, stderr) = recordings.evaluate(results, truth, more);
        assert_eq!(code, 2, "{sentence}: {stderr}");
        assert!(stderr.contains(sentence), "{sentence}: {stderr}");
    }
}

#[test]
fn the_list_beside_the_results_is_no_result_and_a_folder_without_it_is_told_from_one() {
    let recordings = Recordings::new();
    std::fs::write(recordings.path("results/batch.json"), "[]").unwrap();
    assert_both(&recordings.json(&["results/a", "results/batch.json", "results/night/b"], 0));
    std::fs::remove_file(recordings.path("results/batch.json")).unwrap();
    let (code, _, stderr) = recordings.evaluate(&["results"], "truths", &[]);
    let sentence = "is no result and has no batch.json: name the results, ";
    assert!(code == 2 && stderr.contains(sentence) && stderr.trim().ends_with("results/*"), "{code}: {stderr}");
}
