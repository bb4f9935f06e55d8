//! What is trained, and one step of it.

use std::path::Path;

use anyhow::Context;
use burn::grad_clipping::GradientClippingConfig;
use burn::module::ParamGroup;
use burn::optim::{AdamWConfig, AdjustLrFn, GradientsParams, ModuleOptimizer, MuonConfig};
use burn::prelude::*;
use stridepose::stages::window::FEATURE_COUNT;

use crate::batch::{Batch, POSE_VALUES};
use crate::checkpoint::{self, CheckpointState};
use crate::loss::{LossWeights, loss};
use crate::network::{LOOKAHEADS, LifterNetwork, LifterSize, Rows};

/// What one step says of itself.
pub(crate) struct StepReport {
    /// Mean joint distance of the first head, mm.
    pub position_mm: f32,
    /// Mean likelihood of the first head, nats a coordinate.
    pub likelihood: f32,
}

/// All that learns, and all that a checkpoint holds.
pub(crate) struct Trainer {
    device: Device,
    size: LifterSize,
    network: LifterNetwork,
    optimizer: ModuleOptimizer,
    /// Steps done.
    pub step: u64,
}

impl Trainer {
    /// Goes on from the checkpoint in `folder`; without one, starts anew.
    pub(crate) fn resume(folder: &Path, size: &LifterSize) -> anyhow::Result<Self> {
        let device = Device::flex().autodiff();
        let mut trainer = Self {
            network: LifterNetwork::new(size, &device),
            optimizer: optimizer()?,
            size: size.clone(),
            step: 0,
            device,
        };
        let Some(state) = checkpoint::read_state(folder)? else { return Ok(trainer) };
        anyhow::ensure!(
            state.size == *size,
            "the checkpoint in {} has sizes {:?}, asked for are {size:?}; use another folder",
            folder.display(),
            state.size
        );
        trainer.network = trainer.network.try_load_file(folder.join("network")).context("checkpoint network")?;
        trainer.optimizer = trainer
            .optimizer
            .load(folder.join("optimizer"))
            .map_err(|error| anyhow::anyhow!("checkpoint optimizer: {error:?}"))?;
        trainer.step = state.step;
        Ok(trainer)
    }

    /// One step down the gradient of the loss over `batch`.
    pub(crate) fn step(&mut self, batch: &Batch, learning_rate: f64) -> anyhow::Result<StepReport> {
        let clips = batch.clips;
        let rows = batch.weights.len() / LOOKAHEADS.len();
        let features = self.tensor(&batch.features, [batch.length * clips, FEATURE_COUNT]);
        let targets = self.tensor(&batch.targets, [rows, LOOKAHEADS.len() * POSE_VALUES]);
        let weights = self.tensor(&batch.weights, [rows, LOOKAHEADS.len()]);

        let answers = self.network.forward(features, &self.size.image_strides, clips, Rows::Pairs);
        let loss = loss(&answers, &targets, &weights, clips, &LossWeights::default());
        let report = StepReport {
            position_mm: 1e3 * loss.position.into_scalar::<f32>(),
            likelihood: loss.likelihood.into_scalar::<f32>(),
        };
        anyhow::ensure!(report.position_mm.is_finite(), "the loss of step {} is not finite", self.step);

        let gradients = GradientsParams::from_grads(loss.total.backward(), &self.network);
        self.network = self.optimizer.step(learning_rate, self.network.clone(), gradients);
        self.step += 1;
        Ok(report)
    }

    /// The network as it is, for use.
    pub(crate) fn network(&self) -> LifterNetwork {
        self.network.valid()
    }

    /// Writes a checkpoint.
    pub(crate) fn save(&self, folder: &Path) -> anyhow::Result<()> {
        let state = CheckpointState { step: self.step, size: self.size.clone() };
        checkpoint::save(folder, &self.network, &self.optimizer, &state)
    }

    fn tensor(&self, values: &[f32], shape: [usize; 2]) -> Tensor<2> {
        Tensor::<1>::from_data(TensorData::from(values), &self.device).reshape(shape)
    }
}

/// Hidden matrices by orthogonalised momentum (Muon), everything else by Adam.
fn optimizer() -> anyhow::Result<ModuleOptimizer> {
    let clipping = GradientClippingConfig::Norm(1.0);
    let adam = AdamWConfig::new().with_weight_decay(1e-4).with_grad_clipping(Some(clipping)).init();
    let hidden = ParamGroup::from_regex(r"(encoder|branches|join|fuse).*weight$")
        .map_err(|error| anyhow::anyhow!("the pattern of hidden matrices: {error:?}"))?;
    Ok(adam.with_group(hidden, MuonConfig::new().with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW).build(), None))
}
