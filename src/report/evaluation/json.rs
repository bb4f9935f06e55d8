//! The numbers of an evaluation as one JSON object. A key, once there, keeps its name and meaning.

use serde_json::{Map, Value, json};

use super::observed::observed_json;
use crate::metrics::{
    BINS, Calibration, ELLIPSOIDS, Evaluation, GroupSummary, Identity, Interval, JOINT_GROUPS, JointMetrics, Summary,
};
use crate::skeleton::Joint;

/// The JSON object.
pub fn to_json(evaluation: &Evaluation, summary: &Summary) -> Value {
    let mut object = metrics_json(&summary.overall);
    let more = [
        ("root_mm", json!(summary.root_mm)),
        ("root_lateral_mm", json!(summary.root_lateral_mm)),
        ("root_depth_mm", json!(summary.root_depth_mm)),
        ("images", json!(evaluation.observation.images)),
        ("truth_images", json!(evaluation.truth_images)),
        ("compared_images", json!(evaluation.compared_images)),
        ("matched_images", json!(evaluation.matched_images)),
        ("matched_people", json!(evaluation.samples.len())),
        ("missed", json!(evaluation.missed)),
        ("false_people", json!(evaluation.false_people)),
        ("identity_switches", json!(evaluation.identity.switches)),
        ("identity", identity_json(&evaluation.identity)),
        ("jitter_m_per_s3", json!(evaluation.observation.jitter_m_per_s3)),
        ("truth_jitter_m_per_s3", json!(evaluation.truth_jitter_m_per_s3)),
        ("observed", observed_json(&evaluation.observation)),
        ("covariances_refused", json!(evaluation.covariances_refused)),
        ("image_interval_s", json!(evaluation.observation.image_interval)),
        ("calibration", summary.calibration.as_ref().map_or(Value::Null, calibration_json)),
        ("mpi_inf_3dhp", joint_groups_json(summary)),
        ("per_person", groups_json(&summary.per_person)),
        ("per_action", groups_json(&summary.per_action)),
        ("mean_of_actions", summary.mean_of_actions.as_ref().map_or(Value::Null, group_json)),
        ("by_distance", groups_json(&summary.by_distance)),
        ("by_hidden_share", groups_json(&summary.by_hidden_share)),
        (
            "interval_95",
            json!({
                "mpjpe_mm": interval_json(summary.intervals.mpjpe_mm),
                "pa_mpjpe_mm": interval_json(summary.intervals.pa_mpjpe_mm),
                "n_mpjpe_mm": interval_json(summary.intervals.n_mpjpe_mm),
                "root_mm": interval_json(summary.intervals.root_mm),
            }),
        ),
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
        ("position_error_mm", json!(metrics.position_error_mm)),
        ("mpjve_mm", json!(metrics.mpjve_mm)),
        ("mpjve_mm_per_s", json!(metrics.mpjve_mm_per_s)),
        ("acceleration_error_mm", json!(metrics.acceleration_error_mm)),
        ("acceleration_error_mm_per_s2", json!(metrics.acceleration_error_mm_per_s2)),
        ("pck_150mm", json!(metrics.pck_150mm)),
        ("auc", json!(metrics.auc)),
        ("coverage", coverage.unwrap_or(Value::Null)),
        ("keypoint_error_px", json!(metrics.keypoints.map(|error| error.mean_px))),
        ("keypoint_bias_px", json!(metrics.keypoints.map(|error| [error.bias_px.x, error.bias_px.y]))),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into_iter()
    .collect()
}

fn groups_json(groups: &[GroupSummary]) -> Value {
    Value::Object(groups.iter().map(|group| (group.name.clone(), group_json(group))).collect())
}

fn group_json(group: &GroupSummary) -> Value {
    let mut metrics = metrics_json(&group.joints);
    metrics.insert("people".to_owned(), json!(group.people));
    metrics.insert("root_mm".to_owned(), json!(group.root_mm));
    Value::Object(metrics)
}

fn joint_groups_json(summary: &Summary) -> Value {
    let metrics = |metrics: &JointMetrics| json!({ "joints": metrics.samples, "pck_150mm": metrics.pck_150mm, "auc": metrics.auc });
    let mut object = Map::from_iter([("all".to_owned(), metrics(&summary.grouped))]);
    let groups = JOINT_GROUPS.iter().zip(&summary.per_joint_group);
    object.extend(groups.map(|(group, values)| (group.name.to_owned(), metrics(values))));
    Value::Object(object)
}

fn identity_json(identity: &Identity) -> Value {
    json!({
        "idf1": identity.idf1(),
        "idp": identity.idp(),
        "idr": identity.idr(),
        "mota": identity.mota(),
        "switches": identity.switches,
        "fragmentations": identity.fragmentations,
        "precision": identity.precision(),
        "recall": identity.recall(),
        "true_people": identity.true_people,
        "predicted_people": identity.predicted_people,
    })
}

fn calibration_json(calibration: &Calibration) -> Value {
    let bins = calibration.bins.iter().enumerate().map(|(index, bin)| {
        json!({
            "from": index as f64 / BINS as f64,
            "to": (index + 1) as f64 / BINS as f64,
            "joints": bin.count,
            "mean_confidence": bin.mean_confidence,
            "hit_share": bin.hit_share,
        })
    });
    json!({
        "joints": calibration.count,
        "expected_error": calibration.expected_error,
        "largest_error": calibration.largest_error,
        "overconfidence": calibration.overconfidence,
        "bins": bins.collect::<Vec<_>>(),
    })
}

fn interval_json(interval: Option<Interval>) -> Value {
    interval.map_or(Value::Null, |interval| json!([interval.low, interval.high]))
}

/// Whether anything can be said about these joints.
pub(super) fn has_samples(metrics: &JointMetrics) -> bool {
    metrics.samples > 0 || metrics.pa_mpjpe_mm.is_some() || metrics.coverage.is_some()
}
