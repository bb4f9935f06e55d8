//! JSON: everything that is known of every joint, image by image; an absent joint is `null`.

use serde_json::{Value, json};

use super::{PlacedSequence, state_name};
use crate::metrics::{ResultJoint, ResultPerson};
use crate::skeleton::{BONES, Joint};

/// The object.
pub fn to_json(placed: &PlacedSequence) -> Value {
    let images = placed.sequence().images.iter().enumerate().map(|(index, image)| {
        json!({
            "index": placed.number(index),
            "stamp_ns": image.stamp.nanoseconds(),
            "people": image.people.iter().map(|person| one(placed, index, person)).collect::<Vec<_>>(),
        })
    });
    json!({
        "frame_id": placed.frame_id,
        "joint_set": Joint::SET_NAME,
        "joints": Joint::ALL.map(Joint::name),
        "bones": BONES.map(|(parent, child)| [parent.name(), child.name()]),
        "images": images.collect::<Vec<_>>(),
    })
}

fn one(placed: &PlacedSequence, image: usize, person: &ResultPerson) -> Value {
    let joints = person.joints.iter().map(|estimate| estimate.as_ref().map(|estimate| joint(placed, image, estimate)));
    json!({
        "track_id": person.track_id.0,
        "joints": joints.collect::<Vec<_>>(),
    })
}

fn joint(placed: &PlacedSequence, image: usize, joint: &ResultJoint) -> Value {
    let at = placed.position(image, &joint.position_in_camera);
    let covariance = joint.covariance.map(|covariance| placed.covariance(image, &covariance));
    json!({
        "position_m": [at.x, at.y, at.z],
        "covariance_m2": covariance.map(|c| [c.m11, c.m12, c.m13, c.m22, c.m23, c.m33]),
        "confidence": joint.confidence,
        "state": state_name(joint.state),
    })
}
