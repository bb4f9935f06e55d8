//! What detectors and keypoint networks give, and how it is read: one style for each family of networks.

use serde::Deserialize;

use super::{ImageInput, PictureSize};
use crate::network::{ElementType, TensorSpec};
use crate::skeleton::KeypointLayout;

/// A person detector.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorContract {
    /// The picture.
    pub input: ImageInput,
    /// How the output is read.
    pub decode: DetectorDecode,
}

/// How a detector's output is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "style", rename_all = "snake_case", deny_unknown_fields)]
pub enum DetectorDecode {
    /// `[1, anchors, 5 + classes]`: x, y, log w, log h on the grid of each stride, objectness, classes; person is class 0.
    Yolox {
        /// Name of the output.
        output: String,
        /// Grid strides, px.
        strides: Vec<usize>,
        /// Number of classes.
        classes: usize,
    },
}

/// A 2D keypoint network.
#[derive(Clone, Debug, PartialEq)]
pub struct KeypointsContract {
    /// The picture.
    pub input: ImageInput,
    /// Order of the keypoints.
    pub layout: KeypointLayout,
    /// How the output is read.
    pub decode: KeypointsDecode,
}

impl DetectorContract {
    /// The outputs that the graph must have.
    pub fn outputs(&self) -> Vec<TensorSpec> {
        let PictureSize { width_px, height_px } = self.input.size;
        match &self.decode {
            DetectorDecode::Yolox { output, strides, classes } => {
                let anchors = strides.iter().map(|stride| (width_px / stride) * (height_px / stride)).sum();
                vec![floats(output, &[1, anchors, 5 + classes])]
            }
        }
    }

    /// Whether the parts fit each other; the error says what does not.
    pub(super) fn check(&self) -> Result<(), String> {
        let DetectorDecode::Yolox { strides, classes, .. } = &self.decode;
        let PictureSize { width_px, height_px } = self.input.size;
        let divides =
            |&stride: &usize| stride > 0 && width_px.is_multiple_of(stride) && height_px.is_multiple_of(stride);
        if strides.is_empty() || !strides.iter().all(divides) {
            return Err(format!("strides {strides:?} must divide the input's {}", self.input.size));
        }
        if *classes == 0 {
            return Err("a detector without classes cannot find people".to_owned());
        }
        Ok(())
    }
}

/// How a keypoint network's output is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "style", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeypointsDecode {
    /// `[1, 1, 17, 3]`: row, column, score, as fractions of the crop.
    Movenet {
        /// Name of the output.
        output: String,
    },
    /// `[1, 195]`: 39 × (x, y, z, visibility logit, presence logit) in crop px, and a person score.
    Blazepose {
        /// Name of the landmark output.
        landmarks: String,
        /// Name of the person score output.
        presence: String,
    },
}

impl KeypointsContract {
    /// The outputs that the graph must have.
    pub fn outputs(&self) -> Vec<TensorSpec> {
        match &self.decode {
            KeypointsDecode::Movenet { output } => vec![floats(output, &[1, 1, 17, 3])],
            KeypointsDecode::Blazepose { landmarks, presence } => {
                vec![floats(landmarks, &[1, 195]), floats(presence, &[1, 1])]
            }
        }
    }

    /// Whether the parts fit each other; the error says what does not.
    #[expect(clippy::unnecessary_wraps, reason = "the next styles have parts that may not fit")]
    pub(super) fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

fn floats(name: &str, shape: &[usize]) -> TensorSpec {
    let shape = shape.iter().copied().map(Some).collect();
    TensorSpec { name: name.to_owned(), element_type: ElementType::F32, shape }
}
