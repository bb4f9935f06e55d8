//! The coordinate frames of a whole recording.

use std::ops::ControlFlow;

use super::{Bag, BagError, BagMessage, Completeness, Topic};
use crate::adapters::messages::tf2_msgs::TfMessage;
use crate::adapters::messages::{Message, from_cdr};
use crate::adapters::tf::TransformBuffer;

/// Transforms of a recording further apart are not connected: nobody knows what happened in between.
pub const LONGEST_GAP_SECS: f64 = 0.5;

const TOPIC: &str = "tf";
const STATIC_TOPIC: &str = "tf_static";

/// The names of the topics of transforms.
pub fn transform_topics(bag: &Bag) -> Vec<String> {
    let is_of_transforms =
        |topic: &&Topic| topic.type_name == TfMessage::TYPE && [TOPIC, STATIC_TOPIC].contains(&last_word(&topic.name));
    bag.topics().iter().filter(is_of_transforms).map(|topic| topic.name.clone()).collect()
}

/// `tf` of `/robot/tf`.
fn last_word(topic: &str) -> &str {
    topic.rsplit('/').next().unwrap_or(topic)
}

/// Whether the transforms of `topic`, one of [`transform_topics`], hold for ever.
pub fn is_static_transforms(topic: &str) -> bool {
    last_word(topic) == STATIC_TOPIC
}

/// Takes a message of one of [`transform_topics`] into `buffer`; what is wrong with one that cannot be read goes to `problems`.
pub fn take_in_transforms(message: &BagMessage<'_>, buffer: &mut TransformBuffer, problems: &mut Vec<String>) {
    match from_cdr::<TfMessage<'_>>(message.data) {
        Ok(transforms) => buffer.take_in(&transforms, is_static_transforms(message.topic)),
        Err(error) => problems.push(format!("{} at {} ns: {error}", message.topic, message.log_time_ns)),
    }
}

/// The transforms of a recording.
pub struct RecordedTransforms {
    /// All that can be read.
    pub buffer: TransformBuffer,
    /// What is wrong with messages that cannot.
    pub problems: Vec<String>,
    /// Whether the bag is whole.
    pub completeness: Completeness,
}

/// All transforms of `bag`, as far as it can be read.
///
/// # Errors
/// [`BagError`] when the bag cannot be read at all.
pub fn read_transforms(bag: &mut Bag) -> Result<RecordedTransforms, BagError> {
    let topics = transform_topics(bag);
    let mut buffer = TransformBuffer::of_recording(LONGEST_GAP_SECS);
    let mut problems = Vec::new();
    if topics.is_empty() {
        return Ok(RecordedTransforms { buffer, problems, completeness: Completeness::Whole });
    }
    let completeness = bag.read::<BagError>(&topics, &mut |message| {
        take_in_transforms(&message, &mut buffer, &mut problems);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(RecordedTransforms { buffer, problems, completeness })
}
