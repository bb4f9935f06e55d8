//! From a trained network to the files of a model folder.
//!
//! * `streaming.onnx`: one sample of each person. Inputs `features` `[people, 109]` and `past`
//!   `[people, levels * 2 * channels + kept]`, for each level the rows `t - 2d` and `t - d` of its input, then what was kept
//!   for the hindsight at `t - 12`; outputs `answers` `[people, heads * 85]` and `rows` `[people, levels * channels + kept]`,
//!   each level's input at `t` and what is kept of it, which the host puts into its rings.
//! * `sequence.onnx`: a whole sequence of one person, `features` `[samples, 109]` to `answers`.
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
use crate::finite;
use crate::network::{
    self, DILATIONS, HEAD_VALUES, HINDSIGHT, KERNEL, LOOKAHEADS, LifterNetwork, LifterSize, Residual, Rows,
    TemporalNetwork,
};
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
    #[serde(skip_serializing_if = "Option::is_none")]
    recall: Option<RecallSection>,
    heads: Vec<HeadSection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discriminator: Option<DiscriminatorSection>,
}

#[derive(Serialize)]
struct RecallSection {
    channels: usize,
    ages: [usize; 1],
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
/// When a weight is not finite or a file cannot be written.
pub fn export(
    network: &LifterNetwork,
    size: &LifterSize,
    calibration: &[HeadCalibration],
    origin: &str,
    golden_features: &[f32],
    folder: &Path,
) -> anyhow::Result<()> {
    finite::check(network, "lifter")?;
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
            recall: (size.hindsight > 0).then(|| RecallSection { channels: size.kept(), ages: [HINDSIGHT] }),
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
    std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path)).with_context(|| {
        // Half a file may be what fills the disk; the first error is the one to tell.
        let _ = std::fs::remove_file(&partial);
        format!("cannot write {}", path.display())
    })
}

fn golden(network: &LifterNetwork, size: &LifterSize, features: &[f32]) -> Golden {
    let device = Device::flex();
    let samples = features.len() / FEATURE_COUNT;
    let input = Tensor::<1>::from_data(TensorData::from(features), &device).reshape([samples, FEATURE_COUNT]);
    let answers = network.valid().forward(input, size, 1, Rows::All);
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
    let levels = size.image_strides.len() * DILATIONS.len();
    let kept = if size.hindsight > 0 { size.kept() } else { 0 };
    let free = Dimension::Free("people");
    graph.input("features", &[free, Dimension::Fixed(FEATURE_COUNT)]);
    let past_width = levels * (KERNEL - 1) * size.branch + kept;
    graph.input("past", &[free, Dimension::Fixed(past_width)]);
    let axis = graph.integers("axis_1", &[1]);
    let (mut rows, mut start) = (Vec::new(), 0);
    build(&mut graph, network, size, linear, |graph, x, channels, ages| {
        let part = rows.len();
        rows.push(x.to_owned());
        let past = ages.iter().filter(|age| **age > 0).count();
        let end = start + past * channels;
        let from = graph.integers(&format!("start_{part}"), &[start as i64]);
        let to = graph.integers(&format!("end_{part}"), &[end as i64]);
        start = end;
        let tapped = graph.node("Slice", &["past", &from, &to, &axis], &[]);
        if past == ages.len() {
            return tapped;
        }
        graph.node("Concat", &[&tapped, x], &[Attribute::Int("axis", 1)])
    });
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    graph.named_node("Concat", &rows, "rows", &[Attribute::Int("axis", 1)]);
    graph.output("answers", &[free, Dimension::Fixed(LOOKAHEADS.len() * HEAD_VALUES)]);
    graph.output("rows", &[free, Dimension::Fixed(levels * size.branch + kept)]);
    graph.into_model()
}

/// The graph of a whole sequence.
pub fn sequence(network: &LifterNetwork, size: &LifterSize) -> Vec<u8> {
    let mut graph = Graph::new("stridepose lifter, whole sequence");
    let free = Dimension::Free("samples");
    graph.input("features", &[free, Dimension::Fixed(FEATURE_COUNT)]);
    let axis = graph.integers("axis_0", &[0]);
    let mut part = 0;
    build(&mut graph, network, size, gemm_into, |graph, x, _, ages| {
        let reach = ages.first().copied().unwrap_or(0);
        let pads = graph.integers(&format!("pads_{part}"), &[reach as i64, 0, 0, 0]);
        let padded = graph.node("Pad", &[x, &pads], &[]);
        let taps: Vec<String> = ages
            .iter()
            .map(|&age| {
                if age == 0 {
                    return x.to_owned();
                }
                let from = graph.integers(&format!("from_{part}_{age}"), &[(reach - age) as i64]);
                let to = graph.integers(&format!("to_{part}_{age}"), &[-(age as i64)]);
                graph.node("Slice", &[&padded, &from, &to, &axis], &[])
            })
            .collect();
        part += 1;
        let taps: Vec<&str> = taps.iter().map(String::as_str).collect();
        graph.node("Concat", &taps, &[Attribute::Int("axis", 1)])
    });
    graph.output("answers", &[free, Dimension::Fixed(LOOKAHEADS.len() * HEAD_VALUES)]);
    graph.into_model()
}

/// The body that both graphs share; `taps` turns a value of so many channels into what it was at the given ages, oldest
/// first, side by side.
fn build(
    graph: &mut Graph,
    network: &LifterNetwork,
    size: &LifterSize,
    linear: WriteLinear,
    mut taps: impl FnMut(&mut Graph, &str, usize, &[usize]) -> String,
) {
    let encoded = linear(graph, "encode", &network.encode, "features", None);
    let encoded = graph.node("Relu", &[&encoded], &[]);
    let encoded = residual(graph, linear, "encoder", &network.encoder, &encoded, None);
    let mut joined = vec!["features".to_owned(), encoded.clone()];
    for (branch, image_stride) in network.branches.iter().zip(&size.image_strides) {
        let mut x = linear(graph, &format!("project_{image_stride}"), &branch.project, &encoded, None);
        for (level, dilation) in branch.levels.iter().zip(DILATIONS) {
            let tapped = taps(graph, &x, size.branch, &network::level_ages(dilation * image_stride));
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
    let Some(hindsight) = &network.hindsight else {
        linear(graph, "head", &network.head, &x, Some("answers"));
        return;
    };
    let answers = linear(graph, "head", &network.head, &x, None);
    let width = LOOKAHEADS.len() * HEAD_VALUES;
    let first = columns(graph, "first", &answers, 0..HEAD_VALUES);
    let kept = graph.node("Concat", &[&x, &first], &[Attribute::Int("axis", 1)]);
    let then = taps(graph, &kept, size.kept(), &[HINDSIGHT]);
    let fused_then = columns(graph, "fused_then", &then, 0..size.fuse);
    let answer_then = columns(graph, "answer_then", &then, size.fuse..size.kept());
    let both = graph.node("Concat", &[&x, &fused_then], &[Attribute::Int("axis", 1)]);
    let change = linear(graph, "hindsight_inner", &hindsight.inner, &both, None);
    let change = graph.node("Relu", &[&change], &[]);
    let change = linear(graph, "hindsight_outer", &hindsight.outer, &change, None);
    let furthest = columns(graph, "furthest", &answers, width - HEAD_VALUES..width);
    let furthest = graph.node("Add", &[&furthest, &answer_then], &[]);
    let furthest = graph.node("Add", &[&furthest, &change], &[]);
    let others = columns(graph, "others", &answers, 0..width - HEAD_VALUES);
    graph.named_node("Concat", &[&others, &furthest], "answers", &[Attribute::Int("axis", 1)]);
}

/// Some columns of `x`; `name` is that of the constants this takes.
fn columns(graph: &mut Graph, name: &str, x: &str, columns: std::ops::Range<usize>) -> String {
    let from = graph.integers(&format!("{name}_from"), &[columns.start as i64]);
    let to = graph.integers(&format!("{name}_to"), &[columns.end as i64]);
    let axis = graph.integers(&format!("{name}_axis"), &[1]);
    graph.node("Slice", &[x, &from, &to, &axis], &[])
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

pub(crate) fn gemm_into(graph: &mut Graph, name: &str, linear: &Linear, x: &str, output: Option<&str>) -> String {
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
