//! One row of RGB, values of 0 to 255 as floats, to the rows that a network takes: its order of colours and dimensions, its
//! numbers. Wider registers where the machine has them, the same numbers everywhere.

use std::ops::Range;

use multiversion::multiversion;

use crate::model::{Colour, ImageInput};

/// Whole pixels in whole registers.
const TOGETHER: usize = 48;

/// `value * gain + offset` for each of the network's channels, over and over for [`TOGETHER`] values.
pub(super) struct Linear {
    gain: [f32; TOGETHER],
    offset: [f32; TOGETHER],
}

impl Linear {
    /// `(value * scale - mean) / std`.
    pub(super) fn of(input: &ImageInput) -> Self {
        let gain = std::array::from_fn(|channel| input.scale / input.std[channel]);
        let offset = std::array::from_fn(|channel| -input.mean[channel] / input.std[channel]);
        Self::of_channels(gain, offset)
    }

    fn of_channels(gain: [f32; 3], offset: [f32; 3]) -> Self {
        Self { gain: std::array::from_fn(|at| gain[at % 3]), offset: std::array::from_fn(|at| offset[at % 3]) }
    }
}

/// Pixels one after the other, scaled.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn scale(row: &mut [f32], line: &[f32], colour: Colour, linear: &Linear) {
    convert(row, line, colour, |value, at| value * linear.gain[at] + linear.offset[at]);
}

/// Pixels one after the other, rounded.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn round_to_u8(row: &mut [u8], line: &[f32], colour: Colour) {
    convert(row, line, colour, |value, _| (value + 0.5) as u8);
}

/// Pixels one after the other, rounded.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn round_to_i32(row: &mut [i32], line: &[f32], colour: Colour) {
    convert(row, line, colour, |value, _| (value + 0.5) as i32);
}

/// `of(value, place)` for each value of the row, `place` that among [`TOGETHER`].
#[expect(clippy::inline_always, reason = "else it is not compiled for the wide registers of its caller")]
#[inline(always)]
fn convert<T>(row: &mut [T], line: &[f32], colour: Colour, of: impl Fn(f32, usize) -> T) {
    match colour {
        Colour::Rgb => convert_from(row, line, |at| at, of),
        Colour::Bgr => convert_from(row, line, |at| at / 3 * 3 + 2 - at % 3, of),
    }
}

/// The same, each value from another place `from` of the same pixels.
#[expect(clippy::inline_always, reason = "else it is not compiled for the wide registers of its caller")]
#[inline(always)]
fn convert_from<T>(row: &mut [T], line: &[f32], from: impl Fn(usize) -> usize, of: impl Fn(f32, usize) -> T) {
    let (groups, last) = row.as_chunks_mut::<TOGETHER>();
    let (lines, last_line) = line.as_chunks::<TOGETHER>();
    for (group, line) in groups.iter_mut().zip(lines) {
        for (at, value) in group.iter_mut().enumerate() {
            *value = of(line[from(at)], at);
        }
    }
    for (at, value) in last.iter_mut().enumerate() {
        *value = of(last_line[from(at)], at);
    }
}

/// A row of each plane, scaled where the picture shows anything, else the value `outside`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
pub(super) fn spread(
    rows: [&mut [f32]; 3],
    shown: Range<usize>,
    line: &[f32],
    colour: Colour,
    linear: &Linear,
    outside: u8,
) {
    for (channel, row) in rows.into_iter().enumerate() {
        let (gain, offset, from) = (linear.gain[channel], linear.offset[channel], channel_order(colour)[channel]);
        let outside = f32::from(outside) * gain + offset;
        row[..shown.start].fill(outside);
        row[shown.end..].fill(outside);
        let line = &line[3 * shown.start..3 * shown.end];
        for (out, rgb) in row[shown.clone()].iter_mut().zip(line.chunks_exact(3)) {
            *out = rgb[from] * gain + offset;
        }
    }
}

/// A row of each plane, rounded. No network that we know takes whole numbers in planes: plainly.
pub(super) fn spread_rounded<T>(rows: [&mut [T]; 3], line: &[f32], colour: Colour, of: impl Fn(f32) -> T) {
    for (row, from) in rows.into_iter().zip(channel_order(colour)) {
        for (out, rgb) in row.iter_mut().zip(line.chunks_exact(3)) {
            *out = of(rgb[from] + 0.5);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_width_have_every_pixel_in_the_networks_order() {
        let linear = Linear::of_channels([0.5, 2.0, 3.0], [1.0, -2.0, 0.25]);
        for width in [1, 15, 16, 17, 40, 416] {
            let line: Vec<f32> = (0..3 * width).map(|at| (at * 29 % 255) as f32 + 0.3).collect();
            for colour in [Colour::Rgb, Colour::Bgr] {
                let wanted = |at: usize| line[at / 3 * 3 + channel_order(colour)[at % 3]];
                let scaled = |at: usize| wanted(at) * linear.gain[at % 3] + linear.offset[at % 3];
                let (mut floats, mut bytes, mut integers) =
                    (vec![0.0; 3 * width], vec![0; 3 * width], vec![0; 3 * width]);
                scale(&mut floats, &line, colour, &linear);
                round_to_u8(&mut bytes, &line, colour);
                round_to_i32(&mut integers, &line, colour);
                let mut planes = [vec![0.0; width], vec![0.0; width], vec![0.0; width]];
                let shown = width / 3..width - width / 4;
                spread(planes.each_mut().map(Vec::as_mut_slice), shown.clone(), &line, colour, &linear, 114);
                let mut rounded = [vec![0_u8; width], vec![0; width], vec![0; width]];
                spread_rounded(rounded.each_mut().map(Vec::as_mut_slice), &line, colour, |value| value as u8);
                for at in 0..3 * width {
                    let (pixel, channel) = (at / 3, at % 3);
                    assert_eq!(floats[at], scaled(at), "{width} px, {colour:?}, value {at}");
                    assert_eq!(bytes[at], wanted(at).round() as u8);
                    assert_eq!(integers[at], wanted(at).round() as i32);
                    assert_eq!(rounded[channel][pixel], bytes[at]);
                    let outside = 114.0 * linear.gain[channel] + linear.offset[channel];
                    assert_eq!(planes[channel][pixel], if shown.contains(&pixel) { scaled(at) } else { outside });
                }
            }
        }
    }
}
