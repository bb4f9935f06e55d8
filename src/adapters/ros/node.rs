//! The node on r2r: its entities, the thread that spins them, and what its lifecycle does.
//!
//! r2r's node lives on the spin thread alone. Whoever needs it sends a closure there ([`Spinner`]). Everything else
//! runs on one tokio thread, but for inference, which has a thread of its own while the node is active.

mod log;
mod services;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::{Stream, StreamExt};
use r2r::{QosProfile, diagnostic_msgs, lifecycle_msgs};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::diagnostics::{self, Facts};
use super::inbox::InboxCounts;
use super::lifecycle::{ACTIVE, Duty, Ended, FINALIZED, Lifecycle, State, Transition};
use super::names::Names;
use super::parameters::{Given, ParameterServer};
use super::worker::{BodyOutput, Output, Publish, Shared, Worker, providers_used};
use crate::adapters::engine::{self, Engine, Feed};
use crate::adapters::gpu;
use crate::adapters::messages::hri_msgs::{IdsList, NormalizedRegionOfInterest2D, Skeleton2D};
use crate::adapters::messages::sensor_msgs::{CameraInfo, CompressedImage, Image};
use crate::adapters::messages::std_msgs::Header;
use crate::adapters::messages::stridepose::{JointSet, KeypointArray, SkeletonArray};
use crate::adapters::messages::tf2_msgs::TfMessage;
use crate::adapters::messages::visualization_msgs::MarkerArray;
use crate::adapters::messages::{Message, from_cdr, to_cdr};
use crate::adapters::model_store::ModelStore;
use crate::config::{Gravity, Reliability, Source, Transport, Value};
use crate::data::Stamp;

const NAME: &str = "stridepose";
/// Longest time that a command waits for the spin thread. Messages wake it at once; every waking costs a little.
const SPIN_PERIOD: Duration = Duration::from_millis(50);
const DIAGNOSTICS_PERIOD: Duration = Duration::from_secs(1);
/// Messages that the middleware keeps while the spin thread is busy: as many as r2r's own queue takes, so that a burst of them
/// does not run over there, where nobody counts.
const QUEUE: usize = 10;
/// The inference thread ends within this time, or the process does without it.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(800);

/// A node that cannot go on.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Command = Box<dyn FnOnce(&mut r2r::Node) + Send>;

/// The way to the thread that owns the r2r node.
#[derive(Clone)]
struct Spinner {
    commands: mpsc::Sender<Command>,
}

impl Spinner {
    /// Runs `work` on the spin thread and waits for its answer.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut r2r::Node) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let command: Command = Box::new(move |node| drop(answer.send(work(node))));
        self.commands.send(command).map_err(|_| "the spin thread has ended")?;
        Ok(answered.await?)
    }
}

/// Starts the thread that owns `node`; it ends when `is_stopping` is set.
fn spin(mut node: r2r::Node, is_stopping: Arc<AtomicBool>) -> (Spinner, JoinHandle<()>) {
    let (commands, queue) = mpsc::channel::<Command>();
    let thread = std::thread::spawn(move || {
        while !is_stopping.load(Ordering::Acquire) {
            while let Ok(command) = queue.try_recv() {
                command(&mut node);
            }
            node.spin_once(SPIN_PERIOD);
        }
    });
    (Spinner { commands }, thread)
}

/// The node's time: the system's, or /clock's.
#[derive(Clone)]
struct NodeClock {
    /// Nanoseconds of the last /clock message; `None` without simulated time.
    simulated: Option<Arc<AtomicI64>>,
}

impl NodeClock {
    fn now(&self) -> Stamp {
        Stamp::from_nanoseconds(match &self.simulated {
            Some(time) => time.load(Ordering::Acquire),
            None => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64),
        })
    }

    fn message(&self) -> r2r::builtin_interfaces::msg::Time {
        let now = self.now();
        r2r::builtin_interfaces::msg::Time { sec: now.sec(), nanosec: now.nanosec() }
    }
}

/// Publishers of the inference thread.
struct Publishers {
    fixed: BTreeMap<Output, r2r::PublisherUntyped>,
    /// Of each body in view; made and destroyed on the spin thread.
    bodies: Arc<Mutex<BodyPublishers>>,
    known_bodies: Vec<String>,
    spinner: Spinner,
}

type BodyPublishers = BTreeMap<(String, BodyOutput), r2r::PublisherUntyped>;

impl Publishers {
    fn send(to: &r2r::PublisherUntyped, data: &[u8]) {
        // It fails only when the node is being taken down.
        if let Err(error) = to.publish_raw(data) {
            tracing::debug!("cannot publish: {error}");
        }
    }
}

impl Publish for Publishers {
    fn is_wanted(&self, output: Output) -> bool {
        self.fixed.get(&output).is_some_and(|to| to.get_inter_process_subscription_count().unwrap_or(0) > 0)
    }

    fn publish(&self, output: Output, data: &[u8]) {
        self.fixed.get(&output).into_iter().for_each(|to| Self::send(to, data));
    }

    fn set_bodies(&mut self, ids: &[String]) {
        if self.known_bodies == ids {
            return;
        }
        self.known_bodies = ids.to_vec();
        let (ids, bodies) = (ids.to_vec(), self.bodies.clone());
        // The first messages of a new body are lost until the spin thread has made its topics.
        let _ = self.spinner.commands.send(Box::new(move |node| change_bodies(node, &bodies, &ids)));
    }

    fn publish_body(&self, id: &str, output: BodyOutput, data: &[u8]) {
        let bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        bodies.get(&(id.to_owned(), output)).into_iter().for_each(|to| Self::send(to, data));
    }
}

fn change_bodies(node: &mut r2r::Node, bodies: &Mutex<BodyPublishers>, ids: &[String]) {
    let mut bodies = bodies.lock().unwrap_or_else(PoisonError::into_inner);
    let gone: Vec<_> = bodies.keys().filter(|(id, _)| !ids.contains(id)).cloned().collect();
    for key in gone {
        if let Some(publisher) = bodies.remove(&key) {
            node.destroy_publisher_untyped(publisher);
        }
    }
    for id in ids {
        for (output, name, kind) in [
            (BodyOutput::Skeleton, "skeleton2d", Skeleton2D::TYPE),
            (BodyOutput::Region, "roi", NormalizedRegionOfInterest2D::TYPE),
        ] {
            let key = (id.clone(), output);
            if bodies.contains_key(&key) {
                continue;
            }
            let topic = format!("/humans/bodies/{id}/{name}");
            match node.create_publisher_untyped(&topic, kind, QosProfile::default().keep_last(1)) {
                Ok(publisher) => drop(bodies.insert(key, publisher)),
                Err(error) => tracing::warn!("cannot publish {topic}: {error}"),
            }
        }
    }
}

/// Subscriptions and thread of an active node.
struct Activity {
    shared: Arc<Shared>,
    streams: Vec<tokio::task::JoinHandle<()>>,
    thread: JoinHandle<Option<Engine>>,
}

/// Everything that changes over a node's life.
struct Live {
    spinner: Spinner,
    clock: NodeClock,
    names: Names,
    parameters: Arc<Mutex<ParameterServer>>,
    outputs: BTreeMap<Output, r2r::PublisherUntyped>,
    transition_events: r2r::Publisher<lifecycle_msgs::msg::TransitionEvent>,
    lifecycle: Lifecycle,
    engine: Option<Engine>,
    providers: BTreeMap<&'static str, (String, String)>,
    activity: Option<Activity>,
    counts_before: InboxCounts,
    asked: Instant,
}

/// One node, shared by the tasks of its services.
type SharedLive = Rc<tokio::sync::Mutex<Live>>;

/// Runs the node until it is told to stop.
pub fn main() -> ExitCode {
    // One thread is enough: spinning and inference have their own.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("stridepose_node: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = tokio::task::LocalSet::new().block_on(&runtime, run());
    // Nothing that still blocks may hold the process.
    runtime.shutdown_timeout(Duration::from_millis(50));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stridepose_node: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Failure> {
    // From here on a signal is heard, also while models are still being loaded.
    let signals = StopSignals::listen()?;
    // r2r panics on malformed ROS arguments.
    let context = std::panic::catch_unwind(r2r::Context::create)
        .map_err(|_| "the ROS arguments cannot be read (see above); they follow --ros-args")??;
    let mut node = r2r::Node::create(context, NAME, "")?;
    let logged = log::start(&mut node)?;
    let parameters = ParameterServer::at_start(given_at_start(&node)).map_err(|problems| problems.join("\n"))?;
    let names = Names::new(&node.name()?, &node.namespace()?, std::env::args());
    let outputs = create_outputs(&mut node, parameters.config().node.humans)?;
    let events_qos = QosProfile::default().keep_last(10);
    let topic = "~/transition_event";
    let transition_events = node.create_publisher(topic, events_qos).map_err(refused(topic))?;
    let topic = "/diagnostics";
    let diagnostics = node
        .create_publisher::<diagnostic_msgs::msg::DiagnosticArray>(topic, QosProfile::default())
        .map_err(refused(topic))?;
    let clock = create_clock(&mut node, parameters.uses_sim_time())?;
    let topic = "~/joint_set";
    let latched = QosProfile::default().keep_last(1).reliable().transient_local();
    let joint_set = node.create_publisher_untyped(topic, JointSet::TYPE, latched).map_err(refused(topic))?;
    let mut data = Vec::new();
    to_cdr(&JointSet::internal(), &mut data);
    joint_set.publish_raw(&data)?;

    let full_name = node.fully_qualified_name()?;
    let autostart = parameters.config().node.autostart;
    let parameters = Arc::new(Mutex::new(parameters));
    let parameter_streams = services::ParameterStreams::create(&mut node)?;
    let lifecycle_streams = services::LifecycleStreams::create(&mut node)?;

    let is_stopping = Arc::new(AtomicBool::new(false));
    let (spinner, spin_thread) = spin(node, is_stopping.clone());
    let live: SharedLive = Rc::new(tokio::sync::Mutex::new(Live {
        spinner,
        clock: clock.clone(),
        names,
        parameters: parameters.clone(),
        outputs,
        transition_events,
        lifecycle: Lifecycle::default(),
        engine: None,
        providers: BTreeMap::new(),
        activity: None,
        counts_before: InboxCounts::default(),
        asked: Instant::now(),
    }));
    logged.publish_with(clock.clone());
    parameter_streams.serve(&parameters, &live, &full_name, &clock);
    lifecycle_streams.serve(&live);
    tokio::task::spawn_local(publish_diagnostics(live.clone(), diagnostics, full_name));
    if autostart {
        tokio::task::spawn_local(start(live.clone()));
    }
    signals.wait().await;
    end(&live).await;
    is_stopping.store(true, Ordering::Release);
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, tokio::task::spawn_blocking(move || spin_thread.join())).await;
    Ok(())
}

/// Brings the node to active; whoever wants its state meanwhile waits.
async fn start(live: SharedLive) {
    let mut live = live.lock().await;
    if live.change(0, "configure").await == Ok(Ended::Success) {
        let _ = live.change(0, "activate").await;
    }
}

/// SIGINT and SIGTERM.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Until one of them comes, or has come since [`Self::listen`].
    async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("told to stop");
    }
}

/// Gives everything back, if a lifecycle manager has not had it done.
async fn end(live: &SharedLive) {
    let end = async {
        let mut live = live.lock().await;
        if live.lifecycle.state() != FINALIZED {
            let _ = live.change(0, "shutdown").await;
        }
    };
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, end).await;
}

/// What ROS does not let the node have, by its name: rcl says only that it failed.
fn refused(name: &str) -> impl Fn(r2r::Error) -> Failure {
    let name = name.to_owned();
    move |error| format!("{name} is refused: {error}; on a secured network, is it in the policy?").into()
}

/// Parameters of files and command line, as r2r has read them.
fn given_at_start(node: &r2r::Node) -> Vec<(String, Given)> {
    let parameters = node.params.lock().unwrap_or_else(PoisonError::into_inner);
    parameters.iter().map(|(name, parameter)| (name.clone(), given(&parameter.value))).collect()
}

fn given(value: &r2r::ParameterValue) -> Given {
    match value {
        r2r::ParameterValue::NotSet => Given::NotSet,
        r2r::ParameterValue::Bool(value) => Given::Value(Value::Bool(*value)),
        r2r::ParameterValue::Integer(value) => Given::Value(Value::Integer(*value)),
        r2r::ParameterValue::Double(value) => Given::Value(Value::Float(*value)),
        r2r::ParameterValue::String(value) => Given::Value(Value::Text(value.clone().into())),
        _ => Given::Array,
    }
}

fn create_outputs(node: &mut r2r::Node, has_humans: bool) -> Result<BTreeMap<Output, r2r::PublisherUntyped>, Failure> {
    let stream = || QosProfile::default().keep_last(10).reliable();
    let picture = || QosProfile::default().keep_last(2).reliable();
    let all = [
        (Output::Skeletons, "~/skeletons", SkeletonArray::TYPE, stream()),
        (Output::Refined, "~/skeletons_refined", SkeletonArray::TYPE, stream()),
        (Output::Markers, "~/markers", MarkerArray::TYPE, stream()),
        (Output::Overlay, "~/overlay", Image::TYPE, picture()),
        (Output::OverlayCompressed, "~/overlay/compressed", CompressedImage::TYPE, picture()),
        (Output::Tf, "/tf", TfMessage::TYPE, QosProfile::default().keep_last(100).reliable()),
    ];
    let mut outputs = BTreeMap::new();
    for (output, topic, kind, qos) in all {
        outputs.insert(output, node.create_publisher_untyped(topic, kind, qos).map_err(refused(topic))?);
    }
    if has_humans {
        let topic = "/humans/bodies/tracked";
        let bodies = node.create_publisher_untyped(topic, IdsList::TYPE, stream()).map_err(|error| match error {
            r2r::Error::InvalidMessageType { .. } => {
                format!("node.humans needs hri_msgs, which was not there when this package was built: {error}").into()
            }
            error => refused(topic)(error),
        })?;
        outputs.insert(Output::Bodies, bodies);
    }
    Ok(outputs)
}

fn create_clock(node: &mut r2r::Node, is_simulated: bool) -> Result<NodeClock, Failure> {
    if !is_simulated {
        return Ok(NodeClock { simulated: None });
    }
    let time = Arc::new(AtomicI64::new(0));
    let qos = QosProfile::default().keep_last(1).best_effort();
    let mut stream = node.subscribe::<r2r::rosgraph_msgs::msg::Clock>("/clock", qos).map_err(refused("/clock"))?;
    let seen = time.clone();
    tokio::spawn(async move {
        while let Some(message) = stream.next().await {
            let stamp = Stamp::from_sec_nanosec(message.clock.sec, message.clock.nanosec);
            seen.store(stamp.nanoseconds(), Ordering::Release);
        }
    });
    Ok(NodeClock { simulated: Some(time) })
}

impl Live {
    /// One change of state, from the request to its end. `Err` when the transition is not possible now.
    async fn change(&mut self, id: u8, label: &str) -> Result<Ended, String> {
        let (step, mut duty) = self.lifecycle.begin(id, label).map_err(|impossible| impossible.to_string())?;
        self.tell(&step);
        let mut outcome = None;
        loop {
            let ended = match self.fulfil(duty, step.start).await {
                Ok(()) => Ended::Success,
                Err((ended, reason)) => {
                    tracing::error!("{}: {reason}", step.label);
                    ended
                }
            };
            outcome.get_or_insert(ended);
            let Some((step, next)) = self.lifecycle.end(ended) else { break };
            self.tell(&step);
            match next {
                Some(next) => duty = next,
                None => break,
            }
        }
        tracing::info!("{}", self.lifecycle.state().label);
        Ok(outcome.unwrap_or(Ended::Error))
    }

    fn tell(&self, step: &Transition) {
        let state = |state: State| lifecycle_msgs::msg::State { id: state.id, label: state.label.to_owned() };
        let event = lifecycle_msgs::msg::TransitionEvent {
            timestamp: self.clock.now().nanoseconds() as u64,
            transition: lifecycle_msgs::msg::Transition { id: step.id, label: step.label.to_owned() },
            start_state: state(step.start),
            goal_state: state(step.goal),
        };
        if let Err(error) = self.transition_events.publish(&event) {
            tracing::debug!("cannot publish a transition event: {error}");
        }
    }

    async fn fulfil(&mut self, duty: Duty, start: State) -> Result<(), (Ended, Failure)> {
        match duty {
            Duty::Configure => self.configure().await.map_err(|error| (Ended::Failure, error)),
            Duty::Activate => self.activate().await.map_err(|error| (Ended::Failure, error)),
            Duty::Deactivate => self.deactivate().await.map_err(|error| (Ended::Error, error)),
            Duty::Cleanup | Duty::HandleError => {
                let stopped = self.deactivate().await;
                self.forget();
                if duty == Duty::HandleError { Ok(()) } else { stopped.map_err(|error| (Ended::Error, error)) }
            }
            Duty::Shutdown => {
                if start == ACTIVE {
                    let _ = self.deactivate().await;
                }
                self.forget();
                Ok(())
            }
        }
    }

    /// Drops models and with them their memory, on the GPU too.
    fn forget(&mut self) {
        self.engine = None;
        self.providers.clear();
    }

    fn config(&self) -> crate::config::Config {
        self.parameters.lock().unwrap_or_else(PoisonError::into_inner).config().clone()
    }

    fn feed(&self) -> Feed {
        if self.config().node.source == Source::Keypoints { Feed::Keypoints } else { Feed::Images }
    }

    async fn configure(&mut self) -> Result<(), Failure> {
        let (config, feed) = (self.config(), self.feed());
        let engine = tokio::task::spawn_blocking(move || -> Result<Engine, Failure> {
            let folders: Vec<_> =
                config.node.model_folders.split(':').filter(|folder| !folder.is_empty()).map(Into::into).collect();
            Ok(engine::build(&config, &ModelStore::new(&folders)?, feed)?)
        })
        .await??;
        self.providers = providers_used(&engine);
        for (part, (model, provider)) in &self.providers {
            tracing::info!("{part}: {model} on {provider}");
        }
        self.engine = Some(engine);
        Ok(())
    }

    async fn activate(&mut self) -> Result<(), Failure> {
        let mut engine = self.engine.take().ok_or("no models are loaded: configure the node first")?;
        engine.pipeline.reset();
        let config = self.config();
        engine.pipeline.set_config(&config);
        let shared = Arc::new(Shared::default());
        shared.set_config(&config);
        let streams = self.subscribe(&shared).await?;
        let clock = self.clock.clone();
        let publishers = Publishers {
            fixed: self.outputs.clone(),
            bodies: Arc::default(),
            known_bodies: Vec::new(),
            spinner: self.spinner.clone(),
        };
        let worker = Worker::new(shared.clone(), engine, self.feed(), publishers, Box::new(move || clock.now()));
        let thread = std::thread::Builder::new().name("inference".into()).spawn(move || worker.run())?;
        self.activity = Some(Activity { shared, streams, thread });
        (self.counts_before, self.asked) = (InboxCounts::default(), Instant::now());
        Ok(())
    }

    async fn subscribe(&self, shared: &Arc<Shared>) -> Result<Vec<tokio::task::JoinHandle<()>>, Failure> {
        let config = self.config();
        let (topic, kind) = self.source();
        let qos = match config.node.reliability {
            Reliability::BestEffort => QosProfile::sensor_data().keep_last(QUEUE).best_effort(),
            Reliability::Reliable => QosProfile::sensor_data().keep_last(QUEUE).reliable(),
        };
        let wants_tf = !config.node.target_frame.is_empty() || config.input.gravity == Gravity::Tf;
        let shared = shared.clone();
        let runtime = tokio::runtime::Handle::current();
        self.spinner
            .run(move |node| -> Result<_, Failure> {
                let mut subscribe = |topic, kind, qos| node.subscribe_raw(topic, kind, qos).map_err(refused(topic));
                let mut streams = Vec::new();
                let to = shared.clone();
                let infos = subscribe("camera_info", CameraInfo::TYPE, QosProfile::sensor_data().keep_last(10))?;
                streams.push(drain(&runtime, infos, move |data| match from_cdr::<CameraInfo>(&data) {
                    Ok(info) => to.inbox.put_info(info),
                    Err(error) => tracing::warn!("a CameraInfo cannot be read: {error}"),
                }));
                let to = shared.clone();
                let messages = subscribe(topic, kind, qos)?;
                streams.push(drain(&runtime, messages, move |data| {
                    let stamp = from_cdr::<Header<'_>>(&data).ok().map(|header| header.stamp);
                    to.inbox.put(stamp, data);
                }));
                if wants_tf {
                    let (moving, fixed) = (shared.clone(), shared);
                    let qos = QosProfile::default().keep_last(100);
                    let stream = subscribe("/tf", TfMessage::TYPE, qos.clone())?;
                    streams.push(drain(&runtime, stream, move |data| moving.frames.take_in(&data, false)));
                    let stream = subscribe("/tf_static", TfMessage::TYPE, qos.transient_local())?;
                    streams.push(drain(&runtime, stream, move |data| fixed.frames.take_in(&data, true)));
                }
                Ok(streams)
            })
            .await?
    }

    /// Topic and type of what is processed.
    fn source(&self) -> (&'static str, &'static str) {
        let node = self.config().node;
        match (node.source, node.transport) {
            (Source::Keypoints, _) => ("keypoints", KeypointArray::TYPE),
            (Source::Images, Transport::Raw) => ("image", Image::TYPE),
            (Source::Images, Transport::Compressed) => ("image/compressed", CompressedImage::TYPE),
        }
    }

    /// Ends the subscriptions and the inference thread, and takes the engine back.
    async fn deactivate(&mut self) -> Result<(), Failure> {
        let Some(Activity { shared, streams, thread }) = self.activity.take() else { return Ok(()) };
        for stream in streams {
            stream.abort();
        }
        shared.inbox.close();
        self.engine = tokio::task::spawn_blocking(move || thread.join()).await?.unwrap_or(None);
        if self.engine.is_some() {
            Ok(())
        } else {
            Err(shared.failure().unwrap_or_else(|| "the inference thread ended without its models".to_owned()).into())
        }
    }

    /// Memory on the GPU, where a network runs there.
    async fn gpu_memory(&self) -> Option<u64> {
        let is_on_gpu = |(_, provider): &(String, String)| provider.contains("cuda") || provider.contains("tensorrt");
        if !self.providers.values().any(is_on_gpu) {
            return None;
        }
        tokio::task::spawn_blocking(|| gpu::memory_of_process(std::process::id())).await.ok().flatten()
    }

    /// Gives changed parameters to whoever works with them.
    fn parameters_changed(&self) {
        if let Some(activity) = &self.activity {
            activity.shared.set_config(&self.config());
        }
    }

    /// What is known of the node now.
    async fn facts(&mut self) -> Facts {
        let (topic, _) = self.source();
        let topic = self.names.resolve(topic);
        let asked_topic = topic.clone();
        let publishers = self.spinner.run(move |node| node.get_publishers_info_by_topic(&asked_topic, false)).await;
        let publishers = publishers.ok().and_then(Result::ok).unwrap_or_default();
        let config = self.config();
        let wants_reliable = config.node.reliability == Reliability::Reliable;
        let best_effort = r2r::qos::ReliabilityPolicy::BestEffort;
        let is_unfit = |reliability: &_| wants_reliable && *reliability == best_effort;
        let counts = self.activity.as_ref().map(|activity| activity.shared.inbox.counts()).unwrap_or_default();
        let facts = Facts {
            state: self.lifecycle.state(),
            source_topic: topic,
            publishers: publishers.len(),
            incompatible: publishers.iter().filter(|publisher| is_unfit(&publisher.qos_profile.reliability)).count(),
            counts,
            counts_before: self.counts_before,
            elapsed_secs: self.asked.elapsed().as_secs_f64(),
            worker: self.activity.as_ref().map(|activity| activity.shared.take_facts()).unwrap_or_default(),
            provider_asked: config.inference.provider.name(),
            providers_used: self.providers.clone(),
            gpu_memory_bytes: self.gpu_memory().await,
            target_frame: config.node.target_frame,
        };
        (self.counts_before, self.asked) = (counts, Instant::now());
        facts
    }
}

/// Hands every message of `stream` to `take` on a task of its own.
fn drain(
    runtime: &tokio::runtime::Handle,
    mut stream: impl Stream<Item = Vec<u8>> + Unpin + Send + 'static,
    take: impl Fn(Vec<u8>) + Send + 'static,
) -> tokio::task::JoinHandle<()> {
    runtime.spawn(async move {
        while let Some(data) = stream.next().await {
            take(data);
        }
    })
}

/// The lines of diagnostics, once a second.
async fn publish_diagnostics(
    live: SharedLive,
    publisher: r2r::Publisher<diagnostic_msgs::msg::DiagnosticArray>,
    full_name: String,
) {
    let mut ticks = tokio::time::interval(DIAGNOSTICS_PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut live = live.lock().await;
        let facts = live.facts().await;
        let stamp = live.clock.message();
        // An inference thread that stopped takes the node out of active, so that a manager sees it.
        if facts.worker.failure.is_some() && live.lifecycle.state() == ACTIVE {
            let _ = live.change(0, "deactivate").await;
        }
        drop(live);
        let hardware_id = format!("{}: {}", full_name, facts.source_topic);
        let status = diagnostics::statuses(&facts)
            .into_iter()
            .map(|line| diagnostic_msgs::msg::DiagnosticStatus {
                level: line.level as u8,
                name: format!("{}: {}", full_name.trim_start_matches('/'), line.name),
                message: line.message,
                hardware_id: hardware_id.clone(),
                values: line
                    .values
                    .into_iter()
                    .map(|(key, value)| diagnostic_msgs::msg::KeyValue { key, value: without_nul(&value) })
                    .collect(),
            })
            .collect();
        let header = r2r::std_msgs::msg::Header { stamp, frame_id: String::new() };
        if publisher.publish(&diagnostic_msgs::msg::DiagnosticArray { header, status }).is_err() {
            return;
        }
    }
}

/// r2r panics on a string with a NUL in it.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
