//! What `stridepose doctor` found, and how it says so: one line a fact, under each problem an arrow with what to do.

use std::fmt::Write;
use std::path::PathBuf;

/// Everything that was found.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Version of this program.
    pub version: &'static str,
    /// The computer.
    pub machine: Machine,
    /// ONNX Runtime.
    pub runtime: RuntimeFinding,
    /// The model that the providers were tried with.
    pub probe: Option<String>,
    /// Each provider by itself.
    pub providers: Vec<ProviderFinding>,
    /// Each model that has a contract.
    pub models: Vec<ModelFinding>,
    /// Where models were looked for, in order.
    pub model_folders: Vec<PathBuf>,
    /// ROS 2 and Python.
    pub ros: Ros,
}

/// The computer; what it does not tell is absent.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Name of the CPU.
    pub cpu: Option<String>,
    /// Cores that this process may use.
    pub cores: Option<usize>,
    /// Name of the operating system.
    pub system: Option<String>,
}

/// ONNX Runtime.
#[derive(Clone, Debug)]
pub enum RuntimeFinding {
    /// It was loaded.
    Loaded {
        /// The file.
        path: PathBuf,
        /// Its version, where the file name tells it.
        version: Option<String>,
    },
    /// It cannot be loaded.
    Missing {
        /// What was tried, what happened, what to do.
        reason: String,
    },
}

/// How something fared when it was tried.
#[derive(Clone, Debug, PartialEq)]
pub enum Trial {
    /// It ran.
    Works {
        /// The provider that took the graph.
        provider: String,
        /// Its fastest run, ms.
        fastest_ms: f64,
    },
    /// It did not.
    Fails {
        /// Why not.
        reason: String,
    },
    /// It could not be tried: something else is missing.
    NotTried,
}

/// One provider.
#[derive(Clone, Debug)]
pub struct ProviderFinding {
    /// Its name in `inference.provider`.
    pub name: &'static str,
    /// How it fared.
    pub trial: Trial,
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Finds people.
    Detector,
    /// Finds keypoints.
    Keypoints,
    /// Lifts to 3D.
    Lifter,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::Keypoints => "keypoints",
            Self::Lifter => "lifter",
        }
    }
}

/// One model.
#[derive(Clone, Debug)]
pub struct ModelFinding {
    /// Its name.
    pub name: String,
    /// What it does; `None` where its contract cannot be read.
    pub kind: Option<Kind>,
    /// How it fared on the CPU.
    pub trial: Trial,
}

/// ROS 2 and Python; bags need neither.
#[derive(Clone, Debug, Default)]
pub struct Ros {
    /// `ROS_DISTRO`.
    pub distribution: Option<String>,
    /// Whether a workspace is sourced.
    pub is_sourced: bool,
    /// What `python3 --version` says.
    pub python: Option<String>,
}

impl Diagnosis {
    fn has_working(&self, kind: Kind) -> bool {
        self.models.iter().any(|model| model.kind == Some(kind) && matches!(model.trial, Trial::Works { .. }))
    }

    /// Whether 2D keypoints of another node can be lifted.
    pub fn lifts_keypoints(&self) -> bool {
        self.has_working(Kind::Lifter)
    }

    /// Whether images can be read.
    pub fn reads_images(&self) -> bool {
        self.lifts_keypoints() && self.has_working(Kind::Detector) && self.has_working(Kind::Keypoints)
    }

    /// The report.
    pub fn text(&self) -> String {
        let mut text = String::new();
        line(&mut text, "stridepose", self.version);
        line(&mut text, "machine", &self.machine_text());
        match &self.runtime {
            RuntimeFinding::Loaded { path, version } => {
                let version = version.as_deref().unwrap_or("(the file name tells no version)");
                line(&mut text, "ONNX Runtime", &format!("{version}, {}", path.display()));
            }
            RuntimeFinding::Missing { reason } => {
                line(&mut text, "ONNX Runtime", "missing");
                advise(&mut text, reason);
            }
        }
        let probe = self.probe.as_ref().map_or_else(String::new, |name| format!(", tried with {name}"));
        let _ = writeln!(text, "\nproviders{probe}");
        for provider in &self.providers {
            trial(&mut text, provider.name, &provider.trial, "no model that could be run with it");
        }
        if let Some(advice) = self.gpu_advice() {
            advise(&mut text, advice);
        }
        text.push_str("\nmodels\n");
        for folder in &self.model_folders {
            let _ = writeln!(text, "  folder  {}", folder.display());
        }
        for model in &self.models {
            let name = format!("{} ({})", model.name, model.kind.map_or("contract refused", Kind::name));
            trial(&mut text, &name, &model.trial, "the weights are here; ONNX Runtime is missing");
        }
        if self.models.is_empty() {
            text.push_str("  none\n");
            advise(&mut text, "name the folder with the models: --models DIR, or STRIDEPOSE_MODELS in the environment");
        }
        text.push_str("\nROS 2 and Python (bags need neither)\n");
        self.ros_text(&mut text);
        text.push_str("\nwhat can be done\n");
        ability(&mut text, "bags with 2D keypoints", self.lifts_keypoints(), "a lifter that works");
        let missing: Vec<&str> = [Kind::Detector, Kind::Keypoints, Kind::Lifter]
            .into_iter()
            .filter(|kind| !self.has_working(*kind))
            .map(Kind::name)
            .collect();
        let needs = format!("a model of each of these kinds that works: {}", missing.join(", "));
        ability(&mut text, "bags with images, and the demo", self.reads_images(), &needs);
        text.push_str("\nskeletons that are missing or wrong: docs/troubleshooting.md\n");
        text
    }

    fn machine_text(&self) -> String {
        let Machine { cpu, cores, system } = &self.machine;
        let cores = cores.map(|cores| format!("{cores} core{}", if cores == 1 { "" } else { "s" }));
        let parts: Vec<&str> = [cpu, &cores, system].into_iter().filter_map(Option::as_deref).collect();
        if parts.is_empty() { "unknown".to_owned() } else { parts.join(", ") }
    }

    /// What to do for a GPU, where none works and something was tried.
    fn gpu_advice(&self) -> Option<&'static str> {
        let failed = |name: &str| {
            self.providers.iter().any(|found| found.name == name && matches!(found.trial, Trial::Fails { .. }))
        };
        (failed("cuda") && failed("tensorrt")).then_some(
            "no GPU is needed; to use one: pip install onnxruntime-gpu, with its CUDA and cuDNN, and set \
             ORT_DYLIB_PATH to its onnxruntime/capi/libonnxruntime.so.*",
        )
    }

    fn ros_text(&self, text: &mut String) {
        let Ros { distribution, is_sourced, python } = &self.ros;
        match (distribution, is_sourced) {
            (Some(name), true) => line(text, "  ROS 2", &format!("{name}, sourced")),
            (Some(name), false) => {
                line(text, "  ROS 2", &format!("{name}, but no package path (AMENT_PREFIX_PATH)"));
                advise(text, &format!("source /opt/ros/{name}/setup.bash"));
            }
            (None, _) => {
                line(text, "  ROS 2", "not sourced");
                advise(text, "only the live node needs it: source /opt/ros/DISTRIBUTION/setup.bash");
            }
        }
        line(text, "  Python", python.as_deref().unwrap_or("no python3"));
        if python.is_none() {
            advise(text, "only `make setup` and the interop tests need it: install python3 with pip");
        }
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name:<14} {value}");
}

fn advise(text: &mut String, advice: &str) {
    let _ = writeln!(text, "    -> {advice}");
}

fn trial(text: &mut String, name: &str, trial: &Trial, untried: &str) {
    let _ = match trial {
        Trial::Works { provider, fastest_ms } => {
            writeln!(text, "  works   {name}: {fastest_ms:.1} ms a run, graph taken by {provider}")
        }
        Trial::Fails { reason } => writeln!(text, "  FAILS   {name}\n    -> {}", reason.trim().replace('\n', " ")),
        Trial::NotTried => writeln!(text, "  untried {name}: {untried}"),
    };
}

fn ability(text: &mut String, what: &str, is_able: bool, needs: &str) {
    let _ =
        if is_able { writeln!(text, "  yes     {what}") } else { writeln!(text, "  no      {what}: needs {needs}") };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn works() -> Trial {
        Trial::Works { provider: "cpu".into(), fastest_ms: 12.34 }
    }

    fn model(name: &str, kind: Kind, trial: Trial) -> ModelFinding {
        ModelFinding { name: name.into(), kind: Some(kind), trial }
    }

    fn healthy() -> Diagnosis {
        Diagnosis {
            version: "1.2.3",
            machine: Machine { cpu: Some("A CPU".into()), cores: Some(2), system: Some("An OS".into()) },
            runtime: RuntimeFinding::Loaded {
                path: "/x/libonnxruntime.so.1.24.4".into(),
                version: Some("1.24.4".into()),
            },
            probe: Some("lifter".into()),
            providers: vec![
                ProviderFinding { name: "cpu", trial: works() },
                ProviderFinding { name: "cuda", trial: Trial::Fails { reason: "no libcuda\nat all".into() } },
                ProviderFinding { name: "tensorrt", trial: Trial::Fails { reason: "not built in".into() } },
            ],
            model_folders: vec!["/home/a/.local/share/stridepose/models".into()],
            models: vec![
                model("finder", Kind::Detector, works()),
                model("pointer", Kind::Keypoints, works()),
                model("lifter", Kind::Lifter, works()),
            ],
            ros: Ros { distribution: Some("jazzy".into()), is_sourced: true, python: Some("Python 3.11.2".into()) },
        }
    }

    #[test]
    fn a_healthy_machine_is_told_what_it_can_do() {
        let diagnosis = healthy();
        assert!(diagnosis.reads_images() && diagnosis.lifts_keypoints());
        let text = diagnosis.text();
        for part in [
            "stridepose     1.2.3\n",
            "A CPU, 2 cores, An OS",
            "1.24.4, /x/libonnxruntime.so.1.24.4",
            "providers, tried with lifter\n",
            "works   cpu: 12.3 ms a run, graph taken by cpu",
            "FAILS   cuda\n    -> no libcuda at all\n",
            "onnxruntime-gpu",
            "folder  /home/a/.local/share/stridepose/models\n",
            "works   finder (detector)",
            "jazzy, sourced",
            "yes     bags with images",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn missing_weights_leave_the_keypoints_input() {
        let mut diagnosis = healthy();
        diagnosis.models[0].trial = Trial::Fails { reason: "weights finder.onnx are nowhere".into() };
        assert!(!diagnosis.reads_images() && diagnosis.lifts_keypoints());
        let text = diagnosis.text();
        assert!(text.contains("FAILS   finder (detector)\n    -> weights finder.onnx are nowhere"), "{text}");
        assert!(text.contains(
            "no      bags with images, and the demo: needs a model of each of these kinds that works: detector\n"
        ));
    }

    #[test]
    fn without_onnx_runtime_nothing_is_usable_and_nothing_is_claimed() {
        let mut diagnosis = healthy();
        diagnosis.runtime = RuntimeFinding::Missing { reason: "ONNX Runtime is missing: run `make setup`".into() };
        diagnosis.providers.iter_mut().for_each(|provider| provider.trial = Trial::NotTried);
        diagnosis.models.iter_mut().for_each(|model| model.trial = Trial::NotTried);
        assert!(!diagnosis.reads_images() && !diagnosis.lifts_keypoints());
        let text = diagnosis.text();
        assert!(text.contains("missing\n    -> ONNX Runtime is missing: run `make setup`"), "{text}");
        assert!(!text.contains("works   "), "{text}");
        assert!(!text.contains("onnxruntime-gpu"), "a GPU is not the problem:\n{text}");
    }

    #[test]
    fn an_unknown_machine_without_anything_is_still_told_what_to_do() {
        let mut diagnosis = healthy();
        diagnosis.machine = Machine::default();
        diagnosis.models.clear();
        diagnosis.ros = Ros::default();
        let text = diagnosis.text();
        for part in
            ["machine        unknown", "--models DIR", "not sourced", "no python3", "no      bags with 2D keypoints"]
        {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}
