//! Smooth value noise in the plane, tiled, from one table that is made once.

use std::sync::LazyLock;

/// Texels per side of the tile.
const SIZE: usize = 256;
/// Texels per cell of the lattice.
const CELL: usize = 4;
/// Cells per tile.
pub(super) const PERIOD: f32 = (SIZE / CELL) as f32;

static TABLE: LazyLock<Vec<f32>> = LazyLock::new(make_table);

/// Noise in [-1, 1] at (u, v), one cell of the lattice per unit.
#[inline]
pub(super) fn noise(u: f32, v: f32) -> f32 {
    let table: &[f32] = &TABLE;
    let (x, y) = (u * CELL as f32, v * CELL as f32);
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (x - left, y - top);
    let mask = SIZE - 1;
    let (column, row) = (left as i32 as usize & mask, top as i32 as usize & mask);
    let (next_column, next_row) = ((column + 1) & mask, (row + 1) & mask);
    let at = |row: usize, column: usize| table[row * SIZE + column];
    let above = at(row, column) + (at(row, next_column) - at(row, column)) * fx;
    let below = at(next_row, column) + (at(next_row, next_column) - at(next_row, column)) * fx;
    above + (below - above) * fy
}

/// A number in [0, 1) that depends on the cell and `salt` alone.
#[inline]
pub(super) fn hash(x: i32, y: i32, salt: u32) -> f32 {
    let mut value = (x as u32)
        .wrapping_mul(0x9E37_79B1)
        .wrapping_add((y as u32).wrapping_mul(0x85EB_CA77))
        .wrapping_add(salt.wrapping_mul(0xC2B2_AE3D));
    value ^= value >> 15;
    value = value.wrapping_mul(0x2C1B_3C6D);
    value ^= value >> 12;
    value = value.wrapping_mul(0x297A_2D39);
    value ^= value >> 15;
    (value >> 8) as f32 / (1u32 << 24) as f32
}

fn make_table() -> Vec<f32> {
    let cells = (SIZE / CELL) as i32;
    let lattice = |x: i32, y: i32| 2.0 * hash(x.rem_euclid(cells), y.rem_euclid(cells), 7) - 1.0;
    let ease = |f: f32| f * f * (3.0 - 2.0 * f);
    let mut table = Vec::with_capacity(SIZE * SIZE);
    for row in 0..SIZE {
        for column in 0..SIZE {
            let (x, y) = ((column / CELL) as i32, (row / CELL) as i32);
            let fx = ease((column % CELL) as f32 / CELL as f32);
            let fy = ease((row % CELL) as f32 / CELL as f32);
            let above = lattice(x, y) * (1.0 - fx) + lattice(x + 1, y) * fx;
            let below = lattice(x, y + 1) * (1.0 - fx) + lattice(x + 1, y + 1) * fx;
            table.push(above * (1.0 - fy) + below * fy);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_bounded_tiled_and_without_jumps() {
        let mut spread = (0.0_f32, 0.0_f32);
        for index in 0..4000 {
            let (u, v) = (index as f32 * 0.37 - 300.0, index as f32 * 0.11);
            let value = noise(u, v);
            assert!(value.abs() <= 1.0);
            assert!((value - noise(u + PERIOD, v - PERIOD)).abs() < 1e-2);
            assert!((value - noise(u + 1e-3, v)).abs() < 0.02);
            spread = (spread.0.min(value), spread.1.max(value));
        }
        assert!(spread.0 < -0.7 && spread.1 > 0.7, "{spread:?}");
    }
}
