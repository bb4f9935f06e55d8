//! The streaming lifter in 8 bits: `int8/streaming_int8.onnx` with a contract of its own.
//!
//! Weights are signed bytes with one scale for each output (largest magnitude 127), inputs are brought to unsigned bytes
//! at run time, one scale for the batch (`DynamicQuantizeLinear`), products are summed in 32 bits (`MatMulInteger`).
//! ONNX Runtime makes one kernel of it. Weights alone in 8 bits (`DequantizeLinear` before each product) would be eight
//! times slower than 32 bits there: they are widened anew for every image.

use burn::nn::Linear;

use crate::export::{self, floats};
use crate::network::{LifterNetwork, LifterSize};
use crate::onnx::{Attribute, Graph};

/// `TensorProto.DataType.FLOAT`, as `Cast` has it.
const FLOAT: i64 = 1;
/// Largest magnitude of a weight.
const LARGEST: f32 = 127.0;

/// The graph of one sample.
pub fn streaming(network: &LifterNetwork, size: &LifterSize) -> Vec<u8> {
    export::streaming_with(network, size, linear)
}

/// `x` `[n, input]` times the weights, plus the bias, under the name `output`.
fn linear(graph: &mut Graph, name: &str, linear: &Linear, x: &str, output: Option<&str>) -> String {
    let shape = linear.weight.dims();
    let (bytes, scales) = quantised(&floats(linear.weight.val()), shape[1]);
    let weight = graph.bytes(&format!("{name}_weight"), &shape, &bytes);
    let scales = graph.floats(&format!("{name}_scale"), &[shape[1]], &scales);
    let bias = linear.bias.as_ref().map_or_else(|| vec![0.0; shape[1]], |bias| floats(bias.val()));
    let bias = graph.floats(&format!("{name}_bias"), &[shape[1]], &bias);
    let [quantised, scale, zero] = graph.quantise(x);
    let sum = graph.node("MatMulInteger", &[&quantised, &weight, &zero], &[]);
    let sum = graph.node("Cast", &[&sum], &[Attribute::Int("to", FLOAT)]);
    let scale = graph.node("Mul", &[&scale, &scales], &[]);
    let product = graph.node("Mul", &[&sum, &scale], &[]);
    match output {
        Some(output) => {
            graph.named_node("Add", &[&product, &bias], output, &[]);
            output.to_owned()
        }
        None => graph.node("Add", &[&product, &bias], &[]),
    }
}

/// Row-major `values` of `columns` columns as bytes, and the scale of each column.
fn quantised(values: &[f32], columns: usize) -> (Vec<i8>, Vec<f32>) {
    let mut scales = vec![0.0_f32; columns];
    for row in values.chunks_exact(columns) {
        for (scale, value) in scales.iter_mut().zip(row) {
            *scale = scale.max(value.abs() / LARGEST);
        }
    }
    // A column of zeros needs some scale.
    scales.iter_mut().filter(|scale| **scale <= 0.0).for_each(|scale| *scale = 1.0);
    let bytes = values
        .chunks_exact(columns)
        .flat_map(|row| row.iter().zip(&scales).map(|(value, scale)| (value / scale).round() as i8))
        .collect();
    (bytes, scales)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_uses_the_whole_range_and_is_off_by_half_a_step_at_most() {
        let values = [0.5, -20.0, 0.0, -1.0, 3.0, 0.0, 0.01, 7.77, 0.0];
        let (bytes, scales) = quantised(&values, 3);
        assert_eq!((bytes[3], bytes[1], bytes[2]), (-127, -127, 0));
        for (index, (value, byte)) in values.iter().zip(&bytes).enumerate() {
            let scale = scales[index % 3];
            assert!((value - f32::from(*byte) * scale).abs() <= 0.5001 * scale, "{value}");
        }
    }
}
