//! JSON: everything that is known of every joint, image by image; an absent joint is `null`.

use serde_json::{Value, json};

use super::state_name;
use crate::metrics::{ResultJoint, ResultPerson, ResultSequence};
use crate::skeleton::{BONES, Joint};

/// The object.
pub fn to_json(sequence: &ResultSequence, frame_id: Option<&str>) -> Value {
    let images = sequence.images.iter().enumerate().map(|(index, image)| {
        json!({
            "index": index,
            "stamp_ns": image.stamp.nanoseconds(),
            "people": image.people.iter().map(person).collect::<Vec<_>>(),
        })
    });
    json!({
        "frame_id": frame_id,
        "joint_set": Joint::SET_NAME,
        "joints": Joint::ALL.map(Joint::name),
        "bones": BONES.map(|(parent, child)| [parent.name(), child.name()]),
        "images": images.collect::<Vec<_>>(),
    })
}

fn person(person: &ResultPerson) -> Value {
    json!({
        "track_id": person.track_id.0,
        "joints": person.joints.iter().map(|estimate| estimate.as_ref().map(joint)).collect::<Vec<_>>(),
    })
}

fn joint(joint: &ResultJoint) -> Value {
    let at = &joint.position_in_camera;
    json!({
        "position_m": [at.x, at.y, at.z],
        "covariance_m2": joint.covariance.map(|c| [c.m11, c.m12, c.m13, c.m22, c.m23, c.m33]),
        "confidence": joint.confidence,
        "state": state_name(joint.state),
    })
}
