//! Products of matrices on one core.

use gemm::{Parallelism, gemm};

/// A matrix in a slice.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` values one after the other.
    pub fn rows(values: &'a [f32], columns: usize) -> Self {
        assert!(
            columns > 0 && values.len().is_multiple_of(columns),
            "{} values are no rows of {columns}",
            values.len()
        );
        Self { values, rows: values.len() / columns, columns, row_step: columns, column_step: 1 }
    }

    /// The same with rows for columns.
    pub fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row_step: self.column_step, column_step: self.row_step, ..self }
    }
}

/// Adds `a b` to `to`, whose rows lie one after the other.
///
/// # Panics
/// When the sizes do not fit.
pub fn add_product(to: &mut [f32], a: Matrix<'_>, b: Matrix<'_>) {
    product(to, a, b, true);
}

/// Writes `a b` to `to`, whose rows lie one after the other.
///
/// # Panics
/// When the sizes do not fit.
pub fn set_product(to: &mut [f32], a: Matrix<'_>, b: Matrix<'_>) {
    product(to, a, b, false);
}

#[allow(unsafe_code)]
fn product(to: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, is_added: bool) {
    assert_eq!(a.columns, b.rows, "the inner sizes of a product");
    assert_eq!(to.len(), a.rows * b.columns, "the size of a product");
    for matrix in [a, b] {
        assert_eq!(matrix.values.len(), matrix.rows * matrix.columns, "the size of a matrix");
    }
    let step = |size: usize| isize::try_from(size).unwrap_or_else(|_| unreachable!("a slice is no longer than that"));
    // SAFETY: each of the three pointers is that of a slice of exactly rows * columns values, checked above, and its steps
    // reach each of them once (`Matrix` is only made of whole rows, or transposed); `to` is borrowed alone.
    unsafe {
        gemm(
            a.rows,
            b.columns,
            a.columns,
            to.as_mut_ptr(),
            1,
            step(b.columns),
            is_added,
            a.values.as_ptr(),
            step(a.column_step),
            step(a.row_step),
            b.values.as_ptr(),
            step(b.column_step),
            step(b.row_step),
            1.0_f32,
            1.0_f32,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_added_and_either_side_may_be_transposed() {
        let a: Vec<f32> = (0..6).map(|value| value as f32).collect();
        let b: Vec<f32> = (0..12).map(|value| (value as f32 * 0.7).cos()).collect();
        let expected: Vec<f32> = (0..8)
            .map(|index| 1.0 + (0..3).map(|k| a[index / 4 * 3 + k] * b[k * 4 + index % 4]).sum::<f32>())
            .collect();
        let turned: Vec<f32> = (0..12).map(|index| b[index % 3 * 4 + index / 3]).collect();
        for b in [Matrix::rows(&b, 4), Matrix::rows(&turned, 3).transposed()] {
            let mut to = vec![f32::NAN; 8];
            set_product(&mut to, Matrix::rows(&a, 3), b);
            assert!(to.iter().zip(&expected).all(|(a, b)| (a + 1.0 - b).abs() < 1e-5), "{to:?}, 1 more {expected:?}");
            to.fill(1.0);
            add_product(&mut to, Matrix::rows(&a, 3), b);
            assert!(to.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{to:?} instead of {expected:?}");
        }
    }

    #[test]
    #[should_panic(expected = "the inner sizes of a product")]
    fn sizes_that_do_not_fit_are_refused() {
        add_product(&mut [0.0; 4], Matrix::rows(&[0.0; 6], 3), Matrix::rows(&[0.0; 4], 2));
    }
}
