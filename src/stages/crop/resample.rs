//! Resampling by rows: the square of an image, turned or upright, as RGB values of 0 to 255.
//!
//! Bilinear in fixed point; where an output pixel covers more than [`ONE_SAMPLE_PX`] image pixels it is the mean of
//! n × n evenly spread bilinear samples, n = ⌈scale / 2⌉ (each covers two pixels a side), at most [`MAX_SAMPLES`].
//! Upright squares are resampled down the columns first, then along the row: every image row is read in order.
//! Both ways are within one level of floating-point bilinear.

use image::RgbImage;
use nalgebra::{Point2, Rotation2, Vector2};

use super::Crop;

/// Up to this many image pixels an output pixel is one sample.
const ONE_SAMPLE_PX: f64 = 1.5;
/// At most so many samples along each side of an output pixel.
const MAX_SAMPLES: usize = 4;
/// Bits of the fraction of a fixed-point coordinate.
const FRACTION_BITS: u32 = 16;
/// Bits of a bilinear weight: 255 · 2^(2·10) fits an `i32`.
const WEIGHT_BITS: u32 = 10;
const WEIGHT_ONE: i32 = 1 << WEIGHT_BITS;

/// Calls `put(row, rgb)` for each row of the picture; `rgb` has three values a pixel.
pub(super) fn for_each_row(crop: &Crop, image: &RgbImage, outside: u8, put: impl FnMut(usize, &[f32])) {
    if crop.angle.abs() < 1e-9 {
        upright(crop, image, outside, put);
    } else {
        turned(crop, image, outside, put);
    }
}

/// Samples along each side of an output pixel.
fn samples_a_side(scale: f64) -> usize {
    if scale <= ONE_SAMPLE_PX { 1 } else { ((0.5 * scale).ceil() as usize).clamp(1, MAX_SAMPLES) }
}

/// Centre of sample `index` of `samples`, in output pixels from the pixel's centre.
fn sample_offset(index: usize, samples: usize) -> f64 {
    (index as f64 + 0.5) / samples as f64 - 0.5
}

/// One weight of an output row or column.
#[derive(Clone, Copy)]
struct Tap {
    index: i64,
    weight: f32,
}

/// The bilinear taps of every sample of one output position along one axis.
fn taps(center: f64, scale: f64, samples: usize) -> impl Iterator<Item = Tap> {
    let share = 1.0 / samples as f32;
    (0..samples).flat_map(move |sample| {
        let at = center + sample_offset(sample, samples) * scale;
        let fraction = (at - at.floor()) as f32;
        let index = at.floor() as i64;
        [Tap { index, weight: share * (1.0 - fraction) }, Tap { index: index.saturating_add(1), weight: share * fraction }]
    })
}

fn upright(crop: &Crop, image: &RgbImage, outside: u8, mut put: impl FnMut(usize, &[f32])) {
    let side = crop.output_side_px;
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    let (scale, samples) = (crop.scale(), samples_a_side(crop.scale()));
    let origin = crop.image_from_crop(Point2::new(0.0, 0.0));
    let outside = f32::from(outside);
    // Columns of the image that the picture shows, and where each column's taps lie among them.
    let columns: Vec<Tap> =
        (0..side).flat_map(|column| taps(origin.x + column as f64 * scale, scale, samples)).collect();
    let inside = |tap: &&Tap| tap.index >= 0 && tap.index < width;
    let first = columns.iter().filter(inside).map(|tap| tap.index).min().unwrap_or(0) as usize;
    let last = columns.iter().filter(inside).map(|tap| tap.index + 1).max().unwrap_or(0) as usize;
    let shown = last.saturating_sub(first);
    // One more pixel than shown, with the value outside, takes the taps that lie outside.
    let places: Vec<(usize, f32)> = columns
        .iter()
        .map(|tap| (if inside(&tap) { 3 * (tap.index as usize - first) } else { 3 * shown }, tap.weight))
        .collect();
    let mut blended = vec![outside; 3 * (shown + 1)];
    let mut line = vec![outside; 3 * side];
    for row in 0..side {
        let rows: Vec<Tap> = taps(origin.y + row as f64 * scale, scale, samples).collect();
        let weight_outside: f32 =
            rows.iter().filter(|tap| tap.index < 0 || tap.index >= height).map(|tap| tap.weight).sum();
        if shown == 0 || weight_outside > 0.999_999 {
            line.fill(outside);
            put(row, &line);
            continue;
        }
        let (blended_rows, _) = blended.split_at_mut(3 * shown);
        blended_rows.fill(outside * weight_outside);
        for tap in rows.iter().filter(|tap| tap.index >= 0 && tap.index < height && tap.weight > 0.0) {
            let start = 3 * (tap.index as usize * width as usize + first);
            let source = &image.as_raw()[start..start + 3 * shown];
            for (sum, byte) in blended_rows.iter_mut().zip(source) {
                *sum += f32::from(*byte) * tap.weight;
            }
        }
        for (pixel, column) in line.chunks_exact_mut(3).zip(places.chunks_exact(2 * samples)) {
            let mut sum = [0.0; 3];
            for &(place, weight) in column {
                let rgb = &blended[place..place + 3];
                for channel in 0..3 {
                    sum[channel] += rgb[channel] * weight;
                }
            }
            pixel.copy_from_slice(&sum);
        }
        put(row, &line);
    }
}

fn turned(crop: &Crop, image: &RgbImage, outside: u8, mut put: impl FnMut(usize, &[f32])) {
    let side = crop.output_side_px;
    let samples = samples_a_side(crop.scale());
    let turn = Rotation2::new(crop.angle);
    let along_row = turn * Vector2::new(crop.scale(), 0.0);
    let along_column = turn * Vector2::new(0.0, crop.scale());
    let origin = crop.image_from_crop(Point2::new(0.0, 0.0));
    let sampler = Sampler::new(image, outside);
    let offsets: Vec<Vector2<f64>> = (0..samples * samples)
        .map(|sample| {
            along_row * sample_offset(sample % samples, samples)
                + along_column * sample_offset(sample / samples, samples)
        })
        .collect();
    let share = 1.0 / offsets.len() as f32;
    let mut line = vec![0.0; 3 * side];
    for row in 0..side {
        for (number, offset) in offsets.iter().enumerate() {
            let start = origin + along_column * row as f64 + offset;
            let (mut x, mut y) = (fixed(start.x), fixed(start.y));
            let (step_x, step_y) = (fixed(along_row.x), fixed(along_row.y));
            for pixel in line.chunks_exact_mut(3) {
                let rgb = sampler.at(x, y);
                for channel in 0..3 {
                    let value = rgb[channel] * share;
                    pixel[channel] = if number == 0 { value } else { pixel[channel] + value };
                }
                x = x.wrapping_add(step_x);
                y = y.wrapping_add(step_y);
            }
        }
        put(row, &line);
    }
}

fn fixed(value: f64) -> i64 {
    (value * f64::from(1_u32 << FRACTION_BITS)).round() as i64
}

/// Bilinear look-up at fixed-point coordinates.
struct Sampler<'a> {
    bytes: &'a [u8],
    width: i64,
    height: i64,
    outside: i32,
}

impl<'a> Sampler<'a> {
    fn new(image: &'a RgbImage, outside: u8) -> Self {
        let (width, height) = (i64::from(image.width()), i64::from(image.height()));
        Self { bytes: image.as_raw(), width, height, outside: i32::from(outside) }
    }

    fn at(&self, x: i64, y: i64) -> [f32; 3] {
        let (left, top) = (x >> FRACTION_BITS, y >> FRACTION_BITS);
        let weight = |value: i64| ((value >> (FRACTION_BITS - WEIGHT_BITS)) as i32) & (WEIGHT_ONE - 1);
        let (fx, fy) = (weight(x), weight(y));
        let blend = |a: i32, b: i32, c: i32, d: i32| {
            let above = a * (WEIGHT_ONE - fx) + b * fx;
            let below = c * (WEIGHT_ONE - fx) + d * fx;
            (above * (WEIGHT_ONE - fy) + below * fy) as f32 * (1.0 / (WEIGHT_ONE * WEIGHT_ONE) as f32)
        };
        if left >= 0 && top >= 0 && left + 1 < self.width && top + 1 < self.height {
            let stride = 3 * self.width as usize;
            let at = top as usize * stride + 3 * left as usize;
            let (upper, lower) = (&self.bytes[at..at + 6], &self.bytes[at + stride..at + stride + 6]);
            return std::array::from_fn(|channel| {
                blend(
                    i32::from(upper[channel]),
                    i32::from(upper[channel + 3]),
                    i32::from(lower[channel]),
                    i32::from(lower[channel + 3]),
                )
            });
        }
        let (a, b) = (self.pixel(left, top), self.pixel(left + 1, top));
        let (c, d) = (self.pixel(left, top + 1), self.pixel(left + 1, top + 1));
        std::array::from_fn(|channel| blend(a[channel], b[channel], c[channel], d[channel]))
    }

    fn pixel(&self, x: i64, y: i64) -> [i32; 3] {
        if x < 0 || y < 0 || x >= self.width || y >= self.height {
            return [self.outside; 3];
        }
        let at = 3 * (y * self.width + x) as usize;
        std::array::from_fn(|channel| i32::from(self.bytes[at + channel]))
    }
}
