//! After warm-up no image allocates in tracking, window, lifting, plausibility and refinement: everything around the
//! engine is counted, the engine's own runs are not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "common/allocations.rs"]
mod allocations;

use allocations::{CountingAllocator, allocations, uncounted};
use ndarray::ArrayD;
use stridepose::adapters::model_store::{ModelStore, load_discriminator};
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork};
use stridepose::config::{Config, Provider};
use stridepose::data::{PersonKeypoints, Stamp};
use stridepose::geometry::CameraModel;
use stridepose::model::ModelTask;
use stridepose::network::{Network, NetworkError, TensorSpec, TensorView};
use stridepose::pipeline::{Pipeline, Stages};
use stridepose::scene::{SceneSettings, make_scene};
use stridepose::stages::lift::Lifter;
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

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<&[ArrayD<f32>], NetworkError> {
        uncounted(|| self.0.run(inputs))
    }
}

/// The pipeline of the shipped lifter and its discriminator.
fn pipeline() -> Pipeline {
    let config = Config::from_sources(None, &["detector.max_people:=50".to_owned()]).unwrap();
    let settings = EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 };
    let model = ModelStore::new(&[]).unwrap().load("lifter").unwrap();
    let discriminator = load_discriminator(&model).unwrap().expect("the shipped lifter has one");
    let ModelTask::Lifter(facts) = model.contract.task.clone() else { panic!("a lifter") };
    let network = |model| Box::new(Uncounted(OnnxNetwork::load(model, &settings).unwrap()));
    let judge = Discriminator::new(facts.discriminator.clone().unwrap(), network(&discriminator)).unwrap();
    let lifter = Lifter::new(facts, network(&model)).unwrap().with_discriminator(judge);
    Pipeline::new(&config, Stages { two_d: None, lifter })
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
        let mut pipeline = pipeline();
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
                looked_back += estimates.earlier.as_ref().map_or(0, |earlier| earlier.people.len());
            }
            pipeline.recycle(estimates);
        }
        let most = people * images.len();
        assert!(2 * estimated > most && 2 * looked_back > most, "{estimated} and {looked_back} of {most}");
        assert_eq!(counted, 0, "allocations in {} images of {people} people", images.len());
    }
}

#[test]
fn the_counter_counts() {
    let before = allocations();
    drop(std::hint::black_box(vec![0_u8; 100]));
    assert_eq!(allocations() - before, 1);
    uncounted(|| drop(std::hint::black_box(vec![0_u8; 100])));
    assert_eq!(allocations() - before, 1);
}
