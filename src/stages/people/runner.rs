//! A network that takes pictures: the tensor that is used again from image to image, and what comes out.

use image::RgbImage;
use ndarray::{Array4, ArrayViewD, s};

use super::cover::Cover;
use crate::data::{LevelImage, Turn};
use crate::model::{ImageElement, ImageInput, ImageLayout, PictureSize};
use crate::network::{Network, NetworkError, TensorSpec, TensorView};
use crate::stages::crop::Crop;

/// A network with its picture.
pub(super) struct Runner {
    /// What errors call it.
    name: &'static str,
    pub(super) input: ImageInput,
    network: Box<dyn Network>,
    picture: Picture,
    /// What the contract wants the network to give.
    wanted: Vec<TensorSpec>,
}

/// The input tensor, with room for the most pictures so far.
enum Picture {
    F32(Array4<f32>),
    U8(Array4<u8>),
    I32(Array4<i32>),
}

/// What a network gave for a batch of pictures.
pub(super) struct Outputs<'a> {
    arrays: Vec<ArrayViewD<'a, f32>>,
    batch: usize,
}

impl Runner {
    pub(super) fn new(
        name: &'static str,
        input: ImageInput,
        wanted: Vec<TensorSpec>,
        network: Box<dyn Network>,
    ) -> Self {
        let picture = Picture::new(&input, 1);
        Self { name, input, network, picture, wanted }
    }

    /// Whether one run may take any number of people: the first dimension is dynamic in what the graph takes and gives.
    pub(super) fn is_batched(&self) -> bool {
        let mut tensors = self.network.inputs().iter().chain(self.network.outputs());
        tensors.all(|tensor| tensor.shape.first() == Some(&None))
    }

    /// Runs the network on `crops` of the level image at once, each without what its cover hides, where there are covers.
    pub(super) fn run(
        &mut self,
        level: &LevelImage<'_>,
        crops: &[Crop],
        covers: &[Cover],
    ) -> Result<Outputs<'_>, NetworkError> {
        if self.picture.room() < crops.len() {
            self.picture = Picture::new(&self.input, crops.len());
        }
        for (index, crop) in crops.iter().enumerate() {
            self.picture.draw(index, &crop.in_image(&level.view), level.image, &self.input);
            if let Some(cover) = covers.get(index) {
                self.picture.hide(index, crop, cover, &self.input);
            }
        }
        let arrays = self.network.run(&[self.picture.view(crops.len())])?;
        check_shapes(self.name, &self.wanted, &arrays, crops.len())?;
        Ok(Outputs { arrays, batch: crops.len() })
    }

    /// Runs the network on the whole level image, in which people lie like `turn`; also says where that lies in the picture.
    pub(super) fn run_whole(
        &mut self,
        level: &LevelImage<'_>,
        turn: Turn,
    ) -> Result<(Crop, Outputs<'_>), NetworkError> {
        let letterbox = Crop::turned_letterbox(level.view.size(), self.input.size, self.input.placement, turn);
        Ok((letterbox, self.run(level, &[letterbox], &[])?))
    }
}

/// Dimensions that are dynamic in the graph are known only now: they must be the contract's too.
fn check_shapes(
    network: &str,
    wanted: &[TensorSpec],
    arrays: &[ArrayViewD<'_, f32>],
    batch: usize,
) -> Result<(), NetworkError> {
    for (index, wanted) in wanted.iter().enumerate() {
        let found = arrays.get(index).map_or(&[][..], |array| array.shape());
        let fits = found.len() == wanted.shape.len()
            && found.first().is_none_or(|&first| first == batch)
            && wanted
                .shape
                .iter()
                .zip(found)
                .skip(1)
                .all(|(wanted, found)| wanted.is_none_or(|wanted| wanted == *found));
        if !fits {
            let mut wanted = wanted.clone();
            if let Some(first) = wanted.shape.first_mut() {
                *first = Some(batch);
            }
            let reason = format!("the contract asks for {wanted}, the network gave {found:?}");
            return Err(NetworkError { network: network.to_owned(), reason });
        }
    }
    Ok(())
}

impl Outputs<'_> {
    /// Values of one output for one picture; the engine gives them contiguous and in the contract's order.
    pub(super) fn of(&self, picture: usize, output: usize) -> &[f32] {
        let all = self.arrays.get(output).and_then(|array| array.as_slice()).unwrap_or(&[]);
        let length = all.len() / self.batch.max(1);
        &all[picture * length..(picture + 1) * length]
    }
}

impl Picture {
    fn new(input: &ImageInput, batch: usize) -> Self {
        let PictureSize { width_px, height_px } = input.size;
        let shape = match input.layout {
            ImageLayout::Nchw => (batch, 3, height_px, width_px),
            ImageLayout::Nhwc => (batch, height_px, width_px, 3),
        };
        match input.element_type {
            ImageElement::F32 => Self::F32(Array4::zeros(shape)),
            ImageElement::U8 => Self::U8(Array4::zeros(shape)),
            ImageElement::I32 => Self::I32(Array4::zeros(shape)),
        }
    }

    /// How many pictures there is room for.
    fn room(&self) -> usize {
        match self {
            Self::F32(values) => values.dim().0,
            Self::U8(values) => values.dim().0,
            Self::I32(values) => values.dim().0,
        }
    }

    fn draw(&mut self, index: usize, crop: &Crop, image: &RgbImage, input: &ImageInput) {
        let values = 3 * input.size.area();
        let part = index * values..(index + 1) * values;
        match self {
            Self::F32(array) => {
                if let Some(out) = array.as_slice_mut() {
                    crop.sample_f32(image, input, &mut out[part]);
                }
            }
            Self::U8(array) => {
                if let Some(out) = array.as_slice_mut() {
                    crop.sample_u8(image, input, &mut out[part]);
                }
            }
            Self::I32(array) => {
                if let Some(out) = array.as_slice_mut() {
                    crop.sample_i32(image, input, &mut out[part]);
                }
            }
        }
    }

    /// Gives what the cover hides the value of what lies outside the image.
    fn hide(&mut self, index: usize, crop: &Crop, cover: &Cover, input: &ImageInput) {
        let outside = std::array::from_fn(|channel| {
            (f32::from(input.outside) * input.scale - input.mean[channel]) / input.std[channel]
        });
        match self {
            Self::F32(array) => hide_in(array, index, outside, crop, cover, input.layout),
            Self::U8(array) => hide_in(array, index, [input.outside; 3], crop, cover, input.layout),
            Self::I32(array) => hide_in(array, index, [i32::from(input.outside); 3], crop, cover, input.layout),
        }
    }

    /// The first `count` pictures.
    fn view(&self, count: usize) -> TensorView<'_> {
        match self {
            Self::F32(values) => TensorView::F32(values.slice(s![..count, .., .., ..]).into_dyn()),
            Self::U8(values) => TensorView::U8(values.slice(s![..count, .., .., ..]).into_dyn()),
            Self::I32(values) => TensorView::I32(values.slice(s![..count, .., .., ..]).into_dyn()),
        }
    }
}

/// Writes `outside`, a value for each channel, where the cover hides the picture with this index.
fn hide_in<T: Copy>(
    pictures: &mut Array4<T>,
    index: usize,
    outside: [T; 3],
    crop: &Crop,
    cover: &Cover,
    layout: ImageLayout,
) {
    let PictureSize { width_px, height_px } = crop.output;
    let area = width_px * height_px;
    let Some(picture) = pictures.as_slice_mut().map(|all| &mut all[index * 3 * area..(index + 1) * 3 * area]) else {
        return;
    };
    cover.for_each_stretch(crop, |row, columns| {
        let pixels = row * width_px + columns.start..row * width_px + columns.end;
        match layout {
            ImageLayout::Nchw => {
                for (plane, value) in picture.chunks_exact_mut(area).zip(outside) {
                    plane[pixels.clone()].fill(value);
                }
            }
            ImageLayout::Nhwc => {
                for pixel in picture[3 * pixels.start..3 * pixels.end].as_chunks_mut::<3>().0 {
                    *pixel = outside;
                }
            }
        }
    });
}
