//! MCAP files, read chunk by chunk in log-time order with bounded memory: at any moment only chunks whose times
//! overlap are held. Message data is borrowed from the chunk's buffer.
//!
//! A chunk with a wrong checksum is left out; of a chunk cut by the end of the file every whole message is read; of one
//! without a checksum whose records do not follow one another, every message that is whole. All are stated as a [`Loss`],
//! and so are messages that the file's statistics count and that are not there.

mod chunk;
mod index;
mod record;
mod recovery;
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
    /// Wanted messages found by channel since the start.
    found: BTreeMap<u16, u64>,
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

/// What the records of a block hold.
#[derive(Default)]
struct Listed {
    /// The wanted messages.
    entries: Vec<Entry>,
    /// Messages of no known channel.
    strange: usize,
    /// Records of another kind than schema, channel and message.
    foreign: usize,
    /// Their bytes.
    foreign_bytes: usize,
    /// Where the first of them is.
    foreign_at: Option<usize>,
    /// Bytes behind the last whole record.
    rest: usize,
}

impl Listed {
    fn sort(&mut self) {
        if !self.entries.is_sorted_by_key(|entry| entry.log_time) {
            self.entries.sort_by_key(|entry| entry.log_time);
        }
    }
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
            found: BTreeMap::new(),
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
        for block in self.index.blocks.clone() {
            if let Some(loaded) = self.load(block)? {
                self.spare_buffers.push(loaded.data);
            }
        }
        for (id, topic) in &mut self.channels {
            topic.message_count = Some(self.found.get(id).copied().unwrap_or(0));
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
        let (mut damage, mut is_checked) = (None, false);
        if block.is_chunk {
            let mut record = std::mem::take(&mut self.record_buffer);
            let read = self.source.read(block.start, block.end - block.start, &mut record);
            read.map_err(BagError::io("read", &self.path))?;
            let decompressed = match record.split_at_checked(RECORD_HEADER as usize) {
                Some(([op::CHUNK, ..], body)) => ChunkHeader::parse(body).and_then(|(header, records)| {
                    is_checked = header.has_checksum();
                    header.decompress(records, &mut data)
                }),
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
        let mut listed = self.list_messages(&data);
        if block.is_chunk && listed.rest > 0 && !is_cut {
            listed = self.recover_messages(block, &data, &listed)?;
        } else if block.is_chunk && listed.foreign > 0 && !is_checked {
            // What a checksum vouches for was written so.
            let Listed { foreign, foreign_bytes, .. } = listed;
            let reason = format!(
                "{foreign} records of the chunk at byte {} are of a kind that no chunk holds; the others were read",
                block.start
            );
            self.losses.push(Loss::new((foreign_bytes as u64).min(block.end.min(length) - block.start), reason));
        }
        for entry in &listed.entries {
            *self.found.entry(entry.channel).or_default() += 1;
        }
        let Listed { entries, strange, .. } = listed;
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

    /// The wanted messages in `data` by log time.
    fn list_messages(&mut self, data: &[u8]) -> Listed {
        let mut listed = Listed::default();
        let mut walk = records(data);
        for (opcode, start, body) in &mut walk {
            if !self.list_record(opcode, start, body, &mut listed) {
                listed.foreign_at.get_or_insert(start - RECORD_HEADER as usize);
                listed.foreign += 1;
                listed.foreign_bytes += RECORD_HEADER as usize + body.len();
            }
        }
        listed.rest = walk.rest();
        listed.sort();
        listed
    }

    /// Takes in a record at `start`; false where it is no schema, channel or message.
    fn list_record(&mut self, opcode: u8, start: usize, body: &[u8], listed: &mut Listed) -> bool {
        match opcode {
            op::SCHEMA | op::CHANNEL => self.define(opcode, body),
            op::MESSAGE => match recovery::message_header(body) {
                Some((channel, log_time)) if let Some(topic) = self.channels.get(&channel) => {
                    if self.wanted.as_ref().is_none_or(|wanted| wanted.contains(&topic.name)) {
                        let end = start + body.len();
                        listed.entries.push(Entry { log_time, start: start + MESSAGE_HEADER, end, channel });
                    }
                }
                _ => listed.strange += 1,
            },
            _ => return false,
        }
        true
    }

    /// The wanted messages that can be used of a chunk whose records do not lead to its end; states what is lost.
    fn recover_messages(&mut self, block: Block, data: &[u8], walked: &Listed) -> Result<Listed, BagError> {
        let broken_at = walked.foreign_at.unwrap_or(data.len() - walked.rest);
        let index = recovery::message_index(&mut self.source, block.end).map_err(BagError::io("read", &self.path))?;
        let recovered = recovery::recover(data, broken_at, &index);
        let mut listed = Listed::default();
        for &at in &recovered.records {
            if let Some((opcode, start, body)) = records(&data[at..]).next() {
                self.list_record(opcode, at + start, body, &mut listed);
            }
        }
        listed.sort();
        let length = block.end - block.start;
        let lost = match recovered.lost {
            Some((lost, count)) => format!("{lost} of its {count} messages are lost, the others were read"),
            None => "what comes before was read, what comes behind is lost".to_owned(),
        };
        let reason = format!(
            "the chunk of {length} bytes at byte {} is damaged: at byte {broken_at} of its {} there is no record; {lost}",
            block.start,
            data.len()
        );
        self.losses.push(Loss::new((recovered.lost_bytes as u64).min(length), reason));
        Ok(listed)
    }

    /// Wanted messages that the statistics count and that were not found, once everything was looked for.
    fn missing_messages(&self) -> Option<Loss> {
        let stated = self.index.message_counts.as_ref().filter(|_| self.next_block == self.index.blocks.len())?;
        let wanted = self.wanted.as_ref()?;
        let mut missing: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (id, topic) in self.channels.iter().filter(|(_, topic)| wanted.contains(&topic.name)) {
            let counts = missing.entry(&topic.name).or_default();
            counts.0 += self.found.get(id).copied().unwrap_or(0);
            counts.1 += stated.get(id).copied().unwrap_or(0);
        }
        let list = missing.iter().filter(|(_, (found, stated))| found < stated);
        let list: Vec<String> =
            list.map(|(topic, (found, stated))| format!("{found} of {stated} messages of {topic} are there")).collect();
        (!list.is_empty()).then(|| Loss::new(0, format!("by its statistics {}", list.join(", "))))
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
        self.found.clear();
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
        self.index.losses.iter().chain(&self.losses).cloned().chain(self.missing_messages()).collect()
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
