//! The inference thread of the live node: takes the newest message from the inbox, runs the pipeline, publishes. It
//! owns the engine; everything it shares with the rest of the node is in [`Shared`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nalgebra::Isometry3;

use super::diagnostics::WorkerFacts;
use super::humans;
use super::inbox::{Inbox, Parcel};
use crate::adapters::bag::{image_source, keypoint_source};
use crate::adapters::engine::{Engine, Feed};
use crate::adapters::gravity;
use crate::adapters::known_camera::KnownCamera;
use crate::adapters::messages::geometry_msgs::{self, Point, TransformStamped};
use crate::adapters::messages::hri_msgs::{IdsList, NormalizedRegionOfInterest2D, Skeleton2D};
use crate::adapters::messages::sensor_msgs::{CameraInfo, CompressedImage, Image};
use crate::adapters::messages::std_msgs::Header;
use crate::adapters::messages::stridepose::SkeletonArray;
use crate::adapters::messages::tf2_msgs::TfMessage;
use crate::adapters::messages::{Encode, from_cdr, to_cdr};
use crate::adapters::stage_timer::StageTimer;
use crate::adapters::tf::{TfError, TransformBuffer};
use crate::config::{Config, NodeConfig, Transport};
use crate::data::{PersonEstimate, PoseEstimate, Stamp};
use crate::geometry::CameraModel;
use crate::pipeline::{Estimates, Pipeline, PipelineError};
use crate::report::{markers, overlay};
use crate::skeleton::Joint;
use crate::warning::{Warning, WarningKind, count_warning};

/// What the node publishes for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    /// Everybody, now.
    Skeletons,
    /// Everybody in an earlier image, with look-ahead.
    Refined,
    /// Markers for RViz.
    Markers,
    /// The image with skeletons.
    Overlay,
    /// The same as JPEG.
    OverlayCompressed,
    /// Joints as coordinate frames.
    Tf,
    /// REP-155: who is in view.
    Bodies,
}

/// What is published for each body of REP-155.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BodyOutput {
    /// Its keypoints in the image.
    Skeleton,
    /// Its region in the image.
    Region,
}

/// Where messages go.
pub trait Publish: Send {
    /// Whether anybody listens.
    fn is_wanted(&self, output: Output) -> bool;
    /// Sends a message, CDR.
    fn publish(&self, output: Output, data: &[u8]);
    /// From now on these bodies, and no others, have topics of their own.
    fn set_bodies(&mut self, ids: &[String]);
    /// Sends a message of one body, CDR.
    fn publish_body(&self, id: &str, output: BodyOutput, data: &[u8]);
}

/// What the inference thread shares with the rest of the node.
#[derive(Default)]
pub struct Shared {
    /// Messages on their way in.
    pub inbox: Inbox,
    /// Coordinate frames.
    pub frames: Frames,
    config: Mutex<Config>,
    config_version: AtomicU64,
    facts: Mutex<WorkerFacts>,
    timer: Mutex<StageTimer>,
}

impl Shared {
    /// Gives the inference thread new settings, from the next image on.
    pub fn set_config(&self, config: &Config) {
        config.clone_into(&mut locked(&self.config));
        self.config_version.fetch_add(1, Ordering::Release);
    }

    /// What the inference thread did since this was asked last.
    pub fn take_facts(&self) -> WorkerFacts {
        let timer = {
            let mut timer = locked(&self.timer);
            let fresh = timer.restarted();
            std::mem::replace(&mut *timer, fresh)
        };
        let mut facts = locked(&self.facts);
        let mut taken = facts.clone();
        (facts.processed, facts.new_warnings) = (0, 0);
        drop(facts);
        taken.stages_ms =
            timer.percentiles().into_iter().map(|(stage, times)| (stage, [times.p50, times.p95, times.p99])).collect();
        taken
    }

    /// Why the inference thread stopped, if it did.
    pub fn failure(&self) -> Option<String> {
        locked(&self.facts).failure.clone()
    }
}

/// The transforms that have arrived; whoever needs one that has not waits a little.
#[derive(Default)]
pub struct Frames {
    buffer: Mutex<TransformBuffer>,
    changed: Condvar,
}

impl Frames {
    /// Takes in a message of /tf or /tf_static; one that cannot be read is left out.
    pub fn take_in(&self, data: &[u8], is_static: bool) {
        let Ok(message) = from_cdr::<TfMessage<'_>>(data) else { return };
        locked(&self.buffer).take_in(&message, is_static);
        self.changed.notify_all();
    }

    /// [`TransformBuffer::target_from_source`], waiting up to `timeout` for what may still come.
    ///
    /// # Errors
    /// [`TfError`] after the timeout, or at once when waiting cannot help.
    pub fn wait_for(
        &self,
        target: &str,
        source: &str,
        stamp: Stamp,
        timeout: Duration,
    ) -> Result<Isometry3<f64>, TfError> {
        let deadline = Instant::now() + timeout;
        let mut buffer = locked(&self.buffer);
        loop {
            let error = match buffer.target_from_source(target, source, stamp) {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !error.may_come() {
                return Err(error);
            }
            buffer = self.changed.wait_timeout(buffer, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The inference thread's own.
pub struct Worker<P> {
    shared: Arc<Shared>,
    engine: Engine,
    feed: Feed,
    publisher: P,
    /// The node's time.
    now: Box<dyn Fn() -> Stamp + Send>,
    config: Config,
    config_version: u64,
    camera: KnownCamera,
    images: u64,
    buffer: Vec<u8>,
}

impl<P: Publish> Worker<P> {
    /// A worker around a loaded engine.
    pub fn new(
        shared: Arc<Shared>,
        engine: Engine,
        feed: Feed,
        publisher: P,
        now: Box<dyn Fn() -> Stamp + Send>,
    ) -> Self {
        let config = locked(&shared.config).clone();
        let config_version = shared.config_version.load(Ordering::Acquire);
        *locked(&shared.timer) = StageTimer::new(engine.network_time.clone());
        let camera = KnownCamera::default();
        Self { shared, engine, feed, publisher, now, config, config_version, camera, images: 0, buffer: Vec::new() }
    }

    /// Works until the inbox is closed, or an engine fails. Gives the engine back unless it failed.
    pub fn run(mut self) -> Option<Engine> {
        let shared = self.shared.clone();
        while let Some(parcel) = shared.inbox.take() {
            let failure = match catch_unwind(AssertUnwindSafe(|| self.process(&parcel))) {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it panicked: a bug; please report the image and this log".to_owned(),
            };
            tracing::error!("inference stopped: {failure}; deactivate and activate the node to try again");
            locked(&shared.facts).failure = Some(failure);
            return None;
        }
        Some(self.engine)
    }

    /// The way of one message.
    fn process(&mut self, parcel: &Parcel) -> Result<(), PipelineError> {
        let version = self.shared.config_version.load(Ordering::Acquire);
        if version != self.config_version {
            self.config = locked(&self.shared.config).clone();
            self.config_version = version;
            self.engine.pipeline.set_config(&self.config);
        }
        let read = match self.feed {
            Feed::Images => self.image(parcel)?,
            Feed::Keypoints => self.keypoints(parcel)?,
        };
        let (frame_id, estimates) = match read {
            Ok(read) => read,
            Err(warning) => {
                self.warn(&[warning]);
                return Ok(());
            }
        };
        self.warn(&estimates.now.warnings);
        self.publish_all(&estimates, frame_id);
        self.images += 1;
        let age = (self.now)().seconds_since(estimates.now.stamp);
        let mut facts = locked(&self.shared.facts);
        facts.processed += 1;
        facts.people = estimates.now.people.len();
        facts.age_secs = Some(age);
        drop(facts);
        self.engine.pipeline.recycle(estimates);
        Ok(())
    }

    fn image<'a>(&mut self, parcel: &'a Parcel) -> Result<Result<(&'a str, Estimates), Warning>, PipelineError> {
        let is_compressed = self.config.node.transport == Transport::Compressed;
        let (Header { stamp, frame_id }, image) = match image_source::decode(&parcel.data, is_compressed) {
            Ok(decoded) => decoded,
            Err(error) => return Ok(Err(Warning::new(WarningKind::ImageRefused, error.to_string()))),
        };
        let work = |pipeline: &mut Pipeline, camera: &CameraModel, timer: &mut StageTimer| {
            pipeline.process_image(stamp, &image, camera, timer)
        };
        Ok(Ok((frame_id, self.estimate((stamp, frame_id), &parcel.camera_info, work)?)))
    }

    fn keypoints<'a>(&mut self, parcel: &'a Parcel) -> Result<Result<(&'a str, Estimates), Warning>, PipelineError> {
        let (Header { stamp, frame_id }, people, warnings) = match keypoint_source::decode(&parcel.data) {
            Ok(decoded) => decoded,
            Err(why) => return Ok(Err(Warning::new(WarningKind::KeypointsRefused, why))),
        };
        let work = |pipeline: &mut Pipeline, camera: &CameraModel, timer: &mut StageTimer| {
            pipeline.process_keypoints(stamp, &people, camera, timer)
        };
        let mut estimates = self.estimate((stamp, frame_id), &parcel.camera_info, work)?;
        estimates.now.warnings.extend(warnings);
        Ok(Ok((frame_id, estimates)))
    }

    /// Runs the pipeline's `work` with the camera that `info` describes; nobody where that makes no sense.
    fn estimate(
        &mut self,
        (stamp, frame_id): (Stamp, &str),
        info: &CameraInfo,
        work: impl FnOnce(&mut Pipeline, &CameraModel, &mut StageTimer) -> Result<Estimates, PipelineError>,
    ) -> Result<Estimates, PipelineError> {
        let camera = self.camera.of(info);
        locked(&self.shared.facts).camera_problem = camera.as_ref().err().cloned();
        match camera {
            Ok(camera) => {
                let timeout = Duration::from_secs_f64(self.config.node.tf_timeout_secs);
                let find = |upright: &str| self.shared.frames.wait_for(frame_id, upright, stamp, timeout);
                let (upright, untold) = gravity::in_camera(&self.config.input, find);
                self.engine.pipeline.set_upright(upright);
                // Timed apart, so that whoever asks for the times never waits for an image.
                let mut timer = locked(&self.shared.timer).restarted();
                let mut estimates = work(&mut self.engine.pipeline, camera, &mut timer)?;
                locked(&self.shared.timer).absorb(timer);
                estimates.now.warnings.extend(untold);
                Ok(estimates)
            }
            Err(reason) => Ok(Estimates::nobody(stamp, Warning::new(WarningKind::CameraInfoRefused, reason))),
        }
    }

    fn warn(&self, warnings: &[Warning]) {
        let mut facts = locked(&self.shared.facts);
        for warning in warnings {
            facts.new_warnings += 1;
            if count_warning(&mut facts.warnings, warning) {
                tracing::warn!("{warning}");
            }
        }
    }

    /// Everything that somebody listens to; skeletons always.
    fn publish_all(&mut self, estimates: &Estimates, frame_id: &str) {
        let (now, frame) = self.in_target_frame(&estimates.now, frame_id);
        self.send(Output::Skeletons, &SkeletonArray::from_estimate(&now, &frame, Duration::ZERO));
        let earlier = if self.config.output.refined { &estimates.earlier[..] } else { &[] };
        for earlier in earlier {
            let lookahead = self.engine.pipeline.lookahead();
            let (earlier, frame) = self.in_target_frame(earlier, frame_id);
            self.send(Output::Refined, &SkeletonArray::from_estimate(&earlier, &frame, lookahead));
        }
        if self.config.output.markers && self.publisher.is_wanted(Output::Markers) {
            self.send(Output::Markers, &markers::markers(&now, &frame));
        }
        if self.config.node.publish_tf && !now.people.is_empty() {
            self.send(Output::Tf, &joint_frames(&now, &frame, &self.config.node));
        }
        if self.config.node.humans {
            self.publish_humans(&estimates.now, frame_id);
        }
        self.publish_overlay(&estimates.now, frame_id);
    }

    fn publish_humans(&mut self, estimate: &PoseEstimate, frame_id: &str) {
        let Some(size) = self.camera.last().map(CameraModel::image_size) else { return };
        let header = Header { stamp: estimate.stamp, frame_id };
        let ids: Vec<String> = estimate.people.iter().map(humans::body_id).collect();
        self.publisher.set_bodies(&ids);
        for (person, id) in estimate.people.iter().zip(&ids) {
            let skeleton = Skeleton2D { header, skeleton: humans::skeleton_2d(person, size) };
            to_cdr(&skeleton, &mut self.buffer);
            self.publisher.publish_body(id, BodyOutput::Skeleton, &self.buffer);
            let corners = humans::region(person, size);
            let region = NormalizedRegionOfInterest2D { header, corners, confidence: person.score as f32 };
            to_cdr(&region, &mut self.buffer);
            self.publisher.publish_body(id, BodyOutput::Region, &self.buffer);
        }
        // The list comes last: who hears of a body finds its topics.
        self.send(Output::Bodies, &IdsList { header, ids: &ids });
    }

    fn publish_overlay(&mut self, estimate: &PoseEstimate, frame_id: &str) {
        let settings = &self.config.output;
        let is_due = settings.overlay && self.images.is_multiple_of(u64::from(settings.overlay_interval));
        let wants = |output| is_due && self.publisher.is_wanted(output);
        let (raw, compressed) = (wants(Output::Overlay), wants(Output::OverlayCompressed));
        let Some(camera) = self.camera.last().filter(|_| raw || compressed) else { return };
        let mut picture = self.engine.pipeline.last_image().clone();
        overlay::draw_everybody(&mut picture, camera, &estimate.people);
        let header = Header { stamp: estimate.stamp, frame_id };
        if raw {
            let (width, height) = picture.dimensions();
            let step = 3 * width;
            let data = picture.as_raw();
            self.send(
                Output::Overlay,
                &Image { header, height, width, encoding: "rgb8", is_bigendian: false, step, data },
            );
        }
        if compressed && let Some(jpeg) = overlay::jpeg(&picture, overlay::JPEG_QUALITY) {
            self.send(Output::OverlayCompressed, &CompressedImage { header, format: "jpeg", data: &jpeg });
        }
    }

    /// The estimate and its frame: the target frame at the estimate's own stamp, or the camera's when that is not known,
    /// which is counted and said.
    fn in_target_frame<'e>(
        &self,
        estimate: &'e PoseEstimate,
        frame_id: &'e str,
    ) -> (Cow<'e, PoseEstimate>, Cow<'e, str>) {
        let in_camera_frame = (Cow::Borrowed(estimate), Cow::Borrowed(frame_id));
        let target = &self.config.node.target_frame;
        if target.is_empty() {
            return in_camera_frame;
        }
        let timeout = Duration::from_secs_f64(self.config.node.tf_timeout_secs);
        let found = self.shared.frames.wait_for(target, frame_id, estimate.stamp, timeout);
        let mut facts = locked(&self.shared.facts);
        match found {
            Ok(target_from_camera) => {
                facts.tf_problem = None;
                (Cow::Owned(moved(estimate, &target_from_camera)), Cow::Owned(target.clone()))
            }
            Err(error) => {
                facts.tf_failures += 1;
                if facts.tf_problem.is_none() {
                    tracing::warn!("skeletons stay in {frame_id}: {error}");
                }
                facts.tf_problem = Some(error.to_string());
                in_camera_frame
            }
        }
    }

    fn send<M: Encode>(&mut self, output: Output, message: &M) {
        to_cdr(message, &mut self.buffer);
        self.publisher.publish(output, &self.buffer);
    }
}

/// Positions and covariances in another frame.
fn moved(estimate: &PoseEstimate, target_from_camera: &Isometry3<f64>) -> PoseEstimate {
    let rotation = target_from_camera.rotation.to_rotation_matrix();
    let mut moved = estimate.clone();
    for joint in moved.people.iter_mut().flat_map(|person| &mut person.joints) {
        joint.position_in_camera = target_from_camera * joint.position_in_camera;
        joint.covariance = rotation.matrix() * joint.covariance * rotation.matrix().transpose();
    }
    moved
}

/// `<prefix>body_<id>` at each pelvis, and `<prefix><joint>_<id>` for the other joints, with the axes of `frame_id`. The id is
/// the identity's number, or REP-155's word for it where people are published as its bodies too.
fn joint_frames<'a>(estimate: &PoseEstimate, frame_id: &'a str, config: &NodeConfig) -> OwnedFrames<'a> {
    let id = |person: &PersonEstimate| {
        if config.humans { humans::body_id(person) } else { person.track_id.0.to_string() }
    };
    let people =
        estimate.people.iter().map(|person| PersonFrames::new(person, &id(person), &config.tf_prefix)).collect();
    OwnedFrames { stamp: estimate.stamp, frame_id, people }
}

/// The frames of some people; parents are named by what is owned here.
struct OwnedFrames<'a> {
    stamp: Stamp,
    frame_id: &'a str,
    people: Vec<PersonFrames>,
}

/// A body frame with its place, and joint frames relative to it.
struct PersonFrames {
    body: String,
    at: Point,
    joints: Vec<(String, Point)>,
}

impl Encode for OwnedFrames<'_> {
    fn encode(&self, writer: &mut crate::adapters::cdr::CdrWriter<'_>) {
        let mut message = TfMessage::default();
        for PersonFrames { body, at, joints } in &self.people {
            let mut add = |parent, child, translation| {
                message.transforms.push(TransformStamped {
                    header: Header { stamp: self.stamp, frame_id: parent },
                    child_frame_id: Cow::Borrowed(child),
                    translation,
                    rotation: geometry_msgs::Quaternion::default(),
                });
            };
            add(self.frame_id, body.as_str(), *at);
            for (joint, offset) in joints {
                add(body.as_str(), joint.as_str(), *offset);
            }
        }
        message.encode(writer);
    }
}

impl PersonFrames {
    fn new(person: &PersonEstimate, id: &str, prefix: &str) -> Self {
        let pelvis = person.joints[Joint::Pelvis.index()].position_in_camera;
        let joints = Joint::ALL.into_iter().filter(|joint| *joint != Joint::Pelvis).map(|joint| {
            let offset = person.joints[joint.index()].position_in_camera - pelvis;
            (format!("{prefix}{}_{id}", joint.name()), Point { x: offset.x, y: offset.y, z: offset.z })
        });
        let at = Point { x: pelvis.x, y: pelvis.y, z: pelvis.z };
        Self { body: format!("{prefix}body_{id}"), at, joints: joints.collect() }
    }
}

/// The models of an engine and the providers that took them, by part.
pub fn providers_used(engine: &Engine) -> BTreeMap<&'static str, (String, String)> {
    engine.models.iter().map(|(part, model)| (*part, (model.name.clone(), model.provider.clone()))).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole after every statement, whoever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
