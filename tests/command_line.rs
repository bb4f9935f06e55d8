//! The command line as a user meets it: exit codes, help, a reader that leaves early.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Read;
use std::process::{Command, Output, Stdio};

fn stridepose(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

fn output(arguments: &[&str]) -> (Output, String, String) {
    let output = stridepose(arguments).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout.clone()).unwrap(), String::from_utf8(output.stderr.clone()).unwrap());
    (output, stdout, stderr)
}

#[test]
fn help_goes_to_stdout_and_names_the_exit_codes() {
    let (output, stdout, stderr) = output(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout.contains("Exit codes: 0 fine, 1 failed, 2 usage or input refused, 3"), "{stdout}");
    assert!(stderr.is_empty(), "{stderr}");
}

#[test]
fn wrong_usage_is_exit_2_and_goes_to_stderr() {
    for arguments in
        [&[][..], &["no-such-command"], &["parameters", "--yaml", "--markdown"], &["parameters", "-q", "-v"]]
    {
        let (output, stdout, stderr) = output(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stdout.is_empty() && stderr.contains("Usage"), "{arguments:?}: {stdout}{stderr}");
    }
}

#[test]
fn a_log_filter_that_cannot_be_read_is_refused() {
    let output = stridepose(&["parameters"]).env("RUST_LOG", "stridepose=loud").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("RUST_LOG is not a log filter"), "{stderr}");
}

#[test]
fn parameters_prints_a_file_that_has_the_defaults() {
    let (output, stdout, _) = output(&["parameters", "--yaml"]);
    assert_eq!(output.status.code(), Some(0));
    let config = stridepose::config::Config::from_sources(Some(&stdout), &[]).unwrap();
    assert_eq!(config, stridepose::config::Config::default());
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    // Each run writes into a pipe whose reading end is already closed.
    let mut child = stridepose(&["parameters"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn doctor_without_onnx_runtime_says_what_to_do_and_fails() {
    let output = stridepose(&["doctor"]).env("ORT_DYLIB_PATH", "/no/such/libonnxruntime.so").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert!(stdout.contains("ONNX Runtime   missing") && stdout.contains("make setup"), "{stdout}");
    assert!(stdout.contains("yolox_nano (detector)"), "contracts are named without the library too: {stdout}");
}

#[test]
fn doctor_refuses_a_models_folder_that_is_not_there() {
    let (output, _, stderr) = output(&["doctor", "--models", "/no/such/folder"]);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("/no/such/folder"), "{stderr}");
}
