//! From a keypoint network's raw score to the probability that the keypoint is where it should be.
//!
//! The share of hits around each of the knots 0, 0.1, … 1 of the score, made monotonic by pooling neighbours that are not
//! (Ayer et al. 1955); between the knots the program interpolates.

use anyhow::Context;
use stridepose::metrics::{Calibration, Statement};
use stridepose::model::{SCORE_KNOTS, calibrated_score};

/// Score and whether the keypoint was within the tolerance.
pub type Hit = (f64, bool);

/// What a network's score is worth.
pub struct ScoreCalibration {
    /// Probabilities at the knots, for its contract.
    pub confidence: [f32; SCORE_KNOTS],
    /// How true the raw score is.
    pub raw: Calibration,
    /// How true the probabilities are.
    pub calibrated: Calibration,
}

impl ScoreCalibration {
    /// Fits the probabilities to some statements and holds them against others.
    ///
    /// # Errors
    /// When there are none.
    pub fn of(fitted: &[Hit], measured: &[Hit]) -> anyhow::Result<Self> {
        anyhow::ensure!(!fitted.is_empty(), "nobody to calibrate the confidence on");
        let confidence = fit(fitted);
        let of = |confidence: &dyn Fn(f64) -> f64| {
            let stated = measured.iter().map(|&(score, is_hit)| Statement { confidence: confidence(score), is_hit });
            Calibration::of(stated).context("nobody to measure the confidence on")
        };
        let raw = of(&|score| score)?;
        let calibrated = of(&|score| f64::from(calibrated_score(&confidence, score as f32)))?;
        Ok(Self { confidence, raw, calibrated })
    }
}

/// Probabilities at the knots.
pub fn fit(hits: &[Hit]) -> [f32; SCORE_KNOTS] {
    let last = (SCORE_KNOTS - 1) as f64;
    let mut counts = [(0.0_f64, 0.0_f64); SCORE_KNOTS];
    for &(score, is_hit) in hits {
        // Each statement counts at the two knots around it, the nearer the more.
        let at = score.clamp(0.0, 1.0) * last;
        let low = (at.floor() as usize).min(SCORE_KNOTS - 2);
        for (knot, weight) in [(low, 1.0 - (at - low as f64)), (low + 1, at - low as f64)] {
            counts[knot].0 += weight;
            counts[knot].1 += weight * f64::from(u8::from(is_hit));
        }
    }
    // Blocks of (weight, hits, knots) with rising shares.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (weight, hits) in counts {
        blocks.push((weight, hits, 1));
        while let [.., a, b] = blocks.as_slice()
            && a.1 * b.0 >= b.1 * a.0
        {
            let joined = (a.0 + b.0, a.1 + b.1, a.2 + b.2);
            blocks.truncate(blocks.len() - 2);
            blocks.push(joined);
        }
    }
    let mut probabilities = [0.0; SCORE_KNOTS];
    let mut knot = 0;
    for (weight, hits, knots) in blocks {
        for probability in &mut probabilities[knot..knot + knots] {
            *probability = if weight > 0.0 { (hits / weight) as f32 } else { 0.0 };
        }
        knot += knots;
    }
    probabilities
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shares_of_hits_become_rising_probabilities() {
        let hits: Vec<Hit> = (0..10_000)
            .map(|index| {
                let score = f64::from(index) / 10_000.0;
                (score, f64::from(index * 7919 % 10_000) / 10_000.0 < score * score)
            })
            .collect();
        let fitted = fit(&hits);
        assert!(fitted.is_sorted(), "{fitted:?}");
        for (knot, probability) in fitted.into_iter().enumerate() {
            let score = knot as f32 / 10.0;
            // At the ends there are statements on one side of the knot only: their mean is a third of a step away.
            assert!((probability - score * score).abs() < 0.07, "{knot}: {probability}");
        }
    }

    #[test]
    fn a_score_that_says_too_little_is_corrected() {
        let hits: Vec<Hit> = (0..1000).map(|index| (f64::from(index % 10) / 30.0, index / 10 % 5 != 0)).collect();
        let (fitted, measured) = hits.split_at(500);
        let found = ScoreCalibration::of(fitted, measured).unwrap();
        assert!(found.raw.expected_error > 0.5 && found.calibrated.expected_error < 0.05);
        assert!(
            found.confidence[..3].iter().all(|probability| (probability - 0.8).abs() < 0.1),
            "{:?}",
            found.confidence
        );
        assert!(ScoreCalibration::of(&[], measured).is_err() && ScoreCalibration::of(fitted, &[]).is_err());
    }

    #[test]
    fn scores_that_never_occur_and_none_at_all_have_an_answer() {
        let fitted = fit(&[(0.2, false), (0.2, true), (0.9, true)]);
        assert!(fitted.is_sorted() && fitted.iter().all(|probability| (0.0..=1.0).contains(probability)), "{fitted:?}");
        assert_eq!(fit(&[]), [0.0; SCORE_KNOTS]);
    }
}
