//! What happened in a replay: counted while it runs, written as `summary.json`, said in a few lines at the end.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::adapters::engine::LoadedModel;
use crate::adapters::stage_timer::Percentiles;
use crate::data::PoseEstimate;
use crate::geometry::camera::Intrinsics;
use crate::report::machine::Machine;
use crate::warning::{Warning, WarningCount, WarningCounts, WarningKind, count_warning};

/// Trouble with which part of the input was lost.
const LOST: [WarningKind; 6] = [
    WarningKind::ImageRefused,
    WarningKind::CameraInfoRefused,
    WarningKind::NoCameraInfo,
    WarningKind::KeypointsRefused,
    WarningKind::MessageRefused,
    WarningKind::BagDamaged,
];

/// What happened, as `summary.json` says it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Version of this program.
    pub version: &'static str,
    /// The bag that was read.
    pub input: PathBuf,
    /// What tells its content from that of other bags, wherever it lies.
    pub input_fingerprint: Option<String>,
    /// Topic of the images or keypoints.
    pub topic: String,
    /// The first calibration that was used.
    pub camera: Option<CameraSummary>,
    /// Messages of that topic, good or bad.
    pub images: u64,
    /// Images with at least one skeleton.
    pub images_with_skeleton: u64,
    /// Skeletons in all.
    pub skeletons: u64,
    /// Identities in all.
    pub tracks: usize,
    /// Images of each identity.
    pub images_by_track: BTreeMap<u32, u64>,
    /// Images left out because a newer one was waiting: none, a bag is read in full.
    pub drops: u64,
    /// Trouble by kind.
    pub warnings: WarningCounts,
    /// What is lost of a damaged bag.
    pub damage: Option<String>,
    /// Time of each stage, ms.
    pub stages_ms: BTreeMap<&'static str, Percentiles>,
    /// Time of one image that is neither decoding nor networks, ms.
    pub own_ms: Percentiles,
    /// Execution provider of all networks, or of each where they differ.
    pub provider: String,
    /// The models, by part.
    pub models: BTreeMap<&'static str, ModelSummary>,
    /// Images a second, everything included.
    pub images_per_second: f64,
    /// Every parameter, as in a parameter file.
    pub parameters: serde_json::Value,
    /// What it ran on.
    pub machine: Machine,
}

/// Intrinsics of the images, after binning and cutting, px.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the field's own names")]
pub struct CameraSummary {
    pub fx: f64,
    pub fy: f64,
    pub cx: f64,
    pub cy: f64,
}

impl From<Intrinsics> for CameraSummary {
    fn from(Intrinsics { fx, fy, cx, cy }: Intrinsics) -> Self {
        Self { fx, fy, cx, cy }
    }
}

/// One model of the pipeline.
#[derive(Clone, Debug, Serialize)]
pub struct ModelSummary {
    /// Name.
    pub name: String,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// Provider that took the graph.
    pub provider: String,
    /// Providers that were tried first and did not work, with the reason.
    pub failed_providers: BTreeMap<&'static str, String>,
}

impl Summary {
    /// Takes in the models of a pipeline.
    pub fn set_models(&mut self, models: &BTreeMap<&'static str, LoadedModel>) {
        self.models = models.iter().map(|(part, model)| (*part, ModelSummary::from(model))).collect();
        let mut providers: Vec<&str> = self.models.values().map(|model| model.provider.as_str()).collect();
        providers.dedup();
        self.provider = match providers[..] {
            [one] => one.to_owned(),
            _ => self
                .models
                .iter()
                .map(|(part, model)| format!("{part}: {}", model.provider))
                .collect::<Vec<_>>()
                .join(", "),
        };
    }

    /// Takes in the estimate of one image.
    pub fn count(&mut self, estimate: &PoseEstimate) {
        self.images += 1;
        self.images_with_skeleton += u64::from(!estimate.people.is_empty());
        self.skeletons += estimate.people.len() as u64;
        for person in &estimate.people {
            *self.images_by_track.entry(person.track_id.0).or_default() += 1;
        }
        self.tracks = self.images_by_track.len();
    }

    /// Takes in one warning; says whether it is the first of its kind.
    pub fn warn(&mut self, warning: &Warning) -> bool {
        count_warning(&mut self.warnings, warning)
    }

    /// Whether part of the input was lost: a damaged bag, or messages that had to be left out.
    pub fn is_damaged(&self) -> bool {
        self.damage.is_some() || LOST.iter().any(|kind| self.warnings.contains_key(kind.name()))
    }

    /// [`Summary::is_damaged`] of one that was written as JSON.
    pub fn tells_damage(json: &serde_json::Value) -> bool {
        !json["damage"].is_null() || LOST.iter().any(|kind| json["warnings"].get(kind.name()).is_some())
    }

    /// A few lines for people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} images, {} with a skeleton; {} skeletons, {} {}\n",
            self.images,
            self.images_with_skeleton,
            self.skeletons,
            self.tracks,
            if self.tracks == 1 { "identity" } else { "identities" },
        );
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{:.1} images/s on {}", self.images_per_second, self.provider);
        let _ = writeln!(text, "{:<10} {:>6} {:>8} {:>8} {:>8}", "stage", "runs", "p50 ms", "p95 ms", "p99 ms");
        let rows = self.stages_ms.iter().map(|(stage, times)| (*stage, times));
        for (stage, times) in rows.chain([("own code", &self.own_ms)]) {
            let Percentiles { count, p50, p95, p99 } = times;
            let _ = writeln!(text, "{stage:<10} {count:>6} {p50:>8.3} {p95:>8.3} {p99:>8.3}");
        }
        for (kind, WarningCount { count, first }) in &self.warnings {
            let _ = writeln!(text, "warning {kind}, {count} times, first: {first}");
        }
        if let Some(damage) = &self.damage {
            let _ = writeln!(text, "damaged: {damage}");
        }
        text
    }
}

impl From<&LoadedModel> for ModelSummary {
    fn from(model: &LoadedModel) -> Self {
        let failed = model.attempts.iter().filter_map(|attempt| Some((attempt.name, attempt.failure.clone()?)));
        Self {
            name: model.name.clone(),
            sha256: model.sha256.clone(),
            provider: model.provider.clone(),
            failed_providers: failed.collect(),
        }
    }
}
