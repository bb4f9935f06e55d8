//! Reading CDR: bounds-checked, borrowing.

use super::HEADER_LENGTH;

/// A message that is not what its type says. Offsets count from the first byte of the message, header included.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CdrError {
    /// The data ends before the field does.
    #[error("{field} at byte {offset} needs {expected_bytes} bytes, the message has {remaining_bytes} left")]
    Truncated {
        /// Field that was being read.
        field: &'static str,
        /// Where it starts.
        offset: usize,
        /// How much it needs.
        expected_bytes: usize,
        /// How much there is.
        remaining_bytes: usize,
    },
    /// The encapsulation is not plain CDR.
    #[error(
        "CDR representation identifier at byte 0 is {identifier:#06x}, only plain CDR is read (0x0000 big endian, 0x0001 little endian)"
    )]
    Representation {
        /// The identifier found.
        identifier: u16,
    },
    /// A string without its closing NUL.
    #[error("string {field} at byte {offset} does not end with NUL")]
    UnterminatedString {
        /// Field that was being read.
        field: &'static str,
        /// Where its text starts.
        offset: usize,
    },
    /// A string that is not UTF-8.
    #[error("string {field} at byte {offset} is not UTF-8")]
    NotUtf8 {
        /// Field that was being read.
        field: &'static str,
        /// Where its text starts.
        offset: usize,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("bool {field} at byte {offset} is {value}, expected 0 or 1")]
    NotBool {
        /// Field that was being read.
        field: &'static str,
        /// Where it is.
        offset: usize,
        /// The byte found.
        value: u8,
    },
    /// A field with a value that its message type does not define.
    #[error("{field} before byte {offset} is {value}, expected {expected}")]
    Value {
        /// Field that was read.
        field: &'static str,
        /// Where the field ends.
        offset: usize,
        /// The value found.
        value: u64,
        /// What the type defines.
        expected: &'static str,
    },
}

/// A cursor over one CDR message.
#[derive(Clone, Debug)]
pub struct CdrReader<'a> {
    data: &'a [u8],
    position: usize,
    big_endian: bool,
}

macro_rules! primitive {
    ($($name:ident: $type:ty, $bytes:literal;)*) => {$(
        #[doc = concat!("Reads a `", stringify!($type), "`.\n\n# Errors\n[`CdrError::Truncated`] at the end of the data.")]
        pub fn $name(&mut self, field: &'static str) -> Result<$type, CdrError> {
            let raw: [u8; $bytes] = self.aligned(field)?;
            Ok(if self.big_endian { <$type>::from_be_bytes(raw) } else { <$type>::from_le_bytes(raw) })
        }
    )*};
}

impl<'a> CdrReader<'a> {
    /// A reader at the first field of `data`, a message with its encapsulation header.
    ///
    /// # Errors
    /// [`CdrError`] when the header is missing or names another encoding.
    pub fn new(data: &'a [u8]) -> Result<Self, CdrError> {
        let Some([high, low, _, _]) = data.first_chunk::<HEADER_LENGTH>().copied() else {
            return Err(CdrError::Truncated {
                field: "encapsulation header",
                offset: 0,
                expected_bytes: HEADER_LENGTH,
                remaining_bytes: data.len(),
            });
        };
        let identifier = u16::from_be_bytes([high, low]);
        if identifier > 1 {
            return Err(CdrError::Representation { identifier });
        }
        Ok(Self { data, position: HEADER_LENGTH, big_endian: identifier == 0 })
    }

    /// Bytes not read yet.
    pub const fn remaining(&self) -> usize {
        self.data.len() - self.position
    }

    /// Offset of the next byte from the start of the message.
    pub const fn offset(&self) -> usize {
        self.position
    }

    fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], CdrError> {
        let taken = self.data[self.position..].get(..length).ok_or(CdrError::Truncated {
            field,
            offset: self.position,
            expected_bytes: length,
            remaining_bytes: self.remaining(),
        })?;
        self.position += length;
        Ok(taken)
    }

    fn aligned<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CdrError> {
        let padding = (self.position - HEADER_LENGTH).wrapping_neg() & (N - 1);
        let raw = self.data[self.position..].get(padding..).and_then(<[u8]>::first_chunk::<N>).copied().ok_or(
            CdrError::Truncated {
                field,
                offset: self.position,
                expected_bytes: padding + N,
                remaining_bytes: self.remaining(),
            },
        )?;
        self.position += padding + N;
        Ok(raw)
    }

    primitive! {
        u8: u8, 1; u16: u16, 2; u32: u32, 4; u64: u64, 8;
        i8: i8, 1; i16: i16, 2; i32: i32, 4; i64: i64, 8;
        f32: f32, 4; f64: f64, 8;
    }

    /// Reads a `bool`.
    ///
    /// # Errors
    /// [`CdrError`] at the end of the data or on a byte other than 0 and 1.
    pub fn bool(&mut self, field: &'static str) -> Result<bool, CdrError> {
        let offset = self.position;
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(CdrError::NotBool { field, offset, value }),
        }
    }

    /// Borrows a string. Length 0, which some writers use for the empty string, is accepted.
    ///
    /// # Errors
    /// [`CdrError`] at the end of the data, without a closing NUL, or on text that is not UTF-8.
    pub fn string(&mut self, field: &'static str) -> Result<&'a str, CdrError> {
        let length = self.u32(field)? as usize;
        if length == 0 {
            return Ok("");
        }
        let offset = self.position;
        let Some((0, text)) = self.take(length, field)?.split_last() else {
            return Err(CdrError::UnterminatedString { field, offset });
        };
        std::str::from_utf8(text).map_err(|_| CdrError::NotUtf8 { field, offset })
    }

    /// Borrows a `uint8[]`.
    ///
    /// # Errors
    /// [`CdrError::Truncated`] when the length goes past the end of the data.
    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], CdrError> {
        let length = self.u32(field)? as usize;
        self.take(length, field)
    }

    /// Reads the element count of a sequence whose elements take at least `minimum_element_bytes` each, so that a
    /// count that the data cannot hold is refused before anything is allocated.
    ///
    /// # Errors
    /// [`CdrError::Truncated`] when the data cannot hold that many elements.
    pub fn sequence_length(&mut self, field: &'static str, minimum_element_bytes: usize) -> Result<usize, CdrError> {
        let count = self.u32(field)? as usize;
        let expected_bytes = count.saturating_mul(minimum_element_bytes.max(1));
        if expected_bytes > self.remaining() {
            let remaining_bytes = self.remaining();
            return Err(CdrError::Truncated { field, offset: self.position, expected_bytes, remaining_bytes });
        }
        Ok(count)
    }

    /// Reads a `float64[]`.
    ///
    /// # Errors
    /// [`CdrError::Truncated`] when the data cannot hold it.
    pub fn f64_sequence(&mut self, field: &'static str) -> Result<Vec<f64>, CdrError> {
        let count = self.sequence_length(field, 8)?;
        (0..count).map(|_| self.f64(field)).collect()
    }

    /// Reads a `float64[N]`.
    ///
    /// # Errors
    /// [`CdrError::Truncated`] when the data cannot hold it.
    pub fn f64_array<const N: usize>(&mut self, field: &'static str) -> Result<[f64; N], CdrError> {
        let mut array = [0.0; N];
        for value in &mut array {
            *value = self.f64(field)?;
        }
        Ok(array)
    }

    /// Reads a `float32[N]`.
    ///
    /// # Errors
    /// [`CdrError::Truncated`] when the data cannot hold it.
    pub fn f32_array<const N: usize>(&mut self, field: &'static str) -> Result<[f32; N], CdrError> {
        let mut array = [0.0; N];
        for value in &mut array {
            *value = self.f32(field)?;
        }
        Ok(array)
    }
}
