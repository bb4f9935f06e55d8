//! Multi-stride temporal convolutional network (paper, section on multi-stride TCNs; DESIGN sizes are ours).
//!
//! ```text
//! features [rows, 109] -> encoder (per image) -> branch of image stride 1, 2, 4, 8 -> fuse -> head
//!                                                                              fuse 12 images ago -> hindsight
//! ```
//! A branch is three causal levels of kernel 3 with dilations 1, 3, 9 on its own samples, so at 30 Hz the
//! branches span 27, 53, 105 and 209 images. A level is `x + W2 relu(W1 [x(t-2d), x(t-d), x(t)])`, written
//! as one matrix product over time-major rows. There is no batch norm: the second matrix of every residual
//! starts at zero, which trains as well at this depth, needs no folding and cannot differ between training
//! and streaming. Before a clip starts, every level sees zeros, as the streaming rings do.
//!
//! The head answers for several times at once: for this image and, with look-ahead, for images before it. The answer of the
//! furthest look-ahead begins from what was answered for that image when it was new, and adds to it what is known in
//! hindsight: a function of the fused values of both times. Through the head alone, an answer for an earlier image loses in
//! detail what it gains from having seen how the movement goes on.
//!
//! Output row: for each look-ahead 17 × 3 root-relative joints (m, axes of the virtual camera *of that
//! time*), then 17 lateral and 17 depth log-scales (ln m).

use std::path::Path;

use burn::module::Param;
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;
use serde::{Deserialize, Serialize};
use stridepose::skeleton::JOINT_COUNT;
use stridepose::stages::window::FEATURE_COUNT;

use crate::adversary::TAIL;
use crate::batch::PAIR_PERIOD;
use crate::import;

/// For which sample each head answers: this one, 4 and 12 samples ago.
pub const LOOKAHEADS: [usize; 3] = [0, 4, 12];
/// How many samples ago the hindsight reaches: the furthest look-ahead.
pub const HINDSIGHT: usize = LOOKAHEADS[LOOKAHEADS.len() - 1];
/// Values of one head: joints, lateral and depth log-scale.
pub const HEAD_VALUES: usize = JOINT_COUNT * 5;
/// Temporal kernel size of a level.
pub const KERNEL: usize = 3;
/// Dilations of the levels of a branch, in samples of the branch.
pub const DILATIONS: [usize; 3] = [1, 3, 9];
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
    /// Residuals after that.
    #[serde(default = "fuse_residuals_before")]
    pub fuse_residuals: usize,
    /// Width of the hindsight; 0 for a look-ahead that the head gives alone.
    #[serde(default)]
    pub hindsight: usize,
}

/// What checkpoints mean that do not say it.
fn fuse_residuals_before() -> usize {
    2
}

impl Default for LifterSize {
    fn default() -> Self {
        Self {
            image_strides: vec![1, 2, 4, 8],
            encoder: 256,
            branch: 96,
            fuse: 384,
            fuse_residuals: 10,
            hindsight: 192,
        }
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
            + self.fuse_residuals * 2 * linear(self.fuse, self.fuse)
            + linear(self.fuse, LOOKAHEADS.len() * HEAD_VALUES)
            + if self.hindsight > 0 {
                linear(2 * self.fuse, self.hindsight) + linear(self.hindsight, HEAD_VALUES)
            } else {
                0
            }
    }

    /// Width of features, encoder and branches side by side.
    fn joined(&self) -> usize {
        FEATURE_COUNT + self.encoder + self.image_strides.len() * self.branch
    }

    /// What is kept of a sample for the hindsight: its fused values and the answer for it.
    pub(crate) fn kept(&self) -> usize {
        self.fuse + HEAD_VALUES
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
    pub(crate) fn new(input: usize, hidden: usize, output: usize, device: &Device) -> Self {
        Self { inner: linear(input, hidden, device), outer: zero_linear(hidden, output, device) }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.clone() + self.outer.forward(relu(self.inner.forward(x)))
    }

    /// The same with an inner matrix that takes [`KERNEL`] taps, `shift` samples apart, at the rows that `select` selects.
    pub(crate) fn forward_taps(
        &self,
        x: Tensor<2>,
        shift: usize,
        clips: usize,
        select: impl Fn(Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let taps = taps(x.clone(), &level_ages(shift), clips, &select);
        select(x) + self.outer.forward(relu(self.inner.forward(taps)))
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
    /// Features, encoder and branches to fuse width.
    pub join: Linear,
    /// Residuals after the join.
    pub fuse: Vec<Residual>,
    /// Fuse width to the heads.
    pub head: Linear,
    /// What the fused values of now and then change of the answer for then.
    pub hindsight: Option<Residual>,
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
    /// Selected rows as they were [`HINDSIGHT`] samples ago, zeros where that was not answered for: before the start, and in
    /// the tail, of which the first head alone is read.
    fn before(self, x: Tensor<2>, length: usize, clips: usize) -> Tensor<2> {
        let [rows, channels] = x.dims();
        let earlier = |x: Tensor<2>, age: usize| taps(x, &[age], clips, |tap| tap);
        const { assert!(HINDSIGHT.is_multiple_of(PAIR_PERIOD), "the rows of pairs must fall on rows of pairs") };
        let pairs = HINDSIGHT / PAIR_PERIOD * 2;
        match self {
            Self::All => earlier(x, HINDSIGHT),
            Self::Pairs => earlier(x, pairs),
            Self::PairsAndTail => {
                let of_pairs = length / PAIR_PERIOD * 2 * clips;
                let tail = Tensor::zeros([rows - of_pairs, channels], &x.device());
                Tensor::cat(vec![earlier(x.slice([0..of_pairs, 0..channels]), pairs), tail], 0)
            }
        }
    }

    pub(crate) fn select(self, x: Tensor<2>, length: usize, clips: usize) -> Tensor<2> {
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
    /// A network without hindsight, as one of size `size`: its furthest look-ahead answers what was answered when the image was
    /// new.
    pub(crate) fn with_hindsight(mut self, size: &LifterSize) -> Self {
        let (weight, bias) = (self.head.weight.val(), self.head.bias.as_ref().map(Param::val));
        let ([input, _], device) = (weight.dims(), weight.device());
        let own = (LOOKAHEADS.len() - 1) * HEAD_VALUES;
        let weight = Tensor::cat(vec![weight.narrow(1, 0, own), Tensor::zeros([input, HEAD_VALUES], &device)], 1);
        // Through plain data: a parameter is a leaf.
        self.head.weight = Param::from_tensor(Tensor::from_data(weight.into_data(), &device));
        self.head.bias = bias.map(|bias| {
            let bias = Tensor::cat(vec![bias.narrow(0, 0, own), Tensor::zeros([HEAD_VALUES], &device)], 0);
            Param::from_tensor(Tensor::from_data(bias.into_data(), &device))
        });
        self.hindsight = new_hindsight(size, &device);
        self
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
        of("head", &mut self.head)?;
        self.hindsight.as_mut().map_or(Ok(()), |hindsight| residual("hindsight", hindsight, of))
    }
}

/// A network that lifts keypoints over time, and can be trained and scored.
pub trait TemporalNetwork: Module + Sync {
    /// A network that has learnt nothing.
    fn new(size: &LifterSize, device: &Device) -> Self;

    /// `features` `[length * clips, FEATURE_COUNT]`, time-major, to `[answered rows, heads * HEAD_VALUES]`.
    fn forward(&self, features: Tensor<2>, size: &LifterSize, clips: usize, rows: Rows) -> Tensor<2>;

    /// The network whose weights lie in the model folder `folder`, and the SHA-256 of its graph.
    ///
    /// # Errors
    /// When there is none of this kind and these sizes.
    fn of_model(folder: &Path, _: &LifterSize, _: &Device) -> anyhow::Result<(Self, String)> {
        anyhow::bail!("{}: weights of this network cannot be started from", folder.display())
    }
}

impl TemporalNetwork for LifterNetwork {
    fn new(size: &LifterSize, device: &Device) -> Self {
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
            fuse: (0..size.fuse_residuals).map(|_| fuse_residual(size, device)).collect(),
            head: new_head(size, device),
            hindsight: new_hindsight(size, device),
        }
    }

    fn forward(&self, features: Tensor<2>, size: &LifterSize, clips: usize, rows: Rows) -> Tensor<2> {
        let length = features.dims()[0] / clips;
        let encoded = relu(self.encode.forward(features.clone()));
        let encoded = self.encoder.forward(encoded);
        let mut joined = vec![rows.select(features, length, clips), rows.select(encoded.clone(), length, clips)];
        for (branch, image_stride) in self.branches.iter().zip(&size.image_strides) {
            let mut x = branch.project.forward(encoded.clone());
            let last = branch.levels.len() - 1;
            for (index, (level, dilation)) in branch.levels.iter().zip(DILATIONS).enumerate() {
                let answered = if index == last { rows } else { Rows::All };
                x = level.forward_taps(x, dilation * image_stride, clips, |x| answered.select(x, length, clips));
            }
            joined.push(x);
        }
        let mut x = relu(self.join.forward(Tensor::cat(joined, 1)));
        for residual in &self.fuse {
            x = residual.forward(x);
        }
        let answers = self.head.forward(x.clone());
        match &self.hindsight {
            Some(hindsight) => with_hindsight(hindsight, x, answers, |kept| rows.before(kept, length, clips)),
            None => answers,
        }
    }

    fn of_model(folder: &Path, size: &LifterSize, device: &Device) -> anyhow::Result<(Self, String)> {
        let imported = import::lifter(folder, device)?;
        // Weights without hindsight begin to have it, those with fewer residuals get more.
        let begins = imported.size.hindsight == 0;
        let hindsight = if begins { size.hindsight } else { imported.size.hindsight };
        let fuse_residuals = imported.size.fuse_residuals.max(size.fuse_residuals);
        let grown = LifterSize { fuse_residuals, hindsight, ..imported.size };
        anyhow::ensure!(grown == *size, "the lifter in {} has sizes {grown:?}, trained are {size:?}", folder.display());
        let mut network =
            if begins && hindsight > 0 { imported.network.with_hindsight(size) } else { imported.network };
        network.fuse.resize_with(fuse_residuals, || fuse_residual(size, device));
        Ok((network, imported.sha256))
    }
}

/// Adds to the answers of the furthest look-ahead what was answered then and what is known in hindsight. `x` are the fused
/// values; `before` turns rows into those of [`HINDSIGHT`] samples ago.
fn with_hindsight(
    hindsight: &Residual,
    x: Tensor<2>,
    answers: Tensor<2>,
    before: impl Fn(Tensor<2>) -> Tensor<2>,
) -> Tensor<2> {
    let ([rows, fuse], width) = (x.dims(), answers.dims()[1]);
    let first = answers.clone().slice([0..rows, 0..HEAD_VALUES]);
    let then = before(Tensor::cat(vec![x.clone(), first], 1));
    let (fused_then, answer_then) =
        (then.clone().slice([0..rows, 0..fuse]), then.slice([0..rows, fuse..fuse + HEAD_VALUES]));
    let both = Tensor::cat(vec![x, fused_then], 1);
    let change = hindsight.outer.forward(relu(hindsight.inner.forward(both)));
    let others = answers.clone().slice([0..rows, 0..width - HEAD_VALUES]);
    let furthest = answers.slice([0..rows, width - HEAD_VALUES..width]);
    Tensor::cat(vec![others, furthest + answer_then + change], 1)
}

/// How many samples ago the taps of a level lie that reaches `shift` samples from tap to tap; oldest first.
pub(crate) fn level_ages(shift: usize) -> [usize; KERNEL] {
    std::array::from_fn(|tap| (KERNEL - 1 - tap) * shift)
}

/// `x` as it was `ages` samples ago, oldest first, side by side; zeros before the start.
pub(crate) fn taps(x: Tensor<2>, ages: &[usize], clips: usize, select: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
    let [rows, channels] = x.dims();
    let reach = ages.first().copied().unwrap_or(0) * clips;
    let padded = Tensor::cat(vec![Tensor::zeros([reach, channels], &x.device()), x], 0);
    let at = |age: &usize| {
        let start = reach - age * clips;
        select(padded.clone().slice([start..start + rows, 0..channels]))
    };
    Tensor::cat(ages.iter().map(at).collect(), 1)
}

pub(crate) fn linear(input: usize, output: usize, device: &Device) -> Linear {
    LinearConfig::new(input, output)
        .with_initializer(Initializer::KaimingNormal { gain: 1.0, fan_out_only: false })
        .init(device)
}

fn zero_linear(input: usize, output: usize, device: &Device) -> Linear {
    LinearConfig::new(input, output).with_initializer(Initializer::Zeros).init(device)
}

/// Changes nothing at the start.
fn fuse_residual(size: &LifterSize, device: &Device) -> Residual {
    Residual::new(size.fuse, size.fuse, size.fuse, device)
}

/// What turns fused values into answers: the same for everybody at the start.
fn new_head(size: &LifterSize, device: &Device) -> Linear {
    // The furthest look-ahead begins from what was answered before.
    let own = if size.hindsight > 0 { LOOKAHEADS.len() - 1 } else { LOOKAHEADS.len() };
    head(size.fuse, own, device)
}

/// What turns `input` values into answers of which the first `own` begin from nothing.
pub(crate) fn head(input: usize, own: usize, device: &Device) -> Linear {
    let mut head = zero_linear(input, LOOKAHEADS.len() * HEAD_VALUES, device);
    let of_head = |index: usize| {
        if index % HEAD_VALUES < JOINT_COUNT * 3 || index / HEAD_VALUES >= own { 0.0 } else { INITIAL_LOG_SCALE }
    };
    let bias: Vec<f32> = (0..LOOKAHEADS.len() * HEAD_VALUES).map(of_head).collect();
    head.bias = Some(Param::from_tensor(Tensor::from_data(TensorData::from(bias.as_slice()), device)));
    head
}

fn new_hindsight(size: &LifterSize, device: &Device) -> Option<Residual> {
    (size.hindsight > 0).then(|| Residual::new(2 * size.fuse, size.hindsight, HEAD_VALUES, device))
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
        let size =
            LifterSize { image_strides: vec![1, 2], encoder: 16, branch: 8, fuse: 16, fuse_residuals: 2, hindsight: 8 };
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
        if let Some(hindsight) = &mut network.hindsight {
            hindsight.outer = noise(hindsight.outer.clone());
        }
        (network, size)
    }

    #[test]
    fn parameters_are_counted() {
        for size in [
            LifterSize::default(),
            LifterSize { image_strides: vec![3], encoder: 24, branch: 20, fuse: 12, fuse_residuals: 2, hindsight: 0 },
        ] {
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
        let run = |features| values(network.forward(features, &size, 2, Rows::All));
        let (a, b) = (run(features), run(changed));
        let width = LOOKAHEADS.len() * HEAD_VALUES;
        assert_eq!(a[..30 * width], b[..30 * width]);
        assert_ne!(a[30 * width..], b[30 * width..]);
    }

    #[test]
    fn loss_rows_are_the_same_as_in_the_full_answer() {
        let device = Device::flex();
        let (network, size) = random_network(&device);
        let features: Tensor<2> = Tensor::random([36 * 3, FEATURE_COUNT], Distribution::Normal(0.0, 1.0), &device);
        let all = values(network.forward(features.clone(), &size, 3, Rows::All));
        let pairs = values(network.forward(features, &size, 3, Rows::Pairs));
        let width = LOOKAHEADS.len() * HEAD_VALUES * 3;
        for (index, time) in crate::batch::loss_times(36).enumerate() {
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
        let run = |rows| values(network.forward(features.clone(), &size, 3, rows));
        let (all, pairs, both) = (run(Rows::All), run(Rows::Pairs), run(Rows::PairsAndTail));
        let tail = TAIL * 3 * LOOKAHEADS.len() * HEAD_VALUES;
        assert_eq!(both.len(), pairs.len() + tail);
        for (a, b) in both.iter().zip(&pairs) {
            assert!((a - b).abs() < 1e-5);
        }
        // Of the tail the first head is read.
        let width = LOOKAHEADS.len() * HEAD_VALUES;
        let rows = both[pairs.len()..].chunks_exact(width).zip(all[all.len() - tail..].chunks_exact(width));
        for (a, b) in rows.flat_map(|(a, b)| a[..HEAD_VALUES].iter().zip(&b[..HEAD_VALUES])) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}
