//! `stridepose replay BAG -o DIR`: the pipeline over a recorded bag. Several bags: [`super::replay_many`].

mod detect_ahead;
mod input;
mod output;
mod progress;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use anyhow::Context;
use image::RgbImage;
use serde::Serialize;
use serde_json::Value;

use self::detect_ahead::{DetectAhead, NextDetection};
use self::input::{Content, Input, Picture, Source};
use self::output::{Answer, Message, Output};
pub use self::progress::Progress;
use super::files::check_outputs;
use super::{ConsoleArgs, Outcome, Refused, SetupArgs, print, refuse_bag, replay_many};
use crate::adapters::bag::identity::{check_closed, fingerprint};
use crate::adapters::bag::writer::{PARTIAL_METADATA_FILE, is_our_file};
use crate::adapters::bag::{
    Bag, CameraTopics, Completeness, RecordedTransforms, Skipped, read_transforms, rosbag2_metadata,
};
use crate::adapters::engine::{self, Engine, Feed};
use crate::adapters::gravity;
use crate::adapters::known_camera::KnownCamera;
use crate::adapters::model_store::ModelStore;
use crate::adapters::stage_timer::StageTimer;
use crate::adapters::tf::TransformBuffer;
use crate::config::{Config, Gravity, InputConfig};
use crate::pipeline::{Estimates, Stage};
use crate::report::machine::Machine;
use crate::report::summary::Summary;
use crate::warning::{Warning, WarningKind};

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

    /// Folder for the results: a bag, summary.json and overlay.png; must be new or empty for a single bag without --resume,
    /// and is carried on with for several
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,

    /// Keep a finished result of the same bag and parameters, do a half one again; several bags always are resumed
    #[arg(long)]
    pub resume: bool,

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
    let (bag, output) = (&args.bags[0], args.output.display());
    check_outputs(&args.summary, [bag].into_iter().chain(&args.setup.config))?;
    if args.resume {
        if let Some(kept) = finished_result(bag, &args.output, &config)? {
            if let Some(path) = &args.summary {
                write_summary(path, &kept)?;
            }
            print(&format!(
                "{output} holds the finished result of {}: kept, {} images\n",
                bag.display(),
                kept["images"]
            ))?;
            return Ok(if Summary::tells_damage(&kept) { Outcome::Damaged } else { Outcome::Fine });
        }
        remove_half_result(bag, &args.output)?;
    }
    let progress = Progress::of_one(console)?;
    let summary = replay(bag, &args.output, &config, &store, &progress, Overlap::WhereThereIsACore)?;
    if let Some(path) = &args.summary {
        write_summary(path, &summary)?;
    }
    let sheet = if args.output.join(SHEET_FILE).exists() { format!(", {SHEET_FILE}") } else { String::new() };
    print(&format!("{}results in {output}: bag, {SUMMARY_FILE}{sheet}\n", summary.text()))?;
    Ok(if summary.is_damaged() { Outcome::Damaged } else { Outcome::Fine })
}

/// Replays `bag` into the folder `output`. Where there is a core for it, images are read, decoded and looked at for people ahead,
/// and results are written behind, each in a thread of its own; the result is the same.
///
/// # Errors
/// [`Refused`] when the bag, a model or the folder cannot be used, any other error when the work failed.
pub fn replay(
    bag_path: &Path,
    output: &Path,
    config: &Config,
    store: &ModelStore,
    progress: &Progress,
    overlap: Overlap,
) -> anyhow::Result<Summary> {
    let mut bag = Bag::open(bag_path).map_err(refuse_bag)?;
    let source = Source::choose(&bag, &config.input)?;
    let engine = engine::build(config, store, source.feed()).map_err(Refused::because)?;
    let (frames, problems) = match config.input.gravity {
        Gravity::Tf => {
            let RecordedTransforms { buffer, problems, .. } = read_transforms(&mut bag).map_err(refuse_bag)?;
            (buffer, problems)
        }
        Gravity::Fixed | Gravity::Unknown => Default::default(),
    };
    let (give_picture, spare_pictures) = mpsc::channel();
    let (give_estimates, spare_estimates) = mpsc::channel();
    let give_back = (give_picture, give_estimates);
    // The folder is checked before anything is read.
    let count = source.topics().source_count.unwrap_or(0);
    let mut written = Output::create(output, &config.output, &engine.pipeline, count, give_back)?;
    progress.begin_bag(count);
    let mut run = Run::new(config, engine, source.topics(), frames, spare_estimates, progress)?;
    for problem in problems {
        run.warn(&Warning::new(WarningKind::MessageRefused, problem));
    }
    bag_path.clone_into(&mut run.summary.input);
    run.summary.input_fingerprint = Some(fingerprint(bag_path).map_err(refuse_bag)?);
    let completeness = if overlap == Overlap::WhereThereIsACore
        && thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
    {
        let ahead = match source.feed() {
            Feed::Images => DetectAhead::new(config, store, run.next_detection.clone()).map_err(Refused::because)?,
            Feed::Keypoints => None,
        };
        run_in_threads(&mut run, ahead, written, &source, &mut bag, spare_pictures)?
    } else {
        let completeness = source.read(&mut bag, &spare_pictures, &mut |input| {
            written.write(run.take(input)?)?;
            Ok(ControlFlow::Continue(()))
        })?;
        written.write(run.last()?)?;
        written.finish()?;
        completeness
    };
    run.finish(&completeness, output)
}

/// Whether a replay may use threads beside that of the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Where this process has more than one core.
    WhereThereIsACore,
    /// Not at all: others use the cores.
    Never,
}

/// Messages that wait to be written, at most.
const WAITING_OUT: usize = 2;
/// Messages that wait for the networks, at most: a detector takes as long as a few images.
const WAITING_IN: usize = 4;

/// Reading, decoding and the detector ahead, the other networks in this thread, writing behind.
fn run_in_threads(
    run: &mut Run<'_>,
    mut ahead: Option<DetectAhead>,
    mut written: Output,
    source: &Source,
    bag: &mut Bag,
    spare: Receiver<RgbImage>,
) -> anyhow::Result<Completeness> {
    let (send_input, inputs) = mpsc::sync_channel(WAITING_IN);
    let (send_message, messages) = mpsc::sync_channel::<Message>(WAITING_OUT);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            source.read(bag, &spare, &mut |mut input| {
                if let Some(ahead) = &mut ahead {
                    let picture = input.as_mut().ok().and_then(Input::picture_mut);
                    let found = ahead.see(picture.as_ref().map(|picture| &picture.pixels))?;
                    if let Some(picture) = picture {
                        picture.found = found;
                    }
                }
                let is_taken = send_input.send(input).is_ok();
                Ok(if is_taken { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })
        });
        let writer = scope.spawn(move || {
            messages.into_iter().try_for_each(|message| written.write(message))?;
            written.finish()
        });
        // A reader or writer that fails closes its channel: the loop ends, and its error is what is told.
        let send = |message: anyhow::Result<Message>| send_message.send(message.map_err(Some)?).map_err(|_| None);
        let worked = inputs.into_iter().try_for_each(|input| send(run.take(input)));
        let worked = worked.and_then(|()| send(run.last()));
        drop(send_message);
        let (read, wrote) = (join(reader), join(writer));
        match worked {
            Err(Some(error)) => Err(error),
            _ => wrote.and(read),
        }
    })
}

fn join<T>(thread: ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// One replay under way: the part with the networks.
struct Run<'a> {
    engine: Engine,
    timer: StageTimer,
    camera: KnownCamera,
    summary: Summary,
    progress: &'a Progress,
    began: Instant,
    spare: Receiver<Estimates>,
    /// Messages so far.
    messages: u64,
    next_detection: NextDetection,
    input: InputConfig,
    /// The frames of the whole bag, where gravity is told by them.
    frames: TransformBuffer,
}

impl<'a> Run<'a> {
    fn new(
        config: &Config,
        engine: Engine,
        topics: &CameraTopics,
        frames: TransformBuffer,
        spare: Receiver<Estimates>,
        progress: &'a Progress,
    ) -> anyhow::Result<Self> {
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
        Ok(Self {
            timer: StageTimer::new(engine.network_time.clone()),
            engine,
            camera: KnownCamera::default(),
            summary,
            progress,
            began: Instant::now(),
            spare,
            messages: 0,
            next_detection: NextDetection::default(),
            input: config.input.clone(),
            frames,
        })
    }

    /// One message of the bag.
    fn take(&mut self, input: Result<Input, Skipped>) -> anyhow::Result<Message> {
        while let Ok(estimates) = self.spare.try_recv() {
            self.engine.pipeline.recycle(estimates);
        }
        self.messages += 1;
        let message = match input {
            Ok(input) => Message::Answer(self.estimate(input)?),
            Err(Skipped { warning, stamp }) => {
                self.warn(&warning);
                let Some(stamp) = stamp else { return Ok(Message::Nothing) };
                self.summary.images += 1;
                Message::Unread(stamp)
            }
        };
        self.progress.image();
        let pipeline = &self.engine.pipeline;
        self.next_detection.set(self.messages + u64::from(pipeline.images_to_detector()), pipeline.view().roll());
        Ok(message)
    }

    /// After the last message of the bag: what is still to be said of earlier ones.
    fn last(&mut self) -> anyhow::Result<Message> {
        let earlier = match self.camera.last() {
            Some(camera) => self.engine.pipeline.finish(camera)?,
            None => Vec::new(),
        };
        Ok(Message::Last(earlier))
    }

    /// One image or one set of keypoints, good as far as the message goes.
    fn estimate(&mut self, input: Input) -> anyhow::Result<Answer> {
        let Input { stamp, frame_id, camera_info, content } = input;
        let pipeline = &mut self.engine.pipeline;
        let find = |upright: &str| self.frames.target_from_source(&frame_id, upright, stamp);
        let (upright, untold) = gravity::in_camera(&self.input, find);
        pipeline.set_upright(upright);
        let mut picture = None;
        let mut estimates = match (self.camera.of(&camera_info), content) {
            (Err(reason), content) => {
                if let Content::Picture(Ok(decoded)) = content {
                    picture = Some(decoded.pixels);
                }
                Estimates::nobody(stamp, Warning::new(WarningKind::CameraInfoRefused, reason))
            }
            (Ok(_), Content::Picture(Err(warning))) => Estimates::nobody(stamp, warning),
            (Ok(camera), Content::Picture(Ok(Picture { pixels, decoding, found }))) => {
                self.timer.add(Stage::Decode, decoding);
                if let Some(found) = &found {
                    self.timer.offer(Stage::Detect, found.took, found.own);
                }
                let ahead = found.as_ref().map(|found| (&*found.detections, found.view));
                let estimates = pipeline.process_picture(stamp, &pixels, ahead, camera, &mut self.timer)?;
                picture = Some(pixels);
                estimates
            }
            (Ok(camera), Content::Keypoints(people, warnings)) => {
                picture = Some(RgbImage::default());
                let mut estimates = pipeline.process_keypoints(stamp, &people, camera, &mut self.timer)?;
                estimates.now.warnings.extend(warnings);
                estimates
            }
        };
        estimates.now.warnings.extend(untold);
        let camera = self.camera.last().cloned();
        if let Some(camera) = &camera {
            self.summary.camera.get_or_insert_with(|| camera.intrinsics().into());
        }
        self.timer.end_image();
        self.summary.count(&estimates.now);
        for warning in &estimates.now.warnings {
            self.warn(warning);
        }
        Ok(Answer { estimates, frame_id, camera_info, camera, picture })
    }

    fn warn(&mut self, warning: &Warning) {
        if self.summary.warn(warning) {
            self.progress.suspend(|| tracing::warn!("{warning}"));
        }
    }

    fn finish(mut self, completeness: &Completeness, output: &Path) -> anyhow::Result<Summary> {
        if let Completeness::Damaged { .. } = completeness {
            let warning = Warning::new(WarningKind::BagDamaged, completeness.to_string());
            self.summary.damage = Some(completeness.to_string());
            self.warn(&warning);
        }
        self.progress.end_bag();
        self.summary.stages_ms = self.timer.percentiles();
        self.summary.own_ms = self.timer.own();
        self.summary.images_per_second = self.summary.images as f64 / self.began.elapsed().as_secs_f64().max(1e-9);
        write_summary(&output.join(SUMMARY_FILE), &self.summary)?;
        Ok(self.summary)
    }
}

fn write_summary(path: &Path, summary: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(summary)? + "\n";
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The summary of a finished result of the same bag with the same parameters; `None` where there is none that is finished
/// and all there.
///
/// # Errors
/// [`Refused`] for a finished result of another bag or with other parameters.
pub(super) fn finished_result(bag: &Path, result: &Path, config: &Config) -> anyhow::Result<Option<Value>> {
    let Ok(text) = fs::read_to_string(result.join(SUMMARY_FILE)) else { return Ok(None) };
    // Cut off in the middle: not finished.
    let Ok(summary) = serde_json::from_str::<Value>(&text) else { return Ok(None) };
    let parameters: Value = serde_yaml::from_str(&config.to_parameter_file())?;
    let other = if !is_result_of(bag, &summary) {
        let place = if is_input(bag, &summary) { format!(" than {} is now", bag.display()) } else { String::new() };
        format!("of another bag{place}")
    } else if summary["parameters"] != parameters {
        "made with other parameters".to_owned()
    } else if let Err(problem) = check_closed(result) {
        tracing::warn!("the result in {} is no longer whole and is done again: {problem}", result.display());
        return Ok(None);
    } else {
        return Ok(Some(summary));
    };
    Err(Refused::because(format!("{} holds a result {other}: name another folder with -o", result.display())))
}

/// Whether the result with this summary was made from `bag`: from one of the same content, wherever it lay. By the path,
/// where the content cannot be compared: the summary is of a version that did not write it down, or the bag is gone.
fn is_result_of(bag: &Path, summary: &Value) -> bool {
    match (summary["input_fingerprint"].as_str(), fingerprint(bag)) {
        (Some(then), Ok(now)) => then == now,
        _ => is_input(bag, summary),
    }
}

/// Whether the path of `bag` is that of the summary, however it is written.
fn is_input(bag: &Path, summary: &Value) -> bool {
    summary["input"].as_str().map(Path::new).is_some_and(|input| {
        input == bag || input.canonicalize().ok().zip(bag.canonicalize().ok()).is_some_and(|(input, bag)| input == bag)
    })
}

/// Removes what a replay of `bag` that was stopped left in `result`.
///
/// # Errors
/// As [`remove_result`]; [`Refused`] also where that would remove the bag.
pub(super) fn remove_half_result(bag: &Path, result: &Path) -> anyhow::Result<()> {
    // Without a bag there will be no new result.
    let (Ok(bag), Ok(folder)) = (bag.canonicalize(), result.canonicalize()) else { return Ok(()) };
    if bag.starts_with(&folder) {
        let result = result.display();
        return Err(Refused::because(format!("{result} is where the bag itself lies: name another folder with -o")));
    }
    remove_result(result)
}

/// Empties the folder of an earlier result, and of nothing else: one that holds anything but a bag that this program wrote
/// and its reports stays as it is.
///
/// # Errors
/// [`Refused`] for a folder with other things in it, an I/O error where it cannot be removed.
pub(super) fn remove_result(folder: &Path) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let is_ours = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        [rosbag2_metadata::FILE_NAME, PARTIAL_METADATA_FILE, SUMMARY_FILE, SHEET_FILE].contains(&name)
            || path.extension().is_some_and(|kind| kind == "mcap") && is_our_file(path).unwrap_or(false)
    };
    let paths: Vec<PathBuf> = entries
        .map(|entry| Ok(entry.with_context(|| format!("cannot list {}", folder.display()))?.path()))
        .collect::<anyhow::Result<_>>()?;
    if let Some(other) = paths.iter().find(|path| !is_ours(path)) {
        let other = other.display();
        return Err(Refused::because(format!("{other} is no part of a result: name another folder with -o")));
    }
    // The folder stays: it may be a link to a larger disk.
    for path in paths {
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}
