//! The 2D networks of one camera: people in an image, keypoints of each.
//!
//! * **Top down**: a detector on the image, then a keypoint network on a crop for each person. All searches of an image go
//!   through it in one batch where its graph allows that, one by one where it is fixed to one.
//! * **Single stage**: one network on the image that finds everybody with their keypoints. Such a network can also take
//!   either part of top down: its boxes serve as a detector's, the best match in a crop as its person.

mod cover;
mod runner;

use self::cover::Cover;
use self::runner::{Outputs, Runner};
use crate::data::{Detection, Keypoint, LevelImage, PersonKeypoints, Turn};
use crate::model::{DetectorContract, DetectorDecode, KeypointsContract, KeypointsDecode, calibrated_score};
use crate::network::{Network, NetworkError};
use crate::skeleton::KeypointLayout;
use crate::stages::crop::Crop;
use crate::stages::detect::{self, DetectSettings};
use crate::stages::keypoints;
use crate::stages::single_stage::{self, FoundPerson};
use crate::stages::track::{Finding, Search};

/// A box is enlarged by this before it becomes a crop.
const BOX_PADDING: f64 = 1.25;

/// Who counts in a crop that was made around one person: anybody is a candidate, the best match is taken.
const IN_CROP: DetectSettings = DetectSettings { score_threshold: 0.05, nms_iou: 0.65, max_people: 20 };

/// The 2D part of a pipeline.
#[expect(clippy::large_enum_variant, reason = "one a pipeline, made once")]
pub enum TwoDStages {
    /// A detector, then a keypoint network on each person.
    TopDown(DetectorStage, KeypointStage),
    /// Both from one call.
    SingleStage(SingleStage),
}

/// The person detector.
pub struct DetectorStage {
    decode: DetectorDecode,
    runner: Runner,
}

/// The 2D keypoint network.
pub struct KeypointStage {
    contract: KeypointsContract,
    runner: Runner,
}

/// A network that finds people and their keypoints at once.
pub struct SingleStage {
    contract: KeypointsContract,
    runner: Runner,
}

impl DetectorStage {
    /// Pairs weights and contract.
    pub fn new(contract: DetectorContract, network: Box<dyn Network>) -> Self {
        let wanted = contract.outputs();
        Self { decode: contract.decode, runner: Runner::new("detector", contract.input, wanted, network) }
    }

    /// Finds people in the level image `image`.
    ///
    /// # Errors
    /// [`NetworkError`] when the engine fails.
    pub fn detect<'a>(
        &mut self,
        image: impl Into<LevelImage<'a>>,
        settings: &DetectSettings,
    ) -> Result<Vec<Detection>, NetworkError> {
        self.detect_turned(image, Turn::Upright, settings)
    }

    /// Finds people in the level image `image` who lie like `turn`: looks at it turned so that they are upright. Boxes come in the
    /// level image as it is.
    ///
    /// # Errors
    /// [`NetworkError`] when the engine fails.
    pub fn detect_turned<'a>(
        &mut self,
        image: impl Into<LevelImage<'a>>,
        turn: Turn,
        settings: &DetectSettings,
    ) -> Result<Vec<Detection>, NetworkError> {
        let level = image.into();
        let (letterbox, outputs) = self.runner.run_whole(&level, turn)?;
        let (output, size) = (outputs.of(0, 0), level.view.size());
        Ok(match &self.decode {
            DetectorDecode::Yolox { strides, classes, .. } => {
                detect::decode_yolox(output, strides, *classes, &letterbox, size, settings)
            }
            DetectorDecode::Yolov8 { classes, .. } => {
                detect::decode_yolov8(output, *classes, &letterbox, size, settings)
            }
            DetectorDecode::Rtmdet { .. } => {
                detect::decode_rtmdet(output, outputs.of(0, 1), &letterbox, size, settings)
            }
            DetectorDecode::CenterHeatmap { stride_px, .. } => {
                let (boxes, offset) = (outputs.of(0, 1), outputs.of(0, 2));
                detect::decode_center_heatmap(output, boxes, offset, *stride_px, &letterbox, size, settings)
            }
            // The rows of a YOLOv8 with one class, then the keypoints' rows.
            DetectorDecode::YoloPose { keypoints, .. } => {
                detect::decode_yolov8(output, 1 + 3 * keypoints, &letterbox, size, settings)
            }
            DetectorDecode::MovenetMultipose { .. } => {
                let layout = KeypointLayout::Coco17;
                let people = single_stage::decode_movenet_multipose(output, layout, &letterbox, size, settings);
                people.iter().map(|person| person.detection).collect()
            }
        })
    }
}

impl KeypointStage {
    /// Pairs weights and contract.
    pub fn new(contract: KeypointsContract, network: Box<dyn Network>) -> Self {
        let runner = Runner::new("keypoints", contract.input.clone(), contract.outputs(), network);
        Self { contract, runner }
    }

    /// Finds the keypoints of everybody who is searched for in the level image `image`.
    ///
    /// # Errors
    /// [`NetworkError`] when the engine fails.
    pub fn find<'a>(
        &mut self,
        image: impl Into<LevelImage<'a>>,
        searches: &[Search],
    ) -> Result<Vec<Finding>, NetworkError> {
        let level = image.into();
        let mut findings = Vec::with_capacity(searches.len());
        let at_once = if self.runner.is_batched() { searches.len().max(1) } else { 1 };
        for group in searches.chunks(at_once) {
            let crops: Vec<Crop> = group.iter().map(|search| self.crop(search)).collect();
            let covers: Vec<Cover> = if self.contract.is_misled_by_others() {
                group.iter().map(|search| Cover::new(search, searches)).collect()
            } else {
                Vec::new()
            };
            let outputs = self.runner.run(&level, &crops, &covers)?;
            for (index, (search, crop)) in group.iter().zip(&crops).enumerate() {
                findings.push(decode(&self.contract, search, crop, &outputs, index, level.view.size()));
            }
        }
        Ok(findings)
    }

    fn crop(&self, search: &Search) -> Crop {
        let size = self.runner.input.size;
        search.crop.unwrap_or_else(|| Crop::turned_around(&search.bbox_in_image_px, BOX_PADDING, size, search.turn))
    }
}

impl SingleStage {
    /// Pairs weights and contract; `None` unless the contract's style is a single-stage one.
    pub fn new(contract: KeypointsContract, network: Box<dyn Network>) -> Option<Self> {
        let runner = Runner::new("detector and keypoints", contract.input.clone(), contract.outputs(), network);
        contract.is_single_stage().then_some(Self { contract, runner })
    }

    /// Finds everybody in the level image `image`, by falling score.
    ///
    /// # Errors
    /// [`NetworkError`] when the engine fails.
    pub fn find<'a>(
        &mut self,
        image: impl Into<LevelImage<'a>>,
        settings: &DetectSettings,
    ) -> Result<Vec<PersonKeypoints>, NetworkError> {
        let level = image.into();
        let (letterbox, outputs) = self.runner.run_whole(&level, Turn::Upright)?;
        let found = decode_single_stage(&self.contract, outputs.of(0, 0), &letterbox, level.view.size(), settings);
        Ok(found.iter().map(|person| calibrated(person.keypoints, &self.contract)).collect())
    }
}

/// Reads what the network gave for one search.
fn decode(
    contract: &KeypointsContract,
    search: &Search,
    crop: &Crop,
    outputs: &Outputs<'_>,
    index: usize,
    image_size: (u32, u32),
) -> Finding {
    let (output, layout) = (outputs.of(index, 0), contract.layout);
    let mut next_crop = None;
    let person = match &contract.decode {
        KeypointsDecode::Movenet { .. } => keypoints::decode_movenet(output, layout, crop),
        KeypointsDecode::Blazepose { .. } => {
            next_crop = keypoints::blazepose_next_crop(output, crop);
            let presence = outputs.of(index, 1).first().copied().unwrap_or(0.0);
            keypoints::decode_blazepose(output, presence, layout, crop)
        }
        KeypointsDecode::Heatmap(decode) => keypoints::decode_heatmap(output, decode, layout, crop),
        KeypointsDecode::Simcc { simcc_split_ratio, .. } => {
            keypoints::decode_simcc(output, outputs.of(index, 1), *simcc_split_ratio, layout, crop)
        }
        KeypointsDecode::YoloPose { .. } | KeypointsDecode::MovenetMultipose { .. } => {
            let people = decode_single_stage(contract, output, crop, image_size, &IN_CROP);
            single_stage::best_match(&people, &search.bbox_in_image_px)
                .map_or(PersonKeypoints::NOBODY, |person| person.keypoints)
        }
    };
    Finding { slot: search.slot, person: calibrated(person, contract), next_crop }
}

/// The person with every score turned into the probability that the contract states, where it does. The person's own score is
/// the mean of these, unless the network says by itself whether there is somebody.
fn calibrated(person: PersonKeypoints, contract: &KeypointsContract) -> PersonKeypoints {
    let Some(confidence) = &contract.confidence else { return person };
    let keypoints = person.keypoints.map(|keypoint| {
        keypoint.map(|keypoint| Keypoint { score: calibrated_score(confidence, keypoint.score), ..keypoint })
    });
    if contract.scores_people() {
        return PersonKeypoints { keypoints, ..person };
    }
    let scores = keypoints.iter().map(|keypoint| keypoint.map_or(0.0, |keypoint| keypoint.score));
    PersonKeypoints { keypoints, score: scores.sum::<f32>() / keypoints.len() as f32 }
}

/// Everybody that a single-stage network found; nobody for another style.
fn decode_single_stage(
    contract: &KeypointsContract,
    output: &[f32],
    crop: &Crop,
    image_size: (u32, u32),
    settings: &DetectSettings,
) -> Vec<FoundPerson> {
    match contract.decode {
        KeypointsDecode::YoloPose { .. } => {
            single_stage::decode_yolo_pose(output, contract.layout, crop, image_size, settings)
        }
        KeypointsDecode::MovenetMultipose { .. } => {
            single_stage::decode_movenet_multipose(output, contract.layout, crop, image_size, settings)
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use image::RgbImage;
    use ndarray::{ArrayD, ArrayViewD};

    use super::*;
    use crate::data::BoundingBox;
    use crate::model::{Colour, HeatmapAlignment, HeatmapDecode, HeatmapRefinement, ImageInput, ImageLayout};
    use crate::network::{TensorSpec, TensorView};
    use crate::skeleton::JOINT_COUNT;

    fn contract(decode: KeypointsDecode) -> KeypointsContract {
        let input = ImageInput::plain(ImageLayout::Nhwc, Colour::Rgb, 64);
        let confidence = Some(std::array::from_fn(|knot| 0.5 + 0.05 * knot as f32));
        KeypointsContract { input, layout: KeypointLayout::Coco17, confidence, decode }
    }

    #[test]
    fn scores_become_probabilities_and_a_person_that_the_network_scores_itself_stays() {
        let output = String::new;
        let mut keypoints = [Some(Keypoint { x: 1.0, y: 2.0, score: 0.2, spread: None }); JOINT_COUNT];
        keypoints[3] = None;
        let person = PersonKeypoints { keypoints, score: 0.1 };
        for (decode, own) in [
            (KeypointsDecode::Movenet { output: output() }, None),
            (KeypointsDecode::Blazepose { landmarks: output(), presence: output() }, Some(0.1)),
            (KeypointsDecode::YoloPose { output: output() }, Some(0.1)),
        ] {
            let found = calibrated(person, &contract(decode));
            assert!(found.keypoints.iter().flatten().all(|keypoint| (keypoint.score - 0.6).abs() < 1e-6));
            assert!(found.keypoints[3].is_none());
            let wanted = own.unwrap_or(0.6 * 16.0 / 17.0);
            assert!((found.score - wanted).abs() < 1e-6, "{} instead of {wanted}", found.score);
        }
        let raw = KeypointsContract { confidence: None, ..contract(KeypointsDecode::Movenet { output: output() }) };
        assert_eq!(calibrated(person, &raw), person);
    }

    /// Answers nothing, and keeps what it was shown.
    struct Watcher {
        answer: ArrayD<f32>,
        shown: Arc<Mutex<Vec<f32>>>,
    }

    impl Network for Watcher {
        fn inputs(&self) -> &[TensorSpec] {
            &[]
        }

        fn outputs(&self) -> &[TensorSpec] {
            &[]
        }

        fn provider(&self) -> &'static str {
            "none"
        }

        fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<ArrayViewD<'_, f32>>, NetworkError> {
            let TensorView::F32(pictures) = &inputs[0] else { unreachable!("the contract asks for floats") };
            self.shown.lock().unwrap().extend(pictures.iter());
            self.answer = ArrayD::zeros([&[pictures.shape()[0]], &self.answer.shape()[1..]].concat());
            Ok(vec![self.answer.view()])
        }
    }

    /// Of the picture's pixels the share that has the value outside.
    fn outside(values: &[f32]) -> f32 {
        values.iter().filter(|value| **value == 114.0).count() as f32 / values.len() as f32
    }

    #[test]
    fn who_stands_beside_is_hidden_from_networks_that_know_one_person_only() {
        let people =
            [(40.0, 60.0), (70.0, 90.0)].map(|(x_min, x_max)| BoundingBox { x_min, x_max, y_min: 30.0, y_max: 110.0 });
        let search = |slot: usize| Search {
            slot,
            bbox_in_image_px: people[slot],
            crop: None,
            turn: Turn::Upright,
            is_sure: true,
        };
        let heatmap = HeatmapDecode {
            output: "o".to_owned(),
            heatmap_stride_px: 4,
            alignment: HeatmapAlignment::Cells,
            refine: HeatmapRefinement::Quarter,
            target_sigma: 2.0,
        };
        let image = RgbImage::from_pixel(160, 140, image::Rgb([200; 3]));
        for layout in [ImageLayout::Nhwc, ImageLayout::Nchw] {
            for (decode, shape, is_hidden) in [
                (KeypointsDecode::Movenet { output: "o".to_owned() }, vec![1, 1, 17, 3], true),
                (KeypointsDecode::Heatmap(heatmap.clone()), vec![1, 17, 16, 16], false),
            ] {
                let input = ImageInput::plain(layout, Colour::Rgb, 64);
                let contract = KeypointsContract { input, layout: KeypointLayout::Coco17, confidence: None, decode };
                let shown = Arc::new(Mutex::new(Vec::new()));
                let network = Watcher { answer: ArrayD::zeros(shape), shown: shown.clone() };
                let mut stage = KeypointStage::new(contract, Box::new(network));
                stage.find(&image, &[search(0)]).unwrap();
                assert!(outside(&std::mem::take(&mut *shown.lock().unwrap())) == 0.0, "alone");
                stage.find(&image, &[search(0), search(1)]).unwrap();
                // The other's 20 of 100 px, as high as 80 of 100, but for the margin of 4.8 px around the own box: none of it.
                let shares: Vec<f32> = shown.lock().unwrap().chunks(3 * 64 * 64).map(outside).collect();
                let wanted = if is_hidden { 0.16 } else { 0.0 };
                assert!(shares.len() == 2 && shares.iter().all(|share| (share - wanted).abs() < 0.01), "{shares:?}");
            }
        }
    }
}
