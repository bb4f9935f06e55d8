//! Log lines: to the console the way ROS does it (`--log-level`, log files), and to /rosout, which r2r does not publish.

use std::fmt::Write;

use r2r::rcl_interfaces;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::{Failure, NodeClock, refused, without_nul};

/// Lines that wait for /rosout at most; more are lost there, not on the console.
const WAITING_LINES: usize = 1000;

struct Line {
    level: u8,
    text: String,
    file: &'static str,
    row: u32,
    function: &'static str,
}

struct RosLayer {
    logger: String,
    lines: tokio::sync::mpsc::Sender<Line>,
}

/// The way of log lines to /rosout.
pub(super) struct Logged {
    logger: String,
    lines: tokio::sync::mpsc::Receiver<Line>,
    publisher: r2r::Publisher<rcl_interfaces::msg::Log>,
}

/// Takes over the log of the whole process.
pub(super) fn start(node: &mut r2r::Node) -> Result<Logged, Failure> {
    let qos = r2r::QosProfile::default().keep_last(1000).reliable().transient_local();
    let publisher = node.create_publisher("/rosout", qos).map_err(refused("/rosout"))?;
    let logger = node.logger().to_owned();
    let (sender, lines) = tokio::sync::mpsc::channel(WAITING_LINES);
    let layer = RosLayer { logger: logger.clone(), lines: sender };
    let filter = tracing_subscriber::filter::Targets::new()
        .with_default(tracing_subscriber::filter::LevelFilter::INFO)
        .with_target("stridepose", tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_target("ort", tracing_subscriber::filter::LevelFilter::WARN)
        // It calls the end of every publisher a message that it failed to take.
        .with_target("r2r::subscribers", tracing_subscriber::filter::LevelFilter::OFF);
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init()?;
    Ok(Logged { logger, lines, publisher })
}

impl Logged {
    /// Publishes every line from now on, those that waited first.
    pub(super) fn publish_with(mut self, clock: NodeClock) {
        tokio::spawn(async move {
            while let Some(line) = self.lines.recv().await {
                let message = rcl_interfaces::msg::Log {
                    stamp: clock.message(),
                    level: line.level,
                    name: self.logger.clone(),
                    msg: without_nul(&line.text),
                    file: line.file.to_owned(),
                    function: line.function.to_owned(),
                    line: line.row,
                };
                if self.publisher.publish(&message).is_err() {
                    return;
                }
            }
        });
    }
}

impl<S: Subscriber> Layer<S> for RosLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut text = Text(String::new());
        event.record(&mut text);
        let (level, severity) = match *metadata.level() {
            Level::ERROR => (40, r2r::LogSeverity::Error),
            Level::WARN => (30, r2r::LogSeverity::Warn),
            Level::INFO => (20, r2r::LogSeverity::Info),
            _ => (10, r2r::LogSeverity::Debug),
        };
        let (file, row) = (metadata.file().unwrap_or_default(), metadata.line().unwrap_or_default());
        r2r::log(&without_nul(&text.0), &self.logger, file, row, severity);
        let line = Line { level, text: text.0, file, row, function: metadata.target() };
        // A full queue loses the line on /rosout only.
        let _ = self.lines.try_send(line);
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing into a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            // Where a line of the `log` crate comes from.
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
