//! Checkpoints of a run on disk.
//!
//! ```text
//! run/state.json             how far the run has come, and which folder holds its files
//! run/step-1250/network.bpk  weights;  average.bpk  their moving average;  ends.bpk  the mean of the ends of the cycles;
//!               optimizer.bpk  the optimiser
//! ```
//! Everything is written into a new folder and reaches the disk before `state.json` is replaced, by a rename, to
//! name it; only then is the folder before it removed. So a full disk or a kill at any moment leaves the
//! previous checkpoint whole. Runs of earlier versions, with their files beside `state.json`, can be read.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::optim::ModuleOptimizer;
use burn::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::average::ENDS_OF_A_MEAN;
use crate::discriminator::DiscriminatorKind;
use crate::finite;
use crate::network::{LifterNetwork, LifterSize, TemporalNetwork};
use crate::trainer::LearnSettings;

const STATE_FILE: &str = "state.json";
pub(crate) const FOLDER_PREFIX: &str = "step-";
/// Files that earlier versions wrote beside `state.json`.
const FILES_BESIDE_STATE: [&str; 2] = ["network.bpk", "optimizer.bpk"];

/// What every kind of run says of its checkpoint.
pub(crate) trait RunState: Serialize + DeserializeOwned {
    /// Steps done.
    fn step(&self) -> u64;

    /// Folder of the files, inside that of the run; `None` is the run's own.
    fn folder(&self) -> Option<&str>;
}

/// Where the files of the checkpoint `state` of `run` lie.
pub(crate) fn files(state: &impl RunState, run: &Path) -> PathBuf {
    state.folder().map_or_else(|| run.to_owned(), |folder| run.join(folder))
}

/// What a checkpoint of a lifter says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointState {
    /// Steps done.
    pub step: u64,
    /// Sizes of the network.
    pub size: LifterSize,
    /// Updates of the average of the weights; absent where the run keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_updates: Option<u64>,
    /// Ends of cycles that are averaged; absent where the schedule is a single cycle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle_ends: Option<u64>,
    /// What the discriminator looks at; absent where the run has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discriminator: Option<DiscriminatorKind>,
    /// SHA-256 of the graph whose weights the run started from; absent where they were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_from: Option<String>,
    /// Folder of the files, inside that of the run; absent in runs of earlier versions: the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
}

impl CheckpointState {
    /// The state after `step` steps.
    pub(crate) fn new(step: u64, size: LifterSize) -> Self {
        let folder = Some(format!("{FOLDER_PREFIX}{step}"));
        Self { step, size, average_updates: None, cycle_ends: None, discriminator: None, started_from: None, folder }
    }

    /// Refuses to go on with other networks than those of this checkpoint of `run`.
    pub(crate) fn check_fits(&self, settings: &LearnSettings, run: &Path) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.size == settings.size,
            "the checkpoint in {} has sizes {:?}, asked for are {:?}; use another folder",
            run.display(),
            self.size,
            settings.size
        );
        if let (Some(has), Some(asked)) = (self.discriminator, settings.discriminator) {
            anyhow::ensure!(
                has == asked,
                "the checkpoint in {} has a discriminator of kind {has:?}, asked for is {asked:?}; use another folder",
                run.display()
            );
        }
        Ok(())
    }

    /// Refuses to go on as if the run had started from the graph of checksum `asked` when it started from another.
    pub(crate) fn check_start(&self, asked: Option<&str>, run: &Path) -> anyhow::Result<()> {
        match (&self.started_from, asked) {
            (Some(from), Some(asked)) if from != asked => anyhow::bail!(
                "the run in {} started from other weights (sha256 {from}) than those of --start-from ({asked}); leave \
                 --start-from out to go on, or use another folder",
                run.display()
            ),
            _ => Ok(()),
        }
    }

    /// Where the files of this checkpoint of `run` lie.
    pub(crate) fn files(&self, run: &Path) -> PathBuf {
        files(self, run)
    }
}

impl RunState for CheckpointState {
    fn step(&self) -> u64 {
        self.step
    }

    fn folder(&self) -> Option<&str> {
        self.folder.as_deref()
    }
}

/// Which weights of a checkpoint to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// The mean of the ends of the cycles where two are done, their moving average where the run keeps one, else the weights
    /// themselves.
    Averaged,
    /// The weights of the last step.
    Raw,
}

/// Loads the network of the checkpoint in `run` for use, without gradients.
///
/// # Errors
/// When the folder holds no checkpoint or a damaged one.
pub fn load(run: &Path, weights: Weights) -> anyhow::Result<(LifterNetwork, CheckpointState)> {
    let state: CheckpointState =
        read_state(run)?.with_context(|| format!("{} holds no checkpoint (no {STATE_FILE})", run.display()))?;
    let name = match weights {
        Weights::Averaged if state.cycle_ends.is_some_and(|ends| ends >= ENDS_OF_A_MEAN) => "ends",
        Weights::Averaged if state.average_updates.is_some() => "average",
        _ => "network",
    };
    let network = load_module(LifterNetwork::new(&state.size, &Device::flex()), &state.files(run), name)?;
    Ok((network.valid(), state))
}

fn damaged(folder: &Path, name: &str, error: &impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!(
        "the checkpoint {}/{name}.bpk cannot be read, it is damaged or of other sizes ({error}); bring back a copy, or begin a \
         new run in another folder",
        folder.display()
    )
}

/// Loads the parameters of `module` from `folder`.
pub(crate) fn load_module<M: Module>(module: M, folder: &Path, name: &str) -> anyhow::Result<M> {
    module.try_load_file(folder.join(name)).map_err(|error| damaged(folder, name, &error))
}

/// Saves the parameters of `module` into `folder`.
///
/// # Errors
/// When one of them is not finite, or the file cannot be written.
pub(crate) fn save_module<M: Module>(module: &M, folder: &Path, name: &str) -> anyhow::Result<()> {
    finite::check(module, name)?;
    module
        .clone()
        .save_file(folder.join(name))
        .map_err(|error| anyhow::anyhow!("cannot write {}/{name}.bpk: {error}", folder.display()))
}

/// Loads the state of `optimizer` from `folder`.
pub(crate) fn load_optimizer(optimizer: ModuleOptimizer, folder: &Path, name: &str) -> anyhow::Result<ModuleOptimizer> {
    optimizer.load(folder.join(name)).map_err(|error| damaged(folder, name, &error))
}

/// Saves the state of `optimizer` into `folder`.
pub(crate) fn save_optimizer(optimizer: &ModuleOptimizer, folder: &Path, name: &str) -> anyhow::Result<()> {
    optimizer
        .save(folder.join(name))
        .map_err(|error| anyhow::anyhow!("cannot write {}/{name}.bpk: {error}", folder.display()))
}

/// What the checkpoint in `run` says of itself, if there is one.
pub(crate) fn read_state<S: RunState>(run: &Path) -> anyhow::Result<Option<S>> {
    let path = run.join(STATE_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(|| path.display().to_string())?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Makes `state` the checkpoint of `run`; `write` puts its files into the folder it is given.
///
/// # Errors
/// When a file cannot be written. The previous checkpoint is whole then.
pub(crate) fn commit<S: RunState>(
    run: &Path,
    state: &S,
    write: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let files = files(state, run);
    if read_state::<S>(run)?.is_some_and(|current| self::files(&current, run) == files) {
        return Ok(());
    }
    write_files(&files, write).with_context(|| {
        // What was written so far is of no use and may be what fills the disk; the first error is the one to tell.
        let _ = fs::remove_dir_all(&files);
        format!("no checkpoint at step {}; the one before is still there", state.step())
    })?;
    let partial = run.join("state.json.partial");
    let context = || format!("cannot write {}", partial.display());
    fs::write(&partial, serde_json::to_string(state)?).with_context(context)?;
    File::open(&partial).and_then(|file| file.sync_all()).with_context(context)?;
    fs::rename(&partial, run.join(STATE_FILE)).with_context(context)?;
    remove_all_but(run, &files)
}

fn write_files(folder: &Path, write: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let context = || format!("cannot write {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(context)?;
    }
    fs::create_dir(folder).with_context(context)?;
    write(folder)?;
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        File::open(&path).and_then(|file| file.sync_all()).with_context(context)?;
    }
    File::open(folder).and_then(|file| file.sync_all()).with_context(context)
}

/// Removes checkpoints other than the one in `kept`.
fn remove_all_but(run: &Path, kept: &Path) -> anyhow::Result<()> {
    let context = || format!("cannot clear old checkpoints out of {}", run.display());
    for entry in fs::read_dir(run).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let steps = name.strip_prefix(FOLDER_PREFIX).and_then(|steps| steps.parse::<u64>().ok());
        if steps.is_some() && path != kept && path.is_dir() {
            fs::remove_dir_all(&path).with_context(context)?;
        }
    }
    for name in FILES_BESIDE_STATE {
        let path = run.join(name);
        if path.exists() {
            fs::remove_file(path).with_context(context)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn size() -> LifterSize {
        LifterSize { image_strides: vec![1, 2], encoder: 8, branch: 4, fuse: 8, fuse_residuals: 2, hindsight: 8 }
    }

    fn encoder_weights(network: &LifterNetwork) -> Vec<f32> {
        network.encode.weight.val().into_data().try_to_vec().unwrap()
    }

    fn committed(run: &Path, step: u64) -> Vec<f32> {
        let mut network = LifterNetwork::new(&size(), &Device::flex());
        // Other tests seed the generator that both draw from: equal draws must still differ.
        network.encode.weight = network.encode.weight.map(|weight| weight.mul_scalar(step as f32));
        commit(run, &CheckpointState::new(step, size()), |folder| save_module(&network, folder, "network")).unwrap();
        encoder_weights(&network)
    }

    #[test]
    fn a_newer_checkpoint_takes_the_place_of_the_older() {
        let run = tempfile::tempdir().unwrap();
        let first = committed(run.path(), 10);
        let second = committed(run.path(), 20);
        assert_ne!(first, second);
        let (network, state) = load(run.path(), Weights::Averaged).unwrap();
        assert_eq!((state.step, encoder_weights(&network)), (20, second));
        assert!(!run.path().join("step-10").exists());
    }

    #[test]
    fn a_write_that_fails_or_is_killed_leaves_the_previous_checkpoint_whole() {
        let run = tempfile::tempdir().unwrap();
        let first = committed(run.path(), 10);
        let full = commit(run.path(), &CheckpointState::new(20, size()), |folder| {
            fs::write(folder.join("network.bpk"), b"half of it").unwrap();
            anyhow::bail!("No space left on device")
        });
        let message = format!("{:#}", full.unwrap_err());
        assert!(message.contains("step 20") && message.contains("No space left"), "{message}");
        assert!(!run.path().join("step-20").exists());
        // Killed before the state named the new folder.
        fs::create_dir(run.path().join("step-30")).unwrap();
        fs::write(run.path().join("step-30/network.bpk"), b"half of it").unwrap();
        fs::write(run.path().join("state.json.partial"), b"{\"step\":3").unwrap();
        let (network, state) = load(run.path(), Weights::Averaged).unwrap();
        assert_eq!((state.step, encoder_weights(&network)), (10, first));
        let third = committed(run.path(), 30);
        assert_eq!(encoder_weights(&load(run.path(), Weights::Raw).unwrap().0), third);
    }

    #[test]
    fn runs_of_earlier_versions_are_read_and_replaced() {
        let run = tempfile::tempdir().unwrap();
        let network = LifterNetwork::new(&LifterSize { hindsight: 0, ..size() }, &Device::flex());
        save_module(&network, run.path(), "network").unwrap();
        let state = r#"{"step":5,"size":{"image_strides":[1,2],"encoder":8,"branch":4,"fuse":8}}"#;
        fs::write(run.path().join(STATE_FILE), state).unwrap();
        let (loaded, state) = load(run.path(), Weights::Averaged).unwrap();
        assert_eq!((state.step, encoder_weights(&loaded)), (5, encoder_weights(&network)));
        committed(run.path(), 10);
        assert!(!run.path().join("network.bpk").exists());
    }

    #[test]
    fn damage_is_named() {
        let run = tempfile::tempdir().unwrap();
        assert!(load(run.path(), Weights::Raw).unwrap_err().to_string().contains("no checkpoint"));
        committed(run.path(), 10);
        fs::write(run.path().join("step-10/network.bpk"), b"x").unwrap();
        let message = load(run.path(), Weights::Raw).unwrap_err().to_string();
        assert!(message.contains("step-10/network.bpk") && message.contains("a new run"), "{message}");
        assert!(!message.contains("Io(\""), "{message}");
    }
}
