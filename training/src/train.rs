//! The training loop.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Instant;

use anyhow::Context;
use burn::grad_clipping::GradientClippingConfig;
use burn::module::ParamGroup;
use burn::optim::{AdamWConfig, AdjustLrFn, GradientsParams, ModuleOptimizer, MuonConfig};
use burn::prelude::*;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use stridepose::stages::window::FEATURE_COUNT;

use crate::batch::{self, Batch, BatchSettings, Corpus, POSE_VALUES};
use crate::loss::{LossWeights, loss};
use crate::network::{LOOKAHEADS, LifterNetwork, LifterSize, Rows};
use crate::noise::DetectorNoise;

/// One run.
#[derive(Clone, Debug)]
pub struct TrainSettings {
    /// Where checkpoints and the log go.
    pub folder: PathBuf,
    /// Sizes.
    pub size: LifterSize,
    /// How clips are drawn.
    pub batch: BatchSettings,
    /// Steps of the whole schedule.
    pub steps: u64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
}

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointState {
    /// Steps done.
    pub step: u64,
    /// Sizes of the network.
    pub size: LifterSize,
}

#[derive(Serialize)]
struct LogLine {
    step: u64,
    secs: f64,
    learning_rate: f64,
    position_mm: f32,
    likelihood: f32,
}

/// Severity of occlusions at `step`: from minor to severe over the first half.
fn severity(step: u64, steps: u64) -> f64 {
    (0.2 + 1.6 * step as f64 / steps as f64).min(1.0)
}

/// Linear warm-up, then linear to zero over the last 95 %.
fn learning_rate(step: u64, steps: u64, peak: f64) -> f64 {
    let warm_up = (step as f64 + 1.0) / (0.02 * steps as f64).max(1.0);
    let cool_down = (steps - step) as f64 / (0.95 * steps as f64);
    peak * warm_up.min(cool_down).min(1.0)
}

/// Trains and returns the final network. Resumes from `folder` when it holds a checkpoint.
///
/// # Errors
/// When a file cannot be written or a checkpoint does not fit.
pub fn train(settings: &TrainSettings, corpus: &Corpus<'_>, noise: &DetectorNoise) -> anyhow::Result<LifterNetwork> {
    std::fs::create_dir_all(&settings.folder)
        .with_context(|| format!("cannot create {}", settings.folder.display()))?;
    let device = Device::flex().autodiff();
    let mut network = LifterNetwork::new(&settings.size, &device);
    let mut optimizer = optimizer()?;
    let mut first_step = 0;
    if let Some(state) = read_state(&settings.folder)? {
        anyhow::ensure!(
            state.size == settings.size,
            "the checkpoint in {} has sizes {:?}, asked for are {:?}; use another folder",
            settings.folder.display(),
            state.size,
            settings.size
        );
        network = network.try_load_file(settings.folder.join("network")).context("checkpoint network")?;
        optimizer = optimizer
            .load(settings.folder.join("optimizer"))
            .map_err(|error| anyhow::anyhow!("checkpoint optimizer: {error:?}"))?;
        first_step = state.step;
    }
    let mut log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(settings.folder.join("log.jsonl"))
        .context("cannot write log.jsonl")?;
    let bar = ProgressBar::new(settings.steps).with_style(ProgressStyle::with_template(
        "{elapsed_precise} [{wide_bar}] {pos}/{len} steps, {eta} left, {msg}",
    )?);
    bar.set_position(first_step);
    let began = Instant::now();
    std::thread::scope(|scope| -> anyhow::Result<LifterNetwork> {
        let (sender, receiver) = mpsc::sync_channel::<Batch>(2);
        scope.spawn(move || {
            for step in first_step..settings.steps {
                let drawn =
                    batch::draw(corpus, noise, &settings.batch, severity(step, settings.steps), settings.seed, step);
                if sender.send(drawn).is_err() {
                    return;
                }
            }
        });
        let mut mean = None;
        for step in first_step..settings.steps {
            let drawn = receiver.recv().context("the thread that draws batches ended")?;
            let clips = drawn.clips;
            let rows = drawn.weights.len() / LOOKAHEADS.len();
            let tensor = |values: &[f32], shape: [usize; 2]| {
                Tensor::<1>::from_data(TensorData::from(values), &device).reshape(shape)
            };
            let features = tensor(&drawn.features, [drawn.length * clips, FEATURE_COUNT]);
            let targets = tensor(&drawn.targets, [rows, LOOKAHEADS.len() * POSE_VALUES]);
            let weights = tensor(&drawn.weights, [rows, LOOKAHEADS.len()]);
            let answers = network.forward(features, &settings.size.image_strides, clips, Rows::Pairs);
            let loss = loss(&answers, &targets, &weights, clips, &LossWeights::default());
            let position_mm = 1e3 * loss.position.into_scalar::<f32>();
            let likelihood = loss.likelihood.into_scalar::<f32>();
            anyhow::ensure!(position_mm.is_finite(), "the loss of step {step} is not finite");
            let gradients = GradientsParams::from_grads(loss.total.backward(), &network);
            let rate = learning_rate(step, settings.steps, settings.learning_rate);
            network = optimizer.step(rate, network, gradients);
            let smooth = mean.map_or(position_mm, |mean: f32| 0.98 * mean + 0.02 * position_mm);
            mean = Some(smooth);
            bar.set_message(format!("{smooth:.1} mm"));
            bar.inc(1);
            if (step + 1) % 20 == 0 {
                let line = LogLine {
                    step: step + 1,
                    secs: began.elapsed().as_secs_f64(),
                    learning_rate: rate,
                    position_mm: smooth,
                    likelihood,
                };
                writeln!(log, "{}", serde_json::to_string(&line)?)?;
            }
            if (step + 1) % settings.checkpoint_every == 0 || step + 1 == settings.steps {
                save(
                    &settings.folder,
                    &network,
                    &optimizer,
                    &CheckpointState { step: step + 1, size: settings.size.clone() },
                )?;
            }
        }
        bar.finish();
        Ok(network)
    })
}

/// Hidden matrices by orthogonalised momentum (Muon), everything else by Adam.
fn optimizer() -> anyhow::Result<ModuleOptimizer> {
    let clipping = GradientClippingConfig::Norm(1.0);
    let adam = AdamWConfig::new().with_weight_decay(1e-4).with_grad_clipping(Some(clipping)).init();
    let hidden = ParamGroup::from_regex(r"(encoder|branches|join|fuse).*weight$")
        .map_err(|error| anyhow::anyhow!("the pattern of hidden matrices: {error:?}"))?;
    Ok(adam.with_group(hidden, MuonConfig::new().with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW).build(), None))
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

fn read_state(folder: &Path) -> anyhow::Result<Option<CheckpointState>> {
    let path = folder.join("state.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(|| path.display().to_string())?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn save(
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
