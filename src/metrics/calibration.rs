//! Whether stated confidences are probabilities: reliability curve and expected calibration error.
//!
//! A confidence is the probability that the joint lies within 150 mm of the truth in the camera frame. The samples are
//! put into [`BINS`] bins of equal width over [0, 1] (the last one holds 1); the curve shows, for each bin, how many of
//! its joints really lie there; the expected calibration error is Σ nᵦ/n · |share of hitsᵦ − mean confidenceᵦ|
//! (Naeini, Cooper and Hauskrecht, AAAI 2015; Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural
//! Networks*, ICML 2017). 0 is perfect, 1 is the worst.

/// Bins of the reliability curve.
pub const BINS: usize = 10;

/// One statement and whether it came true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statement {
    /// Stated probability in [0, 1].
    pub confidence: f64,
    /// Whether the joint was within the radius.
    pub is_hit: bool,
}

/// One bin of the reliability curve.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReliabilityBin {
    /// Statements in it.
    pub count: usize,
    /// Their mean confidence; `None` for an empty bin.
    pub mean_confidence: Option<f64>,
    /// Share of them that came true.
    pub hit_share: Option<f64>,
}

/// The reliability curve and its summary.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Statements in all.
    pub count: usize,
    /// The bins from low to high confidence.
    pub bins: [ReliabilityBin; BINS],
    /// Expected calibration error in [0, 1].
    pub expected_error: f64,
    /// Largest difference of any bin: maximum calibration error.
    pub largest_error: f64,
    /// Mean confidence minus share of hits: positive when too sure of itself.
    pub overconfidence: f64,
}

impl Calibration {
    /// From `statements`; those whose confidence is no probability are left out. `None` without any.
    pub fn of(statements: impl IntoIterator<Item = Statement>) -> Option<Self> {
        let mut sums = [(0_usize, 0.0_f64, 0_usize); BINS];
        for Statement { confidence, is_hit } in statements {
            if !(0.0..=1.0).contains(&confidence) {
                continue;
            }
            let (count, sum, hits) = &mut sums[((confidence * BINS as f64) as usize).min(BINS - 1)];
            *count += 1;
            *sum += confidence;
            *hits += usize::from(is_hit);
        }
        let total: usize = sums.iter().map(|(count, ..)| count).sum();
        if total == 0 {
            return None;
        }
        let gap = |&(count, sum, hits): &(usize, f64, usize)| (sum - hits as f64) / count as f64;
        let filled = || sums.iter().filter(|(count, ..)| *count > 0);
        Some(Self {
            count: total,
            bins: sums.map(|(count, sum, hits)| ReliabilityBin {
                count,
                mean_confidence: (count > 0).then(|| sum / count as f64),
                hit_share: (count > 0).then(|| hits as f64 / count as f64),
            }),
            expected_error: filled().map(|bin| bin.0 as f64 * gap(bin).abs()).sum::<f64>() / total as f64,
            largest_error: filled().map(|bin| gap(bin).abs()).fold(0.0, f64::max),
            overconfidence: filled().map(|&(_, sum, hits)| sum - hits as f64).sum::<f64>() / total as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn statements(confidence: f64, hits: usize, misses: usize) -> impl Iterator<Item = Statement> {
        (0..hits + misses).map(move |index| Statement { confidence, is_hit: index < hits })
    }

    #[test]
    fn a_true_confidence_has_no_error() {
        let calibration = Calibration::of(statements(0.75, 75, 25).chain(statements(1.0, 9, 0))).unwrap();
        assert!(calibration.expected_error < 1e-12 && calibration.overconfidence.abs() < 1e-12);
        assert_eq!(
            (calibration.bins[7].count, calibration.bins[9].count, calibration.bins[8].hit_share),
            (100, 9, None)
        );
    }

    #[test]
    fn overconfidence_is_positive_and_weighted_by_count() {
        // 0.9 said, 0.5 true, ten times; 0.1 said, 0.3 true, ten times.
        let calibration = Calibration::of(statements(0.9, 5, 5).chain(statements(0.1, 3, 7))).unwrap();
        assert!((calibration.expected_error - 0.3).abs() < 1e-12);
        assert!((calibration.largest_error - 0.4).abs() < 1e-12);
        assert!((calibration.overconfidence - 0.1).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_probability_does_not_count() {
        let bad = [f64::NAN, -0.1, 1.1].map(|confidence| Statement { confidence, is_hit: true });
        assert_eq!(Calibration::of(bad), None);
        assert_eq!(Calibration::of([]), None);
    }

    proptest! {
        #[test]
        fn the_error_lies_between_the_bias_and_the_largest(
            stated in prop::collection::vec((0.0..=1.0_f64, any::<bool>()), 1..60),
        ) {
            let calibration =
                Calibration::of(stated.iter().map(|&(confidence, is_hit)| Statement { confidence, is_hit })).unwrap();
            prop_assert!(calibration.overconfidence.abs() <= calibration.expected_error + 1e-12);
            prop_assert!(calibration.expected_error <= calibration.largest_error + 1e-12);
            prop_assert_eq!(calibration.bins.iter().map(|bin| bin.count).sum::<usize>(), stated.len());
        }
    }
}
