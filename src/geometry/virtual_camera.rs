//! The virtual camera a person is seen in: its optical axis goes through the person's centre and its
//! unit of length on the z = 1 plane is the person's own size there.
//!
//! A lifter that only ever sees people this way does not depend on the focal length, on where in the
//! image the person stands, or on the distance. Its answer (root-relative joints in the axes of the
//! virtual camera, m) is rotated back with [`VirtualCamera::camera_from_virtual`].
//!
//! The rotation makes the camera level, then is a yaw about its y axis followed by a pitch about the new x axis, so that
//! a person who walks sideways through the image is not rolled.

use nalgebra::{Point2, Rotation3, Vector3};

/// Where one person is on the z = 1 plane and how large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VirtualCamera {
    virtual_from_camera: Rotation3<f64>,
    center_in_level: Point2<f64>,
    size: f64,
}

impl VirtualCamera {
    /// Smallest person size on the z = 1 plane; a person of 1.7 m would be about 500 m away.
    pub const MIN_SIZE: f64 = 1e-3;

    /// Looks at `center_normalised` (z = 1 plane of the camera optical frame) with `size` as its unit of
    /// length (clamped from below to [`Self::MIN_SIZE`]). `level_from_camera` turns the camera about its line of sight.
    pub fn looking_at(center_normalised: Point2<f64>, size: f64, level_from_camera: &Rotation3<f64>) -> Self {
        let center = level_from_camera * Vector3::new(center_normalised.x, center_normalised.y, 1.0);
        let center_in_level = Point2::new(center.x, center.y);
        Self {
            virtual_from_camera: rotation_to_optical_axis(center_in_level) * level_from_camera,
            center_in_level,
            size: size.max(Self::MIN_SIZE),
        }
    }

    /// Root mean square distance of `points_normalised` from the axis through `center_normalised`,
    /// measured on the z = 1 plane of the virtual camera. This is the person's size.
    pub fn size_of(center_normalised: Point2<f64>, points_normalised: impl Iterator<Item = Point2<f64>>) -> f64 {
        let rotation = rotation_to_optical_axis(center_normalised);
        let (mut sum, mut count) = (0.0, 0_u32);
        for point in points_normalised {
            if let Some(seen) = rotate_on_plane(&rotation, point) {
                sum += seen.coords.norm_squared();
                count += 1;
            }
        }
        if count == 0 { 0.0 } else { (sum / f64::from(count)).sqrt() }
    }

    /// Person size on the z = 1 plane (unit of the virtual coordinates).
    pub const fn size(&self) -> f64 {
        self.size
    }

    /// Centre of the person on the z = 1 plane of the camera, made level.
    pub const fn center_in_level(&self) -> Point2<f64> {
        self.center_in_level
    }

    /// Rotation that turns vectors of the virtual camera into the camera optical frame.
    pub fn camera_from_virtual(&self) -> Rotation3<f64> {
        self.virtual_from_camera.inverse()
    }

    /// Rotation that turns vectors of the camera optical frame into the virtual camera.
    pub const fn virtual_from_camera(&self) -> Rotation3<f64> {
        self.virtual_from_camera
    }

    /// A point of the camera's z = 1 plane in virtual coordinates (person sizes from the axis).
    /// `None` for a ray at 90° or more from the axis.
    pub fn to_virtual(&self, point_normalised: Point2<f64>) -> Option<Point2<f64>> {
        rotate_on_plane(&self.virtual_from_camera, point_normalised).map(|seen| seen / self.size)
    }
}

fn rotation_to_optical_axis(center: Point2<f64>) -> Rotation3<f64> {
    let yaw = center.x.atan();
    let pitch = center.y.atan2((1.0 + center.x * center.x).sqrt());
    Rotation3::from_axis_angle(&Vector3::x_axis(), pitch) * Rotation3::from_axis_angle(&Vector3::y_axis(), -yaw)
}

fn rotate_on_plane(rotation: &Rotation3<f64>, point: Point2<f64>) -> Option<Point2<f64>> {
    let ray = rotation * Vector3::new(point.x, point.y, 1.0);
    (ray.z > 1e-6).then(|| Point2::new(ray.x / ray.z, ray.y / ray.z))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_center_lies_on_the_axis() {
        for (x, y) in [(0.0, 0.0), (0.7, -0.3), (-1.5, 0.9)] {
            let camera = VirtualCamera::looking_at(Point2::new(x, y), 0.2, &Rotation3::identity());
            let seen = camera.to_virtual(Point2::new(x, y)).unwrap();
            assert!(seen.coords.norm() < 1e-12, "({x}, {y}) is seen at {seen}");
        }
    }

    #[test]
    fn a_person_on_the_horizon_is_not_rolled() {
        let camera = VirtualCamera::looking_at(Point2::new(0.8, 0.0), 0.2, &Rotation3::identity());
        let up = camera.virtual_from_camera() * Vector3::new(0.0, -1.0, 0.0);
        assert!((up - Vector3::new(0.0, -1.0, 0.0)).norm() < 1e-12);
    }

    #[test]
    fn what_is_seen_does_not_depend_on_where_the_person_stands() {
        // The same rigid triangle turned about the camera's centre looks the same in the virtual camera.
        let triangle = [Vector3::new(0.0, 0.0, 4.0), Vector3::new(0.2, -0.5, 4.1), Vector3::new(-0.3, 0.6, 3.9)];
        let turn = Rotation3::from_axis_angle(&Vector3::y_axis(), 0.5);
        let see = |points: [Vector3<f64>; 3]| {
            let on_plane = points.map(|point| Point2::new(point.x / point.z, point.y / point.z));
            let size = VirtualCamera::size_of(on_plane[0], on_plane.into_iter());
            let camera = VirtualCamera::looking_at(on_plane[0], size, &Rotation3::identity());
            on_plane.map(|point| camera.to_virtual(point).unwrap())
        };
        let (straight, turned) = (see(triangle), see(triangle.map(|point| turn * point)));
        for (a, b) in straight.iter().zip(&turned) {
            assert!((a - b).norm() < 1e-12);
        }
    }

    #[test]
    fn a_camera_on_its_side_sees_the_same_made_level() {
        let points = [Point2::new(0.3, -0.2), Point2::new(0.35, 0.1), Point2::new(0.2, 0.3)];
        let level = VirtualCamera::looking_at(points[0], 0.2, &Rotation3::identity());
        // Clockwise by a quarter: what was right is now up.
        let turned = points.map(|point| Point2::new(point.y, -point.x));
        let level_from_camera = Rotation3::from_axis_angle(&Vector3::z_axis(), std::f64::consts::FRAC_PI_2);
        let aside = VirtualCamera::looking_at(turned[0], 0.2, &level_from_camera);
        assert!((aside.center_in_level() - level.center_in_level()).norm() < 1e-12);
        for (point, turned) in points.into_iter().zip(turned) {
            assert!((level.to_virtual(point).unwrap() - aside.to_virtual(turned).unwrap()).norm() < 1e-12);
        }
        let joint = Vector3::new(0.1, -0.4, 0.2);
        let back = level_from_camera * (aside.camera_from_virtual() * joint);
        assert!((back - level.camera_from_virtual() * joint).norm() < 1e-12);
    }

    #[test]
    fn rays_behind_the_virtual_camera_are_refused() {
        let camera = VirtualCamera::looking_at(Point2::new(20.0, 0.0), 0.2, &Rotation3::identity());
        assert!(camera.to_virtual(Point2::new(-20.0, 0.0)).is_none());
    }
}
