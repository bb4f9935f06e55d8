//! `stridepose doctor`: what is installed, which providers really work, which models load, what to do about the rest.
//!
//! Everything is tried, nothing assumed: ONNX Runtime is loaded, each provider takes a graph and runs it, each model's
//! checksum and graph are checked against its contract and it runs. What was found is a [`Diagnosis`]; `diagnosis.rs`
//! turns it into text. Exit 1 when no pipeline can be built from what is there.

mod diagnosis;

use std::path::{Path, PathBuf};
use std::time::Instant;

pub use diagnosis::{Diagnosis, Kind, Machine, ModelFinding, ProviderFinding, Ros, RuntimeFinding, Trial};

use super::{Outcome, Refused, print};
use crate::adapters::model_store::{Model, ModelStore, load_discriminator};
use crate::adapters::onnx::{self, EngineSettings, OnnxNetwork};
use crate::config::Provider;
use crate::model::ModelTask;
use crate::network::{Network, run_on_zeros};
use crate::stages::lift::Lifter;
use crate::stages::plausibility::Discriminator;

/// Timed runs of each network, after one to warm up; the fastest counts.
const TIMED_RUNS: usize = 5;

/// Arguments of `stridepose doctor`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct DoctorArgs {
    /// Folder with networks: loose .onnx files, or folders with a model.yaml; may be given many times
    #[arg(long, value_name = "DIR")]
    pub models: Vec<PathBuf>,
}

/// Examines everything and prints what was found.
///
/// # Errors
/// [`Refused`] for a `--models` that is no folder, another error when nothing usable was found.
pub fn run(args: &DoctorArgs) -> anyhow::Result<Outcome> {
    let diagnosis = examine(&ModelStore::new(&args.models).map_err(Refused::because)?);
    print(&diagnosis.text())?;
    anyhow::ensure!(diagnosis.lifts_keypoints(), "nothing usable: see the arrows (->) above for what to do");
    Ok(Outcome::Fine)
}

/// Tries everything there is.
pub fn examine(store: &ModelStore) -> Diagnosis {
    let runtime = match onnx::library() {
        Ok(library) => {
            let path = loaded_library().unwrap_or_else(|| library.path.clone());
            RuntimeFinding::Loaded { version: version_in_name(&path), path }
        }
        Err(error) => RuntimeFinding::Missing { reason: error.to_string() },
    };
    let has_runtime = matches!(runtime, RuntimeFinding::Loaded { .. });
    let mut smallest: Option<Model> = None;
    let mut models = Vec::new();
    for name in store.names() {
        let (kind, trial) = match store.load(&name) {
            Ok(model) => {
                let trial = if has_runtime { try_model(&model, Provider::Cpu) } else { Trial::NotTried };
                let kind = Kind::of(&model.contract.task);
                if matches!(trial, Trial::Works { .. })
                    && smallest.as_ref().is_none_or(|other| model.weights.len() < other.weights.len())
                {
                    smallest = Some(model);
                }
                (Some(kind), trial)
            }
            Err(error) => {
                let kind = store.contract(&name).ok().map(|(contract, _)| Kind::of(&contract.task));
                (kind, Trial::Fails { reason: error.to_string() })
            }
        };
        models.push(ModelFinding { name, kind, trial });
    }
    let providers = [Provider::Cpu, Provider::Cuda, Provider::TensorRt]
        .into_iter()
        .map(|provider| ProviderFinding {
            name: provider.name(),
            trial: smallest.as_ref().map_or(Trial::NotTried, |model| try_model(model, provider)),
        })
        .collect();
    Diagnosis {
        version: env!("CARGO_PKG_VERSION"),
        machine: machine(),
        runtime,
        probe: smallest.map(|model| model.contract.name),
        providers,
        models,
        model_folders: store.folders().cloned().collect(),
        ros: ros(),
    }
}

/// Loads the model with `provider` alone and runs it on zeros.
fn try_model(model: &Model, provider: Provider) -> Trial {
    match timed(model, provider) {
        Ok((provider, fastest_ms)) => Trial::Works { provider, fastest_ms },
        Err(reason) => Trial::Fails { reason },
    }
}

fn timed(model: &Model, provider: Provider) -> Result<(String, f64), String> {
    let settings = EngineSettings { provider, intra_threads: 1, most_people: 1 };
    let mut network = OnnxNetwork::load(model, &settings).map_err(|error| error.to_string())?;
    run_on_zeros(&mut network, 1).map_err(|error| error.to_string())?;
    let mut fastest_ms = f64::INFINITY;
    for _ in 0..TIMED_RUNS {
        let start = Instant::now();
        run_on_zeros(&mut network, 1).map_err(|error| error.to_string())?;
        fastest_ms = fastest_ms.min(start.elapsed().as_secs_f64() * 1e3);
    }
    let provider = network.provider().to_owned();
    if let ModelTask::Lifter(facts) = &model.contract.task {
        // A lifter's contract is compared with its graph when the stage is built.
        Lifter::new(facts.clone(), Box::new(network)).map_err(|error| error.to_string())?;
        let discriminator = load_discriminator(model).map_err(|error| error.to_string())?;
        if let (Some(model), Some(facts)) = (discriminator, &facts.discriminator) {
            let network = OnnxNetwork::load(&model, &settings).map_err(|error| error.to_string())?;
            Discriminator::new(facts.clone(), Box::new(network)).map_err(|error| error.to_string())?;
        }
    }
    Ok((provider, fastest_ms))
}

impl Kind {
    const fn of(task: &ModelTask) -> Self {
        match task {
            ModelTask::Detector(_) => Self::Detector,
            ModelTask::Keypoints(_) => Self::Keypoints,
            ModelTask::Lifter(_) => Self::Lifter,
        }
    }
}

/// The file that the loader really took, which may be far from the name that was asked for.
fn loaded_library() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines()
        .filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so")))
}

/// `1.24.4` of `libonnxruntime.so.1.24.4`: ONNX Runtime's build information does not tell its version.
fn version_in_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let version = name.strip_prefix("libonnxruntime.so.")?;
    (!version.is_empty()).then(|| version.to_owned())
}

fn machine() -> Machine {
    let here = crate::report::machine::Machine::here();
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let mut fields = os_release.lines().filter_map(|line| line.split_once('='));
    let system =
        fields.find(|(key, _)| *key == "PRETTY_NAME").map(|(_, name)| name.trim().trim_matches('"').to_owned());
    Machine { cpu: here.processor, cores: here.cores, system }
}

fn ros() -> Ros {
    let python = std::process::Command::new("python3").arg("--version").output().ok();
    Ros {
        distribution: std::env::var("ROS_DISTRO").ok().filter(|name| !name.is_empty()),
        is_sourced: std::env::var_os("AMENT_PREFIX_PATH").is_some_and(|path| !path.is_empty()),
        python: python
            .filter(|output| output.status.success())
            .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_name_tells_the_version() {
        let version = |name: &str| version_in_name(Path::new(name));
        assert_eq!(version("/x/libonnxruntime.so.1.24.4").as_deref(), Some("1.24.4"));
        assert_eq!(version("/x/libonnxruntime.so"), None);
    }

    #[test]
    fn a_machine_without_the_library_in_memory_or_with_it_names_no_other_file() {
        if let Some(path) = loaded_library() {
            assert!(path.is_file() && path.to_string_lossy().contains("libonnxruntime"), "{}", path.display());
        }
    }
}
