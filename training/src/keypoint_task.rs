//! What the keypoint network learns: where each joint is, as a distribution (see [`crate::keypoint_crop`]).
//!
//! The loss is the cross-entropy of the network's distribution to the target less the target's own entropy, in nats a joint:
//! 0 where both are the same. At run time a map is the distribution over the cells divided by the peak of the target, so that
//! the peak of a sure answer is 1 and that of an unsure one less.

use std::path::PathBuf;

use burn::prelude::*;
use burn::tensor::activation::{log_softmax, softmax};
use stridepose::skeleton::JOINT_COUNT;

use crate::import_multi_scale::{Share, Weights};
use crate::keypoint_crop::{CropBatch, CropSettings};
use crate::labelled_picture::PictureSource;
use crate::multi_scale::{Answers, MultiScaleNetwork};
use crate::picture_trainer::PictureTask;

/// Keypoints of people in pictures of `source`.
pub struct KeypointTask<S> {
    /// Where pictures come from.
    pub source: S,
    /// How samples are made.
    pub crops: CropSettings,
    /// Run or model folder whose weights a new run starts from.
    pub start_from: Option<PathBuf>,
}

impl<S: PictureSource> PictureTask for KeypointTask<S> {
    type Batch = CropBatch;

    fn draw(&self, count: usize, seed: u64) -> CropBatch {
        self.crops.draw(&self.source, count, seed)
    }

    fn pictures(&self, batch: &CropBatch, device: &Device) -> Tensor<4> {
        let size = self.crops.picture;
        tensor(&batch.pictures, [batch.count, 3, size.height_px, size.width_px], device)
    }

    fn prepare(&self, network: MultiScaleNetwork, device: &Device) -> anyhow::Result<MultiScaleNetwork> {
        match &self.start_from {
            Some(from) => Weights::read(from)?.put_into(network, Share::Everything, device),
            None => Ok(network),
        }
    }

    fn loss(&self, answers: Answers, batch: &CropBatch) -> Tensor<1> {
        let device = answers.maps.device();
        let logits = logits(answers);
        let places = logits.dims()[2];
        let targets: Tensor<3> = tensor(&batch.targets, [batch.count, JOINT_COUNT, places], &device);
        let weights: Tensor<2> = tensor(&batch.weights, [batch.count, JOINT_COUNT], &device);
        let entropy: f32 = batch
            .targets
            .chunks_exact(places)
            .zip(&batch.weights)
            .map(|(target, weight)| {
                weight * target.iter().filter(|value| **value > 0.0).map(|value| -value * value.ln()).sum::<f32>()
            })
            .sum();
        let total: f32 = batch.weights.iter().sum();
        let cross_entropy = (targets * log_softmax(logits, 2)).sum_dim(2).squeeze_dim::<2>(2).neg() * weights;
        (cross_entropy.sum() - entropy).div_scalar(total)
    }
}

/// `[n, joints, cells + 1]`, the place more last.
fn logits(answers: Answers) -> Tensor<3> {
    let [count, joints, rows, columns] = answers.maps.dims();
    Tensor::cat(vec![answers.maps.reshape([count, joints, rows * columns]), answers.absent.unsqueeze_dim(2)], 2)
}

/// The distribution over the cells, `[n, joints, rows, columns]`, over the peak of a target with this standard deviation.
pub fn maps(answers: Answers, target_sigma: f64) -> Tensor<4> {
    let [count, joints, rows, columns] = answers.maps.dims();
    let distribution = softmax(logits(answers), 2).slice([0..count, 0..joints, 0..rows * columns]);
    distribution.reshape([count, joints, rows, columns]).mul_scalar(1.0 / target_peak(target_sigma))
}

/// Highest value of a target that lies on a cell's centre.
pub fn target_peak(sigma: f64) -> f64 {
    1.0 / (std::f64::consts::TAU * sigma * sigma)
}

pub(crate) fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::<1>::from_data(TensorData::from(values), device).reshape(shape)
}
