//! What a result says without a truth, as JSON and as a table. The JSON has the keys that an evaluation against a truth
//! has as well, so that the two can be set side by side.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::table::{number, share};
use crate::data::JointState;
use crate::metrics::{JointObservation, Observation};
use crate::skeleton::Joint;

/// States with the names of their shares, from the surest on.
const STATES: [(JointState, &str); 4] = [
    (JointState::Measured, "measured_share"),
    (JointState::Inferred, "inferred_share"),
    (JointState::Predicted, "predicted_share"),
    (JointState::Absent, "absent_share"),
];

/// The JSON object of a result without a truth: `images`, `image_interval_s`, `jitter_m_per_s3` and what is under `observed`.
pub fn to_json_without_truth(observation: &Observation) -> Value {
    json!({
        "images": observation.images,
        "image_interval_s": observation.image_interval,
        "jitter_m_per_s3": observation.jitter_m_per_s3,
        "observed": observed_json(observation),
    })
}

/// What is under the key `observed`.
pub(super) fn observed_json(observation: &Observation) -> Value {
    let joints = Joint::ALL.into_iter().zip(&observation.per_joint).filter(|(_, joint)| joint.count() > 0);
    let tracks = observation.per_track.iter().map(|track| {
        let mut object = joints_json(&track.joints);
        object.insert("track".to_owned(), json!(track.name));
        object.insert("images".to_owned(), json!(track.images));
        object.insert("seconds".to_owned(), json!(track.last.seconds_since(track.first)));
        object.insert("bone_variation".to_owned(), json!(track.bone_variation));
        Value::Object(object)
    });
    let mut object = joints_json(&observation.joints());
    object.extend(
        [
            ("images_with_people", json!(observation.peopled_images)),
            ("people", json!(observation.people())),
            ("most_people", json!(observation.most_people)),
            ("tracks", json!(observation.per_track.len())),
            ("bone_variation", json!(observation.bone_variation())),
            (
                "per_joint",
                Value::Object(
                    joints.map(|(joint, said)| (joint.name().to_owned(), Value::Object(joints_json(said)))).collect(),
                ),
            ),
            ("per_track", tracks.collect()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    Value::Object(object)
}

fn joints_json(joints: &JointObservation) -> Map<String, Value> {
    let shares = STATES.map(|(state, name)| (name, json!(joints.share(state))));
    let said = [("confidence", json!(joints.confidence())), ("sigma_mm", json!(joints.sigma_mm()))];
    shares.into_iter().chain(said).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The tables of a result without a truth.
pub fn to_table_without_truth(observation: &Observation) -> String {
    let joints = observation.joints();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "Images   {}, {} with somebody in them\nPeople   {} over the images, at most {} at once, {} tracks\n\
         Without a truth (--truth) there are no errors; what the result says itself:\n",
        observation.images,
        observation.peopled_images,
        observation.people(),
        observation.most_people,
        observation.per_track.len(),
    );
    let lines: [(&str, Option<f64>, &str); 8] = [
        ("jitter", observation.jitter_m_per_s3, "m/s³    third derivative of the positions"),
        ("bones", share(observation.bone_variation()), "%       change of a bone's length within a track"),
        ("measured", share(joints.share(JointState::Measured)), "%       of joints with a keypoint in that image"),
        ("inferred", share(joints.share(JointState::Inferred)), "%       from the person's other joints and the past"),
        ("predicted", share(joints.share(JointState::Predicted)), "%       of people not seen in that image"),
        ("absent", share(joints.share(JointState::Absent)), "%       without a position"),
        ("confidence", share(joints.confidence()), "%       stated to be within 150 mm, mean"),
        ("sigma", joints.sigma_mm(), "mm      stated standard deviation, mean"),
    ];
    for (name, value, meaning) in lines {
        let _ = writeln!(text, "{name:<10} {:>8} {meaning}", number(value));
    }
    let _ = writeln!(
        text,
        "\n{:<11} {:>6} {:>10} {:>10} {:>11} {:>12} {:>9}",
        "joint", "count", "measured %", "inferred %", "predicted %", "confidence %", "sigma mm"
    );
    for (joint, said) in Joint::ALL.into_iter().zip(&observation.per_joint).filter(|(_, said)| said.count() > 0) {
        let _ = writeln!(
            text,
            "{:<11} {:>6} {:>10} {:>10} {:>11} {:>12} {:>9}",
            joint.name(),
            said.count(),
            number(share(said.share(JointState::Measured))),
            number(share(said.share(JointState::Inferred))),
            number(share(said.share(JointState::Predicted))),
            number(share(said.confidence())),
            number(said.sigma_mm()),
        );
    }
    text
}
