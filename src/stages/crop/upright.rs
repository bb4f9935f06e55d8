//! Crops that are not turned: every output pixel is a weighted mean of whole columns and rows of the image, so the
//! image is blended down the rows first, in the order of its memory, then along the row.
//!
//! Where an output pixel covers more than [`COVERED_WITHOUT_MEAN`] image pixels its value is the exact mean over its
//! square, else bilinear.

use std::ops::Range;

use image::RgbImage;
use multiversion::multiversion;
use nalgebra::Point2;

use super::Crop;
use super::sampler::COVERED_WITHOUT_MEAN;
use crate::model::PictureSize;

/// The share of one column or row of the image in one of the picture.
#[derive(Clone, Copy)]
struct Tap {
    index: i64,
    weight: f32,
}

/// Calls `put(row, shown, rgb)` for each row of the picture (see [`Crop::for_each_row`]).
pub(super) fn for_each_row(
    crop: &Crop,
    image: &RgbImage,
    outside: u8,
    mut put: impl FnMut(usize, Range<usize>, &[f32]),
) {
    let (PictureSize { width_px, height_px }, scale) = (crop.output, crop.scale);
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    let origin = crop.image_from_crop(Point2::new(0.0, 0.0));
    let outside = f32::from(outside);
    let taps_a_pixel = tap_count(scale);
    let columns: Vec<Tap> = (0..width_px).flat_map(|column| taps(origin.x + column as f64 * scale, scale)).collect();
    let is_shown = |tap: &&Tap| (0..width).contains(&tap.index);
    let first = columns.iter().filter(is_shown).map(|tap| tap.index).min().unwrap_or(0) as usize;
    let end = columns.iter().filter(is_shown).map(|tap| tap.index + 1).max().unwrap_or(0) as usize;
    let shown = end - first;
    // The picture's columns that show anything; the others never change.
    let is_column_shown = |taps: &[Tap]| taps.iter().any(|tap| is_shown(&tap));
    let shows: Vec<bool> = columns.chunks_exact(taps_a_pixel).map(is_column_shown).collect();
    let left = shows.iter().position(|&is_shown| is_shown).unwrap_or(0);
    let right = shows.iter().rposition(|&is_shown| is_shown).map_or(left, |last| last + 1);
    // What is shown stands between margins that have the value outside: the taps of a pixel lie side by side, some of them beyond
    // the edge.
    let margin = taps_a_pixel;
    let mut blended = vec![outside; 3 * (shown + 2 * margin) + 1];
    let columns = &columns[left * taps_a_pixel..right * taps_a_pixel];
    let starts: Vec<usize> = columns
        .iter()
        .step_by(taps_a_pixel)
        .map(|tap| 3 * (tap.index + margin as i64 - first as i64) as usize)
        .collect();
    let weights: Vec<f32> = columns.iter().map(|tap| tap.weight).collect();
    let outside_line = vec![outside; 3 * width_px];
    // The last pixel of those that are shown is written with one value more.
    let mut line = vec![outside; 3 * width_px + 1];
    let mut rows: Vec<(&[u8], f32)> = Vec::with_capacity(taps_a_pixel);
    for row in 0..height_px {
        rows.clear();
        let inside = |tap: &Tap| tap.weight > 0.0 && (0..height).contains(&tap.index);
        rows.extend(taps(origin.y + row as f64 * scale, scale).filter(inside).map(|tap| {
            let start = 3 * (tap.index as usize * width as usize + first);
            (&image.as_raw()[start..start + 3 * shown], tap.weight)
        }));
        let weight_inside: f32 = rows.iter().map(|(_, weight)| weight).sum();
        let sums = &mut blended[3 * margin..3 * (margin + shown)];
        blend_down(sums, &rows);
        if shown == 0 || weight_inside == 0.0 {
            put(row, 0..0, &outside_line);
        } else {
            let missing = outside * (1.0 - weight_inside);
            if missing > 1e-3 {
                for sum in &mut *sums {
                    *sum += missing;
                }
            }
            blend_along(&mut line[3 * left..=3 * right], &blended, &starts, &weights, taps_a_pixel);
            line[3 * right] = outside;
            put(row, left..right, &line[..3 * width_px]);
        }
    }
}

/// Values that are summed in registers before they are stored.
const TOGETHER: usize = 128;

/// `sums` = the sum of weight times source over `rows`, each as long as `sums`. Wider registers where the machine has
/// them, the same numbers everywhere.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn blend_down(sums: &mut [f32], rows: &[(&[u8], f32)]) {
    let whole = sums.len() - sums.len() % TOGETHER;
    for (number, sums) in sums[..whole].chunks_exact_mut(TOGETHER).enumerate() {
        let mut total = [0.0_f32; TOGETHER];
        for (source, weight) in rows {
            let source = &source[number * TOGETHER..(number + 1) * TOGETHER];
            for (total, byte) in total.iter_mut().zip(source) {
                *total += f32::from(*byte) * weight;
            }
        }
        sums.copy_from_slice(&total);
    }
    for (index, sum) in sums.iter_mut().enumerate().skip(whole) {
        *sum = rows.iter().map(|(source, weight)| f32::from(source[index]) * weight).sum();
    }
}

/// Every pixel of `line` from its taps, which stand side by side in `blended` from `starts` on; `line` has one value more than its
/// pixels. Wider registers where the machine has them, the same numbers everywhere.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn blend_along(line: &mut [f32], blended: &[f32], starts: &[usize], weights: &[f32], taps_a_pixel: usize) {
    match taps_a_pixel {
        2 => blend_taps::<2>(line, blended, starts, weights),
        3 => blend_taps::<3>(line, blended, starts, weights),
        4 => blend_taps::<4>(line, blended, starts, weights),
        5 => blend_taps::<5>(line, blended, starts, weights),
        6 => blend_taps::<6>(line, blended, starts, weights),
        _ => {
            for ((pixel, &start), weights) in
                line.chunks_exact_mut(3).zip(starts).zip(weights.chunks_exact(taps_a_pixel))
            {
                let taps = blended[start..].chunks_exact(3).zip(weights);
                let mut sum = [0.0_f32; 3];
                for (values, weight) in taps {
                    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * weight);
                }
                pixel.copy_from_slice(&sum);
            }
        }
    }
}

/// The same for a number of taps that is known. Four values are taken for each pixel and four are written, which is a register:
/// the fourth means nothing, and the next pixel is written over it.
#[expect(clippy::inline_always, reason = "else it is not compiled for the wide registers of its caller")]
#[inline(always)]
fn blend_taps<const TAPS: usize>(line: &mut [f32], blended: &[f32], starts: &[usize], weights: &[f32]) {
    let (weights, _) = weights.as_chunks::<TAPS>();
    for (number, (&start, weights)) in starts.iter().zip(weights).enumerate() {
        let taps = &blended[start..=start + 3 * TAPS];
        let mut sum = [0.0_f32; 4];
        for (tap, weight) in weights.iter().enumerate() {
            for (sum, value) in sum.iter_mut().zip(&taps[3 * tap..3 * tap + 4]) {
                *sum += value * weight;
            }
        }
        line[3 * number..3 * number + 4].copy_from_slice(&sum);
    }
}

/// Largest number of taps: what an output pixel covers beyond is sampled no denser.
const MOST_TAPS: usize = 64;

fn tap_count(scale: f64) -> usize {
    if scale > COVERED_WITHOUT_MEAN { (scale.ceil() as usize + 1).min(MOST_TAPS) } else { 2 }
}

/// What the output pixel centred at `center` (image px) takes from the image along one axis.
fn taps(center: f64, scale: f64) -> impl Iterator<Item = Tap> {
    let covered = if scale > COVERED_WITHOUT_MEAN { scale.min((MOST_TAPS - 1) as f64) } else { 1.0 };
    // Pixel i spans i - 0.5 to i + 0.5. A square of side 1 shares its area as bilinear weighs.
    let (low, high) = (center - 0.5 * covered, center + 0.5 * covered);
    let first = (low + 0.5).floor();
    (0..tap_count(scale)).map(move |number| {
        let middle = first + number as f64;
        let overlap = (high.min(middle + 0.5) - low.max(middle - 0.5)).max(0.0);
        Tap { index: middle as i64, weight: (overlap / covered) as f32 }
    })
}
