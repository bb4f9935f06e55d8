//! The bag that a replay writes: skeletons of every image, of earlier images with look-ahead, markers and overlays.

use std::path::Path;
use std::time::Duration;

use image::RgbImage;

use crate::adapters::bag::BagError;
use crate::adapters::bag::writer::{BagWriter, Qos, TopicId};
use crate::adapters::messages::Encode;
use crate::adapters::messages::sensor_msgs::{CameraInfo, CompressedImage};
use crate::adapters::messages::std_msgs::Header;
use crate::adapters::messages::stridepose::{JointSet, SkeletonArray};
use crate::adapters::messages::visualization_msgs::MarkerArray;
use crate::config::OutputConfig;
use crate::data::{PoseEstimate, Stamp};
use crate::pipeline::Estimates;
use crate::report::{markers, overlay};

/// Topic of the skeletons of every image.
pub const SKELETONS_TOPIC: &str = "/stridepose/skeletons";
/// Topic of the skeletons with look-ahead.
pub const REFINED_TOPIC: &str = "/stridepose/skeletons_refined";
const JOINT_SET_TOPIC: &str = "/stridepose/joint_set";
/// Topic of the camera that the skeletons were seen with, written when it changes.
pub const CAMERA_INFO_TOPIC: &str = "/stridepose/camera_info";
const MARKERS_TOPIC: &str = "/stridepose/markers";
/// Topic of the pictures with skeletons drawn on them.
pub const OVERLAY_TOPIC: &str = "/stridepose/overlay/compressed";

/// Writes results as a bag.
pub struct ResultWriter {
    writer: BagWriter,
    skeletons: TopicId,
    refined: Option<TopicId>,
    markers: Option<TopicId>,
    overlay: Option<TopicId>,
    /// Latched, written with the first image's stamp.
    joint_set: Option<TopicId>,
    camera_info: TopicId,
    last_camera: Option<CameraInfo>,
    lookahead: Duration,
    /// Stamp and frame of the last image that was written.
    last_image: (Stamp, String),
}

impl ResultWriter {
    /// Starts a bag in the folder `output`.
    ///
    /// # Errors
    /// [`BagError`] when the folder is in use or cannot be written.
    pub fn create(output: &Path, config: &OutputConfig, lookahead: Duration) -> Result<Self, BagError> {
        let mut writer = BagWriter::create(output)?;
        let joint_set = Some(writer.add_topic::<JointSet<'_>>(JOINT_SET_TOPIC, Qos::Latched)?);
        let camera_info = writer.add_topic::<CameraInfo>(CAMERA_INFO_TOPIC, Qos::Latched)?;
        let skeletons = writer.add_topic::<SkeletonArray<'_>>(SKELETONS_TOPIC, Qos::Stream)?;
        let refined =
            config.refined.then(|| writer.add_topic::<SkeletonArray<'_>>(REFINED_TOPIC, Qos::Stream)).transpose()?;
        let markers =
            config.markers.then(|| writer.add_topic::<MarkerArray<'_>>(MARKERS_TOPIC, Qos::Stream)).transpose()?;
        let overlay =
            config.overlay.then(|| writer.add_topic::<CompressedImage<'_>>(OVERLAY_TOPIC, Qos::Stream)).transpose()?;
        Ok(Self {
            writer,
            skeletons,
            refined,
            markers,
            overlay,
            joint_set,
            camera_info,
            last_camera: None,
            lookahead,
            last_image: (Stamp::default(), String::new()),
        })
    }

    /// Writes the camera of the image at `stamp`, if it is not the last one's: what learns from the skeletons' keypoints
    /// needs it.
    ///
    /// # Errors
    /// [`BagError`] when the disk does not take it.
    pub fn write_camera(&mut self, stamp: Stamp, camera_info: &CameraInfo) -> Result<(), BagError> {
        let is_known = |last: &CameraInfo| {
            last.calibration() == camera_info.calibration() && last.frame_id == camera_info.frame_id
        };
        if self.last_camera.as_ref().is_some_and(is_known) {
            return Ok(());
        }
        let camera_info = CameraInfo { stamp, ..camera_info.clone() };
        self.log(self.camera_info, stamp, &camera_info)?;
        self.last_camera = Some(camera_info);
        Ok(())
    }

    /// Writes what the pipeline said about one image. Log times are the image's stamp, so that the same input gives the
    /// same bytes.
    ///
    /// # Errors
    /// [`BagError`] when the disk does not take it.
    pub fn write(&mut self, estimates: &Estimates, frame_id: &str) -> Result<(), BagError> {
        let stamp = estimates.now.stamp;
        if let Some(topic) = self.joint_set.take() {
            self.log(topic, stamp, &JointSet::internal())?;
        }
        self.write_skeletons(self.skeletons, stamp, &estimates.now, frame_id, Duration::ZERO)?;
        if let Some(topic) = self.refined {
            for earlier in &estimates.earlier {
                self.write_skeletons(topic, stamp, earlier, frame_id, self.lookahead)?;
            }
        }
        self.last_image.0 = stamp;
        frame_id.clone_into(&mut self.last_image.1);
        if let Some(topic) = self.markers {
            self.log(topic, stamp, &markers::markers(&estimates.now, frame_id))?;
        }
        Ok(())
    }

    /// Writes that nobody was found in an image that could not be read, so that images can be counted in the result.
    ///
    /// # Errors
    /// [`BagError`] when the disk does not take it.
    pub fn write_unread(&mut self, stamp: Stamp) -> Result<(), BagError> {
        let nobody = PoseEstimate { stamp, people: Vec::new(), warnings: Vec::new() };
        let frame_id = self.last_image.1.clone();
        self.write_skeletons(self.skeletons, stamp, &nobody, &frame_id, Duration::ZERO)
    }

    /// Writes `message` as logged at `stamp`; no log begins before 1970.
    fn log(&mut self, topic: TopicId, stamp: Stamp, message: &impl Encode) -> Result<(), BagError> {
        self.writer.write(topic, stamp.max(Stamp::default()), message)
    }

    fn write_skeletons(
        &mut self,
        topic: TopicId,
        log_time: Stamp,
        estimate: &PoseEstimate,
        frame_id: &str,
        lookahead: Duration,
    ) -> Result<(), BagError> {
        self.log(topic, log_time, &SkeletonArray::from_estimate(estimate, frame_id, lookahead))
    }

    /// Writes an overlay picture as JPEG.
    ///
    /// # Errors
    /// [`BagError`] when the disk does not take it.
    pub fn write_overlay(&mut self, stamp: Stamp, frame_id: &str, picture: &RgbImage) -> Result<(), BagError> {
        let Some(topic) = self.overlay else { return Ok(()) };
        // Encoding an RGB picture of a valid size into memory cannot fail; if it did, the picture is left out.
        let Some(data) = overlay::jpeg(picture, overlay::JPEG_QUALITY) else { return Ok(()) };
        let header = Header { stamp, frame_id };
        self.log(topic, stamp, &CompressedImage { header, format: "jpeg", data: &data })
    }

    /// Writes what the pipeline said last of earlier images ([`crate::pipeline::Pipeline::finish`]).
    ///
    /// # Errors
    /// [`BagError`] when the disk does not take it.
    pub fn write_last(&mut self, earlier: &[PoseEstimate]) -> Result<(), BagError> {
        let Some(topic) = self.refined else { return Ok(()) };
        let (last, frame_id) = std::mem::take(&mut self.last_image);
        for estimate in earlier {
            let ahead = Duration::from_secs_f64(last.seconds_since(estimate.stamp).max(0.0));
            self.write_skeletons(topic, last, estimate, &frame_id, ahead.min(self.lookahead))?;
        }
        Ok(())
    }

    /// Closes the bag.
    ///
    /// # Errors
    /// [`BagError`] when the disk does not take it.
    pub fn finish(self) -> Result<(), BagError> {
        self.writer.finish()
    }
}
