//! The camera: from the optical frame (x right, y down, z forward, m) to image pixels and back to the undistorted
//! z = 1 plane.
//!
//! Integer pixel coordinates are pixel centres. Binning and region of interest are folded into the intrinsics, so the
//! model is for the image as delivered: u' = (u − x_offset + 0.5) / binning − 0.5 (`sensor_msgs/CameraInfo`).

use nalgebra::{Matrix2x3, Point2, Point3};

pub use crate::geometry::distortion::Distortion;

/// Fields of `sensor_msgs/CameraInfo` that a camera model is made of, unchecked.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "named as in sensor_msgs/CameraInfo")]
pub struct Calibration {
    pub width: u32,
    pub height: u32,
    pub distortion_model: String,
    pub d: Vec<f64>,
    pub k: [f64; 9],
    pub binning_x: u32,
    pub binning_y: u32,
    pub roi: Option<RegionOfInterest>,
}

/// Part of the full image that the images show, px.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in sensor_msgs/RegionOfInterest")]
pub struct RegionOfInterest {
    pub x_offset: u32,
    pub y_offset: u32,
    pub width: u32,
    pub height: u32,
}

/// A calibration that no camera can have, or that is for other images.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CameraError {
    /// K cannot be used.
    #[error(
        "K has fx {fx}, fy {fy}, cx {cx}, cy {cy}: fx and fy must be positive and all finite (is the camera calibrated?)"
    )]
    Intrinsics {
        /// Focal length, px.
        fx: f64,
        /// Focal length, px.
        fy: f64,
        /// Principal point, px.
        cx: f64,
        /// Principal point, px.
        cy: f64,
    },
    /// An image without pixels.
    #[error("the calibration is for {width} x {height} px: it needs the size of the images")]
    NoSize {
        /// Width, px.
        width: u32,
        /// Height, px.
        height: u32,
    },
    /// Distortion that cannot be used.
    #[error("distortion_model \"{model}\" with {count} coefficients {coefficients:?}: {reason}")]
    Distortion {
        /// Name in the calibration.
        model: String,
        /// How many coefficients there are.
        count: usize,
        /// The coefficients.
        coefficients: Vec<f64>,
        /// What is wrong.
        reason: &'static str,
    },
    /// The region of interest is empty or reaches out of the image.
    #[error("roi {roi:?} is no part of the {width} x {height} px image (all zero stands for the whole image)")]
    RegionOfInterest {
        /// The region.
        roi: RegionOfInterest,
        /// Width of the full image, px.
        width: u32,
        /// Height of the full image, px.
        height: u32,
    },
    /// Binning leaves no pixel.
    #[error("binning {binning_x} x {binning_y} leaves no pixel of {width} x {height} px")]
    Binning {
        /// Columns that make one.
        binning_x: u32,
        /// Rows that make one.
        binning_y: u32,
        /// Width before binning, px.
        width: u32,
        /// Height before binning, px.
        height: u32,
    },
    /// The images are not those that were calibrated.
    #[error("the image is {width} x {height} px, the calibration is for {calibrated_width} x {calibrated_height} px")]
    ImageSize {
        /// Width of the image, px.
        width: u32,
        /// Height of the image, px.
        height: u32,
        /// Width of the calibration, px.
        calibrated_width: u32,
        /// Height of the calibration, px.
        calibrated_height: u32,
    },
}

/// Pinhole parameters of the image as delivered, px.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Intrinsics {
    /// Focal length along the rows.
    pub fx: f64,
    /// Focal length along the columns.
    pub fy: f64,
    /// Principal point, column.
    pub cx: f64,
    /// Principal point, row.
    pub cy: f64,
}

/// A checked camera.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraModel {
    intrinsics: Intrinsics,
    distortion: Distortion,
    width: u32,
    height: u32,
}

/// Nearer to the camera plane than this nothing is projected, m.
const NEAREST_M: f64 = 1e-3;

impl CameraModel {
    /// Checks a calibration.
    ///
    /// # Errors
    /// [`CameraError`] with the numbers.
    pub fn from_calibration(calibration: &Calibration) -> Result<Self, CameraError> {
        let (width, height) = (calibration.width, calibration.height);
        if width == 0 || height == 0 {
            return Err(CameraError::NoSize { width, height });
        }
        let [fx, _, cx, _, fy, cy, ..] = calibration.k;
        let is_usable = fx > 0.0 && fy > 0.0 && [fx, fy, cx, cy].iter().all(|value| value.is_finite());
        if !is_usable {
            return Err(CameraError::Intrinsics { fx, fy, cx, cy });
        }
        let all_zero = RegionOfInterest { x_offset: 0, y_offset: 0, width: 0, height: 0 };
        let whole = RegionOfInterest { width, height, ..all_zero };
        let roi = calibration.roi.filter(|roi| *roi != all_zero).unwrap_or(whole);
        let is_inside =
            |offset: u32, size: u32, of: u32| size > 0 && u64::from(offset) + u64::from(size) <= u64::from(of);
        if !is_inside(roi.x_offset, roi.width, width) || !is_inside(roi.y_offset, roi.height, height) {
            return Err(CameraError::RegionOfInterest { roi, width, height });
        }
        let (binning_x, binning_y) = (calibration.binning_x.max(1), calibration.binning_y.max(1));
        if binning_x > roi.width || binning_y > roi.height {
            return Err(CameraError::Binning { binning_x, binning_y, width: roi.width, height: roi.height });
        }
        let (bx, by) = (f64::from(binning_x), f64::from(binning_y));
        Ok(Self {
            intrinsics: Intrinsics {
                fx: fx / bx,
                fy: fy / by,
                cx: (cx - f64::from(roi.x_offset) + 0.5) / bx - 0.5,
                cy: (cy - f64::from(roi.y_offset) + 0.5) / by - 0.5,
            },
            distortion: distortion(&calibration.distortion_model, &calibration.d)?,
            width: roi.width / binning_x,
            height: roi.height / binning_y,
        })
    }

    /// A pinhole without distortion, principal point in the middle: for scenes that the project makes itself.
    pub fn pinhole(width: u32, height: u32, focal_length_px: f64) -> Self {
        let middle = |size: u32| 0.5 * (f64::from(size) - 1.0);
        let intrinsics = Intrinsics { fx: focal_length_px, fy: focal_length_px, cx: middle(width), cy: middle(height) };
        Self { intrinsics, distortion: Distortion::None, width, height }
    }

    /// Refuses an image of another size than was calibrated.
    ///
    /// # Errors
    /// [`CameraError::ImageSize`] with both sizes.
    pub fn check_image_size(&self, width: u32, height: u32) -> Result<(), CameraError> {
        if (width, height) == (self.width, self.height) {
            return Ok(());
        }
        Err(CameraError::ImageSize { width, height, calibrated_width: self.width, calibrated_height: self.height })
    }

    /// Width and height of the image as delivered, px.
    pub const fn image_size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Pinhole parameters of the image as delivered.
    pub const fn intrinsics(&self) -> Intrinsics {
        self.intrinsics
    }

    /// The lens.
    pub const fn distortion(&self) -> Distortion {
        self.distortion
    }

    /// Where a point of the camera optical frame (m) is seen, px. `None` behind the camera and where the lens model no
    /// longer maps one to one.
    pub fn project(&self, point_in_camera: &Point3<f64>) -> Option<Point2<f64>> {
        let (distorted, _) = self.distortion.distort(self.visible_on_plane(point_in_camera)?);
        let Intrinsics { fx, fy, cx, cy } = self.intrinsics;
        Some(Point2::new(fx * distorted.x + cx, fy * distorted.y + cy))
    }

    /// ∂px/∂point of [`Self::project`]; `None` where that is.
    pub fn projection_jacobian(&self, point_in_camera: &Point3<f64>) -> Option<Matrix2x3<f64>> {
        let on_plane = self.visible_on_plane(point_in_camera)?;
        let inverse = 1.0 / point_in_camera.z;
        let (_, lens) = self.distortion.distort(on_plane);
        let plane = Matrix2x3::new(inverse, 0.0, -on_plane.x * inverse, 0.0, inverse, -on_plane.y * inverse);
        let mut jacobian = lens * plane;
        jacobian.row_mut(0).scale_mut(self.intrinsics.fx);
        jacobian.row_mut(1).scale_mut(self.intrinsics.fy);
        Some(jacobian)
    }

    /// The point on the undistorted z = 1 plane, if it is before the camera and the lens maps one to one up to there.
    fn visible_on_plane(&self, point_in_camera: &Point3<f64>) -> Option<Point2<f64>> {
        if !(point_in_camera.z > NEAREST_M) {
            return None;
        }
        let on_plane = Point2::new(point_in_camera.x / point_in_camera.z, point_in_camera.y / point_in_camera.z);
        self.distortion.is_monotonic_to(on_plane.coords.norm()).then_some(on_plane)
    }

    /// The point of the undistorted z = 1 plane that is seen at `keypoint_in_image_px`. `None` where the lens model has
    /// no such point.
    pub fn normalise(&self, keypoint_in_image_px: Point2<f64>) -> Option<Point2<f64>> {
        let Intrinsics { fx, fy, cx, cy } = self.intrinsics;
        let distorted = Point2::new((keypoint_in_image_px.x - cx) / fx, (keypoint_in_image_px.y - cy) / fy);
        if !distorted.coords.iter().all(|value| value.is_finite()) {
            return None;
        }
        self.distortion.undistort(distorted)
    }
}

fn distortion(model: &str, d: &[f64]) -> Result<Distortion, CameraError> {
    let refuse = |reason: &'static str| {
        Err(CameraError::Distortion { model: model.to_owned(), count: d.len(), coefficients: d.to_vec(), reason })
    };
    if !d.iter().all(|value| value.is_finite()) {
        return refuse("coefficients must be finite");
    }
    let brown = |d: &[f64]| {
        let mut coefficients = [0.0; 8];
        coefficients[..d.len()].copy_from_slice(d);
        if coefficients == [0.0; 8] { Distortion::None } else { Distortion::BrownConrady(coefficients) }
    };
    match (model, d.len()) {
        ("", 0) => Ok(Distortion::None),
        ("plumb_bob", 0 | 4 | 5) => Ok(brown(d)),
        ("plumb_bob", _) => refuse("plumb_bob has 0, 4 or 5"),
        ("rational_polynomial", 8) => Ok(brown(d)),
        ("rational_polynomial", 12 | 14) if d[8..].iter().all(|value| *value == 0.0) => Ok(brown(&d[..8])),
        ("rational_polynomial", 12 | 14) => refuse("thin prism and tilt are not supported, only zeros there"),
        ("rational_polynomial", _) => refuse("rational_polynomial has 8"),
        ("equidistant" | "fisheye", 4) => Ok(Distortion::Equidistant([d[0], d[1], d[2], d[3]])),
        ("equidistant" | "fisheye", _) => refuse("equidistant has 4"),
        _ => refuse("known models are plumb_bob, rational_polynomial and equidistant"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn calibration(model: &str, d: &[f64]) -> Calibration {
        Calibration {
            width: 640,
            height: 480,
            distortion_model: model.to_owned(),
            d: d.to_vec(),
            k: [500.0, 0.0, 319.0, 0.0, 510.0, 241.0, 0.0, 0.0, 1.0],
            binning_x: 0,
            binning_y: 0,
            roi: None,
        }
    }

    fn cameras() -> Vec<CameraModel> {
        [
            calibration("", &[]),
            calibration("plumb_bob", &[-0.28, 0.07, 0.001, -0.0006, 0.01]),
            calibration("rational_polynomial", &[0.4, 0.1, 0.0005, -0.0002, 0.02, 0.7, 0.2, 0.03]),
            calibration("equidistant", &[0.02, -0.01, 0.003, -0.001]),
        ]
        .iter()
        .map(|calibration| CameraModel::from_calibration(calibration).unwrap())
        .collect()
    }

    proptest! {
        #[test]
        fn normalise_undoes_project(x in -0.6..0.6_f64, y in -0.45..0.45_f64, z in 0.3..20.0_f64) {
            for camera in cameras() {
                let seen = camera.project(&Point3::new(x * z, y * z, z)).unwrap();
                let back = camera.normalise(seen).unwrap();
                prop_assert!((back - Point2::new(x, y)).norm() < 1e-9, "{back} for ({x}, {y}) with {:?}", camera.distortion());
            }
        }

        #[test]
        fn the_jacobian_is_the_central_difference(x in -0.6..0.6_f64, y in -0.45..0.45_f64, z in 0.5..20.0_f64) {
            const STEP: f64 = 1e-6;
            for camera in cameras() {
                let point = Point3::new(x * z, y * z, z);
                let jacobian = camera.projection_jacobian(&point).unwrap();
                for axis in 0..3 {
                    let (mut plus, mut minus) = (point, point);
                    plus[axis] += STEP;
                    minus[axis] -= STEP;
                    let difference = (camera.project(&plus).unwrap() - camera.project(&minus).unwrap()) / (2.0 * STEP);
                    let error = (difference - jacobian.column(axis)).norm();
                    prop_assert!(error < 1e-4 * (1.0 + difference.norm()), "axis {axis}: {error}");
                }
            }
        }
    }

    #[test]
    fn binning_and_region_of_interest_move_the_same_ray() {
        let full = CameraModel::from_calibration(&calibration("", &[])).unwrap();
        let roi = RegionOfInterest { x_offset: 100, y_offset: 50, width: 400, height: 300 };
        let part = Calibration { binning_x: 2, binning_y: 2, roi: Some(roi), ..calibration("", &[]) };
        let part = CameraModel::from_calibration(&part).unwrap();
        assert_eq!(part.image_size(), (200, 150));
        let point = Point3::new(0.2, -0.1, 2.0);
        let (in_full, in_part) = (full.project(&point).unwrap(), part.project(&point).unwrap());
        assert!((in_part.x - (f64::midpoint(in_full.x - 100.0, 0.5) - 0.5)).abs() < 1e-9);
        assert!((in_part.y - (f64::midpoint(in_full.y - 50.0, 0.5) - 0.5)).abs() < 1e-9);
    }

    #[test]
    fn impossible_calibrations_are_refused_with_the_numbers() {
        let refuse = |calibration: Calibration| CameraModel::from_calibration(&calibration).unwrap_err().to_string();
        let mut zero = calibration("", &[]);
        zero.k = [0.0; 9];
        assert!(refuse(zero).contains("fx 0"));
        let mut nan = calibration("", &[]);
        nan.k[2] = f64::NAN;
        assert!(refuse(nan).contains("NaN"));
        assert!(refuse(Calibration { width: 0, ..calibration("", &[]) }).contains("0 x 480"));
        assert!(refuse(calibration("plumb_bob", &[0.1])).contains("1 coefficients"));
        assert!(refuse(calibration("tangent", &[])).contains("tangent"));
        assert!(refuse(calibration("plumb_bob", &[f64::INFINITY; 5])).contains("finite"));
        let roi = RegionOfInterest { x_offset: 600, y_offset: 0, width: 100, height: 100 };
        assert!(refuse(Calibration { roi: Some(roi), ..calibration("", &[]) }).contains("600"));
        // Half a region is none: it must not become the whole image.
        for (x_offset, width, height) in [(0, 400, 0), (0, 0, 300), (100, 0, 0)] {
            let roi = Some(RegionOfInterest { x_offset, y_offset: 0, width, height });
            let text = refuse(Calibration { roi, ..calibration("", &[]) });
            assert!(text.contains("no part of the 640 x 480"), "{text}");
        }
        let text = refuse(Calibration { binning_x: 1000, ..calibration("", &[]) });
        assert!(text.contains("1000 x 1 leaves no pixel of 640 x 480"), "{text}");
        let camera = CameraModel::from_calibration(&calibration("", &[])).unwrap();
        assert!(camera.check_image_size(480, 640).unwrap_err().to_string().contains("480 x 640"));
    }

    #[test]
    fn nothing_is_seen_behind_the_camera_or_beyond_the_lens() {
        for camera in cameras() {
            assert!(camera.project(&Point3::new(0.0, 0.0, -1.0)).is_none());
            assert!(camera.project(&Point3::new(f64::NAN, 0.0, f64::NAN)).is_none());
            assert!(camera.project(&Point3::new(f64::NAN, 0.0, 1.0)).is_none());
            assert!(camera.normalise(Point2::new(f64::NAN, 0.0)).is_none());
        }
        // This barrel turns back at a radius of about 1.09: a point at 3 must not be drawn inside the image.
        let barrel = CameraModel::from_calibration(&calibration("plumb_bob", &[-0.28, 0.0, 0.0, 0.0, 0.0])).unwrap();
        assert!(barrel.project(&Point3::new(3.0, 0.0, 1.0)).is_none());
        assert!(barrel.projection_jacobian(&Point3::new(3.0, 0.0, 1.0)).is_none());
        // This one turns back at 0.890 and forth again at 2.05, for good: from there on every point is beyond it.
        let wave = CameraModel::from_calibration(&calibration("plumb_bob", &[-0.5, 0.06, 0.0, 0.0, 0.0])).unwrap();
        assert!(wave.project(&Point3::new(0.889, 0.0, 1.0)).is_some());
        for x in [0.891, 1.5, 2.1, 3.0, 10.0, 80.0, 1e3, 1e6] {
            assert!(wave.project(&Point3::new(x, 0.0, 1.0)).is_none(), "{x}");
        }
    }
}
