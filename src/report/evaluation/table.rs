//! The tables of an evaluation.

use std::fmt::Write;

use super::json::has_samples;
use crate::metrics::{ELLIPSOIDS, Evaluation, GroupSummary, Interval, JOINT_GROUPS, KeypointError, Summary};
use crate::skeleton::Joint;

/// The tables.
pub fn to_table(evaluation: &Evaluation, summary: &Summary) -> String {
    let mut text = String::new();
    let overall = &summary.overall;
    let identity = &evaluation.identity;
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "Images   {} in the result, {} with truth, {} compared, {} with a person found\n\
         People   {} found, {} missed, {} false; precision {} %, recall {} %\n\
         Identity IDF1 {} %, {} switches, {} fragmentations, MOTA {} %\n",
        evaluation.observation.images,
        evaluation.truth_images,
        evaluation.compared_images,
        evaluation.matched_images,
        evaluation.samples.len(),
        evaluation.missed,
        evaluation.false_people,
        number(share(identity.precision())),
        number(share(identity.recall())),
        number(share(identity.idf1())),
        identity.switches,
        identity.fragmentations,
        number(share(identity.mota())),
    );
    let lines: [(&str, Option<f64>, &str); 14] = [
        ("MPJPE", overall.mpjpe_mm, "mm      joints, roots on each other"),
        ("PA-MPJPE", overall.pa_mpjpe_mm, "mm      after the best similarity"),
        ("N-MPJPE", overall.n_mpjpe_mm, "mm      after the best scale"),
        ("MPJVE", overall.mpjve_mm, "mm      change from image to image"),
        ("", overall.mpjve_mm_per_s, "mm/s    the same per second"),
        (
            "acceler.",
            overall.acceleration_error_mm_per_s2.map(|value| value / 1000.0),
            "m/s²    error of the acceleration",
        ),
        (
            "jitter",
            evaluation.observation.jitter_m_per_s3,
            "m/s³    third derivative of the positions, no truth needed",
        ),
        ("  truth", evaluation.truth_jitter_m_per_s3, "m/s³    the same of the truth"),
        ("position", overall.position_error_mm, "mm      joints in the camera frame, nothing aligned"),
        ("root", summary.root_mm, "mm      position of the root in the camera frame (MRPE)"),
        ("  lateral", summary.root_lateral_mm, "mm      across the line of sight"),
        ("  depth", summary.root_depth_mm, "mm      along it"),
        ("PCK", share(overall.pck_150mm), "%       of joints below 150 mm"),
        ("AUC", share(overall.auc), "%       mean PCK of 0, 5, ... 150 mm"),
    ];
    for (name, value, meaning) in lines {
        let interval = interval_of(name, summary);
        let _ = writeln!(text, "{name:<10} {:>8} {meaning}{interval}", number(value));
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
    if let Some(KeypointError { mean_px, bias_px }) = overall.keypoints {
        let _ = writeln!(
            text,
            "keypoints  {mean_px:>8.1} px      from where the truth projects; on average {:+.1} right, {:+.1} down",
            bias_px.x, bias_px.y
        );
    }
    if let Some(calibration) = &summary.calibration {
        let _ = writeln!(
            text,
            "confidence off by {:.1} % on average (ECE), {} by {:.1} %",
            100.0 * calibration.expected_error,
            if calibration.overconfidence > 0.0 { "too high" } else { "too low" },
            100.0 * calibration.overconfidence.abs()
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
        "\n{:<11} {:>6} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6} {:>6}",
        "joint", "count", "MPJPE", "PA", "N", "MPJVE", "PCK %", "AUC %", "in 90%", "2D px"
    );
    for (joint, metrics) in Joint::ALL.into_iter().zip(&summary.per_joint).filter(|(_, metrics)| has_samples(metrics)) {
        let _ = writeln!(
            text,
            "{:<11} {:>6} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6} {:>6}",
            joint.name(),
            metrics.samples,
            number(metrics.mpjpe_mm),
            number(metrics.pa_mpjpe_mm),
            number(metrics.n_mpjpe_mm),
            number(metrics.mpjve_mm),
            number(share(metrics.pck_150mm)),
            number(share(metrics.auc)),
            number(share(metrics.coverage.map(|shares| shares[2]))),
            number(metrics.keypoints.map(|error| error.mean_px)),
        );
    }
    joint_groups(&mut text, summary);
    let actions = summary.actions_and_mean();
    for (title, groups) in [
        ("person", &summary.per_person),
        ("action", &actions),
        ("distance", &summary.by_distance),
        ("hidden", &summary.by_hidden_share),
    ] {
        parts(&mut text, title, groups);
    }
    text
}

/// The interval of the metric called `name`, where it has one.
fn interval_of(name: &str, summary: &Summary) -> String {
    let interval = match name {
        "MPJPE" => summary.intervals.mpjpe_mm,
        "PA-MPJPE" => summary.intervals.pa_mpjpe_mm,
        "N-MPJPE" => summary.intervals.n_mpjpe_mm,
        "root" => summary.intervals.root_mm,
        _ => None,
    };
    interval.map_or_else(String::new, |Interval { low, high }| format!(" [{low:.1}, {high:.1}]"))
}

/// PCK and AUC in the groups of MPI-INF-3DHP.
fn joint_groups(text: &mut String, summary: &Summary) {
    if summary.grouped.samples == 0 {
        return;
    }
    let _ = writeln!(text, "\n{:<11} {:>6} {:>6} {:>6}", "joint group", "count", "PCK %", "AUC %");
    let groups = JOINT_GROUPS.iter().map(|group| group.name).zip(&summary.per_joint_group);
    for (name, metrics) in groups.chain([("all 14", &summary.grouped)]).filter(|(_, metrics)| metrics.samples > 0) {
        let (pck, auc) = (number(share(metrics.pck_150mm)), number(share(metrics.auc)));
        let _ = writeln!(text, "{name:<11} {:>6} {pck:>6} {auc:>6}", metrics.samples);
    }
}

/// A table of parts of the people; a single part that is everybody says nothing new.
fn parts(text: &mut String, title: &str, groups: &[GroupSummary]) {
    if groups.len() < 2 {
        return;
    }
    let _ = writeln!(
        text,
        "\n{title:<15} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6}",
        "count", "MPJPE", "PA", "N", "MPJVE", "root", "PCK %", "in 90%"
    );
    for group in groups {
        let name = if group.name.is_empty() { "(unnamed)" } else { &group.name };
        let _ = writeln!(
            text,
            "{name:<15} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6}",
            group.people,
            number(group.joints.mpjpe_mm),
            number(group.joints.pa_mpjpe_mm),
            number(group.joints.n_mpjpe_mm),
            number(group.joints.mpjve_mm),
            number(group.root_mm),
            number(share(group.joints.pck_150mm)),
            number(share(group.joints.coverage.map(|shares| shares[2]))),
        );
    }
}

/// Per cent.
pub(super) fn share(value: Option<f64>) -> Option<f64> {
    value.map(|value| 100.0 * value)
}

pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::to_json;
    use super::*;

    #[test]
    fn nothing_measured_is_null_and_a_dash() {
        let evaluation = Evaluation { truth_images: 2, compared_images: 2, missed: 2, ..Evaluation::default() };
        let summary = Summary::of(&evaluation);
        let json = to_json(&evaluation, &summary);
        for key in ["mpjpe_mm", "pa_mpjpe_mm", "n_mpjpe_mm", "mpjve_mm", "root_mm", "pck_150mm", "auc", "coverage"] {
            assert_eq!(json.get(key), Some(&Value::Null), "{key}");
        }
        assert_eq!((&json["missed"], &json["matched_images"], &json["per_joint"]), (&json!(2), &json!(0), &json!({})));
        let table = to_table(&evaluation, &summary);
        assert!(table.contains("MPJPE             - mm"), "{table}");
        assert!(!["NaN", "coverage", "joint group"].iter().any(|word| table.contains(word)), "{table}");
    }
}
