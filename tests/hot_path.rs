//! After warm-up no image allocates in tracking, window, lifting, plausibility and refinement: everything around the
//! engine is counted, the engine's own runs are not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/allocations.rs"]
mod allocations;

use allocations::{CountingAllocator, allocations, uncounted};
use image::RgbImage;
use ndarray::{ArrayD, ArrayViewD};
use stridepose::adapters::model_store::{ModelStore, load_discriminator};
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork};
use stridepose::config::{Config, Provider};
use stridepose::data::{PersonKeypoints, Stamp};
use stridepose::geometry::CameraModel;
use stridepose::model::ModelTask;
use stridepose::network::{Network, NetworkError, TensorSpec, TensorView};
use stridepose::pipeline::{Pipeline, Stage, StageObserver, Stages};
use stridepose::scene::{SceneSettings, make_scene};
use stridepose::stages::lift::Lifter;
use stridepose::stages::people::{DetectorStage, KeypointStage, TwoDStages};
use stridepose::stages::plausibility::Discriminator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Runs a network without counting what its engine allocates.
struct Uncounted(OnnxNetwork);

impl Network for Uncounted {
    fn inputs(&self) -> &[TensorSpec] {
        self.0.inputs()
    }

    fn outputs(&self) -> &[TensorSpec] {
        self.0.outputs()
    }

    fn provider(&self) -> &str {
        self.0.provider()
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<ArrayViewD<'_, f32>>, NetworkError> {
        uncounted(|| self.0.run(inputs))
    }
}

/// The pipeline of the shipped lifter and its discriminator.
fn pipeline(two_d: Option<TwoDStages>) -> Pipeline {
    let config = Config::from_sources(None, &["detector.max_people:=50".to_owned()]).unwrap();
    let settings = EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 };
    let model = ModelStore::new(&[]).unwrap().load("lifter").unwrap();
    let discriminator = load_discriminator(&model).unwrap().expect("the shipped lifter has one");
    let ModelTask::Lifter(facts) = model.contract.task.clone() else { panic!("a lifter") };
    let network = |model| Box::new(Uncounted(OnnxNetwork::load(model, &settings).unwrap()));
    let judge = Discriminator::new(facts.discriminator.clone().unwrap(), network(&discriminator)).unwrap();
    let lifter = Lifter::new(facts, network(&model)).unwrap().with_discriminator(judge);
    Pipeline::new(&config, Stages { two_d, lifter })
}

#[test]
fn no_image_allocates_after_warm_up() {
    let camera = CameraModel::pinhole(640, 480, 525.0);
    for people in [1, 4, 20] {
        let settings = SceneSettings { people, duration_secs: 8.0, pillar: None, ..SceneSettings::default() };
        let images: Vec<Vec<PersonKeypoints>> = make_scene(&settings, &|point| camera.project(point))
            .iter()
            .map(|image| {
                image.people.iter().map(|person| PersonKeypoints { keypoints: person.keypoints, score: 1.0 }).collect()
            })
            .collect();
        let mut pipeline = pipeline(None);
        let (mut counted, mut estimated, mut looked_back) = (0, 0, 0);
        // To and fro, so that nobody jumps; the first round is the warm-up.
        let order = (0..images.len()).chain((0..images.len()).rev());
        for (time, image) in order.enumerate() {
            let stamp = Stamp::from_nanoseconds(1_000_000_000 + time as i64 * 33_333_333);
            let before = allocations();
            let estimates = pipeline.process_keypoints(stamp, &images[image], &camera, &mut ()).unwrap();
            if time >= images.len() {
                counted += allocations() - before;
                estimated += estimates.now.people.len();
                looked_back += estimates.earlier.iter().map(|earlier| earlier.people.len()).sum::<usize>();
            }
            pipeline.recycle(estimates);
        }
        let most = people * images.len();
        assert!(2 * estimated > most && 2 * looked_back > most, "{estimated} and {looked_back} of {most}");
        assert_eq!(counted, 0, "allocations in {} images of {people} people", images.len());
    }
}

/// A 2D network that sees the same people in every picture.
struct Seer {
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    answers: Vec<ArrayD<f32>>,
    answer: fn(usize) -> ArrayD<f32>,
}

impl Network for Seer {
    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    fn provider(&self) -> &'static str {
        "none"
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<ArrayViewD<'_, f32>>, NetworkError> {
        let batch = match &inputs[0] {
            TensorView::F32(view) => view.shape()[0],
            TensorView::U8(view) => view.shape()[0],
            TensorView::I32(view) => view.shape()[0],
        };
        self.answers = vec![(self.answer)(batch)];
        Ok(self.answers.iter().map(|answer| answer.view()).collect())
    }
}

/// The contract called `name` with a network that gives `answer` for a batch.
fn seer(name: &str, answer: fn(usize) -> ArrayD<f32>) -> (ModelTask, Box<dyn Network>) {
    let (contract, _) = ModelStore::new(&[]).unwrap().contract(name).unwrap();
    let (mut input, mut outputs) = contract.tensor_specs().unwrap();
    for tensor in outputs.iter_mut().chain([&mut input]) {
        tensor.shape[0] = None;
    }
    let seer = Seer { inputs: vec![input], outputs, answers: Vec::new(), answer };
    (contract.task, Box::new(seer))
}

/// Two people, side by side, as YOLOX says it.
fn two_boxes(_: usize) -> ArrayD<f32> {
    let mut output = ArrayD::zeros(vec![1, 3549, 85]);
    // The grid of stride 32 comes last: 13 x 13 cells, centre (3 + 0.5, 6 + 0.5) and (7 + 0.5, 6 + 0.5).
    for column in [3, 7] {
        let anchor = 52 * 52 + 26 * 26 + 6 * 13 + column;
        // A little wider than high, so that those of the turned picture are nobody who lies.
        let values = [0.5, 0.5, 1.45, 1.4, 1.0, 1.0];
        for (place, value) in values.into_iter().enumerate() {
            output[[0, anchor, place]] = value;
        }
    }
    output
}

/// A person in the middle of the crop, as MoveNet says it: y, x, score.
fn one_in_each_crop(batch: usize) -> ArrayD<f32> {
    ArrayD::from_shape_fn(vec![batch, 1, 17, 3], |index| match index[3] {
        0 => 0.2 + 0.035 * index[2] as f32,
        1 => 0.5 + if index[2] % 2 == 0 { 0.1 } else { -0.1 },
        _ => 0.9,
    })
}

/// Counts what the 2D networks' own stages allocate: crops and decoders, which are no part of the promise.
#[derive(Default)]
struct InNetworks {
    began: usize,
    allocations: usize,
}

impl StageObserver for InNetworks {
    fn begin(&mut self, _: Stage) {
        self.began = allocations();
    }

    fn end(&mut self, stage: Stage) {
        if matches!(stage, Stage::Detect | Stage::Keypoints) {
            self.allocations += allocations() - self.began;
        }
    }
}

#[test]
fn no_picture_allocates_outside_the_two_d_networks_after_warm_up() {
    let camera = CameraModel::pinhole(640, 480, 525.0);
    let picture = RgbImage::new(640, 480);
    let (ModelTask::Detector(contract), network) = seer("yolox_nano", two_boxes) else { panic!("no detector") };
    let detector = DetectorStage::new(contract, network);
    let (ModelTask::Keypoints(contract), network) = seer("movenet_lightning", one_in_each_crop) else {
        panic!("no keypoint network")
    };
    let keypoints = KeypointStage::new(contract, network);
    let mut pipeline = pipeline(Some(TwoDStages::TopDown(detector, keypoints)));
    let (mut counted, mut estimated, mut detected) = (0, 0, 0);
    for time in 0..200 {
        let stamp = Stamp::from_nanoseconds(1_000_000_000 + time * 33_333_333);
        let (before, mut in_networks) = (allocations(), InNetworks::default());
        let estimates = pipeline.process_picture(stamp, &picture, None, &camera, &mut in_networks).unwrap();
        if time >= 100 {
            counted += allocations() - before - in_networks.allocations;
            detected += in_networks.allocations;
            estimated += estimates.now.people.len();
        }
        pipeline.recycle(estimates);
    }
    assert_eq!(estimated, 200, "two people in each of 100 pictures");
    assert!(detected > 0, "what the 2D networks allocate is counted apart");
    assert_eq!(counted, 0, "allocations in 100 pictures of two people");
}

#[test]
fn the_counter_counts() {
    let before = allocations();
    drop(std::hint::black_box(vec![0_u8; 100]));
    assert_eq!(allocations() - before, 1);
    uncounted(|| drop(std::hint::black_box(vec![0_u8; 100])));
    assert_eq!(allocations() - before, 1);
}
