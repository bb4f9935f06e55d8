//! Decoders behind ONNX Runtime: tiny networks of `tests/goldens/tiny_networks.py` with the contracts that
//! [`judge_styles`] drafts for them, through the model store, the engine, the people stage and the pipeline.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::Path;

use image::{Rgb, RgbImage};
use ndarray::{ArrayD, ArrayViewD};
use stridepose::adapters::engine::{self, Feed};
use stridepose::adapters::model_store::{Model, ModelStore};
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork, graph_tensors};
use stridepose::config::{Config, Provider};
use stridepose::data::{BoundingBox, Stamp, Turn};
use stridepose::geometry::CameraModel;
use stridepose::model::{DraftContract, ModelTask, judge_styles};
use stridepose::network::{ElementType, Network, NetworkError, TensorSpec, TensorView};
use stridepose::skeleton::{Joint, KeypointLayout};
use stridepose::stages::detect::DetectSettings;
use stridepose::stages::image::EncodedImage;
use stridepose::stages::people::{DetectorStage, KeypointStage, SingleStage};
use stridepose::stages::track::{Finding, Search};

const CPU: EngineSettings = EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 };
const SETTINGS: DetectSettings = DetectSettings { score_threshold: 0.3, nms_iou: 0.5, max_people: 10 };

fn weights(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/tiny/{name}.onnx"));
    std::fs::read(path).unwrap()
}

fn draft(name: &str, style: &str) -> DraftContract {
    let (inputs, outputs) = graph_tensors(Path::new(name), &weights(name)).unwrap();
    let fits = judge_styles(&inputs, &outputs);
    let first = fits.into_iter().find(|fit| fit.outcome.is_ok()).unwrap();
    assert_eq!(first.style, style, "{name}");
    first.outcome.unwrap()
}

/// A folder of models: each with its weights and the draft of its contract, changed by `change`.
fn store(folder: &Path, name: &str, style: &str, change: &[(&str, &str)]) -> ModelStore {
    let mut yaml = draft(name, style).to_yaml(name, "net.onnx", None);
    for (from, to) in change {
        assert!(yaml.contains(from), "{from} in {yaml}");
        yaml = yaml.replace(from, to);
    }
    std::fs::create_dir_all(folder.join(name)).unwrap();
    std::fs::write(folder.join(name).join("model.yaml"), yaml).unwrap();
    std::fs::write(folder.join(name).join("net.onnx"), weights(name)).unwrap();
    ModelStore::new(&[folder.to_owned()]).unwrap()
}

fn load(name: &str, style: &str, change: &[(&str, &str)]) -> (Model, OnnxNetwork) {
    let folder = tempfile::tempdir().unwrap();
    let model = store(folder.path(), name, style, change).load(name).unwrap();
    let network = OnnxNetwork::load(&model, &CPU).unwrap();
    (model, network)
}

fn keypoint_stage(name: &str, style: &str, change: &[(&str, &str)]) -> KeypointStage {
    let (model, network) = load(name, style, change);
    let ModelTask::Keypoints(contract) = model.contract.task else { panic!("{name} has no keypoints") };
    KeypointStage::new(contract, Box::new(network))
}

/// Where person `number` has keypoint `index`, image px.
fn place(number: usize, index: usize) -> (f32, f32) {
    let (column, row) = (index % 4, index / 4);
    let (x, y) = (60.0 + 65.0 * column as f32 + 320.0 * number as f32, 50.0 + 66.0 * row as f32);
    (x + (7 * index % 11) as f32, y + (5 * index % 13) as f32 + 9.0 * number as f32)
}

/// Two people of seventeen discs: the red of each tells which keypoint it is, green grows towards its centre.
fn picture() -> RgbImage {
    let mut image = RgbImage::new(640, 420);
    for number in 0..2 {
        for index in 0..17 {
            let center = place(number, index);
            for (x, y, pixel) in image.enumerate_pixels_mut() {
                let apart = (x as f32 - center.0).hypot(y as f32 - center.1);
                if apart < 30.0 {
                    *pixel = Rgb([14 * (index as u8 + 1), (255.0 * (1.0 - apart / 30.0)) as u8, 0]);
                }
            }
        }
    }
    image
}

fn searches() -> Vec<Search> {
    (0..2)
        .map(|number| {
            let points = (0..17).map(|index| place(number, index));
            Search {
                slot: 7 + number,
                bbox_in_image_px: BoundingBox::around(points),
                crop: None,
                turn: Turn::Upright,
                is_sure: true,
            }
        })
        .collect()
}

/// Farthest keypoint from where it is, image px.
fn farthest(findings: &[Finding]) -> f32 {
    assert_eq!(findings.iter().map(|finding| finding.slot).collect::<Vec<_>>(), [7, 8]);
    let mut farthest = 0.0_f32;
    for (number, finding) in findings.iter().enumerate() {
        for joint in Joint::ALL {
            let found = finding.person.keypoints[joint.index()];
            let Some(index) = KeypointLayout::Coco17.index_of(joint) else { continue };
            let (found, wanted) = (found.unwrap(), place(number, index));
            farthest = farthest.max((found.x - wanted.0).hypot(found.y - wanted.1));
            assert!(found.score > 0.5, "{joint:?}: {found:?}");
        }
        assert!(finding.person.score > 0.5);
    }
    farthest
}

/// Image px per crop px of [`searches`]: 264 rows and a quarter more on 128 px, or as much across on 96.
const SCALE: f32 = 3.5;

#[test]
fn heatmaps_go_through_the_engine_in_one_batch_or_one_by_one() {
    let change =
        [("alignment: first_pixel", "alignment: cells"), ("method: dark, kernel: 11", "method: dark, kernel: 3")];
    let mut batched = keypoint_stage("heatmap", "heatmap", &change);
    let mut single = keypoint_stage("heatmap_one", "heatmap", &change);
    let (image, searches) = (picture(), searches());
    let together = batched.find(&image, &searches).unwrap();
    let apart = farthest(&together);
    assert!(apart < 1.0 * SCALE, "{apart} px");
    assert!(together[0].person.keypoints.iter().flatten().all(|keypoint| keypoint.spread.is_some()));
    let one_by_one = single.find(&image, &searches).unwrap();
    for (a, b) in together.iter().zip(&one_by_one) {
        assert_eq!((a.slot, a.person), (b.slot, b.person));
    }
    assert!(batched.find(&image, &[]).unwrap().is_empty());
    assert_eq!(batched.find(&image, &searches[1..]).unwrap()[0].person, together[1].person);
    // With the alignment of another project everything is 1.5 crop px to the upper left.
    let mut misread = keypoint_stage("heatmap", "heatmap", &change[1..]);
    assert!(farthest(&misread.find(&image, &searches).unwrap()) > 1.5 * SCALE);
}

#[test]
fn simcc_goes_through_the_engine() {
    let found = keypoint_stage("simcc", "simcc", &[]).find(&picture(), &searches()).unwrap();
    let apart = farthest(&found);
    assert!(apart < 1.0 * SCALE, "{apart} px");
}

#[test]
fn detectors_with_labels_and_integer_pictures_go_through_the_engine() {
    let image = RgbImage::new(320, 192);
    let (model, network) = load("rtmdet", "rtmdet", &[]);
    let ModelTask::Detector(contract) = model.contract.task else { panic!("a detector") };
    let found = DetectorStage::new(contract, Box::new(network)).detect(&image, &SETTINGS).unwrap();
    assert_eq!(found.len(), 1, "one of three is a person above the threshold: {found:?}");
    let wanted = BoundingBox { x_min: 119.5, y_min: 19.5, x_max: 199.5, y_max: 179.5 };
    assert!(found[0].bbox_in_image_px.iou(&wanted) > 0.999, "{found:?}");

    // The graph takes pictures of any size; the contract says which.
    let change = [("width_px: 256", "width_px: 160"), ("height_px: 256", "height_px: 96")];
    let (model, network) = load("movenet_multipose", "movenet_multipose", &change);
    let ModelTask::Keypoints(contract) = model.contract.task else { panic!("a keypoint network") };
    assert_eq!(network.inputs()[0].shape, [Some(1), Some(96), Some(160), Some(3)]);
    let detector = contract.as_detector().unwrap();
    let people = SingleStage::new(contract, Box::new(network)).unwrap().find(&image, &SETTINGS).unwrap();
    assert_eq!(people.len(), 1);
    let (_, network) = load("movenet_multipose", "movenet_multipose", &change);
    let found = DetectorStage::new(detector, Box::new(network)).detect(&image, &SETTINGS).unwrap();
    assert!(found.len() == 1 && found[0].bbox_in_image_px.iou(&wanted) > 0.999, "{found:?}");
}

#[test]
fn a_single_stage_network_finds_somebody_in_its_crop() {
    let mut stage = keypoint_stage("yolo_pose", "yolo_pose", &[]);
    // The network sees somebody in the middle of whatever it is shown: the crop's middle is the box's.
    let bbox_in_image_px = BoundingBox { x_min: 100.0, y_min: 60.0, x_max: 140.0, y_max: 140.0 };
    let search = Search { slot: 3, bbox_in_image_px, crop: None, turn: Turn::Upright, is_sure: true };
    let found = stage.find(&RgbImage::new(320, 192), &[search]).unwrap();
    let nose = found[0].person.keypoints[Joint::Nose.index()].unwrap();
    assert!((nose.x - 120.0).abs() < 1.0 && nose.y < 80.0, "{nose:?}");
    assert!(found[0].slot == 3 && (found[0].person.score - 0.9).abs() < 1e-5);
}

#[test]
fn one_network_named_twice_gives_people_and_keypoints_from_one_call() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), "yolo_pose", "yolo_pose", &[]);
    let name = |parameter: &str| format!("{parameter}.model:=yolo_pose");
    let config = Config::from_sources(None, &[name("detector"), name("keypoints")]).unwrap();
    let mut engine = engine::build(&config, &store, Feed::Images).unwrap();
    assert_eq!(engine.models["detector"].sha256, engine.models["keypoints"].sha256);
    let camera = CameraModel::pinhole(320, 192, 300.0);
    let data = vec![90; 320 * 192 * 3];
    let image =
        EncodedImage::Raw { width: 320, height: 192, encoding: "rgb8", step: 960, big_endian: false, data: &data };
    let mut people = Vec::new();
    for number in 0..10 {
        let stamp = Stamp::from_nanoseconds(1_000_000_000 + number * 33_333_333);
        let estimates = engine.pipeline.process_image(stamp, &image, &camera, &mut ()).unwrap();
        people = estimates.now.people;
    }
    assert_eq!(people.len(), 1);
    assert_eq!(people[0].track_id.0, 1);
    // The nose is at (80, 16.4) px of a picture half the image's size.
    let nose = people[0].joints[Joint::Nose.index()].keypoint.unwrap();
    assert!((nose.u - 159.5).abs() < 0.1 && (nose.v - 32.3).abs() < 0.1, "{nose:?}");
}

#[test]
fn a_network_named_twice_that_finds_no_people_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), "simcc", "simcc", &[]);
    for detector in ["simcc", "lifter"] {
        let values = [format!("detector.model:={detector}"), "keypoints.model:=simcc".to_owned()];
        let config = Config::from_sources(None, &values).unwrap();
        let error = engine::build(&config, &store, Feed::Images).err().unwrap().to_string();
        assert!(error.contains("detector.model") && error.contains(detector), "{error}");
    }
}

/// Says it gives anything, and gives `answer`.
struct Liar {
    specs: Vec<TensorSpec>,
    answer: ArrayD<f32>,
}

impl Network for Liar {
    fn inputs(&self) -> &[TensorSpec] {
        &self.specs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.specs
    }

    fn provider(&self) -> &'static str {
        "none"
    }

    fn run(&mut self, _: &[TensorView<'_>]) -> Result<Vec<ArrayViewD<'_, f32>>, NetworkError> {
        Ok(vec![self.answer.view()])
    }
}

#[test]
fn outputs_of_another_shape_or_without_a_number_never_panic() {
    let (model, _) = load("heatmap", "heatmap", &[]);
    let ModelTask::Keypoints(contract) = model.contract.task else { panic!("keypoints") };
    let find = |shape: &[usize], value: f32| {
        let specs = vec![TensorSpec { name: "any".to_owned(), element_type: ElementType::F32, shape: vec![None; 4] }];
        let liar = Liar { specs, answer: ArrayD::from_elem(shape, value) };
        KeypointStage::new(contract.clone(), Box::new(liar)).find(&picture(), &searches())
    };
    for shape in [&[2, 17, 32, 25][..], &[1, 17, 32, 24], &[2, 17, 768], &[0], &[]] {
        let error = find(shape, 0.5).unwrap_err().to_string();
        assert!(error.contains("[2, 17, 32, 24]") && error.contains(&format!("{shape:?}")), "{error}");
    }
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0] {
        for finding in find(&[2, 17, 32, 24], value).unwrap() {
            assert!(finding.person.keypoints.iter().all(Option::is_none) && finding.person.score == 0.0);
        }
    }
}

#[test]
fn contracts_that_contradict_their_graphs_print_both_sides() {
    for (name, style, change, sides) in [
        ("heatmap", "heatmap", ("width_px: 96", "width_px: 192"), ["128, 192", "128, 96"]),
        ("heatmap", "heatmap", ("layout: coco_17", "layout: halpe_26"), ["26, 32, 24", "17, 32, 24"]),
        ("heatmap", "heatmap", ("heatmap_stride_px: 4", "heatmap_stride_px: 8"), ["17, 16, 12", "17, 32, 24"]),
        ("heatmap", "heatmap", ("output: \"output\"", "output: heat"), ["\"heat\"", "\"output\""]),
        ("simcc", "simcc", ("simcc_split_ratio: 2", "simcc_split_ratio: 3"), ["17, 288", "17, 192"]),
        ("rtmdet", "rtmdet", ("labels: \"labels\"", "labels: dets"), ["I64 [1, ?]", "F32 [1, 3, 5]"]),
        ("yolo_pose", "yolo_pose", ("layout: coco_17", "layout: halpe_26"), ["83", "56, 315"]),
        ("movenet_multipose", "movenet_multipose", ("element_type: i32", "element_type: u8"), ["U8", "I32"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let model = store(folder.path(), name, style, &[change]).load(name).unwrap();
        let error = OnnxNetwork::load(&model, &CPU).err().unwrap().to_string();
        assert!(sides.iter().all(|side| error.contains(side)), "{change:?}: {error}");
    }
}
