//! The ray of each pixel, and the pixels of a part of the z = 1 plane, for any lens.
//!
//! A pinhole's rays are linear in the pixel. For other lenses they are computed exactly on a grid of every
//! [`STEP`] px and interpolated bilinearly in between (off by less than 0.02 px for common lenses); where the lens
//! model ends the pixels are computed one by one, and pixels that see nothing have no ray.

use nalgebra::{Point2, Point3, Vector3};

use crate::geometry::CameraModel;
use crate::geometry::camera::Distortion;

const STEP: usize = 8;
/// Samples per side of a rectangle whose image is bounded.
const BORDER_SAMPLES: usize = 8;

pub(super) struct Rays<'a> {
    camera: &'a CameraModel,
    pub(super) width: usize,
    pub(super) height: usize,
    lens: Lens,
    /// Mean focal length, px.
    pub(super) focal_px: f32,
}

enum Lens {
    Pinhole {
        x: f32,
        y: f32,
        scale_x: f32,
        scale_y: f32,
    },
    /// (x, y) on the z = 1 plane per pixel, row by row; NaN where the lens sees nothing.
    Table(Vec<(f32, f32)>),
}

impl<'a> Rays<'a> {
    pub(super) fn new(camera: &'a CameraModel) -> Self {
        let (width, height) = camera.image_size();
        let (width, height) = (width as usize, height as usize);
        let intrinsics = camera.intrinsics();
        let lens = if camera.distortion() == Distortion::None {
            Lens::Pinhole {
                x: (-intrinsics.cx / intrinsics.fx) as f32,
                y: (-intrinsics.cy / intrinsics.fy) as f32,
                scale_x: (1.0 / intrinsics.fx) as f32,
                scale_y: (1.0 / intrinsics.fy) as f32,
            }
        } else {
            Lens::Table(table(camera, width, height))
        };
        Self { camera, width, height, lens, focal_px: (intrinsics.fx * intrinsics.fy).sqrt() as f32 }
    }

    /// (x, y, 1) of a pixel; not finite where the lens sees nothing.
    #[inline]
    pub(super) fn direction(&self, column: usize, row: usize) -> Vector3<f32> {
        match &self.lens {
            Lens::Pinhole { x, y, scale_x, scale_y } => {
                Vector3::new(x + scale_x * column as f32, y + scale_y * row as f32, 1.0)
            }
            Lens::Table(table) => {
                let (x, y) = table[row * self.width + column];
                Vector3::new(x, y, 1.0)
            }
        }
    }

    /// The rays of a row are `base + step * (column - middle)`, for a pinhole.
    #[inline]
    pub(super) fn line(&self, middle: f32, row: usize) -> Option<(Vector3<f32>, Vector3<f32>)> {
        let Lens::Pinhole { x, y, scale_x, scale_y } = self.lens else { return None };
        let base = Vector3::new(x + scale_x * middle, y + scale_y * row as f32, 1.0);
        Some((base, Vector3::new(scale_x, 0.0, 0.0)))
    }

    /// Where (x_min, y_min, x_max, y_max) of the z = 1 plane lies in the image, px, not cut to it.
    pub(super) fn rectangle_px(&self, bounds: [f32; 4]) -> [f32; 4] {
        let whole = [f32::NEG_INFINITY, f32::NEG_INFINITY, f32::INFINITY, f32::INFINITY];
        if let Lens::Pinhole { x, y, scale_x, scale_y } = self.lens {
            let [x_min, y_min, x_max, y_max] = bounds;
            return [(x_min - x) / scale_x, (y_min - y) / scale_y, (x_max - x) / scale_x, (y_max - y) / scale_y];
        }
        if !bounds.iter().all(|bound| bound.is_finite()) {
            return whole;
        }
        let mut found = [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
        for sample in 0..4 * BORDER_SAMPLES {
            let share = (sample % BORDER_SAMPLES) as f32 / BORDER_SAMPLES as f32;
            let (x, y) = match sample / BORDER_SAMPLES {
                0 => (share, 0.0),
                1 => (1.0, share),
                2 => (1.0 - share, 1.0),
                _ => (0.0, 1.0 - share),
            };
            let at_x = bounds[0] + (bounds[2] - bounds[0]) * x;
            let at_y = bounds[1] + (bounds[3] - bounds[1]) * y;
            let Some(at) = self.camera.project(&Point3::new(f64::from(at_x), f64::from(at_y), 1.0)) else {
                return whole;
            };
            let (x, y) = (at.x as f32, at.y as f32);
            found = [found[0].min(x), found[1].min(y), found[2].max(x), found[3].max(y)];
        }
        let (more_x, more_y) = (1.0 + 0.02 * (found[2] - found[0]), 1.0 + 0.02 * (found[3] - found[1]));
        [found[0] - more_x, found[1] - more_y, found[2] + more_x, found[3] + more_y]
    }
}

fn table(camera: &CameraModel, width: usize, height: usize) -> Vec<(f32, f32)> {
    const NOTHING: (f32, f32) = (f32::NAN, f32::NAN);
    let (columns, rows) = (width.div_ceil(STEP) + 1, height.div_ceil(STEP) + 1);
    let exact = |column: usize, row: usize| camera.normalise(Point2::new(column as f64, row as f64));
    let nodes: Vec<Option<Point2<f64>>> = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .map(|(row, column)| exact(column * STEP, row * STEP))
        .collect();
    let mut rays = vec![NOTHING; width * height];
    for row in 0..height {
        let (node_row, down) = (row / STEP, (row % STEP) as f64 / STEP as f64);
        for column in 0..width {
            let (node_column, along) = (column / STEP, (column % STEP) as f64 / STEP as f64);
            let node = |row: usize, column: usize| nodes[row * columns + column];
            let corners = (
                node(node_row, node_column),
                node(node_row, node_column + 1),
                node(node_row + 1, node_column),
                node(node_row + 1, node_column + 1),
            );
            let at = if let (Some(a), Some(b), Some(c), Some(d)) = corners {
                let (above, below) = (a.coords.lerp(&b.coords, along), c.coords.lerp(&d.coords, along));
                Some(Point2::from(above.lerp(&below, down)))
            } else {
                exact(column, row)
            };
            rays[row * width + column] = at.map_or(NOTHING, |at| (at.x as f32, at.y as f32));
        }
    }
    rays
}
