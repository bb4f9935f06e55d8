//! Shadows on the floor: of people and things, cast by the lamp, and the dark where they touch it.
//!
//! A map over the part of the floor around the people; each primitive is a capsule that is laid onto the floor along
//! the light, softer the higher it is.

use nalgebra::{Isometry3, Point3, Vector3};

use super::body::Geometry;
use super::light::Light;
use super::primitive::{Primitive, Shape};

const CELLS: usize = 128;
/// The map reaches this far around the people, m.
const MARGIN: f32 = 1.6;

pub(super) struct FloorShadow {
    low: (f32, f32),
    cells_per_metre: f32,
    /// 0 in the light, 1 in full shadow.
    values: Vec<f32>,
}

impl FloorShadow {
    /// The shadow of all primitives; `None` where no person stands.
    pub(super) fn new(
        geometry: &Geometry,
        people: &[Point3<f64>],
        light: &Light,
        camera_from_world: &Isometry3<f64>,
    ) -> Option<Self> {
        let world_from_camera = camera_from_world.inverse();
        let (mut low, mut high) = ((f32::INFINITY, f32::INFINITY), (f32::NEG_INFINITY, f32::NEG_INFINITY));
        for person in people {
            let at = world_from_camera * person;
            low = (low.0.min(at.x as f32), low.1.min(at.y as f32));
            high = (high.0.max(at.x as f32), high.1.max(at.y as f32));
        }
        let side = (high.0 - low.0).max(high.1 - low.1) + 2.0 * MARGIN;
        if !side.is_finite() || !(side < 60.0) {
            return None;
        }
        let low = (0.5 * (low.0 + high.0 - side), 0.5 * (low.1 + high.1 - side));
        let mut map = Self { low, cells_per_metre: CELLS as f32 / side, values: vec![0.0; CELLS * CELLS] };
        let rotation = world_from_camera.rotation.to_rotation_matrix().into_inner().map(|value| value as f32);
        let shift = world_from_camera.translation.vector.map(|value| value as f32);
        let towards = light.towards.into_inner().map(|value| value as f32);
        for primitive in &geometry.primitives {
            let (from, to, radius) = capsule(primitive);
            let (from, to) = (rotation * from + shift, rotation * to + shift);
            // The cast shadow, and the ambient one straight below.
            map.lay(from, to, radius, &towards, 1.0, 0.12);
            map.lay(from, to, 1.4 * radius, &Vector3::z(), 0.55, 0.9);
        }
        Some(map)
    }

    /// How much of the lamp is hidden at (x, y) of the floor.
    #[inline]
    pub(super) fn at(&self, x: f32, y: f32) -> f32 {
        let (u, v) = ((x - self.low.0) * self.cells_per_metre - 0.5, (y - self.low.1) * self.cells_per_metre - 0.5);
        let last = (CELLS - 1) as f32;
        if !(u >= 0.0 && v >= 0.0 && u < last && v < last) {
            return 0.0;
        }
        let (column, row) = (u as usize, v as usize);
        let (fu, fv) = (u - column as f32, v - row as f32);
        let at = |row: usize, column: usize| self.values[row * CELLS + column];
        let above = at(row, column) + (at(row, column + 1) - at(row, column)) * fu;
        let below = at(row + 1, column) + (at(row + 1, column + 1) - at(row + 1, column)) * fu;
        above + (below - above) * fv
    }

    fn lay(
        &mut self,
        from: Vector3<f32>,
        to: Vector3<f32>,
        radius: f32,
        towards: &Vector3<f32>,
        strength: f32,
        blur: f32,
    ) {
        let height = 0.5 * (from.z + to.z);
        if height < -radius || from.z.min(to.z) > 3.0 {
            return;
        }
        let on_floor = |point: &Vector3<f32>| {
            let back = point.z.max(0.0) / towards.z.max(0.2);
            (
                (point.x - towards.x * back - self.low.0) * self.cells_per_metre,
                (point.y - towards.y * back - self.low.1) * self.cells_per_metre,
            )
        };
        let (a, b) = (on_floor(&from), on_floor(&to));
        let soft = (0.02 + blur * height.max(0.0)) * self.cells_per_metre;
        let radius = radius * self.cells_per_metre;
        // What is high above gives a paler shadow of the ambient light.
        let strength = strength / (1.0 + (blur * height.max(0.0) * 2.0).powi(2));
        let reach = radius + soft;
        let clamp = |value: f32| value.clamp(0.0, CELLS as f32) as usize;
        let rows = clamp(a.1.min(b.1) - reach)..clamp(a.1.max(b.1) + reach + 1.0);
        let columns = clamp(a.0.min(b.0) - reach)..clamp(a.0.max(b.0) + reach + 1.0);
        let along = (b.0 - a.0, b.1 - a.1);
        let length = (along.0 * along.0 + along.1 * along.1).max(1e-6);
        for row in rows {
            for column in columns.clone() {
                let (x, y) = (column as f32 + 0.5 - a.0, row as f32 + 0.5 - a.1);
                let share = ((x * along.0 + y * along.1) / length).clamp(0.0, 1.0);
                let distance = ((x - along.0 * share).powi(2) + (y - along.1 * share).powi(2)).sqrt();
                let dark = strength * ((reach - distance) / (2.0 * soft)).clamp(0.0, 1.0);
                let value = &mut self.values[row * CELLS + column];
                *value = value.max(dark);
            }
        }
    }
}

/// Two ends and a radius that stand for the primitive, in the camera frame.
fn capsule(primitive: &Primitive) -> (Vector3<f32>, Vector3<f32>, f32) {
    let axes = &primitive.camera_from_local;
    match primitive.shape {
        Shape::RoundCone { length, ra, rb } => {
            let flat = 0.5 * (axes.column(0).norm() + axes.column(1).norm());
            (primitive.center, primitive.center + axes.column(2) * length, 0.5 * (ra + rb) * flat)
        }
        Shape::Sphere | Shape::Cube => {
            let sizes = [axes.column(0).norm(), axes.column(1).norm(), axes.column(2).norm()];
            let longest = if sizes[0] > sizes[1] && sizes[0] > sizes[2] {
                0
            } else if sizes[1] > sizes[2] {
                1
            } else {
                2
            };
            let radius = 0.5 * (sizes.iter().sum::<f32>() - sizes[longest]);
            let reach = (sizes[longest] - radius).max(0.0) / sizes[longest].max(1e-6);
            let half = axes.column(longest) * reach;
            (primitive.center - half, primitive.center + half, radius)
        }
    }
}
