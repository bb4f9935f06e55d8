//! Similarity transforms and their closed-form fit to point pairs (Procrustes analysis).
//!
//! Minimises Σ ‖t_i − (s R p_i + t)‖² over rotation R, translation t and, if asked for, scale s > 0, for at least
//! three pairs of points in any one unit.
//!
//! S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", TPAMI 13(4), 1991,
//! equations 34 to 43. R is a rotation, never a reflection: where the covariance asks for one, its weakest direction
//! is turned. Points that all coincide or lie on one line leave R undetermined: `None`, not any R.

use nalgebra::{Matrix3, Point3, Rotation3, Vector3};

/// `target_from_source`: scales, then rotates, then moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Scale, positive.
    pub scale: f64,
    /// Rotation.
    pub rotation: Rotation3<f64>,
    /// Translation, in the unit of the target.
    pub translation: Vector3<f64>,
}

/// Whether the scale is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleFit {
    /// Scale is fitted, too.
    Free,
    /// Scale stays 1: the best rigid transform.
    Fixed,
}

/// Spread across the main direction that is this small a part of the whole is none: the points lie on a line.
const COLLINEAR: f64 = 1e-10;

impl Similarity {
    /// Applies the transform to a point.
    pub fn apply(&self, point_in_source: &Point3<f64>) -> Point3<f64> {
        Point3::from(self.rotation * point_in_source.coords * self.scale + self.translation)
    }

    /// The transform that brings `source` closest to `target`, pair by pair.
    ///
    /// `None` for slices of different length, fewer than three pairs, values that are not finite, and points that
    /// coincide or lie on a line.
    pub fn fit(source: &[Point3<f64>], target: &[Point3<f64>], scale: ScaleFit) -> Option<Self> {
        if source.len() != target.len() || source.len() < 3 {
            return None;
        }
        let (source_mean, target_mean) = (mean(source), mean(target));
        let mut covariance = Matrix3::zeros();
        let mut source_spread = Matrix3::zeros();
        for (p, t) in source.iter().zip(target) {
            let (p, t) = (p.coords - source_mean, t.coords - target_mean);
            covariance += t * p.transpose();
            source_spread += p * p.transpose();
        }
        let variance = source_spread.trace();
        if !covariance.iter().all(|value| value.is_finite()) || !variance.is_finite() {
            return None;
        }
        let svd = covariance.svd(true, true);
        let (u, v_t, singular) = (svd.u?, svd.v_t?, svd.singular_values);
        // Negated, so that NaN is refused.
        if !(singular[0] > 0.0 && singular[1] > COLLINEAR * singular[0]) {
            return None;
        }
        let mut signs = Vector3::repeat(1.0);
        if u.determinant() * v_t.determinant() < 0.0 {
            signs.z = -1.0;
        }
        let rotation = Rotation3::from_matrix_unchecked(u * Matrix3::from_diagonal(&signs) * v_t);
        let scale = match scale {
            ScaleFit::Free => singular.dot(&signs) / variance,
            ScaleFit::Fixed => 1.0,
        };
        let translation = target_mean - rotation * source_mean * scale;
        let is_usable = scale > 0.0 && translation.iter().all(|value| value.is_finite());
        is_usable.then_some(Self { scale, rotation, translation })
    }
}

fn mean(points: &[Point3<f64>]) -> Vector3<f64> {
    points.iter().map(|point| point.coords).sum::<Vector3<f64>>() / points.len() as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use proptest::prelude::*;

    fn cloud() -> impl Strategy<Value = Vec<Point3<f64>>> {
        prop::collection::vec(prop::array::uniform3(-1.0..1.0_f64).prop_map(Point3::from), 4..18)
    }

    fn similarity() -> impl Strategy<Value = Similarity> {
        let vector = || prop::array::uniform3(-3.0..3.0_f64).prop_map(Vector3::from);
        (0.1..5.0_f64, vector(), vector()).prop_map(|(scale, axis_angle, translation)| Similarity {
            scale,
            rotation: Rotation3::new(axis_angle),
            translation,
        })
    }

    fn cost(fit: &Similarity, source: &[Point3<f64>], target: &[Point3<f64>]) -> f64 {
        source.iter().zip(target).map(|(p, t)| (fit.apply(p) - t).norm_squared()).sum()
    }

    proptest! {
        #[test]
        fn a_known_similarity_is_recovered(source in cloud(), known in similarity()) {
            let target: Vec<_> = source.iter().map(|point| known.apply(point)).collect();
            let fit = Similarity::fit(&source, &target, ScaleFit::Free).unwrap();
            prop_assert!((fit.rotation.into_inner() - known.rotation.into_inner()).norm() < 1e-6);
            prop_assert!(cost(&fit, &source, &target).sqrt() < 1e-7);
        }

        #[test]
        fn no_neighbour_is_better(source in cloud(), noise in cloud(), nudge in prop::array::uniform3(-0.05..0.05_f64)) {
            let count = source.len().min(noise.len());
            let (source, target) = (&source[..count], &noise[..count]);
            let nudge = Rotation3::new(Vector3::from(nudge));
            for scale in [ScaleFit::Free, ScaleFit::Fixed] {
                let Some(fit) = Similarity::fit(source, target, scale) else { continue };
                prop_assert!((fit.rotation.matrix().determinant() - 1.0).abs() < 1e-9, "a reflection");
                let target_mean = Point3::from(mean(target));
                let turned = Similarity {
                    rotation: nudge * fit.rotation,
                    translation: target_mean.coords - nudge * (target_mean.coords - fit.translation),
                    ..fit
                };
                prop_assert!(cost(&fit, source, target) <= cost(&turned, source, target) + 1e-9);
            }
        }
    }

    #[test]
    fn a_mirrored_body_is_turned_not_reflected() {
        let source = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.5]].map(Point3::from);
        let target = source.map(|point| Point3::new(point.x, point.y, -point.z));
        let fit = Similarity::fit(&source, &target, ScaleFit::Fixed).unwrap();
        assert!((fit.rotation.matrix().determinant() - 1.0).abs() < 1e-12);
        assert!(cost(&fit, &source, &target) > 0.1);
    }

    #[test]
    fn what_leaves_the_rotation_open_is_refused() {
        let line: Vec<_> = (0..5).map(|i| Point3::new(f64::from(i), 2.0 * f64::from(i), 0.0)).collect();
        let same = vec![Point3::new(1.0, 2.0, 3.0); 5];
        let bent = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0], [f64::NAN, 0.0, 0.0]]
            .map(Point3::from);
        for (source, target) in [(&line[..], &bent[..]), (&same, &line), (&bent[..2], &line[..2]), (&bent, &line)] {
            assert_eq!(Similarity::fit(source, target, ScaleFit::Free), None);
        }
        assert_eq!(Similarity::fit(&line[..3], &bent[..4], ScaleFit::Free), None);
    }
}
