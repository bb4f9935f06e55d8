//! From parameters to a running pipeline: finds the models, loads the networks, checks both against each other.

use std::collections::BTreeMap;

use crate::adapters::model_store::{self, Model, ModelError, ModelStore};
use crate::adapters::onnx::{EngineSettings, OnnxError, OnnxNetwork, ProviderAttempt};
use crate::adapters::stage_timer::NetworkTime;
use crate::config::Config;
use crate::model::{DetectorContract, ModelTask};
use crate::pipeline::{Pipeline, Stages};
use crate::stages::lift::{LiftError, Lifter};
use crate::stages::people::{DetectorStage, KeypointStage, SingleStage, TwoDStages};
use crate::stages::plausibility::Discriminator;

/// A pipeline that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A model is missing or damaged.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// ONNX Runtime, a provider, or a graph.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The lifter's contract and graph.
    #[error("{name}: {source}")]
    Lifter {
        /// The model.
        name: String,
        /// What does not fit.
        source: LiftError,
    },
    /// A model of another kind was named.
    #[error("{parameter} names \"{name}\", which is no {wanted}: choose another with -p {parameter}:=NAME")]
    WrongKind {
        /// The parameter.
        parameter: &'static str,
        /// The model it names.
        name: String,
        /// The kind it needs.
        wanted: &'static str,
    },
}

/// What was loaded for one part of the pipeline.
#[derive(Clone, Debug)]
pub struct LoadedModel {
    /// Name of the model.
    pub name: String,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// The provider that took the graph.
    pub provider: String,
    /// Every provider that was tried.
    pub attempts: Vec<ProviderAttempt>,
}

impl LoadedModel {
    fn of(name: &str, model: &Model, network: &OnnxNetwork) -> Self {
        Self {
            name: name.to_owned(),
            sha256: model.sha256.clone(),
            provider: crate::network::Network::provider(network).to_owned(),
            attempts: network.attempts.clone(),
        }
    }
}

/// A pipeline and what it is made of.
pub struct Engine {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// Its models, by part (`detector`, `keypoints`, `lifter`, `discriminator`).
    pub models: BTreeMap<&'static str, LoadedModel>,
    /// Time that all its networks took so far.
    pub network_time: NetworkTime,
}

/// What the pipeline is to be fed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Images: needs a detector and a keypoint network.
    Images,
    /// Keypoints of another node.
    Keypoints,
}

/// Builds the pipeline that `config` asks for.
///
/// # Errors
/// [`EngineError`] says which model or provider, and what to do.
pub fn build(config: &Config, store: &ModelStore, feed: Feed) -> Result<Engine, EngineError> {
    let settings = engine_settings(config);
    let mut models = BTreeMap::new();
    let network_time = NetworkTime::default();
    let mut load = |part: &'static str, name: &str| -> Result<(Model, OnnxNetwork), EngineError> {
        let model = store.load(name)?;
        let network = timed(&model, &settings, &network_time)?;
        models.insert(part, LoadedModel::of(name, &model, &network));
        Ok((model, network))
    };
    let two_d = if feed == Feed::Images {
        let (detector_name, name) = (&config.detector.model, &config.keypoints.model);
        let no_detector = || no_detector(detector_name);
        let detector = if detector_name == name {
            None
        } else {
            let (model, network) = load("detector", detector_name)?;
            let contract = detector_contract(model).ok_or_else(no_detector)?;
            Some(DetectorStage::new(contract, Box::new(network)))
        };
        let (model, network) = load("keypoints", name)?;
        let ModelTask::Keypoints(contract) = model.contract.task else {
            return Err(wrong_kind("keypoints.model", name, "2D keypoint network"));
        };
        Some(match detector {
            Some(detector) => TwoDStages::TopDown(detector, KeypointStage::new(contract, Box::new(network))),
            // One network for both: people and keypoints from one call.
            None => TwoDStages::SingleStage(SingleStage::new(contract, Box::new(network)).ok_or_else(no_detector)?),
        })
    } else {
        None
    };
    let name = &config.lifter.model;
    let (model, network) = load("lifter", name)?;
    let discriminator = model_store::load_discriminator(&model)?;
    let ModelTask::Lifter(facts) = model.contract.task else {
        return Err(wrong_kind("lifter.model", name, "lifter"));
    };
    if let (Feed::Images, Some(both)) = (feed, models.get("keypoints").cloned()) {
        // One network may do both.
        models.entry("detector").or_insert(both);
    }
    let refuse = |source| EngineError::Lifter { name: name.clone(), source };
    let mut lifter = Lifter::new(facts.clone(), Box::new(network)).map_err(refuse)?;
    if let (Some(model), Some(facts)) = (discriminator, facts.discriminator) {
        let network = timed(&model, &settings, &network_time)?;
        models.insert("discriminator", LoadedModel::of(name, &model, &network));
        lifter = lifter.with_discriminator(Discriminator::new(facts, Box::new(network)).map_err(refuse)?);
    }
    Ok(Engine { pipeline: Pipeline::new(config, Stages { two_d, lifter }), models, network_time })
}

/// A detector of its own beside that of the pipeline, and the time that it takes; `None` where the pipeline has none.
///
/// # Errors
/// As [`build`].
pub fn second_detector(
    config: &Config,
    store: &ModelStore,
) -> Result<Option<(DetectorStage, NetworkTime)>, EngineError> {
    let name = &config.detector.model;
    if *name == config.keypoints.model {
        return Ok(None);
    }
    let model = store.load(name)?;
    let time = NetworkTime::default();
    let network = timed(&model, &engine_settings(config), &time)?;
    let contract = detector_contract(model).ok_or_else(|| no_detector(name))?;
    Ok(Some((DetectorStage::new(contract, Box::new(network)), time)))
}

/// The network of `model`, which adds what it takes to `time`.
fn timed(model: &Model, settings: &EngineSettings, time: &NetworkTime) -> Result<OnnxNetwork, OnnxError> {
    let mut network = OnnxNetwork::load(model, settings)?;
    network.time = time.clone();
    Ok(network)
}

fn engine_settings(config: &Config) -> EngineSettings {
    EngineSettings {
        provider: config.inference.provider,
        intra_threads: config.inference.intra_threads as usize,
        most_people: config.detector.max_people as usize,
    }
}

fn detector_contract(model: Model) -> Option<DetectorContract> {
    match model.contract.task {
        ModelTask::Detector(contract) => Some(contract),
        ModelTask::Keypoints(contract) => contract.as_detector(),
        ModelTask::Lifter(_) => None,
    }
}

fn no_detector(name: &str) -> EngineError {
    wrong_kind("detector.model", name, "person detector")
}

fn wrong_kind(parameter: &'static str, name: &str, wanted: &'static str) -> EngineError {
    EngineError::WrongKind { parameter, name: name.to_owned(), wanted }
}
