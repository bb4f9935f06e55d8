//! Many bags in one run: broken ones fail alone, finished ones are kept.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stridepose::adapters::scene_bag::write_scene_bag;
use stridepose::scene::SceneSettings;

/// Two good bags, one of them deeper, a broken one, and a folder that is none.
fn write_bags(folder: &Path) {
    for (seed, name) in [(1, "monday/walk"), (2, "stand")] {
        let settings = SceneSettings { seed, people: 1, duration_secs: 0.5, ..SceneSettings::default() };
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        write_scene_bag(&settings, &folder.join(name)).unwrap();
    }
    fs::create_dir_all(folder.join("broken")).unwrap();
    fs::write(folder.join("broken/broken.mcap"), b"no bag at all").unwrap();
    fs::create_dir_all(folder.join("notes")).unwrap();
    fs::write(folder.join("notes/readme.txt"), "hello").unwrap();
}

/// Exit code, stdout and stderr of a command in a folder.
fn stridepose(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
    let output = command.args(arguments).current_dir(folder).env_remove("RUST_LOG").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// `(bag, status)` of each bag in batch.json.
fn batch(folder: &Path) -> Vec<(String, String)> {
    let json: Value = serde_json::from_str(&fs::read_to_string(folder.join("out/batch.json")).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    json.as_array().unwrap().iter().map(|entry| (text(&entry["bag"]), text(&entry["status"]))).collect()
}

fn expected(pairs: [(&str, &str); 3]) -> Vec<(String, String)> {
    pairs.map(|(bag, status)| (bag.to_owned(), status.to_owned())).to_vec()
}

#[test]
fn a_broken_bag_fails_alone_and_what_is_finished_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_bags(&root.join("bags"));
    let replay = |more: &[&str]| stridepose(root, &[&["replay", "bags", "-o", "out", "--workers", "2"], more].concat());

    let (code, stdout, stderr) = replay(&[]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stderr.contains("1 of 3 bags failed: bags/broken"), "{stderr}");
    assert!(stdout.contains("done     stand: 15 images") && stdout.contains("failed   broken: "), "{stdout}");
    let first = [("bags/broken", "failed"), ("bags/monday/walk", "done"), ("bags/stand", "done")];
    assert_eq!(batch(root), expected(first));
    assert!(root.join("out/monday/walk/summary.json").exists() && !root.join("out/notes").exists());

    // Killed in the middle of one: its half result is done again, the other is kept.
    let summary = root.join("out/stand/summary.json");
    let kept = fs::metadata(root.join("out/monday/walk/summary.json")).unwrap().modified().unwrap();
    let text = fs::read_to_string(&summary).unwrap();
    fs::write(&summary, &text[..text.len() / 2]).unwrap();
    fs::remove_dir_all(root.join("bags/broken")).unwrap();
    let settings = SceneSettings { seed: 3, people: 1, duration_secs: 0.5, ..SceneSettings::default() };
    write_scene_bag(&settings, &root.join("bags/broken")).unwrap();
    let (code, stdout, stderr) = replay(&[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let second = [("bags/broken", "done"), ("bags/monday/walk", "kept"), ("bags/stand", "done")];
    assert_eq!(batch(root), expected(second));
    assert_eq!(fs::metadata(root.join("out/monday/walk/summary.json")).unwrap().modified().unwrap(), kept);

    // Other parameters are not mixed in.
    let (code, stdout, _) = replay(&["-p", "refine.iterations:=2"]);
    assert_eq!(code, 1);
    assert_eq!(stdout.matches("holds a result made with other parameters: name another folder").count(), 3, "{stdout}");

    // Many bags give what one gives.
    let (code, ..) = stridepose(root, &["replay", "bags/stand", "-o", "single/stand"]);
    assert_eq!(code, 0);
    let bytes = |path: &str| {
        let mut files = fs::read_dir(root.join(path)).unwrap().map(|entry| entry.unwrap().path());
        fs::read(files.find(|path| path.extension().is_some_and(|kind| kind == "mcap")).unwrap()).unwrap()
    };
    assert!(bytes("single/stand") == bytes("out/stand"), "the results differ");
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_bags(&root.join("bags"));
    let cases: [(&[&str], &str); 4] = [
        (&["replay", "bags/notes", "-o", "out"], "bags/notes has no bags in it"),
        (&["replay", "bags/stand", "bags/stand", "-o", "out"], "would have the same result folder"),
        (&["replay", "bags", "-o", "out", "--summary", "x.json"], "--summary is for a single bag"),
        (&["replay", "-o", "out"], "<BAG>"),
    ];
    for (arguments, sentence) in cases {
        let (code, stdout, stderr) = stridepose(root, arguments);
        assert!(code == 2 && stdout.is_empty() && stderr.contains(sentence), "{arguments:?}: {code} {stdout}{stderr}");
        assert!(!root.join("out").exists());
    }
}

#[test]
fn results_inside_the_folder_of_bags_are_no_bags() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_bags(root);
    fs::remove_dir_all(root.join("broken")).unwrap();
    for status in ["done", "kept"] {
        let (code, stdout, stderr) = stridepose(root, &["replay", ".", "-o", "out"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
        assert_eq!(stdout.matches(&format!("{status:<8} ")).count(), 2, "{stdout}");
    }
}

/// A bag of somebody for half a second, with another seed for each.
fn write_bag(path: &Path, seed: u64) {
    let settings = SceneSettings { seed, people: 1, duration_secs: 0.5, ..SceneSettings::default() };
    write_scene_bag(&settings, path).unwrap();
}

/// The file of a new bag, put at `path`.
fn write_loose(path: &Path, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    write_bag(&folder.path().join("bag"), seed);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(folder.path().join("bag/bag_0.mcap"), path).unwrap();
}

#[test]
fn loose_files_are_bags_of_their_own_beside_others_and_parts_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("bags")).unwrap();
    write_bag(&root.join("bags/monday"), 1);
    // One file beside folders, two that have nothing to do with one another, the parts of one.
    write_loose(&root.join("bags/extra.mcap"), 2);
    write_loose(&root.join("bags/two/a.mcap"), 3);
    write_loose(&root.join("bags/two/b.mcap"), 4);
    write_loose(&root.join("bags/parts/run_0.mcap"), 5);
    write_loose(&root.join("bags/parts/run_1.mcap"), 6);
    write_loose(&root.join("bags/single/one.mcap"), 7);
    let (code, stdout, stderr) = stridepose(root, &["replay", "bags", "-o", "out"]);
    assert_ne!(code, 2, "{stdout}{stderr}");
    let found: Vec<(String, String)> = batch(root);
    let names: Vec<&str> = found.iter().map(|(bag, _)| bag.as_str()).collect();
    assert_eq!(
        names,
        ["bags/extra.mcap", "bags/monday", "bags/parts", "bags/single", "bags/two/a.mcap", "bags/two/b.mcap"]
    );
    for name in ["extra", "monday", "parts", "single", "two/a", "two/b"] {
        assert!(root.join("out").join(name).join("summary.json").exists(), "{name}: {stdout}{stderr}");
    }
    // Alone, each is a single bag still.
    for bag in ["bags/single", "bags/parts"] {
        let result = format!("alone/{bag}");
        let (_, stdout, stderr) = stridepose(root, &["replay", bag, "-o", &result]);
        assert!(root.join(&result).join("summary.json").exists(), "{stdout}{stderr}");
    }
    // Parts beside folders are called as their recording.
    write_loose(&root.join("bags/parts/later/c.mcap"), 8);
    let (_, stdout, stderr) = stridepose(root, &["replay", "bags/parts", "-o", "beside"]);
    for name in ["run", "later"] {
        assert!(root.join("beside").join(name).join("summary.json").exists(), "{name}: {stdout}{stderr}");
    }
}

#[test]
fn results_of_earlier_replays_are_no_recordings_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (seed, name) in [(1, "bags/a"), (2, "bags/b")] {
        fs::create_dir_all(root.join("bags")).unwrap();
        write_bag(&root.join(name), seed);
    }
    for arguments in [["replay", "bags", "-o", "bags/first"], ["replay", "bags/a", "-o", "bags/second"]] {
        assert_eq!(stridepose(root, &arguments).0, 0);
    }
    // Somebody else's summary says nothing.
    fs::write(root.join("bags/b/summary.json"), r#"{"weather": "rain"}"#).unwrap();
    let (code, stdout, stderr) = stridepose(root, &["replay", "bags", "-o", "bags/third"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stderr.contains("results of an earlier replay are left out: bags/first, bags/second"), "{stderr}");
    assert_eq!(stdout.matches("done ").count(), 2, "{stdout}");
    let (code, _, stderr) = stridepose(root, &["replay", "bags/first", "-o", "out"]);
    assert!(code == 2 && stderr.contains("has no bags in it") && stderr.contains("bags/first/a"), "{code}: {stderr}");
}

#[test]
fn the_list_keeps_what_earlier_runs_did_and_is_still_there() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (seed, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        fs::create_dir_all(root.join("bags")).unwrap();
        write_bag(&root.join("bags").join(name), seed);
    }
    let replay = |bags: [&str; 2]| {
        let (code, stdout, stderr) = stridepose(root, &["replay", bags[0], bags[1], "-o", "out"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
    };
    replay(["bags/a", "bags/b"]);
    fs::remove_dir_all(root.join("out/b")).unwrap();
    replay(["bags/c", "bags/d"]);
    replay(["bags/d", "bags/c"]);
    assert_eq!(batch(root), expected([("bags/a", "done"), ("bags/c", "kept"), ("bags/d", "kept")]));
}
