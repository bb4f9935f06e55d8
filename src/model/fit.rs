//! Which decoder styles fit a graph that has no contract yet, and a draft of the contract for each.
//!
//! Names and shapes decide; what they cannot tell (order of colours, normalisation, alignment of heatmaps) is the usual one
//! of the style's family, from the commented templates of `config/model_templates`, and is for the user to check.

mod graph;
mod judges;
mod template;
#[cfg(test)]
mod tests;

use self::graph::Graph;
use self::judges::Facts;
use self::template::{quoted, set};
use super::ModelContract;
use crate::network::TensorSpec;

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
            judge: judges::$judge,
        }
    };
}

/// Likelier styles first: a graph that fits two (a pose network of one class has the shape of a detector) fits the earlier.
const STYLES: [Style; 10] = [
    style!("blazepose", blazepose),
    style!("movenet", movenet),
    style!("movenet_multipose", movenet_multipose),
    style!("simcc", simcc),
    style!("heatmap", heatmap),
    style!("center_heatmap", center_heatmap),
    style!("yolo_pose", yolo_pose),
    style!("rtmdet", rtmdet),
    style!("yolox", yolox),
    style!("yolov8", yolov8),
];

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
