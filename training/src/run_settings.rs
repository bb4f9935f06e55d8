//! What a run was told, beside its checkpoint (`settings.json`): whoever takes it up again with something else is told so.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::export;
use crate::fingerprint;
use crate::train::{TrainData, TrainSettings};

const FILE: &str = "settings.json";
const STEPS: &str = "steps";

/// Name and value of each setting, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunSettings(BTreeMap<String, String>);

impl RunSettings {
    /// Those of a run of `settings` on `data`.
    pub(crate) fn of(settings: &TrainSettings, data: &TrainData<'_>) -> Self {
        let discriminator = settings.learn.discriminator.map_or("none".to_owned(), |kind| format!("{kind:?}"));
        let people = &data.keypoints_only;
        let unlabelled =
            format!("{} {}", fingerprint::of_clips(&people.clips), fingerprint::of_sequences(&people.sequences));
        let entries = [
            (STEPS, settings.steps.to_string()),
            ("cycles", settings.learn.cycles.to_string()),
            ("seed", settings.seed.to_string()),
            ("learning rate", settings.learning_rate.to_string()),
            ("samples", settings.batch.samples.to_string()),
            ("discriminator", discriminator),
            ("label share", data.label_share.to_string()),
            ("motion capture (fingerprint)", fingerprint::of_clips(data.clips)),
            ("noise (fingerprint)", fingerprint::of_noise(data.noise)),
            ("unlabelled (fingerprint)", unlabelled),
        ];
        Self(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Those of the run in `folder`; `None` where an earlier version began it.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            text => {
                let text = text.with_context(|| format!("cannot read {}", path.display()))?;
                Ok(Some(serde_json::from_str(&text).with_context(|| path.display().to_string())?))
            }
        }
    }

    /// Writes them beside the checkpoint in `folder`.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        export::write(&folder.join(FILE), serde_json::to_string(self)?.as_bytes())
    }

    /// Whether a run with these settings is over after `step` steps.
    pub(crate) fn is_finished(&self, step: u64) -> bool {
        self.0.get(STEPS).and_then(|steps| steps.parse().ok()).is_some_and(|steps: u64| step >= steps)
    }

    /// What is another in `now`, in words, both sides.
    pub(crate) fn differences(&self, now: &Self) -> Vec<String> {
        let value = |of: &Self, name: &String| of.0.get(name).cloned().unwrap_or_else(|| "unknown".to_owned());
        let names = now.0.keys().filter(|name| self.0.get(*name) != now.0.get(*name));
        names.map(|name| format!("{name} {}, now {}", value(self, name), value(now, name))).collect()
    }
}
