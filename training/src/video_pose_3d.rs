//! The network to compare with: VideoPose3D's temporal convolutions (Pavllo et al. 2019, arXiv 1811.11742), causal, over 243
//! images, 1024 channels wide or narrower.
//!
//! ```text
//! features [rows, 109] -> expansion of kernel 3 -> four residual levels of kernel 3 and dilations 3, 9, 27, 81 -> answers
//! ```
//! It gets the features, answers and losses of the multi-stride network and is trained in the same way: the second matrix of
//! a residual starts at zero instead of batch norm, and nothing is dropped out, which with so little training only slows.

use burn::nn::Linear;
use burn::prelude::*;
use burn::tensor::activation::relu;
use stridepose::stages::window::FEATURE_COUNT;

use crate::network::{self, HEAD_VALUES, KERNEL, LOOKAHEADS, LifterSize, Residual, Rows, TemporalNetwork};

/// Channels of the original.
pub const CHANNELS: usize = 1024;
/// Dilations of the levels, in images; with the expansion they span 243.
const DILATIONS: [usize; 4] = [3, 9, 27, 81];

/// The network.
#[derive(Module, Debug)]
pub struct VideoPose3d {
    expand: Linear,
    levels: Vec<Residual>,
    head: Linear,
}

impl TemporalNetwork for VideoPose3d {
    /// Of the sizes it takes the channels of a branch: it has one.
    fn new(size: &LifterSize, device: &Device) -> Self {
        let channels = size.branch;
        Self {
            expand: network::linear(KERNEL * FEATURE_COUNT, channels, device),
            levels: DILATIONS.iter().map(|_| Residual::new(KERNEL * channels, channels, channels, device)).collect(),
            head: network::head(channels, LOOKAHEADS.len(), device),
        }
    }

    fn forward(&self, features: Tensor<2>, _: &LifterSize, clips: usize, rows: Rows) -> Tensor<2> {
        let length = features.dims()[0] / clips;
        let expanded = network::taps(features, &network::level_ages(1), clips, |tap| tap);
        let mut x = relu(self.expand.forward(expanded));
        for (index, (level, dilation)) in self.levels.iter().zip(DILATIONS).enumerate() {
            let answered = if index + 1 == self.levels.len() { rows } else { Rows::All };
            x = level.forward_taps(x, dilation, clips, |x| answered.select(x, length, clips));
        }
        self.head.forward(x)
    }
}

impl VideoPose3d {
    /// Numbers that it learns.
    pub fn parameters(channels: usize) -> usize {
        let linear = |input: usize, output: usize| (input + 1) * output;
        linear(KERNEL * FEATURE_COUNT, channels)
            + DILATIONS.len() * (linear(KERNEL * channels, channels) + linear(channels, channels))
            + linear(channels, LOOKAHEADS.len() * HEAD_VALUES)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::module::Param;
    use burn::tensor::Distribution;

    #[test]
    fn it_sees_243_images_and_none_to_come() {
        let device = Device::flex();
        let size = LifterSize { branch: 8, ..LifterSize::default() };
        let mut network = VideoPose3d::new(&size, &device);
        let random = |linear: &mut Linear| {
            let noise = Tensor::random(linear.weight.dims(), Distribution::Normal(0.0, 0.3), &device);
            linear.weight = Param::from_tensor(noise);
        };
        network.levels.iter_mut().for_each(|level| random(&mut level.outer));
        random(&mut network.head);
        let samples = 260;
        let features: Tensor<2> = Tensor::random([samples, FEATURE_COUNT], Distribution::Normal(0.0, 1.0), &device);
        let run = |features: Tensor<2>| -> Vec<f32> {
            network.forward(features, &size, 1, Rows::All).into_data().try_to_vec().unwrap()
        };
        let before = run(features.clone());
        let width = LOOKAHEADS.len() * HEAD_VALUES;
        let changed_at = 5;
        let change = Tensor::ones([1, FEATURE_COUNT], &device);
        let after = run(features.slice_assign([changed_at..changed_at + 1, 0..FEATURE_COUNT], change));
        let differs: Vec<usize> = (0..samples)
            .filter(|time| before[time * width..(time + 1) * width] != after[time * width..(time + 1) * width])
            .collect();
        assert_eq!((differs[0], *differs.last().unwrap()), (changed_at, changed_at + 242));
    }

    #[test]
    fn parameters_are_counted() {
        let size = LifterSize { branch: 20, ..LifterSize::default() };
        assert_eq!(VideoPose3d::parameters(20), VideoPose3d::new(&size, &Device::flex()).num_params());
        assert_eq!(VideoPose3d::parameters(CHANNELS) / 100_000, 173, "17.3 million");
    }
}
