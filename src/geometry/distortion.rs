//! Lens distortion: from the undistorted z = 1 plane to the distorted one, with its Jacobian.
//!
//! * `plumb_bob` and `rational_polynomial` (Brown–Conrady, as in OpenCV's calib3d): with r² = x² + y²,
//!   x' = x (1 + k1 r² + k2 r⁴ + k3 r⁶) / (1 + k4 r² + k5 r⁴ + k6 r⁶) + 2 p1 x y + p2 (r² + 2 x²), y' alike.
//! * `equidistant` (Kannala–Brandt, OpenCV's fisheye): θ = atan r, θ' = θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸),
//!   x' = x θ' / r.
//!
//! A polynomial fitted inside the image turns back somewhere outside it; there a point far off would be drawn inside
//! the image. [`Distortion::is_monotonic_to`] tells where that is.

use nalgebra::{Matrix2, Point2};

/// A lens model with its coefficients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distortion {
    /// A pinhole.
    None,
    /// Brown–Conrady: k1 k2 p1 p2 k3 k4 k5 k6 (`plumb_bob` has k4 to k6 zero).
    BrownConrady([f64; 8]),
    /// Kannala–Brandt: k1 k2 k3 k4.
    Equidistant([f64; 4]),
}

/// Below this radius the fisheye's ratios are taken at their limit.
const TINY_RADIUS: f64 = 1e-9;

impl Distortion {
    /// Distorts a point of the z = 1 plane; gives the point and the Jacobian ∂distorted/∂undistorted.
    pub fn distort(&self, point: Point2<f64>) -> (Point2<f64>, Matrix2<f64>) {
        match self {
            Self::None => (point, Matrix2::identity()),
            Self::BrownConrady(coefficients) => brown_conrady(coefficients, point),
            Self::Equidistant(coefficients) => equidistant(coefficients, point),
        }
    }

    /// Whether the distorted radius grows all the way from the axis to radius `r`, so that the lens maps one to one.
    ///
    /// Its slope must be positive at 64 radii and at `r` itself. They are even in r / (1 + r), so that they lie as close
    /// inside the image for a point far off as for a near one.
    pub fn is_monotonic_to(&self, r: f64) -> bool {
        const STEPS: u32 = 64;
        let grows_at = |r: f64| match self {
            Self::None => true,
            Self::BrownConrady(coefficients) => {
                let Radial { value, slope, denominator } = radial(coefficients, r * r);
                denominator > 0.0 && value + 2.0 * r * r * slope > 0.0
            }
            Self::Equidistant(k) => theta_distorted(k, r.atan()).1 > 0.0,
        };
        let end = r / (1.0 + r);
        r.is_finite()
            && grows_at(r)
            && (1..STEPS).all(|step| {
                let part = end * f64::from(step) / f64::from(STEPS);
                grows_at(part / (1.0 - part))
            })
    }

    /// The undistorted point whose image under the lens is `distorted`: Newton's method with the analytic Jacobian.
    /// `None` where it does not converge or ends beyond the range in which the lens maps one to one.
    pub fn undistort(&self, distorted: Point2<f64>) -> Option<Point2<f64>> {
        const STEPS: usize = 50;
        const TOLERANCE: f64 = 1e-12;
        let mut point = self.first_guess(distorted);
        for _ in 0..STEPS {
            let (seen, jacobian) = self.distort(point);
            let error = seen - distorted;
            let scale = 1.0 + distorted.coords.norm();
            if error.norm() < TOLERANCE * scale {
                return self.is_monotonic_to(point.coords.norm()).then_some(point);
            }
            let step = jacobian.try_inverse()? * error;
            // A long step from a far guess can cross the turning point: go at most as far as the radius itself.
            let longest = 0.5 * (0.1 + point.coords.norm());
            let shortened = if step.norm() > longest { step * (longest / step.norm()) } else { step };
            point -= shortened;
            if !point.coords.iter().all(|value| value.is_finite()) {
                return None;
            }
        }
        None
    }

    fn first_guess(&self, distorted: Point2<f64>) -> Point2<f64> {
        match self {
            // A fisheye's distorted radius is about the angle itself.
            Self::Equidistant(_) => {
                let theta = distorted.coords.norm().min(1.5);
                if theta < TINY_RADIUS { distorted } else { distorted * (theta.tan() / theta) }
            }
            _ => distorted,
        }
    }
}

/// The radial factor of Brown–Conrady, numerator / denominator.
struct Radial {
    value: f64,
    /// d value / d r²
    slope: f64,
    denominator: f64,
}

fn radial(&[k1, k2, _, _, k3, k4, k5, k6]: &[f64; 8], r2: f64) -> Radial {
    let numerator = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3));
    let denominator = 1.0 + r2 * (k4 + r2 * (k5 + r2 * k6));
    let value = numerator / denominator;
    let numerator_slope = k1 + r2 * (2.0 * k2 + 3.0 * k3 * r2);
    let denominator_slope = k4 + r2 * (2.0 * k5 + 3.0 * k6 * r2);
    Radial { value, slope: (numerator_slope - value * denominator_slope) / denominator, denominator }
}

fn brown_conrady(coefficients: &[f64; 8], point: Point2<f64>) -> (Point2<f64>, Matrix2<f64>) {
    let [_, _, p1, p2, ..] = *coefficients;
    let (x, y) = (point.x, point.y);
    let r2 = x * x + y * y;
    let Radial { value: radial, slope, .. } = radial(coefficients, r2);
    let distorted = Point2::new(
        x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
        y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
    );
    let jacobian = Matrix2::new(
        radial + 2.0 * x * x * slope + 2.0 * p1 * y + 6.0 * p2 * x,
        2.0 * x * y * slope + 2.0 * p1 * x + 2.0 * p2 * y,
        2.0 * x * y * slope + 2.0 * p1 * x + 2.0 * p2 * y,
        radial + 2.0 * y * y * slope + 6.0 * p1 * y + 2.0 * p2 * x,
    );
    (distorted, jacobian)
}

/// θ' and dθ'/dθ.
fn theta_distorted(k: &[f64; 4], theta: f64) -> (f64, f64) {
    let t2 = theta * theta;
    let value = theta * (1.0 + t2 * (k[0] + t2 * (k[1] + t2 * (k[2] + t2 * k[3]))));
    let slope = 1.0 + t2 * (3.0 * k[0] + t2 * (5.0 * k[1] + t2 * (7.0 * k[2] + t2 * 9.0 * k[3])));
    (value, slope)
}

fn equidistant(k: &[f64; 4], point: Point2<f64>) -> (Point2<f64>, Matrix2<f64>) {
    let r = point.coords.norm();
    if r < TINY_RADIUS {
        return (point, Matrix2::identity());
    }
    let (theta_d, slope) = theta_distorted(k, r.atan());
    let ratio = theta_d / r;
    // d ratio / d r, divided by r
    let ratio_slope = (slope / (1.0 + r * r) - ratio) / (r * r);
    let jacobian = Matrix2::identity() * ratio + point.coords * point.coords.transpose() * ratio_slope;
    (point * ratio, jacobian)
}
