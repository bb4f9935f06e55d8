//! Symmetric 3×3 matrices in closed form: a refinement inverts and judges hundreds of them an image, and the general
//! iterations of a library would take most of its time.

use nalgebra::Matrix3;

/// The inverse of a positive definite matrix, of which the lower triangle is read; `None` for any other, and for one that is not
/// finite. By L D Lᵀ, whose pivots are positive exactly where the matrix is positive definite.
pub(super) fn inverse_of_positive_definite(matrix: &Matrix3<f64>) -> Option<Matrix3<f64>> {
    let (a, b, c) = (matrix[(0, 0)], matrix[(1, 0)], matrix[(2, 0)]);
    let (d, e, f) = (matrix[(1, 1)], matrix[(2, 1)], matrix[(2, 2)]);
    // L has ones on the diagonal; l10, l20, l21 below it.
    let inverse_0 = 1.0 / a;
    let (l10, l20) = (b * inverse_0, c * inverse_0);
    let pivot_1 = d - l10 * b;
    let inverse_1 = 1.0 / pivot_1;
    let below = e - l20 * b;
    let l21 = below * inverse_1;
    let pivot_2 = f - l20 * c - l21 * below;
    // False for NaN as well.
    let is_pivot = |pivot: f64| pivot > 0.0 && pivot < f64::INFINITY;
    if ![a, pivot_1, pivot_2].into_iter().all(is_pivot) {
        return None;
    }
    let inverse_2 = 1.0 / pivot_2;
    // The last row of the inverse of L is (corner, -l21, 1).
    let corner = l10 * l21 - l20;
    let (xz, yz) = (corner * inverse_2, -l21 * inverse_2);
    let (xy, yy) = (-l10 * inverse_1 - l21 * xz, inverse_1 - l21 * yz);
    let xx = inverse_0 + l10 * l10 * inverse_1 + corner * xz;
    let inverse = Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, inverse_2);
    inverse.iter().all(|value| value.is_finite()).then_some(inverse)
}

/// Whether a symmetric matrix, of which the lower triangle is read, is positive definite.
pub(super) fn is_positive_definite(matrix: &Matrix3<f64>) -> bool {
    inverse_of_positive_definite(matrix).is_some()
}

/// The eigenvalues of a symmetric matrix, of which the lower triangle is read, falling (Smith 1961: roots of the characteristic
/// polynomial by the cosine of a third of an angle). Off by no more than rounding of the largest.
pub(super) fn eigenvalues(matrix: &Matrix3<f64>) -> [f64; 3] {
    let mean = matrix.trace() / 3.0;
    let (x, y, z) = (matrix[(0, 0)] - mean, matrix[(1, 1)] - mean, matrix[(2, 2)] - mean);
    let (xy, xz, yz) = (matrix[(1, 0)], matrix[(2, 0)], matrix[(2, 1)]);
    let spread = ((x * x + y * y + z * z + 2.0 * (xy * xy + xz * xz + yz * yz)) / 6.0).sqrt();
    if !(spread > 0.0) {
        return [mean; 3];
    }
    let determinant = x * (y * z - yz * yz) - xy * (xy * z - yz * xz) + xz * (xy * yz - y * xz);
    let cosine = (determinant / (2.0 * spread * spread * spread)).clamp(-1.0, 1.0);
    let angle = cosine.acos() / 3.0;
    let largest = mean + 2.0 * spread * angle.cos();
    let smallest = mean + 2.0 * spread * (angle + 2.0 * std::f64::consts::FRAC_PI_3).cos();
    [largest, 3.0 * mean - largest - smallest, smallest]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nalgebra::{Rotation3, Vector3};

    use super::*;

    /// Matrices with known eigenvalues, from round to needles, in many directions.
    fn turned() -> impl Iterator<Item = (Matrix3<f64>, [f64; 3])> {
        let eigenvalues =
            [[1.0, 1.0, 1.0], [4.0, 1.0, 1.0], [4.0, 4.0, 1.0], [9.0, 2.0, 0.5], [1e4, 1.0, 1e-4], [1e-6; 3]];
        eigenvalues.into_iter().flat_map(|values| {
            (0..20).map(move |turn| {
                let turn = f64::from(turn);
                let rotation = Rotation3::from_euler_angles(0.7 * turn, 1.9 * turn, -0.4 * turn);
                let matrix = rotation * Matrix3::from_diagonal(&Vector3::from(values)) * rotation.inverse();
                (matrix, values)
            })
        })
    }

    #[test]
    fn eigenvalues_are_those_the_matrix_was_made_of() {
        for (matrix, wanted) in turned() {
            let found = eigenvalues(&matrix);
            for (found, wanted_one) in found.into_iter().zip(wanted) {
                assert!((found - wanted_one).abs() < 2e-8 * wanted[0], "{found} of {wanted:?}");
            }
        }
        assert!(eigenvalues(&Matrix3::zeros()).iter().all(|value| value.abs() < f64::MIN_POSITIVE));
    }

    #[test]
    fn the_inverse_times_the_matrix_is_one() {
        for (matrix, wanted) in turned() {
            let inverse = inverse_of_positive_definite(&matrix).unwrap();
            let off = (inverse * matrix - Matrix3::identity()).abs().max();
            assert!(off < 1e-14 * wanted[0] / wanted[2] * 100.0, "{off} for {wanted:?}");
            assert!((inverse - inverse.transpose()).abs().max() <= 0.0);
            assert!(is_positive_definite(&matrix));
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_inverse() {
        for (matrix, wanted) in turned() {
            let shifted = matrix - Matrix3::from_diagonal_element(1.5 * wanted[2]);
            assert!(inverse_of_positive_definite(&shifted).is_none(), "{shifted}");
            assert!(!is_positive_definite(&-matrix));
        }
        let mut broken = Matrix3::identity();
        for (row, column) in [(0, 0), (1, 0), (2, 1), (2, 2)] {
            for value in [f64::NAN, f64::INFINITY] {
                broken[(row, column)] = value;
                assert!(inverse_of_positive_definite(&broken).is_none(), "{value} at {row}, {column}");
            }
            broken = Matrix3::identity();
        }
        assert!(inverse_of_positive_definite(&Matrix3::zeros()).is_none());
    }
}
