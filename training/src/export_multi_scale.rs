//! A trained 2D network as an ONNX graph.
//!
//! * Keypoints: `image` `[n, 3, H, W]` to `heatmaps` `[n, 17, H / 4, W / 4]`, the distribution of each joint over the cells
//!   divided by the peak of the training target.
//! * Person detector: to `heatmap` `[n, 1, H / 4, W / 4]`, `size` and `offset` `[n, 2, H / 4, W / 4]` (CenterNet).
//!
//! Weights are kept in half precision; a network is brought to it by [`rounded`] first, so that the graph and the trainer's own
//! forward pass have the same weights.

use burn::module::{ModuleMapper, Param};
use burn::prelude::*;
use half::f16;

use crate::export::floats;
use crate::keypoint_task::target_peak;
use crate::multi_scale::{Conv, MultiScaleNetwork, MultiScaleSize};
use crate::onnx::{Attribute, Dimension, Graph};

/// A network with weights that half precision holds exactly.
pub fn rounded(network: &MultiScaleNetwork) -> MultiScaleNetwork {
    struct Round;
    impl ModuleMapper for Round {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| {
                let (shape, device) = (tensor.dims(), tensor.device());
                let values: Vec<f32> = floats(tensor).into_iter().map(|value| f16::from_f32(value).to_f32()).collect();
                Tensor::<1>::from_data(TensorData::from(values.as_slice()), &device).reshape(shape)
            })
        }
    }
    network.valid().map(&mut Round)
}

/// The graph of a keypoint network.
pub fn keypoints(network: &MultiScaleNetwork, size: &MultiScaleSize) -> Vec<u8> {
    let mut graph = Graph::new("stridepose keypoints");
    let (maps, coarsest) = body(&mut graph, network, size);
    let (columns, rows) = size.cells();
    let joints = size.outputs;
    let mean = graph.node("GlobalAveragePool", &[&coarsest], &[]);
    let weight = floats(network.absent.weight.val().transpose());
    let bias = network.absent.bias.as_ref().map_or_else(|| vec![0.0; joints], |bias| floats(bias.val()));
    let weight = graph.halves("absent_weight", &[joints, weight.len() / joints, 1, 1], &weight);
    let bias = graph.halves("absent_bias", &[joints], &bias);
    let absent = graph.node("Conv", &[&mean, &weight, &bias], &[]);
    let flat = graph.integers("flat_shape", &[0, joints as i64, -1]);
    let maps = graph.node("Reshape", &[&maps, &flat], &[]);
    let absent = graph.node("Reshape", &[&absent, &flat], &[]);
    let logits = graph.node("Concat", &[&maps, &absent], &[Attribute::Int("axis", 2)]);
    let places = graph.node("Softmax", &[&logits], &[Attribute::Int("axis", -1)]);
    let cells = slice(&mut graph, &places, "cells", 2, 0..columns * rows);
    let scale = graph.floats("over_peak", &[1], &[(1.0 / target_peak(size.target_sigma())) as f32]);
    let maps = graph.node("Mul", &[&cells, &scale], &[]);
    let shape = graph.integers("maps_shape", &[0, joints as i64, rows as i64, columns as i64]);
    graph.named_node("Reshape", &[&maps, &shape], "heatmaps", &[]);
    graph.output("heatmaps", &map_shape(size, joints));
    graph.into_model()
}

/// The graph of a person detector.
pub fn person(network: &MultiScaleNetwork, size: &MultiScaleSize) -> Vec<u8> {
    let mut graph = Graph::new("stridepose person");
    let (maps, _) = body(&mut graph, network, size);
    let middle = slice(&mut graph, &maps, "middle", 1, 0..1);
    graph.named_node("Sigmoid", &[&middle], "heatmap", &[]);
    let offset = slice(&mut graph, &maps, "from_centre", 1, 1..3);
    let half = graph.floats("half_cell", &[1], &[0.5]);
    graph.named_node("Add", &[&offset, &half], "offset", &[]);
    let size_logs = slice(&mut graph, &maps, "size_logs", 1, 3..5);
    graph.named_node("Exp", &[&size_logs], "size", &[]);
    for (name, maps) in [("heatmap", 1), ("size", 2), ("offset", 2)] {
        graph.output(name, &map_shape(size, maps));
    }
    graph.into_model()
}

fn map_shape(size: &MultiScaleSize, maps: usize) -> [Dimension; 4] {
    let (columns, rows) = size.cells();
    [Dimension::Free("n"), Dimension::Fixed(maps), Dimension::Fixed(rows), Dimension::Fixed(columns)]
}

/// From the picture to the maps before any activation, and the coarsest branch.
fn body(graph: &mut Graph, network: &MultiScaleNetwork, size: &MultiScaleSize) -> (String, String) {
    let picture =
        [Dimension::Free("n"), Dimension::Fixed(3), Dimension::Fixed(size.height_px), Dimension::Fixed(size.width_px)];
    graph.input("image", &picture);
    graph.floats("twice", &[4], &[1.0, 1.0, 2.0, 2.0]);
    let mut x = "image".to_owned();
    for (index, conv) in network.stem.iter().enumerate() {
        if index > 0 {
            x = relu(graph, &x);
        }
        x = convolve(graph, &format!("stem_{index}"), conv, &x);
    }
    let mut branches = vec![x];
    for (number, module) in network.modules.iter().enumerate() {
        for conv in &module.begin {
            let finer = relu(graph, &branches[branches.len() - 1]);
            let name = format!("module_{number}_begin_{}", branches.len());
            branches.push(convolve(graph, &name, conv, &finer));
        }
        for (branch, blocks) in module.branches.iter().enumerate() {
            for (index, block) in blocks.iter().enumerate() {
                let name = format!("module_{number}_branch_{branch}_block_{index}");
                let inner = convolve(graph, &format!("{name}_inner"), &block.inner, &branches[branch]);
                let inner = relu(graph, &inner);
                let outer = convolve(graph, &format!("{name}_outer"), &block.outer, &inner);
                branches[branch] = graph.node("Add", &[&branches[branch], &outer], &[]);
            }
        }
        if module.fusions.is_empty() {
            continue;
        }
        let active: Vec<String> = branches.iter().map(|x| relu(graph, x)).collect();
        for (to, fusion) in module.fusions.iter().enumerate() {
            let mut coarser: Option<String> = None;
            for (conv, from) in fusion.from_coarser.iter().zip((to + 1..active.len()).rev()) {
                let name = format!("module_{number}_from_{from}_to_{to}");
                let own = convolve(graph, &name, conv, &active[from]);
                let sum = coarser.map_or(own.clone(), |coarser| graph.node("Add", &[&own, &coarser], &[]));
                coarser = Some(doubled(graph, &sum));
            }
            if let Some(coarser) = coarser {
                branches[to] = graph.node("Add", &[&branches[to], &coarser], &[]);
            }
            for (from, conv) in fusion.from_finer.iter().enumerate() {
                let x = mean_over(graph, &active[from], to - from - 1);
                let name = format!("module_{number}_from_{from}_to_{to}");
                let own = convolve(graph, &name, conv, &x);
                branches[to] = graph.node("Add", &[&branches[to], &own], &[]);
            }
        }
    }
    let active: Vec<String> = branches.iter().map(|x| relu(graph, x)).collect();
    let mut sum: Option<String> = None;
    for (branch, (conv, x)) in network.gather.iter().zip(&active).enumerate().rev() {
        let own = convolve(graph, &format!("gather_{branch}"), conv, x);
        sum = Some(match sum {
            Some(coarser) => {
                let coarser = doubled(graph, &coarser);
                graph.node("Add", &[&own, &coarser], &[])
            }
            None => own,
        });
    }
    let sum = relu(graph, &sum.unwrap_or_default());
    let maps = convolve(graph, "head", &network.head, &sum);
    (maps, active.into_iter().next_back().unwrap_or_default())
}

fn convolve(graph: &mut Graph, name: &str, conv: &Conv, x: &str) -> String {
    let [output, fan_in] = conv.weight.dims();
    let kernel = conv.kernel;
    let shape = [output, fan_in / (kernel * kernel), kernel, kernel];
    let weight = graph.halves(&format!("{name}_weight"), &shape, &floats(conv.weight.val()));
    let bias = graph.halves(&format!("{name}_bias"), &[output], &floats(conv.bias.val()));
    let kernel: &'static [i64] = if kernel == 3 { &[3, 3] } else { &[1, 1] };
    let pads: &'static [i64] = if kernel[0] == 3 { &[1, 1, 1, 1] } else { &[0, 0, 0, 0] };
    let strides: &'static [i64] = if conv.stride == 2 { &[2, 2] } else { &[1, 1] };
    let attributes =
        [Attribute::Ints("kernel_shape", kernel), Attribute::Ints("pads", pads), Attribute::Ints("strides", strides)];
    graph.node("Conv", &[x, &weight, &bias], &attributes)
}

fn relu(graph: &mut Graph, x: &str) -> String {
    graph.node("Relu", &[x], &[])
}

fn doubled(graph: &mut Graph, x: &str) -> String {
    let attributes = [
        Attribute::Text("mode", "nearest"),
        Attribute::Text("coordinate_transformation_mode", "asymmetric"),
        Attribute::Text("nearest_mode", "floor"),
    ];
    graph.node("Resize", &[x, "", "twice"], &attributes)
}

/// The mean over squares of 2^`halvings` cells.
fn mean_over(graph: &mut Graph, x: &str, halvings: usize) -> String {
    let square: &'static [i64] = match halvings {
        0 => return x.to_owned(),
        1 => &[2, 2],
        _ => &[4, 4],
    };
    graph.node("AveragePool", &[x], &[Attribute::Ints("kernel_shape", square), Attribute::Ints("strides", square)])
}

fn slice(graph: &mut Graph, x: &str, name: &str, axis: i64, range: std::ops::Range<usize>) -> String {
    let starts = graph.integers(&format!("{name}_from"), &[range.start as i64]);
    let ends = graph.integers(&format!("{name}_to"), &[range.end as i64]);
    let axes = graph.integers(&format!("{name}_axis"), &[axis]);
    graph.node("Slice", &[x, &starts, &ends, &axes], &[])
}
