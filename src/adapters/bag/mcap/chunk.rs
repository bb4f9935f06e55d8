//! One MCAP chunk: header, decompression, checksum.

use std::io::Read;

/// A chunk larger than this uncompressed is not believed.
const MAX_UNCOMPRESSED: u64 = 2 << 30;

/// Fixed fields in front of a chunk's compression name.
pub const FIXED_HEADER: u64 = 32;

/// The header of a chunk record.
pub struct ChunkHeader<'a> {
    uncompressed_size: u64,
    uncompressed_crc: u32,
    compression: &'a str,
    compressed_size: u64,
}

impl<'a> ChunkHeader<'a> {
    /// Splits a chunk record's body, which may be cut, into header and compressed records.
    pub fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), String> {
        const CUT: &str = "its header is cut";
        let (fixed, rest) = body.split_first_chunk::<{ FIXED_HEADER as usize }>().ok_or(CUT)?;
        let u64_at = |at: usize| fixed[at..].first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let u32_at = |at: usize| fixed[at..].first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let name_length = u32_at(28) as usize;
        let name = rest.get(..name_length).ok_or("its compression name does not fit")?;
        let (size, records) = rest[name_length..].split_first_chunk::<8>().ok_or(CUT)?;
        let header = Self {
            uncompressed_size: u64_at(16),
            uncompressed_crc: u32_at(24),
            compression: std::str::from_utf8(name).map_err(|_| "its compression name is not UTF-8")?,
            compressed_size: u64::from_le_bytes(*size),
        };
        let length = usize::try_from(header.compressed_size).unwrap_or(usize::MAX).min(records.len());
        Ok((header, &records[..length]))
    }

    /// Whether its writer stored a checksum.
    pub const fn has_checksum(&self) -> bool {
        self.uncompressed_crc != 0
    }

    /// Decompresses `records` into `buffer` and checks size and checksum. On an error `buffer` holds what could be
    /// decompressed, unchecked.
    pub fn decompress(&self, records: &[u8], buffer: &mut Vec<u8>) -> Result<(), String> {
        buffer.clear();
        let limit = self.uncompressed_size;
        if limit > MAX_UNCOMPRESSED {
            return Err(format!("it claims {limit} bytes uncompressed, more than {MAX_UNCOMPRESSED}"));
        }
        match self.compression {
            "" => buffer.extend_from_slice(&records[..records.len().min(limit as usize)]),
            "zstd" => zstd::Decoder::new(records)
                .and_then(|decoder| decoder.take(limit).read_to_end(buffer))
                .map(drop)
                .map_err(|error| format!("zstd: {error}"))?,
            "lz4" => lz4::Decoder::new(records)
                .and_then(|decoder| decoder.take(limit).read_to_end(buffer))
                .map(drop)
                .map_err(|error| format!("lz4: {error}"))?,
            other => return Err(format!("its compression \"{other}\" is not known (zstd, lz4, none)")),
        }
        if (records.len() as u64) < self.compressed_size || buffer.len() as u64 != limit {
            return Err(format!("it has {} of {limit} uncompressed bytes", buffer.len()));
        }
        let crc = crc32fast::hash(buffer);
        if self.uncompressed_crc != 0 && crc != self.uncompressed_crc {
            return Err(format!("its checksum is {crc:08x}, stored {:08x}", self.uncompressed_crc));
        }
        Ok(())
    }
}
