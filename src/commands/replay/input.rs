//! What a replay reads: images, decoded, or keypoints, each with its calibration and its own memory, so that the next ones
//! can be read and decoded while the networks work on this one.

use std::ops::ControlFlow;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use image::RgbImage;

use super::super::refuse_bag;
use super::detect_ahead::FoundAhead;
use crate::adapters::bag::{Bag, CameraTopics, Completeness, ImageSource, KeypointSource, Skipped, TopicRequest};
use crate::adapters::engine::Feed;
use crate::adapters::messages::sensor_msgs::CameraInfo;
use crate::config::InputConfig;
use crate::data::{PersonKeypoints, Stamp};
use crate::stages::image::decode_into;
use crate::warning::{Warning, WarningKind};

/// What is read from the bag.
pub(super) enum Source {
    Images(ImageSource),
    Keypoints(KeypointSource),
}

/// One message that was read.
pub(super) struct Input {
    pub(super) stamp: Stamp,
    pub(super) frame_id: String,
    pub(super) camera_info: CameraInfo,
    pub(super) content: Content,
}

/// What a message holds.
pub(super) enum Content {
    /// An image, or why it cannot be decoded.
    Picture(Result<Picture, Warning>),
    /// Keypoints of another node, and what was wrong with some of them.
    Keypoints(Vec<PersonKeypoints>, Vec<Warning>),
}

/// A decoded image.
pub(super) struct Picture {
    pub(super) pixels: RgbImage,
    /// How long decoding took.
    pub(super) decoding: Duration,
    /// The people in it, where somebody has looked.
    pub(super) found: Option<FoundAhead>,
}

impl Input {
    /// The decoded image, where there is one.
    pub(super) const fn picture_mut(&mut self) -> Option<&mut Picture> {
        match &mut self.content {
            Content::Picture(Ok(picture)) => Some(picture),
            _ => None,
        }
    }
}

/// Takes each message, or why it was skipped, and says whether to go on.
pub(super) type Sink<'s> = dyn FnMut(Result<Input, Skipped>) -> anyhow::Result<ControlFlow<()>> + 's;

impl Source {
    /// Keypoints where their topic is named or where the bag has keypoints and no images, else images.
    pub(super) fn choose(bag: &Bag, input: &InputConfig) -> anyhow::Result<Self> {
        fn named(topic: &str) -> Option<&str> {
            (!topic.is_empty()).then_some(topic)
        }
        let camera_info = named(&input.camera_info_topic);
        let (image, keypoints) = (named(&input.image_topic), named(&input.keypoints_topic));
        let keypoint_source = || KeypointSource::new(bag, TopicRequest { source: keypoints, camera_info });
        if keypoints.is_some() {
            return keypoint_source().map(Self::Keypoints).map_err(refuse_bag);
        }
        match ImageSource::new(bag, TopicRequest { source: image, camera_info }) {
            Ok(images) => Ok(Self::Images(images)),
            Err(refusal) if image.is_some() => Err(refuse_bag(refusal)),
            Err(refusal) => keypoint_source().map(Self::Keypoints).map_err(|_| refuse_bag(refusal)),
        }
    }

    pub(super) const fn topics(&self) -> &CameraTopics {
        match self {
            Self::Images(source) => source.topics(),
            Self::Keypoints(source) => source.topics(),
        }
    }

    pub(super) const fn feed(&self) -> Feed {
        match self {
            Self::Images(_) => Feed::Images,
            Self::Keypoints(_) => Feed::Keypoints,
        }
    }

    /// Hands every message to `sink`. Pictures that come back through `spare` are used again.
    ///
    /// # Errors
    /// That of `sink`, or what is wrong with the bag.
    pub(super) fn read(
        &self,
        bag: &mut Bag,
        spare: &Receiver<RgbImage>,
        sink: &mut Sink<'_>,
    ) -> anyhow::Result<Completeness> {
        match self {
            Self::Images(images) => images.read::<anyhow::Error>(bag, &mut |image| {
                sink(image.map(|image| {
                    let mut pixels = spare.try_recv().unwrap_or_default();
                    let began = Instant::now();
                    let refused =
                        |error: &dyn std::error::Error| Warning::new(WarningKind::ImageRefused, error.to_string());
                    let decoded = decode_into(&image.image, &mut pixels).map_err(|error| refused(&error));
                    let decoding = began.elapsed();
                    Input {
                        stamp: image.stamp,
                        frame_id: image.frame_id.to_owned(),
                        camera_info: image.camera_info.clone(),
                        content: Content::Picture(decoded.map(|()| Picture { pixels, decoding, found: None })),
                    }
                }))
            }),
            Self::Keypoints(keypoints) => keypoints.read::<anyhow::Error>(bag, &mut |message| {
                sink(message.map(|message| Input {
                    stamp: message.stamp,
                    frame_id: message.frame_id.to_owned(),
                    camera_info: message.camera_info.clone(),
                    content: Content::Keypoints(message.people, message.warnings),
                }))
            }),
        }
    }
}
