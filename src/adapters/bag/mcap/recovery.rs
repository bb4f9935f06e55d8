//! The messages of a chunk whose records do not follow one another to its end: a length or an opcode in it is wrong, and
//! it has no checksum that would have told.
//!
//! Behind the wrong place only the chunk's message index tells where a record begins. A message that it names is taken
//! where its header says the same channel and time, and its length leads to where the index has the next one. Nothing
//! that is doubtful is taken, unless there is no index at all.

use std::collections::BTreeSet;
use std::io;

use mcap::records::op;

use super::MESSAGE_HEADER;
use super::source::{RECORD_HEADER, Source, records};

/// A message index beyond this size is not believed.
const MAX_INDEX: u64 = 64 << 20;
const HEADER: usize = RECORD_HEADER as usize;
/// Size of one message in a message index: time (8) and offset (8).
const INDEX_ENTRY: usize = 16;

/// Where a message begins, as a message index says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    /// Offset of its record in the chunk's records.
    offset: usize,
    log_time: u64,
    channel: u16,
}

/// What is left of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Offsets of the records that can be used, in order: messages, schemas and channels.
    pub records: BTreeSet<usize>,
    /// Messages that are lost, and how many there were, where an index says so.
    pub lost: Option<(usize, usize)>,
    /// Bytes of records that are of no use.
    pub lost_bytes: usize,
}

/// The message indexes that begin at byte `position`, behind a chunk; empty where there are none.
pub fn message_index(source: &mut Source, mut position: u64) -> io::Result<Vec<IndexEntry>> {
    let mut entries = Vec::new();
    let mut body = Vec::new();
    while let Some(header) = source.record_header(position)? {
        let length = header.end - header.body;
        if header.opcode != op::MESSAGE_INDEX || header.end > source.length() || length > MAX_INDEX {
            break;
        }
        source.read(header.body, length, &mut body)?;
        if let Some((&[c0, c1, l0, l1, l2, l3], listed)) = body.split_first_chunk::<6>() {
            let length = (u32::from_le_bytes([l0, l1, l2, l3]) as usize).min(listed.len());
            let (channel, (each, _)) = (u16::from_le_bytes([c0, c1]), listed[..length].as_chunks::<INDEX_ENTRY>());
            entries.extend(each.iter().filter_map(|&[t0, t1, t2, t3, t4, t5, t6, t7, offset @ ..]| {
                let log_time = u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]);
                Some(IndexEntry { offset: usize::try_from(u64::from_le_bytes(offset)).ok()?, log_time, channel })
            }));
        }
        position = header.end;
    }
    entries.sort_unstable();
    Ok(entries)
}

/// What can be used of `data`, the records of a chunk, of which the one at `broken_at` is none.
pub fn recover(data: &[u8], broken_at: usize, index: &[IndexEntry]) -> Recovered {
    let mut found = BTreeSet::new();
    let mut last = None;
    for (start, _, _) in whole_records(&data[..broken_at]) {
        found.insert(start);
        last = Some(start);
    }
    let index: Vec<&IndexEntry> = index.iter().filter(|entry| entry.offset < data.len()).collect();
    if index.is_empty() {
        return Recovered { records: found, lost: None, lost_bytes: data.len() - broken_at };
    }
    // It was its length that led to where no record is.
    if let Some(last) = last.filter(|last| index.binary_search_by_key(last, |entry| entry.offset).is_ok()) {
        found.remove(&last);
    }
    let (mut lost, mut lost_bytes) = (0, 0);
    for (place, entry) in index.iter().enumerate() {
        let next = index.get(place + 1).map_or(data.len(), |next| next.offset);
        if found.contains(&entry.offset) {
            continue;
        }
        match sound_message(data, **entry, next) {
            Some(definitions) => {
                found.insert(entry.offset);
                found.extend(definitions);
            }
            None => {
                lost += 1;
                lost_bytes += next.saturating_sub(entry.offset);
            }
        }
    }
    Recovered { records: found, lost: Some((lost, index.len())), lost_bytes }
}

/// Whether the record that `entry` names is the message that it names, and leads to `next`: then the schemas and channels
/// between them.
fn sound_message(data: &[u8], entry: IndexEntry, next: usize) -> Option<Vec<usize>> {
    let mut behind = whole_records(data.get(entry.offset..next)?);
    let (_, opcode, body) = behind.next()?;
    let (channel, log_time) = message_header(body)?;
    if opcode != op::MESSAGE || channel != entry.channel || log_time != entry.log_time {
        return None;
    }
    let mut end = body.len();
    let mut definitions = Vec::new();
    for (start, opcode, body) in behind {
        if !matches!(opcode, op::SCHEMA | op::CHANNEL) {
            return None;
        }
        definitions.push(entry.offset + start);
        end = start + body.len();
    }
    (entry.offset + end + HEADER == next).then_some(definitions)
}

/// Offset, opcode and body of the records of `data`.
fn whole_records(data: &[u8]) -> impl Iterator<Item = (usize, u8, &[u8])> {
    records(data).map(|(opcode, body_start, body)| (body_start - HEADER, opcode, body))
}

/// Channel and log time of a message, by its body.
pub fn message_header(body: &[u8]) -> Option<(u16, u64)> {
    let (&[c0, c1, _, _, _, _, log_time @ .., _, _, _, _, _, _, _, _], _) =
        body.split_first_chunk::<MESSAGE_HEADER>()?;
    Some((u16::from_le_bytes([c0, c1]), u64::from_le_bytes(log_time)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Four messages of 100 bytes, at the times 0 to 3, with a channel record between the second and the third.
    fn chunk() -> (Vec<u8>, Vec<IndexEntry>) {
        let (mut data, mut index) = (Vec::new(), Vec::new());
        let mut put = |opcode: u8, body: &[u8]| {
            let offset = data.len();
            data.push(opcode);
            data.extend((body.len() as u64).to_le_bytes());
            data.extend(body);
            offset
        };
        for log_time in 0..4_u64 {
            let body = [&[7, 0, 0, 0, 0, 0][..], &log_time.to_le_bytes(), &[0; 8], &[0xaa; 100]].concat();
            let offset = put(op::MESSAGE, &body);
            index.push(IndexEntry { offset, log_time, channel: 7 });
            if log_time == 1 {
                put(op::CHANNEL, &[0; 20]);
            }
        }
        (data, index)
    }

    fn messages(recovered: &Recovered, index: &[IndexEntry]) -> Vec<u64> {
        index.iter().filter(|entry| recovered.records.contains(&entry.offset)).map(|entry| entry.log_time).collect()
    }

    /// Where the walk over the records ends.
    fn walked(data: &[u8]) -> usize {
        let mut walk = records(data);
        let foreign = walk.by_ref().find(|(opcode, ..)| !matches!(*opcode, op::MESSAGE | op::CHANNEL));
        foreign.map_or(data.len() - walk.rest(), |(_, start, _)| start - 9)
    }

    #[test]
    fn a_wrong_length_costs_its_message_alone() {
        let (whole, index) = chunk();
        assert_eq!(walked(&whole), whole.len());
        for (damaged, rest) in [(0, [1, 2, 3]), (1, [0, 2, 3]), (2, [0, 1, 3]), (3, [0, 1, 2])] {
            for (byte, bit) in [(1, 0x10), (1, 0x01), (4, 0x40)] {
                let mut data = whole.clone();
                data[index[damaged].offset + byte] ^= bit;
                let recovered = recover(&data, walked(&data), &index);
                assert_eq!(messages(&recovered, &index), rest, "message {damaged}, byte {byte}");
                assert_eq!(recovered.lost, Some((1, 4)));
                assert!((131..200).contains(&recovered.lost_bytes), "{recovered:?}");
            }
        }
    }

    #[test]
    fn a_hole_costs_what_lies_in_it() {
        let (mut data, index) = chunk();
        data[index[1].offset + 50..index[2].offset + 50].fill(0);
        let recovered = recover(&data, walked(&data), &index);
        // The second is zeros from its middle on, which nobody can know.
        assert!(!messages(&recovered, &index).contains(&2) && messages(&recovered, &index).contains(&3));
        assert_eq!(recovered.lost, Some((4 - messages(&recovered, &index).len(), 4)));
    }

    #[test]
    fn without_an_index_there_is_what_comes_before() {
        let (mut data, index) = chunk();
        data[index[2].offset] = 0x55;
        let recovered = recover(&data, walked(&data), &[]);
        assert_eq!(messages(&recovered, &index), [0, 1]);
        assert_eq!((recovered.lost, recovered.lost_bytes), (None, data.len() - index[2].offset));
    }

    #[test]
    fn an_index_that_lies_costs_nothing_before_the_damage() {
        let (mut data, index) = chunk();
        data[index[3].offset] = 0;
        let lies: Vec<IndexEntry> =
            index.iter().map(|entry| IndexEntry { offset: entry.offset + 1_000_000, ..*entry }).collect();
        let recovered = recover(&data, walked(&data), &lies);
        assert_eq!(messages(&recovered, &index), [0, 1, 2]);
        assert_eq!(recovered.lost, None);
    }
}
