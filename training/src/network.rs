//! Multi-stride temporal convolutional network (paper, section on multi-stride TCNs; DESIGN sizes are ours).
//!
//! ```text
//! features [rows, 106] -> encoder (per image) -> branch of image stride 1, 2, 4, 8 -> fuse -> head
//! ```
//! A branch is three causal levels of kernel 3 with dilations 1, 3, 9 on its own samples, so at 30 Hz the
//! branches span 27, 53, 105 and 209 images. A level is `x + W2 relu(W1 [x(t-2d), x(t-d), x(t)])`, written
//! as one matrix product over time-major rows. There is no batch norm: the second matrix of every residual
//! starts at zero, which trains as well at this depth, needs no folding and cannot differ between training
//! and streaming. Before a clip starts, every level sees zeros, as the streaming rings do.
//!
//! The head answers for several times at once: for this image and, with look-ahead, for images before it.
//! Output row: for each look-ahead 17 × 3 root-relative joints (m, axes of the virtual camera *of that
//! time*), then 17 lateral and 17 depth log-scales (ln m).

use burn::module::Param;
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;
use serde::{Deserialize, Serialize};
use stridepose::skeleton::JOINT_COUNT;
use stridepose::stages::window::FEATURE_COUNT;

use crate::adversary::TAIL;
use crate::batch::PAIR_PERIOD;

/// For which sample each head answers: this one, 4 and 12 samples ago.
pub const LOOKAHEADS: [usize; 3] = [0, 4, 12];
/// Values of one head: joints, lateral and depth log-scale.
pub const HEAD_VALUES: usize = JOINT_COUNT * 5;
/// Temporal kernel size of a level.
pub const KERNEL: usize = 3;
/// Dilations of the levels of a branch, in samples of the branch.
pub const DILATIONS: [usize; 3] = [1, 3, 9];
const FUSE_RESIDUALS: usize = 2;
/// Scale that the network states before it has learnt anything, ln m.
const INITIAL_LOG_SCALE: f32 = -3.0;

/// Sizes of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifterSize {
    /// Image strides of the branches.
    pub image_strides: Vec<usize>,
    /// Width of the per-image encoder.
    pub encoder: usize,
    /// Channels of each branch.
    pub branch: usize,
    /// Width after the branches are fused.
    pub fuse: usize,
}

impl Default for LifterSize {
    fn default() -> Self {
        Self { image_strides: vec![1, 2, 4, 8], encoder: 256, branch: 96, fuse: 384 }
    }
}

impl LifterSize {
    /// Numbers that a network of this size learns.
    pub fn parameters(&self) -> usize {
        let linear = |input: usize, output: usize| (input + 1) * output;
        let level = linear(KERNEL * self.branch, self.branch) + linear(self.branch, self.branch);
        let branches = self.image_strides.len() * (linear(self.encoder, self.branch) + DILATIONS.len() * level);
        linear(FEATURE_COUNT, self.encoder)
            + 2 * linear(self.encoder, self.encoder)
            + branches
            + linear(self.joined(), self.fuse)
            + FUSE_RESIDUALS * 2 * linear(self.fuse, self.fuse)
            + linear(self.fuse, LOOKAHEADS.len() * HEAD_VALUES)
    }

    /// Width of features, encoder and branches side by side.
    fn joined(&self) -> usize {
        FEATURE_COUNT + self.encoder + self.image_strides.len() * self.branch
    }
}

/// `x + outer(relu(inner(x)))`.
#[derive(Module, Debug)]
pub struct Residual {
    /// First matrix.
    pub inner: Linear,
    /// Second matrix, zero at the start.
    pub outer: Linear,
}

impl Residual {
    fn new(input: usize, hidden: usize, output: usize, device: &Device) -> Self {
        Self { inner: linear(input, hidden, device), outer: zero_linear(hidden, output, device) }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.clone() + self.outer.forward(relu(self.inner.forward(x)))
    }
}

/// One image stride: projection and three dilated levels.
#[derive(Module, Debug)]
pub struct Branch {
    /// Encoder width to branch channels.
    pub project: Linear,
    /// Levels; the inner matrix takes the three taps side by side, oldest first.
    pub levels: Vec<Residual>,
}

/// The lifter.
#[derive(Module, Debug)]
pub struct LifterNetwork {
    /// Features to encoder width.
    pub encode: Linear,
    /// Per-image residual.
    pub encoder: Residual,
    /// One branch per image stride.
    pub branches: Vec<Branch>,
    /// Branches, encoder and features to fuse width.
    pub join: Linear,
    /// Residuals after the join.
    pub fuse: Vec<Residual>,
    /// Fuse width to the heads.
    pub head: Linear,
}

/// Which samples the network answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Every sample.
    All,
    /// The loss rows of [`crate::batch::loss_times`].
    Pairs,
    /// The loss rows, then the last [`TAIL`] samples.
    PairsAndTail,
}

impl Rows {
    fn select(self, x: Tensor<2>, length: usize, clips: usize) -> Tensor<2> {
        match self {
            Self::All => x,
            Self::PairsAndTail => {
                let [rows, channels] = x.dims();
                let tail = x.clone().slice([rows - TAIL * clips..rows, 0..channels]);
                Tensor::cat(vec![Self::Pairs.select(x, length, clips), tail], 0)
            }
            Self::Pairs => {
                let [_, channels] = x.dims();
                let periods = length / PAIR_PERIOD;
                x.reshape([periods, PAIR_PERIOD, clips * channels])
                    .slice([0..periods, PAIR_PERIOD - 2..PAIR_PERIOD, 0..clips * channels])
                    .reshape([periods * 2 * clips, channels])
            }
        }
    }
}

impl LifterNetwork {
    /// A network that has learnt nothing.
    pub fn new(size: &LifterSize, device: &Device) -> Self {
        let mut head = zero_linear(size.fuse, LOOKAHEADS.len() * HEAD_VALUES, device);
        head.bias = Some(Param::from_tensor(initial_head_bias(device)));
        Self {
            encode: linear(FEATURE_COUNT, size.encoder, device),
            encoder: Residual::new(size.encoder, size.encoder, size.encoder, device),
            branches: size
                .image_strides
                .iter()
                .map(|_| Branch {
                    project: linear(size.encoder, size.branch, device),
                    levels: DILATIONS
                        .iter()
                        .map(|_| Residual::new(KERNEL * size.branch, size.branch, size.branch, device))
                        .collect(),
                })
                .collect(),
            join: linear(size.joined(), size.fuse, device),
            fuse: (0..FUSE_RESIDUALS).map(|_| Residual::new(size.fuse, size.fuse, size.fuse, device)).collect(),
            head,
        }
    }

    /// Every matrix with its bias, under the name that the exported graph has for it.
    ///
    /// # Errors
    /// The first that `of` gives.
    pub(crate) fn for_each_linear(
        &mut self,
        image_strides: &[usize],
        of: &mut impl FnMut(&str, &mut Linear) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let residual =
            |name: &str, residual: &mut Residual, of: &mut dyn FnMut(&str, &mut Linear) -> anyhow::Result<()>| {
                of(&format!("{name}_inner"), &mut residual.inner)?;
                of(&format!("{name}_outer"), &mut residual.outer)
            };
        of("encode", &mut self.encode)?;
        residual("encoder", &mut self.encoder, of)?;
        for (branch, image_stride) in self.branches.iter_mut().zip(image_strides) {
            of(&format!("project_{image_stride}"), &mut branch.project)?;
            for (level, dilation) in branch.levels.iter_mut().zip(DILATIONS) {
                residual(&format!("branch_{image_stride}_{dilation}"), level, of)?;
            }
        }
        of("join", &mut self.join)?;
        for (index, fuse) in self.fuse.iter_mut().enumerate() {
            residual(&format!("fuse_{index}"), fuse, of)?;
        }
        of("head", &mut self.head)
    }

    /// `features` `[length * clips, FEATURE_COUNT]`, time-major, to `[answered rows, heads * HEAD_VALUES]`.
    pub fn forward(&self, features: Tensor<2>, image_strides: &[usize], clips: usize, rows: Rows) -> Tensor<2> {
        let length = features.dims()[0] / clips;
        let encoded = relu(self.encode.forward(features.clone()));
        let encoded = self.encoder.forward(encoded);
        let mut joined = vec![rows.select(features, length, clips), rows.select(encoded.clone(), length, clips)];
        for (branch, image_stride) in self.branches.iter().zip(image_strides) {
            let mut x = branch.project.forward(encoded.clone());
            let last = branch.levels.len() - 1;
            for (index, (level, dilation)) in branch.levels.iter().zip(DILATIONS).enumerate() {
                let answered = if index == last { rows } else { Rows::All };
                let taps = taps(x.clone(), dilation * image_stride, clips, |tap| answered.select(tap, length, clips));
                let kept = answered.select(x, length, clips);
                x = kept + level.outer.forward(relu(level.inner.forward(taps)));
            }
            joined.push(x);
        }
        let mut x = relu(self.join.forward(Tensor::cat(joined, 1)));
        for residual in &self.fuse {
            x = residual.forward(x);
        }
        self.head.forward(x)
    }
}

/// `[x(t - 2d), x(t - d), x(t)]` side by side, zeros before the start.
fn taps(x: Tensor<2>, samples: usize, clips: usize, select: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
    let [rows, channels] = x.dims();
    let shift = samples * clips;
    let padded = Tensor::cat(vec![Tensor::zeros([(KERNEL - 1) * shift, channels], &x.device()), x], 0);
    let taps =
        (0..KERNEL).map(|tap| select(padded.clone().slice([tap * shift..tap * shift + rows, 0..channels]))).collect();
    Tensor::cat(taps, 1)
}

pub(crate) fn linear(input: usize, output: usize, device: &Device) -> Linear {
    LinearConfig::new(input, output)
        .with_initializer(Initializer::KaimingNormal { gain: 1.0, fan_out_only: false })
        .init(device)
}

fn zero_linear(input: usize, output: usize, device: &Device) -> Linear {
    LinearConfig::new(input, output).with_initializer(Initializer::Zeros).init(device)
}

fn initial_head_bias(device: &Device) -> Tensor<1> {
    let values: Vec<f32> = (0..LOOKAHEADS.len() * HEAD_VALUES)
        .map(|index| if index % HEAD_VALUES < JOINT_COUNT * 3 { 0.0 } else { INITIAL_LOG_SCALE })
        .collect();
    Tensor::from_data(TensorData::from(values.as_slice()), device)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::tensor::Distribution;

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    fn random_network(device: &Device) -> (LifterNetwork, LifterSize) {
        let size = LifterSize { image_strides: vec![1, 2], encoder: 16, branch: 8, fuse: 16 };
        let mut network = LifterNetwork::new(&size, device);
        let noise = |linear: Linear| {
            let shape = linear.weight.dims();
            let weight = Param::from_tensor(Tensor::random(shape, Distribution::Normal(0.0, 0.2), device));
            Linear { weight, ..linear }
        };
        for branch in &mut network.branches {
            for level in &mut branch.levels {
                level.outer = noise(level.outer.clone());
            }
        }
        network.head = noise(network.head.clone());
        (network, size)
    }

    #[test]
    fn parameters_are_counted() {
        for size in [LifterSize::default(), LifterSize { image_strides: vec![3], encoder: 24, branch: 20, fuse: 12 }] {
            assert_eq!(size.parameters(), LifterNetwork::new(&size, &Device::flex()).num_params());
        }
    }

    #[test]
    fn the_network_is_causal() {
        let device = Device::flex();
        let (network, size) = random_network(&device);
        let features: Tensor<2> = Tensor::random([20 * 2, FEATURE_COUNT], Distribution::Normal(0.0, 1.0), &device);
        let changed = Tensor::cat(
            vec![features.clone().slice([0..30, 0..FEATURE_COUNT]), Tensor::ones([10, FEATURE_COUNT], &device)],
            0,
        );
        let run = |features| values(network.forward(features, &size.image_strides, 2, Rows::All));
        let (a, b) = (run(features), run(changed));
        let width = LOOKAHEADS.len() * HEAD_VALUES;
        assert_eq!(a[..30 * width], b[..30 * width]);
        assert_ne!(a[30 * width..], b[30 * width..]);
    }

    #[test]
    fn loss_rows_are_the_same_as_in_the_full_answer() {
        let device = Device::flex();
        let (network, size) = random_network(&device);
        let features: Tensor<2> = Tensor::random([12 * 3, FEATURE_COUNT], Distribution::Normal(0.0, 1.0), &device);
        let all = values(network.forward(features.clone(), &size.image_strides, 3, Rows::All));
        let pairs = values(network.forward(features, &size.image_strides, 3, Rows::Pairs));
        let width = LOOKAHEADS.len() * HEAD_VALUES * 3;
        for (index, time) in crate::batch::loss_times(12).enumerate() {
            for (a, b) in all[time * width..(time + 1) * width].iter().zip(&pairs[index * width..(index + 1) * width]) {
                assert!((a - b).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn the_tail_is_the_last_samples_of_the_full_answer() {
        let device = Device::flex();
        let (network, size) = random_network(&device);
        let features: Tensor<2> = Tensor::random([24 * 3, FEATURE_COUNT], Distribution::Normal(0.0, 1.0), &device);
        let run = |rows| values(network.forward(features.clone(), &size.image_strides, 3, rows));
        let (all, pairs, both) = (run(Rows::All), run(Rows::Pairs), run(Rows::PairsAndTail));
        let tail = TAIL * 3 * LOOKAHEADS.len() * HEAD_VALUES;
        let expected = pairs.iter().chain(&all[all.len() - tail..]);
        assert_eq!(both.len(), pairs.len() + tail);
        for (a, b) in both.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}
