//! An image shrunk by a whole number: blocks of n × n pixels become their rounded mean.

use multiversion::multiversion;

/// Makes rows of a shrunk image; what it works with is used again from row to row.
#[derive(Default)]
pub(super) struct Shrinker {
    sums: Vec<u16>,
    means: Vec<u8>,
}

impl Shrinker {
    /// Shrinks `lines`, up to `block` rows of the image of one length (three values a pixel), to one row of
    /// `out.len()` / 3 pixels. Blocks that reach over the end are the mean of what is there.
    pub(super) fn shrink(&mut self, lines: &[&[u8]], block: usize, out: &mut [u8]) {
        let length = lines.first().map_or(0, |line| line.len());
        self.sums.resize(length, 0);
        self.means.resize(length, 0);
        sum_rows(&mut self.sums, lines);
        let whole = length / (3 * block);
        let (out, last) = out.split_at_mut(3 * whole);
        if whole > 0 {
            mean_along(out, &self.sums[..3 * block * whole], &mut self.means, block, lines.len());
        }
        let rest = &self.sums[3 * block * whole..];
        if !rest.is_empty() {
            mean_along(&mut last[..3], rest, &mut self.means, rest.len() / 3, lines.len());
        }
    }
}

/// `sums` = the sum of `rows`, each as long as it. Wider registers where the machine has them.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn sum_rows(sums: &mut [u16], rows: &[&[u8]]) {
    match rows {
        [first, second] => {
            for ((sum, &a), &b) in sums.iter_mut().zip(*first).zip(*second) {
                *sum = u16::from(a) + u16::from(b);
            }
        }
        [first, second, third] => {
            for (((sum, &a), &b), &c) in sums.iter_mut().zip(*first).zip(*second).zip(*third) {
                *sum = u16::from(a) + u16::from(b) + u16::from(c);
            }
        }
        _ => {
            sums.fill(0);
            for row in rows {
                for (sum, &byte) in sums.iter_mut().zip(*row) {
                    *sum += u16::from(byte);
                }
            }
        }
    }
}

/// The mean colour of each whole block of `block` columns, of which each is the sum of `rows` rows. The mean that
/// begins at every value is made in `means`, which the machine does many at a time; every block then takes its own.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn mean_along(out: &mut [u8], sums: &[u16], means: &mut [u8], block: usize, rows: usize) {
    let count = rows * block;
    let begins = (sums.len() + 3).saturating_sub(3 * block);
    let means = &mut means[..begins];
    let at = |column: usize| &sums[3 * column..3 * column + begins];
    // Division by a number up to 9 as the upper half of a 16-bit product: exact for totals of up to nine bytes.
    let (half, reciprocal) = ((count / 2) as u16, (65_536 / count + 1) as u16);
    let mean = |total: u16| ((u32::from(total + half) * u32::from(reciprocal)) >> 16) as u8;
    match (block, count) {
        (2, 4) => {
            for ((mean_of, &a), &b) in means.iter_mut().zip(at(0)).zip(at(1)) {
                *mean_of = ((a + b + 2) >> 2) as u8;
            }
            pick::<24>(out, means);
        }
        (2, _) => {
            for ((mean_of, &a), &b) in means.iter_mut().zip(at(0)).zip(at(1)) {
                *mean_of = mean(a + b);
            }
            pick::<24>(out, means);
        }
        (3, _) => {
            for (((mean_of, &a), &b), &c) in means.iter_mut().zip(at(0)).zip(at(1)).zip(at(2)) {
                *mean_of = mean(a + b + c);
            }
            pick::<36>(out, means);
        }
        _ => {
            for begin in (0..begins).step_by(3 * block).flat_map(|begin| begin..begin + 3) {
                let total: usize = (0..block).map(|column| usize::from(sums[begin + 3 * column])).sum();
                means[begin] = ((total + count / 2) / count) as u8;
            }
            for (pixel, mean) in out.chunks_exact_mut(3).zip(means.chunks(3 * block)) {
                pixel.copy_from_slice(&mean[..3]);
            }
        }
    }
}

/// Three of every `FOUR` / 4 bytes, for four pixels at a time: a shuffle where the machine has one.
#[expect(clippy::inline_always, reason = "else it is not compiled for the wide registers of its caller")]
#[inline(always)]
fn pick<const FOUR: usize>(out: &mut [u8], means: &[u8]) {
    let (groups, _) = means.as_chunks::<FOUR>();
    let whole = groups.len().min(out.len() / 12);
    let (pixels, last_pixels) = out.split_at_mut(12 * whole);
    for (pixels, group) in pixels.as_chunks_mut::<12>().0.iter_mut().zip(groups) {
        *pixels = std::array::from_fn(|index| group[index / 3 * (FOUR / 4) + index % 3]);
    }
    for (pixel, mean) in last_pixels.chunks_exact_mut(3).zip(means[FOUR * whole..].chunks(FOUR / 4)) {
        pixel.copy_from_slice(&mean[..3]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_length_become_the_rounded_means_of_their_blocks() {
        let mut shrinker = Shrinker::default();
        for block in 1..9_usize {
            for columns in 1..40_usize {
                for count in [1, 2, block] {
                    let count = count.min(block);
                    let lines: Vec<Vec<u8>> = (0..count)
                        .map(|line| (0..3 * columns).map(|at| (at * 53 + line * 101 + block * 7) as u8).collect())
                        .collect();
                    let rows: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
                    let mut out = vec![0; 3 * columns.div_ceil(block)];
                    shrinker.shrink(&rows, block, &mut out);
                    for (place, &found) in out.iter().enumerate() {
                        let pixels = place / 3 * block..(place / 3 * block + block).min(columns);
                        let values: Vec<f64> = pixels
                            .flat_map(|pixel| lines.iter().map(move |line| f64::from(line[3 * pixel + place % 3])))
                            .collect();
                        let mean = (values.iter().sum::<f64>() / values.len() as f64 + 0.5).floor();
                        assert!(
                            (f64::from(found) - mean).abs() < 0.5,
                            "block {block}, {columns} columns, {count} rows"
                        );
                    }
                }
            }
        }
    }
}
