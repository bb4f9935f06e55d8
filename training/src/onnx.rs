//! ONNX files written by hand: the part of the protobuf schema (onnx.proto3, IR version 8, opset 17) that
//! feed-forward graphs need.

use half::f16;

const IR_VERSION: u64 = 8;
const OPSET_VERSION: u64 = 17;
const FLOAT: u64 = 1;
const UINT8: u64 = 2;
const FLOAT16: u64 = 10;
const INT64: u64 = 7;
const FLOAT_ATTRIBUTE: u64 = 1;
const INT_ATTRIBUTE: u64 = 2;
const TEXT_ATTRIBUTE: u64 = 3;
const INTS_ATTRIBUTE: u64 = 7;
/// Operators of ONNX Runtime that the standard does not have.
const RUNTIME_DOMAIN: &str = "com.microsoft";

/// One dimension of an input or output.
#[derive(Clone, Copy, Debug)]
pub enum Dimension {
    /// Fixed.
    Fixed(usize),
    /// Free, with a name.
    Free(&'static str),
}

/// An attribute of a node.
#[derive(Clone, Copy, Debug)]
pub enum Attribute {
    /// An integer.
    Int(&'static str, i64),
    /// A number.
    Float(&'static str, f32),
    /// Integers.
    Ints(&'static str, &'static [i64]),
    /// A word.
    Text(&'static str, &'static str),
}

/// A graph under construction. Every method that adds a node returns the name of its output.
#[derive(Debug, Default)]
pub struct Graph {
    body: Vec<u8>,
    node_count: usize,
    has_runtime_operators: bool,
}

impl Graph {
    /// An empty graph called `name`.
    pub fn new(name: &str) -> Self {
        let mut graph = Self::default();
        put_bytes(&mut graph.body, 2, name.as_bytes());
        graph
    }

    /// Declares a float input.
    pub fn input(&mut self, name: &str, shape: &[Dimension]) {
        put_bytes(&mut self.body, 11, &value_info(name, shape));
    }

    /// Declares that the value `name` is a float output.
    pub fn output(&mut self, name: &str, shape: &[Dimension]) {
        put_bytes(&mut self.body, 12, &value_info(name, shape));
    }

    /// Adds a float constant.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, FLOAT, shape, &raw)
    }

    /// Adds a constant of floats that is kept in half precision; the values must be exact there.
    pub fn halves(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
        let half = self.constant(&format!("{name}_half"), FLOAT16, shape, &raw);
        self.named_node("Cast", &[&half], name, &[Attribute::Int("to", FLOAT as i64)]);
        name.to_owned()
    }

    /// Adds an integer vector.
    pub fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, INT64, &[values.len()], &raw)
    }

    /// Adds a constant of unsigned bytes.
    pub fn bytes(&mut self, name: &str, shape: &[usize], values: &[u8]) -> String {
        self.constant(name, UINT8, shape, values)
    }

    fn constant(&mut self, name: &str, data_type: u64, shape: &[usize], raw: &[u8]) -> String {
        let mut tensor = Vec::new();
        for &dimension in shape {
            put_varint(&mut tensor, 1, dimension as u64);
        }
        put_varint(&mut tensor, 2, data_type);
        put_bytes(&mut tensor, 8, name.as_bytes());
        put_bytes(&mut tensor, 9, raw);
        put_bytes(&mut self.body, 5, &tensor);
        name.to_owned()
    }

    /// Adds a node with one output and returns the output's name.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[Attribute]) -> String {
        let output = self.next_output(operator);
        self.named_node(operator, inputs, &output, attributes);
        output
    }

    /// Adds a node whose one output is called `output`.
    pub fn named_node(&mut self, operator: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) {
        self.add("", operator, inputs, output, attributes);
    }

    /// Adds a node of an operator that only ONNX Runtime has, whose one output is called `output`.
    pub fn runtime_node(&mut self, operator: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) {
        self.has_runtime_operators = true;
        self.add(RUNTIME_DOMAIN, operator, inputs, output, attributes);
    }

    /// The next name that [`Graph::node`] would give the output of `operator`.
    pub fn next_output(&self, operator: &str) -> String {
        format!("{}_{}", operator.to_lowercase(), self.node_count)
    }

    fn add(&mut self, domain: &str, operator: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) {
        let mut node = Vec::new();
        for input in inputs {
            put_bytes(&mut node, 1, input.as_bytes());
        }
        put_bytes(&mut node, 2, output.as_bytes());
        put_bytes(&mut node, 3, format!("node_{}", self.node_count).as_bytes());
        put_bytes(&mut node, 4, operator.as_bytes());
        for attribute in attributes {
            let mut message = Vec::new();
            match attribute {
                Attribute::Int(name, value) => {
                    put_bytes(&mut message, 1, name.as_bytes());
                    put_varint(&mut message, 3, *value as u64);
                    put_varint(&mut message, 20, INT_ATTRIBUTE);
                }
                Attribute::Float(name, value) => {
                    put_bytes(&mut message, 1, name.as_bytes());
                    put_float(&mut message, 2, *value);
                    put_varint(&mut message, 20, FLOAT_ATTRIBUTE);
                }
                Attribute::Ints(name, values) => {
                    put_bytes(&mut message, 1, name.as_bytes());
                    for value in *values {
                        put_varint(&mut message, 8, *value as u64);
                    }
                    put_varint(&mut message, 20, INTS_ATTRIBUTE);
                }
                Attribute::Text(name, value) => {
                    put_bytes(&mut message, 1, name.as_bytes());
                    put_bytes(&mut message, 4, value.as_bytes());
                    put_varint(&mut message, 20, TEXT_ATTRIBUTE);
                }
            }
            put_bytes(&mut node, 5, &message);
        }
        if !domain.is_empty() {
            put_bytes(&mut node, 7, domain.as_bytes());
        }
        put_bytes(&mut self.body, 1, &node);
        self.node_count += 1;
    }

    /// The finished file.
    pub fn into_model(self) -> Vec<u8> {
        let mut model = Vec::new();
        put_varint(&mut model, 1, IR_VERSION);
        put_bytes(&mut model, 2, b"stridepose-train");
        put_bytes(&mut model, 3, env!("CARGO_PKG_VERSION").as_bytes());
        put_bytes(&mut model, 7, &self.body);
        let runtime = self.has_runtime_operators.then_some((RUNTIME_DOMAIN, 1));
        for (domain, version) in [("", OPSET_VERSION)].into_iter().chain(runtime) {
            let mut opset = Vec::new();
            put_bytes(&mut opset, 1, domain.as_bytes());
            put_varint(&mut opset, 2, version);
            put_bytes(&mut model, 8, &opset);
        }
        model
    }
}

fn value_info(name: &str, shape: &[Dimension]) -> Vec<u8> {
    let mut dimensions = Vec::new();
    for dimension in shape {
        let mut message = Vec::new();
        match dimension {
            Dimension::Fixed(size) => put_varint(&mut message, 1, *size as u64),
            Dimension::Free(name) => put_bytes(&mut message, 2, name.as_bytes()),
        }
        put_bytes(&mut dimensions, 1, &message);
    }
    let mut tensor_type = Vec::new();
    put_varint(&mut tensor_type, 1, FLOAT);
    put_bytes(&mut tensor_type, 2, &dimensions);
    let mut value_type = Vec::new();
    put_bytes(&mut value_type, 1, &tensor_type);
    let mut value = Vec::new();
    put_bytes(&mut value, 1, name.as_bytes());
    put_bytes(&mut value, 2, &value_type);
    value
}

fn put_key(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    put_raw_varint(out, u64::from(field << 3 | wire_type));
}

fn put_raw_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_varint(out: &mut Vec<u8>, field: u32, value: u64) {
    put_key(out, field, 0);
    put_raw_varint(out, value);
}

fn put_float(out: &mut Vec<u8>, field: u32, value: f32) {
    put_key(out, field, 5);
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    put_key(out, field, 2);
    put_raw_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_little_endian_groups_of_seven() {
        let mut out = Vec::new();
        put_varint(&mut out, 1, 300);
        assert_eq!(out, [0x08, 0xAC, 0x02]);
        out.clear();
        put_bytes(&mut out, 2, b"ab");
        assert_eq!(out, [0x12, 2, b'a', b'b']);
        out.clear();
        put_float(&mut out, 2, 1.0);
        assert_eq!(out, [0x15, 0, 0, 0x80, 0x3f]);
    }
}
