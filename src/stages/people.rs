//! The 2D networks of one camera: people in an image, keypoints of each.
//!
//! Holds the networks, their contracts and the tensors that are used again from image to image. All searches of an
//! image go through the keypoint network in one batch where its graph allows that, one by one where it is fixed to one.

use image::RgbImage;
use ndarray::{Array4, ArrayD};

use crate::data::Detection;
use crate::model::{
    DetectorContract, DetectorDecode, ImageElement, ImageInput, ImageLayout, KeypointsContract, KeypointsDecode,
    PictureSize,
};
use crate::network::{Network, NetworkError, TensorSpec, TensorView};
use crate::stages::crop::Crop;
use crate::stages::detect::{self, DetectSettings};
use crate::stages::keypoints;
use crate::stages::track::{Finding, Search};

/// A box is enlarged by this before it becomes a crop.
const BOX_PADDING: f64 = 1.25;

/// The person detector.
pub struct DetectorStage {
    contract: DetectorContract,
    network: Box<dyn Network>,
    picture: Picture,
    /// What the contract wants the network to give.
    outputs: Vec<TensorSpec>,
}

/// The 2D keypoint network.
pub struct KeypointStage {
    contract: KeypointsContract,
    network: Box<dyn Network>,
    picture: Picture,
    /// What the contract wants the network to give.
    outputs: Vec<TensorSpec>,
}

/// The input tensor, kept from image to image.
enum Picture {
    F32(Array4<f32>),
    U8(Array4<u8>),
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
        }
    }

    fn batch(&self) -> usize {
        match self {
            Self::F32(values) => values.dim().0,
            Self::U8(values) => values.dim().0,
        }
    }

    fn draw(&mut self, index: usize, crop: &Crop, image: &RgbImage, input: &ImageInput) {
        let values = 3 * input.size.area();
        match self {
            Self::F32(array) => {
                if let Some(out) = array.as_slice_mut() {
                    crop.sample_f32(image, input, &mut out[index * values..(index + 1) * values]);
                }
            }
            Self::U8(array) => {
                if let Some(out) = array.as_slice_mut() {
                    crop.sample_u8(image, input, &mut out[index * values..(index + 1) * values]);
                }
            }
        }
    }

    fn view(&self) -> TensorView<'_> {
        match self {
            Self::F32(values) => TensorView::F32(values.view().into_dyn()),
            Self::U8(values) => TensorView::U8(values.view().into_dyn()),
        }
    }
}

impl DetectorStage {
    /// Pairs weights and contract.
    pub fn new(contract: DetectorContract, network: Box<dyn Network>) -> Self {
        let picture = Picture::new(&contract.input, 1);
        let outputs = contract.outputs();
        Self { contract, network, picture, outputs }
    }

    /// Finds people in `image`.
    ///
    /// # Errors
    /// [`NetworkError`] when the engine fails.
    pub fn detect(&mut self, image: &RgbImage, settings: &DetectSettings) -> Result<Vec<Detection>, NetworkError> {
        let input = &self.contract.input;
        let letterbox = Crop::letterbox(image.dimensions(), input.size, input.placement);
        self.picture.draw(0, &letterbox, image, input);
        let outputs = self.network.run(&[self.picture.view()])?;
        check_shapes("detector", &outputs, &self.outputs, 1)?;
        let DetectorDecode::Yolox { strides, classes, .. } = &self.contract.decode;
        let output = values(&outputs, 0);
        Ok(detect::decode_yolox(output, strides, *classes, &letterbox, image.dimensions(), settings))
    }
}

impl KeypointStage {
    /// Pairs weights and contract.
    pub fn new(contract: KeypointsContract, network: Box<dyn Network>) -> Self {
        let picture = Picture::new(&contract.input, 1);
        let outputs = contract.outputs();
        Self { contract, network, picture, outputs }
    }

    /// Whether one run may take any number of people: the first dimension is dynamic in what the graph takes and gives.
    fn is_batched(&self) -> bool {
        let mut tensors = self.network.inputs().iter().chain(self.network.outputs());
        tensors.all(|tensor| tensor.shape.first() == Some(&None))
    }

    /// Finds the keypoints of everybody who is searched for.
    ///
    /// # Errors
    /// [`NetworkError`] when the engine fails.
    pub fn find(&mut self, image: &RgbImage, searches: &[Search]) -> Result<Vec<Finding>, NetworkError> {
        let mut findings = Vec::with_capacity(searches.len());
        let at_once = if self.is_batched() { searches.len().max(1) } else { 1 };
        for group in searches.chunks(at_once) {
            if self.picture.batch() != group.len() {
                self.picture = Picture::new(&self.contract.input, group.len());
            }
            let crops: Vec<Crop> = group.iter().map(|search| self.crop(search)).collect();
            for (index, crop) in crops.iter().enumerate() {
                self.picture.draw(index, crop, image, &self.contract.input);
            }
            let outputs = self.network.run(&[self.picture.view()])?;
            check_shapes("keypoints", &outputs, &self.outputs, group.len())?;
            for (index, (search, crop)) in group.iter().zip(&crops).enumerate() {
                findings.push(self.decode(search.slot, crop, &outputs, index, group.len()));
            }
        }
        Ok(findings)
    }

    fn crop(&self, search: &Search) -> Crop {
        let size = self.contract.input.size;
        search.crop.unwrap_or_else(|| Crop::around(&search.bbox_in_image_px, BOX_PADDING, size))
    }

    fn decode(&self, slot: usize, crop: &Crop, outputs: &[ArrayD<f32>], index: usize, batch: usize) -> Finding {
        let row = |output: usize| {
            let all = values(outputs, output);
            let length = all.len() / batch.max(1);
            &all[index * length..(index + 1) * length]
        };
        let layout = self.contract.layout;
        match &self.contract.decode {
            KeypointsDecode::Movenet { .. } => {
                Finding { slot, person: keypoints::decode_movenet(row(0), layout, crop), next_crop: None }
            }
            KeypointsDecode::Heatmap(decode) => {
                Finding { slot, person: keypoints::decode_heatmap(row(0), decode, layout, crop), next_crop: None }
            }
            KeypointsDecode::Simcc { simcc_split_ratio, .. } => Finding {
                slot,
                person: keypoints::decode_simcc(row(0), row(1), *simcc_split_ratio, layout, crop),
                next_crop: None,
            },
            KeypointsDecode::Blazepose { .. } => {
                let presence = row(1).first().copied().unwrap_or(0.0);
                Finding {
                    slot,
                    person: keypoints::decode_blazepose(row(0), presence, layout, crop),
                    next_crop: keypoints::blazepose_next_crop(row(0), crop),
                }
            }
        }
    }
}

/// Dimensions that are dynamic in the graph are known only now: they must be the contract's too.
fn check_shapes(
    network: &str,
    outputs: &[ArrayD<f32>],
    wanted: &[TensorSpec],
    batch: usize,
) -> Result<(), NetworkError> {
    for (index, wanted) in wanted.iter().enumerate() {
        let mut wanted = wanted.clone();
        if let Some(first) = wanted.shape.first_mut() {
            *first = Some(batch);
        }
        let found = outputs.get(index).map_or(&[][..], |output| output.shape());
        let fits = found.len() == wanted.shape.len()
            && wanted.shape.iter().zip(found).all(|(wanted, found)| wanted.is_none_or(|wanted| wanted == *found));
        if !fits {
            let reason = format!("the contract asks for {wanted}, the network gave {found:?}");
            return Err(NetworkError { network: network.to_owned(), reason });
        }
    }
    Ok(())
}

/// An output's values; the engine gives them contiguous and in the contract's order.
fn values(outputs: &[ArrayD<f32>], index: usize) -> &[f32] {
    outputs.get(index).and_then(|output| output.as_slice()).unwrap_or(&[])
}
