//! A comparison as a table for people and as JSON for scripts.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::{PairedDifference, Side, known_metrics};

/// Metrics of the short table, with the decimals they are shown with.
const SHORT: [(&str, usize); 29] = [
    ("mpjpe_mm", 1),
    ("pa_mpjpe_mm", 1),
    ("n_mpjpe_mm", 1),
    ("position_error_mm", 1),
    ("root_mm", 1),
    ("root_lateral_mm", 1),
    ("root_depth_mm", 1),
    ("mpjve_mm_per_s", 1),
    ("acceleration_error_mm_per_s2", 0),
    ("jitter_m_per_s3", 1),
    ("pck_150mm", 4),
    ("auc", 4),
    ("coverage.50", 4),
    ("coverage.90", 4),
    ("keypoint_error_px", 1),
    ("calibration.expected_error", 4),
    ("identity.idf1", 4),
    ("identity.switches", 0),
    ("identity.fragmentations", 0),
    ("identity.precision", 4),
    ("identity.recall", 4),
    ("observed.tracks", 0),
    ("observed.measured_share", 4),
    ("observed.bone_variation", 4),
    ("observed.confidence", 4),
    ("observed.sigma_mm", 1),
    ("matched_people", 0),
    ("missed", 0),
    ("false_people", 0),
];

/// The table: the metrics that people compare first and every joint's MPJPE, or with `all` every number of both.
pub fn to_table(a: &Side, b: &Side, paired: &BTreeMap<String, PairedDifference>, all: bool) -> String {
    let known = known_metrics(a, b);
    let rows: Vec<(&str, usize)> = if all {
        known.iter().map(|&name| (name, 4)).collect()
    } else {
        let joints = known.iter().filter(|name| name.starts_with("per_joint.") && name.ends_with(".mpjpe_mm"));
        let short = SHORT.iter().copied().filter(|(name, _)| known.contains(name));
        short.chain(joints.map(|&name| (name, 1))).collect()
    };
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default().max(6);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{:<width$} {:>11} {:>11} {:>10} {:>8}   same people, images and joints",
        "metric", "A", "B", "B - A", "%"
    );
    for (name, decimals) in rows {
        let (a, b) = (a.number(name), b.number(name));
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"));
        let difference = a.zip(b).map(|(a, b)| b - a);
        let percent = a.zip(difference).filter(|(a, _)| *a != 0.0).map(|(a, difference)| 100.0 * difference / a.abs());
        let _ = write!(
            text,
            "{name:<width$} {:>11} {:>11} {:>10} {:>8}",
            shown(a),
            shown(b),
            difference.map_or_else(|| "-".to_owned(), |difference| format!("{difference:+.decimals$}")),
            percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:+.1}")),
        );
        if let Some(paired) = paired.get(name) {
            let _ = write!(text, "   {:+.decimals$}", paired.mean);
            if let Some(interval) = paired.interval {
                let mark = if paired.is_clear() { " *" } else { "" };
                let _ = write!(text, " [{:+.decimals$}, {:+.decimals$}]{mark}", interval.low, interval.high);
            }
        }
        text.push('\n');
    }
    let has_errors = known.contains(&"mpjpe_mm");
    text.push_str(match (paired.is_empty(), a.samples.is_some() && b.samples.is_some()) {
        (true, _) if !has_errors => "neither side was compared with a truth (--truth): there are no errors\n",
        (false, _) => "* the 95 % interval of the mean difference (blocks of 1 s, bootstrap) leaves out 0\n",
        (true, true) => "no interval of the differences: no image of A has the stamp of one of B\n",
        (true, false) => {
            "no interval of the differences: write both sides with --samples, or compare the bags with --truth\n"
        }
    });
    text
}

/// Every number of both, their difference, and the paired difference where there is one.
pub fn to_json(a: &Side, b: &Side, paired: &BTreeMap<String, PairedDifference>) -> Value {
    let metrics = known_metrics(a, b).into_iter().map(|name| {
        let (a, b) = (a.number(name), b.number(name));
        let mut entry = json!({ "a": a, "b": b, "difference": a.zip(b).map(|(a, b)| b - a) });
        if let Some(paired) = paired.get(name) {
            entry["paired"] = json!({
                "pairs": paired.pairs,
                "difference": paired.mean,
                "interval_95": paired.interval.map(|interval| [interval.low, interval.high]),
            });
        }
        (name.to_owned(), entry)
    });
    Value::Object(metrics.collect())
}
