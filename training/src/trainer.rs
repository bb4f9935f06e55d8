//! What is trained, and one step of it.

use std::path::Path;

use burn::grad_clipping::GradientClippingConfig;
use burn::module::ParamGroup;
use burn::optim::{AdamWConfig, AdjustLrFn, GradientsParams, ModuleOptimizer, MuonConfig};
use burn::prelude::*;
use stridepose::stages::window::FEATURE_COUNT;

use crate::average::WeightAverage;
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
    average: Option<WeightAverage<LifterNetwork>>,
    /// Steps done.
    pub step: u64,
}

impl Trainer {
    /// Goes on from the checkpoint in `folder`; without one, starts anew. `average_decay` 0 keeps no average.
    pub(crate) fn resume(folder: &Path, size: &LifterSize, average_decay: f64) -> anyhow::Result<Self> {
        let device = Device::flex().autodiff();
        let mut network = LifterNetwork::new(size, &device);
        let mut optimizer = optimizer()?;
        let average =
            |network, updates| (average_decay > 0.0).then(|| WeightAverage::new(network, average_decay, updates));
        let Some(state) = checkpoint::read_state(folder)? else {
            let average = average(network.valid(), 0);
            return Ok(Self { device, size: size.clone(), network, optimizer, average, step: 0 });
        };
        anyhow::ensure!(
            state.size == *size,
            "the checkpoint in {} has sizes {:?}, asked for are {size:?}; use another folder",
            folder.display(),
            state.size
        );
        let files = state.files(folder);
        network = checkpoint::load_module(network, &files, "network")?;
        optimizer = optimizer
            .load(files.join("optimizer"))
            .map_err(|error| anyhow::anyhow!("checkpoint {}/optimizer.bpk: {error:?}", files.display()))?;
        let average = match state.average_updates {
            Some(updates) => average(checkpoint::load_module(network.valid(), &files, "average")?, updates),
            None => average(network.valid(), 0),
        };
        Ok(Self { device, size: size.clone(), network, optimizer, average, step: state.step })
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
        if let Some(average) = &mut self.average {
            average.update(&self.network);
        }
        self.step += 1;
        Ok(report)
    }

    /// The network for use: the average of the weights where one is kept.
    pub(crate) fn network(&self) -> LifterNetwork {
        self.average.as_ref().map_or_else(|| self.network.valid(), |average| average.network().clone())
    }

    /// Writes a checkpoint.
    pub(crate) fn save(&self, folder: &Path) -> anyhow::Result<()> {
        let updates = self.average.as_ref().map(WeightAverage::updates);
        checkpoint::commit(folder, &CheckpointState::new(self.step, self.size.clone(), updates), |files| {
            checkpoint::save_module(&self.network, files, "network")?;
            if let Some(average) = &self.average {
                checkpoint::save_module(average.network(), files, "average")?;
            }
            self.optimizer
                .save(files.join("optimizer"))
                .map_err(|error| anyhow::anyhow!("cannot write {}/optimizer.bpk: {error:?}", files.display()))
        })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::checkpoint::Weights;
    use crate::network::HEAD_VALUES;

    fn size() -> LifterSize {
        LifterSize { image_strides: vec![1, 2], encoder: 16, branch: 8, fuse: 16 }
    }

    /// Any numbers do: the same for the same step.
    fn batch(step: u64) -> Batch {
        let values = |count: usize, scale: f32| {
            (0..count).map(|index| scale * ((index as f32) * 0.7 + step as f32).sin()).collect::<Vec<f32>>()
        };
        let (clips, length) = (3, 12);
        let rows = length / 6 * 2 * clips;
        Batch {
            clips,
            length,
            features: values(clips * length * FEATURE_COUNT, 1.0),
            targets: values(rows * LOOKAHEADS.len() * POSE_VALUES, 0.3),
            weights: vec![1.0; rows * LOOKAHEADS.len()],
        }
    }

    fn answers(network: &LifterNetwork) -> Vec<f32> {
        let features = Tensor::ones([4, FEATURE_COUNT], &Device::flex());
        let answers = network.forward(features, &size().image_strides, 1, Rows::All);
        assert_eq!(answers.dims(), [4, LOOKAHEADS.len() * HEAD_VALUES]);
        answers.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn a_run_taken_up_again_ends_where_one_in_a_piece_ends() {
        let run = tempfile::tempdir().unwrap();
        let mut whole = Trainer::resume(run.path(), &size(), 0.9).unwrap();
        whole.save(run.path()).unwrap();
        for step in 0..6 {
            whole.step(&batch(step), 1e-2).unwrap();
        }
        for stop in [3, 6] {
            let mut part = Trainer::resume(run.path(), &size(), 0.9).unwrap();
            for step in part.step..stop {
                part.step(&batch(step), 1e-2).unwrap();
            }
            part.save(run.path()).unwrap();
        }
        let (raw, state) = checkpoint::load(run.path(), Weights::Raw).unwrap();
        let (averaged, _) = checkpoint::load(run.path(), Weights::Averaged).unwrap();
        assert_eq!((state.step, state.average_updates), (6, Some(6)));
        assert_eq!(answers(&raw), answers(&whole.network.valid()));
        assert_eq!(answers(&averaged), answers(&whole.network()));
        assert_ne!(answers(&raw), answers(&averaged));
    }

    #[test]
    fn without_an_average_there_is_no_file_of_it_and_another_size_is_refused() {
        let run = tempfile::tempdir().unwrap();
        let trainer = Trainer::resume(run.path(), &size(), 0.0).unwrap();
        trainer.save(run.path()).unwrap();
        assert!(!run.path().join("step-0/average.bpk").exists());
        let (averaged, _) = checkpoint::load(run.path(), Weights::Averaged).unwrap();
        assert_eq!(answers(&averaged), answers(&trainer.network()));
        let larger = LifterSize { fuse: 32, ..size() };
        let error = Trainer::resume(run.path(), &larger, 0.0).err().unwrap().to_string();
        assert!(error.contains("fuse: 16") && error.contains("fuse: 32"), "{error}");
    }

    #[test]
    fn a_loss_that_is_not_finite_ends_the_run() {
        let run = tempfile::tempdir().unwrap();
        let mut trainer = Trainer::resume(run.path(), &size(), 0.0).unwrap();
        let mut broken = batch(0);
        broken.targets[0] = f32::NAN;
        let error = trainer.step(&broken, 1e-2).err().unwrap().to_string();
        assert!(error.contains("step 0"), "{error}");
    }
}
