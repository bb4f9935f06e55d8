//! The coordinate frames of a whole recording.

use std::ops::ControlFlow;

use super::{Bag, BagError, BagMessage};
use crate::adapters::messages::tf2_msgs::TfMessage;
use crate::adapters::messages::{Message, from_cdr};
use crate::adapters::tf::TransformBuffer;

/// Transforms of a recording further apart are not connected: nobody knows what happened in between.
pub const LONGEST_GAP_SECS: f64 = 0.5;

/// The topics of transforms, by name, and whether each is of static ones.
pub fn transform_topics(bag: &Bag) -> Vec<(String, bool)> {
    let topics = bag.topics().iter();
    topics.filter_map(|topic| Some((topic.name.clone(), is_static(&topic.name, &topic.type_name)?))).collect()
}

/// Whether a topic of transforms is of static ones; `None` for other topics.
fn is_static(name: &str, type_name: &str) -> Option<bool> {
    let is_last = |word| name.rsplit('/').next() == Some(word);
    match type_name == TfMessage::TYPE {
        true if is_last("tf_static") => Some(true),
        true if is_last("tf") => Some(false),
        _ => None,
    }
}

/// Takes a message of one of `topics` into `buffer`; what is wrong with one that cannot be read goes to `problems`.
pub fn take_in_transforms(
    message: &BagMessage<'_>,
    topics: &[(String, bool)],
    buffer: &mut TransformBuffer,
    problems: &mut Vec<String>,
) {
    let is_static = topics.iter().any(|(name, is_static)| *is_static && name == message.topic);
    match from_cdr::<TfMessage<'_>>(message.data) {
        Ok(transforms) => buffer.take_in(&transforms, is_static),
        Err(error) => problems.push(format!("{} at {} ns: {error}", message.topic, message.log_time_ns)),
    }
}

/// All transforms of `bag`, as far as it can be read, and what is wrong with messages that cannot.
///
/// # Errors
/// [`BagError`] when the bag cannot be read at all.
pub fn read_transforms(bag: &mut Bag) -> Result<(TransformBuffer, Vec<String>), BagError> {
    let topics = transform_topics(bag);
    let names: Vec<String> = topics.iter().map(|(name, _)| name.clone()).collect();
    let mut buffer = TransformBuffer::of_recording(LONGEST_GAP_SECS);
    let mut problems = Vec::new();
    if names.is_empty() {
        return Ok((buffer, problems));
    }
    bag.read::<BagError>(&names, &mut |message| {
        take_in_transforms(&message, &topics, &mut buffer, &mut problems);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((buffer, problems))
}
