//! From a person in the image to the square picture that a network takes: rotate, resize and normalise in one pass.
//!
//! Pixel centres are integers in both pictures. With output side n, side s in the image, centre c and angle a,
//! `image = c + R(a) · ((crop + 0.5) / n − 0.5) · s`. Bilinear; where an output pixel covers more than one and a half
//! image pixels it is the mean of several samples, so that a far too fine image is not aliased.

use image::RgbImage;
use nalgebra::{Point2, Rotation2, Vector2};

use crate::data::BoundingBox;
use crate::model::{Colour, ImageInput, ImageLayout};

/// A square of the image, possibly turned, and the picture made of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    /// Centre, image px.
    pub center_in_image_px: Point2<f64>,
    /// Side of the square, image px.
    pub side_in_image_px: f64,
    /// Clockwise turn of the square in the image, rad: 0 is upright.
    pub angle: f64,
    /// Side of the picture, px.
    pub output_side_px: usize,
}

/// At most so many samples along each side of an output pixel.
const MAX_SAMPLES_A_SIDE: usize = 4;

impl Crop {
    /// The whole image, shrunk to fit into the top left corner of a square (letterbox of YOLOX). Never enlarged turned.
    pub fn letterbox(image_width: u32, image_height: u32, output_side_px: usize) -> Self {
        let side = f64::from(image_width.max(image_height));
        let middle = 0.5 * side - 0.5;
        Self { center_in_image_px: Point2::new(middle, middle), side_in_image_px: side, angle: 0.0, output_side_px }
    }

    /// The upright square around a box, its longer side times `padding`.
    pub fn around(bbox: &BoundingBox, padding: f64, output_side_px: usize) -> Self {
        let (x, y) = bbox.center();
        Self {
            center_in_image_px: Point2::new(f64::from(x), f64::from(y)),
            side_in_image_px: f64::from(bbox.width().max(bbox.height())).max(1.0) * padding,
            angle: 0.0,
            output_side_px,
        }
    }

    /// Image px per crop px.
    pub fn scale(&self) -> f64 {
        self.side_in_image_px / self.output_side_px as f64
    }

    /// Where a point of the picture (px) lies in the image (px).
    pub fn image_from_crop(&self, point_in_crop_px: Point2<f64>) -> Point2<f64> {
        let half = 0.5 * self.output_side_px as f64;
        let offset = (point_in_crop_px.coords + Vector2::repeat(0.5) - Vector2::repeat(half)) * self.scale();
        self.center_in_image_px + Rotation2::new(self.angle) * offset
    }

    /// Where a point of the image (px) lies in the picture (px).
    pub fn crop_from_image(&self, point_in_image_px: Point2<f64>) -> Point2<f64> {
        let half = 0.5 * self.output_side_px as f64;
        let offset = Rotation2::new(-self.angle) * (point_in_image_px - self.center_in_image_px) / self.scale();
        Point2::from(offset + Vector2::repeat(half - 0.5))
    }

    /// Writes the picture as floats, `(byte * scale - mean) / std` in the network's order of colours and dimensions.
    ///
    /// # Panics
    /// When `out` is not `3 * side * side` long.
    pub fn sample_f32(&self, image: &RgbImage, input: &ImageInput, out: &mut [f32]) {
        let pixels = self.output_side_px * self.output_side_px;
        assert_eq!(out.len(), 3 * pixels, "a picture of side {} has {} values", self.output_side_px, 3 * pixels);
        // value = byte * gain + offset, in the network's order of colours
        let gain: [f32; 3] = std::array::from_fn(|channel| input.scale / input.std[channel]);
        let offset: [f32; 3] = std::array::from_fn(|channel| -input.mean[channel] / input.std[channel]);
        let order = channel_order(input.colour);
        self.for_each_pixel(image, input.outside, |index, rgb| {
            for channel in 0..3 {
                let value = rgb[order[channel]] * gain[channel] + offset[channel];
                match input.layout {
                    ImageLayout::Nchw => out[channel * pixels + index] = value,
                    ImageLayout::Nhwc => out[index * 3 + channel] = value,
                }
            }
        });
    }

    /// Writes the picture as bytes in the network's order of colours and dimensions.
    ///
    /// # Panics
    /// When `out` is not `3 * side * side` long.
    pub fn sample_u8(&self, image: &RgbImage, input: &ImageInput, out: &mut [u8]) {
        let pixels = self.output_side_px * self.output_side_px;
        assert_eq!(out.len(), 3 * pixels, "a picture of side {} has {} values", self.output_side_px, 3 * pixels);
        let order = channel_order(input.colour);
        self.for_each_pixel(image, input.outside, |index, rgb| {
            for channel in 0..3 {
                let value = (rgb[order[channel]] + 0.5) as u8;
                match input.layout {
                    ImageLayout::Nchw => out[channel * pixels + index] = value,
                    ImageLayout::Nhwc => out[index * 3 + channel] = value,
                }
            }
        });
    }

    /// Calls `put(row * side + column, rgb)` for each pixel of the picture.
    fn for_each_pixel(&self, image: &RgbImage, outside: u8, mut put: impl FnMut(usize, [f32; 3])) {
        let side = self.output_side_px;
        let samples = ((self.scale() / 1.5).ceil() as usize).clamp(1, MAX_SAMPLES_A_SIDE);
        let sampler = Sampler::new(image, outside);
        let turn = Rotation2::new(self.angle);
        let step = 1.0 / samples as f64;
        let along_row = turn * Vector2::new(self.scale(), 0.0);
        let along_column = turn * Vector2::new(0.0, self.scale());
        let origin = self.image_from_crop(Point2::new(0.0, 0.0));
        let weight = 1.0 / (samples * samples) as f32;
        for row in 0..side {
            for column in 0..side {
                let at = origin + along_row * column as f64 + along_column * row as f64;
                let index = row * side + column;
                if samples == 1 {
                    put(index, sampler.at(at.x as f32, at.y as f32));
                    continue;
                }
                let mut sum = [0.0; 3];
                for sub_row in 0..samples {
                    for sub_column in 0..samples {
                        let place = |sub: usize| (sub as f64 + 0.5) * step - 0.5;
                        let sample = at + along_row * place(sub_column) + along_column * place(sub_row);
                        let rgb = sampler.at(sample.x as f32, sample.y as f32);
                        for channel in 0..3 {
                            sum[channel] += rgb[channel] * weight;
                        }
                    }
                }
                put(index, sum);
            }
        }
    }
}

/// Index into RGB of each of the network's channels.
const fn channel_order(colour: Colour) -> [usize; 3] {
    match colour {
        Colour::Rgb => [0, 1, 2],
        Colour::Bgr => [2, 1, 0],
    }
}

/// Bilinear look-up.
struct Sampler<'a> {
    bytes: &'a [u8],
    width: i32,
    height: i32,
    outside: f32,
}

impl<'a> Sampler<'a> {
    fn new(image: &'a RgbImage, outside: u8) -> Self {
        let (width, height) = image.dimensions();
        Self { bytes: image.as_raw(), width: width as i32, height: height as i32, outside: f32::from(outside) }
    }

    fn at(&self, x: f32, y: f32) -> [f32; 3] {
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let (left, top) = (left as i32, top as i32);
        if left >= 0 && top >= 0 && left + 1 < self.width && top + 1 < self.height {
            let stride = 3 * self.width as usize;
            let at = top as usize * stride + 3 * left as usize;
            let upper = &self.bytes[at..at + 6];
            let lower = &self.bytes[at + stride..at + stride + 6];
            return std::array::from_fn(|channel| {
                let above = f32::from(upper[channel]) * (1.0 - fx) + f32::from(upper[channel + 3]) * fx;
                let below = f32::from(lower[channel]) * (1.0 - fx) + f32::from(lower[channel + 3]) * fx;
                above * (1.0 - fy) + below * fy
            });
        }
        let (a, b) = (self.pixel(left, top), self.pixel(left + 1, top));
        let (c, d) = (self.pixel(left, top + 1), self.pixel(left + 1, top + 1));
        std::array::from_fn(|channel| {
            let above = a[channel] * (1.0 - fx) + b[channel] * fx;
            let below = c[channel] * (1.0 - fx) + d[channel] * fx;
            above * (1.0 - fy) + below * fy
        })
    }

    fn pixel(&self, x: i32, y: i32) -> [f32; 3] {
        if x < 0 || y < 0 || x >= self.width || y >= self.height {
            return [self.outside; 3];
        }
        let at = 3 * (y as usize * self.width as usize + x as usize);
        std::array::from_fn(|channel| f32::from(self.bytes[at + channel]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ImageElement;
    use image::Rgb;

    fn input(layout: ImageLayout, colour: Colour) -> ImageInput {
        ImageInput {
            name: String::new(),
            element_type: ImageElement::F32,
            layout,
            colour,
            side_px: 4,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            outside: 114,
        }
    }

    fn ramp() -> RgbImage {
        RgbImage::from_fn(8, 8, |x, y| Rgb([10 * x as u8, 10 * y as u8, 7]))
    }

    #[test]
    fn crop_and_image_coordinates_are_inverse() {
        let crop = Crop {
            center_in_image_px: Point2::new(100.0, 50.0),
            side_in_image_px: 80.0,
            angle: 0.7,
            output_side_px: 256,
        };
        let point = Point2::new(13.0, 200.0);
        assert!((crop.crop_from_image(crop.image_from_crop(point)) - point).norm() < 1e-9);
        let middle = crop.image_from_crop(Point2::new(127.5, 127.5));
        assert!(
            (middle - crop.center_in_image_px).norm() < 1e-9,
            "the centre of the picture is the centre of the square"
        );
    }

    #[test]
    fn a_crop_of_the_same_size_copies_bytes() {
        let crop =
            Crop { center_in_image_px: Point2::new(3.5, 3.5), side_in_image_px: 4.0, angle: 0.0, output_side_px: 4 };
        let mut planes = vec![0.0; 48];
        crop.sample_f32(&ramp(), &input(ImageLayout::Nchw, Colour::Bgr), &mut planes);
        assert_eq!(planes[..2], [7.0, 7.0], "blue first");
        assert_eq!(planes[32..36], [20.0, 30.0, 40.0, 50.0], "red last, columns 2 to 5");
        let mut pixels = vec![0; 48];
        crop.sample_u8(&ramp(), &input(ImageLayout::Nhwc, Colour::Rgb), &mut pixels);
        assert_eq!(pixels[..6], [20, 20, 7, 30, 20, 7]);
    }

    #[test]
    fn a_quarter_turn_turns_the_picture() {
        let crop = Crop {
            center_in_image_px: Point2::new(3.5, 3.5),
            side_in_image_px: 4.0,
            angle: std::f64::consts::FRAC_PI_2,
            output_side_px: 4,
        };
        let mut pixels = vec![0; 48];
        crop.sample_u8(&ramp(), &input(ImageLayout::Nhwc, Colour::Rgb), &mut pixels);
        // The picture's right is the image's down: green grows along the first row.
        assert_eq!([pixels[1], pixels[4], pixels[7], pixels[10]], [20, 30, 40, 50]);
    }

    #[test]
    fn shrinking_averages_instead_of_picking() {
        let checker = RgbImage::from_fn(64, 64, |x, y| Rgb([if (x + y) % 2 == 0 { 0 } else { 200 }; 3]));
        let crop = Crop::letterbox(64, 64, 16);
        let mut planes = vec![0.0; 3 * 256];
        crop.sample_f32(&checker, &input(ImageLayout::Nchw, Colour::Rgb), &mut planes);
        let inner: Vec<f32> = planes[..256].iter().copied().filter(|value| (*value - 100.0).abs() > 30.0).collect();
        assert!(inner.len() < 64, "{} of 256 pixels are not grey", inner.len());
    }

    #[test]
    fn outside_is_the_stated_value() {
        let crop =
            Crop { center_in_image_px: Point2::new(-50.0, 3.0), side_in_image_px: 4.0, angle: 0.0, output_side_px: 4 };
        let mut planes = vec![0.0; 48];
        crop.sample_f32(&ramp(), &input(ImageLayout::Nchw, Colour::Rgb), &mut planes);
        assert!(planes.iter().all(|value| (*value - 114.0).abs() < 1e-3));
    }
}
