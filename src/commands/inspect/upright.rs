//! Which frames of a recording stand upright, by their names, and how they say that its cameras are tilted and how high they
//! are: what `input.gravity: tf` and `input.floor: frame` would tell.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::adapters::bag::{
    Bag, BagError, LONGEST_GAP_SECS, is_static_transforms, take_in_transforms, transform_topics,
};
use crate::adapters::gravity::of_upright_frame;
use crate::adapters::tf::{TfError, TransformBuffer};
use crate::data::{Stamp, tilt_and_roll};

/// Frames whose z axis points up where the ground is level (REP 105, REP 120), and what simulators call theirs.
const UPRIGHT_BY_NAME: [&str; 5] = ["base_link", "base_footprint", "odom", "map", "world"];
/// Transforms this long before and after an image are enough to know where the frames were then, s.
const AROUND_SECS: f64 = 1.0;

/// The first image of a camera: its stamp, and when it was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstImage {
    pub stamp: Stamp,
    pub log_time_ns: i64,
}

/// How the upright frames of `bag` say that each camera, by the name of its frame, is tilted in its first image; empty without
/// transforms.
///
/// # Errors
/// [`BagError`] when the bag cannot be read.
pub(super) fn describe(bag: &mut Bag, cameras: &BTreeMap<String, FirstImage>) -> Result<String, BagError> {
    let topics = transform_topics(bag);
    if topics.is_empty() || cameras.is_empty() {
        return Ok(String::new());
    }
    let mut buffer = TransformBuffer::of_recording(LONGEST_GAP_SECS);
    // What is wrong with a transform is for replay to say.
    let mut problems = Vec::new();
    bag.read::<BagError>(&topics, &mut |message| {
        let is_near = |image: &FirstImage| (message.log_time_ns - image.log_time_ns).abs() as f64 <= 1e9 * AROUND_SECS;
        if is_static_transforms(message.topic) || cameras.values().any(is_near) {
            take_in_transforms(&message, &mut buffer, &mut problems);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let mut lines = vec![
        "\nGravity, by frames that stand upright if they are what they are called (-p input.gravity:=tf -p \
         input.gravity_frame:=NAME; if z = 0 is the floor, -p input.floor:=frame)"
            .to_owned(),
    ];
    for (camera, image) in cameras {
        lines.push(format!("  {camera}, first image"));
        let before = lines.len();
        lines.extend(UPRIGHT_BY_NAME.into_iter().filter_map(|upright| by_frame(&buffer, camera, upright, image.stamp)));
        if lines.len() == before {
            lines.push(format!("    none of {} is known there", UPRIGHT_BY_NAME.join(", ")));
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// What `upright` says; `None` where it is a frame that nobody publishes.
fn by_frame(buffer: &TransformBuffer, camera: &str, upright: &str, stamp: Stamp) -> Option<String> {
    Some(match buffer.target_from_source(camera, upright, stamp) {
        Ok(camera_from_upright) => {
            let (tilt, roll) = tilt_and_roll(&of_upright_frame(&camera_from_upright));
            let (tilt, roll) = (tilt.to_degrees(), roll.to_degrees());
            let height = camera_from_upright.inverse().translation.vector.z;
            format!(
                "    {upright:<15} it looks {tilt:.1}° down, is turned {roll:.1}° clockwise and is {height:.2} m above z = 0"
            )
        }
        Err(TfError::Unknown(_)) => return None,
        Err(reason) => format!("    {upright:<15} {reason}"),
    })
}
