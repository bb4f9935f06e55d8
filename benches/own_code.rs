//! What our own code takes of an image of 1280 × 720 px: crops, decoders, tracking, features, refinement; not decoding and not
//! the networks. `cargo bench --bench own_code [-- --json FILE]`.
//!
//! The 2D networks are stand-ins that give what YOLOX nano, MoveNet Lightning and BlazePose full give for somebody who stands
//! before the camera and sways (no weights of others are needed); the lifter is the real one. Their time is subtracted, as
//! in the summary of a replay. The detector runs on its usual interval, so that it is in the 95th percentile.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Instant;

use image::{Rgb, RgbImage};
use ndarray::{ArrayD, ArrayViewD};
use stridepose::adapters::model_store::{ModelStore, load_discriminator};
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork};
use stridepose::adapters::stage_timer::{NetworkTime, Percentiles, StageTimer};
use stridepose::config::{Config, Provider};
use stridepose::data::Stamp;
use stridepose::geometry::CameraModel;
use stridepose::model::ModelTask;
use stridepose::network::{Network, NetworkError, TensorSpec, TensorView};
use stridepose::pipeline::{Pipeline, Stages};
use stridepose::report::machine::Machine;
use stridepose::stages::lift::Lifter;
use stridepose::stages::people::{DetectorStage, KeypointStage, TwoDStages};
use stridepose::stages::plausibility::Discriminator;

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;
const IMAGES: i64 = 1200;
const WARM_UP: i64 = 200;
/// Everybody is forgotten after so many images: a stand-in does not see where it looks, and its crop slowly runs away.
const ANEW: i64 = 100;

/// A network that answers without looking, in no time that counts.
struct StandIn {
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    answers: Vec<ArrayD<f32>>,
    runs: usize,
    answer: fn(usize, &mut [ArrayD<f32>]),
    time: NetworkTime,
}

impl Network for StandIn {
    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    fn provider(&self) -> &'static str {
        "none"
    }

    fn run(&mut self, _: &[TensorView<'_>]) -> Result<Vec<ArrayViewD<'_, f32>>, NetworkError> {
        let began = Instant::now();
        (self.answer)(self.runs, &mut self.answers);
        self.runs += 1;
        self.time.add(began.elapsed());
        Ok(self.answers.iter().map(|answer| answer.view()).collect())
    }
}

/// The task of the contract called `name`, and a stand-in for its network.
fn stand_in(name: &str, time: &NetworkTime, answer: fn(usize, &mut [ArrayD<f32>])) -> (ModelTask, Box<dyn Network>) {
    let (contract, _) = ModelStore::new(&[]).unwrap().contract(name).unwrap();
    let (input, outputs) = contract.tensor_specs().unwrap();
    let shape = |spec: &TensorSpec| spec.shape.iter().map(|size| size.unwrap_or(1)).collect::<Vec<_>>();
    let answers = outputs.iter().map(|spec| ArrayD::zeros(shape(spec))).collect();
    let stand_in = StandIn { inputs: vec![input], outputs, answers, runs: 0, answer, time: time.clone() };
    (contract.task, Box::new(stand_in))
}

/// Somebody of 200 × 550 px in the middle.
fn yolox(_: usize, answers: &mut [ArrayD<f32>]) {
    let across = 416.0 / WIDTH as f32;
    let (x, y) = (640.0 * across / 32.0, 370.0 * across / 32.0);
    let cell = 52 * 52 + 26 * 26 + y as usize * 13 + x as usize;
    let box_values = [x.fract(), y.fract(), (200.0 * across / 32.0).ln(), (550.0 * across / 32.0).ln(), 1.0, 1.0];
    for (place, value) in box_values.into_iter().enumerate() {
        answers[0][[0, cell, place]] = value;
    }
}

/// 17 keypoints from head to feet that sway: y, x, score.
fn movenet(run: usize, answers: &mut [ArrayD<f32>]) {
    let sway = 0.01 * (run as f32 * 0.2).sin();
    for joint in 0..17 {
        let side = if joint % 2 == 0 { 0.08 } else { -0.08 };
        let values = [0.2 + 0.035 * joint as f32, 0.5 + side + sway, 0.9];
        for (place, value) in values.into_iter().enumerate() {
            answers[0][[0, 0, joint, place]] = value;
        }
    }
}

/// 33 landmarks from head to feet, and the two that say how the next crop is turned: by 0.1 rad twice to and twice fro, so that
/// three crops of four are turned.
fn blazepose(run: usize, answers: &mut [ArrayD<f32>]) {
    let turn = if run % 4 < 2 { 0.1_f32 } else { -0.1 };
    for landmark in 0..39 {
        let (x, y) = match landmark {
            33 => (128.0, 128.0),
            34 => (128.0 + 102.4 * turn.sin(), 128.0 - 102.4 * turn.cos()),
            _ => (128.0 + if landmark % 2 == 0 { 18.0 } else { -18.0 }, 45.0 + 5.0 * landmark as f32),
        };
        for (place, value) in [x, y, 0.0, 5.0, 5.0].into_iter().enumerate() {
            answers[0][[0, landmark * 5 + place]] = value;
        }
    }
    answers[1].fill(1.0);
}

fn pipeline(keypoints: &str, answer: fn(usize, &mut [ArrayD<f32>]), time: &NetworkTime) -> Pipeline {
    let (ModelTask::Detector(contract), network) = stand_in("yolox_nano", time, yolox) else { panic!("no detector") };
    let detector = DetectorStage::new(contract, network);
    let (ModelTask::Keypoints(contract), network) = stand_in(keypoints, time, answer) else { panic!("no keypoints") };
    let two_d = TwoDStages::TopDown(detector, KeypointStage::new(contract, network));
    let settings = EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 };
    let model = ModelStore::new(&[]).unwrap().load("lifter").unwrap();
    let discriminator = load_discriminator(&model).unwrap().expect("the shipped lifter has one");
    let ModelTask::Lifter(facts) = model.contract.task.clone() else { panic!("no lifter") };
    let network = |model| {
        let mut network = OnnxNetwork::load(model, &settings).unwrap();
        network.time = time.clone();
        Box::new(network)
    };
    let judge = Discriminator::new(facts.discriminator.clone().unwrap(), network(&discriminator)).unwrap();
    let lifter = Lifter::new(facts, network(&model)).unwrap().with_discriminator(judge);
    Pipeline::new(&Config::default(), Stages { two_d: Some(two_d), lifter })
}

fn measure(keypoints: &str, answer: fn(usize, &mut [ArrayD<f32>])) -> Percentiles {
    let time = NetworkTime::default();
    let mut pipeline = pipeline(keypoints, answer, &time);
    let camera = CameraModel::pinhole(WIDTH, HEIGHT, 900.0);
    // More pictures than a cache holds, as from a decoder.
    let pictures: Vec<RgbImage> = (0..8)
        .map(|number| RgbImage::from_fn(WIDTH, HEIGHT, |x, y| Rgb([x as u8, y as u8, (x ^ y) as u8 ^ number])))
        .collect();
    let (mut timer, mut seen) = (StageTimer::new(time), 0);
    for image in 0..IMAGES {
        if image == WARM_UP {
            timer = timer.restarted();
        }
        if image % ANEW == 0 {
            pipeline.reset();
        }
        let stamp = Stamp::from_nanoseconds(1_000_000_000 + image * 33_333_333);
        let picture = &pictures[image as usize % pictures.len()];
        let estimates = pipeline.process_picture(stamp, picture, None, &camera, &mut timer).unwrap();
        timer.end_image();
        seen += i64::from(image >= WARM_UP && estimates.now.people.len() == 1);
        pipeline.recycle(estimates);
    }
    assert!(10 * seen > 9 * (IMAGES - WARM_UP), "{keypoints}: one person in {seen} images");
    timer.own()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.iter().position(|argument| argument == "--json").and_then(|at| arguments.get(at + 1));
    let machine = Machine::here();
    println!("own code, 1280 x 720 px, one person, {} images, ms an image ({machine:?})", IMAGES - WARM_UP);
    println!("{:<20} {:>7} {:>7} {:>7}", "keypoints", "p50", "p95", "p99");
    let mut measured = serde_json::Map::new();
    for (name, answer) in
        [("movenet_lightning", movenet as fn(usize, &mut [ArrayD<f32>])), ("blazepose_full", blazepose)]
    {
        let own = measure(name, answer);
        println!("{name:<20} {:>7.2} {:>7.2} {:>7.2}", own.p50, own.p95, own.p99);
        measured.insert(name.to_owned(), serde_json::to_value(own).unwrap());
    }
    if let Some(path) = json {
        let report = serde_json::json!({ "machine": machine, "picture": [WIDTH, HEIGHT], "own_ms": measured });
        std::fs::write(path, serde_json::to_string_pretty(&report).unwrap() + "\n").unwrap();
        println!("wrote {path}");
    }
}
