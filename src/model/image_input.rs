//! The picture that a network takes: size, order of dimensions and colours, normalisation.

use serde::Deserialize;

use crate::network::{ElementType, TensorSpec};

/// Size of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureSize {
    /// Columns, px.
    pub width_px: usize,
    /// Rows, px.
    pub height_px: usize,
}

impl PictureSize {
    /// As wide as high.
    pub const fn square(side_px: usize) -> Self {
        Self { width_px: side_px, height_px: side_px }
    }

    /// Number of pixels.
    pub const fn area(self) -> usize {
        self.width_px * self.height_px
    }
}

impl std::fmt::Display for PictureSize {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} x {} px", self.width_px, self.height_px)
    }
}

/// The picture that a network takes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "ImageInputSection")]
pub struct ImageInput {
    /// Name in the graph.
    pub name: String,
    /// Element type.
    pub element_type: ImageElement,
    /// Order of the dimensions.
    pub layout: ImageLayout,
    /// Order of the colours.
    pub colour: Colour,
    /// Size: `side_px` of a square, or `width_px` and `height_px`.
    pub size: PictureSize,
    /// Where a whole image lies in it; crops always fill it.
    pub placement: Placement,
    /// A value is `(byte * scale - mean) / std`; `u8` and `i32` inputs take the byte itself.
    pub scale: f32,
    /// Mean of each channel, in the network's order of colours.
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
    /// Byte that stands for what lies outside the image.
    pub outside: u8,
}

impl ImageInput {
    /// The tensor that the graph must take.
    pub fn tensor_spec(&self) -> TensorSpec {
        let (width, height) = (Some(self.size.width_px), Some(self.size.height_px));
        let shape = match self.layout {
            ImageLayout::Nchw => vec![Some(1), Some(3), height, width],
            ImageLayout::Nhwc => vec![Some(1), height, width, Some(3)],
        };
        let element_type = match self.element_type {
            ImageElement::F32 => ElementType::F32,
            ImageElement::U8 => ElementType::U8,
            ImageElement::I32 => ElementType::I32,
        };
        TensorSpec { name: self.name.clone(), element_type, shape }
    }
}

#[cfg(test)]
impl ImageInput {
    /// Bytes as they are in floats, a square of `side_px`.
    pub(crate) fn plain(layout: ImageLayout, colour: Colour, side_px: usize) -> Self {
        Self {
            name: String::new(),
            element_type: ImageElement::F32,
            layout,
            colour,
            size: PictureSize::square(side_px),
            placement: Placement::TopLeft,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            outside: 114,
        }
    }
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageInputSection {
    name: String,
    element_type: ImageElement,
    layout: ImageLayout,
    colour: Colour,
    side_px: Option<usize>,
    width_px: Option<usize>,
    height_px: Option<usize>,
    #[serde(default)]
    placement: Placement,
    #[serde(default = "one")]
    scale: f32,
    #[serde(default)]
    mean: [f32; 3],
    #[serde(default = "ones")]
    std: [f32; 3],
    #[serde(default)]
    outside: u8,
}

const fn one() -> f32 {
    1.0
}

const fn ones() -> [f32; 3] {
    [1.0; 3]
}

impl TryFrom<ImageInputSection> for ImageInput {
    type Error = String;

    fn try_from(section: ImageInputSection) -> Result<Self, String> {
        let input = Self {
            size: size(section.side_px, section.width_px, section.height_px)?,
            name: section.name,
            element_type: section.element_type,
            layout: section.layout,
            colour: section.colour,
            placement: section.placement,
            scale: section.scale,
            mean: section.mean,
            std: section.std,
            outside: section.outside,
        };
        let finite = input.scale.is_finite() && input.mean.iter().chain(&input.std).all(|value| value.is_finite());
        if !finite || input.std.contains(&0.0) {
            return Err(format!(
                "input scale {}, mean {:?} and std {:?} must be finite, std not zero",
                input.scale, input.mean, input.std
            ));
        }
        let bytes_as_they_are = input.scale == 1.0 && input.mean == [0.0; 3] && input.std == ones();
        if input.element_type != ImageElement::F32 && !bytes_as_they_are {
            return Err("an input of whole numbers takes bytes as they are: leave out scale, mean and std".to_owned());
        }
        Ok(input)
    }
}

fn size(side_px: Option<usize>, width_px: Option<usize>, height_px: Option<usize>) -> Result<PictureSize, String> {
    let size = match (side_px, width_px, height_px) {
        (Some(side_px), None, None) => PictureSize::square(side_px),
        (None, Some(width_px), Some(height_px)) => PictureSize { width_px, height_px },
        _ => {
            let part = |name: &str, value: Option<usize>| value.map(|value| format!("{name}: {value}"));
            let given: Vec<String> =
                [part("side_px", side_px), part("width_px", width_px), part("height_px", height_px)]
                    .into_iter()
                    .flatten()
                    .collect();
            return Err(format!(
                "input has {{{}}}: give side_px alone for a square, or both width_px and height_px",
                given.join(", ")
            ));
        }
    };
    for (name, value) in [("width", size.width_px), ("height", size.height_px)] {
        if !(16..=4096).contains(&value) {
            return Err(format!("input {name} is {value} px, must be 16 to 4096"));
        }
    }
    Ok(size)
}

/// Element type of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageElement {
    /// 32-bit float.
    F32,
    /// Unsigned byte.
    U8,
    /// 32-bit integer that holds a byte.
    I32,
}

/// Order of a picture's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageLayout {
    /// Batch, channel, row, column.
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// Order of a picture's colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Where a whole image lies in a picture of another aspect ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// In the upper left corner, as YOLOX and MMDetection have it.
    #[default]
    TopLeft,
    /// In the middle, as Ultralytics has it.
    Centre,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(size: &str) -> Result<ImageInput, String> {
        let text = format!("{{name: i, element_type: f32, layout: nchw, colour: rgb, {size}}}");
        serde_yaml::from_str(&text).map_err(|error: serde_yaml::Error| error.to_string())
    }

    #[test]
    fn a_picture_is_square_or_has_width_and_height() {
        assert_eq!(parse("side_px: 256").unwrap().size, PictureSize::square(256));
        let input = parse("width_px: 192, height_px: 256").unwrap();
        assert_eq!(input.tensor_spec().shape, [Some(1), Some(3), Some(256), Some(192)]);
    }

    #[test]
    fn a_mix_of_sizes_is_refused_with_what_was_given() {
        for (text, named) in [
            ("side_px: 256, width_px: 192", "side_px: 256, width_px: 192"),
            ("side_px: 256, width_px: 192, height_px: 256", "height_px: 256"),
            ("width_px: 192", "{width_px: 192}"),
            ("outside: 0", "{}"),
            ("side_px: 8", "8 px"),
            ("width_px: 192, height_px: 5000", "height is 5000"),
            ("side_px: 256, std: [1, 0, 1]", "std not zero"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
