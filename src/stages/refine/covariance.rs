//! From a joint's covariance to the probability that it lies near the truth.
//!
//! The squared error e² of e ~ N(0, Σ) is a weighted sum of three χ² variables. Jensen & Solomon (1972),
//! "A Gaussian approximation to the distribution of a definite quadratic form": (e²/θ₁)^h is close to normal, with
//! θ_k = tr Σ^k and h = 1 − 2 θ₁θ₃ / (3 θ₂²). No eigenvalues needed.
//! Golden: `tests/goldens/confidence.json` (numpy, Monte Carlo), agreement within 0.012.

use nalgebra::Matrix3;

use crate::data::Covariance;

/// A joint counts as found within this distance of the truth, m.
pub const CONFIDENCE_RADIUS_M: f64 = 0.15;

/// Smallest standard deviation that is ever stated, m.
const SMALLEST_SIGMA_M: f64 = 1e-3;

/// Largest standard deviation that is ever stated, m.
const LARGEST_SIGMA_M: f64 = 100.0;

/// P(‖e‖ < `radius`) for e ~ N(0, `covariance`), in [0, 1]; 0 for a covariance that is not finite.
pub fn probability_within(covariance: &Covariance, radius: f64) -> f64 {
    let squared = covariance * covariance;
    let (first, second, third) = (covariance.trace(), squared.trace(), (squared * covariance).trace());
    if !(first.is_finite() && second.is_finite() && third.is_finite() && radius >= 0.0) {
        return 0.0;
    }
    if first <= 0.0 || second <= 0.0 {
        return 1.0;
    }
    // h lies in [1/3, 1) for covariances; the clamp only guards against rounding.
    let power = (1.0 - 2.0 * first * third / (3.0 * second * second)).clamp(0.05, 1.0);
    let mean = 1.0 + second * power * (power - 1.0) / (first * first);
    let sigma = (2.0 * second).sqrt() * power / first;
    let value = (radius * radius / first).powf(power);
    let tail = 0.5 * libm::erfc((value - mean) / (sigma * std::f64::consts::SQRT_2));
    // At radius 0 the normal approximation still has some mass below; take it away smoothly.
    let below_zero = 0.5 * libm::erfc(mean / (sigma * std::f64::consts::SQRT_2));
    ((1.0 - tail - below_zero) / (1.0 - below_zero)).clamp(0.0, 1.0)
}

/// `covariance` made exactly symmetric, finite and positive definite.
pub(super) fn proper(covariance: &Matrix3<f64>) -> Covariance {
    let symmetric = (covariance + covariance.transpose()) * 0.5;
    let floor = Matrix3::identity() * (SMALLEST_SIGMA_M * SMALLEST_SIGMA_M);
    let floored = symmetric + floor;
    if floored.iter().all(|value| value.is_finite() && value.abs() < LARGEST_SIGMA_M * LARGEST_SIGMA_M)
        && floored.cholesky().is_some()
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
        assert!(cases.len() >= 12);
        for case in cases {
            let values: Vec<f64> =
                case["covariance"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
            let expected = case["probability"].as_f64().unwrap();
            let found = probability_within(&Matrix3::from_row_slice(&values), CONFIDENCE_RADIUS_M);
            assert!((found - expected).abs() < 0.012, "{values:?}: found {found}, numpy {expected}");
        }
    }

    #[test]
    fn extremes_stay_probabilities() {
        assert!((probability_within(&Matrix3::zeros(), 0.15) - 1.0).abs() < 1e-12);
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
