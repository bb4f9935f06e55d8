//! What one file of a bag can do, whatever its format.

use super::BagError;

/// A topic of a bag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic {
    /// Name, e.g. `/camera/image_raw`.
    pub name: String,
    /// Message type, e.g. `sensor_msgs/msg/Image`.
    pub type_name: String,
    /// How its messages are encoded; `cdr` in ROS 2.
    pub serialization: String,
    /// Number of messages, where the bag says.
    pub message_count: Option<u64>,
    /// Offered quality of service as the bag stores it (YAML), empty where it does not.
    pub offered_qos_profiles: String,
}

/// One recorded message; the data is borrowed from the file's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BagMessage<'a> {
    /// Topic name.
    pub topic: &'a str,
    /// When it was recorded, ns.
    pub log_time_ns: i64,
    /// The message, CDR with its header.
    pub data: &'a [u8],
}

/// Part of a file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What happened, where, and what was done about it.
    pub reason: String,
    /// Bytes of the file that are of no use.
    pub bytes_in_file: u64,
    /// Bytes that the file promises beyond its end.
    pub bytes_beyond_end: u64,
}

impl Loss {
    /// `bytes_in_file` lost for `reason`.
    pub fn new(bytes_in_file: u64, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), bytes_in_file, bytes_beyond_end: 0 }
    }

    /// With bytes that are missing at the end.
    #[must_use]
    pub fn and_beyond_end(self, bytes_beyond_end: u64) -> Self {
        Self { bytes_beyond_end, ..self }
    }

    /// With the name of the file it happened in.
    #[must_use]
    pub fn in_file(mut self, path: &std::path::Path) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        self.reason = format!("{name}: {}", self.reason);
        self
    }
}

/// What is wrong with a bag of these losses, each thing once.
pub fn reasons(losses: Vec<Loss>) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for loss in losses {
        if !reasons.contains(&loss.reason) {
            reasons.push(loss.reason);
        }
    }
    reasons
}

/// An open file of a bag, read in log-time order.
pub trait Storage: Send {
    /// The topics of this file.
    fn topics(&self) -> Vec<Topic>;

    /// Starts over, with the messages of `topics` only.
    ///
    /// # Errors
    /// [`BagError`] when the file cannot be read.
    fn start(&mut self, topics: &[String]) -> Result<(), BagError>;

    /// Log time of the next message in ns, `None` at the end.
    ///
    /// # Errors
    /// [`BagError`] when the file cannot be read.
    fn next_time_ns(&mut self) -> Result<Option<i64>, BagError>;

    /// Hands the next message to `visit`, unless it turns out to be damaged, and goes on behind it.
    ///
    /// # Errors
    /// [`BagError`] when the file cannot be read.
    fn visit_next(&mut self, visit: &mut dyn FnMut(BagMessage<'_>)) -> Result<(), BagError>;

    /// What could not be read so far.
    fn losses(&self) -> Vec<Loss>;
}
