//! Bayer → RGB by bilinear interpolation: each missing colour is the rounded mean of its nearest samples (two or
//! four). At the border the mosaic is mirrored about the outermost pixels, which keeps its pattern.

use super::RawImage;

/// Colours of the top left 2 × 2 pixels, row by row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// R G / G B.
    Rggb,
    /// B G / G R.
    Bggr,
    /// G B / R G.
    Gbrg,
    /// G R / B G.
    Grbg,
}

impl Pattern {
    /// Row and column parity of the red samples.
    const fn red_parity(self) -> (usize, usize) {
        match self {
            Self::Rggb => (0, 0),
            Self::Grbg => (0, 1),
            Self::Gbrg => (1, 0),
            Self::Bggr => (1, 1),
        }
    }
}

/// Demosaics `raw` into `rgb`.
pub fn demosaic(raw: &RawImage<'_>, pattern: Pattern, rgb: &mut [u8]) {
    let (red_row, red_column) = pattern.red_parity();
    for (row, out) in rgb.chunks_exact_mut(raw.width * 3).enumerate() {
        let (above, below) = neighbours(row, raw.height);
        let [above, here, below] = [above, row, below].map(|row| raw.row(row, raw.width));
        let on_red_row = row % 2 == red_row;
        for (column, out) in out.chunks_exact_mut(3).enumerate() {
            let (left, right) = neighbours(column, raw.width);
            let sample = here[column];
            let on_red_column = column % 2 == red_column;
            let horizontal = mean2(here[left], here[right]);
            let vertical = mean2(above[column], below[column]);
            let pixel = if on_red_row == on_red_column {
                let cross = mean4(here[left], here[right], above[column], below[column]);
                let diagonal = mean4(above[left], above[right], below[left], below[right]);
                if on_red_row { [sample, cross, diagonal] } else { [diagonal, cross, sample] }
            } else if on_red_row {
                [horizontal, sample, vertical]
            } else {
                [vertical, sample, horizontal]
            };
            out.copy_from_slice(&pixel);
        }
    }
}

/// The indices before and after `index`, mirrored at the ends; itself in a mosaic of one.
fn neighbours(index: usize, length: usize) -> (usize, usize) {
    let after = if index + 1 < length { index + 1 } else { index.saturating_sub(1) };
    let before = if index > 0 { index - 1 } else { after };
    (before, after)
}

fn mean2(a: u8, b: u8) -> u8 {
    a.midpoint(b) + ((a ^ b) & 1)
}

fn mean4(a: u8, b: u8, c: u8, d: u8) -> u8 {
    ((u16::from(a) + u16::from(b) + u16::from(c) + u16::from(d) + 2) / 4) as u8
}
