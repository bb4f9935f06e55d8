//! What each style says about a graph: the names and sizes it would read, or why it cannot.

use super::graph::{Graph, is_shaped};
use super::template::quoted;
use crate::network::{ElementType, TensorSpec};
use crate::skeleton::KeypointLayout;

/// What is to be changed in a template, and what to say about it.
#[derive(Default)]
pub(super) struct Facts {
    /// Path and value.
    pub values: Vec<(&'static str, String)>,
    pub to_check: Vec<String>,
}

impl Facts {
    fn set(&mut self, path: &'static str, value: impl std::fmt::Display) {
        self.values.push((path, format!("{value}")));
    }

    fn name(&mut self, path: &'static str, tensor: &TensorSpec) {
        self.set(path, quoted(&tensor.name));
    }
}

pub(super) fn blazepose(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let is_fixed = |output: &TensorSpec, size: usize| {
        is_shaped(output, ElementType::F32, &[Some(1), None]) && output.shape[1] == Some(size)
    };
    facts.name("keypoints.decode.landmarks", graph.output("[1, 195]", |output| is_fixed(output, 195))?);
    facts.name("keypoints.decode.presence", graph.output("[1, 1]", |output| is_fixed(output, 1))?);
    Ok(facts)
}

pub(super) fn movenet(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let is_fixed = |output: &TensorSpec| {
        is_shaped(output, ElementType::F32, &[Some(1), Some(1), Some(17), Some(3)])
            && output.shape[2..] == [Some(17), Some(3)]
    };
    facts.name("keypoints.decode.output", graph.output("[1, 1, 17, 3]", is_fixed)?);
    Ok(facts)
}

pub(super) fn movenet_multipose(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let is_fixed = |output: &TensorSpec| {
        is_shaped(output, ElementType::F32, &[Some(1), Some(6), Some(56)]) && output.shape[2] == Some(56)
    };
    facts.name("keypoints.decode.output", graph.output("[1, 6, 56]", is_fixed)?);
    Ok(facts)
}

/// The layout of so many keypoints.
fn layout(facts: &mut Facts, count: Option<usize>) -> Result<(), String> {
    let layout = match count {
        Some(17) => KeypointLayout::Coco17,
        Some(26) => KeypointLayout::Halpe26,
        Some(33) => KeypointLayout::BlazePose33,
        Some(other) => return Err(format!("the graph has {other} keypoints, layouts with 17, 26 and 33 are known")),
        None => return Err("the graph does not tell the number of its keypoints".to_owned()),
    };
    facts.set("keypoints.layout", layout.name());
    facts.to_check.push(format!("{} keypoints are taken for {}", layout.keypoint_count(), layout.name()));
    Ok(())
}

/// Pixels of the picture to a cell of its maps.
fn map_stride((columns, rows): (usize, usize), (map_columns, map_rows): (usize, usize)) -> Result<usize, String> {
    let stride = columns.checked_div(map_columns).filter(|stride| *stride > 0);
    stride
        .filter(|stride| {
            map_columns.checked_mul(*stride) == Some(columns) && map_rows.checked_mul(*stride) == Some(rows)
        })
        .ok_or_else(|| {
            format!("{columns} x {rows} px are no whole multiple of maps of {map_columns} x {map_rows} cells")
        })
}

pub(super) fn heatmap(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let output = graph.shaped("[n, keypoints, rows, columns]", &[None, None, None, None])?;
    let (Some((columns, rows)), &[_, count, Some(map_rows), Some(map_columns)]) = (graph.size(), &output.shape[..])
    else {
        return Err(format!("wants fixed sizes of picture and maps, the graph has {} and {output}", graph.input));
    };
    let stride = map_stride((columns, rows), (map_columns, map_rows))?;
    layout(&mut facts, count)?;
    facts.name("keypoints.decode.output", output);
    facts.set("keypoints.decode.heatmap_stride_px", stride);
    if map_rows >= 96 {
        facts.set("keypoints.decode.refine", "{method: dark, kernel: 17}");
        facts.set("keypoints.decode.target_sigma", "3.0");
    }
    facts.to_check.push("alignment, refine and target_sigma are those of HRNet in MMPose".to_owned());
    Ok(facts)
}

pub(super) fn simcc(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let is_vectors = |output: &&TensorSpec| is_shaped(output, ElementType::F32, &[None, None, None]);
    let vectors: Vec<&TensorSpec> = graph.outputs.iter().filter(is_vectors).collect();
    let ([a, b], Some((columns, rows))) = (vectors.as_slice(), graph.size()) else {
        let all: Vec<String> = graph.outputs.iter().map(ToString::to_string).collect();
        return Err(format!("wants two outputs [n, keypoints, bins], the graph has {}", all.join(", ")));
    };
    let ratio = |x: &TensorSpec, y: &TensorSpec| {
        let (across, down) = (x.shape[2]? as f64 / columns as f64, y.shape[2]? as f64 / rows as f64);
        (across == down && across > 0.0).then_some(across)
    };
    // In a square picture only the names tell the two apart.
    let is_swapped = columns == rows && a.name.contains('y') && b.name.contains('x') && !a.name.contains('x');
    let (x, y, split_ratio) = match (ratio(a, b), ratio(b, a)) {
        (Some(ratio), _) if !is_swapped => (a, b, ratio),
        (_, Some(ratio)) => (b, a, ratio),
        _ => return Err(format!("the bins of {a} and {b} are not the same multiple of {columns} x {rows} px")),
    };
    if x.shape[1] != y.shape[1] {
        return Err(format!("{x} and {y} have different numbers of keypoints"));
    }
    layout(&mut facts, x.shape[1])?;
    facts.name("keypoints.decode.x", x);
    facts.name("keypoints.decode.y", y);
    facts.set("keypoints.decode.simcc_split_ratio", split_ratio);
    Ok(facts)
}

pub(super) fn yolo_pose(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let output = graph.shaped("[1, 5 + 3 * keypoints, anchors]", &[Some(1), None, graph.anchors()])?;
    match output.shape[1] {
        Some(values) if values > 5 && (values - 5).is_multiple_of(3) => layout(&mut facts, Some((values - 5) / 3))?,
        _ => return Err(format!("wants 5 + 3 * keypoints values an anchor, the graph has {output}")),
    }
    facts.name("keypoints.decode.output", output);
    Ok(facts)
}

pub(super) fn rtmdet(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let is_boxes = |output: &TensorSpec| {
        is_shaped(output, ElementType::F32, &[Some(1), None, Some(5)]) && output.shape[2] == Some(5)
    };
    facts.name("detector.boxes", graph.output("[1, n, 5]", is_boxes)?);
    let is_labels = |output: &TensorSpec| is_shaped(output, ElementType::I64, &[Some(1), None]);
    facts.name("detector.labels", graph.output("I64 [1, n]", is_labels)?);
    facts.to_check.push("the graph is taken to thin its boxes itself, in px of the picture".to_owned());
    Ok(facts)
}

pub(super) fn center_heatmap(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let maps = |count: usize| {
        move |output: &TensorSpec| {
            is_shaped(output, ElementType::F32, &[None, Some(count), None, None]) && output.shape[1] == Some(count)
        }
    };
    let heatmap = graph.output("[1, 1, rows, columns]", maps(1))?;
    let pairs: Vec<&TensorSpec> = graph.outputs.iter().filter(|output| maps(2)(output)).collect();
    let [a, b] = pairs.as_slice() else {
        return Err(format!("wants two outputs [1, 2, rows, columns], the graph has {}", pairs.len()));
    };
    let (Some((columns, rows)), &[_, _, Some(map_rows), Some(map_columns)]) = (graph.size(), &heatmap.shape[..]) else {
        return Err(format!("wants fixed sizes of picture and maps, the graph has {} and {heatmap}", graph.input));
    };
    let stride = map_stride((columns, rows), (map_columns, map_rows))?;
    // Only their names tell the two apart.
    let is_offset = |output: &TensorSpec| output.name.contains("off") || output.name.contains("reg");
    let (size, offset) = if is_offset(a) && !is_offset(b) { (b, a) } else { (a, b) };
    facts.name("detector.heatmap", heatmap);
    facts.name("detector.size", size);
    facts.name("detector.offset", offset);
    facts.set("detector.stride_px", stride);
    facts.to_check.push(format!("{size} is taken for width and height in cells, {offset} for the middle in its cell"));
    facts.to_check.push(format!("{heatmap} is taken for probabilities, not for logits"));
    Ok(facts)
}

pub(super) fn yolox(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let output = graph.shaped("[1, anchors, 5 + classes]", &[Some(1), graph.anchors(), None])?;
    let Some(values) = output.shape[2].filter(|values| *values > 5) else {
        return Err(format!("wants 5 + classes values an anchor, the graph has {output}"));
    };
    facts.name("detector.output", output);
    facts.set("detector.classes", values - 5);
    Ok(facts)
}

pub(super) fn yolov8(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let output = graph.shaped("[1, 4 + classes, anchors]", &[Some(1), None, graph.anchors()])?;
    let Some(values) = output.shape[1].filter(|values| *values > 4) else {
        return Err(format!("wants 4 + classes values an anchor, the graph has {output}"));
    };
    facts.name("detector.output", output);
    facts.set("detector.classes", values - 4);
    Ok(facts)
}
