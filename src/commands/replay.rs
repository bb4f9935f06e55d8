//! `stridepose replay BAG -o DIR`: the pipeline over a recorded bag. Several bags: [`super::replay_many`].

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use image::RgbImage;
use indicatif::{ProgressBar, ProgressStyle};

use super::{ConsoleArgs, Outcome, Refused, SetupArgs, print, refuse_bag, replay_many};
use crate::adapters::bag::{Bag, CameraTopics, Completeness, ImageSource, KeypointSource, TopicRequest};
use crate::adapters::engine::{self, Engine, Feed};
use crate::adapters::known_camera::KnownCamera;
use crate::adapters::messages::sensor_msgs::CameraInfo;
use crate::adapters::model_store::ModelStore;
use crate::adapters::result_writer::ResultWriter;
use crate::adapters::stage_timer::StageTimer;
use crate::config::{Config, InputConfig};
use crate::data::{PoseEstimate, Stamp};
use crate::geometry::CameraModel;
use crate::pipeline::{Estimates, Pipeline, PipelineError};
use crate::report::machine::Machine;
use crate::report::overlay;
use crate::report::summary::Summary;
use crate::warning::{Warning, WarningKind};

/// Pictures on the contact sheet.
const SHEET_PICTURES: u64 = 12;
const SHEET_COLUMNS: u32 = 4;
const SHEET_PICTURE_WIDTH_PX: u32 = 320;
/// Name of the contact sheet in the output folder.
pub const SHEET_FILE: &str = "overlay.png";
/// Name of the summary in the output folder.
pub const SUMMARY_FILE: &str = "summary.json";

/// Arguments of `stridepose replay`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// The bag: a rosbag2 directory, an .mcap or a .db3 file; several bags, or a folder of bags, are each replayed into a
    /// folder of their own
    #[arg(required = true, value_name = "BAG")]
    pub bags: Vec<PathBuf>,

    /// Folder for the results: a bag, summary.json and overlay.png; must be new or empty for a single bag, and is
    /// carried on with for several
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,

    /// Parameters and models.
    #[command(flatten)]
    pub setup: SetupArgs,

    /// Write the summary of a single bag to this file as well
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,

    /// Bags replayed at the same time [default: cores / inference.intra_threads]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
}

/// Runs the command.
///
/// # Errors
/// [`Refused`] when input or arguments cannot be used, any other error when the work failed.
pub fn run(args: &ReplayArgs, console: ConsoleArgs) -> anyhow::Result<Outcome> {
    let (config, store) = (args.setup.config()?, args.setup.store()?);
    if let Some(jobs) = replay_many::jobs(&args.bags, &args.output)? {
        if args.summary.is_some() {
            return Err(Refused::because("--summary is for a single bag: each of several has its own summary.json"));
        }
        return replay_many::run(&jobs, &args.output, args.workers.map(usize::from), &config, &store, console);
    }
    let summary = replay(&args.bags[0], &args.output, &config, &store, console)?;
    if let Some(path) = &args.summary {
        write_summary(path, &summary)?;
    }
    let output = args.output.display();
    print(&format!("{}results in {output}: bag, {SUMMARY_FILE}, {SHEET_FILE}\n", summary.text()))?;
    Ok(if summary.is_damaged() { Outcome::Damaged } else { Outcome::Fine })
}

/// Replays `bag` into the folder `output`.
///
/// # Errors
/// [`Refused`] when the bag, a model or the folder cannot be used, any other error when the work failed.
pub fn replay(
    bag_path: &Path,
    output: &Path,
    config: &Config,
    store: &ModelStore,
    console: ConsoleArgs,
) -> anyhow::Result<Summary> {
    let mut bag = Bag::open(bag_path).map_err(refuse_bag)?;
    let source = Source::choose(&bag, &config.input)?;
    let engine = engine::build(config, store, source.feed()).map_err(Refused::because)?;
    let mut run = Run::new(config, engine, output, source.topics(), console)?;
    bag_path.clone_into(&mut run.summary.input);
    let completeness = match &source {
        Source::Images(images) => images.read::<anyhow::Error>(&mut bag, &mut |image| {
            match image {
                Ok(image) => {
                    run.image(image.stamp, image.frame_id, image.camera_info, &mut |pipeline, camera, timer| {
                        pipeline.process_image(image.stamp, &image.image, camera, timer)
                    })?;
                }
                Err(warning) => run.undecodable(&warning),
            }
            Ok(ControlFlow::Continue(()))
        }),
        Source::Keypoints(keypoints) => keypoints.read::<anyhow::Error>(&mut bag, &mut |message| {
            match message {
                Ok(message) => {
                    message.warnings.iter().for_each(|warning| run.warn(warning));
                    run.image(message.stamp, message.frame_id, message.camera_info, &mut |pipeline, camera, timer| {
                        pipeline.process_keypoints(message.stamp, &message.people, camera, timer)
                    })?;
                }
                Err(warning) => run.undecodable(&warning),
            }
            Ok(ControlFlow::Continue(()))
        }),
    }?;
    run.finish(&completeness)
}

/// What is read from the bag.
enum Source {
    Images(ImageSource),
    Keypoints(KeypointSource),
}

impl Source {
    /// Keypoints where their topic is named or where the bag has keypoints and no images, else images.
    fn choose(bag: &Bag, input: &InputConfig) -> anyhow::Result<Self> {
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

    const fn topics(&self) -> &CameraTopics {
        match self {
            Self::Images(source) => source.topics(),
            Self::Keypoints(source) => source.topics(),
        }
    }

    const fn feed(&self) -> Feed {
        match self {
            Self::Images(_) => Feed::Images,
            Self::Keypoints(_) => Feed::Keypoints,
        }
    }
}

/// The pipeline's work on one image.
type Work<'a> = dyn FnMut(&mut Pipeline, &CameraModel, &mut StageTimer) -> Result<Estimates, PipelineError> + 'a;

/// One replay under way.
struct Run<'a> {
    config: &'a Config,
    engine: Engine,
    timer: StageTimer,
    output: &'a Path,
    writer: ResultWriter,
    camera: KnownCamera,
    summary: Summary,
    sheet: Vec<RgbImage>,
    sheet_interval: u64,
    bar: ProgressBar,
    began: Instant,
}

impl<'a> Run<'a> {
    fn new(
        config: &'a Config,
        engine: Engine,
        output: &'a Path,
        topics: &CameraTopics,
        console: ConsoleArgs,
    ) -> anyhow::Result<Self> {
        let count = topics.source_count.unwrap_or(0);
        let bar = if console.shows_progress() {
            let style = "{elapsed_precise} [{wide_bar}] {pos}/{len} images, {per_sec}, {eta} left";
            ProgressBar::new(count).with_style(ProgressStyle::with_template(style)?)
        } else {
            ProgressBar::hidden()
        };
        let mut summary =
            Summary { version: env!("CARGO_PKG_VERSION"), topic: topics.source.clone(), ..Summary::default() };
        summary.machine = Machine::here();
        summary.parameters = serde_yaml::from_str(&config.to_parameter_file())?;
        summary.set_models(&engine.models);
        for (part, model) in &engine.models {
            for attempt in &model.attempts {
                if let Some(reason) = &attempt.failure {
                    tracing::debug!("{part} {}: provider {} does not work here: {reason}", model.name, attempt.name);
                }
            }
            tracing::debug!("{part}: {} on {}", model.name, model.provider);
        }
        // The folder is checked before anything is read.
        let writer = ResultWriter::create(output, &config.output, engine.pipeline.lookahead()).map_err(refuse_bag)?;
        Ok(Self {
            config,
            timer: StageTimer::new(engine.network_time.clone()),
            engine,
            output,
            writer,
            camera: KnownCamera::default(),
            summary,
            sheet: Vec::new(),
            sheet_interval: count.div_ceil(SHEET_PICTURES).max(1),
            bar,
            began: Instant::now(),
        })
    }

    /// One image or one set of keypoints, good as far as the message goes.
    fn image(
        &mut self,
        stamp: Stamp,
        frame_id: &str,
        camera_info: &CameraInfo,
        work: &mut Work<'_>,
    ) -> anyhow::Result<()> {
        let estimates = match self.camera.of(camera_info) {
            Ok(camera) => {
                self.summary.camera.get_or_insert_with(|| camera.intrinsics().into());
                work(&mut self.engine.pipeline, camera, &mut self.timer)?
            }
            Err(reason) => Estimates::nobody(stamp, Warning::new(WarningKind::CameraInfoRefused, reason)),
        };
        self.timer.end_image();
        self.summary.count(&estimates.now);
        for warning in &estimates.now.warnings {
            self.warn(warning);
        }
        self.writer.write_camera(stamp, camera_info)?;
        self.writer.write(&estimates, frame_id)?;
        self.draw(&estimates.now, frame_id)?;
        self.engine.pipeline.recycle(estimates);
        self.bar.inc(1);
        Ok(())
    }

    /// A message that could not be decoded.
    fn undecodable(&mut self, warning: &Warning) {
        self.summary.images += 1;
        self.warn(warning);
        self.bar.inc(1);
    }

    fn warn(&mut self, warning: &Warning) {
        if self.summary.warn(warning) {
            self.bar.suspend(|| tracing::warn!("{warning}"));
        }
    }

    /// Draws the overlay for the bag and the contact sheet, on the images that want one.
    fn draw(&mut self, estimate: &PoseEstimate, frame_id: &str) -> anyhow::Result<()> {
        let index = self.summary.images - 1;
        let output = &self.config.output;
        let is_wanted = output.overlay && index.is_multiple_of(u64::from(output.overlay_interval));
        let is_on_sheet = output.overlay && index.is_multiple_of(self.sheet_interval);
        let Some(camera) = self.camera.last() else { return Ok(()) };
        if !(is_wanted || is_on_sheet) {
            return Ok(());
        }
        let picture = overlay::draw_everybody(self.engine.pipeline.last_image(), camera, &estimate.people);
        if is_wanted {
            self.writer.write_overlay(estimate.stamp, frame_id, &picture)?;
        }
        if is_on_sheet {
            self.sheet.push(picture);
        }
        Ok(())
    }

    fn finish(mut self, completeness: &Completeness) -> anyhow::Result<Summary> {
        if let Completeness::Damaged { .. } = completeness {
            let warning = Warning::new(WarningKind::BagDamaged, completeness.to_string());
            self.summary.damage = Some(completeness.to_string());
            self.warn(&warning);
        }
        self.writer.finish()?;
        self.bar.finish_and_clear();
        self.summary.stages_ms = self.timer.percentiles();
        self.summary.own_ms = self.timer.own();
        self.summary.images_per_second = self.summary.images as f64 / self.began.elapsed().as_secs_f64().max(1e-9);
        if !self.sheet.is_empty() {
            let path = self.output.join(SHEET_FILE);
            overlay::contact_sheet(&self.sheet, SHEET_COLUMNS, SHEET_PICTURE_WIDTH_PX)
                .save(&path)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        write_summary(&self.output.join(SUMMARY_FILE), &self.summary)?;
        Ok(self.summary)
    }
}

fn write_summary(path: &Path, summary: &Summary) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(summary)? + "\n";
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Removes an earlier result, and nothing else: a folder that holds anything but a bag and its reports stays.
///
/// # Errors
/// [`Refused`] for a folder with other things in it, an I/O error where it cannot be removed.
pub(super) fn remove_result(folder: &Path) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let is_ours = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        ["metadata.yaml", SUMMARY_FILE, SHEET_FILE].contains(&name)
            || path.extension().is_some_and(|kind| kind == "mcap")
    };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if !is_ours(&path) {
            let path = path.display();
            return Err(Refused::because(format!("{path} is no part of a result: name another folder with -o")));
        }
    }
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
}
