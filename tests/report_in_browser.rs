//! The report's 3D view in a headless Chromium: what is seen is told from the pixels, what is done is done with the mouse.
//! Without a Chromium (`STRIDEPOSE_CHROMIUM`, or chromium, chromium-browser or google-chrome in PATH) the tests say SKIP.
//! With `STRIDEPOSE_KEEP_PICTURES=FOLDER` the pictures are left there, to be looked at.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/browser.rs"]
mod browser;
#[path = "common/skeleton_bag.rs"]
mod skeleton_bag;

use std::path::{Path, PathBuf};
use std::process::Command;

use image::RgbImage;
use nalgebra::Vector3;
use serde_json::json;

use browser::{Browser, dump_dom};
use skeleton_bag::write_bag;

/// Colours of `viewer.js`.
const ESTIMATE: [u8; 3] = [0xd5, 0x5e, 0x00];
const TRUTH: [u8; 3] = [0x00, 0x72, 0xb2];
/// The window is larger than the canvas, so that all of it is seen at once.
const WINDOW: [u32; 2] = [1100, 800];

/// A report of a real evaluation: the estimate is 0.3 m beside and 0.3 m behind the truth.
struct Page {
    folder: tempfile::TempDir,
}

impl Page {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_bag(&folder.path().join("result"), "camera", Vector3::new(0.3, 0.0, 0.3), 0.1);
        write_bag(&folder.path().join("truth"), "camera", Vector3::zeros(), 0.0);
        let mut command = Command::new(env!("CARGO_BIN_EXE_stridepose"));
        command.args(["evaluate", "result", "--truth", "truth", "--report", "report.html"]).current_dir(folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { folder }
    }

    /// Address of the report, with a view after `#`.
    fn at(&self, hash: &str) -> String {
        format!("file://{}#{hash}", self.folder.path().join("report.html").display())
    }

    /// Address of a copy in which `old` is `new`.
    fn changed(&self, name: &str, old: &str, new: &str) -> String {
        let html = std::fs::read_to_string(self.folder.path().join("report.html")).unwrap();
        assert!(html.contains(old), "no {old}");
        let path = self.folder.path().join(name);
        std::fs::write(&path, html.replace(old, new)).unwrap();
        format!("file://{}", path.display())
    }
}

/// The browser, or `None` after it was said why the test is skipped.
fn browser_or_skip(test: &str) -> Option<PathBuf> {
    browser::find().map_err(|why| println!("SKIP {test}: {why}")).ok()
}

/// Columns of the pixels of a colour: lines let a tenth of the background through.
fn columns(picture: &RgbImage, colour: [u8; 3]) -> Vec<u32> {
    let is_near = |pixel: &image::Rgb<u8>| pixel.0.iter().zip(colour).all(|(&is, wanted)| is.abs_diff(wanted) <= 40);
    picture.enumerate_pixels().filter(|(_, _, pixel)| is_near(pixel)).map(|(x, ..)| x).collect()
}

fn count(picture: &RgbImage, colour: [u8; 3]) -> usize {
    columns(picture, colour).len()
}

/// From the leftmost to the rightmost pixel of a colour.
fn width_of(picture: &RgbImage, colour: [u8; 3]) -> f64 {
    let columns = columns(picture, colour);
    f64::from(columns.iter().max().unwrap() - columns.iter().min().unwrap())
}

/// Pixels that clearly differ.
fn difference(a: &RgbImage, b: &RgbImage) -> usize {
    assert_eq!(a.dimensions(), b.dimensions());
    let differs = |(a, b): &(&image::Rgb<u8>, &image::Rgb<u8>)| a.0.iter().zip(b.0).any(|(&a, b)| a.abs_diff(b) > 32);
    a.pixels().zip(b.pixels()).filter(differs).count()
}

fn keep(picture: &RgbImage, name: &str) {
    if let Some(folder) = std::env::var_os("STRIDEPOSE_KEEP_PICTURES") {
        picture.save(Path::new(&folder).join(format!("{name}.png"))).unwrap();
    }
}

/// A picture of the view, which must show both skeletons.
fn shown(browser: &mut Browser, name: &str) -> RgbImage {
    let picture = browser.picture_of("view");
    keep(&picture, name);
    assert!(picture.width() > 800 && picture.height() > 400, "{name}: {:?}", picture.dimensions());
    for (colour, who) in [(ESTIMATE, "estimate"), (TRUTH, "truth")] {
        let pixels = count(&picture, colour);
        assert!(pixels > 300, "{name}: {pixels} pixels of the {who}");
    }
    picture
}

#[test]
fn the_3d_view_shows_both_turns_zooms_and_plays() {
    let Some(program) = browser_or_skip("the_3d_view_shows_both_turns_zooms_and_plays") else { return };
    let page = Page::new();
    let mut browser = Browser::start(&program, WINDOW[0], WINDOW[1]);
    let mut view = |hash: &str, name: &str| {
        browser.open(&page.at(hash));
        shown(&mut browser, name)
    };
    let start = view("image=12", "start");
    assert_eq!(difference(&start, &view("image=12&yaw=35&pitch=18&zoom=1", "start_by_name")), 0, "the same view twice");
    // Another side, another height, another image: other pictures.
    for (hash, name) in [("image=12&yaw=125", "yaw_125"), ("image=12&pitch=70", "pitch_70"), ("image=36", "image_36")] {
        let pixels = difference(&start, &view(hash, name));
        assert!(pixels > 1000, "{name}: only {pixels} pixels differ");
    }

    // Drag: 0.008 rad a pixel. What the hand turns is what the address names.
    browser.open(&page.at("image=12"));
    let [x, y, width, height] = browser.place_of("view");
    let [x, y] = [x + width / 2.0, y + height / 2.0];
    browser.mouse("mousePressed", [x, y], 0.0);
    for step in 1..=4 {
        browser.mouse("mouseMoved", [x + 50.0 * f64::from(step), y + 10.0 * f64::from(step)], 0.0);
    }
    browser.mouse("mouseReleased", [x + 200.0, y + 40.0], 0.0);
    let dragged = shown(&mut browser, "dragged");
    // A mouse that is not held down turns nothing.
    browser.mouse("mouseMoved", [x, y], 0.0);
    assert_eq!(difference(&dragged, &shown(&mut browser, "let_go")), 0);
    let degrees = |radians: f64| radians.to_degrees();
    let hash = format!("image=12&yaw={}&pitch={}", 35.0 + degrees(200.0 * 0.008), 18.0 + degrees(40.0 * 0.008));
    browser.open(&page.at(&hash));
    let by_name = shown(&mut browser, "dragged_by_name");
    assert!(difference(&start, &dragged) > 1000 && difference(&dragged, &by_name) < 50, "{hash}");

    // Wheel: a factor of e^0.001 a step, a quarter nearer in all, so that people get wider by that and a little more.
    browser.open(&page.at("image=12"));
    let [left, top, ..] = browser.place_of("view");
    browser.mouse("mouseWheel", [left + width / 2.0, top + height / 2.0], -250.0);
    // Wheel events come with the next frame.
    browser.wait_for("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))");
    let near = shown(&mut browser, "near");
    browser.open(&page.at(&format!("image=12&zoom={}", 0.25_f64.exp())));
    let near_by_name = shown(&mut browser, "near_by_name");
    assert!(difference(&start, &near) > 1000 && difference(&near, &near_by_name) < 50);
    let growth = width_of(&near, ESTIMATE) / width_of(&start, ESTIMATE);
    assert!((1.2..1.5).contains(&growth), "wider by a factor of {growth}");
    browser.click("reset");
    assert_eq!(difference(&start, &shown(&mut browser, "reset")), 0);

    // Who is switched off is gone; the slider and the button choose the image.
    browser.click("show-truth");
    let alone = browser.picture_of("view");
    assert!(count(&alone, TRUTH) == 0 && count(&alone, ESTIMATE) > 300);
    browser.click("show-truth");
    browser.value(
        "(() => { const s = document.getElementById('slider'); s.value = 36; s.dispatchEvent(new Event('input')); })()",
    );
    assert_eq!(browser.value("document.getElementById('when').textContent"), json!("image 36, 1.44 s"));
    let by_slider = shown(&mut browser, "by_slider");
    browser.open(&page.at("image=36"));
    assert_eq!(difference(&by_slider, &shown(&mut browser, "by_name")), 0);
    browser.open(&page.at("image=12"));
    browser.click("play");
    browser.wait_for("Number(document.getElementById('slider').value) > 14");
    browser.click("play");
    assert_eq!(browser.value("document.getElementById('play').textContent"), json!("Play"));

    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
    assert!(browser.requests.is_empty(), "the page asked for {:?}", browser.requests);
}

#[test]
fn the_document_names_the_image_and_the_browser_complains_of_nothing() {
    let Some(program) = browser_or_skip("the_document_names_the_image_and_the_browser_complains_of_nothing") else {
        return;
    };
    let page = Page::new();
    let is_complaint = |line: &&str| line.contains("Uncaught") || line.contains("Content Security Policy");
    let (dom, stderr) = dump_dom(&program, &page.at("image=12"));
    assert!(dom.contains("<span id=\"when\">image 12, 0.48 s</span>"), "{dom:.200}");
    assert_eq!(stderr.lines().filter(is_complaint).collect::<Vec<_>>(), Vec::<&str>::new());
    // Without a wish the first image with somebody in it: in image 0 there is nobody.
    let (dom, _) = dump_dom(&program, &page.at(""));
    assert!(dom.contains("<span id=\"when\">image 1, 0.04 s</span>"), "{dom:.200}");
    // The check is one that can fail: a page that throws, and one that wants something from outside.
    let thrown = page.changed("thrown.html", "\"use strict\";", "\"use strict\"; throw new Error(\"planted\");");
    let (dom, stderr) = dump_dom(&program, &thrown);
    assert!(dom.contains("<span id=\"when\"></span>"), "{dom:.200}");
    assert!(stderr.lines().filter(is_complaint).any(|line| line.contains("planted")), "{stderr}");
    let outside = page.changed("outside.html", "</main>", "<img src=\"http://127.0.0.1:9/x.png\"></main>");
    let (_, stderr) = dump_dom(&program, &outside);
    assert!(stderr.lines().any(|line| line.contains("Content Security Policy")), "{stderr}");
    let mut browser = Browser::start(&program, WINDOW[0], WINDOW[1]);
    browser.open(&thrown);
    browser.open(&outside);
    for planted in ["planted", "Content Security Policy"] {
        assert!(browser.complaints.iter().any(|line| line.contains(planted)), "{planted}: {:?}", browser.complaints);
    }
}
