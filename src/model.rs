//! `model.yaml`: the contract of a network. What it takes, what it gives, how its output is decoded, whose it is.
//!
//! The contract lies beside the weights, or alone where the weights are not ours to ship. It is parsed here
//! without any file access; `adapters::model_store` finds files and `adapters::onnx` compares the contract with the
//! graph before anything runs.

use serde::Deserialize;

use crate::network::{ElementType, TensorSpec};
use crate::skeleton::{Joint, KeypointLayout};
use crate::stages::lift::LifterFacts;
use crate::stages::plausibility::DiscriminatorFacts;
use crate::stages::window::{FEATURE_COUNT, MODEL_RATE_HZ};

/// A discriminator that looks back further than this, in samples, is refused.
const OLDEST_WINDOW_AGE: usize = 300;

/// A network's contract.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelContract {
    /// Name, as parameters call it.
    pub name: String,
    /// File name of the weights.
    pub file: String,
    /// SHA-256 of the weights in lower-case hexadecimal.
    pub sha256: Option<String>,
    /// Licence of the weights.
    pub licence: String,
    /// Where the weights come from.
    pub origin: String,
    /// What the network does.
    pub task: ModelTask,
}

/// What a network does, with what only that task needs.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelTask {
    /// Finds people in an image.
    Detector(DetectorContract),
    /// Finds the keypoints of one person in a crop.
    Keypoints(KeypointsContract),
    /// Lifts keypoints over time to 3D.
    Lifter(LifterFacts),
}

/// The picture that a network takes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    /// Name in the graph.
    pub name: String,
    /// Element type.
    pub element_type: ImageElement,
    /// Order of the dimensions.
    pub layout: ImageLayout,
    /// Order of the colours.
    pub colour: Colour,
    /// Side of the square picture, px.
    pub side_px: usize,
    /// A value is `(byte * scale - mean) / std`; `u8` inputs take the byte itself.
    #[serde(default = "one")]
    pub scale: f32,
    /// Mean of each channel, in the network's order of colours.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    #[serde(default = "ones")]
    pub std: [f32; 3],
    /// Byte that stands for what lies outside the image.
    #[serde(default)]
    pub outside: u8,
}

impl ImageInput {
    /// The tensor that the graph must take.
    pub fn tensor_spec(&self) -> TensorSpec {
        let side = Some(self.side_px);
        let shape = match self.layout {
            ImageLayout::Nchw => vec![Some(1), Some(3), side, side],
            ImageLayout::Nhwc => vec![Some(1), side, side, Some(3)],
        };
        let element_type = match self.element_type {
            ImageElement::F32 => ElementType::F32,
            ImageElement::U8 => ElementType::U8,
        };
        TensorSpec { name: self.name.clone(), element_type, shape }
    }
}

/// Element type of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageElement {
    /// 32-bit float.
    F32,
    /// Unsigned byte.
    U8,
}

/// Order of a picture's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageLayout {
    /// Batch, channel, row, column.
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// Order of a picture's colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

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

/// A contract that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {reason}")]
pub struct ContractError {
    /// Which contract, as the caller named it.
    pub source_name: String,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContractFile {
    name: String,
    kind: Kind,
    file: String,
    sha256: Option<String>,
    licence: String,
    origin: String,
    input: Option<ImageInput>,
    detector: Option<DetectorDecode>,
    keypoints: Option<KeypointsSection>,
    lifter: Option<LifterSection>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Detector,
    Keypoints,
    Lifter,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeypointsSection {
    layout: String,
    decode: KeypointsDecode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LifterSection {
    joint_set: String,
    rate_hz: f64,
    feature_count: usize,
    image_strides: Vec<usize>,
    dilations: Vec<usize>,
    branch_channels: usize,
    heads: Vec<HeadSection>,
    discriminator: Option<DiscriminatorSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscriminatorSection {
    file: String,
    sha256: String,
    /// How the weights were made: for readers.
    #[serde(rename = "origin")]
    _origin: String,
    window_ages: Vec<usize>,
    score_scale: f64,
    score_offset: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadSection {
    lookahead: usize,
    sigma_per_scale_lateral: f64,
    sigma_per_scale_depth: f64,
}

const fn one() -> f32 {
    1.0
}

const fn ones() -> [f32; 3] {
    [1.0; 3]
}

impl ModelContract {
    /// Parses a contract. `source_name` is what errors call it, e.g. its path.
    ///
    /// # Errors
    /// [`ContractError`] with the place and both sides of what does not fit.
    pub fn parse(text: &str, source_name: &str) -> Result<Self, ContractError> {
        let refuse = |reason: String| ContractError { source_name: source_name.to_owned(), reason };
        let file: ContractFile = serde_yaml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        check_file(&file.file, file.sha256.as_deref()).map_err(refuse)?;
        let task = match (file.kind, file.input, file.detector, file.keypoints, file.lifter) {
            (Kind::Detector, Some(input), Some(decode), None, None) => {
                check_input(&input).map_err(refuse)?;
                check_detector(&decode, &input).map_err(refuse)?;
                ModelTask::Detector(DetectorContract { input, decode })
            }
            (Kind::Keypoints, Some(input), None, Some(section), None) => {
                check_input(&input).map_err(refuse)?;
                let layout = KeypointLayout::from_name(&section.layout).map_err(|error| refuse(error.to_string()))?;
                ModelTask::Keypoints(KeypointsContract { input, layout, decode: section.decode })
            }
            (Kind::Lifter, None, None, None, Some(section)) => ModelTask::Lifter(lifter(section).map_err(refuse)?),
            (kind, ..) => {
                return Err(refuse(format!(
                    "a {kind:?} contract has the section of that name (a detector or keypoints contract also `input`) and no other"
                )));
            }
        };
        Ok(Self {
            name: file.name,
            file: file.file,
            sha256: file.sha256,
            licence: file.licence,
            origin: file.origin,
            task,
        })
    }

    /// The inputs and outputs that the graph must have. Lifters check their graph themselves.
    pub fn tensor_specs(&self) -> Option<(TensorSpec, Vec<TensorSpec>)> {
        let output = |name: &str, shape: &[usize]| TensorSpec {
            name: name.to_owned(),
            element_type: ElementType::F32,
            shape: shape.iter().copied().map(Some).collect(),
        };
        match &self.task {
            ModelTask::Detector(DetectorContract {
                input,
                decode: DetectorDecode::Yolox { output: name, strides, classes },
            }) => {
                let anchors = strides.iter().map(|stride| (input.side_px / stride).pow(2)).sum();
                Some((input.tensor_spec(), vec![output(name, &[1, anchors, 5 + classes])]))
            }
            ModelTask::Keypoints(KeypointsContract { input, decode, .. }) => {
                let outputs = match decode {
                    KeypointsDecode::Movenet { output: name } => vec![output(name, &[1, 1, 17, 3])],
                    KeypointsDecode::Blazepose { landmarks, presence } => {
                        vec![output(landmarks, &[1, 195]), output(presence, &[1, 1])]
                    }
                };
                Some((input.tensor_spec(), outputs))
            }
            ModelTask::Lifter(_) => None,
        }
    }
}

fn check_input(input: &ImageInput) -> Result<(), String> {
    if !(16..=4096).contains(&input.side_px) {
        return Err(format!("input.side_px is {}, must be 16 to 4096", input.side_px));
    }
    let finite = input.scale.is_finite() && input.mean.iter().chain(&input.std).all(|value| value.is_finite());
    if !finite || input.std.contains(&0.0) {
        return Err(format!(
            "input scale {}, mean {:?} and std {:?} must be finite, std not zero",
            input.scale, input.mean, input.std
        ));
    }
    let bytes_as_they_are = input.scale.to_bits() == one().to_bits()
        && input.mean.map(f32::to_bits) == [0.0_f32; 3].map(f32::to_bits)
        && input.std.map(f32::to_bits) == ones().map(f32::to_bits);
    if input.element_type == ImageElement::U8 && !bytes_as_they_are {
        return Err("a u8 input takes bytes as they are: leave out scale, mean and std".to_owned());
    }
    Ok(())
}

fn check_detector(decode: &DetectorDecode, input: &ImageInput) -> Result<(), String> {
    let DetectorDecode::Yolox { strides, classes, .. } = decode;
    if strides.is_empty() || strides.iter().any(|&stride| stride == 0 || !input.side_px.is_multiple_of(stride)) {
        return Err(format!("strides {strides:?} must divide input.side_px {}", input.side_px));
    }
    if *classes == 0 {
        return Err("a detector without classes cannot find people".to_owned());
    }
    Ok(())
}

fn check_file(file: &str, sha256: Option<&str>) -> Result<(), String> {
    let is_digit = |byte: u8| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase();
    if let Some(sha256) = sha256
        && (sha256.len() != 64 || !sha256.bytes().all(is_digit))
    {
        return Err(format!("sha256 \"{sha256}\" is not 64 lower-case hexadecimal digits"));
    }
    if file.is_empty() || file.contains(['/', '\\']) {
        return Err(format!("file \"{file}\" must be a file name without a folder"));
    }
    Ok(())
}

fn discriminator(section: DiscriminatorSection) -> Result<DiscriminatorFacts, String> {
    check_file(&section.file, Some(&section.sha256)).map_err(|reason| format!("discriminator: {reason}"))?;
    let ages = &section.window_ages;
    if ages.first() != Some(&0) || !ages.is_sorted_by(|a, b| a < b) || ages.last() > Some(&OLDEST_WINDOW_AGE) {
        return Err(format!("discriminator: window_ages {ages:?} must rise from 0 to at most {OLDEST_WINDOW_AGE}"));
    }
    let (scale, offset) = (section.score_scale, section.score_offset);
    if !(scale > 0.0 && scale.is_finite() && offset.is_finite()) {
        return Err(format!("discriminator: score_scale {scale} must be positive, score_offset {offset} finite"));
    }
    Ok(DiscriminatorFacts {
        file: section.file,
        sha256: section.sha256,
        window_ages: section.window_ages,
        score_scale: scale,
        score_offset: offset,
    })
}

fn lifter(section: LifterSection) -> Result<LifterFacts, String> {
    if section.joint_set != Joint::SET_NAME {
        return Err(format!("joint_set \"{}\" of the weights, {} of this program", section.joint_set, Joint::SET_NAME));
    }
    if section.feature_count != FEATURE_COUNT || (section.rate_hz - MODEL_RATE_HZ).abs() > 1e-9 {
        return Err(format!(
            "the weights take {} features at {} Hz, this program gives {FEATURE_COUNT} at {MODEL_RATE_HZ} Hz",
            section.feature_count, section.rate_hz
        ));
    }
    let sigma_per_scale: Vec<_> =
        section.heads.iter().map(|head| (head.sigma_per_scale_lateral, head.sigma_per_scale_depth)).collect();
    if sigma_per_scale
        .iter()
        .any(|&(lateral, depth)| !(lateral > 0.0 && depth > 0.0 && lateral.is_finite() && depth.is_finite()))
    {
        return Err(format!("sigma_per_scale must be positive, found {sigma_per_scale:?}"));
    }
    let discriminator = section.discriminator.map(discriminator).transpose()?;
    Ok(LifterFacts {
        discriminator,
        image_strides: section.image_strides,
        dilations: section.dilations,
        branch_channels: section.branch_channels,
        lookaheads: section.heads.iter().map(|head| head.lookahead).collect(),
        sigma_per_scale,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const YOLOX: &str = "
name: yolox_nano
kind: detector
file: yolox_nano.onnx
licence: Apache-2.0
origin: test
input: {name: images, element_type: f32, layout: nchw, colour: bgr, side_px: 416, outside: 114}
detector: {style: yolox, output: output, strides: [8, 16, 32], classes: 80}
";

    fn reason(text: &str) -> String {
        ModelContract::parse(text, "test").unwrap_err().to_string()
    }

    #[test]
    fn a_detector_contract_states_its_tensors() {
        let contract = ModelContract::parse(YOLOX, "test").unwrap();
        let (input, outputs) = contract.tensor_specs().unwrap();
        assert_eq!(input.shape, [Some(1), Some(3), Some(416), Some(416)]);
        assert_eq!(outputs[0].shape, [Some(1), Some(3549), Some(85)]);
    }

    #[test]
    fn a_lifter_may_come_with_a_discriminator() {
        let lifter = "
name: lifter
kind: lifter
file: streaming.onnx
licence: Apache-2.0
origin: test
lifter:
  joint_set: h36m_17
  rate_hz: 30.0
  feature_count: 106
  image_strides: [1, 2]
  dilations: [1, 3, 9]
  branch_channels: 8
  heads: [{lookahead: 0, sigma_per_scale_lateral: 1.0, sigma_per_scale_depth: 1.0}]
";
        let of = |text: &str| match ModelContract::parse(text, "test").unwrap().task {
            ModelTask::Lifter(facts) => facts.discriminator,
            other => panic!("{other:?}"),
        };
        assert_eq!(of(lifter), None);
        let sha256 = "0123456789abcdef".repeat(4);
        let with = format!(
            "{lifter}  discriminator: {{file: discriminator.onnx, sha256: {sha256}, origin: test, window_ages: [0, 1, 4], \
             score_scale: 5.5, score_offset: 0.5}}\n"
        );
        let facts = of(&with).unwrap();
        assert_eq!(
            (facts.file.as_str(), facts.sha256, facts.window_ages),
            ("discriminator.onnx", sha256, vec![0, 1, 4])
        );
        assert_eq!((facts.score_scale, facts.score_offset), (5.5, 0.5));
        for (from, to, word) in [
            ("[0, 1, 4]", "[1, 4]", "[1, 4]"),
            ("[0, 1, 4]", "[0, 4, 4]", "[0, 4, 4]"),
            ("[0, 1, 4]", "[0, 301]", "at most 300"),
            ("5.5", ".nan", "NaN"),
            ("discriminator.onnx", "../other.onnx", "without a folder"),
            ("0123456789abcdef", "0123456789ABCDEF", "64 lower-case"),
        ] {
            assert!(reason(&with.replace(from, to)).contains(word), "{to}: {}", reason(&with.replace(from, to)));
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert!(reason(&YOLOX.replace("outside", "outsid")).contains("outsid"));
        assert!(reason(&YOLOX.replace("[8, 16, 32]", "[7]")).contains("[7]"));
        assert!(reason(&YOLOX.replace("kind: detector", "kind: lifter")).contains("Lifter"));
        assert!(reason(&YOLOX.replace("file: yolox", "file: ../yolox")).contains("without a folder"));
        assert!(reason(&format!("{YOLOX}sha256: ABC\n")).contains("64"));
    }
}
