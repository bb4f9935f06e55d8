//! Smooth value noise in the plane, tiled, from one table that is made once.

use std::sync::LazyLock;

/// Texels per side of the tile.
const SIZE: usize = 256;
/// Texels per cell of the lattice.
const CELL: usize = 4;

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let smooth = make_table();
    let rough = (0..SIZE * SIZE)
        .map(|index| {
            let (row, column) = (index / SIZE, index % SIZE);
            let fine = smooth[(4 * row) % SIZE * SIZE + (4 * column) % SIZE];
            (0.75 * smooth[index] + 0.5 * fine).clamp(-1.0, 1.0)
        })
        .collect();
    Tables { smooth, rough }
});

/// The table and one of two octaves.
struct Tables {
    smooth: Vec<f32>,
    rough: Vec<f32>,
}

/// Noise in [-1, 1] at (u, v), one cell of the lattice per unit.
#[inline]
pub(super) fn noise(u: f32, v: f32) -> f32 {
    at(&TABLES.smooth, u, v)
}

/// The same with a second octave four times as fine on it, for what is seen from near.
#[inline]
pub(super) fn rough_noise(u: f32, v: f32) -> f32 {
    at(&TABLES.rough, u, v)
}

#[inline]
fn at(table: &[f32], u: f32, v: f32) -> f32 {
    // So that the compiler knows that every index below is inside.
    let Some(table) = table.first_chunk::<{ SIZE * SIZE }>() else { return 0.0 };
    let (x, y) = (u * CELL as f32, v * CELL as f32);
    let ((left, fx), (top, fy)) = (split(x), split(y));
    let mask = SIZE - 1;
    let (column, row) = (left as usize & mask, top as usize & mask);
    let (next_column, next_row) = ((column + 1) & mask, (row + 1) & mask);
    let at = |row: usize, column: usize| table[row * SIZE + column];
    let above = at(row, column) + (at(row, next_column) - at(row, column)) * fx;
    let below = at(next_row, column) + (at(next_row, next_column) - at(next_row, column)) * fx;
    above + (below - above) * fy
}

/// Whole part, rounded down, and the rest. `f32::floor` is a call on a plain x86-64.
#[inline]
pub(super) fn split(value: f32) -> (i32, f32) {
    let toward_zero = value as i32;
    let whole = toward_zero - i32::from((toward_zero as f32) > value);
    (whole, value - whole as f32)
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
        let period = (SIZE / CELL) as f32;
        let mut spread = (0.0_f32, 0.0_f32);
        for index in 0..4000 {
            let (u, v) = (index as f32 * 0.37 - 300.0, index as f32 * 0.11);
            let value = noise(u, v);
            assert!(value.abs() <= 1.0);
            assert!((value - noise(u + period, v - period)).abs() < 1e-2);
            assert!((value - noise(u + 1e-3, v)).abs() < 0.02);
            spread = (spread.0.min(value), spread.1.max(value));
        }
        assert!(spread.0 < -0.7 && spread.1 > 0.7, "{spread:?}");
    }
}
