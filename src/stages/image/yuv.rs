//! YUV → RGB, ITU-R BT.601 limited range in 20-bit fixed point, the constants of `OpenCV`'s `cvtColor`:
//! R = 1.164 (Y−16) + 1.596 (V−128), G = 1.164 (Y−16) − 0.813 (V−128) − 0.391 (U−128), B = 1.164 (Y−16) + 2.018 (U−128).

use super::RawImage;

/// Byte order of packed 4:2:2: two pixels in four bytes.
#[derive(Clone, Copy)]
pub enum Order422 {
    /// U Y0 V Y1.
    Uyvy,
    /// Y0 U Y1 V.
    Yuyv,
}

/// A plane of Y followed by a plane of interleaved chroma.
#[derive(Clone, Copy)]
pub enum SemiPlanar {
    /// 4:2:0, U before V.
    Nv12,
    /// 4:2:0, V before U.
    Nv21,
    /// 4:4:4, U before V; chroma rows are two steps long.
    Nv24,
}

const SHIFT: i32 = 20;
const HALF: i32 = 1 << (SHIFT - 1);
const Y: i32 = 1_220_542;
const V_TO_R: i32 = 1_673_527;
const V_TO_G: i32 = -852_492;
const U_TO_G: i32 = -409_993;
const U_TO_B: i32 = 2_116_026;

fn to_rgb(y: u8, u: u8, v: u8) -> [u8; 3] {
    let luma = (i32::from(y) - 16).max(0) * Y + HALF;
    let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
    [luma + V_TO_R * v, luma + V_TO_G * v + U_TO_G * u, luma + U_TO_B * u]
        .map(|value| (value >> SHIFT).clamp(0, 255) as u8)
}

/// Packed 4:2:2; the width is even.
pub fn from_422(raw: &RawImage<'_>, order: Order422, rgb: &mut [u8]) {
    for (row, out) in rgb.chunks_exact_mut(raw.width * 3).enumerate() {
        let pairs = raw.row(row, raw.width * 2).chunks_exact(4);
        for (out, pair) in out.chunks_exact_mut(6).zip(pairs) {
            let (first, second, u, v) = match order {
                Order422::Uyvy => (pair[1], pair[3], pair[0], pair[2]),
                Order422::Yuyv => (pair[0], pair[2], pair[1], pair[3]),
            };
            out[..3].copy_from_slice(&to_rgb(first, u, v));
            out[3..].copy_from_slice(&to_rgb(second, u, v));
        }
    }
}

/// Semi-planar; for 4:2:0 width and height are even.
pub fn from_semi_planar(raw: &RawImage<'_>, layout: SemiPlanar, rgb: &mut [u8]) {
    let chroma = &raw.data[raw.height * raw.step..];
    for (row, out) in rgb.chunks_exact_mut(raw.width * 3).enumerate() {
        let luma = raw.row(row, raw.width);
        let chroma_row = match layout {
            SemiPlanar::Nv12 | SemiPlanar::Nv21 => &chroma[row / 2 * raw.step..][..raw.width],
            SemiPlanar::Nv24 => &chroma[row * 2 * raw.step..][..raw.width * 2],
        };
        for (column, (out, &y)) in out.chunks_exact_mut(3).zip(luma).enumerate() {
            let (u, v) = match layout {
                SemiPlanar::Nv12 => (chroma_row[column / 2 * 2], chroma_row[column / 2 * 2 + 1]),
                SemiPlanar::Nv21 => (chroma_row[column / 2 * 2 + 1], chroma_row[column / 2 * 2]),
                SemiPlanar::Nv24 => (chroma_row[column * 2], chroma_row[column * 2 + 1]),
            };
            out.copy_from_slice(&to_rgb(y, u, v));
        }
    }
}
