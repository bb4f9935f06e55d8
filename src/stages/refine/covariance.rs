//! From a joint's covariance to the probability that it lies near the truth.
//!
//! For e ~ N(0, Σ) with standard deviations s₁ ≥ s₂ ≥ s₃ along the axes of Σ,
//! ```text
//! P(|e| < r) = ∫ N(u; 0, s₁²) P₂(r² − u²) du,   P₂(ρ²) = mean over angles of 1 − exp(−ρ² / 2v),   v = s₂²cos² + s₃²sin²
//! ```
//! The integral takes 8 Gauss–Legendre nodes in t, u = r sin t, the mean 4 angles. A closed form from moments would do
//! for round shapes, but depth makes needles, where those are off by up to 0.09. This is within 0.006 of sampling for
//! standard deviations of 0.01–1 m in any proportion. Golden: `tests/goldens/confidence.json` (numpy, Monte Carlo).

use nalgebra::Matrix3;

use super::symmetric::{eigenvalues, is_positive_definite};
use crate::data::Covariance;

/// A joint counts as found within this distance of the truth, m.
pub const CONFIDENCE_RADIUS_M: f64 = 0.15;

/// Smallest standard deviation that is ever stated, m.
const SMALLEST_SIGMA_M: f64 = 1e-3;

/// Largest standard deviation that is ever stated, m.
const LARGEST_SIGMA_M: f64 = 100.0;

/// Gauss–Legendre nodes and weights on [0, 1].
const NODES: [(f64, f64); 8] = [
    (0.019_855_071_751_231_86, 0.050_614_268_145_188_13),
    (0.101_666_761_293_186_63, 0.111_190_517_226_687_24),
    (0.237_233_795_041_835_5, 0.156_853_322_938_943_64),
    (0.408_282_678_752_175_1, 0.181_341_891_689_181),
    (0.591_717_321_247_825, 0.181_341_891_689_181),
    (0.762_766_204_958_164_5, 0.156_853_322_938_943_64),
    (0.898_333_238_706_813_4, 0.111_190_517_226_687_24),
    (0.980_144_928_248_768_1, 0.050_614_268_145_188_13),
];
/// cos² of the angles of the mean; sin² are the same backwards.
const COSINES_SQUARED: [f64; 4] =
    [0.961_939_766_255_643_4, 0.691_341_716_182_544_9, 0.308_658_283_817_455_1, 0.038_060_233_744_356_63];
/// Beyond so many standard deviations nothing is left.
const FURTHEST_SIGMAS: f64 = 4.5;

/// P(‖e‖ < `radius`) for e ~ N(0, `covariance`), in [0, 1]; 0 for a covariance that is not finite.
pub fn probability_within(covariance: &Covariance, radius: f64) -> f64 {
    let is_finite = covariance.iter().all(|value| value.is_finite() && value.abs() < 1e100);
    if !(is_finite && radius > 0.0) {
        return 0.0;
    }
    let [first, second, third] = eigenvalues(covariance).map(|variance| variance.max(1e-12 * radius * radius));
    let largest = FURTHEST_SIGMAS * first.sqrt() / radius;
    let end = if largest < 1.0 { largest.asin() } else { std::f64::consts::FRAC_PI_2 };
    let integral: f64 = NODES
        .iter()
        .map(|(node, weight)| {
            let (sine, cosine) = (node * end).sin_cos();
            let density = (-(radius * sine).powi(2) / (2.0 * first)).exp() * radius * cosine;
            let left = 0.5 * (radius * cosine).powi(2);
            let misses: f64 = COSINES_SQUARED
                .iter()
                .zip(COSINES_SQUARED.iter().rev())
                .map(|(cosine, sine)| (-left / (second * cosine + third * sine)).exp())
                .sum();
            weight * density * (1.0 - misses / COSINES_SQUARED.len() as f64)
        })
        .sum();
    (2.0 * end * integral / (std::f64::consts::TAU * first).sqrt()).clamp(0.0, 1.0)
}

/// `covariance` made exactly symmetric, finite and positive definite.
pub(super) fn proper(covariance: &Matrix3<f64>) -> Covariance {
    let symmetric = (covariance + covariance.transpose()) * 0.5;
    let floor = Matrix3::identity() * (SMALLEST_SIGMA_M * SMALLEST_SIGMA_M);
    let floored = symmetric + floor;
    if floored.iter().all(|value| value.is_finite() && value.abs() < LARGEST_SIGMA_M * LARGEST_SIGMA_M)
        && is_positive_definite(&floored)
    {
        floored
    } else {
        Matrix3::identity() * (LARGEST_SIGMA_M * LARGEST_SIGMA_M)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn probability_agrees_with_monte_carlo() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/goldens/confidence.json")).unwrap();
        let cases = golden["cases"].as_array().unwrap();
        assert!(cases.len() >= 30);
        for case in cases {
            let values: Vec<f64> =
                case["covariance"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
            let expected = case["probability"].as_f64().unwrap();
            let found = probability_within(&Matrix3::from_row_slice(&values), CONFIDENCE_RADIUS_M);
            assert!((found - expected).abs() < 0.006, "{values:?}: found {found}, numpy {expected}");
        }
    }

    #[test]
    fn extremes_stay_probabilities() {
        assert!((probability_within(&Matrix3::zeros(), 0.15) - 1.0).abs() < 1e-4);
        assert!(probability_within(&(Matrix3::identity() * 1e6), 0.15) < 1e-3);
        assert!(probability_within(&Matrix3::identity(), 0.0).abs() < 1e-9);
        assert!(probability_within(&(Matrix3::identity() * f64::NAN), 0.15).abs() < 1e-12);
    }

    #[test]
    fn proper_covariances_are_positive_definite_whatever_comes_in() {
        for bad in [Matrix3::zeros(), -Matrix3::identity(), Matrix3::identity() * f64::NAN, Matrix3::repeat(1e300)] {
            let covariance = proper(&bad);
            assert!(covariance.cholesky().is_some() && covariance.iter().all(|value| value.is_finite()));
        }
    }
}
