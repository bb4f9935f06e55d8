//! Where the camera is and where people stand, drawn so that people are as tall in the picture as wanted.
//!
//! World frame: z up, floor at z = 0; the camera is above the origin and looks along +x.

use nalgebra::{Isometry3, Matrix3, Point3, Rotation3, Translation3, UnitQuaternion, Vector3};
use rand::{Rng, RngExt};
use stridepose::geometry::CameraModel;

/// Height of a person in the picture, px.
const HEIGHT_PX: (f64, f64) = (60.0, 450.0);
/// The same of somebody who is so near that the picture shows a part.
const CLOSE_HEIGHT_PX: (f64, f64) = (450.0, 1500.0);
/// Heights over the floor that are looked at then, m.
const CLOSE_TARGET: (f64, f64) = (0.9, 1.65);
const CLOSEST: f64 = 0.55;
/// Stature that distances are computed with, m.
const STATURE: f64 = 1.65;
const DISTANCE: (f64, f64) = (1.0, 16.0);
/// Most that a camera looks down where nobody is, rad.
const DOWN: f64 = 1.3;
/// Farthest floor that counts as looked at, m.
const FLOOR_IN_SIGHT: f64 = 6.0;
/// Sizes of pictures and how often.
const SIZES: [((u32, u32), f64); 4] = [((640, 480), 0.6), ((480, 640), 0.1), ((640, 360), 0.2), ((512, 512), 0.1)];

pub(super) struct View {
    pub(super) camera: CameraModel,
    pub(super) camera_from_world: Isometry3<f64>,
    pub(super) eye: Point3<f64>,
    /// Where people stand on the floor.
    pub(super) places: Vec<Point3<f64>>,
}

/// How somebody is seen who stands right before the camera.
pub(super) struct CloseUp {
    /// Height of the whole person, px.
    height_px: f64,
    /// Height over the floor that is looked at, m.
    target: f64,
}

impl CloseUp {
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        Self { height_px: log_uniform(CLOSE_HEIGHT_PX, rng), target: rng.random_range(CLOSE_TARGET.0..CLOSE_TARGET.1) }
    }
}

impl View {
    /// Draws a camera and places for `count` people, the first of them seen as `close_up` says.
    pub(super) fn draw(count: usize, close_up: Option<&CloseUp>, rng: &mut impl Rng) -> Self {
        let (width, height) = draw_size(rng);
        let focal_px = f64::from(width.max(height)) * rng.random_range(0.6..1.4);
        let eye_height = match rng.random_range(0..10) {
            0 => rng.random_range(0.15..0.5),
            1..=7 => rng.random_range(0.5..1.9),
            _ => rng.random_range(1.9..3.5),
        };
        let eye = Point3::new(0.0, 0.0, eye_height);
        let half_width = 0.5 * f64::from(width) / focal_px;
        let mut places: Vec<Point3<f64>> = Vec::with_capacity(count);
        let main_px = log_uniform(HEIGHT_PX, rng).max(rng.random_range(0.0..HEIGHT_PX.1));
        for index in 0..count {
            let px = if index == 0 {
                main_px
            } else {
                (main_px * log_uniform((0.45, 1.6), rng)).clamp(HEIGHT_PX.0, HEIGHT_PX.1)
            };
            let (px, closest) = match close_up.filter(|_| index == 0) {
                Some(close_up) => (close_up.height_px, CLOSEST),
                None => (px, DISTANCE.0),
            };
            let distance = (focal_px * STATURE / px).clamp(closest, DISTANCE.1);
            // Some stand just beside another; nobody stands in another.
            for _ in 0..20 {
                let beside = if index > 0 && rng.random_bool(0.3) { places.first() } else { None };
                let place = match beside {
                    Some(other) => {
                        let angle = rng.random_range(0.0..std::f64::consts::TAU);
                        let apart = rng.random_range(0.4..0.9);
                        Point3::new(other.x + apart * angle.cos(), other.y + apart * angle.sin(), 0.0)
                    }
                    None => {
                        let reach = if index == 0 { 0.85 } else { 1.05 };
                        let aside = rng.random_range(-reach..reach) * half_width;
                        Point3::new(distance, distance * aside, 0.0)
                    }
                };
                if place.x > 0.8 * closest && places.iter().all(|other| (place - other).norm() > 0.38) {
                    places.push(place);
                    break;
                }
            }
        }
        let target_distance = places.first().map_or(4.0, |place| place.x);
        // Level with people's middle more or less; the closer, the more of them may be cut off.
        let target = rng.random_range(0.55..1.25);
        let target = close_up.map_or(target, |close_up| close_up.target);
        // Where nobody is, it may look at anything.
        let pitch = if count == 0 {
            rng.random_range(-0.2..DOWN)
        } else {
            ((eye_height - target) / target_distance).atan() + rng.random_range(-0.06..0.06)
        };
        let roll = if rng.random_bool(0.1) { rng.random_range(-0.4..0.4) } else { rng.random_range(-0.06..0.06) };
        let level = Matrix3::new(0.0, -1.0, 0.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0);
        let rotation = Rotation3::from_axis_angle(&Vector3::z_axis(), roll)
            * Rotation3::from_axis_angle(&Vector3::x_axis(), pitch)
            * Rotation3::from_matrix_unchecked(level);
        let camera_from_world =
            Isometry3::from_parts(Translation3::identity(), UnitQuaternion::from_rotation_matrix(&rotation))
                * Translation3::from(-eye.coords);
        Self { camera: CameraModel::pinhole(width, height, focal_px), camera_from_world, eye, places }
    }

    /// The floor on the optical axis, or under it where that is too far away.
    pub(super) fn floor_in_sight(&self) -> Point3<f64> {
        let axis = self.camera_from_world.inverse() * Vector3::z();
        let far = if axis.z < -1e-3 { -self.eye.z / axis.z } else { f64::INFINITY };
        let at = self.eye + axis * far.min(FLOOR_IN_SIGHT);
        Point3::new(at.x, at.y, 0.0)
    }
}

fn draw_size(rng: &mut impl Rng) -> (u32, u32) {
    let mut left = rng.random_range(0.0..1.0);
    for (size, share) in SIZES {
        left -= share;
        if left < 0.0 {
            return size;
        }
    }
    SIZES[0].0
}

fn log_uniform((low, high): (f64, f64), rng: &mut impl Rng) -> f64 {
    low * (high / low).powf(rng.random::<f64>())
}
