//! How sure a mean over a recording is: the circular block bootstrap.
//!
//! Neighbouring images are nearly the same, so that drawing single images would make any mean look far too certain.
//! Blocks of consecutive images are drawn with replacement, the end of the recording joined to its start, until there
//! are as many images as before; the mean of each such recording is taken; the interval holds the middle 95 % of them
//! (Künsch, *Annals of Statistics* 1989; Politis and Romano 1992; percentile interval of Efron). An image may hold any
//! number of samples: the mean is Σ sums / Σ counts, people and joints of one image stay together.
//!
//! Blocks are [`BLOCK_SECS`] long, at least one image and at most a quarter of the recording. Fewer than
//! [`FEWEST_BLOCKS`] such blocks, or no time at all, say nothing: no interval is given. The same seed gives the same interval.

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Length of a block, s: a movement that lasts longer than this is rare.
pub const BLOCK_SECS: f64 = 1.0;
/// Fewest blocks from which an interval is made.
pub const FEWEST_BLOCKS: usize = 4;
/// Recordings that are drawn.
pub const RESAMPLES: usize = 2000;
/// Probability of the interval.
pub const INTERVAL_PROBABILITY: f64 = 0.95;

/// The samples of one image: how many and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ImageSum {
    /// Samples.
    pub count: usize,
    /// Their sum.
    pub sum: f64,
}

/// An interval of a mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Images in a block of [`BLOCK_SECS`] at most a quarter of `images`; `None` where that is less than one image.
pub fn block_length(images: usize, image_interval: Option<f64>) -> Option<usize> {
    let wanted = image_interval.filter(|&interval| interval > 0.0).map(|interval| (BLOCK_SECS / interval).round())?;
    let longest = images / FEWEST_BLOCKS;
    (longest > 0).then(|| (wanted as usize).clamp(1, longest))
}

/// The interval of Σ sums / Σ counts of `images`, drawn in blocks of `block` images; `None` where there is nothing to draw.
pub fn interval_of_mean(images: &[ImageSum], block: usize, seed: u64) -> Option<Interval> {
    let length = images.len();
    if block == 0 || length < block * FEWEST_BLOCKS || images.iter().all(|image| image.count == 0) {
        return None;
    }
    // Sums up to each image of the recording laid out twice, so that any block is one difference.
    let mut counts = Vec::with_capacity(2 * length + 1);
    let mut sums = Vec::with_capacity(2 * length + 1);
    let (mut count, mut sum) = (0_usize, 0.0);
    counts.push(count);
    sums.push(sum);
    for image in images.iter().chain(images) {
        count += image.count;
        sum += image.sum;
        counts.push(count);
        sums.push(sum);
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let (mut count, mut sum, mut left) = (0_usize, 0.0, length);
            while left > 0 {
                let start = random.random_range(0..length);
                let end = start + block.min(left);
                count += counts[end] - counts[start];
                sum += sums[end] - sums[start];
                left -= block.min(left);
            }
            (count > 0).then(|| sum / count as f64)
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - INTERVAL_PROBABILITY) / 2.0;
    Some(Interval { low: quantile(&means, tail)?, high: quantile(&means, 1.0 - tail)? })
}

/// Quantile of sorted values with linear interpolation.
fn quantile(sorted: &[f64], probability: f64) -> Option<f64> {
    let at = probability * (sorted.len().checked_sub(1)?) as f64;
    let below = at.floor();
    let (low, high) = (sorted.get(below as usize)?, sorted.get(at.ceil() as usize)?);
    Some(low + (high - low) * (at - below))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn images(values: impl Iterator<Item = f64>) -> Vec<ImageSum> {
        values.map(|value| ImageSum { count: 2, sum: 2.0 * value }).collect()
    }

    #[test]
    fn a_constant_has_no_width_and_the_same_seed_is_the_same() {
        let constant = images((0..100).map(|_| 3.0));
        let interval = interval_of_mean(&constant, 10, 7).unwrap();
        assert!((interval.low - 3.0).abs() < 1e-9 && (interval.high - 3.0).abs() < 1e-9);
        let waves = images((0..400).map(|index| f64::from(index).sin()));
        assert_eq!(interval_of_mean(&waves, 10, 7), interval_of_mean(&waves, 10, 7));
        assert_ne!(interval_of_mean(&waves, 10, 7), interval_of_mean(&waves, 10, 8));
    }

    #[test]
    fn correlated_images_make_a_wider_interval_than_single_draws() {
        // Runs of ten equal images.
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let runs: Vec<f64> = (0..60).map(|_| random.random_range(0.0..1.0)).collect();
        let slow = images((0..600).map(|index| runs[index / 10]));
        let width = |block| {
            let interval = interval_of_mean(&slow, block, 1).unwrap();
            interval.high - interval.low
        };
        assert!(width(30) > 2.0 * width(1), "{} {}", width(30), width(1));
    }

    #[test]
    fn too_little_gives_no_interval() {
        assert_eq!(interval_of_mean(&images((0..10).map(f64::from)), 3, 1), None);
        assert_eq!(interval_of_mean(&[ImageSum::default(); 50], 1, 1), None);
        assert_eq!(interval_of_mean(&[], 1, 1), None);
        assert_eq!((block_length(3, Some(0.1)), block_length(9, None)), (None, None));
        assert_eq!((block_length(1000, Some(1.0 / 30.0)), block_length(40, Some(0.04))), (Some(30), Some(10)));
        assert_eq!(block_length(40, Some(5.0)), Some(1));
    }
}
