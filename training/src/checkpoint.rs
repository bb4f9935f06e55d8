//! Checkpoints of a run: weights, optimiser and how far it has come.

use std::path::Path;

use anyhow::Context;
use burn::optim::ModuleOptimizer;
use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::network::{LifterNetwork, LifterSize};

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointState {
    /// Steps done.
    pub step: u64,
    /// Sizes of the network.
    pub size: LifterSize,
}

/// Loads the network of a checkpoint for use, without gradients.
///
/// # Errors
/// When the folder holds no checkpoint or a damaged one.
pub fn load(folder: &Path) -> anyhow::Result<(LifterNetwork, CheckpointState)> {
    let state =
        read_state(folder)?.with_context(|| format!("{} holds no checkpoint (no state.json)", folder.display()))?;
    let network = LifterNetwork::new(&state.size, &Device::flex());
    let network = network
        .try_load_file(folder.join("network"))
        .map_err(|error| anyhow::anyhow!("checkpoint network: {error:?}"))?;
    Ok((network.valid(), state))
}

/// What the checkpoint in `folder` says of itself, if there is one.
pub(crate) fn read_state(folder: &Path) -> anyhow::Result<Option<CheckpointState>> {
    let path = folder.join("state.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(|| path.display().to_string())?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Writes a checkpoint.
pub(crate) fn save(
    folder: &Path,
    network: &LifterNetwork,
    optimizer: &ModuleOptimizer,
    state: &CheckpointState,
) -> anyhow::Result<()> {
    network
        .clone()
        .save_file(folder.join("network"))
        .map_err(|error| anyhow::anyhow!("cannot save the network: {error:?}"))?;
    optimizer
        .save(folder.join("optimizer"))
        .map_err(|error| anyhow::anyhow!("cannot save the optimizer: {error:?}"))?;
    let partial = folder.join("state.json.partial");
    std::fs::write(&partial, serde_json::to_string(state)?)?;
    std::fs::rename(&partial, folder.join("state.json"))?;
    Ok(())
}
