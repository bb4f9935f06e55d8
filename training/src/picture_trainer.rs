//! Training of the 2D networks: what learns, one step of it, and checkpoints.
//!
//! On the CPU each worker takes the gradient of the loss of its share of the samples on one core, then the gradients are
//! averaged: the operators of the tensor library use a second core poorly at these sizes (1.25 times as fast), two workers
//! use it well. A GPU gets all samples at once. Samples are drawn while those before are learnt.

use std::path::Path;

use anyhow::Context;
use burn::grad_clipping::GradientClippingConfig;
use burn::module::ParamGroup;
use burn::optim::{AdamWConfig, AdjustLrFn, GradientsAccumulator, GradientsParams, ModuleOptimizer, MuonConfig};
use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::average::WeightAverage;
use crate::checkpoint;
use crate::hardware::Hardware;
use crate::multi_scale::{Answers, MultiScaleNetwork, MultiScaleSize};
use crate::workers::Workers;

/// What a network learns.
pub trait PictureTask: Sync {
    /// Samples of one worker.
    type Batch: Send + Sync;

    /// `count` samples, the same for the same seed.
    fn draw(&self, count: usize, seed: u64) -> Self::Batch;

    /// The pictures, `[n, 3, H, W]`.
    fn pictures(&self, batch: &Self::Batch, device: &Device) -> Tensor<4>;

    /// A new network, made ready for this task.
    ///
    /// # Errors
    /// When weights to start from do not fit.
    fn prepare(&self, network: MultiScaleNetwork, _device: &Device) -> anyhow::Result<MultiScaleNetwork> {
        Ok(network)
    }

    /// The loss, a scalar.
    fn loss(&self, answers: Answers, batch: &Self::Batch) -> Tensor<1>;
}

/// The samples of a step that one worker learns from.
pub(crate) struct Share<B> {
    /// How many there are, at least one.
    samples: usize,
    batch: B,
}

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureRunState {
    /// Steps done.
    pub step: u64,
    /// Time spent training, s.
    pub secs: f64,
    /// Sizes of the network.
    pub size: MultiScaleSize,
    /// Updates of the average of the weights.
    pub average_updates: u64,
    /// Folder of the files, inside that of the run.
    folder: String,
}

impl checkpoint::RunState for PictureRunState {
    fn step(&self) -> u64 {
        self.step
    }

    fn folder(&self) -> Option<&str> {
        Some(&self.folder)
    }
}

/// All that learns, and all that a checkpoint holds.
pub(crate) struct PictureTrainer {
    size: MultiScaleSize,
    network: MultiScaleNetwork,
    optimizer: ModuleOptimizer,
    average: WeightAverage<MultiScaleNetwork>,
    device: Device,
    workers: Workers,
    seed: u64,
    /// Steps done.
    pub step: u64,
    /// Time spent training, s.
    pub secs: f64,
}

/// Decay of the moving average of the weights.
const AVERAGE_DECAY: f64 = 0.998;

impl PictureTrainer {
    /// Goes on from the checkpoint in `folder`; without one, starts from weights drawn with `seed`.
    pub(crate) fn resume<T: PictureTask>(
        folder: &Path,
        size: &MultiScaleSize,
        task: &T,
        hardware: &Hardware,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let device = hardware.device().clone().autodiff();
        device.seed(seed);
        let state = checkpoint::read_state::<PictureRunState>(folder)?;
        let network = MultiScaleNetwork::new(size, &device);
        let network = if state.is_some() { network } else { task.prepare(network, &device)? };
        let mut trainer = Self {
            size: size.clone(),
            optimizer: optimizer()?,
            average: WeightAverage::new(network.valid(), AVERAGE_DECAY, 0),
            network,
            device: device.clone(),
            workers: hardware.workers()?,
            seed,
            step: 0,
            secs: 0.0,
        };
        let Some(state) = state else { return Ok(trainer) };
        anyhow::ensure!(
            state.size == *size,
            "the checkpoint in {} has sizes {:?}, asked for are {size:?}; use another folder",
            folder.display(),
            state.size
        );
        let files = checkpoint::files(&state, folder);
        trainer.network = checkpoint::load_module(trainer.network, &files, "network")?;
        trainer.optimizer = checkpoint::load_optimizer(trainer.optimizer, &files, "optimizer")?;
        let average = checkpoint::load_module(trainer.network.valid(), &files, "average")?;
        trainer.average = WeightAverage::new(average, AVERAGE_DECAY, state.average_updates);
        (trainer.step, trainer.secs) = (state.step, state.secs);
        Ok(trainer)
    }

    /// The `count` samples of a step as they are drawn for it, a share for each worker that one can be had for.
    pub(crate) fn draws<'a, T: PictureTask>(
        &self,
        task: &'a T,
        count: usize,
    ) -> impl Fn(u64) -> Vec<Share<T::Batch>> + Sync + use<'a, T> {
        let (workers, seed) = (self.workers.count().min(count), self.seed);
        move |step| {
            let share = |worker: usize| {
                let samples = count / workers + usize::from(worker < count % workers);
                let number = step * workers as u64 + worker as u64 + 1;
                Share { samples, batch: task.draw(samples, seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) }
            };
            (0..workers).map(share).collect()
        }
    }

    /// One step down the gradient of the loss over what was drawn for it; gives the loss.
    pub(crate) fn step<T: PictureTask>(
        &mut self,
        task: &T,
        drawn: Vec<Share<T::Batch>>,
        learning_rate: f64,
    ) -> anyhow::Result<f32> {
        let samples = drawn.iter().map(|share| share.samples).sum::<usize>() as f32;
        let (device, step) = (&self.device, self.step);
        // A copy for each: two backward passes through the same leaves would be one graph.
        let copies: Vec<_> = drawn.into_iter().map(|share| (share, self.network.valid().train())).collect();
        let parts: Vec<(GradientsParams, f32)> = self.workers.map(&copies, |(share, network)| {
            gradient(task, network, device, &share.batch, share.samples as f32 / samples)
        })?;
        let loss = parts.iter().map(|(_, loss)| loss).sum::<f32>();
        anyhow::ensure!(loss.is_finite(), "the loss of step {step} is not finite");
        let mut sum = GradientsAccumulator::new();
        for (gradients, _) in parts {
            sum.accumulate(&self.network, gradients);
        }
        self.network = self.optimizer.step(learning_rate, self.network.clone(), sum.grads());
        self.average.update(&self.network);
        self.step += 1;
        Ok(loss)
    }

    /// The average of the weights, for use on the CPU.
    pub(crate) fn network(&self) -> MultiScaleNetwork {
        self.average.network().clone().to_device(&Device::flex())
    }

    /// Writes a checkpoint.
    pub(crate) fn save(&self, folder: &Path) -> anyhow::Result<()> {
        let state = PictureRunState {
            step: self.step,
            secs: self.secs,
            size: self.size.clone(),
            average_updates: self.average.updates(),
            folder: format!("{}{}", checkpoint::FOLDER_PREFIX, self.step),
        };
        checkpoint::commit(folder, &state, |files| {
            checkpoint::save_module(&self.network, files, "network")?;
            checkpoint::save_optimizer(&self.optimizer, files, "optimizer")?;
            checkpoint::save_module(self.average.network(), files, "average")
        })
    }
}

/// Loads the average of the weights of the checkpoint in `run`, for use on the CPU.
///
/// # Errors
/// When the folder holds no checkpoint or a damaged one.
pub fn load(run: &Path) -> anyhow::Result<(MultiScaleNetwork, PictureRunState)> {
    let state: PictureRunState =
        checkpoint::read_state(run)?.with_context(|| format!("{} holds no checkpoint", run.display()))?;
    let network = MultiScaleNetwork::new(&state.size, &Device::flex());
    let network = checkpoint::load_module(network, &checkpoint::files(&state, run), "average")?;
    Ok((network.valid(), state))
}

/// Gradient of `share` of the mean loss over the samples, and that share of the loss.
fn gradient<T: PictureTask>(
    task: &T,
    network: &MultiScaleNetwork,
    device: &Device,
    batch: &T::Batch,
    share: f32,
) -> (GradientsParams, f32) {
    let loss = task.loss(network.forward(task.pictures(batch, device)), batch).mul_scalar(share);
    let value = loss.clone().into_scalar::<f32>();
    (GradientsParams::from_grads(loss.backward(), network), value)
}

/// Filters by orthogonalised momentum (Muon), everything else by Adam.
fn optimizer() -> anyhow::Result<ModuleOptimizer> {
    let clipping = GradientClippingConfig::Norm(1.0);
    let adam = AdamWConfig::new().with_weight_decay(1e-4).with_grad_clipping(Some(clipping)).init();
    let hidden = ParamGroup::from_regex(r"(modules|gather).*weight$")
        .map_err(|error| anyhow::anyhow!("the pattern of hidden matrices: {error:?}"))?;
    Ok(adam.with_group(hidden, MuonConfig::new().with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW).build(), None))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::keypoint_crop::CropSettings;
    use crate::keypoint_task::KeypointTask;
    use crate::labelled_picture::Waver;

    fn size() -> MultiScaleSize {
        MultiScaleSize {
            width_px: 32,
            height_px: 64,
            stem: 4,
            channels: vec![8, 8, 8],
            modules: vec![2, 3],
            blocks: vec![1; 3],
            head: 8,
            ..MultiScaleSize::small()
        }
    }

    fn task() -> KeypointTask<Waver> {
        let size = size();
        let crops = CropSettings { picture: size.picture(), target_sigma: size.target_sigma() };
        KeypointTask { source: Waver, crops, start_from: None }
    }

    fn answers(network: &MultiScaleNetwork) -> Vec<f32> {
        let picture = Tensor::ones([1, 3, 64, 32], &Device::flex());
        crate::export::floats(network.forward(picture).maps)
    }

    fn step(trainer: &mut PictureTrainer, task: &KeypointTask<Waver>) -> f32 {
        let drawn = trainer.draws(task, 6)(trainer.step);
        trainer.step(task, drawn, 5e-3).unwrap()
    }

    #[test]
    fn more_workers_than_samples_learn_and_every_sample_counts_alike() {
        let (run, task) = (tempfile::tempdir().unwrap(), task());
        let mut trainer = PictureTrainer::resume(run.path(), &size(), &task, &Hardware::cpu(5), 1).unwrap();
        for count in [1, 3] {
            let drawn = trainer.draws(&task, count)(trainer.step);
            assert_eq!(drawn.len(), count);
            assert!(trainer.step(&task, drawn, 5e-3).unwrap().is_finite());
        }
        let drawn = trainer.draws(&task, 7)(trainer.step);
        assert_eq!(drawn.iter().map(|share| share.samples).collect::<Vec<_>>(), [2, 2, 1, 1, 1]);
        let device = trainer.device.clone();
        let mean = |share: &Share<_>| gradient(&task, &trainer.network, &device, &share.batch, 1.0).1;
        let wanted = drawn.iter().map(|share| mean(share) * share.samples as f32 / 7.0).sum::<f32>();
        let loss = trainer.step(&task, drawn, 5e-3).unwrap();
        assert!((loss - wanted).abs() < 1e-5 * wanted.abs(), "{loss} instead of {wanted}");
    }

    #[test]
    fn a_run_taken_up_again_ends_where_one_in_a_piece_ends_and_learns() {
        let (run, task) = (tempfile::tempdir().unwrap(), task());
        let mut whole = PictureTrainer::resume(run.path(), &size(), &task, &Hardware::cpu(2), 1).unwrap();
        whole.save(run.path()).unwrap();
        let losses: Vec<f32> = (0..24).map(|_| step(&mut whole, &task)).collect();
        for steps in [10, 14] {
            let mut part = PictureTrainer::resume(run.path(), &size(), &task, &Hardware::cpu(2), 1).unwrap();
            for _ in 0..steps {
                step(&mut part, &task);
            }
            part.secs += 1.5;
            part.save(run.path()).unwrap();
        }
        let (averaged, state) = load(run.path()).unwrap();
        assert_eq!((state.step, state.average_updates), (24, 24));
        assert!((state.secs - 3.0).abs() < 1e-9);
        assert_eq!(answers(&averaged), answers(&whole.network()));
        let (early, late) = (losses[..4].iter().sum::<f32>(), losses[20..].iter().sum::<f32>());
        assert!(late < 0.93 * early, "{losses:?}");
        let larger = MultiScaleSize { head: 16, ..size() };
        let error = PictureTrainer::resume(run.path(), &larger, &task, &Hardware::cpu(2), 1).err().unwrap().to_string();
        assert!(error.contains("head: 8") && error.contains("head: 16"), "{error}");
    }
}
