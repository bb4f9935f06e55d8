//! Which primitive each pixel shows: a depth buffer over all rays, and who would be seen without the others.

use std::ops::Range;

use super::body::Geometry;
use super::primitive::Primitive;
use super::rays::Rays;

/// No primitive: the background shows.
pub(super) const NOTHING: u32 = u32::MAX;

/// What the pixels show, row by row.
pub(super) struct Buffers {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Depth along the optical axis, m; infinite for the background.
    pub(super) depth: Vec<f32>,
    /// Index of the primitive, or [`NOTHING`].
    pub(super) shown: Vec<u32>,
    /// Last person whose silhouette covers the pixel, plus one.
    stamp: Vec<u16>,
}

/// A person's silhouette as if nothing stood before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silhouette {
    /// Pixels of the image within it.
    pub(super) pixels: usize,
    /// Columns and rows of those: x_min, y_min, x_max, y_max.
    pub(super) inside: Option<[usize; 4]>,
    /// The same for the whole silhouette, beyond the image as well, from the bounds of the primitives, px.
    pub(super) bounds: [f32; 4],
}

impl Buffers {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let count = width * height;
        Self { width, height, depth: vec![f32::INFINITY; count], shown: vec![NOTHING; count], stamp: vec![0; count] }
    }

    /// Draws the primitives `range`, all of one person, the `person`-th.
    pub(super) fn draw_person(
        &mut self,
        geometry: &Geometry,
        range: Range<usize>,
        person: usize,
        rays: &Rays<'_>,
    ) -> Silhouette {
        let mark = person as u16 + 1;
        let mut pixels = 0;
        let mut inside: Option<[usize; 4]> = None;
        let mut bounds = [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
        for index in range {
            let found = self.draw(&geometry.primitives[index], index as u32, rays, |stamp, column, row| {
                if *stamp == mark {
                    return;
                }
                *stamp = mark;
                pixels += 1;
                let box_ = inside.get_or_insert([column, row, column, row]);
                *box_ = [box_[0].min(column), box_[1].min(row), box_[2].max(column), box_[3].max(row)];
            });
            if let Some([x_min, y_min, x_max, y_max]) = found {
                bounds = [bounds[0].min(x_min), bounds[1].min(y_min), bounds[2].max(x_max), bounds[3].max(y_max)];
            }
        }
        Silhouette { pixels, inside, bounds }
    }

    /// Draws the primitives `range` that belong to nobody.
    pub(super) fn draw_things(&mut self, geometry: &Geometry, range: Range<usize>, rays: &Rays<'_>) {
        for index in range {
            self.draw(&geometry.primitives[index], index as u32, rays, |_, _, _| {});
        }
    }

    /// Draws one primitive; returns its bounds in the image, px.
    #[inline]
    fn draw(
        &mut self,
        primitive: &Primitive,
        index: u32,
        rays: &Rays<'_>,
        mut on_hit: impl FnMut(&mut u16, usize, usize),
    ) -> Option<[f32; 4]> {
        let bounds = rays.rectangle_px(primitive.bounds_on_plane()?);
        let range = |low: f32, high: f32, size: usize| {
            // Casts saturate: boundless becomes the whole image.
            let low = low.ceil().max(0.0) as usize;
            let high = ((high.floor() + 1.0).max(0.0) as usize).min(size);
            low.min(high)..high
        };
        let columns = range(bounds[0], bounds[2], self.width);
        if columns.is_empty() {
            return Some(bounds);
        }
        let middle = f32::midpoint(columns.start as f32, columns.end as f32);
        for row in range(bounds[1], bounds[3], self.height) {
            let mut columns = columns.clone();
            if let Some((base, step)) = rays.line(middle, row) {
                let Some((low, high)) = primitive.span(&base, &step) else { continue };
                // A pixel more on each side for rounding.
                let span = range(low + middle - 1.0, high + middle + 1.0, self.width);
                columns = columns.start.max(span.start)..columns.end.min(span.end);
            }
            let start = row * self.width;
            for column in columns {
                let direction = rays.direction(column, row);
                let at = start + column;
                if let Some(depth) = primitive.depth_along(&direction) {
                    on_hit(&mut self.stamp[at], column, row);
                    if depth < self.depth[at] {
                        self.depth[at] = depth;
                        self.shown[at] = index;
                    }
                }
            }
        }
        Some(bounds)
    }
}
