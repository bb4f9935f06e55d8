//! Colours of the pixels: paint times light, the background behind, edges smoothed.

use std::sync::LazyLock;

use image::RgbImage;
use nalgebra::{Isometry3, Matrix3, Vector3};

use super::background::Background;
use super::body::Geometry;
use super::light::Light;
use super::paint::Colour;
use super::raster::{Buffers, NOTHING};
use super::rays::Rays;
use super::shadow::FloorShadow;

/// Entries of the table from linear light to 8 bits.
const LEVELS: usize = 4096;

static ENCODED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    (0..LEVELS)
        .map(|level| {
            let value = level as f32 / (LEVELS - 1) as f32;
            let encoded = if value <= 0.003_130_8 { 12.92 * value } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 };
            (encoded * 255.0).round() as u8
        })
        .collect()
});

/// What the shading of a picture needs.
pub(super) struct Shading<'a> {
    pub(super) geometry: &'a Geometry,
    pub(super) background: &'a Background,
    pub(super) light: &'a Light,
    pub(super) shadow: Option<FloorShadow>,
    pub(super) camera_from_world: &'a Isometry3<f64>,
}

impl Shading<'_> {
    pub(super) fn picture(&self, buffers: &Buffers, rays: &Rays<'_>) -> RgbImage {
        let rotation: Matrix3<f32> =
            self.camera_from_world.rotation.to_rotation_matrix().into_inner().map(|value| value as f32);
        let eye = self.camera_from_world.inverse().translation.vector.map(|value| value as f32);
        let towards = self.light.towards.into_inner().map(|value| value as f32);
        let (towards_in_camera, up_in_camera) = (rotation * towards, rotation * Vector3::z());
        let world_from_camera = rotation.transpose();
        let table: &[u8] = &ENCODED;
        let lit = LitPlanes::new(self.light);
        let mut pixels = vec![0_u8; buffers.width * buffers.height * 3];
        for row in 0..buffers.height {
            for column in 0..buffers.width {
                let at = row * buffers.width + column;
                let direction = rays.direction(column, row);
                if !direction.x.is_finite() {
                    continue;
                }
                let shown = buffers.shown[at];
                let colour = if shown == NOTHING {
                    self.behind(&lit, &eye, &(world_from_camera * direction), rays.focal_px)
                } else {
                    let depth = buffers.depth[at];
                    let primitive = &self.geometry.primitives[shown as usize];
                    let paint = &self.geometry.paints[shown as usize];
                    let local = primitive.local_point(&direction, depth);
                    let normal = primitive.normal_in_camera(&primitive.local_normal(&local));
                    let point = direction * depth;
                    let colour = paint.colour(&point, &normal, depth / rays.focal_px);
                    let light = self.light.on(&normal, &towards_in_camera, &up_in_camera);
                    let mut shaded = colour.component_mul(&light) + colour * paint.glow;
                    if paint.gloss > 0.0 {
                        let half = (towards_in_camera - direction * (1.0 / direction.norm())).normalize();
                        let shine = normal.dot(&half).max(0.0).powi(24);
                        shaded += self.light.lamp * (paint.gloss * shine);
                    }
                    shaded
                };
                let exposed = colour * (self.light.exposure * (LEVELS - 1) as f32);
                for channel in 0..3 {
                    pixels[3 * at + channel] = table[(exposed[channel] as usize).min(LEVELS - 1)];
                }
            }
        }
        smooth_edges(&mut pixels, buffers);
        // The buffer has three bytes per pixel, so it always fits.
        RgbImage::from_raw(buffers.width as u32, buffers.height as u32, pixels).unwrap_or_default()
    }

    /// Floor, wall or sky along `direction` of the world from `eye`.
    #[inline]
    fn behind(&self, lit: &LitPlanes, eye: &Vector3<f32>, direction: &Vector3<f32>, focal_px: f32) -> Colour {
        let mut reach = f32::INFINITY;
        let mut side = 5;
        if let Some(walls) = &self.background.walls {
            for axis in 0..2 {
                let plane = if direction[axis] > 0.0 { walls.high[axis] } else { walls.low[axis] };
                let depth = (plane - eye[axis]) / direction[axis];
                if depth > 0.0 && depth < reach {
                    (reach, side) = (depth, 2 * axis + usize::from(direction[axis] > 0.0));
                }
            }
        }
        if direction.z < 0.0 {
            let floor = -eye.z / direction.z;
            if floor > 0.0 && floor < reach {
                return self.floor(lit, eye, direction, floor, focal_px);
            }
        } else if let Some(walls) = &self.background.walls {
            let depth = (walls.high.z - eye.z) / direction.z;
            if depth > 0.0 && depth < reach {
                (reach, side) = (depth, 4);
            }
        }
        let Some(walls) = self.background.walls.as_ref().filter(|_| side < 5) else {
            return self.background.sky.colour(direction);
        };
        let at = eye + direction * reach;
        let (u, v) = match side {
            0 | 1 => (at.y, at.z),
            2 | 3 => (at.x, at.z),
            _ => (at.x, at.y),
        };
        // Corners are darker.
        let near = (at - walls.low).inf(&(walls.high - at)).map(|distance| distance.max(0.0));
        let corner = match side {
            0 | 1 => near.y.min(near.z),
            2 | 3 => near.x.min(near.z),
            _ => near.x.min(near.y),
        };
        let dark = 1.0 - 0.35 / (1.0 + 6.0 * corner);
        walls.cloths[side].colour(u, v, reach / focal_px).component_mul(&lit.walls[side]) * dark
    }

    #[inline]
    fn floor(
        &self,
        lit: &LitPlanes,
        eye: &Vector3<f32>,
        direction: &Vector3<f32>,
        depth: f32,
        focal_px: f32,
    ) -> Colour {
        let (x, y) = (eye.x + direction.x * depth, eye.y + direction.y * depth);
        // Between the short and the long side of what a pixel covers: the longer the flatter the ray.
        let footprint = depth / focal_px * (depth / eye.z).max(1.0).sqrt();
        let shade = self.shadow.as_ref().map_or(0.0, |shadow| shadow.at(x, y));
        let light = (lit.floor_ambient + lit.floor_lamp * (1.0 - self.light.shadow * shade)) * (1.0 - 0.25 * shade);
        let colour = self.background.floor.colour(x, y, footprint).component_mul(&light);
        if self.background.walls.is_some() {
            return colour;
        }
        let haze = (depth / 100.0).min(1.0);
        colour.lerp(&self.background.sky.horizon, haze * haze)
    }
}

/// Light on floor and walls, the same all over each.
struct LitPlanes {
    floor_ambient: Colour,
    floor_lamp: Colour,
    walls: [Colour; 5],
}

impl LitPlanes {
    fn new(light: &Light) -> Self {
        let (towards, up) = (light.towards.into_inner().map(|value| value as f32), Vector3::z());
        let on = |normal: Vector3<f32>| light.on(&normal, &towards, &up);
        let floor = on(up);
        Self {
            floor_ambient: light.sky,
            floor_lamp: floor - light.sky,
            walls: [on(Vector3::x()), on(-Vector3::x()), on(Vector3::y()), on(-Vector3::y()), on(-up)],
        }
    }
}

/// Blurs the pixels on the edge of something a little: 1-2-1 in both directions where a neighbour shows something else at
/// another depth.
fn smooth_edges(pixels: &mut [u8], buffers: &Buffers) {
    let (width, height) = (buffers.width, buffers.height);
    if width < 3 || height < 3 {
        return;
    }
    let sharp = pixels.to_vec();
    let differs = |one: usize, other: usize| {
        if buffers.shown[one] == buffers.shown[other] {
            return false;
        }
        let (near, far) = (buffers.depth[one].min(buffers.depth[other]), buffers.depth[one].max(buffers.depth[other]));
        far > near * 1.01
    };
    for row in 1..height - 1 {
        for column in 1..width - 1 {
            let at = row * width + column;
            let is_edge =
                differs(at, at + 1) || differs(at, at - 1) || differs(at, at + width) || differs(at, at - width);
            if !is_edge {
                continue;
            }
            for channel in 0..3 {
                let value = |offset: isize| u32::from(sharp[(at as isize + offset) as usize * 3 + channel]);
                let stride = width as isize;
                let sum = 4 * value(0)
                    + 2 * (value(1) + value(-1) + value(stride) + value(-stride))
                    + value(stride + 1)
                    + value(stride - 1)
                    + value(1 - stride)
                    + value(-1 - stride);
                pixels[3 * at + channel] = ((sum + 8) / 16) as u8;
            }
        }
    }
}
