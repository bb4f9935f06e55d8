//! What the node says of itself once a second on /diagnostics: facts in, levels and advice in words out (REP-107 style).
//! Nothing here measures; [`super::worker`] and [`super::inbox`] count.

use std::collections::BTreeMap;

use super::inbox::InboxCounts;
use super::lifecycle::{ACTIVE, State};
use crate::warning::{WarningCount, WarningCounts};

/// diagnostic_msgs/DiagnosticStatus levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Fine.
    Ok = 0,
    /// Works, but somebody should look.
    Warn = 1,
    /// Does not work.
    Error = 2,
    /// Nothing is heard.
    Stale = 3,
}

/// One line of diagnostics.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// What it is about; the node's name is put before it.
    pub name: &'static str,
    /// How bad.
    pub level: Level,
    /// What is wrong and what to do.
    pub message: String,
    /// Figures.
    pub values: Vec<(String, String)>,
}

/// p50, p95 and p99 of a stage, ms.
pub type StagePercentiles = BTreeMap<&'static str, [f32; 3]>;

/// What the inference thread says about the time since it was asked last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkerFacts {
    /// Images processed.
    pub processed: u64,
    /// People in the last image.
    pub people: usize,
    /// How old the last image was when its skeletons were published, s.
    pub age_secs: Option<f64>,
    /// Latency of each stage.
    pub stages_ms: StagePercentiles,
    /// Trouble since the start, by kind, with the first of each.
    pub warnings: WarningCounts,
    /// New trouble since it was asked last.
    pub new_warnings: u64,
    /// Why the last calibration cannot be used.
    pub camera_problem: Option<String>,
    /// Why the last image was not published in the target frame, and how often that happened.
    pub tf_problem: Option<String>,
    /// Images not published in the target frame since the start.
    pub tf_failures: u64,
    /// Why the inference thread stopped.
    pub failure: Option<String>,
}

/// Everything known about the node at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// State.
    pub state: State,
    /// Full name of the topic that is processed.
    pub source_topic: String,
    /// Publishers on it.
    pub publishers: usize,
    /// Of those, the ones whose quality of service does not fit ours.
    pub incompatible: usize,
    /// What arrived in all.
    pub counts: InboxCounts,
    /// What had arrived the last time.
    pub counts_before: InboxCounts,
    /// Time since then, s.
    pub elapsed_secs: f64,
    /// The inference thread.
    pub worker: WorkerFacts,
    /// Execution provider that was asked for.
    pub provider_asked: &'static str,
    /// Model and provider it runs on, by part.
    pub providers_used: BTreeMap<&'static str, (String, String)>,
    /// Memory in use on the GPU, bytes, where there is one.
    pub gpu_memory_bytes: Option<u64>,
    /// Frame that was asked for.
    pub target_frame: String,
}

fn status(name: &'static str, level: Level, message: impl Into<String>) -> Status {
    Status { name, level, message: message.into(), values: Vec::new() }
}

/// A value as text.
struct Shown(String);

impl From<&str> for Shown {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl From<String> for Shown {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl From<u64> for Shown {
    fn from(value: u64) -> Self {
        Self(value.to_string())
    }
}

impl From<usize> for Shown {
    fn from(value: usize) -> Self {
        Self(value.to_string())
    }
}

impl Status {
    fn with(mut self, key: &str, value: impl Into<Shown>) -> Self {
        self.values.push((key.to_owned(), value.into().0));
        self
    }
}

/// The lines of diagnostics that follow from `facts`.
pub fn statuses(facts: &Facts) -> Vec<Status> {
    let mut all = vec![lifecycle(facts)];
    if facts.state == ACTIVE {
        all.extend([input(facts), camera_info(facts), latency(facts), inference(facts), warnings(facts)]);
        if !facts.target_frame.is_empty() {
            all.push(target_frame(facts));
        }
    }
    all
}

fn lifecycle(facts: &Facts) -> Status {
    let state = facts.state.label;
    match &facts.worker.failure {
        Some(reason) => status("lifecycle", Level::Error, format!("the inference thread stopped: {reason}")),
        None if facts.state == ACTIVE => status("lifecycle", Level::Ok, "active"),
        None => status(
            "lifecycle",
            Level::Warn,
            format!("{state}: nothing is processed; `ros2 lifecycle set` or node.autostart brings it to active"),
        ),
    }
    .with("state", state)
}

fn input(facts: &Facts) -> Status {
    let received = facts.counts.received - facts.counts_before.received;
    let dropped = facts.counts.dropped - facts.counts_before.dropped;
    let missing = facts.counts.missing - facts.counts_before.missing;
    let rate = received as f64 / facts.elapsed_secs.max(1e-3);
    let topic = &facts.source_topic;
    let found = if facts.publishers == 0 {
        status(
            "input",
            Level::Error,
            format!("nobody publishes {topic}: is the camera running, is the topic remapped?"),
        )
    } else if facts.incompatible == facts.publishers {
        let advice = "set node.reliability to best_effort, or the publisher to reliable";
        status("input", Level::Error, format!("the publisher's quality of service on {topic} does not fit: {advice}"))
    } else if received == 0 {
        status("input", Level::Stale, format!("{topic} has a publisher, and nothing arrives"))
    } else if dropped * 2 > received {
        let message = "more than half of the images are left out: inference is too slow for this rate; a larger \
                       detector.interval, a smaller model or a GPU helps";
        status("input", Level::Warn, message)
    } else if missing * 10 > received {
        let message = "by their stamps, more than one image in ten never arrives: raise the receive buffers of the \
                       middleware and of the system, set node.transport to compressed, or look at the camera";
        status("input", Level::Warn, message)
    } else {
        status("input", Level::Ok, format!("{rate:.1} Hz"))
    };
    let found = found
        .with("topic", topic.as_str())
        .with("rate Hz", format!("{rate:.2}"))
        .with("received", facts.counts.received)
        .with("dropped", facts.counts.dropped)
        .with("missing by their stamps", facts.counts.missing)
        .with("publishers", facts.publishers);
    match facts.worker.age_secs {
        Some(age) => found.with("age of the last image when published s", format!("{age:.3}")),
        None => found,
    }
}

fn camera_info(facts: &Facts) -> Status {
    match &facts.worker.camera_problem {
        Some(problem) => status("camera_info", Level::Error, format!("{problem}; images are skipped")),
        None if facts.counts.is_waiting_for_info => {
            status("camera_info", Level::Error, "images wait: no CameraInfo has arrived; is camera_info remapped?")
        }
        None if facts.counts.infos == 0 => status("camera_info", Level::Stale, "no CameraInfo has arrived yet"),
        None => status("camera_info", Level::Ok, "valid"),
    }
    .with("received", facts.counts.infos)
}

fn latency(facts: &Facts) -> Status {
    let worker = &facts.worker;
    let mut found = status("latency", Level::Ok, format!("{} images in the last second", worker.processed))
        .with("processed", worker.processed)
        .with("people", worker.people);
    for (stage, [p50, p95, p99]) in &worker.stages_ms {
        found = found.with(&format!("{stage} ms p50 p95 p99"), format!("{p50:.2} {p95:.2} {p99:.2}"));
    }
    found
}

fn inference(facts: &Facts) -> Status {
    let asked = facts.provider_asked;
    let mut found = status("inference", Level::Ok, format!("asked for {asked}"));
    for (part, (model, provider)) in &facts.providers_used {
        // A graph may leave single nodes to the CPU; a graph that is on the CPU as a whole is not what was asked for.
        if matches!(asked, "cuda" | "tensorrt") && provider == "cpu" {
            found.level = Level::Warn;
            found.message = format!("asked for {asked}, {part} runs on the CPU: `stridepose doctor` says why");
        }
        found = found.with(part, format!("{model} on {provider}"));
    }
    match facts.gpu_memory_bytes {
        Some(bytes) => found.with("GPU memory MiB", bytes >> 20),
        None => found,
    }
}

fn warnings(facts: &Facts) -> Status {
    let worker = &facts.worker;
    let mut found = if worker.new_warnings > 0 {
        status("warnings", Level::Warn, format!("{} new: the counts below name them", worker.new_warnings))
    } else {
        status("warnings", Level::Ok, "none new")
    };
    for (kind, WarningCount { count, first }) in &worker.warnings {
        found = found.with(kind, format!("{count}, first: {first}"));
    }
    found
}

fn target_frame(facts: &Facts) -> Status {
    match &facts.worker.tf_problem {
        Some(problem) => status(
            "tf",
            Level::Warn,
            format!("published in the camera frame instead of {}: {problem}", facts.target_frame),
        ),
        None => status("tf", Level::Ok, format!("published in {}", facts.target_frame)),
    }
    .with("images not transformed", facts.worker.tf_failures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::ros::lifecycle::INACTIVE;

    fn healthy() -> Facts {
        let counts =
            |received| InboxCounts { received, dropped: 0, missing: 0, infos: received, is_waiting_for_info: false };
        Facts {
            state: ACTIVE,
            source_topic: "/camera/image".into(),
            publishers: 1,
            incompatible: 0,
            counts: counts(130),
            counts_before: counts(100),
            elapsed_secs: 1.0,
            worker: WorkerFacts { processed: 30, people: 2, age_secs: Some(0.04), ..WorkerFacts::default() },
            provider_asked: "auto",
            providers_used: BTreeMap::from([("lifter", ("lifter".to_owned(), "cpu".to_owned()))]),
            gpu_memory_bytes: None,
            target_frame: String::new(),
        }
    }

    fn level_of(facts: &Facts, name: &str) -> (Level, String) {
        statuses(facts)
            .into_iter()
            .find(|status| status.name == name)
            .map(|found| (found.level, found.message))
            .expect("a line")
    }

    #[test]
    fn a_healthy_node_is_ok_in_every_line() {
        let lines = statuses(&healthy());
        assert_eq!(lines.len(), 6);
        assert!(lines.iter().all(|line| line.level == Level::Ok), "{lines:?}");
        assert_eq!(lines[1].message, "30.0 Hz");
    }

    #[test]
    fn an_inactive_node_says_how_to_wake_it() {
        let lines = statuses(&Facts { state: INACTIVE, ..healthy() });
        assert_eq!((lines.len(), lines[0].level), (1, Level::Warn));
        assert!(lines[0].message.contains("ros2 lifecycle set"));
    }

    #[test]
    fn every_trouble_has_its_level_and_its_advice() {
        let mut facts = healthy();
        facts.counts = facts.counts_before;
        assert_eq!(level_of(&facts, "input").0, Level::Stale);
        facts.incompatible = 1;
        assert!(level_of(&facts, "input").1.contains("node.reliability"));
        facts.publishers = 0;
        assert_eq!(level_of(&facts, "input").0, Level::Error);

        let mut facts = healthy();
        facts.counts.dropped = 20;
        assert_eq!(level_of(&facts, "input").0, Level::Warn);
        (facts.counts.dropped, facts.counts.missing) = (0, 5);
        assert!(level_of(&facts, "input").1.contains("receive buffers"));
        facts.counts.is_waiting_for_info = true;
        assert_eq!(level_of(&facts, "camera_info").0, Level::Error);
        facts.worker.camera_problem = Some("K has fx 0".into());
        assert!(level_of(&facts, "camera_info").1.starts_with("K has fx 0"));
        facts.provider_asked = "cuda";
        assert_eq!(level_of(&facts, "inference").0, Level::Warn);
        facts.worker.new_warnings = 1;
        assert_eq!(level_of(&facts, "warnings").0, Level::Warn);
        facts.target_frame = "map".into();
        assert_eq!(level_of(&facts, "tf").0, Level::Ok);
        facts.worker.tf_problem = Some("frame \"map\" is not known".into());
        assert_eq!(level_of(&facts, "tf").0, Level::Warn);
        facts.worker.failure = Some("out of memory".into());
        assert_eq!(level_of(&facts, "lifecycle").0, Level::Error);
    }
}
