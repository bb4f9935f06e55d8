//! The tables of the page.

use std::fmt::Write;

use serde_json::Value;

use super::markup::{Table, escape, facts};
use super::{machine_text, section};
use crate::data::JointState;
use crate::metrics::{
    Evaluation, GroupSummary, Interval, JOINT_GROUPS, JointMetrics, JointObservation, Observation, Summary,
    TrackObservation,
};
use crate::report::machine::Machine;
use crate::skeleton::Joint;

/// A number, or a dash.
pub(super) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
}

/// A share in per cent, or a dash.
pub(super) fn percent(share: Option<f64>) -> String {
    number(share.map(|share| 100.0 * share), 1)
}

/// The numbers that are looked at first.
pub(super) fn cards(evaluation: &Evaluation, summary: &Summary) -> String {
    let cards = [
        (number(summary.overall.mpjpe_mm, 1) + " mm", "MPJPE"),
        (number(summary.overall.pa_mpjpe_mm, 1) + " mm", "PA-MPJPE"),
        (number(summary.root_mm, 0) + " mm", "root position"),
        (percent(summary.overall.pck_150mm) + " %", "joints below 150 mm"),
        (percent(evaluation.identity.idf1()) + " %", "IDF1"),
        (percent(summary.overall.coverage.map(|shares| shares[2])) + " %", "joints in the 90 % ellipsoid"),
        (format!("{} of {}", evaluation.matched_images, evaluation.compared_images), "images with somebody found"),
    ];
    card_row(cards)
}

fn card_row<const N: usize>(cards: [(String, &str); N]) -> String {
    let mut html = "<div class=\"cards\">\n".to_owned();
    for (value, name) in cards {
        // Writing to a string cannot fail.
        let _ = writeln!(html, "<div class=\"card\"><b>{}</b><span>{}</span></div>", escape(&value), escape(name));
    }
    html + "</div>\n"
}

/// Every overall number with its unit, its interval and its meaning.
pub(super) fn numbers(evaluation: &Evaluation, summary: &Summary) -> String {
    let (overall, identity, intervals) = (&summary.overall, &evaluation.identity, &summary.intervals);
    let count = |count: usize| count.to_string();
    let bias = overall.keypoints.map(|error| format!("{:+.1}, {:+.1}", error.bias_px.x, error.bias_px.y));
    let rows: [(&str, String, &str, Option<Interval>, &str); 27] = [
        ("MPJPE", number(overall.mpjpe_mm, 1), "mm", intervals.mpjpe_mm, "joints, roots on each other"),
        ("PA-MPJPE", number(overall.pa_mpjpe_mm, 1), "mm", intervals.pa_mpjpe_mm, "after the best similarity"),
        ("N-MPJPE", number(overall.n_mpjpe_mm, 1), "mm", intervals.n_mpjpe_mm, "after the best scale"),
        ("position", number(overall.position_error_mm, 1), "mm", None, "joints in the camera frame, nothing aligned"),
        ("root", number(summary.root_mm, 1), "mm", intervals.root_mm, "root in the camera frame (MRPE)"),
        ("root, lateral", number(summary.root_lateral_mm, 1), "mm", None, "across the line of sight"),
        ("root, depth", number(summary.root_depth_mm, 1), "mm", None, "along it"),
        ("MPJVE", number(overall.mpjve_mm, 1), "mm", None, "velocity error, per image interval"),
        ("MPJVE", number(overall.mpjve_mm_per_s, 1), "mm/s", None, "the same per second"),
        ("acceleration error", number(overall.acceleration_error_mm_per_s2, 0), "mm/s²", None, "root-relative"),
        (
            "jitter",
            number(evaluation.observation.jitter_m_per_s3, 1),
            "m/s³",
            None,
            "third derivative of the positions, all images",
        ),
        (
            "jitter of the truth",
            number(evaluation.truth_jitter_m_per_s3, 1),
            "m/s³",
            None,
            "what the movement itself has",
        ),
        (
            "keypoint error",
            number(overall.keypoints.map(|error| error.mean_px), 1),
            "px",
            None,
            "keypoints of measured joints from where the truth projects",
        ),
        ("keypoint bias", bias.unwrap_or_else(|| number(None, 1)), "px", None, "what they have in common: right, down"),
        ("PCK", percent(overall.pck_150mm), "%", None, "of joints below 150 mm"),
        ("AUC", percent(overall.auc), "%", None, "mean PCK of 0, 5, … 150 mm"),
        ("PCK, 14 joints", percent(summary.grouped.pck_150mm), "%", None, "protocol of MPI-INF-3DHP"),
        ("AUC, 14 joints", percent(summary.grouped.auc), "%", None, "protocol of MPI-INF-3DHP"),
        ("IDF1", percent(identity.idf1()), "%", None, "one track for each person over the whole run"),
        ("MOTA", percent(identity.mota()), "%", None, "misses, false people and switches together"),
        ("switches", count(identity.switches), "", None, "a person came back as another track"),
        ("fragmentations", count(identity.fragmentations), "", None, "a person was lost and found again"),
        ("precision", percent(identity.precision()), "%", None, "of the people found who are somebody"),
        ("recall", percent(identity.recall()), "%", None, "of the people there who were found"),
        ("found", count(evaluation.samples.len()), "", None, "true people, over the compared images"),
        ("missed", count(evaluation.missed), "", None, "true people who were not found"),
        ("false", count(evaluation.false_people), "", None, "people found who are nobody"),
    ];
    let mut table = Table::new(&["", "value", "", "95 % interval", "meaning"]);
    for (name, value, unit, interval, meaning) in rows {
        let interval =
            interval.map_or_else(String::new, |interval| format!("{:.1} to {:.1}", interval.low, interval.high));
        table.row(name, &[value, unit.to_owned(), interval, meaning.to_owned()]);
    }
    let images = format!(
        "<p>{} images in the result, {} with truth, {} compared.</p>\n",
        evaluation.observation.images, evaluation.truth_images, evaluation.compared_images
    );
    section("numbers", "Numbers", &(images + &scroll(table)))
}

const METRICS: [&str; 10] = ["MPJPE", "PA", "N", "MPJVE", "position", "PCK %", "AUC %", "in 50 %", "in 90 %", "2D px"];

fn metrics(metrics: &JointMetrics) -> Vec<String> {
    let lengths =
        [metrics.mpjpe_mm, metrics.pa_mpjpe_mm, metrics.n_mpjpe_mm, metrics.mpjve_mm, metrics.position_error_mm];
    let covered = |index: usize| metrics.coverage.map(|shares| shares[index]);
    let shares = [metrics.pck_150mm, metrics.auc, covered(0), covered(2)];
    let in_image = number(metrics.keypoints.map(|error| error.mean_px), 1);
    lengths.into_iter().map(|value| number(value, 1)).chain(shares.into_iter().map(percent)).chain([in_image]).collect()
}

/// The cards of a result without a truth.
pub(super) fn observed_cards(observation: &Observation) -> String {
    let joints = observation.joints();
    card_row([
        (format!("{} of {}", observation.peopled_images, observation.images), "images with somebody"),
        (observation.per_track.len().to_string(), "tracks"),
        (percent(joints.share(JointState::Measured)) + " %", "of joints measured"),
        (percent(joints.confidence()) + " %", "stated confidence"),
        (number(joints.sigma_mm(), 0) + " mm", "stated standard deviation"),
        (percent(observation.bone_variation()) + " %", "change of bone lengths"),
        (number(observation.jitter_m_per_s3, 1) + " m/s³", "jitter"),
    ])
}

/// Tracks in the table at most: the longest.
const TRACKS: usize = 40;

/// What a result says without a truth: each joint, each track.
pub(super) fn observed(observation: &Observation) -> String {
    const SAID: [&str; 7] =
        ["count", "measured %", "inferred %", "predicted %", "absent %", "confidence %", "sigma mm"];
    let said = |joints: &JointObservation| {
        let states = [JointState::Measured, JointState::Inferred, JointState::Predicted, JointState::Absent];
        let shares = states.map(|state| percent(joints.share(state)));
        let stated = [percent(joints.confidence()), number(joints.sigma_mm(), 1)];
        [joints.count().to_string()].into_iter().chain(shares).chain(stated).collect::<Vec<_>>()
    };
    let mut joints = Table::new(&[&["joint"], &SAID[..]].concat());
    joints.row("all", &said(&observation.joints()));
    for (joint, values) in Joint::ALL.into_iter().zip(&observation.per_joint).filter(|(_, values)| values.count() > 0) {
        joints.row(joint.name(), &said(values));
    }
    let mut longest: Vec<&TrackObservation> = observation.per_track.iter().collect();
    longest.sort_by_key(|track| std::cmp::Reverse(track.images));
    let mut tracks = Table::new(&[&["track", "images", "seconds", "bones %"], &SAID[1..]].concat());
    for track in longest.iter().take(TRACKS) {
        let seconds = format!("{:.2}", track.last.seconds_since(track.first));
        let own = [track.images.to_string(), seconds, percent(track.bone_variation)];
        tracks.row(&track.name, &own.into_iter().chain(said(&track.joints).into_iter().skip(1)).collect::<Vec<_>>());
    }
    let mut html = section("observed", "What the joints rest on", &scroll(joints));
    if !longest.is_empty() {
        let rest = longest.len().saturating_sub(TRACKS);
        let note = if rest > 0 { format!("<p>The longest; {rest} more are in the JSON.</p>\n") } else { String::new() };
        html += &section("tracks", "Each track", &(scroll(tracks) + &note));
    }
    html
}

/// Per joint, joint group, person, action, distance, hidden share.
pub(super) fn parts(evaluation: &Evaluation, summary: &Summary) -> String {
    if evaluation.samples.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[&["joint", "count"], &METRICS[..]].concat());
    for (joint, values) in Joint::ALL.into_iter().zip(&summary.per_joint).filter(|(_, values)| values.samples > 0) {
        table.row(joint.name(), &[vec![values.samples.to_string()], metrics(values)].concat());
    }
    let mut html = section("per-joint", "Each joint", &scroll(table));
    let mut table = Table::new(&["joint group", "count", "PCK %", "AUC %"]);
    let groups = JOINT_GROUPS.iter().map(|group| group.name).zip(&summary.per_joint_group);
    for (name, values) in groups.chain([("all 14", &summary.grouped)]).filter(|(_, values)| values.samples > 0) {
        table.row(name, &[values.samples.to_string(), percent(values.pck_150mm), percent(values.auc)]);
    }
    html += &section("joint-groups", "Joint groups of MPI-INF-3DHP", &scroll(table));
    let actions = summary.actions_and_mean();
    for (id, title, first, groups) in [
        ("per-person", "Each person", "person", &summary.per_person),
        ("per-action", "Each action", "action", &actions),
        ("by-distance", "By distance from the camera", "distance", &summary.by_distance),
        ("by-hidden-share", "By share of joints that are not measured", "hidden", &summary.by_hidden_share),
    ] {
        if !groups.is_empty() {
            html += &section(id, title, &scroll(group_table(first, groups)));
        }
    }
    html
}

fn group_table(first: &str, groups: &[GroupSummary]) -> Table {
    let mut table = Table::new(&[&[first, "count", "root"], &METRICS[..]].concat());
    for group in groups {
        let name = if group.name.is_empty() { "(unnamed)" } else { &group.name };
        let cells = [vec![group.people.to_string(), number(group.root_mm, 1)], metrics(&group.joints)].concat();
        table.row(name, &cells);
    }
    table
}

pub(super) fn scroll(table: Table) -> String {
    format!("<div class=\"scroll\">{}</div>\n", table.finish())
}

/// What `summary.json` says about the run: input, models with checksums, times, warnings, settings, machine.
pub(super) fn run(run: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    };
    let machine: Option<Machine> = run.get("machine").and_then(|machine| serde_json::from_value(machine.clone()).ok());
    let known = [
        "version",
        "input",
        "topic",
        "images",
        "skeletons",
        "tracks",
        "drops",
        "damage",
        "provider",
        "images_per_second",
    ];
    let rows = known.into_iter().filter_map(|key| Some((key, text(run.get(key)?))));
    let machine = machine.map(|machine| ("machine", machine_text(&machine)));
    let mut html = section("run", "Run", &facts(rows.chain(machine)));

    let object = |key: &str| run.get(key).and_then(Value::as_object).into_iter().flatten();
    let mut models = Table::new(&["part", "model", "provider", "sha256"]);
    let mut has_models = false;
    for (part, model) in object("models") {
        has_models = true;
        models.row(part, &["name", "provider", "sha256"].map(|key| text(&model[key])));
    }
    if has_models {
        html += &section("models", "Models", &scroll(models));
    }
    let mut stages = Table::new(&["stage", "runs", "p50 ms", "p95 ms", "p99 ms"]);
    for (stage, times) in object("stages_ms") {
        let time = |key: &str| number(times[key].as_f64(), 3);
        stages.row(stage, &[text(&times["count"]), time("p50"), time("p95"), time("p99")]);
    }
    html += &section("stages", "Time of each stage", &scroll(stages));
    let warnings = object("warnings").map(|(kind, warning)| {
        (kind.as_str(), format!("{} times, first: {}", text(&warning["count"]), text(&warning["first"])))
    });
    let warnings: Vec<_> = warnings.collect();
    if !warnings.is_empty() {
        html += &section("warnings", "Warnings", &facts(warnings));
    }
    let mut settings = Vec::new();
    flatten("", run.get("parameters").unwrap_or(&Value::Null), &mut settings);
    if !settings.is_empty() {
        let rows = settings.iter().map(|(name, value)| (name.as_str(), text(value)));
        html += &section("settings", "Settings", &facts(rows));
    }
    html
}

/// Every value by its path, without the two levels that every ROS 2 parameter file has.
fn flatten<'a>(path: &str, value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let is_frame = path.is_empty() && value.get("ros__parameters").is_some() || key == "ros__parameters";
                let next = match (is_frame, path.is_empty()) {
                    (true, _) => String::new(),
                    (false, true) => key.clone(),
                    (false, false) => format!("{path}.{key}"),
                };
                flatten(&next, value, found);
            }
        }
        Value::Null => {}
        value => found.push((path.to_owned(), value)),
    }
}
