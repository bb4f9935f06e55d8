//! The HTML report: one file, whole, nothing loaded, nothing from outside taken for markup.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/skeleton_bag.rs"]
mod skeleton_bag;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use nalgebra::Vector3;
use serde_json::Value;
use stridepose::adapters::bag::writer::{BagWriter, Qos};
use stridepose::adapters::messages::sensor_msgs::CompressedImage;
use stridepose::adapters::messages::std_msgs::Header;
use stridepose::adapters::messages::stridepose::SkeletonArray;

use stridepose::data::JointState;
use stridepose::skeleton::Joint;

use skeleton_bag::{IMAGES, estimate, stamp, true_joint, write_bag};

/// A result whose wrist gets worse with every image, with overlays, beside a summary full of markup.
fn write_result(folder: &Path) {
    let mut writer = BagWriter::create(folder).unwrap();
    let skeletons = writer.add_topic::<SkeletonArray<'_>>("/stridepose/skeletons", Qos::Stream).unwrap();
    let overlays = writer.add_topic::<CompressedImage<'_>>("/stridepose/overlay/compressed", Qos::Stream).unwrap();
    for image in 0..IMAGES {
        let estimate = estimate(image, Vector3::zeros(), 0.01 * image as f64);
        writer
            .write(skeletons, stamp(image), &SkeletonArray::from_estimate(&estimate, "camera", Duration::ZERO))
            .unwrap();
        let mut jpeg = Vec::new();
        let picture = RgbImage::from_pixel(640, 360, Rgb([image as u8 * 6, 90, 90]));
        JpegEncoder::new(&mut jpeg).encode_image(&picture).unwrap();
        let header = Header { stamp: stamp(image), frame_id: "camera" };
        writer.write(overlays, stamp(image), &CompressedImage { header, format: "jpeg", data: &jpeg }).unwrap();
    }
    writer.finish().unwrap();
    let summary = serde_json::json!({
        "version": "0.1.0", "input": "<script>alert('input')</script>", "provider": "cpu",
        "models": { "lifter": { "name": "a & b", "sha256": "0123456789abcdef", "provider": "cpu" } },
        "stages_ms": { "lift": { "count": 40, "p50": 0.5, "p95": 0.75, "p99": 1.0 } },
        "warnings": { "x": { "count": 2, "first": "\" onload=\"alert(2)" } },
        "parameters": { "stridepose": { "ros__parameters": { "refine": { "mode": "confidence" } } } },
        "machine": { "processor": "Test <CPU>", "cores": 2, "memory_gib": 8.0, "system": "linux" },
    });
    std::fs::write(folder.join("summary.json"), summary.to_string()).unwrap();
}

/// Writes the report of a result and gives its text.
fn report(folder: &Path, result: &str) -> String {
    report_with(folder, &[result, "--truth", "truth"])
}

fn report_with(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stridepose"))
        .arg("evaluate")
        .args(arguments)
        .args(["--report", "report.html"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(folder.join("report.html")).unwrap()
}

/// What stands between the first `start` and the next `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let after = text.split_once(start).unwrap_or_else(|| panic!("no {start}")).1;
    after.split_once(end).unwrap_or_else(|| panic!("no {end}")).0
}

/// Every element that is opened is closed, in order.
fn assert_well_formed(html: &str) {
    const VOID: [&str; 4] = ["meta", "img", "input", "br"];
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        if tag.starts_with('!') || tag.starts_with('?') || tag.ends_with('/') || VOID.contains(&name.as_str()) {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "</{name}>");
            continue;
        }
        if ["script", "style"].contains(&name.as_str()) {
            // Their text is no markup.
            rest = rest.split_once(&format!("</{name}>")).unwrap().1;
            continue;
        }
        open.push(name);
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn the_page_is_whole_and_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write_result(&folder.path().join("result"));
    write_bag(&folder.path().join("truth"), "camera", Vector3::zeros(), 0.0);
    let html = report(folder.path(), "result");
    assert_well_formed(&html);
    for section in [
        "numbers",
        "time",
        "joints",
        "calibration",
        "per-joint",
        "joint-groups",
        "per-person",
        "by-distance",
        "pictures",
        "view3d",
        "comparison",
        "run",
        "models",
        "stages",
        "warnings",
        "settings",
    ] {
        assert_eq!(html.matches(&format!("<section id=\"{section}\">")).count(), 1, "{section}");
    }
    let mut ids: Vec<&str> = html.split(" id=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id is there twice: {ids:?}");
    for asked in html.split("getElementById(\"").skip(1) {
        assert!(ids.contains(&asked.split_once('"').unwrap().0), "{asked:.20}");
    }
    assert!(html.contains("default-src 'none'"));
    // The only addresses are the names of XML namespaces in the SVG.
    assert_eq!(html.matches("://").count(), html.matches("http://www.w3.org/").count());
    for loader in ["<link", " src=\"http", "@import", "url(", "fetch(", "import("] {
        assert!(!html.contains(loader), "{loader}");
    }
    assert_eq!(html.matches("<svg").count(), 4);
    // Text of others is text.
    assert!(!html.contains("<script>alert") && !html.contains("\" onload=\""));
    assert!(html.contains("&lt;script&gt;alert(&#39;input&#39;)&lt;/script&gt;") && html.contains("Test &lt;CPU&gt;"));
    assert!(html.contains("a &amp; b") && html.contains("0123456789abcdef") && html.contains("refine.mode"));
    // MPJPE: mean over 39 images of 10 mm × image / 17.
    assert!(between(&html, "<th scope=\"row\">MPJPE</th><td>", "</td>").starts_with("11.8"), "MPJPE");
}

#[test]
fn strips_show_the_best_and_the_worst_with_their_error() {
    let folder = tempfile::tempdir().unwrap();
    write_result(&folder.path().join("result"));
    write_bag(&folder.path().join("truth"), "camera", Vector3::zeros(), 0.0);
    let html = report(folder.path(), "result");
    let pictures = between(&html, "<section id=\"pictures\">", "</section>");
    let captions: Vec<&str> =
        pictures.split("<figcaption>").skip(1).map(|text| text.split_once('<').unwrap().0).collect();
    // Image 0 has nobody; the error is 10 mm × image / 17, and pictures of a strip are a sixteenth of the recording apart.
    let headings: Vec<&str> = pictures.split("<h3>").skip(1).map(|text| text.split_once('<').unwrap().0).collect();
    assert_eq!(headings, ["Best", "Median", "Worst"]);
    let caption =
        |image: usize| format!("image {image}, {:.2} s: {:.0} mm", 0.04 * image as f64, 10.0 * image as f64 / 17.0);
    let expected = [[1, 4, 7, 10], [20, 17, 23, 14], [39, 36, 33, 30]].concat().into_iter().map(caption);
    assert_eq!(captions, expected.collect::<Vec<_>>());
    assert_eq!((captions[0], captions[8]), ("image 1, 0.04 s: 1 mm", "image 39, 1.56 s: 23 mm"));
    let base64 = between(pictures, "base64,", "\"");
    assert!(base64.starts_with("/9j/") && base64.len().is_multiple_of(4), "a JPEG");
}

#[test]
fn the_3d_view_has_every_image_of_both() {
    let folder = tempfile::tempdir().unwrap();
    write_result(&folder.path().join("result"));
    write_bag(&folder.path().join("truth"), "camera", Vector3::zeros(), 0.0);
    let html = report(folder.path(), "result");
    let scene: Value = serde_json::from_str(between(&html, "id=\"scene\">", "</script>")).unwrap();
    let images = scene["images"].as_array().unwrap();
    assert_eq!((images.len(), scene["bones"].as_array().unwrap().len()), (IMAGES, 16));
    let people = images[20]["people"].as_array().unwrap();
    assert_eq!((people[0]["kind"].as_str(), people[1]["kind"].as_str()), (Some("estimate"), Some("truth")));
    let wrist = |person: &Value| person["joints"][13][2].as_i64().unwrap();
    assert_eq!(wrist(&people[0]) - wrist(&people[1]), 200);
}

/// Cells of the row called `name` in a section.
fn row(html: &str, section: &str, name: &str) -> Vec<String> {
    let section = between(html, &format!("<section id=\"{section}\">"), "</section>");
    let row = between(section, &format!("<th scope=\"row\">{name}</th>"), "</tr>");
    row.split("<td>").skip(1).map(|cell| cell.split_once('<').unwrap().0.to_owned()).collect()
}

#[test]
fn hidden_shares_and_actions_have_their_tables() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = BagWriter::create(&folder.path().join("result")).unwrap();
    let topic = writer.add_topic::<SkeletonArray<'_>>("/stridepose/skeletons", Qos::Stream).unwrap();
    let mut truth = "image_index,joint,x_m,y_m,z_m,action\n".to_owned();
    for image in 0..IMAGES {
        // All measured and right until image 9, then five of 17 joints inferred and a wrist 170 mm off; 20 images of each action.
        let mut estimate = estimate(image, Vector3::zeros(), if image < 10 { 0.0 } else { 0.17 });
        for (index, joint) in estimate.people[0].joints.iter_mut().enumerate() {
            joint.state = if image >= 10 && index < 5 { JointState::Inferred } else { JointState::Measured };
        }
        let message = SkeletonArray::from_estimate(&estimate, "camera", Duration::ZERO);
        writer.write(topic, stamp(image), &message).unwrap();
        for joint in Joint::ALL {
            let (at, action) = (true_joint(image, joint), if image < 20 { "walk" } else { "sit" });
            writeln!(truth, "{image},{},{},{},{},{action}", joint.name(), at.x, at.y, at.z).unwrap();
        }
    }
    writer.finish().unwrap();
    std::fs::write(folder.path().join("truth.csv"), truth).unwrap();
    let html = report_with(folder.path(), &["result", "--truth", "truth.csv"]);
    // Columns: count, root, MPJPE. 170 mm over 17 joints are 10 mm.
    assert_eq!(row(&html, "by-hidden-share", "0%")[..3], ["10", "0.0", "0.0"]);
    assert_eq!(row(&html, "by-hidden-share", "25-50%")[..3], ["30", "0.0", "10.0"]);
    assert_eq!(between(&html, "<section id=\"by-hidden-share\">", "</section>").matches("<tr>").count(), 3);
    assert_eq!(row(&html, "per-action", "sit")[..3], ["20", "0.0", "10.0"]);
    assert_eq!(row(&html, "per-action", "walk")[..3], ["20", "0.0", "5.0"]);
    assert_eq!(row(&html, "per-action", "mean of actions")[..3], ["40", "0.0", "7.5"]);
}

#[test]
fn without_a_truth_the_page_shows_what_the_result_says() {
    let folder = tempfile::tempdir().unwrap();
    write_result(&folder.path().join("result"));
    let html = report_with(folder.path(), &["result"]);
    assert_well_formed(&html);
    for section in ["observed", "tracks", "pictures", "view3d", "comparison", "run", "models"] {
        assert_eq!(html.matches(&format!("<section id=\"{section}\">")).count(), 1, "{section}");
    }
    assert!(!html.contains("MPJPE") && !html.contains("id=\"numbers\""));
    assert!(html.contains("<label class=\"truth\" hidden>") && html.contains("Skeletons of the estimate in three"));
    // Columns: count, measured, inferred, predicted, absent, confidence, sigma.
    assert_eq!(row(&html, "observed", "all"), ["680", "0.0", "100.0", "0.0", "0.0", "90.0", "100.0"]);
    // One of 16 bones changes, by 10.7 % of its length.
    assert_eq!(row(&html, "tracks", "1")[..3], ["40", "1.56", "0.7"]);
    let pictures = between(&html, "<section id=\"pictures\">", "</section>");
    assert!(pictures.contains("<h3>Least sure</h3>") && pictures.contains(": confidence 90 %"), "{pictures:.400}");
    let scene: Value = serde_json::from_str(between(&html, "id=\"scene\">", "</script>")).unwrap();
    let kinds = scene["images"].as_array().unwrap().iter().flat_map(|image| image["people"].as_array().unwrap());
    assert!(kinds.map(|person| person["kind"].as_str().unwrap()).all(|kind| kind == "estimate"));
}

#[test]
fn a_result_without_pictures_and_summary_has_a_report_as_well() {
    let folder = tempfile::tempdir().unwrap();
    write_bag(&folder.path().join("result"), "camera", Vector3::new(0.0, 0.0, 0.1), 0.0);
    write_bag(&folder.path().join("truth"), "camera", Vector3::zeros(), 0.0);
    let html = report(folder.path(), "result");
    assert_well_formed(&html);
    assert!(!html.contains("id=\"pictures\"") && html.contains("There is no summary.json"));
    assert!(html.contains("<section id=\"view3d\">"));
}
