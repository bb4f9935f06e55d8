//! What training minimises, over the loss rows of a batch:
//! * position: mean distance between answered and true joints (MPJPE, m), every head;
//! * velocity: mean distance between answered and true change from one sample to the next;
//! * normalised: the position once more, with the answer at the size that fits best (N-MPJPE, m);
//! * bones: how far each is from its mean length in the clip, and left ones from right ones (m);
//! * likelihood: Laplace negative log-likelihood of the stated scale, laterally and in depth, with the
//!   position held fixed, so that stating a large scale is no way to give up on a joint.

use burn::prelude::*;
use stridepose::skeleton::JOINT_COUNT;

use crate::bone_terms::{axes, bone_lengths, constancy, symmetry};
use crate::network::{HEAD_VALUES, LOOKAHEADS};

/// Weights of the terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossWeights {
    /// Velocity.
    pub velocity: f32,
    /// Likelihood of the scale.
    pub likelihood: f32,
    /// Position at the size that fits best.
    pub normalised: f32,
    /// Bones constant over the clip, and left ones as long as right ones.
    pub bones: f32,
    /// Share of each head, in the order of [`LOOKAHEADS`].
    pub heads: [f32; LOOKAHEADS.len()],
}

impl Default for LossWeights {
    fn default() -> Self {
        Self { velocity: 1.0, likelihood: 0.01, normalised: 0.0, bones: 0.0, heads: [0.5, 0.25, 0.25] }
    }
}

/// The loss and what it is made of.
pub struct Loss {
    /// What is minimised.
    pub total: Tensor<1>,
    /// Mean joint distance of the first head, m.
    pub position: Tensor<1>,
    /// Mean likelihood of the first head, nats per coordinate.
    pub likelihood: Tensor<1>,
}

/// `answers` `[rows, heads * HEAD_VALUES]`, `targets` `[rows, heads * 51]`, `weights` `[rows, heads]`;
/// rows are pairs of neighbouring samples: `[period, 2, clip]`.
pub fn loss(answers: &Tensor<2>, targets: &Tensor<2>, weights: &Tensor<2>, clips: usize, terms: &LossWeights) -> Loss {
    let rows = answers.dims()[0];
    let mut total = Tensor::zeros([1], &answers.device());
    let mut first = None;
    for (head, share) in terms.heads.into_iter().enumerate() {
        let values = answers.clone().slice([0..rows, head * HEAD_VALUES..(head + 1) * HEAD_VALUES]);
        let pose_values = JOINT_COUNT * 3;
        let pose = values.clone().slice([0..rows, 0..pose_values]);
        let target = targets.clone().slice([0..rows, head * pose_values..(head + 1) * pose_values]);
        let weight = weights.clone().slice([0..rows, head..head + 1]);
        let count = weight.clone().sum().clamp_min(1.0);
        let error = pose.clone() - target.clone();
        let distance = joint_distance(error.clone()).mean_dim(1);
        let position = (distance * weight.clone()).sum() / count.clone();

        let periods = rows / (2 * clips);
        let change = |x: Tensor<2>| {
            let width = x.dims()[1];
            let x = x.reshape([periods, 2, clips * width]);
            let at = |index: usize| x.clone().slice([0..periods, index..index + 1, 0..clips * width]);
            (at(1) - at(0)).reshape([periods * clips, width])
        };
        let both = weight
            .clone()
            .reshape([periods, 2, clips])
            .slice([0..periods, 0..1, 0..clips])
            .reshape([periods * clips, 1]);
        let velocity =
            (joint_distance(change(error.clone())).mean_dim(1) * both.clone()).sum() / both.sum().clamp_min(1.0);

        let mut extra = Tensor::zeros([1], &answers.device());
        if terms.normalised > 0.0 {
            let distance = joint_distance(best_size(&pose, &target) - target.clone()).mean_dim(1);
            let normalised = (distance * weight.clone()).sum() / count.clone();
            extra = extra + normalised.mul_scalar(terms.normalised);
        }
        if terms.bones > 0.0 {
            let lengths = bone_lengths(&axes(&pose));
            let bones = constancy(&lengths, &weight, clips) + symmetry(&lengths, &weight);
            extra = extra + bones.mul_scalar(terms.bones);
        }

        let likelihood = negative_log_likelihood(error.detach(), values.slice([0..rows, pose_values..HEAD_VALUES]));
        let likelihood = (likelihood * weight).sum() / count;
        total = total
            + (position.clone()
                + velocity.mul_scalar(terms.velocity)
                + likelihood.clone().mul_scalar(terms.likelihood)
                + extra)
                .mul_scalar(share);
        first.get_or_insert((position, likelihood));
    }
    let (position, likelihood) = first.unwrap_or_else(|| (total.clone(), total.clone()));
    Loss { total, position: position.detach(), likelihood: likelihood.detach() }
}

/// Each pose of `[rows, 51]` at the size that brings it nearest to its target.
fn best_size(pose: &Tensor<2>, target: &Tensor<2>) -> Tensor<2> {
    let product = (pose.clone() * target.clone()).sum_dim(1);
    let square = pose.clone().powi_scalar(2).sum_dim(1);
    pose.clone() * (product / square.add_scalar(1e-4)).clamp(0.2, 5.0)
}

/// `[rows, 51]` to `[rows, 17]`.
fn joint_distance(error: Tensor<2>) -> Tensor<2> {
    let rows = error.dims()[0];
    error.powi_scalar(2).reshape([rows, JOINT_COUNT, 3]).sum_dim(2).reshape([rows, JOINT_COUNT]).add_scalar(1e-8).sqrt()
}

/// Mean over coordinates of `ln 2b + |e| / b`; `[rows, 1]`.
fn negative_log_likelihood(error: Tensor<2>, log_scale: Tensor<2>) -> Tensor<2> {
    let rows = error.dims()[0];
    let error = error.abs().reshape([rows, JOINT_COUNT, 3]);
    let lateral = error.clone().slice([0..rows, 0..JOINT_COUNT, 0..2]).sum_dim(2).reshape([rows, JOINT_COUNT]);
    let depth = error.slice([0..rows, 0..JOINT_COUNT, 2..3]).reshape([rows, JOINT_COUNT]);
    // The root's own error is zero by construction: the floor keeps its scale from running away.
    let log_scale = log_scale.clamp(-6.0, 1.0);
    let log_lateral = log_scale.clone().slice([0..rows, 0..JOINT_COUNT]);
    let log_depth = log_scale.slice([0..rows, JOINT_COUNT..2 * JOINT_COUNT]);
    let lateral = log_lateral.clone().mul_scalar(2.0) + lateral * log_lateral.neg().exp();
    let depth = log_depth.clone() + depth * log_depth.neg().exp();
    (lateral + depth).mean_dim(1).div_scalar(3.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn scalar(tensor: Tensor<1>) -> f32 {
        tensor.into_data().try_to_vec::<f32>().unwrap()[0]
    }

    #[test]
    fn a_constant_offset_is_its_length_and_no_velocity() {
        let device = Device::flex();
        let rows = 8;
        let answers = Tensor::zeros([rows, LOOKAHEADS.len() * HEAD_VALUES], &device);
        let offset: Vec<f32> = (0..rows * LOOKAHEADS.len() * 17).flat_map(|_| [0.03_f32, 0.0, 0.04]).collect();
        let targets =
            Tensor::<1>::from_data(TensorData::from(offset.as_slice()), &device).reshape([rows, LOOKAHEADS.len() * 51]);
        let weights = Tensor::ones([rows, LOOKAHEADS.len()], &device);
        let terms = LossWeights { likelihood: 0.0, heads: [1.0, 0.0, 0.0], ..LossWeights::default() };
        let loss = loss(&answers, &targets, &weights, 2, &terms);
        assert!((scalar(loss.position) - 0.05).abs() < 1e-4);
        assert!((scalar(loss.total) - 0.05).abs() < 5e-4, "velocity of a constant error is zero");
    }

    /// Four poses of two clips, `[time, clip]`; `scale` times the target, limbs of the left side `longer`.
    fn with_size(scale: f32, longer: f32, terms: LossWeights) -> f32 {
        let device = Device::flex();
        let joint = |joint: usize| match stridepose::skeleton::Joint::ALL[joint] {
            of if of.mirrored() == of => 1.0,
            of if format!("{of:?}").starts_with('L') => longer,
            _ => 1.0,
        };
        let target: Vec<f32> = (0..51).map(|value| ((value * 7 % 11) as f32 - 5.0) * 0.1).collect();
        let answer: Vec<f32> = target.iter().enumerate().map(|(at, value)| scale * value * joint(at / 3)).collect();
        let rows = |values: &[f32], width: usize| -> Tensor<2> {
            let mut row = vec![0.0; LOOKAHEADS.len() * width];
            row[..values.len()].copy_from_slice(values);
            let rows: Vec<f32> = row.repeat(4);
            Tensor::<1>::from_data(TensorData::from(rows.as_slice()), &device).reshape([4, LOOKAHEADS.len() * width])
        };
        let weights = Tensor::ones([4, LOOKAHEADS.len()], &device);
        scalar(loss(&rows(&answer, HEAD_VALUES), &rows(&target, 51), &weights, 2, &terms).total)
    }

    #[test]
    fn the_size_costs_nothing_more_and_uneven_bones_do() {
        let none = LossWeights { likelihood: 0.0, heads: [1.0, 0.0, 0.0], ..LossWeights::default() };
        let (normalised, bones) = (LossWeights { normalised: 1.0, ..none }, LossWeights { bones: 1.0, ..none });
        let extra = |scale: f32, longer: f32, terms| with_size(scale, longer, terms) - with_size(scale, longer, none);
        assert!(extra(1.2, 1.0, normalised).abs() < 2e-3, "{}", extra(1.2, 1.0, normalised));
        assert!(extra(1.0, 1.5, normalised) > 0.02);
        // Every pose is the same, so only the sides tell; the target's own differ already.
        assert!(extra(1.0, 1.5, bones) > extra(1.0, 1.0, bones) + 0.02);
        let even = LossWeights { bones: 0.5, ..none };
        assert!((extra(1.0, 1.5, bones) - 2.0 * extra(1.0, 1.5, even)).abs() < 1e-4);
    }

    #[test]
    fn the_best_scale_is_the_mean_absolute_error() {
        let device = Device::flex();
        let error = Tensor::ones([4, 51], &device).mul_scalar(0.1);
        let at = |log_scale: f32| {
            scalar(negative_log_likelihood(error.clone(), Tensor::ones([4, 34], &device).mul_scalar(log_scale)).mean())
        };
        let best = 0.1_f32.ln();
        assert!(at(best) < at(best - 0.3) && at(best) < at(best + 0.3));
    }
}
