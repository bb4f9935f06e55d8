//! Which images are worth looking at: the best, the middling and the worst, by mean joint error over the people in them;
//! without a truth the surest, the middling and the least sure, by mean stated confidence.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::Stamp;
use crate::metrics::{Evaluation, ResultSequence};

/// Pictures in each strip.
pub const STRIP: usize = 4;
/// Two pictures of a strip are at least this far apart, s: neighbours look alike.
const APART_SECS: f64 = 0.5;
/// But no further than this share of the recording, or the best strip would hold bad images.
const APART_SHARE: f64 = 1.0 / 16.0;

/// What images are ranked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ranking {
    /// Mean joint error, roots on each other, mm: small is good.
    #[default]
    Error,
    /// Mean stated confidence in [0, 1]: large is good.
    Confidence,
}

impl Ranking {
    /// Headings of the three strips.
    pub const fn names(self) -> [&'static str; 3] {
        match self {
            Self::Error => ["Best", "Median", "Worst"],
            Self::Confidence => ["Surest", "Median", "Least sure"],
        }
    }

    /// A value with its unit.
    pub fn in_words(self, value: f64) -> String {
        match self {
            Self::Error => format!("{value:.0} mm"),
            Self::Confidence => format!("confidence {:.0} %", 100.0 * value),
        }
    }
}

/// An image and what it is ranked by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankedImage {
    /// Place in the recording.
    pub index: usize,
    /// Stamp.
    pub stamp: Stamp,
    /// In the unit of the [`Ranking`].
    pub value: f64,
}

/// The strips; each is in the order of its values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strips {
    /// What they are ranked by.
    pub ranking: Ranking,
    /// The best first.
    pub best: Vec<RankedImage>,
    /// Around the median.
    pub median: Vec<RankedImage>,
    /// The worst first.
    pub worst: Vec<RankedImage>,
}

/// Values of an image: its stamp, how many, their sum.
type Sums = BTreeMap<usize, (Stamp, usize, f64)>;

impl Strips {
    /// By error, from the images that have a picture.
    pub fn by_error(evaluation: &Evaluation, pictured: &BTreeSet<Stamp>) -> Self {
        let mut sums = Sums::new();
        for sample in evaluation.samples.iter().filter(|sample| pictured.contains(&sample.stamp)) {
            let (_, count, sum) = sums.entry(sample.image_index).or_insert((sample.stamp, 0, 0.0));
            for error in sample.error.mpjpe_mm.iter().flatten() {
                *count += 1;
                *sum += error;
            }
        }
        Self::of(Ranking::Error, sums)
    }

    /// By stated confidence, from the images that have a picture.
    pub fn by_confidence(result: &ResultSequence, pictured: &BTreeSet<Stamp>) -> Self {
        let images = result.images.iter().enumerate().filter(|(_, image)| pictured.contains(&image.stamp));
        let sums = images.map(|(index, image)| {
            let joints = image.people.iter().flat_map(|person| person.joints.iter().flatten());
            let (count, sum) =
                joints.filter_map(|joint| joint.confidence).fold((0, 0.0), |(count, sum), one| (count + 1, sum + one));
            (index, (image.stamp, count, sum))
        });
        Self::of(Ranking::Confidence, sums.collect())
    }

    fn of(ranking: Ranking, sums: Sums) -> Self {
        let mut ranked: Vec<RankedImage> = sums
            .into_iter()
            .filter(|(_, (_, count, _))| *count > 0)
            .map(|(index, (stamp, count, sum))| RankedImage { index, stamp, value: sum / count as f64 })
            .collect();
        ranked.sort_by(|a, b| match ranking {
            Ranking::Error => a.value.total_cmp(&b.value),
            Ranking::Confidence => b.value.total_cmp(&a.value),
        });
        let stamps = || ranked.iter().map(|image| image.stamp);
        let length = stamps().min().zip(stamps().max()).map_or(0.0, |(first, last)| last.seconds_since(first));
        let apart_secs = APART_SECS.min(APART_SHARE * length);
        let middle = ranked.len() / 2;
        let mut around: Vec<(usize, &RankedImage)> = ranked.iter().enumerate().collect();
        around.sort_by_key(|(place, _)| place.abs_diff(middle));
        Self {
            ranking,
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

    fn ranked(index: usize, value: f64) -> RankedImage {
        RankedImage { index, stamp: Stamp::from_nanoseconds(100_000_000 * index as i64), value }
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
        assert_eq!(Strips::by_error(&Evaluation::default(), &BTreeSet::new()), Strips::default());
    }

    #[test]
    fn without_a_truth_the_surest_come_first() {
        let stamp = |index: i64| Stamp::from_nanoseconds(1_000_000_000 * index);
        // Image 2 has no confidence, image 3 no picture.
        let sums = [(0, 0.5), (1, 0.9), (4, 0.2)].map(|(index, sum)| (index, (stamp(index as i64), 1, sum)));
        let strips = Strips::of(Ranking::Confidence, sums.into_iter().chain([(2, (stamp(2), 0, 0.0))]).collect());
        let indices = |images: &[RankedImage]| images.iter().map(|image| image.index).collect::<Vec<_>>();
        assert_eq!((indices(&strips.best), indices(&strips.worst)), (vec![1, 0, 4], vec![4, 0, 1]));
        assert_eq!(strips.ranking.in_words(strips.best[0].value), "confidence 90 %");
        assert_eq!(strips.ranking.names()[2], "Least sure");
    }
}
