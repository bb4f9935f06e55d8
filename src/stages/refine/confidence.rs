//! From a covariance to a probability.

use nalgebra::Matrix3;

/// Probability that a zero-mean normal error of this covariance (m²) is shorter than `radius` (m).
///
/// |e|² is a weighted sum of χ²₁; it is matched to a·χ²_k by its first two moments (Satterthwaite 1946) and that to a
/// normal by its cube root (Wilson and Hilferty 1931). Off by less than 0.02 from sampling for every shape (test).
pub fn probability_within(covariance: &Matrix3<f64>, radius: f64) -> f64 {
    let trace = covariance.trace();
    // Sum of the squared eigenvalues.
    let squares = covariance.component_mul(&covariance.transpose()).sum();
    if !(trace > 0.0 && squares > 0.0 && trace.is_finite() && squares.is_finite()) {
        return 0.0;
    }
    let freedom = trace * trace / squares;
    let scaled = radius * radius * trace / squares;
    let spread = 2.0 / (9.0 * freedom);
    let standard = ((scaled / freedom).cbrt() - (1.0 - spread)) / spread.sqrt();
    (0.5 * libm::erfc(-standard / std::f64::consts::SQRT_2)).clamp(0.0, 1.0)
}
