//! Writing CDR, little endian, into a buffer that is reused from message to message.

use super::HEADER_LENGTH;

/// Appends the fields of one message to a buffer.
#[derive(Debug)]
pub struct CdrWriter<'a> {
    buffer: &'a mut Vec<u8>,
}

macro_rules! primitive {
    ($($name:ident: $type:ty;)*) => {$(
        #[doc = concat!("Writes a `", stringify!($type), "`.")]
        pub fn $name(&mut self, value: $type) {
            let raw = value.to_le_bytes();
            let padding = (self.buffer.len() - HEADER_LENGTH).wrapping_neg() & (raw.len() - 1);
            self.buffer.extend_from_slice(&[0; 8][..padding]);
            self.buffer.extend_from_slice(&raw);
        }
    )*};
}

impl<'a> CdrWriter<'a> {
    /// Empties `buffer` and starts a message in it.
    pub fn new(buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        buffer.extend_from_slice(&[0, 1, 0, 0]);
        Self { buffer }
    }

    primitive! {
        u8: u8; u16: u16; u32: u32; u64: u64;
        i8: i8; i16: i16; i32: i32; i64: i64;
        f32: f32; f64: f64;
    }

    /// Writes a `bool`.
    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// Writes a string. A NUL inside would end it for C readers, so the text is cut there.
    pub fn string(&mut self, text: &str) {
        let text = text.split('\0').next().unwrap_or_default();
        self.sequence_length(text.len() + 1);
        self.buffer.extend_from_slice(text.as_bytes());
        self.buffer.push(0);
    }

    /// Writes a `uint8[]`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.sequence_length(bytes.len());
        self.buffer.extend_from_slice(bytes);
    }

    /// Writes the element count of a sequence.
    pub fn sequence_length(&mut self, count: usize) {
        self.u32(count as u32);
    }

    /// Writes a `float64[N]` or, after [`CdrWriter::sequence_length`], the elements of a sequence.
    pub fn f64_elements(&mut self, values: &[f64]) {
        for &value in values {
            self.f64(value);
        }
    }

    /// Writes a `float32[N]` or, after [`CdrWriter::sequence_length`], the elements of a sequence.
    pub fn f32_elements(&mut self, values: &[f32]) {
        for &value in values {
            self.f32(value);
        }
    }
}
