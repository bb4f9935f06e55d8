//! Recorded bags: rosbag2 directories and single files, MCAP and `SQLite`, compressed or not, whole or damaged.
//!
//! Messages come in log-time order within and over the files of a bag, with their data borrowed from the file's
//! buffer. Memory stays bounded: a chunk (MCAP) or a message (`SQLite`) at a time. Damage costs what is damaged, is
//! stated in [`Completeness`], and everything else is read.

mod camera_stream;
mod db3;
mod error;
mod files;
pub mod identity;
pub(crate) mod image_source;
pub(crate) mod keypoint_source;
mod mcap;
pub mod recordings;
pub mod rosbag2_metadata;
mod storage;
mod topic_choice;
mod topics;
mod transform_source;
pub mod writer;

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub use camera_stream::Skipped;
pub use error::{BagError, Refusal};
pub use image_source::{CameraImage, ImageSource, ImageVisitor};
pub use keypoint_source::{CameraKeypoints, KeypointSource, KeypointVisitor};
pub use storage::{BagMessage, Topic};
pub use topic_choice::{CameraTopics, TopicRequest, choose_image_topics, choose_keypoint_topics};
pub use topics::Topics;
pub use transform_source::{
    LONGEST_GAP_SECS, RecordedTransforms, is_static_transforms, read_transforms, take_in_transforms, transform_topics,
};

use rosbag2_metadata::Metadata;
use storage::{Loss, Storage};

/// Whether all of a bag could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// All of it.
    Whole,
    /// Some of it is lost.
    Damaged {
        /// What is damaged and what was done about it.
        reason: String,
        /// Bytes that could be read.
        bytes_read: u64,
        /// Bytes there should be, as far as the files tell.
        bytes_total: u64,
        /// Messages that were read.
        messages_read: u64,
        /// Messages there should be, where `metadata.yaml` says.
        messages_total: Option<u64>,
    },
}

impl fmt::Display for Completeness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Damaged { reason, bytes_read, bytes_total, messages_read, messages_total } = self else {
            return write!(formatter, "the bag is whole");
        };
        write!(
            formatter,
            "the bag is damaged: {reason}. {bytes_read} of at least {bytes_total} bytes and {messages_read}"
        )?;
        match messages_total {
            Some(total) => {
                write!(formatter, " of {total} messages could be read", total = (*total).max(*messages_read))
            }
            None => write!(formatter, " messages could be read"),
        }
    }
}

/// An open bag.
pub struct Bag {
    path: PathBuf,
    files: Vec<(PathBuf, i64)>,
    metadata: Option<Metadata>,
    topics: Topics,
    losses: Vec<Loss>,
    /// The only file of the bag stays open between reads.
    only_file: Option<Box<dyn Storage>>,
}

impl Bag {
    /// Opens the bag at `path`: a rosbag2 directory, an `.mcap` or a `.db3` file, the files possibly compressed as
    /// `.zstd`. What a file is, its first bytes decide, not its name.
    ///
    /// # Errors
    /// [`Refusal`] when it is no ROS 2 bag, [`BagError::Io`] when it cannot be read.
    pub fn open(path: &Path) -> Result<Self, BagError> {
        let found = files::find(path)?;
        let mut losses = found.losses;
        let mut topics = found.metadata.as_ref().map(|metadata| metadata.topics.clone()).unwrap_or_default();
        // A recorder that was killed leaves counts of zero behind.
        let know_topics =
            found.metadata.as_ref().is_some_and(|metadata| metadata.message_count > 0) && !topics.is_empty();
        if !know_topics {
            topics.clear();
        }
        let single = found.found.len() == 1;
        let mut only_file = None;
        let mut opened = Vec::new();
        let mut first_refusal = None;
        // What is lost within the files; a reading finds it again.
        let mut within = Vec::new();
        for (file, listed_start) in found.found {
            if !single
                && know_topics
                && let Some(start) = listed_start
            {
                opened.push((file, start));
                continue;
            }
            match open_with_start(&file) {
                Ok((storage, start)) => {
                    if !know_topics {
                        merge_topics(&mut topics, storage.topics());
                    }
                    within.extend(storage.losses().into_iter().map(|loss| loss.in_file(&file)));
                    // A file without messages, or whose first one is damaged, comes whenever it comes.
                    opened.push((file, listed_start.or(start).unwrap_or(i64::MIN)));
                    only_file = single.then_some(storage);
                }
                Err(error @ BagError::Refused(_)) => {
                    losses.push(Loss::new(0, error.to_string()));
                    first_refusal.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        if opened.is_empty()
            && let Some(refusal) = first_refusal
        {
            return Err(refusal);
        }
        opened.sort_by_key(|&(_, start)| start);
        let topics = Topics::new(topics, [losses.as_slice(), &within].concat());
        Ok(Self { path: path.to_owned(), files: opened, metadata: found.metadata, topics, losses, only_file })
    }

    /// Where the bag lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Topics with type and count, in the bag's order.
    pub const fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Files of the bag by their first log time.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// What `metadata.yaml` says, where there is one.
    pub const fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// Reads the messages of `topics` in log-time order until `visit` breaks or fails. A bag can be read any number
    /// of times.
    ///
    /// # Errors
    /// The error of `visit`, or a [`BagError`] when a file cannot be read at all.
    pub fn read<E: From<BagError>>(
        &mut self,
        topics: &[String],
        visit: &mut dyn FnMut(BagMessage<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<Completeness, E> {
        let mut reading = Reading { losses: self.losses.clone(), ..Reading::default() };
        let mut waiting = self.files.iter().peekable();
        let mut open: Vec<(&Path, Box<dyn Storage>)> = Vec::new();
        let mut decompressed = Vec::new();
        let broke = loop {
            let mut earliest: Option<(usize, i64)> = None;
            let mut index = 0;
            while index < open.len() {
                match open[index].1.next_time_ns()? {
                    Some(time) if earliest.is_none_or(|(_, earliest)| time < earliest) => {
                        earliest = Some((index, time));
                        index += 1;
                    }
                    Some(_) => index += 1,
                    None => {
                        let (path, storage) = open.remove(index);
                        reading.close(path, storage.as_ref());
                        if self.files.len() == 1 {
                            self.only_file = Some(storage);
                        }
                    }
                }
            }
            if let Some((path, _)) = waiting.next_if(|(_, start)| earliest.is_none_or(|(_, time)| *start <= time)) {
                let storage = self.only_file.take().map_or_else(|| files::open(path), Ok);
                match storage {
                    Ok(mut storage) => {
                        storage.start(topics)?;
                        open.push((path, storage));
                    }
                    Err(error @ BagError::Refused(_)) => reading.losses.push(Loss::new(0, error.to_string())),
                    Err(error) => return Err(error.into()),
                }
                continue;
            }
            let Some((index, _)) = earliest else { break false };
            let mut outcome = Ok(ControlFlow::Continue(()));
            open[index].1.visit_next(
                &mut |message| match files::decompress_message(message.data, &mut decompressed) {
                    Ok(data) => {
                        reading.messages += 1;
                        outcome = visit(BagMessage { data, ..message });
                    }
                    Err(error) => reading.losses.push(Loss::new(
                        message.data.len() as u64,
                        format!(
                            "a message of {} at {} ns cannot be decompressed: {error}",
                            message.topic, message.log_time_ns
                        ),
                    )),
                },
            )?;
            if outcome?.is_break() {
                break true;
            }
        };
        for (path, storage) in open {
            reading.close(path, storage.as_ref());
            if self.files.len() == 1 {
                self.only_file = Some(storage);
            }
        }
        Ok(reading.completeness(self, topics, broke))
    }
}

/// What one reading met.
#[derive(Default)]
struct Reading {
    losses: Vec<Loss>,
    messages: u64,
}

impl Reading {
    fn close(&mut self, path: &Path, storage: &dyn Storage) {
        self.losses.extend(storage.losses().into_iter().map(|loss| loss.in_file(path)));
    }

    fn completeness(mut self, bag: &Bag, topics: &[String], broke: bool) -> Completeness {
        let messages_total = bag.metadata.as_ref().filter(|_| !broke).map(|metadata| {
            let wanted = metadata.topics.iter().filter(|topic| topics.contains(&topic.name));
            wanted.filter_map(|topic| topic.message_count).sum()
        });
        if self.losses.is_empty()
            && bag.metadata.as_ref().is_some_and(Metadata::counts_its_files)
            && let Some(total) = messages_total.filter(|total| *total > self.messages)
        {
            let reason = format!("metadata.yaml counts {total} messages, its files hold {}", self.messages);
            self.losses.push(Loss::new(0, reason));
        }
        if self.losses.is_empty() {
            return Completeness::Whole;
        }
        let on_disk: u64 =
            bag.files.iter().filter_map(|(path, _)| std::fs::metadata(path).ok()).map(|file| file.len()).sum();
        let lost: u64 = self.losses.iter().map(|loss| loss.bytes_in_file).sum();
        let beyond_end: u64 = self.losses.iter().map(|loss| loss.bytes_beyond_end).sum();
        let mut reasons = storage::reasons(self.losses);
        let more = reasons.len().saturating_sub(MAX_REASONS);
        reasons.truncate(MAX_REASONS);
        let mut reason = reasons.join("; ");
        if more > 0 {
            reason += "; and ";
            reason += &more.to_string();
            reason += " more";
        }
        Completeness::Damaged {
            reason,
            bytes_read: on_disk.saturating_sub(lost),
            bytes_total: on_disk + beyond_end,
            messages_read: self.messages,
            messages_total,
        }
    }
}

/// A report names so many losses, and counts the others.
const MAX_REASONS: usize = 5;

fn open_with_start(path: &Path) -> Result<(Box<dyn Storage>, Option<i64>), BagError> {
    let mut storage = files::open(path)?;
    let topics: Vec<String> = storage.topics().into_iter().map(|topic| topic.name).collect();
    storage.start(&topics)?;
    let start = storage.next_time_ns()?;
    Ok((storage, start))
}

fn merge_topics(topics: &mut Vec<Topic>, more: Vec<Topic>) {
    for topic in more {
        match topics.iter_mut().find(|known| known.name == topic.name) {
            Some(known) => known.message_count = known.message_count.zip(topic.message_count).map(|(a, b)| a + b),
            None => topics.push(topic),
        }
    }
}
