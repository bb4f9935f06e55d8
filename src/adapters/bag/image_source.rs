//! The images of one camera in a bag, each with its `CameraInfo`. What cannot be decoded comes as a warning, and the
//! rest goes on.

use std::ops::ControlFlow;

use super::camera_stream::{self, Joined, Skipped};
use super::topic_choice::{CameraTopics, TopicRequest, choose_image_topics};
use super::{Bag, BagError, Completeness};
use crate::adapters::cdr::CdrError;
use crate::adapters::messages::sensor_msgs::{CameraInfo, CompressedImage, Image};
use crate::adapters::messages::std_msgs::Header;
use crate::adapters::messages::{Message, from_cdr};
use crate::data::Stamp;
use crate::stages::image::EncodedImage;
use crate::warning::WarningKind;

/// One image, borrowed from the bag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CameraImage<'a> {
    /// Number of image messages before it, good or bad.
    pub index: u64,
    /// Capture time.
    pub stamp: Stamp,
    /// Camera optical frame.
    pub frame_id: &'a str,
    /// The encoded pixels.
    pub image: EncodedImage<'a>,
    /// The calibration that belongs to it, unchecked.
    pub camera_info: &'a CameraInfo,
}

/// Takes each image, or why it was skipped, and says whether to go on.
pub type ImageVisitor<'v, E> = dyn FnMut(Result<CameraImage<'_>, Skipped>) -> Result<ControlFlow<()>, E> + 'v;

/// Reads the images of one camera.
pub struct ImageSource {
    topics: CameraTopics,
}

impl ImageSource {
    /// Chooses the topics.
    ///
    /// # Errors
    /// [`super::Refusal::Topic`] where the choice is not clear.
    pub fn new(bag: &Bag, request: TopicRequest<'_>) -> Result<Self, BagError> {
        Ok(Self { topics: choose_image_topics(bag.topics(), request)? })
    }

    /// The topics that are read.
    pub const fn topics(&self) -> &CameraTopics {
        &self.topics
    }

    /// Hands each image, or why it was skipped, to `visit`, until that breaks or fails.
    ///
    /// # Errors
    /// The error of `visit`, or a [`BagError`] when the bag cannot be read.
    pub fn read<E: From<BagError>>(&self, bag: &mut Bag, visit: &mut ImageVisitor<'_, E>) -> Result<Completeness, E> {
        let compressed = self.topics.source_type == CompressedImage::TYPE;
        camera_stream::read(bag, &self.topics, &mut |joined| match joined {
            Joined::Skipped(skipped) => visit(Err(skipped)),
            Joined::Message { index, stamp: sent, data, camera_info } => match decode(data, compressed) {
                Ok((Header { stamp, frame_id }, image)) => {
                    visit(Ok(CameraImage { index, stamp, frame_id, image, camera_info }))
                }
                Err(error) => {
                    let text = format!("image {index}: {error}");
                    visit(Err(Skipped::message(WarningKind::ImageRefused, text, sent)))
                }
            },
        })
    }
}

/// Header and pixels of a CDR message of type CompressedImage or Image.
///
/// # Errors
/// [`CdrError`] where the data is not what the type says.
pub(crate) fn decode(data: &[u8], compressed: bool) -> Result<(Header<'_>, EncodedImage<'_>), CdrError> {
    Ok(if compressed {
        let image: CompressedImage<'_> = from_cdr(data)?;
        (image.header, image.into())
    } else {
        let image: Image<'_> = from_cdr(data)?;
        (image.header, image.into())
    })
}
