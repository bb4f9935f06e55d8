//! Whether stated covariances hold what they promise.
//!
//! For a joint with error e and covariance Σ (both in the camera frame, m), e ᵀ Σ⁻¹ e is distributed as χ² with three
//! degrees of freedom when Σ is true; the ellipsoid of probability q is where it is at most the q quantile. Coverage is
//! the share of joints whose truth lies in the ellipsoid; it should be q.

use nalgebra::{Point3, Vector3};

use crate::data::Covariance;

/// Probabilities of the ellipsoids in per cent, with the χ²₃ quantile of each (`scipy.stats.chi2.ppf(q, 3)`).
pub const ELLIPSOIDS: [(u32, f64); 4] = [
    (50, 2.365_973_884_375_337_7),
    (80, 4.641_627_676_087_45),
    (90, 6.251_388_631_170_325),
    (95, 7.814_727_903_251_179),
];

/// e ᵀ Σ⁻¹ e. `None` when the covariance is not positive definite.
pub fn squared_mahalanobis(predicted: &Point3<f64>, covariance: &Covariance, truth: &Point3<f64>) -> Option<f64> {
    let error: Vector3<f64> = predicted - truth;
    let squared = error.dot(&covariance.cholesky()?.solve(&error));
    squared.is_finite().then_some(squared)
}

/// Share of the samples inside each ellipsoid, in the order of [`ELLIPSOIDS`]; `None` without samples.
pub fn coverage(squared_mahalanobis: &[f64]) -> Option<[f64; ELLIPSOIDS.len()]> {
    let share = |quantile: f64| {
        squared_mahalanobis.iter().filter(|&&squared| squared <= quantile).count() as f64
            / squared_mahalanobis.len() as f64
    };
    (!squared_mahalanobis.is_empty()).then(|| ELLIPSOIDS.map(|(_, quantile)| share(quantile)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn on_the_axes_it_is_the_squared_number_of_sigmas(sigmas in prop::array::uniform3(0.01..2.0_f64), count in 0.0..4.0_f64) {
            let covariance = Covariance::from_diagonal(&Vector3::from(sigmas).map(|sigma| sigma * sigma));
            for axis in 0..3 {
                let mut predicted = Point3::new(1.0, -2.0, 3.0);
                let truth = predicted;
                predicted[axis] += count * sigmas[axis];
                prop_assert!((squared_mahalanobis(&predicted, &covariance, &truth).unwrap() - count * count).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn coverage_counts_what_is_inside() {
        assert_eq!(coverage(&[1.0, 4.0, 6.0, 7.0, 100.0]), Some([0.2, 0.4, 0.6, 0.8]));
        assert_eq!(coverage(&[]), None);
    }

    #[test]
    fn an_impossible_covariance_gives_no_number() {
        let (p, t) = (Point3::origin(), Point3::new(1.0, 0.0, 0.0));
        for covariance in [Covariance::zeros(), -Covariance::identity(), Covariance::repeat(f64::NAN)] {
            assert_eq!(squared_mahalanobis(&p, &covariance, &t), None);
        }
    }
}
