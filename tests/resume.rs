//! Replays that are stopped, killed or run out of disk, and run again with `--resume`; the commands of docs/clusters.md.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use stridepose::adapters::result_bag::read_result_bag;
use stridepose::adapters::scene_bag::{TRUTH_TOPIC, write_scene_bag};
use stridepose::scene::SceneSettings;

const PROGRAM: &str = env!("CARGO_BIN_EXE_stridepose");

/// A bag of somebody's keypoints at 30 Hz, with the truth in it.
fn write_bag(path: &Path, secs: f64) {
    let settings = SceneSettings { people: 1, duration_secs: secs, pillar: None, seed: 2, ..SceneSettings::default() };
    write_scene_bag(&settings, path).unwrap();
}

fn arguments(bag: &Path, result: &Path, more: &[&str]) -> Vec<OsString> {
    let mut list: Vec<OsString> = ["--quiet", "replay"].map(OsString::from).to_vec();
    list.extend([bag.as_os_str().to_owned(), "-o".into(), result.as_os_str().to_owned()]);
    list.extend(more.iter().map(OsString::from));
    list
}

/// Exit code and what was said, stdout and stderr.
fn ran(output: &Output) -> (i32, String) {
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code().expect("an exit code"), said)
}

fn replay(bag: &Path, result: &Path, more: &[&str]) -> (i32, String) {
    ran(&Command::new(PROGRAM).args(arguments(bag, result, more)).output().unwrap())
}

fn stridepose(arguments: &[&str]) -> (i32, String) {
    ran(&Command::new(PROGRAM).arg("--quiet").args(arguments).output().unwrap())
}

fn mcap(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|kind| kind == "mcap")).unwrap_or_default()
}

fn written(folder: &Path) -> u64 {
    fs::metadata(mcap(folder)).map_or(0, |file| file.len())
}

fn finished_at(result: &Path) -> Option<SystemTime> {
    fs::metadata(result.join("summary.json")).ok().map(|file| file.modified().unwrap())
}

/// What was written before a replay ended early: readable by every command, in so many images.
fn check_half(result: &Path, truth: &Path) -> usize {
    let half = read_result_bag(result, None).unwrap().sequence.images.len();
    assert!(half > 0, "nothing of it can be read");
    let (result, truth) = (result.to_str().unwrap(), truth.to_str().unwrap());
    let (code, said) = stridepose(&["inspect", result]);
    assert!(code == 3 && said.contains("/stridepose/skeletons"), "{code}: {said}");
    let json = format!("{result}.json");
    let (code, said) =
        stridepose(&["evaluate", result, "--truth", truth, "--truth-topic", TRUTH_TOPIC, "--json", &json]);
    assert_eq!(code, 3, "{said}");
    let evaluated: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    let matched = evaluated["matched_images"].as_u64().unwrap() as usize;
    assert!(matched > 0 && matched <= half, "{matched} of {half} images matched");
    half
}

/// The bytes of an uninterrupted replay into a folder of the same name.
fn whole(bag: &Path, folder: &Path) -> Vec<u8> {
    let result = folder.join("uninterrupted/result");
    fs::create_dir_all(result.parent().unwrap()).unwrap();
    assert_eq!(replay(bag, &result, &[]).0, 0);
    fs::read(mcap(&result)).unwrap()
}

#[test]
fn a_killed_replay_leaves_a_readable_bag_and_resume_finishes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (bag, result) = (folder.path().join("bag"), folder.path().join("result"));
    write_bag(&bag, 60.0);
    let mut child =
        Command::new(PROGRAM).args(arguments(&bag, &result, &["--resume"])).stdout(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while written(&result) < 40_000 {
        assert!(child.try_wait().unwrap().is_none(), "it was done before it could be killed: make the bag longer");
        assert!(began.elapsed() < Duration::from_mins(1), "nothing was written");
        std::thread::sleep(Duration::from_millis(1));
    }
    // SIGKILL: nothing is closed, nothing tidied up.
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it ended by itself");
    assert!(!result.join("metadata.yaml").exists() && finished_at(&result).is_none());

    let half = check_half(&result, &bag);
    assert!(half < 1800, "{half} images");
    let (code, said) = replay(&bag, &result, &[]);
    assert!(code == 2 && said.contains("--resume"), "{code}: {said}");
    let (code, said) = replay(&bag, &result, &["--resume"]);
    assert!(code == 0 && said.contains("1800"), "{code}: {said}");
    assert!(fs::read(mcap(&result)).unwrap() == whole(&bag, folder.path()), "it differs from an uninterrupted replay");
}

#[test]
fn a_finished_result_is_kept_and_never_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let (bag, result) = (folder.path().join("bag"), folder.path().join("result"));
    write_bag(&bag, 0.5);
    let copy = folder.path().join("copy.json");
    assert_eq!(replay(&bag, &result, &["--resume"]).0, 0);
    let finished = finished_at(&result).unwrap();
    let (code, said) = replay(&bag, &result, &["--resume", "--summary", copy.to_str().unwrap()]);
    assert!(code == 0 && said.contains("kept, 15 images"), "{code}: {said}");
    assert_eq!(finished_at(&result), Some(finished));
    let summary = |path: &Path| -> Value { serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
    assert_eq!(summary(&copy), summary(&result.join("summary.json")));

    let (code, said) = replay(&bag, &result, &["--resume", "-p", "refine.iterations:=2"]);
    assert!(code == 2 && said.contains("made with other parameters"), "{code}: {said}");
    let other = folder.path().join("other");
    write_bag(&other, 0.5);
    let (code, said) = replay(&other, &result, &["--resume"]);
    assert!(code == 2 && said.contains("of another bag"), "{code}: {said}");
    assert_eq!(finished_at(&result), Some(finished));

    // What was killed while it closed its bag has one name more.
    fs::remove_file(result.join("summary.json")).unwrap();
    fs::rename(result.join("metadata.yaml"), result.join("metadata.yaml.partial")).unwrap();
    assert_eq!(replay(&bag, &result, &["--resume"]).0, 0);
    assert!(result.join("metadata.yaml").exists() && !result.join("metadata.yaml.partial").exists());

    // Killed before its first byte.
    fs::remove_file(result.join("summary.json")).unwrap();
    fs::write(mcap(&result), b"").unwrap();
    assert_eq!(replay(&bag, &result, &["--resume"]).0, 0);
    assert_eq!(read_result_bag(&result, None).unwrap().sequence.images.len(), 15);

    // A damaged bag is damaged the second time as well.
    let damaged = folder.path().join("damaged.mcap");
    let bytes = fs::read(mcap(&bag)).unwrap();
    fs::write(&damaged, &bytes[..bytes.len() - 300]).unwrap();
    let second = folder.path().join("second");
    for part in ["damage", "kept"] {
        let (code, said) = replay(&damaged, &second, &["--resume"]);
        assert!(code == 3 && said.contains(part), "{code}: {said}");
    }
}

#[test]
fn a_result_of_which_something_is_gone_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let (bag, result) = (folder.path().join("bag"), folder.path().join("result"));
    write_bag(&bag, 0.5);
    assert_eq!(replay(&bag, &result, &[]).0, 0);
    let whole = fs::read(mcap(&result)).unwrap();
    let file = mcap(&result);
    let metadata = fs::read_to_string(result.join("metadata.yaml")).unwrap();
    let spoils: [(&str, &dyn Fn()); 4] = [
        ("gone", &|| fs::remove_file(&file).unwrap()),
        ("cut", &|| fs::write(&file, &whole[..whole.len() - 300]).unwrap()),
        ("without metadata.yaml", &|| fs::remove_file(result.join("metadata.yaml")).unwrap()),
        ("of fewer messages than are counted", &|| {
            let more = metadata.replacen("message_count: ", "message_count: 1", 9);
            assert_ne!(more, metadata);
            fs::write(result.join("metadata.yaml"), more).unwrap();
        }),
    ];
    for (name, spoil) in spoils {
        spoil();
        let (code, said) = replay(&bag, &result, &["--resume"]);
        assert!(code == 0 && !said.contains("kept") && said.contains("15 images"), "{name}: {code}: {said}");
        assert!(fs::read(&file).unwrap() == whole, "{name}");
        let (code, said) = replay(&bag, &result, &["--resume"]);
        assert!(code == 0 && said.contains("kept, 15 images"), "{name}: {code}: {said}");
    }
}

#[test]
fn a_bag_is_the_same_by_what_it_holds_and_not_by_where_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let in_folder = |day: &str, bag: &str| {
        let mut command = Command::new(PROGRAM);
        let arguments = ["--quiet", "replay", bag, "-o", "../result", "--resume"];
        ran(&command.args(arguments).current_dir(root.join(day)).output().unwrap())
    };
    for (day, secs) in [("monday", 0.5), ("tuesday", 0.6)] {
        fs::create_dir(root.join(day)).unwrap();
        write_bag(&root.join(day).join("bag"), secs);
    }
    assert_eq!(in_folder("monday", "bag").0, 0);
    fs::rename(root.join("monday/bag"), root.join("monday/moved")).unwrap();
    for same in ["moved", "./moved/", "../monday/moved"] {
        let (code, said) = in_folder("monday", same);
        assert!(code == 0 && said.contains("kept, 15 images"), "{same}: {code}: {said}");
    }
    // The same name, in another folder and for other content.
    let (code, said) = in_folder("tuesday", "bag");
    assert!(code == 2 && said.contains("holds a result of another bag"), "{code}: {said}");
    write_bag(&root.join("monday/bag"), 0.7);
    let (code, said) = in_folder("monday", "bag");
    assert!(code == 2 && said.contains("of another bag than bag is now"), "{code}: {said}");

    // A summary of an earlier version knows the path alone.
    let path = root.join("result/summary.json");
    let mut summary: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert!(summary.as_object_mut().unwrap().remove("input_fingerprint").is_some());
    fs::write(&path, summary.to_string()).unwrap();
    for (bag, expected) in [("bag", 0), ("./bag/", 0), ("moved", 2)] {
        let (code, said) = in_folder("monday", bag);
        assert_eq!(code, expected, "{bag}: {said}");
    }
}

#[test]
fn many_bags_of_which_one_is_damaged_are_so_the_second_time_too() {
    let folder = tempfile::tempdir().unwrap();
    write_recordings(folder.path());
    fs::remove_dir_all(folder.path().join("recordings/c")).unwrap();
    for statuses in [["done     a", "damaged  b"], ["kept     a", "kept     b"]] {
        let (code, said) = replay(&folder.path().join("recordings"), &folder.path().join("results"), &[]);
        assert!(code == 3 && statuses.iter().all(|status| said.contains(status)), "{code}: {said}");
    }
}

#[test]
fn no_recording_is_ever_removed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let bag = root.join("bags/bag");
    fs::create_dir(root.join("bags")).unwrap();
    write_bag(&bag, 0.5);
    let bytes = fs::read(mcap(&bag)).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    // Into itself, by the folder and by the file; a folder of bags into itself.
    for (input, output, code) in
        [(bag.clone(), bag.clone(), 2), (mcap(&bag), bag.clone(), 2), (root.join("bags"), root.join("bags"), 1)]
    {
        let (ended, said) = stridepose(&["replay", &text(&input), "-o", &text(&output), "--resume"]);
        assert!(ended == code && said.contains("where the bag itself lies"), "{ended}: {said}");
        assert!(fs::read(mcap(&bag)).unwrap() == bytes);
    }
    // Somebody else's recording in the place of the result.
    let (other, foreign) =
        (root.join("other"), b"\x89MCAP0\r\n\x01\x20\0\0\0\0\0\0\0\x04\0\0\0ros2\x0e\0\0\0rosbag2 0.15.0");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("other_0.mcap"), [&foreign[..], &[0; 100]].concat()).unwrap();
    let (code, said) = replay(&bag, &other, &["--resume"]);
    assert!(code == 2 && said.contains("is no part of a result"), "{code}: {said}");
    assert!(other.join("other_0.mcap").exists());
}

#[test]
fn a_full_disk_is_one_sentence_and_what_was_written_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let (bag, result) = (folder.path().join("bag"), folder.path().join("result"));
    write_bag(&bag, 10.0);
    // No file may grow beyond 100 blocks of 512 bytes; the write then fails as on a full disk.
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"", PROGRAM])
        .args(arguments(&bag, &result, &[]))
        .output()
        .unwrap();
    let (code, said) = ran(&limited);
    let sentence = format!("stridepose: cannot write {}: File too large (os error 27)\n", mcap(&result).display());
    assert_eq!((code, said), (1, sentence));
    assert!((1..=100 * 512).contains(&written(&result)), "{} bytes", written(&result));
    let half = check_half(&result, &bag);
    assert!(half < 300, "{half} images");
    // With room again it is done from the start.
    assert_eq!(replay(&bag, &result, &["--resume"]).0, 0);
    assert!(fs::read(mcap(&result)).unwrap() == whole(&bag, folder.path()), "it differs from an undisturbed replay");
}

/// The text between two marks.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let text = text.split_once(start).unwrap_or_else(|| panic!("{start} is not on the page")).1;
    text.split_once(end).unwrap_or_else(|| panic!("{end} does not follow {start}")).0
}

/// The shell commands of the page, each with the variable that says which bag.
fn page_commands(page: &str) -> [(&'static str, String); 2] {
    let slurm = between(page, "## Slurm\n```sh\n", "```").to_owned();
    let kubernetes = between(page, "          args:\n            - ", "          resources:");
    let kubernetes = kubernetes.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    [("SLURM_ARRAY_TASK_ID", slurm), ("JOB_COMPLETION_INDEX", kubernetes)]
}

/// A whole bag, a damaged one and a broken one, in the order of their names.
fn write_recordings(root: &Path) {
    let recordings = root.join("recordings");
    fs::create_dir_all(root.join("models")).unwrap();
    fs::create_dir_all(&recordings).unwrap();
    for name in ["a", "b"] {
        write_bag(&recordings.join(name), 1.0);
    }
    let damaged = mcap(&recordings.join("b"));
    let bytes = fs::read(&damaged).unwrap();
    fs::write(&damaged, &bytes[..bytes.len() - 300]).unwrap();
    fs::create_dir(recordings.join("c")).unwrap();
    fs::write(recordings.join("c/c_0.mcap"), b"no bag at all").unwrap();
}

/// `PATH` with the program in front.
fn path_with_program() -> OsString {
    let mut path = Path::new(PROGRAM).parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

/// The results of the recordings are there as they should be; all are kept when the command is run again.
fn check_results(root: &Path, mut run: impl FnMut()) {
    run();
    let results = ["a", "b"].map(|name| root.join("results").join(name));
    let first = results.each_ref().map(|result| finished_at(result).unwrap());
    assert!(finished_at(&root.join("results/c")).is_none());
    // One was cut off while it wrote its last file.
    let text = fs::read_to_string(results[0].join("summary.json")).unwrap();
    fs::write(results[0].join("summary.json"), &text[..text.len() / 2]).unwrap();
    run();
    assert_ne!(finished_at(&results[0]), Some(first[0]));
    assert!(serde_json::from_str::<Value>(&fs::read_to_string(results[0].join("summary.json")).unwrap()).is_ok());
    assert_eq!(finished_at(&results[1]), Some(first[1]), "a finished result was done again");
}

#[test]
fn the_commands_of_the_cluster_page_can_be_run_again() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clusters.md")).unwrap();
    for (variable, command) in page_commands(&page) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write_recordings(root);
        let command = command.replace("/data/", &format!("{}/", root.display()));
        check_results(root, || {
            // The damaged bag is done; the broken one is a failed job and no other.
            for (index, expected) in [("0", 0), ("1", 0), ("2", 1)] {
                let mut shell = Command::new("bash");
                shell.args(["-c", &command]).env("PATH", path_with_program()).env(variable, index);
                let (code, said) = ran(&shell.output().unwrap());
                assert_eq!(code, expected, "{variable} {index}: {said}");
            }
        });
        // What waits for them takes what is there.
        let merge = between(&page, "```sh\nstridepose evaluate", "```");
        fs::create_dir(root.join("truths")).unwrap();
        for name in ["a", "b"] {
            fs::rename(root.join("recordings").join(name), root.join("truths").join(name)).unwrap();
        }
        let merge = format!("stridepose evaluate {} --truth-topic {TRUTH_TOPIC}", merge.trim());
        let merge = merge.replace("/data/", &format!("{}/", root.display()));
        let mut shell = Command::new("bash");
        let (code, said) = ran(&shell.args(["-c", &merge]).env("PATH", path_with_program()).output().unwrap());
        assert!(code == 3 && said.contains("2 of 2 recordings together"), "{code}: {said}");
    }
}

#[test]
fn the_ray_script_of_the_cluster_page_can_be_run_again() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clusters.md")).unwrap();
    if Command::new("python3").arg("--version").output().is_err() {
        println!("SKIP the_ray_script_of_the_cluster_page_can_be_run_again: there is no python3");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_recordings(root);
    // Ray as far as the script uses it, in one process.
    let ray = "class remote:\n    def __init__(self, **options): pass\n    def __call__(self, task):\n        \
               task.remote = task\n        return task\ndef init(): pass\ndef get(results): return results\n";
    fs::write(root.join("ray.py"), ray).unwrap();
    let script = between(&page, "## Ray\n```python\n", "```").replace("/data/", &format!("{}/", root.display()));
    fs::write(root.join("run.py"), script).unwrap();
    check_results(root, || {
        let mut python = Command::new("python3");
        let output = python.arg(root.join("run.py")).env("PATH", path_with_program()).output().unwrap();
        let (code, said) = ran(&output);
        assert_eq!(code, 0, "{said}");
        for (name, returned) in [("a", 0), ("b", 3), ("c", 2)] {
            let line = format!("('{}/recordings/{name}', {returned})", root.display());
            assert!(said.contains(&line), "{line}: {said}");
        }
    });
}
