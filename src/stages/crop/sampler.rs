//! Crops that are turned: an image shrunk by a whole number where needed, then one bilinear look-up a pixel.
//!
//! Shrinking: blocks of n × n pixels become their mean, n the smallest number that leaves at most one and a half
//! source pixels to an output pixel, so that nothing is aliased. Only blocks that the crop touches are made. Block
//! (i, j) has its centre at image pixel n·i + (n − 1)/2 from the region's corner. What lies outside the image has one
//! stated value; blocks that reach over the edge are the mean of what is inside.
//!
//! Coordinates run along a row in 32.32 fixed point: no rounding call, no drift, defined for every input.

use std::borrow::Cow;
use std::ops::Range;

use image::RgbImage;
use multiversion::multiversion;
use nalgebra::{Point2, Vector2};

use super::Crop;
use super::shrink::Shrinker;
use crate::model::PictureSize;

/// An output pixel may cover so many source pixels before they are averaged.
pub(super) const COVERED_WITHOUT_MEAN: f64 = 1.5;
/// Largest block; a sum of its column fits 16 bits.
const LARGEST_BLOCK: usize = 64;
const ONE: f64 = 4_294_967_296.0;
/// Coordinates and steps beyond these are outside every image.
const FARTHEST_PX: f64 = 1e8;
const LONGEST_STEP_PX: f64 = 1e4;

/// Calls `put(row, shown, rgb)` for each row of the picture (see [`Crop::for_each_row`]); all of it counts as shown.
pub(super) fn for_each_row(
    crop: &Crop,
    image: &RgbImage,
    outside: u8,
    mut put: impl FnMut(usize, Range<usize>, &[f32]),
) {
    let PictureSize { width_px, height_px } = crop.output;
    let block = ((crop.scale / COVERED_WITHOUT_MEAN).ceil() as usize).clamp(1, LARGEST_BLOCK);
    let source = Source::new(crop, image, block);
    let in_source = |point: Point2<f64>| {
        let half_block = 0.5 * (block as f64 - 1.0);
        (point.coords - source.corner - Vector2::repeat(half_block)) / block as f64
    };
    let at = |column: f64, row: f64| in_source(crop.image_from_crop(Point2::new(column, row)));
    let origin = at(0.0, 0.0);
    let (along_row, along_column) = (at(1.0, 0.0) - origin, at(0.0, 1.0) - origin);
    let outside = [f32::from(outside); 4];
    let mut line = vec![0.0; 3 * width_px + 1];
    let (step_x, step_y) = (fixed(along_row.x, LONGEST_STEP_PX), fixed(along_row.y, LONGEST_STEP_PX));
    for row in 0..height_px {
        let start = origin + along_column * row as f64;
        let start = (fixed(start.x, FARTHEST_PX), fixed(start.y, FARTHEST_PX));
        sample_line(&source, start, (step_x, step_y), outside, &mut line);
        put(row, 0..width_px, &line[..3 * width_px]);
    }
}

/// One row of the picture, from `start` on in steps of `step`; `line` has one value more than its pixels. Wider registers where the machine has them, the same
/// numbers everywhere.
#[multiversion(targets("x86_64+avx2"))]
fn sample_line<'a>(source: &Source<'a>, start: (i64, i64), step: (i64, i64), outside: [f32; 4], line: &mut [f32]) {
    let (mut x, mut y) = start;
    for at in (0..line.len() - 1).step_by(3) {
        // Four values are a register: the fourth means nothing, and the next pixel is written over it.
        line[at..at + 4].copy_from_slice(&source.bilinear(x, y, outside));
        x += step.0;
        y += step.1;
    }
}

fn fixed(value: f64, limit: f64) -> i64 {
    (value.clamp(-limit, limit) * ONE) as i64
}

fn fraction(fixed: i64) -> f32 {
    // The upper 24 of the 32 bits: exact in a float.
    ((fixed as u32) >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// The part of the image that the crop touches, shrunk; or the image itself.
struct Source<'a> {
    bytes: Cow<'a, [u8]>,
    width: usize,
    height: usize,
    /// Image px of the first pixel.
    corner: Vector2<f64>,
    /// Columns that have two more beside them.
    whole_columns: u64,
    /// Rows that have one more below them.
    whole_rows: u64,
}

impl<'a> Source<'a> {
    fn new(crop: &Crop, image: &'a RgbImage, block: usize) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        if block == 1 {
            return Self::of(Cow::Borrowed(image.as_raw()), width, height, Vector2::zeros());
        }
        let corners = corners(crop);
        let ([left, right], [top, bottom]) = touched(&corners, width, height, block);
        let (columns, rows) = ((right - left).div_ceil(block), (bottom - top).div_ceil(block));
        let mut bytes = vec![0; 3 * columns * rows];
        let mut shrinker = Shrinker::default();
        let mut lines = Vec::with_capacity(block);
        for (row, out) in bytes.chunks_exact_mut((3 * columns).max(1)).enumerate() {
            let shown = top + row * block..(top + (row + 1) * block).min(bottom);
            // A turned crop leaves much of the rectangle around it untouched.
            let [begin, end] = touched_between(&corners, &shown, block);
            let first = begin.saturating_sub(left) / block;
            let end = (left + end.saturating_sub(left).next_multiple_of(block)).min(right);
            let start = left + first * block;
            if start < end {
                lines.clear();
                lines.extend(shown.map(|line| &image.as_raw()[3 * (line * width + start)..3 * (line * width + end)]));
                shrinker.shrink(&lines, block, &mut out[3 * first..3 * (end - left).div_ceil(block)]);
            }
        }
        Self::of(Cow::Owned(bytes), columns, rows, Vector2::new(left as f64, top as f64))
    }

    fn of(bytes: Cow<'a, [u8]>, width: usize, height: usize, corner: Vector2<f64>) -> Self {
        let (whole_columns, whole_rows) = (width.saturating_sub(2) as u64, height.saturating_sub(1) as u64);
        Self { bytes, width, height, corner, whole_columns, whole_rows }
    }

    /// The colour at a place in 32.32 fixed point; the fourth value fills a vector register and means nothing.
    #[expect(clippy::inline_always, reason = "else it is not compiled for the wide registers of its caller")]
    #[inline(always)]
    fn bilinear(&self, x: i64, y: i64, outside: [f32; 4]) -> [f32; 4] {
        let (left, top) = (x >> 32, y >> 32);
        let (fx, fy) = (fraction(x), fraction(y));
        // Both pixels of a row in one register, with two bytes of a third that mean nothing. What is negative is beyond every
        // width as an unsigned number.
        if (left as u64) < self.whole_columns && (top as u64) < self.whole_rows {
            let stride = 3 * self.width;
            let at = top as usize * stride + 3 * left as usize;
            let row = |at: usize| -> [f32; 8] {
                let bytes = &self.bytes[at..at + 8];
                std::array::from_fn(|index| f32::from(bytes[index]))
            };
            let (upper, lower) = (row(at), row(at + stride));
            let between: [f32; 8] = std::array::from_fn(|index| upper[index] + (lower[index] - upper[index]) * fy);
            return std::array::from_fn(|channel| between[channel] + (between[channel + 3] - between[channel]) * fx);
        }
        if left < -1 || top < -1 || left >= self.width as i64 || top >= self.height as i64 {
            return outside;
        }
        let (a, b) = (self.pixel(left, top, outside), self.pixel(left + 1, top, outside));
        let (c, d) = (self.pixel(left, top + 1, outside), self.pixel(left + 1, top + 1, outside));
        std::array::from_fn(|channel| {
            let before = a[channel] + (c[channel] - a[channel]) * fy;
            let behind = b[channel] + (d[channel] - b[channel]) * fy;
            before + (behind - before) * fx
        })
    }

    #[expect(clippy::inline_always, reason = "else it is not compiled for the wide registers of its caller")]
    #[inline(always)]
    fn pixel(&self, x: i64, y: i64, outside: [f32; 4]) -> [f32; 4] {
        if x < 0 || y < 0 || x >= self.width as i64 || y >= self.height as i64 {
            return outside;
        }
        let at = 3 * (y as usize * self.width + x as usize);
        [self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], 0].map(f32::from)
    }
}

/// The corners of the crop, image px, in their order around it.
fn corners(crop: &Crop) -> [Point2<f64>; 4] {
    let (right, bottom) = (crop.output.width_px as f64 - 0.5, crop.output.height_px as f64 - 0.5);
    [(-0.5, -0.5), (right, -0.5), (right, bottom), (-0.5, bottom)]
        .map(|(column, row)| crop.image_from_crop(Point2::new(column, row)))
}

/// Columns and rows of the image that the crop touches, with a block to spare; empty where it touches none.
fn touched(corners: &[Point2<f64>; 4], width: usize, height: usize, block: usize) -> ([usize; 2], [usize; 2]) {
    let range = |size: usize, axis: usize| {
        let low = corners.iter().map(|corner| corner[axis]).fold(f64::INFINITY, f64::min);
        let high = corners.iter().map(|corner| corner[axis]).fold(f64::NEG_INFINITY, f64::max);
        let low = ((low - block as f64).max(0.0) as usize).min(size);
        let high = ((high + block as f64 + 1.0).max(0.0) as usize).min(size);
        [low, high.max(low)]
    };
    (range(width, 0), range(height, 1))
}

/// Columns that the crop touches in these rows, with two blocks to spare on every side; `[0, 0]` where it touches none.
fn touched_between(corners: &[Point2<f64>; 4], rows: &Range<usize>, block: usize) -> [usize; 2] {
    let spare = 2.0 * block as f64;
    let (top, bottom) = (rows.start as f64 - spare, rows.end as f64 + spare);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (from, to) in corners.iter().zip(corners.iter().cycle().skip(1)) {
        // The part of this edge between top and bottom, as shares of its length.
        let down = to.y - from.y;
        let share = |row: f64| if down == 0.0 { f64::from(u8::from(row > from.y)) } else { (row - from.y) / down };
        let (begin, end) = (share(top).min(share(bottom)).max(0.0), share(top).max(share(bottom)).min(1.0));
        if begin <= end {
            for x in [begin, end].map(|share| from.x + (to.x - from.x) * share) {
                (low, high) = (low.min(x), high.max(x));
            }
        }
    }
    if low > high { [0, 0] } else { [(low - spare).max(0.0) as usize, (high + spare + 1.0).max(0.0) as usize] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// The rounded mean of one channel of a block, `from` its first pixel on.
    fn mean(image: &RgbImage, from: [usize; 2], block: usize, channel: usize) -> u8 {
        let [width, height] = [image.width() as usize, image.height() as usize];
        let (columns, rows) = (from[0]..(from[0] + block).min(width), from[1]..(from[1] + block).min(height));
        let pixels = rows.flat_map(|y| columns.clone().map(move |x| (x as u32, y as u32)));
        let values: Vec<f64> = pixels.map(|(x, y)| f64::from(image.get_pixel(x, y).0[channel])).collect();
        (values.iter().sum::<f64>() / values.len() as f64 + 0.5).floor() as u8
    }

    #[test]
    fn a_shrunk_image_holds_the_rounded_mean_of_every_block_cut_ones_too() {
        let image =
            RgbImage::from_fn(47, 31, |x, y| Rgb([(x * 37 + y * 11) as u8, (x * y) as u8, (255 - x * 5) as u8]));
        for block in [2, 3, 5, 7] {
            let center_in_image_px = Point2::new(23.0, 15.0);
            let crop = Crop::square(center_in_image_px, 90.0, 0.4, 16);
            let shrunk = Source::new(&crop, &image, block);
            assert_eq!(shrunk.corner, Vector2::zeros(), "the crop covers the image");
            assert_eq!((shrunk.width, shrunk.height), (47_usize.div_ceil(block), 31_usize.div_ceil(block)));
            for (index, &value) in shrunk.bytes.iter().enumerate() {
                let (column, row) = (index / 3 % shrunk.width, index / 3 / shrunk.width);
                let wanted = mean(&image, [column * block, row * block], block, index % 3);
                assert_eq!(value, wanted, "block {block}, column {column}, row {row}");
            }
        }
    }

    #[test]
    fn every_block_that_a_turned_crop_looks_at_is_made() {
        let image = RgbImage::from_fn(400, 300, |x, y| Rgb([(x * 7 + y * 3) as u8, (x ^ y) as u8, (y * 5) as u8 | 1]));
        let mut looked_at = 0;
        for (number, angle) in [0.02, 0.4, 0.785, 1.2, 1.5, 2.5, -0.9, 3.1].into_iter().enumerate() {
            for side in [90.0, 210.0, 600.0] {
                let center_in_image_px = Point2::new(60.0 + 40.0 * number as f64, 250.0 - 35.0 * number as f64);
                let crop = Crop::square(center_in_image_px, side, angle, 24);
                let block = (crop.scale / COVERED_WITHOUT_MEAN).ceil() as usize;
                let source = Source::new(&crop, &image, block);
                let corner = [source.corner.x as usize, source.corner.y as usize];
                for (column, row) in (0..24).flat_map(|row| (0..24).map(move |column| (column as f64, row as f64))) {
                    let at = crop.image_from_crop(Point2::new(column, row));
                    let place = (at.coords - source.corner).add_scalar(-0.5 * (block as f64 - 1.0)) / block as f64;
                    for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
                        let (x, y) = (place.x.floor() + dx, place.y.floor() + dy);
                        if x < 0.0 || y < 0.0 || x >= source.width as f64 || y >= source.height as f64 {
                            continue;
                        }
                        let (x, y) = (x as usize, y as usize);
                        looked_at += 1;
                        for channel in 0..3 {
                            let wanted = mean(&image, [corner[0] + x * block, corner[1] + y * block], block, channel);
                            let found = source.bytes[3 * (y * source.width + x) + channel];
                            assert_eq!(found, wanted, "{angle} rad, {side} px, block {x}, {y}");
                        }
                    }
                }
            }
        }
        assert!(looked_at > 10_000, "{looked_at}");
    }
}
