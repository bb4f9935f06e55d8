//! What a replay writes: the result bag with its overlays, and the contact sheet. It needs nothing that the pipeline works
//! on, so it runs beside the next image.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use anyhow::Context;
use image::RgbImage;

use super::super::{Refused, refuse_bag};
use super::SHEET_FILE;
use crate::adapters::bag::{BagError, Refusal};
use crate::adapters::messages::sensor_msgs::CameraInfo;
use crate::adapters::result_writer::ResultWriter;
use crate::config::OutputConfig;
use crate::data::{PoseEstimate, Stamp};
use crate::geometry::CameraModel;
use crate::pipeline::{Estimates, Pipeline};
use crate::report::overlay;

/// Pictures on the contact sheet.
const SHEET_PICTURES: u64 = 12;
const SHEET_COLUMNS: u32 = 4;
const SHEET_PICTURE_WIDTH_PX: u32 = 320;

/// What is to be written.
#[expect(clippy::large_enum_variant, reason = "nearly always the large one, few at a time")]
pub(super) enum Message {
    /// What became of one image.
    Answer(Answer),
    /// An image, or keypoints, that could not be read, taken at this time.
    Unread(Stamp),
    /// Nothing: what was read is no image.
    Nothing,
    /// What is said of earlier images at the end of the bag.
    Last(Vec<PoseEstimate>),
}

/// What became of one image.
pub(super) struct Answer {
    pub(super) estimates: Estimates,
    pub(super) frame_id: String,
    pub(super) camera_info: CameraInfo,
    /// The camera, where the calibration is one.
    pub(super) camera: Option<CameraModel>,
    /// The image; empty where keypoints came without one.
    pub(super) picture: Option<RgbImage>,
}

/// The result under way.
pub(super) struct Output {
    folder: PathBuf,
    settings: OutputConfig,
    writer: ResultWriter,
    sheet: Vec<RgbImage>,
    sheet_interval: u64,
    index: u64,
    /// Where pictures and estimates go when they are written.
    give_back: (Sender<RgbImage>, Sender<Estimates>),
}

impl Output {
    /// Starts a result of about `count` images in `folder`, which is checked here.
    pub(super) fn create(
        folder: &Path,
        settings: &OutputConfig,
        pipeline: &Pipeline,
        count: u64,
        give_back: (Sender<RgbImage>, Sender<Estimates>),
    ) -> anyhow::Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            settings: settings.clone(),
            writer: ResultWriter::create(folder, settings, pipeline.lookahead()).map_err(refuse_output)?,
            sheet: Vec::new(),
            sheet_interval: count.div_ceil(SHEET_PICTURES).max(1),
            index: 0,
            give_back,
        })
    }

    /// Writes one message.
    pub(super) fn write(&mut self, message: Message) -> anyhow::Result<()> {
        match message {
            Message::Answer(answer) => self.write_answer(answer)?,
            // It has a number and a place of its own too: a truth may count images.
            Message::Unread(stamp) => {
                self.writer.write_unread(stamp)?;
                self.index += 1;
            }
            Message::Nothing => {}
            Message::Last(earlier) => self.writer.write_last(&earlier)?,
        }
        Ok(())
    }

    fn write_answer(&mut self, answer: Answer) -> anyhow::Result<()> {
        let Answer { estimates, frame_id, camera_info, camera, mut picture } = answer;
        self.writer.write_camera(estimates.now.stamp, &camera_info)?;
        self.writer.write(&estimates, &frame_id)?;
        if let (Some(camera), Some(picture)) = (camera, &mut picture) {
            self.draw(&estimates, &frame_id, &camera, picture)?;
        }
        self.index += 1;
        // Nobody takes them any more at the end.
        let _ = self.give_back.1.send(estimates);
        if let Some(picture) = picture {
            let _ = self.give_back.0.send(picture);
        }
        Ok(())
    }

    /// Draws on the picture: the overlay for the bag and the contact sheet, on the images that want one.
    fn draw(
        &mut self,
        estimates: &Estimates,
        frame_id: &str,
        camera: &CameraModel,
        picture: &mut RgbImage,
    ) -> anyhow::Result<()> {
        let is_wanted = self.settings.overlay && self.index.is_multiple_of(u64::from(self.settings.overlay_interval));
        let is_on_sheet = self.settings.overlay && self.index.is_multiple_of(self.sheet_interval);
        if !(is_wanted || is_on_sheet) {
            return Ok(());
        }
        overlay::draw_everybody(picture, camera, &estimates.now.people);
        if is_wanted {
            self.writer.write_overlay(estimates.now.stamp, frame_id, picture)?;
        }
        if is_on_sheet {
            self.sheet.push(overlay::thumbnail(picture, SHEET_PICTURE_WIDTH_PX));
        }
        Ok(())
    }

    /// Closes the bag and writes the sheet.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        self.writer.finish()?;
        if !self.sheet.is_empty() {
            let path = self.folder.join(SHEET_FILE);
            overlay::contact_sheet(&self.sheet, SHEET_COLUMNS)
                .save(&path)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

fn refuse_output(error: BagError) -> anyhow::Error {
    match error {
        BagError::Refused(Refusal::OutputExists(path)) if path.is_file() => {
            Refused::because(format!("{} is a file: name a folder with -o", path.display()))
        }
        BagError::Refused(Refusal::OutputExists(path)) => Refused::because(format!(
            "{} exists and is not empty: name another folder with -o, or go on with an earlier replay of this bag with --resume",
            path.display()
        )),
        other => refuse_bag(other),
    }
}
