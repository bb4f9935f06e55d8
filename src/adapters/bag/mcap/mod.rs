//! MCAP files, read chunk by chunk in log-time order with bounded memory: at any moment only chunks whose times
//! overlap are held. Message data is borrowed from the chunk's buffer.
//!
//! A chunk with a wrong checksum is left out; of a chunk cut by the end of the file every whole message is read. Both
//! are stated as a [`Loss`].

mod chunk;
mod index;
mod record;
mod source;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use mcap::records::{Record, op};

use super::storage::{BagMessage, Loss, Storage, Topic};
use super::{BagError, Refusal};
use chunk::ChunkHeader;
use index::{Block, Index};
use source::{RECORD_HEADER, Source, records};

pub use index::MAGIC;

/// Fields of a message record in front of its data: channel (2), sequence (4), log time (8), publish time (8).
const MESSAGE_HEADER: usize = 22;

/// An open MCAP file.
pub struct McapFile {
    path: PathBuf,
    source: Source,
    index: Index,
    schemas: BTreeMap<u16, String>,
    channels: BTreeMap<u16, Topic>,
    /// `None` lets every topic through.
    wanted: Option<HashSet<String>>,
    next_block: usize,
    loaded: Vec<LoadedBlock>,
    spare_buffers: Vec<Vec<u8>>,
    record_buffer: Vec<u8>,
    losses: Vec<Loss>,
}

struct LoadedBlock {
    data: Vec<u8>,
    entries: Vec<Entry>,
    next: usize,
}

/// A message within a loaded block.
struct Entry {
    log_time: u64,
    start: usize,
    end: usize,
    channel: u16,
}

impl McapFile {
    /// Opens `path` and finds its topics. Without a valid summary the whole file is read once for that.
    ///
    /// # Errors
    /// [`Refusal`] when it is no MCAP file or holds no ROS 2 channel; [`BagError::Io`] when it cannot be read.
    pub fn open(path: &Path) -> Result<Self, BagError> {
        let mut source = Source::open(path).map_err(BagError::io("open", path))?;
        let index = Index::build(&mut source).map_err(BagError::io("read", path))?;
        let mut file = Self {
            path: path.to_owned(),
            source,
            index,
            schemas: BTreeMap::new(),
            channels: BTreeMap::new(),
            wanted: None,
            next_block: 0,
            loaded: Vec::new(),
            spare_buffers: Vec::new(),
            record_buffer: Vec::new(),
            losses: Vec::new(),
        };
        for (opcode, body) in std::mem::take(&mut file.index.definitions) {
            file.define(opcode, &body);
        }
        match &file.index.message_counts {
            Some(counts) if counts.keys().all(|id| file.channels.contains_key(id)) => {
                for (id, topic) in &mut file.channels {
                    topic.message_count = Some(counts.get(id).copied().unwrap_or(0));
                }
            }
            _ => file.count_messages()?,
        }
        if !file.channels.is_empty() && file.channels.values().all(|topic| topic.serialization != "cdr") {
            let encodings: HashSet<_> = file.channels.values().map(|topic| topic.serialization.as_str()).collect();
            let mut encodings: Vec<_> = encodings.into_iter().collect();
            encodings.sort_unstable();
            let (encodings, profile) = (encodings.join(", "), file.index.profile.clone());
            return Err(Refusal::NotRos2 { path: path.to_owned(), encodings, profile }.into());
        }
        Ok(file)
    }

    /// Reads everything once for the channels inside the chunks and the number of messages.
    fn count_messages(&mut self) -> Result<(), BagError> {
        self.wanted = None;
        let mut counts = BTreeMap::<u16, u64>::new();
        for block in self.index.blocks.clone() {
            if let Some(loaded) = self.load(block)? {
                for entry in &loaded.entries {
                    *counts.entry(entry.channel).or_default() += 1;
                }
                self.spare_buffers.push(loaded.data);
            }
        }
        for (id, topic) in &mut self.channels {
            topic.message_count = Some(counts.get(id).copied().unwrap_or(0));
        }
        Ok(())
    }

    /// Learns a schema or channel record. One that cannot be parsed leaves its messages without a topic; they are
    /// counted as lost when they come.
    fn define(&mut self, opcode: u8, body: &[u8]) {
        match record::parse(opcode, body) {
            Some(Record::Schema { header, .. }) => {
                self.schemas.insert(header.id, full_type_name(&header.name));
            }
            Some(Record::Channel(channel)) => {
                let qos = channel.metadata.get("offered_qos_profiles").cloned().unwrap_or_default();
                self.channels.entry(channel.id).or_insert_with(|| Topic {
                    name: channel.topic,
                    type_name: self.schemas.get(&channel.schema_id).cloned().unwrap_or_default(),
                    serialization: channel.message_encoding,
                    message_count: None,
                    offered_qos_profiles: qos,
                });
            }
            _ => {}
        }
    }

    /// Reads a block and lists the wanted messages in it by log time.
    fn load(&mut self, block: Block) -> Result<Option<LoadedBlock>, BagError> {
        let mut data = self.spare_buffers.pop().unwrap_or_default();
        data.clear();
        let length = self.source.length();
        let is_cut = block.end > length;
        let mut damage = None;
        if block.is_chunk {
            let mut record = std::mem::take(&mut self.record_buffer);
            let read = self.source.read(block.start, block.end - block.start, &mut record);
            read.map_err(BagError::io("read", &self.path))?;
            let decompressed = match record.split_at_checked(RECORD_HEADER as usize) {
                Some(([op::CHUNK, ..], body)) => {
                    ChunkHeader::parse(body).and_then(|(header, records)| header.decompress(records, &mut data))
                }
                _ => Err("it is no chunk record".to_owned()),
            };
            self.record_buffer = record;
            if let Err(reason) = decompressed {
                if !is_cut {
                    let bytes = block.end - block.start;
                    self.losses.push(Loss::new(
                        bytes,
                        format!("the chunk of {bytes} bytes at byte {} is damaged and left out: {reason}", block.start),
                    ));
                    self.spare_buffers.push(data);
                    return Ok(None);
                }
                damage = Some(reason);
            }
        } else {
            let read = self.source.read(block.start, block.end - block.start, &mut data);
            read.map_err(BagError::io("read", &self.path))?;
        }
        let (entries, strange) = self.list_messages(&data);
        if let Some(reason) = damage {
            let reason = format!(
                "ends at byte {length} inside the chunk of {} bytes that began at byte {} ({reason}); the whole messages \
                 in it were read",
                block.end - block.start,
                block.start
            );
            self.losses.push(Loss::new(0, reason).and_beyond_end(block.end - length));
        }
        if strange > 0 {
            let reason = format!("{strange} messages at byte {} belong to no known channel", block.start);
            self.losses.push(Loss::new(0, reason));
        }
        Ok(Some(LoadedBlock { data, entries, next: 0 }))
    }

    /// The wanted messages in `data` by log time, and how many have no channel.
    fn list_messages(&mut self, data: &[u8]) -> (Vec<Entry>, usize) {
        let mut entries = Vec::new();
        let mut strange = 0;
        for (opcode, start, body) in records(data) {
            match opcode {
                op::SCHEMA | op::CHANNEL => self.define(opcode, body),
                op::MESSAGE => {
                    let Some((&[c0, c1, _, _, _, _, log_time @ .., _, _, _, _, _, _, _, _], _)) =
                        body.split_first_chunk::<MESSAGE_HEADER>()
                    else {
                        strange += 1;
                        continue;
                    };
                    let channel = u16::from_le_bytes([c0, c1]);
                    let Some(topic) = self.channels.get(&channel) else {
                        strange += 1;
                        continue;
                    };
                    if self.wanted.as_ref().is_none_or(|wanted| wanted.contains(&topic.name)) {
                        let end = start + body.len();
                        let log_time = u64::from_le_bytes(log_time);
                        entries.push(Entry { log_time, start: start + MESSAGE_HEADER, end, channel });
                    }
                }
                _ => {}
            }
        }
        if !entries.is_sorted_by_key(|entry| entry.log_time) {
            entries.sort_by_key(|entry| entry.log_time);
        }
        (entries, strange)
    }

    /// Index of the loaded block with the earliest message, after loading every block that may hold an earlier one.
    fn earliest(&mut self) -> Result<Option<usize>, BagError> {
        loop {
            let earliest = (0..self.loaded.len()).min_by_key(|&index| self.loaded[index].next_time());
            let time = earliest.and_then(|index| self.loaded[index].next_time());
            match self.index.blocks.get(self.next_block) {
                Some(&block) if time.is_none_or(|time| block.first_time <= time) => {
                    self.next_block += 1;
                    if let Some(loaded) = self.load(block)? {
                        if loaded.entries.is_empty() {
                            self.spare_buffers.push(loaded.data);
                        } else {
                            self.loaded.push(loaded);
                        }
                    }
                }
                _ => return Ok(earliest),
            }
        }
    }
}

impl LoadedBlock {
    fn next_time(&self) -> Option<u64> {
        self.entries.get(self.next).map(|entry| entry.log_time)
    }
}

impl Storage for McapFile {
    fn topics(&self) -> Vec<Topic> {
        // Several publishers of one topic are several channels.
        let mut topics: Vec<Topic> = Vec::new();
        for channel in self.channels.values() {
            match topics.iter_mut().find(|topic| topic.name == channel.name) {
                Some(topic) => {
                    topic.message_count = topic.message_count.zip(channel.message_count).map(|(a, b)| a + b);
                }
                None => topics.push(channel.clone()),
            }
        }
        topics
    }

    fn start(&mut self, topics: &[String]) -> Result<(), BagError> {
        self.wanted = Some(topics.iter().cloned().collect());
        self.next_block = 0;
        let loaded = std::mem::take(&mut self.loaded);
        self.spare_buffers.extend(loaded.into_iter().map(|block| block.data));
        self.losses.clear();
        Ok(())
    }

    fn next_time_ns(&mut self) -> Result<Option<i64>, BagError> {
        let earliest = self.earliest()?;
        Ok(earliest.and_then(|index| self.loaded[index].next_time()).map(signed))
    }

    fn visit_next(&mut self, visit: &mut dyn FnMut(BagMessage<'_>)) -> Result<(), BagError> {
        let Some(index) = self.earliest()? else { return Ok(()) };
        let block = &mut self.loaded[index];
        let entry = &block.entries[block.next];
        block.next += 1;
        if let Some(topic) = self.channels.get(&entry.channel) {
            let data = &block.data[entry.start..entry.end];
            visit(BagMessage { topic: &topic.name, log_time_ns: signed(entry.log_time), data });
        }
        if block.next == block.entries.len() {
            let block = self.loaded.remove(index);
            self.spare_buffers.push(block.data);
        }
        Ok(())
    }

    fn losses(&self) -> Vec<Loss> {
        self.index.losses.iter().chain(&self.losses).cloned().collect()
    }
}

/// `sensor_msgs/Image` and `sensor_msgs/msg/Image` are the same type.
fn full_type_name(name: &str) -> String {
    match name.split_once('/') {
        Some((package, name)) if !name.contains('/') => format!("{package}/msg/{name}"),
        _ => name.to_owned(),
    }
}

/// Times beyond the year 2262 become the last one that fits.
fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}
