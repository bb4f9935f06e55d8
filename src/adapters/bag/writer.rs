//! Writes a rosbag2 directory: one MCAP file with zstd chunks, and `metadata.yaml` when it is finished.
//!
//! A chunk is closed after a second of log time or a mebibyte, so a killed process loses no more than that; the
//! directory is then readable without its `metadata.yaml`. Log times come from the caller and compression runs in one
//! thread: the same messages give the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use mcap::records::MessageHeader;

use super::rosbag2_metadata::{FILE_NAME, FileMetadata, Metadata, VERSION};
use super::{BagError, Refusal, Topic};
use crate::adapters::messages::{Encode, Message, schema, to_cdr};
use crate::data::Stamp;

/// Name of `metadata.yaml` while it is being written.
pub const PARTIAL_METADATA_FILE: &str = "metadata.yaml.partial";
const LIBRARY: &str = concat!("stridepose ", env!("CARGO_PKG_VERSION"));
/// The header of a file that we write ends before this byte.
const HEADER_BYTES: u64 = 64;
const CHUNK_BYTES: u64 = 1 << 20;
const CHUNK_NS: i64 = 1_000_000_000;

/// Quality of service that a player shall offer for a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    /// Reliable, volatile, the last 10.
    Stream,
    /// Reliable, transient local, the last one: whoever comes late gets it too.
    Latched,
}

impl Qos {
    /// As rosbag2 up to metadata version 8 stores it; the numbers are those of `rmw`.
    fn to_yaml(self) -> String {
        const FOREVER: &str = "\n    sec: 9223372036\n    nsec: 854775807";
        let (depth, durability) = match self {
            Self::Stream => (10, 2),
            Self::Latched => (1, 1),
        };
        format!(
            "- history: 1\n  depth: {depth}\n  reliability: 1\n  durability: {durability}\n  deadline:{FOREVER}\n  \
             lifespan:{FOREVER}\n  liveliness: 1\n  liveliness_lease_duration:{FOREVER}\n  \
             avoid_ros_namespace_conventions: false"
        )
    }
}

/// A topic of the bag being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicId(usize);

struct Channel {
    id: u16,
    sequence: u32,
    topic: Topic,
}

/// A bag being written.
pub struct BagWriter {
    directory: PathBuf,
    file_name: String,
    writer: mcap::Writer<File>,
    channels: Vec<Channel>,
    buffer: Vec<u8>,
    first_ns: Option<i64>,
    last_ns: i64,
    chunk_start_ns: Option<i64>,
    chunk_bytes: u64,
}

impl BagWriter {
    /// Starts a bag in `directory`, which is made, and must be empty where it exists.
    ///
    /// # Errors
    /// [`Refusal::OutputExists`] when something is there, [`BagError`] when it cannot be made.
    pub fn create(directory: &Path) -> Result<Self, BagError> {
        let exists = || BagError::from(Refusal::OutputExists(directory.to_owned()));
        match std::fs::read_dir(directory) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(exists());
                }
            }
            Err(_) if directory.exists() => return Err(exists()),
            Err(_) => std::fs::create_dir_all(directory).map_err(BagError::io("create", directory))?,
        }
        let name = directory.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let file_name = format!("{}_0.mcap", name.as_deref().unwrap_or("bag"));
        let path = directory.join(&file_name);
        let file = File::create_new(&path).map_err(BagError::io("create", &path))?;
        let writer = mcap::WriteOptions::new()
            .profile("ros2")
            .library(LIBRARY)
            .compression(Some(mcap::Compression::Zstd))
            .compression_threads(0)
            .chunk_size(None)
            .disable_seeking(true)
            .create(file)
            .map_err(write_error(&path))?;
        Ok(Self {
            directory: directory.to_owned(),
            file_name,
            writer,
            channels: Vec::new(),
            buffer: Vec::new(),
            first_ns: None,
            last_ns: i64::MIN,
            chunk_start_ns: None,
            chunk_bytes: 0,
        })
    }

    /// Adds a topic for messages of type `M`.
    ///
    /// # Errors
    /// [`BagError::Write`] when the disk refuses, or the type has no schema.
    pub fn add_topic<M: Message>(&mut self, name: &str, qos: Qos) -> Result<TopicId, BagError> {
        self.add_topic_of_type(name, M::TYPE, qos)
    }

    /// Adds a topic for messages of the type called `type_name`.
    ///
    /// # Errors
    /// [`BagError::Write`] when the disk refuses, or the type has no schema.
    pub fn add_topic_of_type(&mut self, name: &str, type_name: &str, qos: Qos) -> Result<TopicId, BagError> {
        let path = self.file_path();
        let schema = schema::schema(type_name).ok_or_else(|| BagError::Write {
            path: path.clone(),
            reason: format!("there is no definition of {type_name}"),
        })?;
        let qos = qos.to_yaml();
        let metadata = BTreeMap::from([("offered_qos_profiles".to_owned(), qos.clone())]);
        let id = self
            .writer
            .add_schema(type_name, schema::ENCODING, schema.as_bytes())
            .and_then(|schema| self.writer.add_channel(schema, name, "cdr", &metadata))
            .map_err(write_error(&path))?;
        let topic = Topic {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            serialization: "cdr".to_owned(),
            message_count: Some(0),
            offered_qos_profiles: qos,
        };
        self.channels.push(Channel { id, sequence: 0, topic });
        Ok(TopicId(self.channels.len() - 1))
    }

    /// Writes a message, recorded at `log_time`.
    ///
    /// # Errors
    /// [`BagError::Write`] when the disk refuses.
    pub fn write<M: Encode>(&mut self, topic: TopicId, log_time: Stamp, message: &M) -> Result<(), BagError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        to_cdr(message, &mut buffer);
        let written = self.write_cdr(topic, log_time, &buffer);
        self.buffer = buffer;
        written
    }

    /// Writes a message that is CDR already, recorded at `log_time`.
    ///
    /// # Errors
    /// [`BagError::Write`] when the disk refuses, or the time lies before 1970.
    pub fn write_cdr(&mut self, topic: TopicId, log_time: Stamp, data: &[u8]) -> Result<(), BagError> {
        let path = self.file_path();
        let time_ns = log_time.nanoseconds();
        let refuse = |reason: String| BagError::Write { path: path.clone(), reason };
        let unsigned_ns =
            u64::try_from(time_ns).map_err(|_| refuse(format!("log time {time_ns} ns is before 1970")))?;
        let channel =
            self.channels.get_mut(topic.0).ok_or_else(|| refuse(format!("there is no topic number {}", topic.0)))?;
        let chunk_start = *self.chunk_start_ns.get_or_insert(time_ns);
        if self.chunk_bytes >= CHUNK_BYTES || time_ns.abs_diff(chunk_start) >= CHUNK_NS.unsigned_abs() {
            self.writer.flush().map_err(write_error(&path))?;
            (self.chunk_start_ns, self.chunk_bytes) = (Some(time_ns), 0);
        }
        let header = MessageHeader {
            channel_id: channel.id,
            sequence: channel.sequence,
            log_time: unsigned_ns,
            publish_time: unsigned_ns,
        };
        self.writer.write_to_known_channel(&header, data).map_err(write_error(&path))?;
        channel.sequence = channel.sequence.wrapping_add(1);
        channel.topic.message_count = channel.topic.message_count.map(|count| count + 1);
        self.chunk_bytes += data.len() as u64;
        self.first_ns = Some(self.first_ns.map_or(time_ns, |first| first.min(time_ns)));
        self.last_ns = self.last_ns.max(time_ns);
        Ok(())
    }

    /// Closes the MCAP file and writes `metadata.yaml`.
    ///
    /// # Errors
    /// [`BagError`] when the disk refuses.
    pub fn finish(mut self) -> Result<(), BagError> {
        let path = self.file_path();
        let yaml = self
            .metadata()
            .to_yaml()
            .map_err(|error| BagError::Write { path: self.directory.join(FILE_NAME), reason: error.to_string() })?;
        // As rosbag2 does, so that the file alone tells which version its QoS profiles are written in.
        let inner =
            yaml.lines().skip(1).map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned() + "\n").collect();
        let record = mcap::records::Metadata {
            name: "rosbag2".to_owned(),
            metadata: BTreeMap::from([("serialized_metadata".to_owned(), inner)]),
        };
        self.writer.write_metadata(&record).map_err(write_error(&path))?;
        self.writer.finish().map_err(write_error(&path))?;
        drop(self.writer);
        let file = File::open(&path).map_err(BagError::io("open", &path))?;
        file.sync_all().map_err(BagError::io("write", &path))?;

        let metadata_path = self.directory.join(FILE_NAME);
        let partial = self.directory.join(PARTIAL_METADATA_FILE);
        let mut file = File::create(&partial).map_err(BagError::io("create", &partial))?;
        file.write_all(yaml.as_bytes()).map_err(BagError::io("write", &partial))?;
        file.sync_all().map_err(BagError::io("write", &partial))?;
        std::fs::rename(&partial, &metadata_path).map_err(BagError::io("write", &metadata_path))
    }

    fn file_path(&self) -> PathBuf {
        self.directory.join(&self.file_name)
    }

    fn metadata(&self) -> Metadata {
        let starting_time_ns = self.first_ns.unwrap_or(0);
        let duration_ns = self.first_ns.map_or(0, |first| self.last_ns - first);
        let message_count = self.channels.iter().filter_map(|channel| channel.topic.message_count).sum();
        Metadata {
            version: VERSION,
            storage_identifier: "mcap".to_owned(),
            files: vec![FileMetadata {
                path: self.file_name.clone(),
                starting_time_ns: Some(starting_time_ns),
                duration_ns: Some(duration_ns),
                message_count: Some(message_count),
            }],
            topics: self.channels.iter().map(|channel| channel.topic.clone()).collect(),
            starting_time_ns,
            duration_ns,
            message_count,
            compression_format: String::new(),
            compression_mode: String::new(),
        }
    }
}

/// Whether the MCAP file at `path` is one that this program began: its header names it. A file that was cut off within its
/// header, as by a kill right at the start, holds nothing and counts as well.
///
/// # Errors
/// The I/O error when the file cannot be read.
pub fn is_our_file(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(HEADER_BYTES).read_to_end(&mut head)?;
    let name = b"stridepose ";
    Ok((head.len() as u64) < HEADER_BYTES || head.windows(name.len()).any(|bytes| bytes == name))
}

fn write_error(path: &Path) -> impl FnOnce(mcap::McapError) -> BagError {
    move |error| match error {
        mcap::McapError::Io(source) => BagError::io("write", path)(source),
        other => BagError::Write { path: path.to_owned(), reason: other.to_string() },
    }
}
