//! `stridepose models check`: from an ONNX file to a contract.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;

use stridepose::model::ModelContract;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Exit code, stdout and stderr.
fn check(file: &Path, more: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_stridepose")).args(["models", "check"]).arg(file).args(more).output();
    let output = output.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_style_that_fits_is_named_and_its_contract_can_be_read() {
    for (name, style) in [
        ("heatmap", "heatmap"),
        ("simcc", "simcc"),
        ("movenet_multipose", "movenet_multipose"),
        ("rtmdet", "rtmdet"),
        ("yolo_pose", "yolo_pose"),
    ] {
        let file = project(&format!("tests/goldens/tiny/{name}.onnx"));
        let (code, stdout, stderr) = check(&file, &[]);
        assert_eq!(code, 0, "{name}: {stderr}");
        let fits = stdout.lines().find(|line| line.starts_with("fits")).unwrap();
        assert!(fits.ends_with(style), "{name}: {stdout}");
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("model.yaml");
        let (code, _, stderr) = check(&file, &["--output", output.to_str().unwrap()]);
        assert_eq!(code, 0, "{stderr}");
        let contract = ModelContract::parse(&std::fs::read_to_string(&output).unwrap(), name).unwrap();
        assert_eq!((contract.name.as_str(), contract.file), (name, format!("{name}.onnx")));
        assert!(contract.sha256.is_some_and(|sha256| sha256.len() == 64));
        let (code, _, stderr) = check(&file, &["--output", output.to_str().unwrap()]);
        assert!(code == 2 && stderr.contains("exists"), "{code}: {stderr}");
    }
}

#[test]
fn what_no_decoder_reads_is_refused_with_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage.onnx");
    std::fs::write(&garbage, b"this is no network").unwrap();
    let heatmap = project("tests/goldens/tiny/heatmap.onnx");
    let cases: [(PathBuf, &[&str], i32, &str); 5] = [
        (garbage, &[], 2, "garbage.onnx"),
        (project("models/lifter/streaming.onnx"), &[], 2, "no decoder reads"),
        (heatmap.clone(), &["--style", "simcc"], 2, "does not fit simcc"),
        (heatmap, &["--style", "simc"], 2, "styles are blazepose"),
        (folder.path().join("nowhere.onnx"), &[], 1, "cannot read"),
    ];
    for (file, more, expected, sentence) in cases {
        let (code, stdout, stderr) = check(&file, more);
        assert_eq!(code, expected, "{sentence}: {stdout}{stderr}");
        assert!(stderr.contains(sentence), "{sentence}: {stderr}");
    }
    let (_, stdout, _) = check(&project("models/lifter/streaming.onnx"), &[]);
    assert!(stdout.contains("no      yolox: ") && stdout.contains("features"), "{stdout}");
}
