//! A pipeline that is fed with the keypoints of people who walk, for benches.

use std::time::{Duration, Instant};

use stridepose::adapters::engine::{self, Feed};
use stridepose::adapters::model_store::ModelStore;
use stridepose::config::Config;
use stridepose::data::{PersonKeypoints, Stamp};
use stridepose::geometry::CameraModel;
use stridepose::pipeline::{Pipeline, Stage, StageObserver};
use stridepose::scene::{SceneSettings, make_scene};

/// Everybody's keypoints, image by image, over and over: stamps go on, people jump back once a round.
pub struct Feeder {
    camera: CameraModel,
    images: Vec<Vec<PersonKeypoints>>,
    next: usize,
    pipeline: Pipeline,
}

impl Feeder {
    /// So many people, known already, before the model `lifter`.
    pub fn new(people: usize, lifter: &str) -> Self {
        let camera = CameraModel::pinhole(640, 480, 525.0);
        let settings = SceneSettings { people, duration_secs: 20.0, pillar: None, ..SceneSettings::default() };
        let scene = make_scene(&settings, &|point| camera.project(point));
        let images = scene
            .iter()
            .map(|image| {
                // Nobody is ever missed, so that each image has all of them.
                let person = |keypoints| PersonKeypoints { keypoints, score: 1.0 };
                image.people.iter().map(|someone| person(someone.keypoints)).collect()
            })
            .collect();
        let parameters = ["detector.max_people:=50".to_owned(), format!("lifter.model:={lifter}")];
        let config = Config::from_sources(None, &parameters).unwrap();
        let store = ModelStore::new(&[]).unwrap();
        let pipeline = engine::build(&config, &store, Feed::Keypoints).unwrap().pipeline;
        let mut feeder = Self { camera, images, next: 0, pipeline };
        // Until everybody is known and the rings of the lifter are full.
        for _ in 0..300 {
            feeder.image(&mut ());
        }
        feeder
    }

    /// The next image; how many people were told of.
    pub fn image(&mut self, observer: &mut dyn StageObserver) -> usize {
        let stamp = Stamp::from_nanoseconds(1_700_000_000_000_000_000 + self.next as i64 * 33_333_333);
        // Back and forth through the scene, so that nobody jumps.
        let phase = self.next % (2 * self.images.len());
        let index = if phase < self.images.len() { phase } else { 2 * self.images.len() - 1 - phase };
        self.next += 1;
        let estimates =
            self.pipeline.process_keypoints(stamp, &self.images[index], &self.camera, observer).expect("estimates");
        estimates.now.people.len()
    }
}

/// Adds up the time of lifting and of refinement, and of nothing else.
#[derive(Default)]
pub struct LiftAndRefine {
    began: Option<Instant>,
    /// Lifting so far.
    pub lift: Duration,
    /// Refinement so far.
    pub refine: Duration,
}

impl StageObserver for LiftAndRefine {
    fn begin(&mut self, stage: Stage) {
        self.began = matches!(stage, Stage::Lift | Stage::Refine).then(Instant::now);
    }

    fn end(&mut self, stage: Stage) {
        let took = self.began.take().map_or(Duration::ZERO, |began| began.elapsed());
        *(if stage == Stage::Lift { &mut self.lift } else { &mut self.refine }) += took;
    }
}
