//! Adversarial training: the discriminator learns to tell answered movements from true ones, the lifter to be told
//! from them no longer. Both by least squares (Mao et al. 2017, arXiv 1611.04076).
//!
//! Windows are cut from the last [`TAIL`] samples of every clip, which are answered one by one for this.
//! The discriminator begins when the answers have become bodies, the lifter listens to it later still.

use std::path::Path;

use burn::grad_clipping::GradientClippingConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use stridepose::skeleton::JOINT_COUNT;

use crate::batch::{Batch, POSE_VALUES};
use crate::checkpoint::{self, CheckpointState};
use crate::discriminator::{Discriminator, DiscriminatorKind, KinematicChain, WINDOW_AGES};

/// Samples at the end of each clip that windows are cut from.
pub const TAIL: usize = 12;
/// Share of the schedule after which the discriminator learns.
const DISCRIMINATOR_FROM: f64 = 0.1;
/// Share of the schedule after which the lifter listens.
const LIFTER_FROM: f64 = 0.2;
const LEARNING_RATE: f64 = 2e-4;
const FILE: &str = "discriminator";
const OPTIMIZER_FILE: &str = "discriminator_optimizer";

/// The discriminator with its own optimiser.
pub(crate) struct Adversary {
    judge: Judge,
    optimizer: ModuleOptimizer,
}

impl Adversary {
    pub(crate) fn new(kind: DiscriminatorKind, weight: f32, device: &Device) -> Self {
        let adam = AdamWConfig::new()
            .with_beta_1(0.5)
            .with_weight_decay(1e-4)
            .with_grad_clipping(Some(GradientClippingConfig::Norm(1.0)));
        let judge = Judge { kind, weight, network: Discriminator::new(kind, device), kcs: KinematicChain::new(device) };
        Self { judge, optimizer: adam.init() }
    }

    pub(crate) fn kind(&self) -> DiscriminatorKind {
        self.judge.kind
    }

    /// A copy of the discriminator as it is now, to be listened to: what is learnt from it is learnt by the lifter alone.
    pub(crate) fn judge(&self) -> Judge {
        Judge { network: self.judge.network.valid().train(), kcs: self.judge.kcs.clone(), ..self.judge }
    }

    /// One step of the discriminator; its loss, 0.25 when it cannot tell; `None` before it begins.
    pub(crate) fn learn(
        &mut self,
        truth: &Tensor<2>,
        answered: &Tensor<2>,
        progress: f64,
    ) -> anyhow::Result<Option<f32>> {
        if progress < DISCRIMINATOR_FROM {
            return Ok(None);
        }
        let Judge { network, kcs, .. } = &self.judge;
        let on_truth = network.forward(truth, kcs).sub_scalar(1.0).powi_scalar(2).mean();
        let on_answers = network.forward(&answered.clone().detach(), kcs).powi_scalar(2).mean();
        let loss = (on_truth + on_answers).mul_scalar(0.5);
        let value = loss.clone().into_scalar::<f32>();
        anyhow::ensure!(value.is_finite(), "the loss of the discriminator is not finite");
        let gradients = GradientsParams::from_grads(loss.backward(), network);
        self.judge.network = self.optimizer.step(LEARNING_RATE, network.clone(), gradients);
        Ok(Some(value))
    }

    pub(crate) fn load(mut self, files: &Path) -> anyhow::Result<Self> {
        self.judge.network = checkpoint::load_module(self.judge.network, files, FILE)?;
        self.optimizer = checkpoint::load_optimizer(self.optimizer, files, OPTIMIZER_FILE)?;
        Ok(self)
    }

    pub(crate) fn save(&self, files: &Path) -> anyhow::Result<()> {
        checkpoint::save_module(&self.judge.network, files, FILE)?;
        checkpoint::save_optimizer(&self.optimizer, files, OPTIMIZER_FILE)
    }
}

/// A discriminator that a lifter listens to.
pub(crate) struct Judge {
    kind: DiscriminatorKind,
    /// Weight of the adversarial term in the lifter's loss, m.
    weight: f32,
    network: Discriminator,
    kcs: KinematicChain,
}

impl Judge {
    pub(crate) fn kind(&self) -> DiscriminatorKind {
        self.kind
    }

    /// What the lifter is to add to its loss for its answers to `windows`, m; `None` before it listens.
    pub(crate) fn persuade(&self, windows: &Tensor<2>, progress: f64) -> Option<Tensor<1>> {
        if progress < LIFTER_FROM || self.weight <= 0.0 {
            return None;
        }
        let off = self.network.forward(windows, &self.kcs).sub_scalar(1.0);
        Some(off.powi_scalar(2).mean().mul_scalar(0.5 * self.weight))
    }
}

/// Loads the discriminator of the checkpoint in `run` for use; `None` when the run has none.
///
/// # Errors
/// When the folder holds no checkpoint or a damaged one.
pub fn load(run: &Path) -> anyhow::Result<Option<(Discriminator, DiscriminatorKind)>> {
    let Some(state) = checkpoint::read_state::<CheckpointState>(run)? else {
        anyhow::bail!("{} holds no checkpoint", run.display());
    };
    let Some(kind) = state.discriminator else { return Ok(None) };
    let network = checkpoint::load_module(Discriminator::new(kind, &Device::flex()), &state.files(run), FILE)?;
    Ok(Some((network, kind)))
}

/// The true movements of the labelled clips of a batch.
pub(crate) fn labelled_windows(batch: &Batch, kind: DiscriminatorKind, device: &Device) -> Tensor<2> {
    let poses = Tensor::<1>::from_data(TensorData::from(batch.tail_targets.as_slice()), device);
    let poses = poses
        .reshape([TAIL, batch.clips * POSE_VALUES])
        .slice([0..TAIL, 0..batch.labelled * POSE_VALUES])
        .reshape([TAIL * batch.labelled, POSE_VALUES]);
    windows(&poses, batch.labelled, kind)
}

/// `poses` `[TAIL * clips, 51]`, time-major, to `[windows, kind.poses() * 51]`, relative to the pelvis.
pub(crate) fn windows(poses: &Tensor<2>, clips: usize, kind: DiscriminatorKind) -> Tensor<2> {
    let root = poses.clone().slice([0..TAIL * clips, 0..3]).repeat_dim(1, JOINT_COUNT);
    let poses = poses.clone() - root;
    let ages = &WINDOW_AGES[..kind.poses()];
    let oldest = WINDOW_AGES[WINDOW_AGES.len() - 1];
    let windows = (oldest..TAIL)
        .map(|time| {
            let at =
                |age: &usize| poses.clone().slice([(time - age) * clips..(time - age + 1) * clips, 0..POSE_VALUES]);
            Tensor::cat(ages.iter().map(at).collect(), 1)
        })
        .collect();
    Tensor::cat(windows, 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tail(clips: usize, of: impl Fn(usize, usize, usize) -> f32) -> Vec<f32> {
        (0..TAIL * clips * POSE_VALUES)
            .map(|index| of(index / (clips * POSE_VALUES), index / POSE_VALUES % clips, index % POSE_VALUES))
            .collect()
    }

    fn tensor(values: &[f32], device: &Device) -> Tensor<2> {
        let rows = values.len() / POSE_VALUES;
        Tensor::<1>::from_data(TensorData::from(values), device).reshape([rows, POSE_VALUES])
    }

    #[test]
    fn windows_hold_the_poses_of_their_ages() {
        let poses = tail(2, |time, clip, value| if value < 3 { 1.0 } else { (100 * clip + time) as f32 + 1.0 });
        let windows = windows(&tensor(&poses, &Device::flex()), 2, DiscriminatorKind::SpatioTemporal);
        assert_eq!(windows.dims(), [8, 5 * POSE_VALUES]);
        let values: Vec<f32> = windows.into_data().try_to_vec().unwrap();
        for (window, (time, clip)) in (8..12).flat_map(|time| [(time, 0), (time, 1)]).enumerate() {
            for (index, age) in WINDOW_AGES.into_iter().enumerate() {
                let at = (window * 5 + index) * POSE_VALUES;
                assert_eq!(values[at], 0.0, "the pelvis is the origin");
                assert_eq!(values[at + 3], (100 * clip + time - age) as f32);
            }
        }
    }

    /// Bodies of one shape that swing slowly, and bodies that jitter: the temporal one can tell.
    #[test]
    fn the_discriminator_learns_to_tell_and_the_lifter_is_pulled_to_the_truth() {
        let device = Device::flex().autodiff();
        let kind = DiscriminatorKind::SpatioTemporal;
        let mut adversary = Adversary::new(kind, 0.1, &device);
        let smooth = |shift: f32| {
            let value = move |time: usize, clip: usize, value: usize| {
                (value as f32 * 0.9 + 0.02 * time as f32 + clip as f32 * 0.3 + shift).sin()
            };
            tensor(&tail(8, value), &device)
        };
        let jittering = |shift: f32| {
            let value = move |time: usize, clip: usize, value: usize| {
                let jitter = 0.2 * ((time * 7919 + value * 104_729 + clip * 31) as f32).sin();
                (value as f32 * 0.9 + 0.02 * time as f32 + clip as f32 * 0.3 + shift).sin() + jitter
            };
            tensor(&tail(8, value), &device)
        };
        assert!(adversary.learn(&smooth(0.0), &smooth(0.0), 0.05).unwrap().is_none(), "too early");
        assert!(adversary.judge().persuade(&windows(&smooth(0.0), 8, kind), 0.15).is_none(), "too early");
        let mut losses = Vec::new();
        for step in 0..60 {
            let shift = step as f32 * 0.1;
            let (truth, answered) = (windows(&smooth(shift), 8, kind), windows(&jittering(shift), 8, kind));
            losses.push(adversary.learn(&truth, &answered, 0.5).unwrap().unwrap());
        }
        assert!(losses[59] < 0.1 && losses[59] < losses[0], "{} -> {}", losses[0], losses[59]);
        let pull =
            |poses: &Tensor<2>| adversary.judge().persuade(&windows(poses, 8, kind), 0.5).unwrap().into_scalar::<f32>();
        assert!(pull(&smooth(0.33)) < pull(&jittering(0.33)));
        let poses = jittering(0.33).require_grad();
        let gradients = adversary.judge().persuade(&windows(&poses, 8, kind), 0.5).unwrap().backward();
        let gradient = poses.grad(&gradients).unwrap().abs().sum().into_scalar::<f32>();
        assert!(gradient > 0.0 && gradient.is_finite());
    }
}
