//! Which decoder styles fit a graph that has no contract yet, and a draft of the contract for each.
//!
//! Names and shapes decide; what they cannot tell (order of colours, normalisation, alignment of heatmaps) is the usual one
//! of the style's family, from the commented templates of `config/model_templates`, and is for the user to check.

use super::ModelContract;
use crate::network::{ElementType, TensorSpec};
use crate::skeleton::KeypointLayout;

/// A style's template.
struct Style {
    name: &'static str,
    template: &'static str,
    judge: fn(&Graph<'_>) -> Result<Facts, String>,
}

macro_rules! style {
    ($name:literal, $judge:ident) => {
        Style {
            name: $name,
            template: include_str!(concat!("../../config/model_templates/", $name, ".yaml")),
            judge: $judge,
        }
    };
}

/// Likelier styles first: a graph that fits two (a pose network of one class has the shape of a detector) fits the earlier.
const STYLES: [Style; 9] = [
    style!("blazepose", blazepose),
    style!("movenet", movenet),
    style!("movenet_multipose", movenet_multipose),
    style!("simcc", simcc),
    style!("heatmap", heatmap),
    style!("yolo_pose", yolo_pose),
    style!("rtmdet", rtmdet),
    style!("yolox", yolox),
    style!("yolov8", yolov8),
];

/// Strides of the anchors of YOLOX and YOLOv8.
const STRIDES: [usize; 3] = [8, 16, 32];

/// What one style makes of a graph.
#[derive(Clone, Debug)]
pub struct StyleFit {
    /// The style.
    pub style: &'static str,
    /// A draft of the contract, or why the style does not fit, with both sides.
    pub outcome: Result<DraftContract, String>,
}

/// A contract for a graph, as far as names and shapes tell it.
#[derive(Clone, Debug)]
pub struct DraftContract {
    text: String,
    /// What the graph leaves open, one sentence each.
    pub to_check: Vec<String>,
}

impl DraftContract {
    /// The text of `model.yaml`, with the template's comments.
    pub fn to_yaml(&self, name: &str, file: &str, sha256: Option<&str>) -> String {
        let mut text = set(&self.text, "name", &quoted(name));
        text = set(&text, "file", &quoted(file));
        if let Some(sha256) = sha256 {
            text = text.replacen("\nlicence:", &format!("\nsha256: {sha256}\nlicence:"), 1);
        }
        text
    }
}

/// Every style's word on a graph with these inputs and outputs, likelier styles first.
pub fn judge_styles(inputs: &[TensorSpec], outputs: &[TensorSpec]) -> Vec<StyleFit> {
    STYLES
        .iter()
        .map(|style| {
            let outcome = Graph::new(inputs, outputs).and_then(|graph| style.draft(&graph));
            StyleFit { style: style.name, outcome }
        })
        .collect()
}

/// The commented template of every style: its name and its text.
pub fn templates() -> impl Iterator<Item = (&'static str, &'static str)> {
    STYLES.iter().map(|style| (style.name, style.template))
}

/// What is to be changed in a template, and what to say about it.
#[derive(Default)]
struct Facts {
    /// Path and value.
    values: Vec<(&'static str, String)>,
    to_check: Vec<String>,
}

impl Facts {
    fn set(&mut self, path: &'static str, value: impl ToString) {
        self.values.push((path, value.to_string()));
    }

    fn name(&mut self, path: &'static str, tensor: &TensorSpec) {
        self.set(path, quoted(&tensor.name));
    }
}

impl Style {
    fn draft(&self, graph: &Graph<'_>) -> Result<DraftContract, String> {
        let Facts { values, mut to_check } = (self.judge)(graph)?;
        let mut text = graph.with_input(self.template);
        for (path, value) in values {
            text = set(&text, path, &value);
        }
        if graph.size().is_none() {
            to_check.push("the graph takes pictures of any size: width_px and height_px are the usual ones".to_owned());
        }
        if text.contains("\n  scale:") || text.contains("\n  mean:") {
            to_check.push("colour, scale, mean and std are the usual ones of this family".to_owned());
        } else {
            to_check.push("colour is the usual one of this family; bytes go in as they are".to_owned());
        }
        let contract = ModelContract::parse(&text, self.name).map_err(|error| error.to_string())?;
        // The contract must ask for what the graph has.
        if let Some((_, wanted)) = contract.tensor_specs() {
            for wanted in wanted {
                if !graph.outputs.iter().any(|found| is_compatible(&wanted, found)) {
                    let found: Vec<String> = graph.outputs.iter().map(ToString::to_string).collect();
                    return Err(format!("{} wants {wanted}, the graph has {}", self.name, found.join(", ")));
                }
            }
        }
        Ok(DraftContract { text, to_check })
    }
}

fn is_compatible(wanted: &TensorSpec, found: &TensorSpec) -> bool {
    wanted.name == found.name
        && wanted.element_type == found.element_type
        && wanted.shape.len() == found.shape.len()
        && wanted.shape.iter().zip(&found.shape).all(|(a, b)| a.is_none() || b.is_none() || a == b)
}

/// A graph that takes one picture.
struct Graph<'a> {
    input: &'a TensorSpec,
    is_nchw: bool,
    outputs: &'a [TensorSpec],
}

impl<'a> Graph<'a> {
    fn new(inputs: &'a [TensorSpec], outputs: &'a [TensorSpec]) -> Result<Self, String> {
        let list = || inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let [input] = inputs else {
            return Err(format!("a picture is the one input, the graph has {}: {}", inputs.len(), list()));
        };
        let is_number = matches!(input.element_type, ElementType::F32 | ElementType::U8 | ElementType::I32);
        let is_nchw = match input.shape.as_slice() {
            [None | Some(1), Some(3), _, _] if is_number => true,
            [None | Some(1), _, _, Some(3)] if is_number => false,
            _ => {
                return Err(format!(
                    "a picture is F32, U8 or I32, [1 or ?, 3, rows, columns] or [1 or ?, rows, columns, 3]; the graph takes {input}"
                ));
            }
        };
        Ok(Self { input, is_nchw, outputs })
    }

    /// Columns and rows, where the graph tells both.
    fn size(&self) -> Option<(usize, usize)> {
        let (rows, columns) = if self.is_nchw { (2, 3) } else { (1, 2) };
        Some((self.input.shape[columns]?, self.input.shape[rows]?))
    }

    /// The template with this graph's input.
    fn with_input(&self, template: &str) -> String {
        let element_type = match self.input.element_type {
            ElementType::U8 => "u8",
            ElementType::I32 => "i32",
            _ => "f32",
        };
        let mut text = set(template, "input.name", &quoted(&self.input.name));
        text = set(&text, "input.element_type", element_type);
        text = set(&text, "input.layout", if self.is_nchw { "nchw" } else { "nhwc" });
        if let Some((columns, rows)) = self.size() {
            text = set(&text, "input.width_px", &columns.to_string());
            text = set(&text, "input.height_px", &rows.to_string());
        }
        if element_type != "f32" {
            let is_normalisation =
                |line: &&str| ["  scale:", "  mean:", "  std:"].iter().any(|key| line.starts_with(key));
            text = text.lines().filter(|line| !is_normalisation(line)).map(|line| format!("{line}\n")).collect();
        }
        text
    }

    /// The one output of this type and number of dimensions.
    fn output(&self, what: &str, fits: impl Fn(&TensorSpec) -> bool) -> Result<&'a TensorSpec, String> {
        let found: Vec<&TensorSpec> = self.outputs.iter().filter(|output| fits(output)).collect();
        match found.as_slice() {
            [output] => Ok(output),
            _ => {
                let all: Vec<String> = self.outputs.iter().map(ToString::to_string).collect();
                Err(format!("wants one output {what}, the graph has {} of {}", found.len(), all.join(", ")))
            }
        }
    }

    /// The one float output of this shape; `None` is any size, as is a dynamic one.
    fn shaped(&self, what: &str, shape: &[Option<usize>]) -> Result<&'a TensorSpec, String> {
        self.output(what, |output| is_shaped(output, ElementType::F32, shape))
    }

    /// Number of anchors, where the size of the picture is told.
    fn anchors(&self) -> Option<usize> {
        let (columns, rows) = self.size()?;
        Some(STRIDES.iter().map(|stride| (columns / stride) * (rows / stride)).sum())
    }
}

fn is_shaped(tensor: &TensorSpec, element_type: ElementType, shape: &[Option<usize>]) -> bool {
    tensor.element_type == element_type
        && tensor.shape.len() == shape.len()
        && tensor.shape.iter().zip(shape).all(|(a, b)| a.is_none() || b.is_none() || a == b)
}

fn blazepose(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let is_fixed = |output: &TensorSpec, size: usize| {
        is_shaped(output, ElementType::F32, &[Some(1), None]) && output.shape[1] == Some(size)
    };
    facts.name("keypoints.decode.landmarks", graph.output("[1, 195]", |output| is_fixed(output, 195))?);
    facts.name("keypoints.decode.presence", graph.output("[1, 1]", |output| is_fixed(output, 1))?);
    Ok(facts)
}

fn movenet(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let is_fixed = |output: &TensorSpec| {
        is_shaped(output, ElementType::F32, &[Some(1), Some(1), Some(17), Some(3)])
            && output.shape[2..] == [Some(17), Some(3)]
    };
    facts.name("keypoints.decode.output", graph.output("[1, 1, 17, 3]", is_fixed)?);
    Ok(facts)
}

fn movenet_multipose(graph: &Graph<'_>) -> Result<Facts, String> {
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

fn heatmap(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let output = graph.shaped("[n, keypoints, rows, columns]", &[None, None, None, None])?;
    let (Some((columns, rows)), &[_, count, Some(map_rows), Some(map_columns)]) = (graph.size(), &output.shape[..])
    else {
        return Err(format!("wants fixed sizes of picture and maps, the graph has {} and {output}", graph.input));
    };
    let stride = columns / map_columns.max(1);
    if stride == 0 || (map_columns * stride, map_rows * stride) != (columns, rows) {
        return Err(format!("{columns} x {rows} px are no whole multiple of maps of {map_columns} x {map_rows} cells"));
    }
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

fn simcc(graph: &Graph<'_>) -> Result<Facts, String> {
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

fn yolo_pose(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let output = graph.shaped("[1, 5 + 3 * keypoints, anchors]", &[Some(1), None, graph.anchors()])?;
    match output.shape[1] {
        Some(values) if values > 5 && (values - 5).is_multiple_of(3) => layout(&mut facts, Some((values - 5) / 3))?,
        _ => return Err(format!("wants 5 + 3 * keypoints values an anchor, the graph has {output}")),
    }
    facts.name("keypoints.decode.output", output);
    Ok(facts)
}

fn rtmdet(graph: &Graph<'_>) -> Result<Facts, String> {
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

fn yolox(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let output = graph.shaped("[1, anchors, 5 + classes]", &[Some(1), graph.anchors(), None])?;
    let Some(values) = output.shape[2].filter(|values| *values > 5) else {
        return Err(format!("wants 5 + classes values an anchor, the graph has {output}"));
    };
    facts.name("detector.output", output);
    facts.set("detector.classes", values - 5);
    Ok(facts)
}

fn yolov8(graph: &Graph<'_>) -> Result<Facts, String> {
    let mut facts = Facts::default();
    let output = graph.shaped("[1, 4 + classes, anchors]", &[Some(1), None, graph.anchors()])?;
    let Some(values) = output.shape[1].filter(|values| *values > 4) else {
        return Err(format!("wants 4 + classes values an anchor, the graph has {output}"));
    };
    facts.name("detector.output", output);
    facts.set("detector.classes", values - 4);
    Ok(facts)
}

/// `text` with the value at `path` (e.g. `input.layout`) replaced; a comment behind it stays. Two spaces a level.
fn set(text: &str, path: &str, value: &str) -> String {
    let mut keys: Vec<&str> = Vec::new();
    let mut changed = String::with_capacity(text.len());
    for line in text.lines() {
        let is_comment = line.trim_start().starts_with('#');
        if let Some((key, rest)) = line.split_once(':').filter(|_| !is_comment) {
            keys.truncate((key.len() - key.trim_start().len()) / 2);
            keys.push(key.trim_start());
            if keys.join(".") == path {
                let comment = rest.find(" #").map_or("", |at| &rest[at..]);
                changed += &format!("{key}: {value}{comment}\n");
                continue;
            }
        }
        changed += line;
        changed.push('\n');
    }
    changed
}

/// A YAML string that may hold anything.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::{ImageElement, ModelTask};

    fn tensor(name: &str, element_type: ElementType, shape: &[i64]) -> TensorSpec {
        let shape = shape.iter().map(|&size| usize::try_from(size).ok()).collect();
        TensorSpec { name: name.to_owned(), element_type, shape }
    }

    fn floats(name: &str, shape: &[i64]) -> TensorSpec {
        tensor(name, ElementType::F32, shape)
    }

    fn fitting(input: &TensorSpec, outputs: &[TensorSpec]) -> Vec<(&'static str, DraftContract)> {
        judge_styles(std::slice::from_ref(input), outputs)
            .into_iter()
            .filter_map(|fit| Some((fit.style, fit.outcome.ok()?)))
            .collect()
    }

    #[test]
    fn every_template_is_a_contract_of_its_style() {
        for (name, text) in templates() {
            let contract = ModelContract::parse(text, name).unwrap();
            assert!(text.contains(&format!("style: {name}\n")) || text.contains(&format!("style: {name} #")), "{name}");
            assert!(!matches!(contract.task, ModelTask::Lifter(_)), "{name}");
            assert!(text.starts_with("# ") && text.lines().all(|line| line.len() <= 130), "{name} is commented");
        }
    }

    #[test]
    fn the_common_graphs_fit_their_styles_and_the_drafts_are_contracts_for_them() {
        let i64s = |name: &str, shape: &[i64]| tensor(name, ElementType::I64, shape);
        let image = |shape: &[i64]| floats("in:put", shape);
        let square = image(&[1, 3, 640, 640]);
        let person = image(&[-1, 3, 256, 192]);
        for (input, outputs, wanted) in [
            (&square, vec![floats("output", &[1, 8400, 85])], "yolox"),
            (&square, vec![floats("output0", &[1, 84, 8400])], "yolov8"),
            (&square, vec![floats("output0", &[1, 56, 8400])], "yolo_pose"),
            (&image(&[-1, 3, -1, -1]), vec![floats("output0", &[-1, 56, -1])], "yolo_pose"),
            (&image(&[1, 3, 384, 640]), vec![floats("output0", &[1, 5, 5040])], "yolov8"),
            (&square, vec![floats("dets", &[1, -1, 5]), i64s("labels", &[1, -1])], "rtmdet"),
            (&person, vec![floats("hm", &[-1, 17, 64, 48])], "heatmap"),
            (&image(&[1, 3, 384, 288]), vec![floats("hm", &[1, 17, 96, 72])], "heatmap"),
            (&person, vec![floats("simcc_x", &[-1, 17, 384]), floats("simcc_y", &[-1, 17, 512])], "simcc"),
            (&person, vec![floats("1", &[-1, 26, 512]), floats("0", &[-1, 26, 384])], "simcc"),
            (&tensor("i", ElementType::I32, &[1, -1, -1, 3]), vec![floats("o", &[1, 6, 56])], "movenet_multipose"),
            (&tensor("i", ElementType::U8, &[1, 192, 192, 3]), vec![floats("o", &[1, 1, 17, 3])], "movenet"),
            (
                &image(&[1, 256, 256, 3]),
                vec![
                    floats("Identity", &[1, 195]),
                    floats("Identity_1", &[1, 1]),
                    floats("Identity_2", &[1, 256, 256, 1]),
                    floats("Identity_3", &[1, 64, 64, 39]),
                    floats("Identity_4", &[1, 117]),
                ],
                "blazepose",
            ),
        ] {
            let found = fitting(input, &outputs);
            assert_eq!(found.first().map(|(style, _)| *style), Some(wanted), "{outputs:?}");
            let yaml = found[0].1.to_yaml("my net", "net.onnx", Some(&"0".repeat(64)));
            let contract = ModelContract::parse(&yaml, wanted).unwrap();
            assert_eq!((contract.name.as_str(), contract.file.as_str()), ("my net", "net.onnx"));
            assert_eq!(contract.sha256.unwrap().len(), 64);
            let (taken, _) = ModelContract::parse(&yaml, wanted).unwrap().tensor_specs().unwrap();
            assert!(is_compatible(&taken, input), "{taken} for {input}");
            assert!(!found[0].1.to_check.is_empty());
        }
    }

    #[test]
    fn a_draft_has_the_sizes_and_names_of_the_graph() {
        let input = floats("in", &[1, 3, 256, 192]);
        let found = fitting(&input, &[floats("b", &[1, 26, 768]), floats("a", &[1, 26, 576])]);
        let yaml = found[0].1.to_yaml("n", "n.onnx", None);
        for part in
            ["x: \"a\"", "y: \"b\"", "simcc_split_ratio: 3", "layout: halpe_26", "width_px: 192", "height_px: 256"]
        {
            assert!(yaml.contains(part), "{part} in\n{yaml}");
        }
        let bytes = tensor("in", ElementType::U8, &[1, 256, 192, 3]);
        let found = fitting(&bytes, &[floats("hm", &[1, 17, 64, 48])]);
        let contract = ModelContract::parse(&found[0].1.to_yaml("n", "n.onnx", None), "n").unwrap();
        let ModelTask::Keypoints(keypoints) = contract.task else { panic!("keypoints") };
        assert_eq!((keypoints.input.element_type, keypoints.input.mean), (ImageElement::U8, [0.0; 3]));
    }

    #[test]
    fn what_does_not_fit_says_why_with_both_sides() {
        let why = |input: &TensorSpec, outputs: &[TensorSpec], style: &str| {
            let fits = judge_styles(std::slice::from_ref(input), outputs);
            fits.into_iter().find(|fit| fit.style == style).unwrap().outcome.unwrap_err()
        };
        let person = floats("in", &[1, 3, 256, 192]);
        let of = |shape: &[i64]| [floats("out", shape)];
        assert!(why(&person, &of(&[1, 133, 64, 48]), "heatmap").contains("133"));
        assert!(why(&person, &of(&[1, 17, 60, 48]), "heatmap").contains("48 x 60"));
        assert!(why(&person, &of(&[1, 17, 384]), "simcc").contains("384"));
        let two = [floats("x", &[1, 17, 384]), floats("y", &[1, 17, 500])];
        assert!(why(&person, &two, "simcc").contains("500"));
        assert!(why(&floats("in", &[1, 640]), &of(&[1, 84, 8400]), "yolov8").contains("640"));
        assert!(why(&floats("in", &[1, 3, 640, 640]), &of(&[1, 84, 8401]), "yolov8").contains("8401"));
        assert!(judge_styles(&[], &[]).iter().all(|fit| fit.outcome.is_err()));
        assert!(fitting(&floats("in", &[1, 3, 224, 224]), &of(&[1, 1000])).is_empty());
    }

    #[test]
    fn names_with_anything_in_them_stay_what_they_are() {
        let name = "serving: \"default\" #1\\";
        let input = floats(name, &[1, 192, 192, 3]);
        let found = fitting(&input, &[floats("StatefulPartitionedCall:0", &[1, 1, 17, 3])]);
        let contract = ModelContract::parse(&found[0].1.to_yaml("n", "n.onnx", None), "n").unwrap();
        assert_eq!(contract.tensor_specs().unwrap().0.name, name);
    }
}
