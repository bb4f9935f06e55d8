//! What keypoint networks take of a person: cutting out, the network on one thread, reading its answer; and what four people in
//! one call take of four calls. `cargo bench -p stridepose-train --bench networks [-- --models DIR] [--json FILE]`.
//!
//! `base` is a graph of that size with drawn weights: it was not trained yet, and takes as long. With `--models`, a folder of
//! public networks, those whose contracts are shipped are measured as well. Paths are whole ones, or from `training/`, where
//! cargo runs this. All take turns in one process; the median counts.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use burn::module::Param;
use burn::prelude::*;
use burn::tensor::Distribution;
use image::{Rgb, RgbImage};
use ndarray::ArrayViewD;
use stridepose::adapters::model_store::ModelStore;
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork};
use stridepose::config::Provider;
use stridepose::data::{BoundingBox, Turn};
use stridepose::model::{ModelTask, SCORE_KNOTS};
use stridepose::network::{Network, NetworkError, TensorSpec, TensorView};
use stridepose::report::machine::Machine;
use stridepose::stages::people::KeypointStage;
use stridepose::stages::track::Search;
use stridepose_train::export_model;
use stridepose_train::multi_scale::{MultiScaleNetwork, MultiScaleSize};

const OWN: [&str; 2] = ["stridepose_pose_small", "base"];
const PUBLIC: [&str; 2] = ["movenet_lightning", "blazepose_full"];
/// What the others are compared with.
const REFERENCE: &str = "blazepose_full";
const ROUNDS: usize = 60;
const WARM_UP: usize = 5;
const PEOPLE: usize = 4;

/// A network that notes when it began and when it was done.
struct Noted {
    network: OnnxNetwork,
    ran: Arc<Mutex<Option<(Instant, Instant)>>>,
}

impl Network for Noted {
    fn inputs(&self) -> &[TensorSpec] {
        self.network.inputs()
    }

    fn outputs(&self) -> &[TensorSpec] {
        self.network.outputs()
    }

    fn provider(&self) -> &'static str {
        "CPU"
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<ArrayViewD<'_, f32>>, NetworkError> {
        let (began, ran) = (Instant::now(), self.ran.clone());
        let answer = self.network.run(inputs);
        *ran.lock().unwrap() = Some((began, Instant::now()));
        answer
    }
}

/// One network and what was measured of it, ms.
struct Contestant {
    name: &'static str,
    stage: KeypointStage,
    ran: Arc<Mutex<Option<(Instant, Instant)>>>,
    is_batched: bool,
    cut: Vec<f64>,
    network: Vec<f64>,
    read: Vec<f64>,
    one_by_one: Vec<f64>,
    together: Vec<f64>,
}

impl Contestant {
    fn new(name: &'static str, store: &ModelStore) -> Option<Self> {
        let model = store.load(name).ok()?;
        let ModelTask::Keypoints(contract) = model.contract.task.clone() else { panic!("{name} finds no keypoints") };
        let settings = EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: PEOPLE };
        let network = OnnxNetwork::load(&model, &settings).unwrap();
        let is_batched = network.inputs()[0].shape[0].is_none();
        let ran = Arc::new(Mutex::new(None));
        let stage = KeypointStage::new(contract, Box::new(Noted { network, ran: ran.clone() }));
        let [cut, network, read, one_by_one, together] = [const { Vec::new() }; 5];
        Some(Self { name, stage, ran, is_batched, cut, network, read, one_by_one, together })
    }

    fn measure(&mut self, picture: &RgbImage, people: &[Search], counts: bool) {
        let ms = |from: Instant, to: Instant| 1e3 * (to - from).as_secs_f64();
        let (mut cut, mut network, mut read, all) = (0.0, 0.0, 0.0, Instant::now());
        for person in people {
            let start = Instant::now();
            self.stage.find(picture, std::slice::from_ref(person)).unwrap();
            let end = Instant::now();
            let (began, done) = self.ran.lock().unwrap().expect("the network ran");
            cut += ms(start, began);
            network += ms(began, done);
            read += ms(done, end);
        }
        let one_by_one = ms(all, Instant::now());
        let start = Instant::now();
        self.stage.find(picture, people).unwrap();
        let together = ms(start, Instant::now());
        if counts {
            let count = people.len() as f64;
            self.cut.push(cut / count);
            self.network.push(network / count);
            self.read.push(read / count);
            self.one_by_one.push(one_by_one);
            self.together.push(together);
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A model folder of the base size with drawn weights, its maps not empty.
fn write_base(folder: &Path) {
    let (size, device) = (MultiScaleSize::base(), Device::flex());
    let mut network = MultiScaleNetwork::new(&size, &device);
    let shape = network.head.weight.dims();
    network.head.weight = Param::from_tensor(Tensor::random(shape, Distribution::Normal(0.0, 0.1), &device));
    export_model::keypoints(&folder.join("base"), &network, &size, &[0.5; SCORE_KNOTS], "drawn weights").unwrap();
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value =
        |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    let drawn = tempfile::tempdir().unwrap();
    write_base(drawn.path());
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let folders: Vec<PathBuf> = [drawn.path().to_owned(), shipped]
        .into_iter()
        .chain(value("--models").map(PathBuf::from).filter(|folder| folder.is_dir()))
        .collect();
    let store = ModelStore::new(&folders).unwrap();
    let mut contestants: Vec<Contestant> =
        OWN.iter().map(|name| Contestant::new(name, &store).expect("ours")).collect();
    for name in PUBLIC {
        match Contestant::new(name, &store) {
            Some(contestant) => contestants.push(contestant),
            None => println!("SKIP {name}: its weights are in no folder; name one with --models, by its whole path"),
        }
    }
    let picture = RgbImage::from_fn(1280, 720, |x, y| Rgb([(x / 3) as u8, (y / 2) as u8, (x ^ y) as u8]));
    let people: Vec<Search> = (0..PEOPLE)
        .map(|slot| {
            let x_min = 60.0 + 300.0 * slot as f32;
            let bbox_in_image_px = BoundingBox { x_min, y_min: 90.0, x_max: x_min + 190.0, y_max: 640.0 };
            Search { slot, bbox_in_image_px, crop: None, turn: Turn::Upright, is_sure: true }
        })
        .collect();
    for round in 0..WARM_UP + ROUNDS {
        for contestant in &mut contestants {
            contestant.measure(&picture, &people, round >= WARM_UP);
        }
    }
    let machine = Machine::here();
    println!("one thread, median of {ROUNDS} rounds, ms a person ({machine:?})");
    println!(
        "{:<24} {:>8} {:>8} {:>8} {:>10} {:>16} {:>20}",
        "network", "cut out", "network", "read", "read share", "of BlazePose", "4 at once / 4 calls"
    );
    let reference = contestants.iter().find(|contestant| contestant.name == REFERENCE).map(|own| median(&own.network));
    let mut measured = serde_json::Map::new();
    for contestant in &contestants {
        let [cut, network, read] = [&contestant.cut, &contestant.network, &contestant.read].map(|of| median(of));
        let share = read / network;
        let of_reference = reference.map(|reference| network / reference);
        let batch = contestant.is_batched.then(|| median(&contestant.together) / median(&contestant.one_by_one));
        let text = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        println!(
            "{:<24} {cut:>8.3} {network:>8.2} {read:>8.3} {:>8.1} % {:>16} {:>20}",
            contestant.name,
            100.0 * share,
            text(of_reference),
            text(batch)
        );
        let of = serde_json::json!({
            "cut_out_ms": cut, "network_ms": network, "read_ms": read, "read_share": share,
            "of_blazepose_full": of_reference, "four_at_once_of_four_calls": batch,
        });
        measured.insert(contestant.name.to_owned(), of);
    }
    if let Some(path) = value("--json") {
        let report = serde_json::json!({ "machine": machine, "networks": measured });
        std::fs::write(path, serde_json::to_string_pretty(&report).unwrap() + "\n").unwrap();
        println!("wrote {path}");
    }
}
