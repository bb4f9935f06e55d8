//! Multi-scale network (paper, section on spatial features; HRNet, Sun et al. 2019, arXiv 1902.09212; sizes are ours).
//!
//! ```text
//! picture [n, 3, H, W] -> stem -> x4 -> modules -> read-out -> maps [n, outputs, H / 4, W / 4]
//!                                  x8 ->    .   ->    |     -> absence logits [n, outputs]
//!                                  x16 ->   .   ->    |
//!                                  x32 ->   .   ->    |
//! ```
//! Branches with 1/4, 1/8, 1/16 and 1/32 of the picture's resolution run beside each other; after every module each branch
//! gets what all others know: coarser ones by a 1 × 1 convolution and repetition, finer ones by the mean over what lies
//! between and a 3 × 3 convolution of stride 2. A block is `x + W2 relu(W1 x)`, W1 3 × 3 and W2 1 × 1.
//!
//! There is no batch norm: W2 and what comes from other branches start small, which trains as well at this depth, needs
//! no folding and cannot differ between training and use. Every filter is kept as a matrix `[out, in * k * k]`, so that
//! the optimiser can orthogonalise its steps.

use burn::module::Param;
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;
use burn::tensor::module::{avg_pool2d, interpolate};
use burn::tensor::ops::{AvgPoolOptions, InterpolateMode, InterpolateOptions};
use serde::{Deserialize, Serialize};
use stridepose::model::PictureSize;
use stridepose::skeleton::JOINT_COUNT;

use crate::convolution::{ConvKind, convolve};
use crate::person_task::PERSON_MAPS;

/// Pixels of the picture per cell of the finest branch and of the maps.
pub const STRIDE_PX: usize = 4;
/// Colours.
const COLOURS: usize = 3;
/// Gain of what one branch first says to another.
const FUSE_GAIN: f64 = 0.3;

/// Sizes of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiScaleSize {
    /// Columns of the picture.
    pub width_px: usize,
    /// Rows of the picture.
    pub height_px: usize,
    /// Channels at half the resolution.
    pub stem: usize,
    /// Channels of each branch, the finest first.
    pub channels: Vec<usize>,
    /// Number of branches in each module.
    pub modules: Vec<usize>,
    /// Blocks in a module of each branch.
    pub blocks: Vec<usize>,
    /// Channels of the read-out.
    pub head: usize,
    /// Maps.
    pub outputs: usize,
}

impl MultiScaleSize {
    /// Keypoints on a robot's CPU.
    pub fn small() -> Self {
        Self {
            width_px: 128,
            height_px: 192,
            stem: 16,
            channels: vec![16, 48, 96, 128],
            modules: vec![3, 4, 4],
            blocks: vec![2, 4, 4, 4],
            head: 64,
            outputs: JOINT_COUNT,
        }
    }

    /// Keypoints where there is more to compute with: wider than [`Self::small`], so that it can begin as it is.
    pub fn base() -> Self {
        Self { stem: 32, channels: vec![32, 64, 128, 192], head: 96, ..Self::small() }
    }

    /// People in a whole picture, with the branches of [`Self::small`] and half of its blocks.
    pub fn person() -> Self {
        Self { width_px: 384, height_px: 288, outputs: PERSON_MAPS, blocks: vec![1, 2, 2, 2], ..Self::small() }
    }

    /// Size of the picture.
    pub fn picture(&self) -> PictureSize {
        PictureSize { width_px: self.width_px, height_px: self.height_px }
    }

    /// Standard deviation of the Gaussians that keypoints are trained on, cells: 6 px of the picture.
    pub fn target_sigma(&self) -> f64 {
        1.5
    }

    /// Columns and rows of the maps.
    pub fn cells(&self) -> (usize, usize) {
        (self.width_px / STRIDE_PX, self.height_px / STRIDE_PX)
    }
}

/// A convolution whose filters are the rows of a matrix.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[out, in * k * k]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// Columns and rows of a filter.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
}

impl Conv {
    fn new(input: usize, output: usize, kernel: usize, stride: usize, gain: f64, device: &Device) -> Self {
        let fan_in = input * kernel * kernel;
        let std = gain / (fan_in as f64).sqrt();
        let initializer = if gain == 0.0 { Initializer::Zeros } else { Initializer::Normal { mean: 0.0, std } };
        Self {
            weight: initializer.init([output, fan_in], device),
            bias: Initializer::Zeros.init([output], device),
            kernel,
            stride,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.apply(x, false)
    }

    /// Of `relu(x)`.
    fn of_relu(&self, x: Tensor<4>) -> Tensor<4> {
        self.apply(x, true)
    }

    fn apply(&self, x: Tensor<4>, rectify: bool) -> Tensor<4> {
        let kind = ConvKind { kernel: self.kernel, stride: self.stride, rectify };
        convolve(x, self.weight.val(), self.bias.val(), kind)
    }
}

/// `x + outer(relu(inner(x)))`.
#[derive(Module, Debug)]
pub struct ConvBlock {
    /// 3 × 3.
    pub inner: Conv,
    /// 1 × 1, zero at the start.
    pub outer: Conv,
}

/// What one branch gets from the others.
#[derive(Module, Debug)]
pub struct Fusion {
    /// From the coarsest branch to the next coarser one: 1 × 1.
    pub from_coarser: Vec<Conv>,
    /// From the finest branch to the next finer one: 3 × 3, stride 2.
    pub from_finer: Vec<Conv>,
}

/// Blocks of each branch, then what each gets from the others; the last module has no fusion, the read-out is one.
#[derive(Module, Debug)]
pub struct MultiScaleModule {
    /// First convolutions of branches that begin here.
    pub begin: Vec<Conv>,
    /// Blocks of each branch.
    pub branches: Vec<Vec<ConvBlock>>,
    /// One for each branch.
    pub fusions: Vec<Fusion>,
}

/// The network.
#[derive(Module, Debug)]
pub struct MultiScaleNetwork {
    /// 3 × 3, stride 2, twice.
    pub stem: Vec<Conv>,
    /// One after the other.
    pub modules: Vec<MultiScaleModule>,
    /// From each branch to the read-out: 1 × 1, the finest first.
    pub gather: Vec<Conv>,
    /// Read-out to maps: 1 × 1.
    pub head: Conv,
    /// From the mean of the coarsest branch to the logit that there is nothing in a map.
    pub absent: Linear,
}

/// What the network says, before any activation.
pub struct Answers {
    /// `[n, outputs, rows, columns]`.
    pub maps: Tensor<4>,
    /// `[n, outputs]`.
    pub absent: Tensor<2>,
}

impl MultiScaleNetwork {
    /// A network that has learnt nothing.
    pub fn new(size: &MultiScaleSize, device: &Device) -> Self {
        let channels = &size.channels;
        let root2 = std::f64::consts::SQRT_2;
        let last = size.modules.len() - 1;
        let mut begun = 1;
        let modules = size
            .modules
            .iter()
            .enumerate()
            .map(|(index, &branches)| {
                let begin = (begun..branches)
                    .map(|branch| Conv::new(channels[branch - 1], channels[branch], 3, 2, root2, device))
                    .collect();
                begun = branches;
                let block = |channels| ConvBlock {
                    inner: Conv::new(channels, channels, 3, 1, 1.0, device),
                    outer: Conv::new(channels, channels, 1, 1, 0.0, device),
                };
                MultiScaleModule {
                    begin,
                    branches: (0..branches)
                        .map(|branch| (0..size.blocks[branch]).map(|_| block(channels[branch])).collect())
                        .collect(),
                    fusions: if index == last { 0..0 } else { 0..branches }
                        .map(|to| Fusion {
                            from_coarser: (to + 1..branches)
                                .rev()
                                .map(|from| Conv::new(channels[from], channels[to], 1, 1, FUSE_GAIN, device))
                                .collect(),
                            from_finer: (0..to)
                                .map(|from| Conv::new(channels[from], channels[to], 3, 2, FUSE_GAIN, device))
                                .collect(),
                        })
                        .collect(),
                }
            })
            .collect();
        let gain = root2 / (begun as f64).sqrt();
        Self {
            stem: vec![
                Conv::new(COLOURS, size.stem, 3, 2, 1.0, device),
                Conv::new(size.stem, channels[0], 3, 2, root2, device),
            ],
            modules,
            gather: (0..begun).map(|branch| Conv::new(channels[branch], size.head, 1, 1, gain, device)).collect(),
            head: Conv::new(size.head, size.outputs, 1, 1, 0.0, device),
            absent: LinearConfig::new(channels[begun - 1], size.outputs)
                .with_initializer(Initializer::Zeros)
                .init(device),
        }
    }

    /// Every convolution with the name that its filters have in a graph ([`crate::export_multi_scale`]).
    ///
    /// # Errors
    /// The first one of `visit`.
    pub fn for_each_conv(
        &mut self,
        visit: &mut dyn FnMut(&str, &mut Conv) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for (index, conv) in self.stem.iter_mut().enumerate() {
            visit(&format!("stem_{index}"), conv)?;
        }
        let mut begun = 1;
        for (number, module) in self.modules.iter_mut().enumerate() {
            for conv in &mut module.begin {
                visit(&format!("module_{number}_begin_{begun}"), conv)?;
                begun += 1;
            }
            for (branch, blocks) in module.branches.iter_mut().enumerate() {
                for (index, block) in blocks.iter_mut().enumerate() {
                    let name = format!("module_{number}_branch_{branch}_block_{index}");
                    visit(&format!("{name}_inner"), &mut block.inner)?;
                    visit(&format!("{name}_outer"), &mut block.outer)?;
                }
            }
            for (to, fusion) in module.fusions.iter_mut().enumerate() {
                for (conv, from) in fusion.from_coarser.iter_mut().zip((to + 1..begun).rev()) {
                    visit(&format!("module_{number}_from_{from}_to_{to}"), conv)?;
                }
                for (from, conv) in fusion.from_finer.iter_mut().enumerate() {
                    visit(&format!("module_{number}_from_{from}_to_{to}"), conv)?;
                }
            }
        }
        for (branch, conv) in self.gather.iter_mut().enumerate() {
            visit(&format!("gather_{branch}"), conv)?;
        }
        visit("head", &mut self.head)
    }

    /// `pictures` `[n, 3, H, W]`, normalised.
    pub fn forward(&self, pictures: Tensor<4>) -> Answers {
        let mut x = pictures;
        for (index, conv) in self.stem.iter().enumerate() {
            x = if index == 0 { conv.forward(x) } else { conv.of_relu(x) };
        }
        let mut branches = vec![x];
        for module in &self.modules {
            for conv in &module.begin {
                let finer = branches[branches.len() - 1].clone();
                branches.push(conv.of_relu(finer));
            }
            for (x, blocks) in branches.iter_mut().zip(&module.branches) {
                for block in blocks {
                    *x = x.clone() + block.outer.of_relu(block.inner.forward(x.clone()));
                }
            }
            if !module.fusions.is_empty() {
                branches = fuse(&branches, &module.fusions);
            }
        }
        let coarsest = relu(branches[branches.len() - 1].clone());
        let absent = self.absent.forward(coarsest.mean_dim(3).mean_dim(2).squeeze_dims::<2>(&[2, 3]));
        let mut sum: Option<Tensor<4>> = None;
        for (conv, x) in self.gather.iter().zip(branches).rev() {
            let own = conv.of_relu(x);
            sum = Some(match sum {
                Some(coarser) => own + doubled(coarser),
                None => own,
            });
        }
        let maps = self.head.of_relu(sum.unwrap_or_else(|| unreachable!("a network has a branch")));
        Answers { maps, absent }
    }
}

/// Each branch with what it gets from the others.
fn fuse(branches: &[Tensor<4>], fusions: &[Fusion]) -> Vec<Tensor<4>> {
    fusions
        .iter()
        .enumerate()
        .map(|(to, fusion)| {
            let mut coarser: Option<Tensor<4>> = None;
            for (conv, from) in fusion.from_coarser.iter().zip((to + 1..branches.len()).rev()) {
                let own = conv.of_relu(branches[from].clone());
                coarser = Some(doubled(match coarser {
                    Some(coarser) => own + coarser,
                    None => own,
                }));
            }
            let mut sum = branches[to].clone();
            if let Some(coarser) = coarser {
                sum = sum + coarser;
            }
            for (from, conv) in fusion.from_finer.iter().enumerate() {
                let mean_over = 1 << (to - from - 1);
                let x = branches[from].clone();
                sum = sum
                    + if mean_over > 1 {
                        conv.forward(avg_pool2d(relu(x), AvgPoolOptions::new([mean_over; 2])))
                    } else {
                        conv.of_relu(x)
                    };
            }
            sum
        })
        .collect()
}

/// Every cell four times.
fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [_, _, rows, columns] = x.dims();
    interpolate(x, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([2 * rows, 2 * columns]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn presets_give_maps_at_a_quarter_of_the_picture_and_nothing_known_at_first() {
        for size in [MultiScaleSize::small(), MultiScaleSize::base(), MultiScaleSize::person()] {
            let device = Device::flex();
            let network = MultiScaleNetwork::new(&size, &device);
            let picture =
                Tensor::random([1, 3, size.height_px, size.width_px], Distribution::Normal(0.0, 1.0), &device);
            let answers = network.forward(picture);
            let (columns, rows) = size.cells();
            assert_eq!(answers.maps.dims(), [1, size.outputs, rows, columns]);
            assert_eq!(answers.absent.dims(), [1, size.outputs]);
            assert!(answers.maps.abs().max().into_scalar::<f32>() == 0.0);
            assert_eq!((size.width_px % 32, size.height_px % 32), (0, 0), "the coarsest branch has whole cells");
        }
    }
}
