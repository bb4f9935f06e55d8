//! `model.yaml`: the contract of a network. What it takes, what it gives, how its output is decoded, whose it is.
//!
//! The contract lies beside the weights, or alone where the weights are not ours to ship. It is parsed here
//! without any file access; `adapters::model_store` finds files and `adapters::onnx` compares the contract with the
//! graph before anything runs.

mod decode;
mod fit;
mod image_input;

use serde::Deserialize;

pub use self::decode::{
    DetectorContract, DetectorDecode, HeatmapAlignment, HeatmapDecode, HeatmapRefinement, KeypointsContract,
    KeypointsDecode, SCORE_KNOTS, calibrated_score,
};
pub use self::fit::{DraftContract, StyleFit, judge_styles, templates};
pub use self::image_input::{Colour, ImageElement, ImageInput, ImageLayout, PictureSize, Placement};
use crate::network::TensorSpec;
use crate::skeleton::{Joint, KeypointLayout};
use crate::stages::lift::{LifterFacts, Recall};
use crate::stages::plausibility::DiscriminatorFacts;
use crate::stages::window::{FEATURE_COUNTS, MODEL_RATE_HZ};

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
    confidence: Option<[f32; SCORE_KNOTS]>,
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
    recall: Option<RecallSection>,
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
struct RecallSection {
    channels: usize,
    ages: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadSection {
    lookahead: usize,
    sigma_per_scale_lateral: f64,
    sigma_per_scale_depth: f64,
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
                let contract = DetectorContract { input, decode };
                contract.check().map_err(refuse)?;
                ModelTask::Detector(contract)
            }
            (Kind::Keypoints, Some(input), None, Some(section), None) => {
                let layout = KeypointLayout::from_name(&section.layout).map_err(|error| refuse(error.to_string()))?;
                let contract =
                    KeypointsContract { input, layout, confidence: section.confidence, decode: section.decode };
                contract.check().map_err(refuse)?;
                ModelTask::Keypoints(contract)
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

    /// The inputs and outputs that the graph must have; a dimension of `None` may have any size. Lifters check their
    /// graph themselves.
    pub fn tensor_specs(&self) -> Option<(TensorSpec, Vec<TensorSpec>)> {
        match &self.task {
            ModelTask::Detector(detector) => Some((detector.input.tensor_spec(), detector.outputs())),
            ModelTask::Keypoints(keypoints) => Some((keypoints.input.tensor_spec(), keypoints.outputs())),
            ModelTask::Lifter(_) => None,
        }
    }
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
    if !FEATURE_COUNTS.contains(&section.feature_count) || (section.rate_hz - MODEL_RATE_HZ).abs() > 1e-9 {
        let [without_gravity, with_it] = FEATURE_COUNTS;
        return Err(format!(
            "the weights take {} features at {} Hz, this program gives {with_it}, or {without_gravity} without gravity, at \
             {MODEL_RATE_HZ} Hz",
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
        feature_count: section.feature_count,
        discriminator,
        image_strides: section.image_strides,
        dilations: section.dilations,
        branch_channels: section.branch_channels,
        recall: section.recall.map(|recall| Recall { channels: recall.channels, ages: recall.ages }),
        lookaheads: section.heads.iter().map(|head| head.lookahead).collect(),
        sigma_per_scale,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

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
  feature_count: 109
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
        assert!(reason(&YOLOX.replace("side_px: 416", "side_px: 416, width_px: 192")).contains("side_px: 416"));
        assert!(reason(&YOLOX.replace("side_px: 416", "width_px: 192")).contains("height_px"));
        assert!(reason(&YOLOX.replace("kind: detector", "kind: lifter")).contains("Lifter"));
        assert!(reason(&YOLOX.replace("file: yolox", "file: ../yolox")).contains("without a folder"));
        assert!(reason(&format!("{YOLOX}sha256: ABC\n")).contains("64"));
    }

    /// A contract of each kind, as shipped.
    const SHIPPED: [&str; 3] = [
        include_str!("../models/lifter/model.yaml"),
        include_str!("../models/stridepose_person/model.yaml"),
        include_str!("../models/stridepose_pose_small/model.yaml"),
    ];

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_taken_has_tensors_or_a_reason(
            which in 0..SHIPPED.len(),
            junk in "[-:*/ {}\\[\\]\"'&!|>a-z0-9.\n]{0,40}",
            at in 0_usize..4000,
            removed in 0_usize..12,
        ) {
            prop_assert!(ModelContract::parse(SHIPPED[which], "shipped").is_ok());
            let mut text: Vec<char> = SHIPPED[which].chars().collect();
            let at = at % text.len();
            let end = (at + removed).min(text.len());
            text.splice(at..end, junk.chars());
            let spoilt: String = text.into_iter().collect();
            for text in [junk.as_str(), &spoilt] {
                match ModelContract::parse(text, "spoilt") {
                    Ok(contract) => drop(contract.tensor_specs()),
                    Err(error) => prop_assert!(error.to_string().starts_with("spoilt: "), "{error}"),
                }
            }
        }
    }
}
