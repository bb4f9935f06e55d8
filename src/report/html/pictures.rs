//! Which images are worth looking at: the best, the middling and the worst, by mean joint error over the people in them.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::Stamp;
use crate::metrics::Evaluation;

/// Pictures in each strip.
pub const STRIP: usize = 4;
/// Two pictures of a strip are at least this far apart, s: neighbours look alike.
const APART_SECS: f64 = 0.5;
/// But no further than this share of the recording, or the best strip would hold bad images.
const APART_SHARE: f64 = 1.0 / 16.0;

/// An image and its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankedImage {
    /// Place in the recording.
    pub index: usize,
    /// Stamp.
    pub stamp: Stamp,
    /// Mean joint error, roots on each other, mm.
    pub mpjpe_mm: f64,
}

/// The strips; each is in the order of its error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strips {
    /// Smallest error first.
    pub best: Vec<RankedImage>,
    /// Around the median.
    pub median: Vec<RankedImage>,
    /// Largest error first.
    pub worst: Vec<RankedImage>,
}

impl Strips {
    /// From the images that have a picture.
    pub fn choose(evaluation: &Evaluation, pictured: &BTreeSet<Stamp>) -> Self {
        let mut sums: BTreeMap<usize, (Stamp, usize, f64)> = BTreeMap::new();
        for sample in evaluation.samples.iter().filter(|sample| pictured.contains(&sample.stamp)) {
            let (_, count, sum) = sums.entry(sample.image_index).or_insert((sample.stamp, 0, 0.0));
            for error in sample.error.mpjpe_mm.iter().flatten() {
                *count += 1;
                *sum += error;
            }
        }
        let mut ranked: Vec<RankedImage> = sums
            .into_iter()
            .filter(|(_, (_, count, _))| *count > 0)
            .map(|(index, (stamp, count, sum))| RankedImage { index, stamp, mpjpe_mm: sum / count as f64 })
            .collect();
        ranked.sort_by(|a, b| a.mpjpe_mm.total_cmp(&b.mpjpe_mm));
        let stamps = || ranked.iter().map(|image| image.stamp);
        let length = stamps().min().zip(stamps().max()).map_or(0.0, |(first, last)| last.seconds_since(first));
        let apart_secs = APART_SECS.min(APART_SHARE * length);
        let middle = ranked.len() / 2;
        let mut around: Vec<(usize, &RankedImage)> = ranked.iter().enumerate().collect();
        around.sort_by_key(|(place, _)| place.abs_diff(middle));
        Self {
            best: apart(ranked.iter(), apart_secs),
            median: apart(around.into_iter().map(|(_, image)| image), apart_secs),
            worst: apart(ranked.iter().rev(), apart_secs),
        }
    }

    /// Stamps of all chosen images.
    pub fn stamps(&self) -> BTreeSet<Stamp> {
        [&self.best, &self.median, &self.worst].into_iter().flatten().map(|image| image.stamp).collect()
    }
}

/// The first few that are not next to each other.
fn apart<'a>(images: impl Iterator<Item = &'a RankedImage>, apart_secs: f64) -> Vec<RankedImage> {
    let mut chosen: Vec<RankedImage> = Vec::new();
    for image in images {
        let is_near = |other: &RankedImage| image.stamp.seconds_since(other.stamp).abs() < apart_secs;
        if !chosen.iter().any(is_near) {
            chosen.push(*image);
        }
        if chosen.len() == STRIP {
            break;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn ranked(index: usize, mpjpe_mm: f64) -> RankedImage {
        RankedImage { index, stamp: Stamp::from_nanoseconds(100_000_000 * index as i64), mpjpe_mm }
    }

    #[test]
    fn neighbours_do_not_fill_a_strip() {
        let images: Vec<RankedImage> = (0..40).map(|index| ranked(index, index as f64)).collect();
        let indices = |images: Vec<RankedImage>| images.iter().map(|image| image.index).collect::<Vec<_>>();
        assert_eq!(indices(apart(images.iter(), 0.5)), [0, 5, 10, 15]);
        assert_eq!(indices(apart(images.iter().rev(), 0.5)), [39, 34, 29, 24]);
        assert_eq!(indices(apart(images[..3].iter(), 0.5)), [0]);
    }

    #[test]
    fn nothing_pictured_is_nothing_chosen() {
        assert_eq!(Strips::choose(&Evaluation::default(), &BTreeSet::new()), Strips::default());
    }
}
