//! The float constants of an ONNX file: the part of the protobuf schema (onnx.proto3) that holds a graph's
//! initialisers, read back. What [`crate::onnx`] wrote is read, and so is what another exporter wrote in the same way.
//!
//! Anything may be in the file: every length is checked before it is used, and damage is named with its offset.

use std::collections::BTreeMap;

use half::f16;

/// `ModelProto.graph`.
const MODEL_GRAPH: u64 = 7;
/// `GraphProto.initializer`.
const GRAPH_INITIALISER: u64 = 5;
const TENSOR_DIMENSION: u64 = 1;
const TENSOR_TYPE: u64 = 2;
const TENSOR_FLOATS: u64 = 4;
const TENSOR_NAME: u64 = 8;
const TENSOR_RAW: u64 = 9;
/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;
/// `TensorProto.DataType.FLOAT16`.
const FLOAT16: u64 = 10;

/// A constant of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f32>,
}

impl Constant {
    /// The values, once shape and values are as they must be; `name` is for what is said otherwise.
    ///
    /// # Errors
    /// When the shape is not `wanted`, or a value is not finite.
    pub fn checked(&self, name: &str, wanted: &[usize]) -> anyhow::Result<Vec<f32>> {
        anyhow::ensure!(self.shape == wanted, "{name} has shape {:?}, {wanted:?} is needed", self.shape);
        Ok(self.finite(name)?.to_vec())
    }

    /// The values.
    ///
    /// # Errors
    /// When one is not finite.
    pub fn finite(&self, name: &str) -> anyhow::Result<&[f32]> {
        anyhow::ensure!(self.values.iter().all(|value| value.is_finite()), "{name} has values that are not finite");
        Ok(&self.values)
    }
}

/// Constants of a graph by name.
pub type Constants = BTreeMap<String, Constant>;

/// A file that is no ONNX graph, or a damaged one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a whole ONNX file: {0}")]
pub struct OnnxReadError(String);

/// The constants of single or half precision of the graph in `bytes`, by name. Those of other types are left out.
///
/// # Errors
/// [`OnnxReadError`] says where the file stops making sense.
pub fn float_constants(bytes: &[u8]) -> Result<Constants, OnnxReadError> {
    let mut constants = BTreeMap::new();
    let mut graphs = 0;
    for field in Fields::new(bytes, 0) {
        let field = field?;
        if let (MODEL_GRAPH, Value::Bytes(graph)) = (field.number, field.value) {
            graphs += 1;
            for field in Fields::new(graph, field.offset) {
                let field = field?;
                if let (GRAPH_INITIALISER, Value::Bytes(tensor)) = (field.number, field.value)
                    && let Some((name, constant)) = float_constant(tensor, field.offset)?
                    && constants.insert(name.clone(), constant).is_some()
                {
                    return Err(OnnxReadError(format!("two constants are called {name}")));
                }
            }
        }
    }
    if graphs != 1 {
        return Err(OnnxReadError(format!("it holds {graphs} graphs in {} bytes, one is needed", bytes.len())));
    }
    Ok(constants)
}

/// One `TensorProto`; `None` when it holds no floats.
fn float_constant(bytes: &[u8], offset: usize) -> Result<Option<(String, Constant)>, OnnxReadError> {
    let (mut shape, mut data_type, mut name, mut raw) = (Vec::new(), 0, String::new(), Vec::new());
    for field in Fields::new(bytes, offset) {
        let field = field?;
        match (field.number, field.value) {
            (TENSOR_DIMENSION, Value::Integer(size)) => shape.push(size),
            // Packed, as other exporters write repeated integers.
            (TENSOR_DIMENSION, Value::Bytes(sizes)) => {
                let mut sizes = Fields::new(sizes, field.offset);
                while !sizes.rest.is_empty() {
                    shape.push(sizes.varint()?);
                }
            }
            (TENSOR_TYPE, Value::Integer(value)) => data_type = value,
            (TENSOR_FLOATS | TENSOR_RAW, Value::Bytes(values)) => raw.extend_from_slice(values),
            (TENSOR_NAME, Value::Bytes(text)) => name = String::from_utf8_lossy(text).into_owned(),
            _ => {}
        }
    }
    let width = match data_type {
        FLOAT => 4,
        FLOAT16 => 2,
        _ => return Ok(None),
    };
    let count = shape.iter().try_fold(1_u64, |product, size| product.checked_mul(*size));
    if count.and_then(|count| count.checked_mul(width)) != Some(raw.len() as u64) {
        let reason = format!("constant {name} of shape {shape:?} has {} bytes, {width} a value are needed", raw.len());
        return Err(OnnxReadError(reason));
    }
    let values = if data_type == FLOAT {
        raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    } else {
        raw.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect()
    };
    // No dimension is longer than the values are many.
    let shape = shape.into_iter().map(|size| size as usize).collect();
    Ok(Some((name, Constant { shape, values })))
}

/// One field of a message.
struct Field<'a> {
    number: u64,
    value: Value<'a>,
    /// Where the value begins in the file.
    offset: usize,
}

enum Value<'a> {
    Integer(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes: nothing that is read here.
    Fixed,
}

/// The fields of a message, one after the other, until the first that is damaged.
struct Fields<'a> {
    rest: &'a [u8],
    offset: usize,
    is_damaged: bool,
}

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { rest: bytes, offset, is_damaged: false }
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], OnnxReadError> {
        let taken = usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count));
        let Some((taken, rest)) = taken else {
            let reason = format!("{count} bytes are announced at {}, {} are left", self.offset, self.rest.len());
            return Err(OnnxReadError(reason));
        };
        self.rest = rest;
        self.offset += taken.len();
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, OnnxReadError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(OnnxReadError(format!("no number ends before {}", self.offset)))
    }

    fn field(&mut self) -> Result<Field<'a>, OnnxReadError> {
        let start = self.offset;
        let key = self.varint()?;
        let mut offset = self.offset;
        let value = match key & 7 {
            0 => Value::Integer(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                offset = self.offset;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            other => return Err(OnnxReadError(format!("a field of unknown wire type {other} at {start}"))),
        };
        Ok(Field { number: key >> 3, value, offset })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, OnnxReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_damaged || self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        self.is_damaged = field.is_err();
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::onnx::{Dimension, Graph};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn file() -> Vec<u8> {
        let mut graph = Graph::new("test");
        graph.input("x", &[Dimension::Free("rows"), Dimension::Fixed(2)]);
        graph.floats("weight", &[2, 3], &[1.0, -2.0, 0.5, f32::MIN_POSITIVE, 1e30, -0.0]);
        graph.integers("axis", &[300]);
        graph.floats("bias", &[3], &[0.25; 3]);
        graph.halves("gain", &[2], &[0.25, -3.5]);
        graph.named_node("Gemm", &["x", "weight", "bias"], "y", &[]);
        graph.into_model()
    }

    #[test]
    fn what_was_written_is_read_back_bit_by_bit() {
        let constants = float_constants(&file()).unwrap();
        assert_eq!(constants.keys().collect::<Vec<_>>(), ["bias", "gain_half", "weight"]);
        assert_eq!(constants["gain_half"], Constant { shape: vec![2], values: vec![0.25, -3.5] });
        let bits: Vec<u32> = constants["weight"].values.iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, [1.0, -2.0, 0.5, f32::MIN_POSITIVE, 1e30, -0.0].map(f32::to_bits));
        assert_eq!((&constants["weight"].shape, &constants["bias"].shape), (&vec![2, 3], &vec![3]));
    }

    #[test]
    fn floats_and_shapes_in_the_other_notation_are_read() {
        // dims packed [2], data_type FLOAT, name "w", float_data packed.
        let mut tensor = vec![0x0A, 1, 2, 0x10, 1, 0x42, 1, b'w', 0x22, 8];
        tensor.extend(1.5_f32.to_le_bytes().into_iter().chain(2.5_f32.to_le_bytes()));
        let graph = [vec![0x2A, tensor.len() as u8], tensor].concat();
        let model = [vec![0x3A, graph.len() as u8], graph].concat();
        let constants = float_constants(&model).unwrap();
        assert_eq!(constants["w"], Constant { shape: vec![2], values: vec![1.5, 2.5] });
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_with_the_reason() {
        let file = file();
        // The last field is the opset, which is not needed: up to there every cut is noticed.
        let graph_end = file.len() - 6;
        for length in 0..graph_end {
            let error = float_constants(&file[..length]).unwrap_err().to_string();
            assert!(error.starts_with("not a whole ONNX file: "), "{length}: {error}");
        }
        assert!(float_constants(b"version https://git-lfs.github.com/spec/v1\n").is_err());
        assert!(float_constants(&[0xff; 40]).unwrap_err().to_string().contains("number"));
    }

    #[test]
    fn garbage_never_panics() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let whole = file();
        let mut refused = 0;
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
            }
            refused += usize::from(float_constants(&bytes).is_err());
        }
        assert!(refused > 1000, "{refused} of 20000 were noticed");
        let huge = [0x3A, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert!(float_constants(&huge).unwrap_err().to_string().contains("announced"));
    }
}
