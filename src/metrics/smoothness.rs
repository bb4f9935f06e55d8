//! How smoothly a point moves: second and third derivatives from successive positions at uneven times.
//!
//! The n-th derivative is estimated as n! times the n-th divided difference (Newton), which for even spacing h is the
//! usual (x₂ − 2x₁ + x₀) / h² and (x₃ − 3x₂ + 3x₁ − x₀) / h³, and which is exact for a polynomial of degree n at any
//! spacing.
//!
//! * *Acceleration error*: ‖second derivative of predicted minus true root-relative position‖ (Kanazawa et al., *Learning
//!   3D Human Dynamics from Video*, CVPR 2019), here in mm/s² with the real times; the field's "mm per frame²" is that
//!   times the squared image interval.
//! * *Jitter*: mean norm of the third derivative of the position in the camera frame, m/s³ (Yi, Zhou and Xu, *TransPose*,
//!   ACM Transactions on Graphics 2021; Flash and Hogan 1985 for jerk as the measure of smoothness). Needs no truth. A
//!   person who moves has some jitter as well: compare with another run, or with the truth's own.
//!
//! Positions are m, times s. Two equal times give no derivative.

use nalgebra::Vector3;

/// Second derivative at three successive times, per s²; `None` where times do not increase.
pub fn second_derivative(positions: [Vector3<f64>; 3], times: [f64; 3]) -> Option<Vector3<f64>> {
    let [p0, p1, p2] = positions;
    let [t0, t1, t2] = times;
    let is_rising = t1 > t0 && t2 > t1;
    is_rising.then(|| 2.0 * ((p2 - p1) / (t2 - t1) - (p1 - p0) / (t1 - t0)) / (t2 - t0))
}

/// Third derivative at four successive times, per s³; `None` where times do not increase.
pub fn third_derivative(positions: [Vector3<f64>; 4], times: [f64; 4]) -> Option<Vector3<f64>> {
    let [p0, p1, p2, p3] = positions;
    let [t0, t1, t2, t3] = times;
    // n! times the difference: 2 of the 6 are in the second derivatives.
    let early = second_derivative([p0, p1, p2], [t0, t1, t2])?;
    let late = second_derivative([p1, p2, p3], [t1, t2, t3])?;
    Some(3.0 * (late - early) / (t3 - t0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_are_exact_for_a_cubic_and_a_parabola(
            coefficients in prop::array::uniform4(-2.0..2.0_f64), steps in prop::array::uniform4(0.01..0.1_f64),
        ) {
            let [a, b, c, d] = coefficients;
            let mut time = 0.0;
            let times = steps.map(|step| { time += step; time });
            let cubic = times.map(|t| Vector3::new(a + b * t + c * t * t + d * t * t * t, 0.0, -d * t * t * t));
            let third = third_derivative(cubic, times).unwrap();
            prop_assert!((third - Vector3::new(6.0 * d, 0.0, -6.0 * d)).norm() < 1e-5 * (1.0 + d.abs()));
            let parabola = [0, 1, 2].map(|i| Vector3::new(0.0, a + b * times[i] + c * times[i] * times[i], 0.0));
            let second = second_derivative(parabola, [times[0], times[1], times[2]]).unwrap();
            prop_assert!((second - Vector3::new(0.0, 2.0 * c, 0.0)).norm() < 1e-7);
        }
    }

    #[test]
    fn even_spacing_is_the_textbook_difference() {
        let x = [0.0, 1.0, 5.0, 2.0].map(|x| Vector3::new(x, 0.0, 0.0));
        let times = [0.0, 0.5, 1.0, 1.5];
        let third = third_derivative(x, times).unwrap();
        assert!((third.x - (2.0 - 3.0 * 5.0 + 3.0 * 1.0) / 0.125).abs() < 1e-12);
    }

    #[test]
    fn a_clock_that_stands_or_runs_back_gives_nothing() {
        let x = [Vector3::zeros(); 4];
        assert_eq!(second_derivative([x[0]; 3], [0.0, 1.0, 1.0]), None);
        assert_eq!(third_derivative(x, [0.0, 1.0, 0.5, 2.0]), None);
    }
}
