//! From a person in the image to the picture that a network takes: rotate, resize and normalise in one pass.
//!
//! Pixel centres are integers in both pictures. With output size n (width, height), scale s (image px per picture px),
//! centre c and angle a, `image = c + R(a) · (crop + 0.5 − n / 2) · s`. Where an output pixel covers more than one and a
//! half image pixels it is the mean of several samples, so that a far too fine image is not aliased. What lies outside
//! the image has the value that the network's contract states.

mod rows;
mod sampler;
mod shrink;
mod upright;

use std::ops::Range;

use image::RgbImage;
use nalgebra::{Point2, Rotation2, Vector2};

use crate::data::{BoundingBox, LevelView, Turn};
use crate::model::{Colour, ImageInput, ImageLayout, PictureSize, Placement};
use rows::Linear;

/// A rectangle of the image, possibly turned, and the picture made of it. Both have the same aspect ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    /// Centre, image px.
    pub center_in_image_px: Point2<f64>,
    /// Image px per picture px.
    pub scale: f64,
    /// Clockwise turn of the rectangle in the image, rad: 0 is upright.
    pub angle: f64,
    /// Size of the picture.
    pub output: PictureSize,
}

impl Crop {
    /// The whole image, resized to fit into the picture: what is left over is below and to the right, or shared evenly.
    pub fn letterbox(image_size: (u32, u32), output: PictureSize, placement: Placement) -> Self {
        Self::turned_letterbox(image_size, output, placement, Turn::Upright)
    }

    /// As [`Self::letterbox`], of the image turned so that whoever lies in it like `turn` is upright in the picture.
    pub fn turned_letterbox(
        (width, height): (u32, u32),
        output: PictureSize,
        placement: Placement,
        turn: Turn,
    ) -> Self {
        let (width, height) = (f64::from(width), f64::from(height));
        let (columns, rows) = (output.width_px as f64, output.height_px as f64);
        let (across, down) = turn.size((width, height));
        let scale = (across / columns).max(down / rows);
        // From the middle of the image to that of the picture, image px, with the picture upright.
        let offset = match placement {
            Placement::TopLeft => 0.5 * Vector2::new(columns * scale - across, rows * scale - down),
            Placement::Centre => Vector2::zeros(),
        };
        let middle = Point2::new(0.5 * width - 0.5, 0.5 * height - 0.5);
        let angle = turn.angle();
        Self { center_in_image_px: middle + Rotation2::new(angle) * offset, scale, angle, output }
    }

    /// The upright rectangle of the picture's aspect ratio around a box that is `padding` times as large.
    pub fn around(bbox: &BoundingBox, padding: f64, output: PictureSize) -> Self {
        Self::turned_around(bbox, padding, output, Turn::Upright)
    }

    /// As [`Self::around`], turned so that whoever lies like `turn` is upright in the picture.
    pub fn turned_around(bbox: &BoundingBox, padding: f64, output: PictureSize, turn: Turn) -> Self {
        let (x, y) = bbox.center();
        let (wide, high) = turn.size((bbox.width(), bbox.height()));
        let across = f64::from(wide).max(1.0) / output.width_px as f64;
        let down = f64::from(high).max(1.0) / output.height_px as f64;
        Self {
            center_in_image_px: Point2::new(f64::from(x), f64::from(y)),
            scale: across.max(down) * padding,
            angle: turn.angle(),
            output,
        }
    }

    /// The crop of the image that is this one of its level image.
    #[must_use]
    pub fn in_image(&self, view: &LevelView) -> Self {
        if view.is_as_it_is() {
            return *self;
        }
        let angle = Rotation2::new(self.angle - view.roll()).angle();
        Self { center_in_image_px: view.image_from_level(self.center_in_image_px), angle, ..*self }
    }

    /// The crop of the level image that is this one of the image.
    #[must_use]
    pub fn in_level(&self, view: &LevelView) -> Self {
        let center_in_image_px = view.level_from_image(self.center_in_image_px);
        Self { center_in_image_px, angle: self.angle + view.roll(), ..*self }
    }

    /// A square of the image as a square picture.
    pub fn square(center_in_image_px: Point2<f64>, side_in_image_px: f64, angle: f64, output_side_px: usize) -> Self {
        let output = PictureSize::square(output_side_px);
        Self { center_in_image_px, scale: side_in_image_px / output_side_px as f64, angle, output }
    }

    /// Where a point of the picture (px) lies in the image (px).
    pub fn image_from_crop(&self, point_in_crop_px: Point2<f64>) -> Point2<f64> {
        let offset = (point_in_crop_px - self.middle_in_crop_px()) * self.scale;
        self.center_in_image_px + Rotation2::new(self.angle) * offset
    }

    /// Where a point of the image (px) lies in the picture (px).
    pub fn crop_from_image(&self, point_in_image_px: Point2<f64>) -> Point2<f64> {
        let offset = Rotation2::new(-self.angle) * (point_in_image_px - self.center_in_image_px) / self.scale;
        self.middle_in_crop_px() + offset
    }

    fn middle_in_crop_px(&self) -> Point2<f64> {
        Point2::new(0.5 * self.output.width_px as f64 - 0.5, 0.5 * self.output.height_px as f64 - 0.5)
    }

    /// Writes the picture as floats, `(byte * scale - mean) / std` in the network's order of colours and dimensions.
    ///
    /// # Panics
    /// When `out` is not three values a pixel long.
    pub fn sample_f32(&self, image: &RgbImage, input: &ImageInput, out: &mut [f32]) {
        self.check_length(out.len());
        let linear = Linear::of(input);
        match input.layout {
            ImageLayout::Nhwc => self.for_each_row(image, input.outside, |row, _, line| {
                rows::scale(self.pixels(out, row), line, input.colour, &linear);
            }),
            ImageLayout::Nchw => self.for_each_row(image, input.outside, |row, shown, line| {
                rows::spread(self.planes(out, row), shown, line, input.colour, &linear, input.outside);
            }),
        }
    }

    /// Writes the picture as bytes in the network's order of colours and dimensions.
    ///
    /// # Panics
    /// When `out` is not three values a pixel long.
    pub fn sample_u8(&self, image: &RgbImage, input: &ImageInput, out: &mut [u8]) {
        self.check_length(out.len());
        self.for_each_row(image, input.outside, |row, _, line| match input.layout {
            ImageLayout::Nhwc => rows::round_to_u8(self.pixels(out, row), line, input.colour),
            ImageLayout::Nchw => rows::spread_rounded(self.planes(out, row), line, input.colour, |value| value as u8),
        });
    }

    /// The picture as it looks; what lies outside the image is black.
    pub fn picture(&self, image: &RgbImage) -> RgbImage {
        let PictureSize { width_px, height_px } = self.output;
        let mut picture = RgbImage::new(width_px as u32, height_px as u32);
        self.for_each_row(image, 0, |row, _, line| {
            rows::round_to_u8(self.pixels(&mut picture, row), line, Colour::Rgb);
        });
        picture
    }

    /// Writes the picture as bytes in 32-bit integers, in the network's order of colours and dimensions.
    ///
    /// # Panics
    /// When `out` is not three values a pixel long.
    pub fn sample_i32(&self, image: &RgbImage, input: &ImageInput, out: &mut [i32]) {
        self.check_length(out.len());
        self.for_each_row(image, input.outside, |row, _, line| match input.layout {
            ImageLayout::Nhwc => rows::round_to_i32(self.pixels(out, row), line, input.colour),
            ImageLayout::Nchw => rows::spread_rounded(self.planes(out, row), line, input.colour, |value| value as i32),
        });
    }

    fn check_length(&self, length: usize) {
        let values = 3 * self.output.area();
        assert_eq!(length, values, "a picture of {} has {values} values", self.output);
    }

    /// A row of a picture whose pixels lie one after the other.
    fn pixels<'a, T>(&self, out: &'a mut [T], row: usize) -> &'a mut [T] {
        let length = 3 * self.output.width_px;
        &mut out[row * length..(row + 1) * length]
    }

    /// A row of each plane of a picture, in the network's order.
    fn planes<'a, T>(&self, out: &'a mut [T], row: usize) -> [&'a mut [T]; 3] {
        let (width, area) = (self.output.width_px, self.output.area());
        let (first, rest) = out.split_at_mut(area);
        let (second, third) = rest.split_at_mut(area);
        [first, second, third].map(|plane| &mut plane[row * width..(row + 1) * width])
    }

    /// Calls `put(row, shown, rgb)` for each row of the picture; `rgb` has three values for each pixel of it, and pixels that
    /// are not in `shown` have the value outside.
    fn for_each_row(&self, image: &RgbImage, outside: u8, put: impl FnMut(usize, Range<usize>, &[f32])) {
        if self.angle.abs() < UPRIGHT {
            upright::for_each_row(self, image, outside, put);
        } else {
            sampler::for_each_row(self, image, outside, put);
        }
    }
}

/// A crop turned by less than this is upright, rad: a hundredth of a pixel over a thousand.
const UPRIGHT: f64 = 1e-5;

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;
    use image::Rgb;

    fn input(layout: ImageLayout, colour: Colour) -> ImageInput {
        ImageInput::plain(layout, colour, 4)
    }

    fn ramp() -> RgbImage {
        RgbImage::from_fn(8, 8, |x, y| Rgb([10 * x as u8, 10 * y as u8, 7]))
    }

    #[test]
    fn crop_and_image_coordinates_are_inverse() {
        let crop = Crop::square(Point2::new(100.0, 50.0), 80.0, 0.7, 256);
        let point = Point2::new(13.0, 200.0);
        assert!((crop.crop_from_image(crop.image_from_crop(point)) - point).norm() < 1e-9);
        let middle = crop.image_from_crop(Point2::new(127.5, 127.5));
        assert!(
            (middle - crop.center_in_image_px).norm() < 1e-9,
            "the centre of the picture is the centre of the square"
        );
    }

    #[test]
    fn in_a_turned_letterbox_whoever_lies_is_upright() {
        let output = PictureSize { width_px: 60, height_px: 100 };
        for placement in [Placement::TopLeft, Placement::Centre] {
            for (turn, left_top, feet_to_head) in
                [(Turn::HeadRight, (79.5, -0.5), (1.0, 0.0)), (Turn::HeadLeft, (-0.5, 39.5), (-1.0, 0.0))]
            {
                // 80 x 40 px of the image become 40 x 80, enlarged by 1.25 to 50 x 100: 10 columns are left over.
                let crop = Crop::turned_letterbox((80, 40), output, placement, turn);
                assert!((crop.scale - 0.8).abs() < 1e-9, "{crop:?}");
                let margin = if placement == Placement::TopLeft { 0.0 } else { 5.0 };
                let at = crop.image_from_crop(Point2::new(margin - 0.5, -0.5));
                assert!((at - Point2::new(left_top.0, left_top.1)).norm() < 1e-9, "{placement:?} {turn:?}: {at}");
                let up = crop.image_from_crop(Point2::new(20.0, 10.0)) - crop.image_from_crop(Point2::new(20.0, 11.0));
                assert!((up / crop.scale - Vector2::new(feet_to_head.0, feet_to_head.1)).norm() < 1e-9, "{up}");
            }
        }
        let lying = BoundingBox { x_min: 10.0, y_min: 20.0, x_max: 110.0, y_max: 50.0 };
        let crop = Crop::turned_around(&lying, 1.0, output, Turn::HeadLeft);
        assert!((crop.scale - 1.0).abs() < 1e-9, "as long as the picture is high: {crop:?}");
    }

    #[test]
    fn a_crop_of_the_same_size_copies_bytes() {
        let crop = Crop::square(Point2::new(3.5, 3.5), 4.0, 0.0, 4);
        let mut planes = vec![0.0; 48];
        crop.sample_f32(&ramp(), &input(ImageLayout::Nchw, Colour::Bgr), &mut planes);
        assert_eq!(planes[..2], [7.0, 7.0], "blue first");
        assert_eq!(planes[32..36], [20.0, 30.0, 40.0, 50.0], "red last, columns 2 to 5");
        let mut pixels = vec![0; 48];
        crop.sample_u8(&ramp(), &input(ImageLayout::Nhwc, Colour::Rgb), &mut pixels);
        assert_eq!(pixels[..6], [20, 20, 7, 30, 20, 7]);
        assert_eq!(crop.picture(&ramp()).into_raw(), pixels);
        let mut integers = vec![0; 48];
        crop.sample_i32(&ramp(), &input(ImageLayout::Nhwc, Colour::Rgb), &mut integers);
        assert!(integers.iter().zip(&pixels).all(|(integer, byte)| *integer == i32::from(*byte)));
    }

    #[test]
    fn a_quarter_turn_turns_the_picture() {
        let crop = Crop::square(Point2::new(3.5, 3.5), 4.0, std::f64::consts::FRAC_PI_2, 4);
        let mut pixels = vec![0; 48];
        crop.sample_u8(&ramp(), &input(ImageLayout::Nhwc, Colour::Rgb), &mut pixels);
        // The picture's right is the image's down: green grows along the first row.
        assert_eq!([pixels[1], pixels[4], pixels[7], pixels[10]], [20, 30, 40, 50]);
    }

    #[test]
    fn a_crop_of_the_level_image_shows_the_same_point_of_the_image() {
        let crop = Crop::square(Point2::new(30.0, 55.0), 80.0, 0.3, 64);
        for roll_deg in [0.0_f64, 90.0, 180.0, -90.0, 45.0, -165.0] {
            let view = LevelView::new((120, 90), roll_deg.to_radians());
            let in_image = crop.in_image(&view);
            assert!((in_image.angle.abs() <= PI) && (in_image.scale - crop.scale).abs() < 1e-12);
            for point in [Point2::new(0.0, 0.0), Point2::new(63.0, 20.0)] {
                let wanted = view.image_from_level(crop.image_from_crop(point));
                assert!((in_image.image_from_crop(point) - wanted).norm() < 1e-9, "{roll_deg}");
                let back = in_image.in_level(&view);
                assert!((back.image_from_crop(point) - crop.image_from_crop(point)).norm() < 1e-9, "{roll_deg}");
            }
        }
    }

    #[test]
    fn shrinking_averages_instead_of_picking() {
        let checker = RgbImage::from_fn(64, 64, |x, y| Rgb([if (x + y) % 2 == 0 { 0 } else { 200 }; 3]));
        let crop = Crop::letterbox((64, 64), PictureSize::square(16), Placement::TopLeft);
        let mut planes = vec![0.0; 3 * 256];
        crop.sample_f32(&checker, &input(ImageLayout::Nchw, Colour::Rgb), &mut planes);
        let inner: Vec<f32> = planes[..256].iter().copied().filter(|value| (*value - 100.0).abs() > 30.0).collect();
        assert!(inner.len() < 64, "{} of 256 pixels are not grey", inner.len());
    }

    #[test]
    fn a_letterbox_lies_where_it_is_told_to() {
        let output = PictureSize { width_px: 320, height_px: 256 };
        for (placement, first, last) in
            [(Placement::TopLeft, (-0.5, -0.5), (319.5, 179.5)), (Placement::Centre, (-0.5, 37.5), (319.5, 217.5))]
        {
            let crop = Crop::letterbox((1280, 720), output, placement);
            let corner = |x, y| crop.crop_from_image(Point2::new(x, y));
            assert!((corner(-0.5, -0.5) - Point2::new(first.0, first.1)).norm() < 1e-9, "{placement:?}");
            assert!((corner(1279.5, 719.5) - Point2::new(last.0, last.1)).norm() < 1e-9, "{placement:?}");
        }
    }

    #[test]
    fn a_crop_has_the_aspect_ratio_of_its_picture() {
        let output = PictureSize { width_px: 192, height_px: 256 };
        let tall = BoundingBox { x_min: 10.0, y_min: 20.0, x_max: 30.0, y_max: 220.0 };
        let crop = Crop::around(&tall, 1.25, output);
        // 250 image px on 256 rows; the columns follow.
        assert!((crop.scale - 250.0 / 256.0).abs() < 1e-9);
        let wide = BoundingBox { x_min: 0.0, y_min: 0.0, x_max: 192.0, y_max: 10.0 };
        assert!((Crop::around(&wide, 1.0, output).scale - 1.0).abs() < 1e-9);
        let center = crop.image_from_crop(Point2::new(95.5, 127.5));
        assert!((center - Point2::new(20.0, 120.0)).norm() < 1e-9);
        for angle in [0.0, 0.3] {
            let mut planes = vec![f32::NAN; 3 * 192 * 256];
            Crop { angle, ..crop }.sample_f32(&ramp(), &input(ImageLayout::Nchw, Colour::Rgb), &mut planes);
            assert!(planes.iter().all(|value| value.is_finite()), "every pixel is written");
        }
    }

    #[test]
    fn outside_is_the_stated_value() {
        let crop = Crop::square(Point2::new(-50.0, 3.0), 4.0, 0.0, 4);
        let mut planes = vec![0.0; 48];
        crop.sample_f32(&ramp(), &input(ImageLayout::Nchw, Colour::Rgb), &mut planes);
        assert!(planes.iter().all(|value| (*value - 114.0).abs() < 1e-3));
    }
}
