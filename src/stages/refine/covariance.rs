//! From a joint's covariance to the probability that it lies near the truth.
//!
//! For e ~ N(0, Σ) with standard deviations s₁ ≥ s₂ ≥ s₃ along the axes of Σ,
//! ```text
//! P(|e| < r) = ∫ N(u; 0, s₁²) P₂(r² − u²) du,   P₂(ρ²) = mean over angles of 1 − exp(−ρ² / 2v),   v = s₂²cos² + s₃²sin²
//! ```
//! The integral takes 6 Gauss–Legendre nodes, in t with u = r sin t or, where e ends before r, in u; the mean takes 4
//! angles. A closed form from moments would do for round shapes, but depth makes needles, where those are off by up to
//! 0.09. This is within 0.006 of sampling for standard deviations of 0.01–1 m in any proportion. Golden:
//! `tests/goldens/confidence.json` (numpy, Monte Carlo).

use std::f64::consts::{FRAC_PI_2, TAU};

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
const NODES: [(f64, f64); 6] = [
    (0.033_765_242_898_424_03, 0.085_662_246_189_585_14),
    (0.169_395_306_766_867_76, 0.180_380_786_524_069_36),
    (0.380_690_406_958_401_56, 0.233_956_967_286_345_52),
    (0.619_309_593_041_598_5, 0.233_956_967_286_345_52),
    (0.830_604_693_233_132_2, 0.180_380_786_524_069_36),
    (0.966_234_757_101_575_9, 0.085_662_246_189_585_14),
];
/// Angles of the mean.
const ANGLES: usize = 4;
/// cos² of the angles of the mean; sin² are the same backwards.
const COSINES_SQUARED: [f64; ANGLES] =
    [0.961_939_766_255_643_4, 0.691_341_716_182_544_9, 0.308_658_283_817_455_1, 0.038_060_233_744_356_63];
/// sin(π/2 node); the cosines are the same backwards, for the nodes lie evenly about the middle.
const SINES: [f64; 6] = [
    0.053_013_456_323_508_46,
    0.262_956_746_291_481_97,
    0.562_980_006_687_355_7,
    0.826_470_514_943_095_2,
    0.964_807_623_093_742_5,
    0.998_593_798_022_316_7,
];
/// Beyond so many standard deviations nothing is left.
const FURTHEST_SIGMAS: f64 = 4.5;

/// P(‖e‖ < `radius`) for e ~ N(0, `covariance`), in [0, 1]; 0 for a covariance that is not finite.
pub fn probability_within(covariance: &Covariance, radius: f64) -> f64 {
    let is_finite = covariance.iter().all(|value| value.is_finite() && value.abs() < 1e100);
    if !(is_finite && radius > 0.0) {
        return 0.0;
    }
    let [first, second, third] = eigenvalues(covariance).map(|variance| variance.max(1e-12 * radius * radius));
    let end = FURTHEST_SIGMAS * first.sqrt() / radius;
    // u/r of each node, √(1 − (u/r)²), and the node's share of the integral over u/r.
    let mut cosines = SINES;
    cosines.reverse();
    let mut sines = SINES;
    let mut shares: [f64; NODES.len()] = std::array::from_fn(|node| FRAC_PI_2 * NODES[node].1 * cosines[node]);
    if end < 1.0 {
        sines = NODES.map(|(node, _)| end * node);
        cosines = sines.map(|sine| (1.0 - sine * sine).sqrt());
        shares = NODES.map(|(_, weight)| end * weight);
    }
    // All exponents first, so that several are worked out at once: of each node the density's, then those of the angles.
    let half_square = 0.5 * radius * radius;
    let of_density = -half_square / first;
    let of_angles: [f64; ANGLES] = std::array::from_fn(|angle| {
        -half_square / (second * COSINES_SQUARED[angle] + third * COSINES_SQUARED[ANGLES - 1 - angle])
    });
    let mut powers = [[0.0; ANGLES + 1]; NODES.len()];
    for ((powers, sine), cosine) in powers.iter_mut().zip(sines).zip(cosines) {
        powers[0] = of_density * sine * sine;
        powers[1..].iter_mut().zip(of_angles).for_each(|(power, of_angle)| *power = of_angle * cosine * cosine);
    }
    powers.as_flattened_mut().iter_mut().for_each(|power| *power = exp_below_zero(*power));
    let integral: f64 = shares
        .iter()
        .zip(powers)
        .map(|(share, [density, misses @ ..])| share * density * (1.0 - misses.iter().sum::<f64>() / ANGLES as f64))
        .sum();
    (2.0 * radius * integral / (TAU * first).sqrt()).clamp(0.0, 1.0)
}

/// eˣ for x ≤ 0, within 2 · 10⁻⁷ of it: 2ⁿ times Taylor's polynomial of what is left. Without a branch or a call, so that the
/// compiler works out several at once; below e⁻⁶⁰⁰ it gets no smaller.
fn exp_below_zero(x: f64) -> f64 {
    /// 1.5 · 2⁵²: what is added to it is rounded to a whole number, which then stands in the lowest bits.
    const WHOLE: f64 = 6_755_399_441_055_744.0;
    let x = x.max(-600.0);
    let shifted = x * std::f64::consts::LOG2_E + WHOLE;
    let rest = x - (shifted - WHOLE) * std::f64::consts::LN_2;
    let polynomial = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0]
        .into_iter()
        .fold(0.0, |sum, term| sum * rest + term);
    polynomial * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
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
    fn powers_of_e_are_those_of_the_library() {
        for step in 0..60_000 {
            let x = -f64::from(step) / 100.0;
            let (found, expected) = (exp_below_zero(x), x.exp());
            assert!((found / expected - 1.0).abs() < 2e-7, "e^{x}: {found} instead of {expected}");
        }
        assert!(exp_below_zero(-1e300) < 1e-260 && exp_below_zero(f64::NEG_INFINITY) < 1e-260);
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
