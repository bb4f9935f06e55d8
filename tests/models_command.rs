//! `stridepose models` as a user meets it, against an HTTP server of the test that misbehaves in every way.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod http_server;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use http_server::{Server, header, read_request, reply, serve};

/// The frame of an ONNX model around `payload`.
fn model(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x08, 0x07, 0x3a];
    let mut length = payload.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(payload);
    bytes
}

fn large_model() -> Vec<u8> {
    model(&(0..300_000_u32).map(|i| (i * 7 % 251) as u8).collect::<Vec<u8>>())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// A user's machine: a catalogue with one network `net`, and a folder for models.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new(url: &str, more: &str) -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        home.write_catalogue(url, more);
        let contract = "name: net\nkind: keypoints\nfile: net.onnx\nlicence: MIT\norigin: test\ninput: {name: i, \
                        element_type: u8, layout: nhwc, colour: rgb, side_px: 192}\nkeypoints: {layout: coco_17, \
                        decode: {style: movenet, output: o}}\n";
        fs::write(home.path("net.yaml"), contract).unwrap();
        home
    }

    fn write_catalogue(&self, url: &str, more: &str) {
        let text = format!(
            "- {{name: net, task: keypoints, style: movenet, about: test, licence: MIT, licence_url: 'https://l', \
             origin: the test, url: '{url}', file: net.onnx, contract: net.yaml{more}}}\n"
        );
        fs::write(self.path("catalogue.yaml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn models(&self, name: &str) -> PathBuf {
        self.path("models").join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
        command.arg("models").args(arguments).arg("--catalogue").arg(self.path("catalogue.yaml"));
        for variable in ["RUST_LOG", "STRIDEPOSE_MIRROR", "ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
            command.env_remove(variable).env_remove(variable.to_lowercase());
        }
        command.env("STRIDEPOSE_MODELS", self.path("models")).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        said(&self.command(arguments).output().unwrap())
    }

    fn pull(&self) -> (Option<i32>, String) {
        self.run(&["pull", "net", "--yes", "--timeout", "1", "--attempts", "2"])
    }

    fn assert_nothing_is_installed(&self) {
        assert!(!self.models("net").exists());
        assert!(!self.models(".net.new").exists());
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn assert_refused((code, text): (Option<i32>, String), parts: &[&str]) {
    assert_eq!(code, Some(2), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

fn assert_failed((code, text): (Option<i32>, String), parts: &[&str]) {
    assert_eq!(code, Some(1), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

fn assert_fine((code, text): (Option<i32>, String)) -> String {
    assert_eq!(code, Some(0), "{text}");
    text
}

#[test]
fn a_pulled_network_lies_beside_its_contract_and_is_found_by_its_name() {
    let bytes = large_model();
    let server = Server::good(bytes.clone());
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    let text = assert_fine(home.pull());
    for part in ["licence   MIT", "origin    the test", "trusted on first use", &sha256(&bytes), "keypoints.model:=net"]
    {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), bytes);
    assert!(fs::read_to_string(home.models("net/model.yaml")).unwrap().contains(&sha256(&bytes)));
    assert!(fs::read_to_string(home.models("checksums.yaml")).unwrap().contains(&sha256(&bytes)));
    assert!(fs::read_to_string(home.models("net/origin.txt")).unwrap().contains("licence: MIT, https://l"));
    assert!(!home.models(".net.part").exists() && !home.models(".net.part.json").exists());

    let doctor = Command::new(env!("CARGO_BIN_EXE_stridepose"))
        .arg("doctor")
        .env("STRIDEPOSE_MODELS", home.path("models"))
        .env("ORT_DYLIB_PATH", "/no/such/libonnxruntime.so")
        .output()
        .unwrap();
    let (_, text) = said(&doctor);
    assert!(text.contains(&format!("folder  {}", home.path("models").display())), "{text}");
    assert!(text.contains("net (keypoints): the weights are here"), "{text}");
    assert!(assert_fine(home.run(&["list"])).contains("here "));

    let text = assert_fine(home.pull());
    assert!(text.contains("was here already"), "{text}");
    assert_eq!(server.ranges().len(), 1, "nothing is fetched twice");
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_downloaded() {
    let server = Server::good(model(b"x"));
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    assert_refused(home.run(&["pull", "net"]), &["licence   MIT", "--yes"]);
    assert!(server.ranges().is_empty());
    home.assert_nothing_is_installed();
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_ended() {
    let bytes = large_model();
    let served = bytes.clone();
    // Breaks off after 100,000 bytes of each answer but the last.
    let server = Server::start(move |request, _, stream| serve(request, &served, "\"v1\"", 100_000, stream));
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    let (code, text) = home.run(&["pull", "net", "--yes", "--attempts", "4"]);
    assert_eq!(code, Some(0), "{text}");
    let starts: Vec<String> = [100_000, 200_000, 300_000].iter().map(|start| format!("bytes={start}-")).collect();
    let ranges = server.ranges();
    assert_eq!(ranges[0], None);
    assert_eq!(ranges[1..].iter().flatten().cloned().collect::<Vec<_>>(), starts);
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), bytes);
}

#[test]
fn the_next_run_goes_on_as_well() {
    let bytes = large_model();
    let served = bytes.clone();
    let server = Server::start(move |request, number, stream| {
        serve(request, &served, "\"v1\"", if number == 0 { 100_000 } else { usize::MAX }, stream);
    });
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    let first = home.run(&["pull", "net", "--yes", "--attempts", "1"]);
    let total = format!("broke off after 100000 of {} bytes", bytes.len());
    assert_failed(first, &[&total, "run the same command again"]);
    home.assert_nothing_is_installed();
    assert_fine(home.run(&["pull", "net", "--yes", "--attempts", "1"]));
    assert_eq!(server.ranges(), [None, Some("bytes=100000-".to_owned())]);
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), bytes);
}

#[test]
fn a_file_that_has_changed_meanwhile_is_fetched_whole() {
    let (old, new) = (model(&vec![1; 200_000]), model(&vec![2; 200_000]));
    let served = new.clone();
    let server = Server::start(move |request, number, stream| match number {
        0 => serve(request, &old, "\"v1\"", 100_000, stream),
        _ => serve(request, &served, "\"v2\"", usize::MAX, stream),
    });
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    assert_fine(home.pull());
    assert_eq!(server.ranges(), [None, Some("bytes=100000-".to_owned())]);
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), new);
}

#[test]
fn a_server_that_does_not_look_at_if_range_cannot_mix_two_files() {
    let (old, new) = (model(&vec![1; 200_000]), model(&vec![2; 200_000]));
    let served = new.clone();
    let server = Server::start(move |request, number, stream| match number {
        0 => serve(request, &old, "\"v1\"", 100_000, stream),
        _ => {
            // Gives the rest of the new file whatever If-Range says.
            let mut request = request.clone();
            if header(&request, "if-range").is_some() {
                request.retain(|line| !line.starts_with("if-range"));
                request.push("if-range: \"v2\"".to_owned());
            }
            serve(&request, &served, "\"v2\"", usize::MAX, stream);
        }
    });
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    assert_fine(home.run(&["pull", "net", "--yes", "--attempts", "3"]));
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), new);
}

#[test]
fn a_server_without_ranges_is_asked_for_the_whole_again() {
    let bytes = large_model();
    let served = bytes.clone();
    let server = Server::start(move |_, number, stream| {
        let cut = if number == 0 { 100_000 } else { served.len() };
        reply(stream, &format!("200 OK\r\nContent-Length: {}", served.len()), &served[..cut]);
    });
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    assert_fine(home.pull());
    assert_eq!(server.ranges(), [None, None], "without an ETag or a date nothing can be taken up");
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), bytes);
}

#[test]
fn wrong_bytes_are_refused_with_both_checksums_and_not_kept() {
    let (wanted, wrong) = (sha256(&model(b"right")), model(b"wrong"));
    let server = Server::good(wrong.clone());
    let home = Home::new(&format!("{}/net.onnx", server.address), &format!(", sha256: {wanted}"));
    assert_refused(home.pull(), &[&wanted, &sha256(&wrong), "the catalogue says", "nothing was installed"]);
    home.assert_nothing_is_installed();
    assert!(!home.models(".net.part").exists(), "wrong bytes are not taken up again");
    assert!(!home.models("checksums.yaml").exists(), "nothing wrong is trusted");
}

#[test]
fn what_is_no_whole_onnx_model_is_not_trusted_on_first_use() {
    let cut = large_model()[..1000].to_vec();
    for body in [cut, b"<html>please log in</html>".to_vec(), Vec::new()] {
        let server = Server::good(body);
        let home = Home::new(&format!("{}/net.onnx", server.address), "");
        assert_refused(home.pull(), &["no whole ONNX model", "nothing was installed"]);
        home.assert_nothing_is_installed();
        assert!(!home.models("checksums.yaml").exists());
    }
}

#[test]
fn another_file_than_the_first_is_refused_until_it_is_forgotten() {
    let (first, second) = (model(b"first"), model(b"second"));
    let (served_first, served_second) = (first.clone(), second.clone());
    let server = Server::start(move |request, number, stream| {
        let bytes = if number == 0 { &served_first } else { &served_second };
        serve(request, bytes, "\"v\"", usize::MAX, stream);
    });
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    assert_fine(home.pull());
    assert_fine(home.run(&["remove", "net"]));
    home.assert_nothing_is_installed();
    assert_refused(home.pull(), &[&sha256(&first), &sha256(&second), "trusted on first use", "--forget"]);
    home.assert_nothing_is_installed();
    assert_fine(home.run(&["remove", "net", "--forget"]));
    assert_fine(home.pull());
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), second);
}

#[test]
fn weights_that_were_changed_later_are_named_and_not_overwritten() {
    let bytes = model(b"good");
    let server = Server::good(bytes.clone());
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    assert_fine(home.pull());
    let tampered = model(b"evil");
    fs::write(home.models("net/net.onnx"), &tampered).unwrap();
    assert_refused(home.pull(), &[&sha256(&tampered), &sha256(&bytes), "models remove net"]);
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), tampered);
}

#[test]
fn a_list_of_checksums_that_cannot_be_read_trusts_nothing() {
    let server = Server::good(model(b"x"));
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    fs::create_dir(home.path("models")).unwrap();
    fs::write(home.models("checksums.yaml"), "net: [").unwrap();
    assert_refused(home.pull(), &["checksums.yaml"]);
    home.assert_nothing_is_installed();
    assert!(server.ranges().is_empty());
}

#[test]
fn redirects_are_followed_and_loops_are_refused() {
    let bytes = model(b"behind");
    let served = bytes.clone();
    let server = Server::start(move |request, _, stream| match request[0].split(' ').nth(1).unwrap() {
        "/net.onnx" => reply(stream, "302 Found\r\nLocation: /there\r\nContent-Length: 0", b""),
        "/there" => serve(request, &served, "\"v1\"", usize::MAX, stream),
        _ => reply(stream, "302 Found\r\nLocation: /loop.onnx\r\nContent-Length: 0", b""),
    });
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    assert_fine(home.pull());
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), bytes);
    let home = Home::new(&format!("{}/loop.onnx", server.address), "");
    assert_failed(home.pull(), &["redirects"]);
    home.assert_nothing_is_installed();
}

#[test]
fn answers_that_are_no_file_are_told_with_advice() {
    let server = Server::start(|_, _, stream| reply(stream, "404 Not Found\r\nContent-Length: 0", b""));
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    assert_failed(home.pull(), &["404 Not Found", "no longer there"]);
    assert_eq!(server.ranges().len(), 1, "a missing file is not asked for again");
    let server = Server::start(|_, _, stream| reply(stream, "503 Service Unavailable\r\nContent-Length: 0", b""));
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    assert_failed(home.pull(), &["503", "attempts: 2", "--mirror"]);
    assert_eq!(server.ranges().len(), 2);
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let server = Server::start(|request, number, stream| {
        if number == 0 {
            serve(request, &large_model(), "\"v1\"", 50_000, stream);
            let _ = stream.flush();
        }
        std::mem::forget(stream.try_clone().unwrap());
        std::thread::sleep(Duration::from_millis(10));
    });
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    let start = std::time::Instant::now();
    assert_failed(home.pull(), &["broke off after 50000 of", "timeout", "attempts: 2"]);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    home.assert_nothing_is_installed();
}

#[test]
fn a_length_that_cannot_be_is_refused_before_anything_is_written() {
    let server = Server::start(|_, _, stream| reply(stream, "200 OK\r\nContent-Length: 99999999999", b"x"));
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    assert_failed(home.pull(), &["99999999999 bytes"]);
    assert!(!home.models(".net.part").exists());
}

#[test]
fn a_proxy_of_the_environment_is_used_and_a_wrong_one_is_refused() {
    let bytes = model(b"through the proxy");
    let served = bytes.clone();
    // Takes both ways in which clients speak to proxies: the whole address, or a tunnel.
    let proxy = Server::start(move |request, _, stream| {
        if request[0].starts_with("connect") {
            let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
            assert!(read_request(stream)[0].contains("net.onnx"));
        }
        serve(request, &served, "\"v1\"", usize::MAX, stream);
    });
    let home = Home::new("http://no-such-host.invalid/net.onnx", "");
    let output = home.command(&["pull", "net", "--yes", "--attempts", "1"]).env("HTTP_PROXY", &proxy.address).output();
    assert_fine(said(&output.unwrap()));
    assert!(proxy.requests()[0][0].contains("no-such-host.invalid"));
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), bytes);

    let output = home.command(&["pull", "net", "--yes"]).env("HTTPS_PROXY", "nonsense://secret@x").output().unwrap();
    let (code, text) = said(&output);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("HTTPS_PROXY is no address") && !text.contains("secret"), "{text}");
}

#[test]
fn a_host_that_is_not_there_names_the_mirror() {
    let home = Home::new("http://no-such-host.invalid/net.onnx", "");
    let (code, text) = home.pull();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("--mirror DIR"), "{text}");
}

#[test]
fn a_mirror_serves_offline_and_is_checked_as_well() {
    let bytes = model(b"from the mirror");
    let home = Home::new("http://no-such-host.invalid/release-1.onnx", &format!(", sha256: {}", sha256(&bytes)));
    let mirror = home.path("mirror");
    let mirror_argument = mirror.to_str().unwrap().to_owned();
    let pull = ["pull", "net", "--yes", "--mirror", &mirror_argument];
    assert_refused(home.run(&pull), &["no such folder"]);
    fs::create_dir(&mirror).unwrap();
    assert_refused(home.run(&pull), &["release-1.onnx, net/net.onnx, net.onnx", "mirror"]);
    fs::write(mirror.join("release-1.onnx"), model(b"wrong")).unwrap();
    assert_refused(home.run(&pull), &["the catalogue says"]);
    fs::write(mirror.join("release-1.onnx"), &bytes).unwrap();
    let output = home.command(&["pull", "net", "--yes"]).env("STRIDEPOSE_MIRROR", &mirror).output().unwrap();
    assert_fine(said(&output));
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), bytes);
    assert!(mirror.join("release-1.onnx").is_file(), "the mirror keeps its files");
}

#[test]
fn the_member_of_an_archive_is_installed() {
    let bytes = model(b"packed");
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in [("sdk/detail.json", &b"{}"[..]), ("sdk/end2end.onnx", &bytes)] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    let server = Server::good(archive.finish().unwrap().into_inner());
    let home = Home::new(&format!("{}/net.zip", server.address), ", member: end2end.onnx");
    let text = assert_fine(home.pull());
    assert!(text.contains(&sha256(&bytes)), "the checksum is that of the weights: {text}");
    assert_eq!(fs::read(home.models("net/net.onnx")).unwrap(), bytes);
    let names: Vec<_> = fs::read_dir(home.models("net")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names.len(), 3, "weights, contract and origin: {names:?}");

    let server = Server::good(b"no zip".to_vec());
    let home = Home::new(&format!("{}/net.zip", server.address), ", member: end2end.onnx");
    assert_refused(home.pull(), &["no zip archive", "nothing was installed"]);
    home.assert_nothing_is_installed();
}

#[test]
fn two_pulls_at_once_do_not_meet() {
    let server = Server::good(model(b"x"));
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    fs::create_dir(home.path("models")).unwrap();
    let lock = fs::File::create(home.models(".lock")).unwrap();
    lock.lock().unwrap();
    assert_failed(home.pull(), &["another stridepose"]);
    assert_failed(home.run(&["remove", "net"]), &["another stridepose"]);
    lock.unlock().unwrap();
    assert_fine(home.pull());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_so() {
    let server = Server::good(large_model());
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    fs::create_dir(home.path("models")).unwrap();
    std::os::unix::fs::symlink("/dev/full", home.models(".net.part")).unwrap();
    assert_failed(home.pull(), &["the disk is full", &large_model().len().to_string(), "is kept"]);
    home.assert_nothing_is_installed();
}

#[test]
fn names_that_are_not_there_name_the_nearest() {
    let server = Server::good(model(b"x"));
    let home = Home::new(&format!("{}/net.onnx", server.address), "");
    assert_refused(home.run(&["pull", "nett", "--yes"]), &["nearest name is net "]);
    assert_refused(home.run(&["licence", "nett"]), &["nearest name is net "]);
    assert_refused(home.run(&["remove", "net"]), &["nothing is there"]);
    assert_fine(home.pull());
    assert_refused(home.run(&["remove", "nett"]), &["nearest name is net"]);
    assert_refused(home.run(&["remove", "../models"]), &["no pulled model"]);
    assert_fine(home.run(&["remove", "net"]));
    home.assert_nothing_is_installed();
}

#[test]
fn what_was_not_pulled_is_not_removed() {
    let home = Home::new("http://no-such-host.invalid/net.onnx", "");
    fs::create_dir_all(home.models("mine")).unwrap();
    fs::write(home.models("mine/model.yaml"), "of my own").unwrap();
    assert_refused(home.run(&["remove", "mine"]), &["was not put there"]);
    assert!(home.models("mine/model.yaml").is_file());
}

#[test]
fn the_model_folder_follows_the_environment() {
    let home = Home::new("http://no-such-host.invalid/net.onnx", "");
    let list = |variables: &[(&str, &str)]| {
        let mut command = home.command(&["list"]);
        command.env_remove("STRIDEPOSE_MODELS").env_remove("XDG_DATA_HOME").env("HOME", "/home/a");
        assert_fine(said(&command.envs(variables.iter().copied()).output().unwrap()))
    };
    assert!(list(&[]).contains("kept in /home/a/.local/share/stridepose/models\n"));
    assert!(list(&[("XDG_DATA_HOME", "/data")]).contains("kept in /data/stridepose/models\n"));
    assert!(list(&[("XDG_DATA_HOME", "data")]).contains("kept in /home/a/.local"), "a relative one is void");
    assert!(list(&[("STRIDEPOSE_MODELS", "/m"), ("XDG_DATA_HOME", "/data")]).contains("kept in /m\n"));
}

fn own(arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
    command.arg("models").args(arguments).env("STRIDEPOSE_MODELS", folder.path()).stdin(Stdio::null());
    said(&command.output().unwrap())
}

#[test]
fn the_programs_own_catalogue_is_listed_with_its_licences() {
    let text = assert_fine(own(&["list"]));
    for name in ["rtmpose_m", "rtmdet_nano", "hrnet_w32", "movenet_thunder", "blazepose_full", "yolox_nano"] {
        assert!(text.contains(name), "{name} is not in\n{text}");
    }
    let text = assert_fine(own(&["licence", "yolox_nano", "--text"]));
    assert!(text.contains("Megvii") && text.contains("Apache License"), "{text}");
    assert_refused(own(&["pull", "movenet_lightning", "--yes"]), &["tf2onnx", "--mirror DIR"]);
}

#[test]
fn the_real_files_satisfy_the_catalogue() {
    let shared = std::env::var("STRIDEPOSE_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let models = Path::new(&shared).join("models");
    if !models.is_dir() {
        println!("SKIP the_real_files_satisfy_the_catalogue: no {}", models.display());
        return;
    }
    for name in ["movenet_lightning", "blazepose_full"] {
        let text = assert_fine(own(&["pull", name, "--yes", "--mirror", models.to_str().unwrap()]));
        assert!(text.contains("as the catalogue says"), "{text}");
    }
}

#[test]
fn the_table_of_the_documentation_is_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/models.md");
    let document = fs::read_to_string(path).unwrap();
    let table = assert_fine(own(&["list", "--markdown"]));
    assert!(document.contains(&table), "docs/models.md must hold what `stridepose models list --markdown` prints");
}
