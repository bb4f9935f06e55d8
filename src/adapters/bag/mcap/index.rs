//! Where the messages of an MCAP file lie: a list of blocks (chunks, or runs of messages outside chunks) with their
//! first log time, made by hopping from record to record.
//!
//! A valid summary only makes the hops longer: known chunks are jumped over together with their message indexes, and
//! after a damaged record the hop goes on at the next known chunk. Without a summary (truncated file, killed
//! recorder) the same hops work, up to the cut.

use std::collections::BTreeMap;
use std::io;

use mcap::records::{ChunkIndex, Record, op};

use super::chunk::FIXED_HEADER;
use super::record;
use super::source::{RECORD_HEADER, Source, records};
use crate::adapters::bag::storage::Loss;

/// First and last bytes of an MCAP file.
pub const MAGIC: [u8; 8] = *b"\x89MCAP0\r\n";
const FOOTER_BODY: u64 = 20;
/// A summary beyond this size is not read; the file is scanned instead.
const MAX_SUMMARY: u64 = 512 << 20;
/// A schema or channel beyond this size is not believed.
const MAX_SMALL_RECORD: u64 = 16 << 20;
/// Messages outside chunks are read in runs of about this size.
const RUN_LENGTH: u64 = 1 << 20;

/// A piece of the file that is loaded at once.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Offset of its (first) record.
    pub start: u64,
    /// Offset behind it; beyond the end of the file for a chunk that was cut.
    pub end: u64,
    /// Log time of its first message, ns.
    pub first_time: u64,
    /// Whether it is a chunk, rather than a run of messages.
    pub is_chunk: bool,
}

/// What the hops found.
#[derive(Default)]
pub struct Index {
    /// Blocks by first log time.
    pub blocks: Vec<Block>,
    /// Schema and channel records outside chunks, and those of the summary, as opcode and body.
    pub definitions: Vec<(u8, Vec<u8>)>,
    /// Messages per channel, where the summary says.
    pub message_counts: Option<BTreeMap<u16, u64>>,
    /// Profile named in the header.
    pub profile: String,
    /// What was lost on the way.
    pub losses: Vec<Loss>,
}

struct Summary {
    chunks: BTreeMap<u64, ChunkIndex>,
    definitions: Vec<(u8, Vec<u8>)>,
    message_counts: Option<BTreeMap<u16, u64>>,
}

impl Index {
    /// Hops through the file.
    pub fn build(source: &mut Source) -> io::Result<Self> {
        let mut index = Self::default();
        let mut chunks = BTreeMap::new();
        if let Some(summary) = read_summary(source)? {
            chunks = summary.chunks;
            index.definitions = summary.definitions;
            index.message_counts = summary.message_counts;
        }
        index.hop(source, &chunks)?;
        index.blocks.sort_by_key(|block| (block.first_time, block.start));
        Ok(index)
    }

    fn hop(&mut self, source: &mut Source, chunks: &BTreeMap<u64, ChunkIndex>) -> io::Result<()> {
        let length = source.length();
        let mut position = MAGIC.len() as u64;
        let mut run: Option<Block> = None;
        loop {
            if let Some(chunk) = chunks.get(&position) {
                self.blocks.extend(run.take());
                let end = position.saturating_add(chunk.chunk_length);
                let first_time = chunk.message_start_time;
                self.blocks.push(Block { start: position, end, first_time, is_chunk: true });
                position = next_chunk(chunks, position)
                    .map_or(u64::MAX, |next| next.max(position + 1))
                    .min(end.saturating_add(chunk.message_index_length));
                continue;
            }
            let Some(header) = source.record_header(position)? else {
                let rest = length.saturating_sub(position);
                self.lose(
                    rest,
                    format!("ends at byte {length} without a footer, {rest} bytes of a record are left over"),
                );
                break;
            };
            let fits = header.end <= length;
            match header.opcode {
                op::FOOTER if fits => {
                    if source.array(header.end)? != Some(MAGIC) {
                        self.lose(0, format!("ends at byte {length} without the closing signature"));
                    }
                    break;
                }
                op::CHUNK => {
                    self.blocks.extend(run.take());
                    let Some(first_time) = source
                        .array::<8>(header.body)?
                        .filter(|_| header.end - header.body >= FIXED_HEADER && length - header.body >= FIXED_HEADER)
                    else {
                        self.lose_record(position, header.end, length, "a chunk");
                        if let Some(next) = next_chunk(chunks, position) {
                            position = next;
                            continue;
                        }
                        break;
                    };
                    let first_time = u64::from_le_bytes(first_time);
                    self.blocks.push(Block { start: position, end: header.end, first_time, is_chunk: true });
                    if !fits {
                        // The loss is stated when the chunk is read.
                        break;
                    }
                }
                op::MESSAGE if fits => {
                    let first_time = source.array::<8>(header.body + 6)?.map_or(0, u64::from_le_bytes);
                    let block = run.get_or_insert(Block { start: position, end: 0, first_time, is_chunk: false });
                    block.first_time = block.first_time.min(first_time);
                    block.end = header.end;
                    if block.end - block.start > RUN_LENGTH {
                        self.blocks.extend(run.take());
                    }
                }
                op::HEADER | op::SCHEMA | op::CHANNEL if fits && header.end - header.body <= MAX_SMALL_RECORD => {
                    let mut body = Vec::new();
                    source.read(header.body, header.end - header.body, &mut body)?;
                    match (header.opcode, record::parse(header.opcode, &body)) {
                        (op::HEADER, Some(Record::Header(header))) => self.profile = header.profile,
                        (op::HEADER, _) => {}
                        (opcode, _) => self.definitions.push((opcode, body)),
                    }
                    if let Some(block) = &mut run {
                        block.end = header.end;
                    }
                }
                _ if fits && header.opcode != 0 => {
                    // Indexes, attachments, statistics and records of others: no messages in them.
                    self.blocks.extend(run.take());
                    if header.opcode == op::DATA_END {
                        self.check_bare_messages(source, position)?;
                    }
                }
                _ => {
                    self.blocks.extend(run.take());
                    if let Some(next) = next_chunk(chunks, position) {
                        self.lose(next - position, format!("bytes {position} to {next} are no record; skipped"));
                        position = next;
                        continue;
                    }
                    self.lose_record(position, header.end, length, "a record");
                    break;
                }
            }
            position = header.end;
        }
        self.blocks.extend(run);
        Ok(())
    }

    /// Messages outside chunks have no checksum but that of the whole data section, which ends at `end`. What it says
    /// cannot be pinned to a message, so all of them are read and the damage is stated.
    fn check_bare_messages(&mut self, source: &mut Source, end: u64) -> io::Result<()> {
        let stored = source.array(end + RECORD_HEADER)?.map_or(0, u32::from_le_bytes);
        if stored == 0 || self.blocks.iter().all(|block| block.is_chunk) {
            return Ok(());
        }
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = Vec::new();
        let mut position = 0;
        while position < end {
            let piece = RUN_LENGTH.min(end - position);
            source.read(position, piece, &mut buffer)?;
            hasher.update(&buffer);
            position += piece;
        }
        let crc = hasher.finalize();
        if crc != stored {
            self.lose(
                0,
                format!(
                    "some of its {end} bytes of messages are wrong: their checksum is {crc:08x}, stored {stored:08x}"
                ),
            );
        }
        Ok(())
    }

    fn lose(&mut self, bytes: u64, reason: String) {
        self.losses.push(Loss::new(bytes, reason));
    }

    fn lose_record(&mut self, start: u64, end: u64, length: u64, what: &str) {
        // A length that is nonsense says nothing about what was there.
        let beyond = if end < length.saturating_mul(2) { end.saturating_sub(length) } else { 0 };
        let reason = format!("{what} at byte {start} goes beyond the end of the file at byte {length}");
        self.losses.push(Loss::new(length - start, reason).and_beyond_end(beyond));
    }
}

fn next_chunk(chunks: &BTreeMap<u64, ChunkIndex>, position: u64) -> Option<u64> {
    chunks.range(position + 1..).next().map(|(&offset, _)| offset)
}

/// The summary, if there is a valid one.
fn read_summary(source: &mut Source) -> io::Result<Option<Summary>> {
    let length = source.length();
    let magic = MAGIC.len() as u64;
    let Some(footer_start) = length.checked_sub(magic + RECORD_HEADER + FOOTER_BODY).filter(|&start| start >= magic)
    else {
        return Ok(None);
    };
    let footer = source.record_header(footer_start)?;
    if source.array(length - magic)? != Some(MAGIC)
        || footer.is_none_or(|footer| footer.opcode != op::FOOTER || footer.end != length - magic)
    {
        return Ok(None);
    }
    let summary_start = source.array(footer_start + RECORD_HEADER)?.map_or(0, u64::from_le_bytes);
    let stored_crc = source.array(footer_start + RECORD_HEADER + 16)?.map_or(0, u32::from_le_bytes);
    if summary_start < magic || summary_start > footer_start || footer_start - summary_start > MAX_SUMMARY {
        return Ok(None);
    }
    let mut data = Vec::new();
    // The checksum covers the footer too, up to the checksum itself.
    source.read(summary_start, footer_start + RECORD_HEADER + 16 - summary_start, &mut data)?;
    if stored_crc != 0 && crc32fast::hash(&data) != stored_crc {
        return Ok(None);
    }
    data.truncate((footer_start - summary_start) as usize);
    let mut summary = Summary { chunks: BTreeMap::new(), definitions: Vec::new(), message_counts: None };
    let mut found = records(&data);
    for (opcode, _, body) in &mut found {
        match record::parse(opcode, body) {
            Some(Record::ChunkIndex(chunk)) => {
                if chunk.chunk_start_offset < magic
                    || chunk.chunk_start_offset.checked_add(chunk.chunk_length).is_none_or(|end| end > summary_start)
                {
                    return Ok(None);
                }
                summary.chunks.insert(chunk.chunk_start_offset, chunk);
            }
            // An empty map says that nobody counted.
            Some(Record::Statistics(statistics))
                if statistics.message_count == 0 || !statistics.channel_message_counts.is_empty() =>
            {
                summary.message_counts = Some(statistics.channel_message_counts);
            }
            Some(Record::Schema { .. } | Record::Channel(_)) => summary.definitions.push((opcode, body.to_vec())),
            None if record::is_known(opcode) => return Ok(None),
            _ => {}
        }
    }
    Ok((found.rest() == 0).then_some(summary))
}
