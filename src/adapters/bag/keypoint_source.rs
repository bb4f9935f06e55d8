//! The 2D keypoints of one camera in a bag, from somebody else's node, each array with its `CameraInfo`.

use std::ops::ControlFlow;

use super::camera_stream::{self, Joined, Skipped};
use super::topic_choice::{CameraTopics, TopicRequest, choose_keypoint_topics, choose_skeleton_topics};
use super::{Bag, BagError, Completeness};
use crate::adapters::messages::sensor_msgs::CameraInfo;
use crate::adapters::messages::std_msgs::Header;
use crate::adapters::messages::stridepose::{KeypointArray, SkeletonArray};
use crate::adapters::messages::{Message, from_cdr};
use crate::data::{PersonKeypoints, Stamp};
use crate::warning::{Warning, WarningKind};

/// Everybody's keypoints in one image.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraKeypoints<'a> {
    /// Number of messages before it, good or bad.
    pub index: u64,
    /// Capture time.
    pub stamp: Stamp,
    /// Camera optical frame.
    pub frame_id: &'a str,
    /// Everybody, in the internal joint order.
    pub people: Vec<PersonKeypoints>,
    /// What had to be masked or left out in this message.
    pub warnings: Vec<Warning>,
    /// The calibration that belongs to it, unchecked.
    pub camera_info: &'a CameraInfo,
}

/// Takes each array, or why it was skipped, and says whether to go on.
pub type KeypointVisitor<'v, E> = dyn FnMut(Result<CameraKeypoints<'_>, Skipped>) -> Result<ControlFlow<()>, E> + 'v;

/// Reads the keypoints of one camera.
pub struct KeypointSource {
    topics: CameraTopics,
}

impl KeypointSource {
    /// Chooses the topics.
    ///
    /// # Errors
    /// [`super::Refusal::Topic`] where the choice is not clear.
    pub fn new(bag: &Bag, request: TopicRequest<'_>) -> Result<Self, BagError> {
        Ok(Self { topics: choose_keypoint_topics(bag.topics(), request)? })
    }

    /// Chooses the topics of skeletons that a replay wrote: the keypoints are those that their joints rest on.
    ///
    /// # Errors
    /// [`super::Refusal::Topic`] where the choice is not clear.
    pub fn of_skeletons(bag: &Bag, request: TopicRequest<'_>) -> Result<Self, BagError> {
        Ok(Self { topics: choose_skeleton_topics(bag.topics(), request)? })
    }

    /// The topics that are read.
    pub const fn topics(&self) -> &CameraTopics {
        &self.topics
    }

    /// Hands each array, or why it was skipped, to `visit`, until that breaks or fails.
    ///
    /// # Errors
    /// The error of `visit`, or a [`BagError`] when the bag cannot be read.
    pub fn read<E: From<BagError>>(
        &self,
        bag: &mut Bag,
        visit: &mut KeypointVisitor<'_, E>,
    ) -> Result<Completeness, E> {
        let decode = if self.topics.source_type == SkeletonArray::TYPE { decode_skeletons } else { decode };
        camera_stream::read(bag, &self.topics, &mut |joined| match joined {
            Joined::Skipped(skipped) => visit(Err(skipped)),
            Joined::Message { index, stamp: sent, data, camera_info } => visit(match decode(data) {
                Ok((Header { stamp, frame_id }, people, warnings)) => {
                    Ok(CameraKeypoints { index, stamp, frame_id, people, warnings, camera_info })
                }
                Err(why) => {
                    Err(Skipped::message(WarningKind::KeypointsRefused, format!("message {index}: {why}"), sent))
                }
            }),
        })
    }
}

/// Header and people of a message, with what had to be masked or left out in it.
type Decoded<'a> = (Header<'a>, Vec<PersonKeypoints>, Vec<Warning>);

/// Decodes a CDR message of type KeypointArray.
///
/// # Errors
/// Why no keypoint can be used, in words.
pub(crate) fn decode(data: &[u8]) -> Result<Decoded<'_>, String> {
    let array: KeypointArray<'_> = from_cdr(data).map_err(|error| error.to_string())?;
    let (people, warnings) = array.people_in_internal_order().map_err(|error| error.to_string())?;
    Ok((array.header, people, warnings))
}

/// Decodes a CDR message of type SkeletonArray.
fn decode_skeletons(data: &[u8]) -> Result<Decoded<'_>, String> {
    let array: SkeletonArray<'_> = from_cdr(data).map_err(|error| error.to_string())?;
    let (people, warnings) = array.keypoints();
    Ok((array.header, people, warnings))
}
