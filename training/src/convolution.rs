//! Convolutions of the 2D networks and their gradients, as products of matrices that stay in a core's cache.
//!
//! The tensor library unfolds a whole batch at once and copies it to and fro, which costs more than the products. Here a few
//! images at a time are unfolded to `[taps, cells]` (what each cell of the output sees), and forward and backward are three
//! products with that:
//!
//! ```text
//! y = W U(x)        dW = dy U(x)^T        dx = U^T(W^T dy)
//! ```
//! The ReLU before a convolution is part of it, so that its result need not be kept for the way back.

use std::ops::Range;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, FlexDevice, backend_extension};
use burn::prelude::*;
use burn::tensor::activation::relu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use rayon::prelude::*;

use crate::product::{Matrix, add_product, set_product};

/// Values of an unfolded group of images: one megabyte, so that it stays in a core's second-level cache.
const GROUP_VALUES: usize = 1 << 18;
/// Cells from which on a product gets no faster with more.
const WIDE_ENOUGH: usize = 256;

/// What a convolution does besides its filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvKind {
    /// Columns and rows of a filter; odd. The picture is continued by `kernel / 2` zeros.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
    /// Whether it is applied to `relu(x)`.
    pub rectify: bool,
}

/// The convolution of `x` `[n, in, rows, columns]` with `weight` `[out, in * kernel * kernel]` and `bias` `[out]`.
pub fn convolve(x: Tensor<4>, weight: Tensor<2>, bias: Tensor<1>, kind: ConvKind) -> Tensor<4> {
    if x.device() != Device::flex() {
        return by_library(x, weight, bias, kind);
    }
    let y = <Dispatch as ConvBackend>::convolve(x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch(), kind);
    Tensor::from_dispatch(y)
}

/// The same by the tensor library: for a GPU, where it has kernels for that.
fn by_library(x: Tensor<4>, weight: Tensor<2>, bias: Tensor<1>, kind: ConvKind) -> Tensor<4> {
    let [output, taps] = weight.dims();
    let ConvKind { kernel, stride, rectify } = kind;
    let weight = weight.reshape([output, taps / (kernel * kernel), kernel, kernel]);
    let options = ConvOptions::new([stride; 2], [kernel / 2; 2], [1; 2], 1);
    conv2d(if rectify { relu(x) } else { x }, weight, Some(bias), options)
}

/// Backends that can do it.
#[backend_extension(Autodiff, Flex)]
pub trait ConvBackend: Backend {
    /// See [`convolve`].
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        kind: ConvKind,
    ) -> FloatTensor<Self>;
}

impl ConvBackend for Flex {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        kind: ConvKind,
    ) -> FloatTensor<Self> {
        let geometry = Geometry::new(&x, &weight, kind);
        let (x, weight, bias) = (x.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
        let y = forward(&geometry, x.storage(), weight.storage(), bias.storage());
        let count = x.layout().shape()[0];
        flex(y, [count, geometry.output, geometry.output_rows, geometry.output_columns])
    }
}

impl<C: CheckpointStrategy> ConvBackend for Autodiff<Flex, C> {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        kind: ConvKind,
    ) -> FloatTensor<Self> {
        let [(x, of_x), (weight, of_weight), (bias, of_bias)] = [x, weight, bias].map(<FloatTensor<Self>>::into_parts);
        let nodes = [of_x, of_weight, of_bias];
        match ConvBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let y = Flex::convolve(x.clone(), weight.clone(), bias, kind);
                prepared.finish((x, weight, kind), y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(Flex::convolve(x, weight, bias, kind)),
        }
    }
}

#[derive(Debug)]
struct ConvBackward;

impl Backward<Flex, 3> for ConvBackward {
    type State = (FloatTensor<Flex>, FloatTensor<Flex>, ConvKind);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [of_x, of_weight, of_bias] = ops.parents;
        let of_y = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (x, weight, kind) = ops.state;
        let geometry = Geometry::new(&x, &weight, kind);
        let shape = x.layout().shape().clone();
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let of = backward(&geometry, x.storage(), weight.storage(), of_y.storage(), of_x.is_some());
        if let Some(node) = of_x {
            gradients.register::<Flex>(node.id, flex(of.x, [shape[0], shape[1], shape[2], shape[3]]));
        }
        if let Some(node) = of_weight {
            gradients.register::<Flex>(node.id, flex(of.weight, [geometry.output, geometry.taps()]));
        }
        if let Some(node) = of_bias {
            gradients.register::<Flex>(node.id, flex(of.bias, [geometry.output]));
        }
    }
}

fn flex<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FloatTensor<Flex> {
    Flex::float_from_data(TensorData::new(values, shape), &FlexDevice)
}

/// Sizes of a convolution.
struct Geometry {
    input: usize,
    rows: usize,
    columns: usize,
    output: usize,
    output_rows: usize,
    output_columns: usize,
    kind: ConvKind,
}

impl Geometry {
    fn new(x: &FloatTensor<Flex>, weight: &FloatTensor<Flex>, kind: ConvKind) -> Self {
        let (x, weight) = (x.layout().shape(), weight.layout().shape());
        let (input, rows, columns) = (x[1], x[2], x[3]);
        assert_eq!(weight[1], input * kind.kernel * kind.kernel, "a filter is a row of in * kernel * kernel values");
        assert!(kind.kernel % 2 == 1, "a kernel has a middle");
        let steps = |size: usize| (size - 1) / kind.stride + 1;
        Self { input, rows, columns, output: weight[0], output_rows: steps(rows), output_columns: steps(columns), kind }
    }

    /// Values that a cell of the output sees.
    fn taps(&self) -> usize {
        self.input * self.kind.kernel * self.kind.kernel
    }

    fn cells(&self) -> usize {
        self.output_rows * self.output_columns
    }

    /// Values of an image.
    fn image(&self) -> usize {
        self.input * self.rows * self.columns
    }

    /// Values of an image's answer.
    fn answer(&self) -> usize {
        self.output * self.cells()
    }

    /// Images that are unfolded together: as many as give products wide enough to be fast and small enough for the cache.
    fn group(&self) -> usize {
        let most = (GROUP_VALUES / (self.taps() * self.cells())).max(1);
        WIDE_ENOUGH.div_ceil(self.cells()).min(most)
    }

    /// Writes what each cell of `images` sees to `unfolded`, `[taps, images * cells]`.
    fn unfold(&self, images: &[f32], rectified: &mut Vec<f32>, unfolded: &mut Vec<f32>) {
        let (cells, plane) = (self.cells(), self.rows * self.columns);
        let count = images.len() / self.image();
        unfolded.resize(self.taps() * count * cells, 0.0);
        for (index, image) in images.chunks_exact(self.image()).enumerate() {
            let image: &[f32] = if self.kind.rectify {
                rectified.clear();
                rectified.extend(image.iter().map(|value| value.max(0.0)));
                &*rectified
            } else {
                image
            };
            for (tap, at) in self.taps_of_a_channel().enumerate() {
                for (channel, plane) in image.chunks_exact(plane).enumerate() {
                    let row = (channel * self.kind.kernel * self.kind.kernel + tap) * count + index;
                    self.see(plane, &mut unfolded[row * cells..(row + 1) * cells], at);
                }
            }
        }
    }

    /// Adds up what [`Self::unfold`] spread; uses up `unfolded`.
    fn fold(&self, unfolded: &mut [f32], images: &mut [f32]) {
        let (cells, plane) = (self.cells(), self.rows * self.columns);
        let count = images.len() / self.image();
        for (index, image) in images.chunks_exact_mut(self.image()).enumerate() {
            for (tap, at) in self.taps_of_a_channel().enumerate() {
                for (channel, plane) in image.chunks_exact_mut(plane).enumerate() {
                    let row = (channel * self.kind.kernel * self.kind.kernel + tap) * count + index;
                    self.give_back(&mut unfolded[row * cells..(row + 1) * cells], plane, at);
                }
            }
        }
    }

    /// Where the taps of a filter lie beside its middle: (row, column).
    fn taps_of_a_channel(&self) -> impl Iterator<Item = (isize, isize)> {
        let reach = (self.kind.kernel / 2) as isize;
        (-reach..=reach).flat_map(move |row| (-reach..=reach).map(move |column| (row, column)))
    }

    /// What the cells see of a plane through the tap at `(row, column)`.
    fn see(&self, plane: &[f32], seen: &mut [f32], (row, column): (isize, isize)) {
        if self.kind.stride == 1 {
            // All at once, as if the plane were one row; what has come round a border is nothing.
            let (to, from) = shifted(plane.len(), row * self.columns as isize + column);
            seen[..to.start].fill(0.0);
            seen[to.end..].fill(0.0);
            seen[to].copy_from_slice(&plane[from]);
            self.clear_border(seen, column);
            return;
        }
        let stride = self.kind.stride;
        let columns = Stretch::new(self.columns, self.output_columns, stride, column);
        for (output_row, seen) in seen.chunks_exact_mut(self.output_columns).enumerate() {
            seen.fill(0.0);
            let Some(start) = self.row_start(output_row, row) else { continue };
            let from = plane[start + columns.from..start + self.columns].iter().step_by(stride);
            seen[columns.cells.clone()].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
    }

    /// Adds to a plane what its cells saw through the tap at `(row, column)`.
    fn give_back(&self, seen: &mut [f32], plane: &mut [f32], (row, column): (isize, isize)) {
        if self.kind.stride == 1 {
            let (from, to) = shifted(plane.len(), row * self.columns as isize + column);
            self.clear_border(seen, column);
            plane[to].iter_mut().zip(&seen[from]).for_each(|(to, from)| *to += from);
            return;
        }
        let stride = self.kind.stride;
        let columns = Stretch::new(self.columns, self.output_columns, stride, column);
        for (output_row, seen) in seen.chunks_exact(self.output_columns).enumerate() {
            let Some(start) = self.row_start(output_row, row) else { continue };
            let to = plane[start + columns.from..start + self.columns].iter_mut().step_by(stride);
            to.zip(&seen[columns.cells.clone()]).for_each(|(to, from)| *to += from);
        }
    }

    /// Sets cells to zero that see past the left or right border.
    fn clear_border(&self, seen: &mut [f32], column: isize) {
        let beyond = column.unsigned_abs().min(self.columns);
        let border = if column < 0 { 0..beyond } else { self.columns - beyond..self.columns };
        if !border.is_empty() {
            seen.chunks_exact_mut(self.columns).for_each(|row| row[border.clone()].fill(0.0));
        }
    }

    /// First value of the plane's row that the cells of `output_row` see through a tap of this row.
    fn row_start(&self, output_row: usize, row: isize) -> Option<usize> {
        let row = (output_row * self.kind.stride).checked_add_signed(row)?;
        (row < self.rows).then_some(row * self.columns)
    }
}

/// Of `size` values beside `size` others that lie `by` further: (those that have a partner, their partners).
fn shifted(size: usize, by: isize) -> (Range<usize>, Range<usize>) {
    let by_size = by.unsigned_abs().min(size);
    if by < 0 { (by_size..size, 0..size - by_size) } else { (0..size - by_size, by_size..size) }
}

/// The cells of a row that see something through a tap, the first of them the picture's column `from`.
struct Stretch {
    cells: Range<usize>,
    from: usize,
}

impl Stretch {
    fn new(columns: usize, output_columns: usize, stride: usize, column: isize) -> Self {
        let first = column.min(0).unsigned_abs().div_ceil(stride);
        let end = columns.saturating_add_signed(-column).div_ceil(stride).min(output_columns).max(first);
        let from = (first * stride).saturating_add_signed(column);
        Self { cells: first.min(output_columns)..end.min(output_columns), from: from.min(columns) }
    }
}

fn forward(geometry: &Geometry, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let (taps, cells, group) = (geometry.taps(), geometry.cells(), geometry.group());
    let mut y = vec![0.0; x.len() / geometry.image() * geometry.answer()];
    y.par_chunks_mut(group * geometry.answer()).zip(x.par_chunks(group * geometry.image())).for_each_init(
        || (Vec::new(), Vec::new(), Vec::new()),
        |(unfolded, rectified, wide), (y, x)| {
            let columns = x.len() / geometry.image() * cells;
            geometry.unfold(x, rectified, unfolded);
            wide.resize(geometry.output * columns, 0.0);
            for (row, bias) in wide.chunks_exact_mut(columns).zip(bias) {
                row.fill(*bias);
            }
            add_product(wide, Matrix::rows(weight, taps), Matrix::rows(unfolded, columns));
            for (channel, row) in wide.chunks_exact(columns).enumerate() {
                for (image, part) in row.chunks_exact(cells).enumerate() {
                    let start = (image * geometry.output + channel) * cells;
                    y[start..start + cells].copy_from_slice(part);
                }
            }
        },
    );
    y
}

/// Gradients of one convolution.
struct ConvGradients {
    /// Empty where it is not asked for.
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

fn backward(geometry: &Geometry, x: &[f32], weight: &[f32], of_y: &[f32], is_x_asked: bool) -> ConvGradients {
    let (taps, cells, group) = (geometry.taps(), geometry.cells(), geometry.group());
    let mut gradients = ConvGradients {
        x: vec![0.0; if is_x_asked { x.len() } else { 0 }],
        weight: vec![0.0; weight.len()],
        bias: vec![0.0; geometry.output],
    };
    let (mut unfolded, mut rectified, mut wide) = (Vec::new(), Vec::new(), Vec::new());
    // `[taps, out]`: with few channels the product is several times faster that way round.
    let mut of_weight = vec![0.0; weight.len()];
    let groups = x.chunks(group * geometry.image()).zip(of_y.chunks(group * geometry.answer()));
    for (number, (x, of_y)) in groups.enumerate() {
        let columns = x.len() / geometry.image() * cells;
        wide.clear();
        for channel in 0..geometry.output {
            for image in of_y.chunks_exact(geometry.answer()) {
                wide.extend_from_slice(&image[channel * cells..(channel + 1) * cells]);
            }
        }
        let of_y = Matrix::rows(&wide, columns);
        for (bias, row) in gradients.bias.iter_mut().zip(wide.chunks_exact(columns)) {
            *bias += sum(row);
        }
        geometry.unfold(x, &mut rectified, &mut unfolded);
        add_product(&mut of_weight, Matrix::rows(&unfolded, columns), of_y.transposed());
        if is_x_asked {
            set_product(&mut unfolded, Matrix::rows(weight, taps).transposed(), of_y);
            let start = number * group * geometry.image();
            let of_x = &mut gradients.x[start..start + x.len()];
            geometry.fold(&mut unfolded, of_x);
            if geometry.kind.rectify {
                of_x.iter_mut().zip(x).for_each(|(of_x, x)| *of_x = if *x > 0.0 { *of_x } else { 0.0 });
            }
        }
    }
    for (output, filter) in gradients.weight.chunks_exact_mut(taps).enumerate() {
        filter.iter_mut().zip(of_weight[output..].iter().step_by(geometry.output)).for_each(|(to, of)| *to = *of);
    }
    gradients
}

/// The sum of `values`, several at a time.
fn sum(values: &[f32]) -> f32 {
    let mut sums = [0.0; 16];
    for values in values.chunks(sums.len()) {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        crate::export::floats(tensor)
    }

    fn assert_close(what: &str, kind: ConvKind, a: &[f32], b: &[f32]) {
        assert_eq!(a.len(), b.len());
        let largest = b.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        assert!(largest > 0.0, "{what} of {kind:?} is nothing");
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-5 * largest.max(1.0), "{what} of {kind:?}: {a} instead of {b}");
        }
    }

    #[test]
    fn values_and_gradients_are_those_of_the_tensor_library() {
        let device = Device::flex().autodiff();
        device.seed(3);
        let random =
            |shape: [usize; 4]| -> Tensor<4> { Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device) };
        for (input, output, rows, columns) in [(3, 5, 12, 10), (6, 4, 7, 9), (2, 3, 1, 1), (40, 8, 6, 4)] {
            for (kernel, stride, rectify) in
                [(1, 1, false), (1, 1, true), (3, 1, false), (3, 1, true), (3, 2, true), (3, 2, false), (5, 2, true)]
            {
                let kind = ConvKind { kernel, stride, rectify };
                let x = random([5, input, rows, columns]).require_grad();
                let weight = random([1, 1, output, input * kernel * kernel]).squeeze_dims::<2>(&[0, 1]).detach();
                let weight = weight.require_grad();
                let bias = random([1, 1, 1, output]).squeeze_dims::<1>(&[0, 1, 2]).detach().require_grad();
                let run = |of: fn(Tensor<4>, Tensor<2>, Tensor<1>, ConvKind) -> Tensor<4>| {
                    let y = of(x.clone(), weight.clone(), bias.clone(), kind);
                    // Every value of the answer has another share in the sum.
                    let shape = y.dims();
                    let count = shape.iter().product::<usize>() as i64;
                    let share = Tensor::<1, Int>::arange(0..count, &device).float().mul_scalar(0.37).sin();
                    let gradients = (y.clone() * share.reshape(shape)).sum().backward();
                    let gradient = (
                        values(x.grad(&gradients).unwrap_or_else(|| unreachable!("x is asked for"))),
                        values(weight.grad(&gradients).unwrap_or_else(|| unreachable!("weights are asked for"))),
                        values(bias.grad(&gradients).unwrap_or_else(|| unreachable!("the bias is asked for"))),
                    );
                    (values(y), gradient)
                };
                let (own, expected) = (run(convolve), run(by_library));
                assert_close("value", kind, &own.0, &expected.0);
                assert_close("gradient of x", kind, &own.1.0, &expected.1.0);
                assert_close("gradient of the filters", kind, &own.1.1, &expected.1.1);
                assert_close("gradient of the bias", kind, &own.1.2, &expected.1.2);
            }
        }
    }
}
