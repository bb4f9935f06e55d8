//! Axis-aligned rectangles in an image.

/// A rectangle in image pixels. Integer coordinates are pixel centres, so the image of
/// `width` columns spans `x_min = -0.5` to `x_max = width - 0.5`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundingBox {
    /// Left edge, px.
    pub x_min: f32,
    /// Top edge, px.
    pub y_min: f32,
    /// Right edge, px.
    pub x_max: f32,
    /// Bottom edge, px.
    pub y_max: f32,
}

impl BoundingBox {
    /// The rectangle around nothing: no width, no height, and any point widens it to itself.
    pub const EMPTY: Self =
        Self { x_min: f32::INFINITY, y_min: f32::INFINITY, x_max: f32::NEG_INFINITY, y_max: f32::NEG_INFINITY };

    /// The smallest rectangle that holds all points (x, y); [`Self::EMPTY`] without any.
    pub fn around(points: impl IntoIterator<Item = (f32, f32)>) -> Self {
        points.into_iter().fold(Self::EMPTY, |bbox, (x, y)| Self {
            x_min: bbox.x_min.min(x),
            y_min: bbox.y_min.min(y),
            x_max: bbox.x_max.max(x),
            y_max: bbox.y_max.max(y),
        })
    }

    /// Width in px, never negative.
    pub fn width(&self) -> f32 {
        (self.x_max - self.x_min).max(0.0)
    }

    /// Height in px, never negative.
    pub fn height(&self) -> f32 {
        (self.y_max - self.y_min).max(0.0)
    }

    /// Area in px².
    pub fn area(&self) -> f32 {
        self.width() * self.height()
    }

    /// Centre (x, y) in px.
    pub fn center(&self) -> (f32, f32) {
        (0.5 * (self.x_min + self.x_max), 0.5 * (self.y_min + self.y_max))
    }

    /// Every side moved outwards by `by` px.
    #[must_use]
    pub fn grown(&self, by: f32) -> Self {
        Self { x_min: self.x_min - by, y_min: self.y_min - by, x_max: self.x_max + by, y_max: self.y_max + by }
    }

    /// Area that both have, px².
    pub fn overlap(&self, other: &Self) -> f32 {
        Self {
            x_min: self.x_min.max(other.x_min),
            y_min: self.y_min.max(other.y_min),
            x_max: self.x_max.min(other.x_max),
            y_max: self.y_max.min(other.y_max),
        }
        .area()
    }

    /// Intersection over union in [0, 1]; 0 when both are empty.
    pub fn iou(&self, other: &Self) -> f32 {
        let overlap = self.overlap(other);
        let union = self.area() + other.area() - overlap;
        if union > 0.0 { overlap / union } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: BoundingBox = BoundingBox { x_min: 0.0, y_min: 0.0, x_max: 1.0, y_max: 1.0 };

    #[test]
    fn iou_of_half_overlapping_squares_is_one_third() {
        let shifted = BoundingBox { x_min: 0.5, x_max: 1.5, ..UNIT };
        assert!((UNIT.iou(&shifted) - 1.0 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn the_box_around_points_touches_the_outermost() {
        let bbox = BoundingBox::around([(2.0, 5.0), (-1.0, 3.0), (0.0, 9.0)]);
        assert_eq!(bbox, BoundingBox { x_min: -1.0, y_min: 3.0, x_max: 2.0, y_max: 9.0 });
        assert_eq!(BoundingBox::around([]), BoundingBox::EMPTY);
        assert!(BoundingBox::EMPTY.area().abs() < f32::EPSILON);
    }

    #[test]
    fn iou_is_zero_for_disjoint_and_for_inverted_boxes() {
        let far = BoundingBox { x_min: 5.0, x_max: 6.0, ..UNIT };
        let inverted = BoundingBox { x_min: 1.0, x_max: 0.0, ..UNIT };
        assert!(UNIT.iou(&far).abs() < f32::EPSILON);
        assert!(inverted.iou(&inverted).abs() < f32::EPSILON);
    }
}
