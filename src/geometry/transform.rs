//! Rigid transforms that know their frames: `target_from_source`.
//!
//! A frame is a type without values ([`frame::CameraOptical`], [`frame::World`], or one's own). Only transforms whose
//! frames meet can be composed, and only points of its source frame can be moved:
//! `joint_in_world = world_from_camera * joint_in_camera`. Lengths are m.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Mul;

use nalgebra::{Isometry3, Point3};

/// Frames of this project.
pub mod frame {
    /// The camera's optical frame: x right, y down, z forward.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum CameraOptical {}

    /// A frame at rest, z up.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum World {}
}

/// A point in a named frame, m.
pub struct PointIn<Frame> {
    /// Coordinates in the frame, m.
    pub point: Point3<f64>,
    frame: PhantomData<Frame>,
}

impl<Frame> PointIn<Frame> {
    /// The point with these coordinates in the frame.
    pub const fn new(point: Point3<f64>) -> Self {
        Self { point, frame: PhantomData }
    }
}

/// A rigid transform that takes points of `Source` to `Target`.
pub struct Transform<Target, Source> {
    /// The transform without its frames.
    pub isometry: Isometry3<f64>,
    frames: PhantomData<(Target, Source)>,
}

impl<Target, Source> Transform<Target, Source> {
    /// The transform that does to coordinates what `isometry` does.
    pub const fn new(isometry: Isometry3<f64>) -> Self {
        Self { isometry, frames: PhantomData }
    }

    /// `source_from_target`.
    #[must_use]
    pub fn inverse(&self) -> Transform<Source, Target> {
        Transform::new(self.isometry.inverse())
    }

    /// Coordinates in the target frame of a point given by its coordinates in the source frame.
    pub fn apply(&self, point_in_source: &Point3<f64>) -> Point3<f64> {
        self.isometry * point_in_source
    }
}

impl<Target, Middle, Source> Mul<Transform<Middle, Source>> for Transform<Target, Middle> {
    type Output = Transform<Target, Source>;

    fn mul(self, middle_from_source: Transform<Middle, Source>) -> Self::Output {
        Transform::new(self.isometry * middle_from_source.isometry)
    }
}

impl<Target, Source> Mul<PointIn<Source>> for Transform<Target, Source> {
    type Output = PointIn<Target>;

    fn mul(self, point_in_source: PointIn<Source>) -> Self::Output {
        PointIn::new(self.isometry * point_in_source.point)
    }
}

// Derived, these would ask the same of the frames, which have no values to copy or compare.
impl<Frame> Clone for PointIn<Frame> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Frame> Copy for PointIn<Frame> {}

impl<Frame> PartialEq for PointIn<Frame> {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl<Frame> fmt::Debug for PointIn<Frame> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} in {}", self.point, std::any::type_name::<Frame>())
    }
}

impl<Target, Source> Clone for Transform<Target, Source> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Target, Source> Copy for Transform<Target, Source> {}

impl<Target, Source> PartialEq for Transform<Target, Source> {
    fn eq(&self, other: &Self) -> bool {
        self.isometry == other.isometry
    }
}

impl<Target, Source> fmt::Debug for Transform<Target, Source> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (target, source) = (std::any::type_name::<Target>(), std::any::type_name::<Source>());
        write!(formatter, "{target} from {source}: {}", self.isometry)
    }
}

#[cfg(test)]
mod tests {
    use super::frame::{CameraOptical, World};
    use super::*;
    use nalgebra::Vector3;
    use proptest::prelude::*;

    enum Base {}

    fn isometry() -> impl Strategy<Value = Isometry3<f64>> {
        let vector = || prop::array::uniform3(-3.0..3.0_f64).prop_map(Vector3::from);
        (vector(), vector()).prop_map(|(translation, axis_angle)| Isometry3::new(translation, axis_angle))
    }

    proptest! {
        #[test]
        fn composition_is_one_after_the_other(a in isometry(), b in isometry(), p in prop::array::uniform3(-9.0..9.0_f64)) {
            let world_from_base = Transform::<World, Base>::new(a);
            let base_from_camera = Transform::<Base, CameraOptical>::new(b);
            let point_in_camera = PointIn::<CameraOptical>::new(Point3::from(p));
            let in_steps = world_from_base * (base_from_camera * point_in_camera);
            let at_once = (world_from_base * base_from_camera) * point_in_camera;
            prop_assert!((in_steps.point - at_once.point).norm() < 1e-9);
            prop_assert!((world_from_base.apply(&base_from_camera.apply(&point_in_camera.point)) - at_once.point).norm() < 1e-9);
        }

        #[test]
        fn the_inverse_leads_back_and_distances_stay(a in isometry(), p in prop::array::uniform3(-9.0..9.0_f64)) {
            let world_from_camera = Transform::<World, CameraOptical>::new(a);
            let point_in_camera = PointIn::new(Point3::from(p));
            let point_in_world = world_from_camera * point_in_camera;
            let back = world_from_camera.inverse() * point_in_world;
            prop_assert!((back.point - point_in_camera.point).norm() < 1e-9);
            let origin_in_world = world_from_camera.apply(&Point3::origin());
            prop_assert!(((point_in_world.point - origin_in_world).norm() - point_in_camera.point.coords.norm()).abs() < 1e-9);
        }
    }

    #[test]
    fn a_camera_looking_along_world_x_sees_ahead_as_depth() {
        // Optical axes in the world: x right = −y, y down = −z, z forward = x.
        let rotation = nalgebra::Rotation3::from_matrix_unchecked(nalgebra::Matrix3::new(
            0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0,
        ));
        let world_from_camera = Transform::<World, CameraOptical>::new(Isometry3::from_parts(
            nalgebra::Translation3::new(0.0, 0.0, 1.5),
            rotation.into(),
        ));
        let ahead_in_world = world_from_camera * PointIn::new(Point3::new(0.0, 0.0, 4.0));
        assert!((ahead_in_world.point - Point3::new(4.0, 0.0, 1.5)).norm() < 1e-12);
    }
}
