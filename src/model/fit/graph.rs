//! A graph that takes one picture, and what its names and shapes tell.

use super::template::{quoted, set, without_normalisation};
use crate::network::{ElementType, TensorSpec};

/// Strides of the anchors of YOLOX and YOLOv8.
const STRIDES: [usize; 3] = [8, 16, 32];

/// No network takes a larger picture.
const LONGEST_SIDE_PX: usize = 1 << 16;

/// A graph that takes one picture.
pub(super) struct Graph<'a> {
    pub input: &'a TensorSpec,
    is_nchw: bool,
    pub outputs: &'a [TensorSpec],
}

impl<'a> Graph<'a> {
    pub fn new(inputs: &'a [TensorSpec], outputs: &'a [TensorSpec]) -> Result<Self, String> {
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
        if input.shape.iter().flatten().any(|&size| size > LONGEST_SIDE_PX) {
            return Err(format!("a picture has up to {LONGEST_SIDE_PX} px a side, the graph takes {input}"));
        }
        Ok(Self { input, is_nchw, outputs })
    }

    /// Columns and rows, where the graph tells both.
    pub fn size(&self) -> Option<(usize, usize)> {
        let (rows, columns) = if self.is_nchw { (2, 3) } else { (1, 2) };
        Some((self.input.shape[columns]?, self.input.shape[rows]?))
    }

    /// The template with this graph's input.
    pub fn with_input(&self, template: &str) -> String {
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
            text = without_normalisation(&text);
        }
        text
    }

    /// The one output of this type and number of dimensions.
    pub fn output(&self, what: &str, fits: impl Fn(&TensorSpec) -> bool) -> Result<&'a TensorSpec, String> {
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
    pub fn shaped(&self, what: &str, shape: &[Option<usize>]) -> Result<&'a TensorSpec, String> {
        self.output(what, |output| is_shaped(output, ElementType::F32, shape))
    }

    /// Number of anchors, where the size of the picture is told.
    pub fn anchors(&self) -> Option<usize> {
        let (columns, rows) = self.size()?;
        Some(STRIDES.iter().map(|stride| (columns / stride) * (rows / stride)).sum())
    }
}

/// Whether a tensor has this type and shape; `None` is any size, as is a dynamic one.
pub(super) fn is_shaped(tensor: &TensorSpec, element_type: ElementType, shape: &[Option<usize>]) -> bool {
    tensor.element_type == element_type
        && tensor.shape.len() == shape.len()
        && tensor.shape.iter().zip(shape).all(|(a, b)| a.is_none() || b.is_none() || a == b)
}
