//! An evaluation as a table for people and as JSON for scripts. Absent values are `-` and `null`, never 0.
//!
//! Units: keys that end in `_mm` are mm, in `_mm_per_s` mm/s; shares (`pck_150mm`, `auc`, `coverage`) are in [0, 1] in
//! JSON and per cent in the table. `mpjve_mm` is per median image interval, the field's "mm per frame".

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::metrics::{ELLIPSOIDS, Evaluation, JointMetrics, Summary};
use crate::skeleton::Joint;

/// The JSON object.
pub fn to_json(evaluation: &Evaluation, summary: &Summary) -> Value {
    let mut object = metrics_json(&summary.overall);
    let more = [
        ("root_mm", json!(summary.root_mm)),
        ("root_lateral_mm", json!(summary.root_lateral_mm)),
        ("root_depth_mm", json!(summary.root_depth_mm)),
        ("images", json!(evaluation.images)),
        ("truth_images", json!(evaluation.truth_images)),
        ("compared_images", json!(evaluation.compared_images)),
        ("matched_images", json!(evaluation.matched_images)),
        ("matched_people", json!(evaluation.samples.len())),
        ("missed", json!(evaluation.missed)),
        ("false_people", json!(evaluation.false_people)),
        ("identity_switches", json!(evaluation.identity.switches)),
        ("covariances_refused", json!(evaluation.covariances_refused)),
        ("image_interval_s", json!(evaluation.image_interval)),
    ];
    object.extend(more.map(|(key, value)| (key.to_owned(), value)));
    let per_joint = Joint::ALL
        .into_iter()
        .zip(&summary.per_joint)
        .filter(|(_, metrics)| has_samples(metrics))
        .map(|(joint, metrics)| (joint.name().to_owned(), Value::Object(metrics_json(metrics))));
    object.insert("per_joint".to_owned(), Value::Object(per_joint.collect()));
    Value::Object(object)
}

fn metrics_json(metrics: &JointMetrics) -> Map<String, Value> {
    let coverage = metrics.coverage.map(|shares| {
        let named = ELLIPSOIDS.iter().zip(shares).map(|((percent, _), share)| (percent.to_string(), json!(share)));
        Value::Object(named.collect())
    });
    [
        ("joints", json!(metrics.samples)),
        ("mpjpe_mm", json!(metrics.mpjpe_mm)),
        ("pa_mpjpe_mm", json!(metrics.pa_mpjpe_mm)),
        ("n_mpjpe_mm", json!(metrics.n_mpjpe_mm)),
        ("mpjve_mm", json!(metrics.mpjve_mm)),
        ("mpjve_mm_per_s", json!(metrics.mpjve_mm_per_s)),
        ("pck_150mm", json!(metrics.pck_150mm)),
        ("auc", json!(metrics.auc)),
        ("coverage", coverage.unwrap_or(Value::Null)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into_iter()
    .collect()
}

/// Whether anything can be said about these joints.
fn has_samples(metrics: &JointMetrics) -> bool {
    metrics.samples > 0 || metrics.pa_mpjpe_mm.is_some() || metrics.coverage.is_some()
}

/// The tables.
pub fn to_table(evaluation: &Evaluation, summary: &Summary) -> String {
    let mut text = String::new();
    let overall = &summary.overall;
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "Images   {} in the result, {} with truth, {} compared, {} with a person found\n\
         People   {} found, {} missed, {} false, {} identity switches\n",
        evaluation.images,
        evaluation.truth_images,
        evaluation.compared_images,
        evaluation.matched_images,
        evaluation.samples.len(),
        evaluation.missed,
        evaluation.false_people,
        evaluation.identity.switches,
    );
    let share = |value: Option<f64>| value.map(|value| 100.0 * value);
    let lines: [(&str, Option<f64>, &str); 10] = [
        ("MPJPE", overall.mpjpe_mm, "mm      joints, roots on each other"),
        ("PA-MPJPE", overall.pa_mpjpe_mm, "mm      after the best similarity"),
        ("N-MPJPE", overall.n_mpjpe_mm, "mm      after the best scale"),
        ("MPJVE", overall.mpjve_mm, "mm      change from image to image"),
        ("", overall.mpjve_mm_per_s, "mm/s    the same per second"),
        ("root", summary.root_mm, "mm      position of the root in the camera frame (MRPE)"),
        ("  lateral", summary.root_lateral_mm, "mm      across the line of sight"),
        ("  depth", summary.root_depth_mm, "mm      along it"),
        ("PCK", share(overall.pck_150mm), "%       of joints below 150 mm"),
        ("AUC", share(overall.auc), "%       mean PCK of 0, 5, ... 150 mm"),
    ];
    for (name, value, meaning) in lines {
        let _ = writeln!(text, "{name:<10} {:>8} {meaning}", number(value));
    }
    if let Some(shares) = overall.coverage {
        let parts =
            ELLIPSOIDS.iter().zip(shares).map(|((percent, _), share)| format!("{percent} %: {:.1}", 100.0 * share));
        let _ = writeln!(
            text,
            "coverage   {} (% of joints inside the stated ellipsoid)",
            parts.collect::<Vec<_>>().join(", ")
        );
    }
    if evaluation.covariances_refused > 0 {
        let _ = writeln!(
            text,
            "           {} joints with an impossible covariance are not in it",
            evaluation.covariances_refused
        );
    }
    let _ = writeln!(
        text,
        "\n{:<11} {:>6} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6}",
        "joint", "count", "MPJPE", "PA", "N", "MPJVE", "PCK %", "AUC %", "in 90%"
    );
    for (joint, metrics) in Joint::ALL.into_iter().zip(&summary.per_joint).filter(|(_, metrics)| has_samples(metrics)) {
        let _ = writeln!(
            text,
            "{:<11} {:>6} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6}",
            joint.name(),
            metrics.samples,
            number(metrics.mpjpe_mm),
            number(metrics.pa_mpjpe_mm),
            number(metrics.n_mpjpe_mm),
            number(metrics.mpjve_mm),
            number(share(metrics.pck_150mm)),
            number(share(metrics.auc)),
            number(share(metrics.coverage.map(|shares| shares[2]))),
        );
    }
    text
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_measured_is_null_and_a_dash() {
        let evaluation =
            Evaluation { images: 3, truth_images: 2, compared_images: 2, missed: 2, ..Evaluation::default() };
        let summary = Summary::of(&evaluation);
        let json = to_json(&evaluation, &summary);
        for key in ["mpjpe_mm", "pa_mpjpe_mm", "n_mpjpe_mm", "mpjve_mm", "root_mm", "pck_150mm", "auc", "coverage"] {
            assert_eq!(json.get(key), Some(&Value::Null), "{key}");
        }
        assert_eq!((&json["missed"], &json["matched_images"], &json["per_joint"]), (&json!(2), &json!(0), &json!({})));
        let table = to_table(&evaluation, &summary);
        assert!(table.contains("MPJPE             - mm"), "{table}");
        assert!(!table.contains("NaN") && !table.contains("coverage"), "{table}");
    }
}
