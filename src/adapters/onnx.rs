//! ONNX Runtime behind [`Network`]: finding the library, choosing the provider, checking the graph.
//!
//! The library is loaded at run time. It is looked for in `ORT_DYLIB_PATH`, beside the binary, in the project's cache
//! (`.cache/onnxruntime/VERSION/` in any folder above the binary or the working directory), then wherever the system's
//! loader finds `libonnxruntime.so`.
//!
//! Each provider is registered by itself, so that one that does not work is named and does not hide another. What
//! took the graph is read back from the session, not assumed.

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use ndarray::{ArrayD, ArrayViewD};
use ort::AsPointer;
use ort::environment::Environment;
use ort::ep::{CPU, CUDA, ExecutionProvider, ExecutionProviderDispatch, TensorRT};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{DynValue, TensorElementType, TensorRef, ValueType};

use crate::adapters::gpu;
use crate::adapters::model_store::Model;
use crate::adapters::stage_timer::NetworkTime;
use crate::adapters::tensorrt::{self, EngineKey};
use crate::config::Provider;
use crate::network::{ElementType, Network, NetworkError, TensorSpec, TensorView, run_on_zeros};

/// What to do when the library is missing.
const ADVICE: &str = "run `make setup` in the source folder, or `pip install onnxruntime` and set \
                      ORT_DYLIB_PATH to its onnxruntime/capi/libonnxruntime.so.*";

/// ONNX Runtime that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OnnxError {
    /// No library.
    #[error("ONNX Runtime is missing: {reason}; {ADVICE}")]
    NoLibrary {
        /// What was tried and what happened.
        reason: String,
    },
    /// The provider that was asked for does not work.
    #[error("provider {provider} does not work here: {reason}; use inference.provider auto or cpu")]
    Provider {
        /// The provider.
        provider: &'static str,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// The graph cannot be loaded.
    #[error("{path}: ONNX Runtime refuses the graph: {reason}")]
    Graph {
        /// The file.
        path: PathBuf,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// Graph and contract contradict each other.
    #[error("{path} does not fit its contract {contract}: the contract asks for {wanted}, the graph has {found}")]
    Mismatch {
        /// The weights.
        path: PathBuf,
        /// The contract.
        contract: PathBuf,
        /// The contract's side.
        wanted: String,
        /// The graph's side.
        found: String,
    },
}

/// How networks are run.
#[derive(Clone, Copy, Debug)]
pub struct EngineSettings {
    /// Provider that was asked for.
    pub provider: Provider,
    /// CPU threads inside one run.
    pub intra_threads: usize,
    /// Most people of one run, where a graph leaves the number open: for what an engine is built for.
    pub most_people: usize,
}

/// The library, loaded once for the process.
pub struct Library {
    environment: Environment,
    /// Where it was found.
    pub path: PathBuf,
}

static LIBRARY: OnceLock<Result<Library, OnnxError>> = OnceLock::new();

/// The library; the first call loads it.
///
/// # Errors
/// [`OnnxError::NoLibrary`] with everything that was tried.
pub fn library() -> Result<&'static Library, OnnxError> {
    LIBRARY.get_or_init(load_library).as_ref().map_err(Clone::clone)
}

fn load_library() -> Result<Library, OnnxError> {
    let mut tried = Vec::new();
    for path in candidates() {
        match ort::init_from(&path).map_err(|error| format!("{error:?}")).and_then(|builder| {
            builder.with_name("stridepose").with_telemetry(false).build().map_err(|error| error.to_string())
        }) {
            Ok(environment) => return Ok(Library { environment, path }),
            Err(reason) => tried.push(format!("{}: {reason}", path.display())),
        }
    }
    Err(OnnxError::NoLibrary { reason: tried.join("; ") })
}

/// Places to load the library from, best first.
fn candidates() -> Vec<PathBuf> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return vec![PathBuf::from(path)];
    }
    let binary = std::env::current_exe().unwrap_or_default();
    let current = std::env::current_dir().unwrap_or_default();
    let beside = binary.parent().map(Path::to_owned).into_iter();
    let caches = binary
        .ancestors()
        .chain(current.ancestors())
        .chain([Path::new(env!("CARGO_MANIFEST_DIR"))])
        .flat_map(|folder| newest_first(&folder.join(".cache/onnxruntime")));
    let mut found: Vec<PathBuf> = beside.chain(caches).flat_map(|folder| libraries_in(&folder)).collect();
    found.push(PathBuf::from("libonnxruntime.so"));
    found
}

/// The folders in `folder`, last name first: versions sort by name well enough.
fn newest_first(folder: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.sort_by(|a, b| b.cmp(a));
    folders
}

fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    newest_first(folder)
        .into_iter()
        .filter(|path| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("libonnxruntime.so"))
        })
        .collect()
}

/// What happened to one provider.
#[derive(Clone, Debug)]
pub struct ProviderAttempt {
    /// The provider.
    pub name: &'static str,
    /// `None` when it worked, else why not.
    pub failure: Option<String>,
}

/// One loaded network.
pub struct OnnxNetwork {
    name: String,
    session: Session,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    /// What the last run gave, in the order of `outputs`, where the runtime put it.
    values: Vec<DynValue>,
    /// Those of whole numbers, as floats; empty for the others.
    converted: Vec<ArrayD<f32>>,
    provider: String,
    /// Every provider that was tried, in order.
    pub attempts: Vec<ProviderAttempt>,
    /// Where the time of its runs is added up.
    pub time: NetworkTime,
}

const fn providers(asked: Provider) -> &'static [&'static str] {
    match asked {
        Provider::Auto => &["tensorrt", "cuda", "cpu"],
        Provider::Cpu => &["cpu"],
        Provider::Cuda => &["cuda"],
        Provider::TensorRt => &["tensorrt"],
    }
}

/// The provider, made ready for `model`.
fn dispatch(
    provider: &'static str,
    model: &Model,
    settings: &EngineSettings,
) -> Result<ExecutionProviderDispatch, OnnxError> {
    let dispatch = match provider {
        "tensorrt" => tensorrt_provider(model, settings)?.build(),
        "cuda" => CUDA::default().build(),
        _ => CPU::default().build(),
    };
    Ok(dispatch.error_on_failure())
}

/// TensorRT with the engines of this model, GPU and runtime.
fn tensorrt_provider(model: &Model, settings: &EngineSettings) -> Result<TensorRT, OnnxError> {
    // The question goes to the library, and would load one of `ort`'s own choice.
    library()?;
    // Nothing is looked up or made where the runtime has no TensorRT: registering it says so.
    if !TensorRT::is_available().unwrap_or(false) {
        return Ok(TensorRT::default());
    }
    let (inputs, _) = graph_tensors(&model.weights_path, &model.weights)?;
    let profile = tensorrt::profile(&inputs, settings.most_people);
    let folder = tensorrt_folder(model, settings)?;
    if let Some(folder) = folder.as_ref().filter(|folder| !tensorrt::is_built(folder)) {
        let name = &model.contract.name;
        tracing::info!("TensorRT builds its engine of {name} into {}: minutes, but only once", folder.display());
    }
    Ok(tensorrt::provider(folder.as_deref(), profile.as_ref()))
}

/// Folder of the engines of this model, GPU and runtime, made where it is missing; `None` where no GPU can be named.
fn tensorrt_folder(model: &Model, settings: &EngineSettings) -> Result<Option<PathBuf>, OnnxError> {
    let (Some(cache), Some(gpu)) = (tensorrt::cache_folder(), gpu::name()) else { return Ok(None) };
    let key = EngineKey { sha256: &model.sha256, gpu, runtime: ort::info(), most: settings.most_people };
    let folder = cache.join(key.folder_name());
    std::fs::create_dir_all(&folder).map_err(|error| OnnxError::Provider {
        provider: "tensorrt",
        reason: format!("cannot make {} for its engines: {error}", folder.display()),
    })?;
    Ok(Some(folder))
}

impl OnnxNetwork {
    /// Loads `model` with the first provider that works and checks its graph against its contract.
    ///
    /// # Errors
    /// [`OnnxError`] says which provider failed why, or prints both sides of a mismatch.
    pub fn load(model: &Model, settings: &EngineSettings) -> Result<Self, OnnxError> {
        let mut attempts = Vec::new();
        for &provider in providers(settings.provider) {
            match Self::with_provider(model, provider, settings) {
                Ok(mut network) => {
                    attempts.push(ProviderAttempt { name: provider, failure: None });
                    network.attempts = attempts;
                    return Ok(network);
                }
                Err(error @ (OnnxError::NoLibrary { .. } | OnnxError::Graph { .. } | OnnxError::Mismatch { .. })) => {
                    return Err(error);
                }
                Err(OnnxError::Provider { provider, reason }) => {
                    attempts.push(ProviderAttempt { name: provider, failure: Some(reason) });
                }
            }
        }
        let last = attempts.pop();
        let (provider, reason) =
            last.map_or(("cpu", String::new()), |last| (last.name, last.failure.unwrap_or_default()));
        Err(OnnxError::Provider { provider, reason })
    }

    /// Loads `model` with one provider; what runs on a GPU has run once with one person and once with the most.
    fn with_provider(model: &Model, provider: &'static str, settings: &EngineSettings) -> Result<Self, OnnxError> {
        let load = || -> Result<Self, OnnxError> {
            let dispatch = dispatch(provider, model, settings)?;
            let session = session(&model.weights_path, &model.weights, provider, dispatch, settings.intra_threads)?;
            let mut network = Self::new(model, session).checked(model)?;
            if network.provider != "cpu" {
                for batch in [1, settings.most_people] {
                    run_on_zeros(&mut network, batch)
                        .map_err(|error| OnnxError::Provider { provider, reason: error.to_string() })?;
                }
                network.time = NetworkTime::default();
            }
            Ok(network)
        };
        if provider == "cpu" {
            return load();
        }
        tensorrt::with_progress(&format!("{} is made ready for {provider}", model.contract.name), load)
    }

    fn new(model: &Model, session: Session) -> Self {
        let specs = |outlets: &[ort::value::Outlet]| outlets.iter().map(spec).collect();
        Self {
            name: model.contract.name.clone(),
            inputs: specs(session.inputs()),
            outputs: specs(session.outputs()),
            values: Vec::new(),
            converted: Vec::new(),
            provider: assigned_providers(&session),
            session,
            attempts: Vec::new(),
            time: NetworkTime::default(),
        }
    }

    /// Contract against graph; a dimension that is dynamic in either fits any size. Outputs that the contract does not
    /// name are not read, and the rest come in the contract's order.
    fn checked(mut self, model: &Model) -> Result<Self, OnnxError> {
        let Some((input, outputs)) = model.contract.tensor_specs() else { return Ok(self) };
        let mismatch = |wanted: &TensorSpec, found: &[TensorSpec]| OnnxError::Mismatch {
            path: model.weights_path.clone(),
            contract: model.contract_path.clone(),
            wanted: wanted.to_string(),
            found: found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        if self.inputs.len() != 1 || !fits(&input, &self.inputs[0]) {
            return Err(mismatch(&input, &self.inputs));
        }
        let found = |wanted: &TensorSpec| self.outputs.iter().find(|found| fits(wanted, found)).cloned();
        // What is dynamic besides the batch gets the contract's size.
        for (found, wanted) in self.inputs[0].shape.iter_mut().zip(&input.shape).skip(1) {
            *found = found.or(*wanted);
        }
        self.outputs = outputs
            .iter()
            .map(|wanted| found(wanted).ok_or_else(|| mismatch(wanted, &self.outputs)))
            .collect::<Result<_, _>>()?;
        Ok(self)
    }
}

/// Inputs and outputs of a graph that has no contract yet.
///
/// # Errors
/// [`OnnxError`] when there is no library or it refuses the graph; `path` is only named.
pub fn graph_tensors(path: &Path, weights: &[u8]) -> Result<(Vec<TensorSpec>, Vec<TensorSpec>), OnnxError> {
    let session = session(path, weights, "cpu", CPU::default().build(), 1)?;
    let specs = |outlets: &[ort::value::Outlet]| outlets.iter().map(spec).collect();
    Ok((specs(session.inputs()), specs(session.outputs())))
}

fn session(
    path: &Path,
    weights: &[u8],
    provider: &'static str,
    dispatch: ExecutionProviderDispatch,
    intra_threads: usize,
) -> Result<Session, OnnxError> {
    let library = library()?;
    let refuse = |reason: String| OnnxError::Provider { provider, reason };
    let builder = || -> Result<_, String> {
        let builder = Session::builder(&library.environment).map_err(|error| error.to_string())?;
        let builder = builder.with_intra_threads(intra_threads).map_err(|error| error.to_string())?;
        let builder = builder.with_intra_op_spinning(false).map_err(|error| error.to_string())?;
        let builder =
            builder.with_optimization_level(GraphOptimizationLevel::All).map_err(|error| error.to_string())?;
        builder.with_config_entry("session.record_ep_graph_assignment_info", "1").map_err(|error| error.to_string())
    };
    let mut builder = builder()
        .and_then(|builder| builder.with_execution_providers([dispatch]).map_err(|error| error.to_string()))
        .map_err(refuse)?;
    builder.commit_from_memory(weights).map_err(|error| {
        if provider == "cpu" {
            OnnxError::Graph { path: path.to_owned(), reason: error.to_string() }
        } else {
            refuse(error.to_string())
        }
    })
}

/// The providers that took nodes of the graph, e.g. `cpu` or `cuda+cpu`.
fn assigned_providers(session: &Session) -> String {
    let mut names: Vec<String> = raw_assigned_providers(session)
        .into_iter()
        .map(|name| name.trim_end_matches("ExecutionProvider").to_lowercase())
        .collect();
    names.dedup();
    if names.is_empty() { "unknown".to_owned() } else { names.join("+") }
}

/// Reads the graph assignment with ONNX Runtime's C API, which the `ort` crate does not wrap.
#[allow(unsafe_code, reason = "three calls of the C API without a safe wrapper; every pointer is owned by the session")]
fn raw_assigned_providers(session: &Session) -> Vec<String> {
    let api = ort::api();
    let mut subgraphs = std::ptr::null();
    let mut count = 0;
    let mut names = Vec::new();
    // SAFETY: `session` lives; the API writes a pointer to an array of `count` subgraphs that the session owns, and
    // for each a pointer to a C string that it owns too. A null status is success; any other is given back.
    unsafe {
        let status = (api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &raw mut subgraphs, &raw mut count);
        if !status.0.is_null() {
            (api.ReleaseStatus)(status.0);
            return names;
        }
        for index in 0..count {
            let mut name = std::ptr::null();
            let status = (api.EpAssignedSubgraph_GetEpName)(*subgraphs.add(index), &raw mut name);
            if !status.0.is_null() {
                (api.ReleaseStatus)(status.0);
            } else if !name.is_null() {
                names.push(CStr::from_ptr(name).to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    names
}

fn spec(outlet: &ort::value::Outlet) -> TensorSpec {
    let (element_type, shape) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => (
            match ty {
                TensorElementType::Float32 => ElementType::F32,
                TensorElementType::Uint8 => ElementType::U8,
                TensorElementType::Int32 => ElementType::I32,
                TensorElementType::Int64 => ElementType::I64,
                _ => ElementType::Other,
            },
            shape.iter().map(|&size| usize::try_from(size).ok()).collect(),
        ),
        _ => (ElementType::Other, Vec::new()),
    };
    TensorSpec { name: outlet.name().to_owned(), element_type, shape }
}

fn fits(wanted: &TensorSpec, found: &TensorSpec) -> bool {
    wanted.name == found.name
        && wanted.element_type == found.element_type
        && wanted.shape.len() == found.shape.len()
        && wanted
            .shape
            .iter()
            .zip(&found.shape)
            .all(|(wanted, found)| wanted.is_none() || found.is_none() || wanted == found)
}

impl Network for OnnxNetwork {
    fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    fn provider(&self) -> &str {
        &self.provider
    }

    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<ArrayViewD<'_, f32>>, NetworkError> {
        let failed = |reason: String| NetworkError { network: self.name.clone(), reason };
        if inputs.len() != self.inputs.len() {
            return Err(failed(format!("{} inputs given, the graph takes {}", inputs.len(), self.inputs.len())));
        }
        let mut values = Vec::with_capacity(inputs.len());
        for (input, spec) in inputs.iter().zip(&self.inputs) {
            let value = match input {
                TensorView::F32(view) => TensorRef::from_array_view(view.view()).map(ort::value::ValueRef::into_dyn),
                TensorView::U8(view) => TensorRef::from_array_view(view.view()).map(ort::value::ValueRef::into_dyn),
                TensorView::I32(view) => TensorRef::from_array_view(view.view()).map(ort::value::ValueRef::into_dyn),
            }
            .map_err(|error| failed(format!("input {}: {error}", spec.name)))?;
            values.push((spec.name.as_str(), value));
        }
        let began = Instant::now();
        let mut outputs = self
            .session
            .run(values)
            .map_err(|error| NetworkError { network: self.name.clone(), reason: error.to_string() })?;
        self.time.add(began.elapsed());
        let failed = |spec: &TensorSpec, reason: &dyn std::fmt::Display| NetworkError {
            network: self.name.clone(),
            reason: format!("output {}: {reason}", spec.name),
        };
        self.values.clear();
        self.converted.resize_with(self.outputs.len(), || ArrayD::zeros(vec![0]));
        for (spec, converted) in self.outputs.iter().zip(&mut self.converted) {
            let value = outputs.remove(&spec.name).ok_or_else(|| failed(spec, &"the runtime gave none"))?;
            match spec.element_type {
                ElementType::I32 => {
                    value.try_extract_array().map(|array| *converted = array.mapv(|value: i32| value as f32))
                }
                ElementType::I64 => {
                    value.try_extract_array().map(|array| *converted = array.mapv(|value: i64| value as f32))
                }
                _ => Ok(()),
            }
            .map_err(|error| failed(spec, &error))?;
            self.values.push(value);
        }
        let answers = self.outputs.iter().zip(&self.values).zip(&self.converted);
        answers
            .map(|((spec, value), converted)| match spec.element_type {
                ElementType::I32 | ElementType::I64 => Ok(converted.view()),
                _ => value.try_extract_array().map_err(|error| failed(spec, &error)),
            })
            .collect()
    }
}
