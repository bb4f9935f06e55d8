//! The discriminator as a graph: `discriminator.onnx` and `discriminator_golden.json`.
//!
//! Input `poses` `[people, 51 * poses]`: joints relative to the pelvis, m, in the axes of the virtual camera, of the
//! samples [`WINDOW_AGES`] ago (a spatial discriminator takes the first alone). Output `score` `[people, 1]`, near 1
//! for true movements and near 0 for answered ones; clamped to [0, 1] it is the plausibility.

use std::path::Path;

use anyhow::Context;
use burn::prelude::*;
use serde::Serialize;

use crate::batch::POSE_VALUES;
use crate::discriminator::{
    self, CHANGE_GAIN, Discriminator, DiscriminatorKind, KinematicChain, LEAK, LENGTH_FLOOR, Mlp, WINDOW_AGES,
};
use crate::export::{floats, gemm, write};
use crate::onnx::{Attribute, Dimension, Graph};

const FILE: &str = "discriminator.onnx";

#[derive(Serialize)]
struct Golden {
    kind: DiscriminatorKind,
    window_ages: &'static [usize],
    windows: usize,
    poses: Vec<f32>,
    scores: Vec<f32>,
}

/// Writes the graph and its golden into the model folder; `windows` `[n, kind.poses() * 51]` are what the golden holds.
///
/// # Errors
/// When a file cannot be written.
pub fn export(network: &Discriminator, kind: DiscriminatorKind, windows: &[f32], folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let width = kind.poses() * POSE_VALUES;
    let count = windows.len() / width;
    let device = Device::flex();
    let input = Tensor::<1>::from_data(TensorData::from(windows), &device).reshape([count, width]);
    let scores = floats(network.forward(&input, &KinematicChain::new(&device)));
    let golden =
        Golden { kind, window_ages: &WINDOW_AGES[..kind.poses()], windows: count, poses: windows.to_vec(), scores };
    write(&folder.join(FILE), &graph(network, kind))?;
    write(&folder.join("discriminator_golden.json"), serde_json::to_string(&golden)?.as_bytes())
}

/// The graph.
pub fn graph(network: &Discriminator, kind: DiscriminatorKind) -> Vec<u8> {
    let mut graph = Graph::new("stridepose discriminator");
    let free = Dimension::Free("people");
    graph.input("poses", &[free, Dimension::Fixed(kind.poses() * POSE_VALUES)]);
    let names = ["kcs_left", "kcs_right", "kcs_sum", "kcs_diagonal", "kcs_mean"];
    for (name, matrix) in names.into_iter().zip(discriminator::matrices()) {
        graph.floats(name, &matrix.shape, &matrix.values);
    }
    let (pose, spatial) = pose_and_psi(&mut graph, 0);
    let squares = graph.node("MatMul", &[&spatial, "kcs_diagonal"], &[]);
    let squares = graph.node("Relu", &[&squares], &[]);
    let floor = graph.floats("length_floor", &[1], &[LENGTH_FLOOR]);
    let squares = graph.node("Add", &[&squares, &floor], &[]);
    let lengths = graph.node("Sqrt", &[&squares], &[]);
    let size = graph.node("MatMul", &[&lengths, "kcs_mean"], &[]);
    let squared_size = graph.node("Mul", &[&size, &size], &[]);

    let joints = graph.node("Div", &[&pose, &size], &[]);
    let angles = graph.node("Div", &[&spatial, &squared_size], &[]);
    let mut branches =
        vec![mlp(&mut graph, "pose", &network.pose, &joints), mlp(&mut graph, "spatial", &network.spatial, &angles)];
    if let Some(temporal) = &network.temporal {
        let changes: Vec<String> = (1..kind.poses())
            .map(|index| {
                let (_, past) = pose_and_psi(&mut graph, index);
                graph.node("Sub", &[&spatial, &past], &[])
            })
            .collect();
        let changes = concat(&mut graph, &changes);
        let changes = graph.node("Div", &[&changes, &squared_size], &[]);
        let gain = graph.floats("change_gain", &[1], &[CHANGE_GAIN]);
        let changes = graph.node("Mul", &[&changes, &gain], &[]);
        branches.push(mlp(&mut graph, "temporal", temporal, &changes));
    }
    let joined = concat(&mut graph, &branches);
    let joined = gemm(&mut graph, "join", &network.join, &joined);
    let joined = leaky(&mut graph, &joined);
    let score = gemm(&mut graph, "score", &network.score, &joined);
    graph.named_node("Identity", &[&score], "score", &[]);
    graph.output("score", &[free, Dimension::Fixed(1)]);
    graph.into_model()
}

/// The pose at `WINDOW_AGES[index]` and its Ψ.
fn pose_and_psi(graph: &mut Graph, index: usize) -> (String, String) {
    let start = graph.integers(&format!("start_{index}"), &[(index * POSE_VALUES) as i64]);
    let end = graph.integers(&format!("end_{index}"), &[((index + 1) * POSE_VALUES) as i64]);
    let axis = graph.integers(&format!("axis_{index}"), &[1]);
    let pose = graph.node("Slice", &["poses", &start, &end, &axis], &[]);
    let left = graph.node("MatMul", &[&pose, "kcs_left"], &[]);
    let right = graph.node("MatMul", &[&pose, "kcs_right"], &[]);
    let products = graph.node("Mul", &[&left, &right], &[]);
    let psi = graph.node("MatMul", &[&products, "kcs_sum"], &[]);
    (pose, psi)
}

fn mlp(graph: &mut Graph, name: &str, mlp: &Mlp, x: &str) -> String {
    let x = gemm(graph, &format!("{name}_inner"), &mlp.inner, x);
    let x = leaky(graph, &x);
    let x = gemm(graph, &format!("{name}_outer"), &mlp.outer, &x);
    leaky(graph, &x)
}

fn leaky(graph: &mut Graph, x: &str) -> String {
    graph.node("LeakyRelu", &[x], &[Attribute::Float("alpha", LEAK as f32)])
}

fn concat(graph: &mut Graph, parts: &[String]) -> String {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    graph.node("Concat", &parts, &[Attribute::Int("axis", 1)])
}
