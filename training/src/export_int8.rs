//! The streaming lifter in 8 bits, for CPUs: a quarter of the memory that every answer has to read.
//!
//! Weights are bytes around 128 with one scale for each 32 of an output's weights (largest magnitude 127). ONNX Runtime's
//! `MatMulNBits` brings each person's inputs to bytes, block by block, at run time: what one person looks like does not change
//! what another gets. Weights widened anew for every image (`DequantizeLinear` before each product) would be eight times
//! slower than 32 bits, and one scale for the inputs of everybody (`DynamicQuantizeLinear`) would tie people together.

use std::path::Path;

use anyhow::Context;
use burn::nn::Linear;
use sha2::{Digest, Sha256};
use stridepose::adapters::model_store::hexadecimal;

use crate::export::{self, floats};
use crate::export_discriminator;
use crate::network::{LifterNetwork, LifterSize};
use crate::onnx::{Attribute, Graph};

/// Name of the graph in its folder.
const FILE: &str = "streaming_int8.onnx";
/// The layer that stays in 32 bits: in one block with scores and flags of 1, bytes would move a keypoint by a hundredth of the
/// person. It has 27,000 of 1.8 million weights.
const KEPT: &str = "encode";
/// Inputs that share a scale.
const BLOCK: usize = 32;
/// Largest magnitude of a weight.
const LARGEST: f32 = 127.0;
/// The byte that means zero.
const ZERO: f32 = 128.0;
/// `MatMulNBits`: products of bytes, summed in 32 bits.
const BYTES: i64 = 4;

/// The graph of one sample.
pub fn streaming(network: &LifterNetwork, size: &LifterSize) -> Vec<u8> {
    export::streaming_with(network, size, linear)
}

/// Writes a model folder with `graph`, made of the lifter in the folder `lifter` whose contract is `contract`: with the same
/// contract but for name, file and checksum, and with the same discriminator. The contract comes last: a folder with a
/// contract is whole.
///
/// # Errors
/// When the contract cannot be read or a file cannot be written.
pub fn write(graph: &[u8], contract: &str, lifter: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut contract: serde_yaml::Value = serde_yaml::from_str(contract)?;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or("lifter_int8");
    let sha256 = hexadecimal(&Sha256::digest(graph));
    for (key, value) in [("name", name), ("file", FILE), ("sha256", &sha256)] {
        let place = contract.get_mut(key).with_context(|| format!("the contract has no {key}"))?;
        *place = value.into();
    }
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    export_discriminator::copy(lifter, folder)?;
    export::write(&folder.join(FILE), graph)?;
    export::write(&folder.join(export::CONTRACT_FILE), serde_yaml::to_string(&contract)?.as_bytes())
}

/// `x` `[n, input]` times the weights, plus the bias, under the name `output`.
fn linear(graph: &mut Graph, name: &str, linear: &Linear, x: &str, output: Option<&str>) -> String {
    if name == KEPT {
        return export::gemm_into(graph, name, linear, x, output);
    }
    let [inputs, outputs] = linear.weight.dims();
    let (bytes, scales) = quantised(&floats(linear.weight.val()), inputs, outputs);
    let blocks = inputs.div_ceil(BLOCK);
    let weight = graph.bytes(&format!("{name}_weight"), &[outputs, blocks, BLOCK], &bytes);
    let scales = graph.floats(&format!("{name}_scale"), &[outputs, blocks], &scales);
    let bias = linear.bias.as_ref().map_or_else(|| vec![0.0; outputs], |bias| floats(bias.val()));
    let bias = graph.floats(&format!("{name}_bias"), &[outputs], &bias);
    let output = output.map_or_else(|| graph.next_output("MatMulNBits"), str::to_owned);
    let attributes = [
        Attribute::Int("K", inputs as i64),
        Attribute::Int("N", outputs as i64),
        Attribute::Int("bits", 8),
        Attribute::Int("block_size", BLOCK as i64),
        Attribute::Int("accuracy_level", BYTES),
    ];
    graph.runtime_node("MatMulNBits", &[x, &weight, &scales, "", "", &bias], &output, &attributes);
    output
}

/// Weights `[inputs, outputs]`, row-major, as bytes `[outputs, blocks, BLOCK]`, filled up with zeros, and the scale of each block.
fn quantised(values: &[f32], inputs: usize, outputs: usize) -> (Vec<u8>, Vec<f32>) {
    let (mut bytes, mut scales) = (Vec::new(), Vec::new());
    for output in 0..outputs {
        for block in 0..inputs.div_ceil(BLOCK) {
            let of_block = |at: usize| {
                let input = block * BLOCK + at;
                if input < inputs { values[input * outputs + output] } else { 0.0 }
            };
            let largest = (0..BLOCK).map(|at| of_block(at).abs()).fold(0.0, f32::max);
            // A block of zeros needs some scale.
            let scale = if largest > 0.0 { largest / LARGEST } else { 1.0 };
            bytes.extend((0..BLOCK).map(|at| (of_block(at) / scale + ZERO).round() as u8));
            scales.push(scale);
        }
    }
    (bytes, scales)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_uses_the_whole_range_and_is_off_by_half_a_step_at_most() {
        // 40 inputs, two outputs: two blocks each, the second mostly filled up.
        let value = |input: usize, output: usize| {
            if output == 1 && input < 32 {
                0.0
            } else {
                (input as f32 * 1.7 + output as f32).sin() * (1 + input) as f32
            }
        };
        let values: Vec<f32> = (0..40).flat_map(|input| (0..2).map(move |output| value(input, output))).collect();
        let (bytes, scales) = quantised(&values, 40, 2);
        assert_eq!((bytes.len(), scales.len()), (2 * 2 * 32, 4));
        assert!((scales[2] - 1.0).abs() < f32::EPSILON, "a block of zeros");
        for (place, byte) in bytes.iter().enumerate() {
            let (output, block, at) = (place / 64, place / 32 % 2, place % 32);
            let wanted = if block * 32 + at < 40 { value(block * 32 + at, output) } else { 0.0 };
            let scale = scales[output * 2 + block];
            let found = (f32::from(*byte) - 128.0) * scale;
            assert!((found - wanted).abs() <= 0.5001 * scale, "{found} for {wanted}");
        }
        for block in [0, 1, 3] {
            let extreme = bytes[block * 32..(block + 1) * 32].iter().map(|byte| byte.abs_diff(128)).max();
            assert_eq!(extreme, Some(127), "block {block}");
        }
    }
}
