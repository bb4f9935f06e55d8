//! From a trained network to the files of a model folder.
//!
//! * `streaming.onnx`: one sample of each person. Inputs `features` `[people, 106]` and `past`
//!   `[people, levels * 2 * channels]`, for each level the rows `t - 2d` and `t - d` of its input; outputs
//!   `answers` `[people, heads * 85]` and `rows` `[people, levels * channels]`, each level's input at `t`, which
//!   the host puts into its rings.
//! * `sequence.onnx`: a whole sequence of one person, `features` `[samples, 106]` to `answers`.
//! * `golden.json`: features and the trainer's own answers, for the test that all three agree.
//! * `model.yaml`: the contract that the program checks the graph against.

use std::path::Path;

use anyhow::Context;
use burn::nn::Linear;
use burn::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};
use stridepose::adapters::model_store::hexadecimal;
use stridepose::skeleton::Joint;
use stridepose::stages::window::{FEATURE_COUNT, MODEL_RATE_HZ};

use crate::calibrate::HeadCalibration;
use crate::export_discriminator::{self, DiscriminatorSection};
use crate::network::{DILATIONS, HEAD_VALUES, LOOKAHEADS, LifterNetwork, LifterSize, Residual, Rows};
use crate::onnx::{Attribute, Dimension, Graph};

/// Name of the contract in a model folder.
pub const CONTRACT_FILE: &str = "model.yaml";

/// The contract of a lifter, as `model.yaml` has it.
#[derive(Serialize)]
struct Contract<'a> {
    name: &'a str,
    kind: &'static str,
    file: &'static str,
    sha256: String,
    licence: &'static str,
    origin: String,
    lifter: LifterSection<'a>,
}

#[derive(Serialize)]
struct LifterSection<'a> {
    joint_set: &'static str,
    rate_hz: f64,
    feature_count: usize,
    image_strides: &'a [usize],
    dilations: [usize; DILATIONS.len()],
    branch_channels: usize,
    heads: Vec<HeadSection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discriminator: Option<DiscriminatorSection>,
}

#[derive(Serialize)]
struct HeadSection {
    lookahead: usize,
    sigma_per_scale_lateral: f64,
    sigma_per_scale_depth: f64,
}

#[derive(Serialize)]
struct Golden {
    samples: usize,
    features: Vec<f32>,
    answers: Vec<f32>,
}

/// Writes the model folder, the contract last: a folder with a contract is whole. A discriminator that lies in the folder
/// already goes into the contract.
///
/// # Errors
/// When a file cannot be written.
pub fn export(
    network: &LifterNetwork,
    size: &LifterSize,
    calibration: &[HeadCalibration],
    origin: &str,
    golden_features: &[f32],
    folder: &Path,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or("lifter");
    let streaming = streaming(network, size);
    write(&folder.join("streaming.onnx"), &streaming)?;
    write(&folder.join("sequence.onnx"), &sequence(network, size))?;
    let golden = golden(network, size, golden_features);
    write(&folder.join("golden.json"), serde_json::to_string(&golden)?.as_bytes())?;
    let contract = Contract {
        name,
        kind: "lifter",
        file: "streaming.onnx",
        sha256: hexadecimal(&Sha256::digest(&streaming)),
        licence: "Apache-2.0",
        origin: origin.to_owned(),
        lifter: LifterSection {
            joint_set: Joint::SET_NAME,
            rate_hz: MODEL_RATE_HZ,
            feature_count: FEATURE_COUNT,
            image_strides: &size.image_strides,
            dilations: DILATIONS,
            branch_channels: size.branch,
            heads: calibration
                .iter()
                .map(|head| HeadSection {
                    lookahead: head.lookahead,
                    sigma_per_scale_lateral: head.lateral,
                    sigma_per_scale_depth: head.depth,
                })
                .collect(),
            discriminator: export_discriminator::section(folder)?,
        },
    };
    write(&folder.join(CONTRACT_FILE), serde_yaml::to_string(&contract)?.as_bytes())
}

/// Writes the whole file or nothing.
///
/// # Errors
/// When the file cannot be written; what was there before is still there then.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, bytes).with_context(|| format!("cannot write {}", partial.display()))?;
    std::fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
}

fn golden(network: &LifterNetwork, size: &LifterSize, features: &[f32]) -> Golden {
    let device = Device::flex();
    let samples = features.len() / FEATURE_COUNT;
    let input = Tensor::<1>::from_data(TensorData::from(features), &device).reshape([samples, FEATURE_COUNT]);
    let answers = network.valid().forward(input, &size.image_strides, 1, Rows::All);
    Golden { samples, features: features.to_vec(), answers: floats(answers) }
}

pub(crate) fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap_or_default()
}

/// The graph of one sample.
pub fn streaming(network: &LifterNetwork, size: &LifterSize) -> Vec<u8> {
    streaming_with(network, size, gemm_into)
}

/// How a matrix with its bias is written: graph, name, matrix, input, and the name of the output where it has one.
type WriteLinear = fn(&mut Graph, &str, &Linear, &str, Option<&str>) -> String;

/// The graph of one sample with every product written by `linear`.
pub(crate) fn streaming_with(network: &LifterNetwork, size: &LifterSize, linear: WriteLinear) -> Vec<u8> {
    let mut graph = Graph::new("stridepose lifter, streaming");
    let channels = size.branch;
    let levels = size.image_strides.len() * DILATIONS.len();
    let free = Dimension::Free("people");
    graph.input("features", &[free, Dimension::Fixed(FEATURE_COUNT)]);
    graph.input("past", &[free, Dimension::Fixed(levels * 2 * channels)]);
    let axis = graph.integers("axis_1", &[1]);
    let mut level_inputs = Vec::new();
    build(&mut graph, network, size, linear, |graph, x, _| {
        let level = level_inputs.len();
        let start = graph.integers(&format!("start_{level}"), &[(level * 2 * channels) as i64]);
        let end = graph.integers(&format!("end_{level}"), &[((level + 1) * 2 * channels) as i64]);
        let past = graph.node("Slice", &["past", &start, &end, &axis], &[]);
        level_inputs.push(x.to_owned());
        graph.node("Concat", &[&past, x], &[Attribute::Int("axis", 1)])
    });
    let inputs: Vec<&str> = level_inputs.iter().map(String::as_str).collect();
    graph.named_node("Concat", &inputs, "rows", &[Attribute::Int("axis", 1)]);
    graph.output("answers", &[free, Dimension::Fixed(LOOKAHEADS.len() * HEAD_VALUES)]);
    graph.output("rows", &[free, Dimension::Fixed(levels * channels)]);
    graph.into_model()
}

/// The graph of a whole sequence.
pub fn sequence(network: &LifterNetwork, size: &LifterSize) -> Vec<u8> {
    let mut graph = Graph::new("stridepose lifter, whole sequence");
    let free = Dimension::Free("samples");
    graph.input("features", &[free, Dimension::Fixed(FEATURE_COUNT)]);
    let axis = graph.integers("axis_0", &[0]);
    let zero = graph.integers("zero", &[0]);
    let mut level = 0;
    build(&mut graph, network, size, gemm_into, |graph, x, shift| {
        let shift = shift as i64;
        let pads = graph.integers(&format!("pads_{level}"), &[2 * shift, 0, 0, 0]);
        let padded = graph.node("Pad", &[x, &pads], &[]);
        let once = graph.integers(&format!("shift_{level}"), &[shift]);
        let minus_once = graph.integers(&format!("minus_shift_{level}"), &[-shift]);
        let minus_twice = graph.integers(&format!("minus_two_shifts_{level}"), &[-2 * shift]);
        let oldest = graph.node("Slice", &[&padded, &zero, &minus_twice, &axis], &[]);
        let older = graph.node("Slice", &[&padded, &once, &minus_once, &axis], &[]);
        level += 1;
        graph.node("Concat", &[&oldest, &older, x], &[Attribute::Int("axis", 1)])
    });
    graph.output("answers", &[free, Dimension::Fixed(LOOKAHEADS.len() * HEAD_VALUES)]);
    graph.into_model()
}

/// The body that both graphs share; `taps` turns a level's input into its three taps side by side.
fn build(
    graph: &mut Graph,
    network: &LifterNetwork,
    size: &LifterSize,
    linear: WriteLinear,
    mut taps: impl FnMut(&mut Graph, &str, usize) -> String,
) {
    let encoded = linear(graph, "encode", &network.encode, "features", None);
    let encoded = graph.node("Relu", &[&encoded], &[]);
    let encoded = residual(graph, linear, "encoder", &network.encoder, &encoded, None);
    let mut joined = vec!["features".to_owned(), encoded.clone()];
    for (branch, image_stride) in network.branches.iter().zip(&size.image_strides) {
        let mut x = linear(graph, &format!("project_{image_stride}"), &branch.project, &encoded, None);
        for (level, dilation) in branch.levels.iter().zip(DILATIONS) {
            let tapped = taps(graph, &x, dilation * image_stride);
            x = residual(graph, linear, &format!("branch_{image_stride}_{dilation}"), level, &x, Some(&tapped));
        }
        joined.push(x);
    }
    let joined: Vec<&str> = joined.iter().map(String::as_str).collect();
    let joined = graph.node("Concat", &joined, &[Attribute::Int("axis", 1)]);
    let joined = linear(graph, "join", &network.join, &joined, None);
    let mut x = graph.node("Relu", &[&joined], &[]);
    for (index, fuse) in network.fuse.iter().enumerate() {
        x = residual(graph, linear, &format!("fuse_{index}"), fuse, &x, None);
    }
    linear(graph, "head", &network.head, &x, Some("answers"));
}

fn residual(
    graph: &mut Graph,
    linear: WriteLinear,
    name: &str,
    residual: &Residual,
    x: &str,
    taps: Option<&str>,
) -> String {
    let inner = linear(graph, &format!("{name}_inner"), &residual.inner, taps.unwrap_or(x), None);
    let inner = graph.node("Relu", &[&inner], &[]);
    let outer = linear(graph, &format!("{name}_outer"), &residual.outer, &inner, None);
    graph.node("Add", &[x, &outer], &[])
}

pub(crate) fn gemm(graph: &mut Graph, name: &str, linear: &Linear, x: &str) -> String {
    gemm_into(graph, name, linear, x, None)
}

fn gemm_into(graph: &mut Graph, name: &str, linear: &Linear, x: &str, output: Option<&str>) -> String {
    let (weight, bias) = weights(graph, name, linear);
    match output {
        Some(output) => {
            graph.named_node("Gemm", &[x, &weight, &bias], output, &[]);
            output.to_owned()
        }
        None => graph.node("Gemm", &[x, &weight, &bias], &[]),
    }
}

fn weights(graph: &mut Graph, name: &str, linear: &Linear) -> (String, String) {
    let shape = linear.weight.dims();
    let weight = graph.floats(&format!("{name}_weight"), &shape, &floats(linear.weight.val()));
    let bias = linear.bias.as_ref().map_or_else(|| vec![0.0; shape[1]], |bias| floats(bias.val()));
    (weight, graph.floats(&format!("{name}_bias"), &[shape[1]], &bias))
}
