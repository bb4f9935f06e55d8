//! `stridepose compare` as a user and a CI job meet it: numbers, intervals, exit codes.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/skeleton_bag.rs"]
mod skeleton_bag;

use std::path::Path;
use std::process::Command;

use nalgebra::Vector3;
use serde_json::Value;

use skeleton_bag::write_bag;

/// A has 85 mm of error at one of 17 wrists, B 170: MPJPE 5 and 10 mm.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, wrist) in [("a", 0.085), ("b", 0.17), ("truth", 0.0)] {
            write_bag(&folder.path().join(name), "camera", Vector3::zeros(), wrist);
        }
        let scene = Self { folder };
        for name in ["a", "b"] {
            let (code, _, stderr) = scene.run(&[
                "evaluate",
                name,
                "--truth",
                "truth",
                "--json",
                &format!("{name}.json"),
                "--samples",
                &format!("{name}_samples.json"),
            ]);
            assert_eq!(code, 0, "{stderr}");
        }
        scene
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Exit code, stdout and stderr of a command in the folder.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
        let output = command.args(arguments).current_dir(self.path()).env_remove("RUST_LOG").output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn compare(&self, more: &[&str]) -> (i32, String, String) {
        self.run(&[&["compare"], more].concat())
    }
}

fn row<'a>(table: &'a str, metric: &str) -> Vec<&'a str> {
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(metric)).expect(metric);
    line.split_whitespace().collect()
}

#[test]
fn bags_and_samples_give_the_same_table_with_intervals() {
    let scene = Scene::new();
    let (code, from_bags, stderr) = scene.compare(&["a", "b", "--truth", "truth"]);
    assert_eq!(code, 0, "{stderr}");
    let (_, from_samples, _) = scene.compare(&["a_samples.json", "b_samples.json"]);
    let table = |text: &str| text.split_once("\n\n").unwrap().1.to_owned();
    assert_eq!(table(&from_bags), table(&from_samples));
    // The difference is the same in every image.
    let expected = ["mpjpe_mm", "5.0", "10.0", "+5.0", "+100.0", "+5.0", "[+5.0,", "+5.0]", "*"];
    assert_eq!(row(&from_bags, "mpjpe_mm"), expected);
    assert_eq!(row(&from_bags, "per_joint.nose.mpjpe_mm")[3..], ["+0.0", "-", "+0.0", "[+0.0,", "+0.0]"]);
    assert_eq!(row(&from_bags, "identity.idf1")[1..3], ["1.0000", "1.0000"]);
}

#[test]
fn plain_numbers_have_no_intervals_and_say_why() {
    let scene = Scene::new();
    let (code, stdout, _) = scene.compare(&["a.json", "b.json"]);
    assert_eq!(code, 0);
    assert_eq!(row(&stdout, "mpjpe_mm"), ["mpjpe_mm", "5.0", "10.0", "+5.0", "+100.0"]);
    assert!(stdout.contains("write both sides with --samples"), "{stdout}");
    let (_, all, _) = scene.compare(&["a.json", "b.json", "--all"]);
    assert_eq!(row(&all, "per_joint.l_wrist.pck_150mm")[1..3], ["1.0000", "0.0000"]);
}

#[test]
fn the_json_holds_every_difference() {
    let scene = Scene::new();
    let (code, ..) = scene.compare(&["a_samples.json", "b_samples.json", "--json", "difference.json"]);
    assert_eq!(code, 0);
    let text = std::fs::read_to_string(scene.path().join("difference.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let wrist = &json["per_joint.l_wrist.mpjpe_mm"];
    assert!((wrist["difference"].as_f64().unwrap() - 85.0).abs() < 1e-6);
    assert!((wrist["paired"]["difference"].as_f64().unwrap() - 85.0).abs() < 1e-3);
    assert_eq!(wrist["paired"]["pairs"].as_u64(), Some(39));
    assert_eq!(json["missed"]["a"].as_f64(), Some(0.0));
}

#[test]
fn a_broken_rule_is_exit_1_and_a_kept_one_0() {
    let scene = Scene::new();
    let gate = |a: &str, b: &str, rules: &[&str]| {
        let rules = rules.iter().flat_map(|rule| ["--fail-if", rule]);
        scene.compare(&[a, b].into_iter().chain(rules).collect::<Vec<_>>())
    };
    let (code, stdout, stderr) = gate("a.json", "b.json", &["mpjpe_mm > 1.02x", "auc < 0.5", "missed > 0"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stdout.contains("mpjpe_mm"), "the table comes first: {stdout}");
    assert_eq!(stderr.trim(), "stridepose: 'mpjpe_mm > 1.02x' is broken: B has 10, the bound is 5.1");
    let (code, stdout, stderr) = gate("b.json", "a.json", &["mpjpe_mm > 1.02x", "auc < -0.01"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("2 of 2 rules kept"), "{stdout}");
    // Unit and group may be left out: issue 6's own rule.
    let (code, _, stderr) = gate("a.json", "b.json", &["mpjpe > 1.02x", "idf1 < -0.01"]);
    assert_eq!((code, stderr.trim()), (1, "stridepose: 'mpjpe > 1.02x' is broken: B has 10, the bound is 5.1"));
    let (code, stdout, _) = gate("b.json", "a.json", &["mpjpe > 1.02x", "idf1 < -0.01"]);
    assert!(code == 0 && stdout.contains("2 of 2 rules kept"), "{stdout}");
    // A gate does not open on a missing number.
    std::fs::write(scene.path().join("null.json"), r#"{"mpjpe_mm": null}"#).unwrap();
    let (code, _, stderr) = gate("a.json", "null.json", &["mpjpe_mm > 1.02x"]);
    assert!(code == 1 && stderr.contains("cannot be judged: B has no mpjpe_mm"), "{stderr}");
}

#[test]
fn what_cannot_be_used_is_exit_2_and_prints_no_table() {
    let scene = Scene::new();
    std::fs::write(scene.path().join("other.json"), "{}").unwrap();
    std::fs::write(scene.path().join("text.json"), "hello").unwrap();
    let cases: [(&[&str], &str); 10] = [
        (&["a.json", "b.json", "--truth", "truth"], "A and B hold numbers already"),
        (&["a.json", "b.json", "--topic", "/x"], "A and B hold numbers already"),
        (&["a.json", "b.json", "--json", "a.json"], "a.json is read and would be written over"),
        (&["a.json", "b.json", "--fail-if", "mpjve > 1"], "\"mpjve\" may be mpjve_mm or mpjve_mm_per_s: write which"),
        (
            &["a.json", "b.json", "--fail-if", "mpjpee > 1.02x"],
            "character 1: there is no metric \"mpjpee\"; did you mean mpjpe_mm?",
        ),
        (&["a.json", "b.json", "--fail-if", "mpjpe_mm > 2%"], "character 12: \"2%\" is no bound"),
        (&["a.json", "other.json"], "other.json is no evaluation"),
        (&["text.json", "b.json"], "text.json is no JSON"),
        (&["nowhere", "b.json"], "nowhere does not exist"),
        (&["a", "b", "--truth-unit", "mm"], "give --truth"),
    ];
    for (arguments, sentence) in cases {
        let (code, stdout, stderr) = scene.compare(arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stdout.is_empty() && stderr.contains(sentence), "{arguments:?}: {stdout}{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}
