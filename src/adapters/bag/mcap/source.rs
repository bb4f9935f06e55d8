//! Bytes of a file by offset, and the framing of MCAP records: opcode (1), length (8, little endian), body.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Opcode and length in front of every record.
pub const RECORD_HEADER: u64 = 9;

/// A file that is read in hops.
pub struct Source {
    reader: BufReader<File>,
    position: u64,
    length: u64,
}

/// Opcode and extent of a record.
#[derive(Clone, Copy, Debug)]
pub struct RecordHeader {
    /// What it is.
    pub opcode: u8,
    /// Offset of its body.
    pub body: u64,
    /// Offset behind it, as declared; may lie beyond the end of the file.
    pub end: u64,
}

impl Source {
    /// Opens `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { reader: BufReader::with_capacity(1 << 14, file), position: 0, length })
    }

    /// Length of the file.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Reads `length` bytes at `offset` into `buffer`, or as many as the file has.
    pub fn read(&mut self, offset: u64, length: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
        self.seek(offset)?;
        buffer.clear();
        let available = length.min(self.length.saturating_sub(offset));
        buffer.reserve(usize::try_from(available).unwrap_or(0));
        self.position += (&mut self.reader).take(available).read_to_end(buffer)? as u64;
        Ok(())
    }

    /// Reads `N` bytes at `offset`; `None` beyond the end.
    pub fn array<const N: usize>(&mut self, offset: u64) -> io::Result<Option<[u8; N]>> {
        if offset.checked_add(N as u64).is_none_or(|end| end > self.length) {
            return Ok(None);
        }
        self.seek(offset)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.position += N as u64;
        Ok(Some(bytes))
    }

    /// The record header at `offset`; `None` beyond the end.
    pub fn record_header(&mut self, offset: u64) -> io::Result<Option<RecordHeader>> {
        Ok(self.array::<9>(offset)?.map(|[opcode, length @ ..]| RecordHeader {
            opcode,
            body: offset + RECORD_HEADER,
            end: (offset + RECORD_HEADER).saturating_add(u64::from_le_bytes(length)),
        }))
    }

    fn seek(&mut self, offset: u64) -> io::Result<()> {
        // Hops within the buffer cost no system call.
        match i64::try_from(i128::from(offset) - i128::from(self.position)) {
            Ok(hop) => self.reader.seek_relative(hop)?,
            Err(_) => {
                self.reader.seek(SeekFrom::Start(offset))?;
            }
        }
        self.position = offset;
        Ok(())
    }
}

/// The records in `data` one after the other: opcode and body. Ends at the first one that is not whole.
pub fn records(data: &[u8]) -> Records<'_> {
    Records { data, position: 0 }
}

/// See [`records`].
pub struct Records<'a> {
    data: &'a [u8],
    position: usize,
}

impl Records<'_> {
    /// Bytes behind the last whole record.
    pub const fn rest(&self) -> usize {
        self.data.len() - self.position
    }
}

impl<'a> Iterator for Records<'a> {
    /// Opcode, offset of the body in the data, body.
    type Item = (u8, usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[opcode, length @ ..], rest) = self.data[self.position..].split_first_chunk::<9>()?;
        let length = usize::try_from(u64::from_le_bytes(length)).ok()?;
        let body = rest.get(..length)?;
        let start = self.position + RECORD_HEADER as usize;
        self.position = start + length;
        Some((opcode, start, body))
    }
}
