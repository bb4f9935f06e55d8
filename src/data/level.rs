//! The image as a camera that stands level would have taken it.
//!
//! Cameras are mounted on their side and on their head, and arms turn them. Networks know people who stand upright, so people are
//! searched for in the *level image*: the image turned about its middle. No pixel is moved for that; crops of it are
//! sampled from the image as it is.

use std::f64::consts::PI;

use image::RgbImage;
use nalgebra::{Point2, Rotation2};

use crate::data::{BoundingBox, KeypointsInImage};

/// How an image is turned to become level, in steps of [`LevelView::STEP`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelView {
    steps: i32,
    /// Exact for quarters.
    level_from_image: Rotation2<f64>,
    image_size: (u32, u32),
}

impl LevelView {
    /// Turns differ by multiples of this, rad.
    pub const STEP: f64 = PI / 12.0;
    const STEPS: i32 = 24;
    /// A view stays as it is until the camera is turned by so much more or less, rad.
    const KEPT_WITHIN: f64 = 0.7 * Self::STEP;

    /// An image of `image_size` (width, height), of a camera that is turned clockwise by `roll` rad about its line of sight, seen
    /// from behind: things in it are turned to the left.
    pub fn new(image_size: (u32, u32), roll: f64) -> Self {
        let steps = ((roll / Self::STEP).round() as i32).rem_euclid(Self::STEPS);
        let level_from_image = Rotation2::new(f64::from(steps) * Self::STEP);
        let is_quarter = (4 * steps) % Self::STEPS == 0;
        let exact = |value: f64| if is_quarter { value.round() } else { value };
        let level_from_image = Rotation2::from_matrix_unchecked(level_from_image.matrix().map(exact));
        Self { steps, level_from_image, image_size }
    }

    /// The image as it is.
    pub fn as_it_is(image_size: (u32, u32)) -> Self {
        Self::new(image_size, 0.0)
    }

    /// The view of the next image, of `image_size`: the same for a camera that is still turned by about as much.
    #[must_use]
    pub fn next(&self, image_size: (u32, u32), roll: f64) -> Self {
        let off = Rotation2::new(roll - self.roll()).angle();
        if off.abs() < Self::KEPT_WITHIN { Self { image_size, ..*self } } else { Self::new(image_size, roll) }
    }

    /// Whether the image is looked at as it is.
    pub const fn is_as_it_is(&self) -> bool {
        self.steps == 0
    }

    /// Clockwise turn of the camera that this makes up for, in (−π, π] rad.
    pub fn roll(&self) -> f64 {
        let steps = if 2 * self.steps > Self::STEPS { self.steps - Self::STEPS } else { self.steps };
        f64::from(steps) * Self::STEP
    }

    /// Width and height of the level image, px: that of the rectangle around the turned image.
    pub fn size(&self) -> (u32, u32) {
        let (width, height) = (f64::from(self.image_size.0), f64::from(self.image_size.1));
        let [cos, sin] = [(0, 0), (1, 0)].map(|at| self.level_from_image[at].abs());
        // Not a column more for what is only rounding.
        let whole = |size: f64| (size - 1e-6).ceil().max(1.0) as u32;
        (whole(width * cos + height * sin), whole(width * sin + height * cos))
    }

    /// Where a point of the level image lies in the image, px.
    pub fn image_from_level(&self, at: Point2<f64>) -> Point2<f64> {
        middle(self.image_size) + self.level_from_image.inverse() * (at - middle(self.size()))
    }

    /// Where a point of the image lies in the level image, px.
    pub fn level_from_image(&self, at: Point2<f64>) -> Point2<f64> {
        middle(self.size()) + self.level_from_image * (at - middle(self.image_size))
    }

    /// Keypoints of the level image in the image.
    pub fn keypoints_in_image(&self, keypoints: &KeypointsInImage) -> KeypointsInImage {
        self.moved(keypoints, Self::image_from_level)
    }

    /// Keypoints of the image in the level image.
    pub fn keypoints_in_level(&self, keypoints: &KeypointsInImage) -> KeypointsInImage {
        self.moved(keypoints, Self::level_from_image)
    }

    /// The rectangle around one of the level image in the image.
    pub fn box_in_image(&self, bbox: &BoundingBox) -> BoundingBox {
        self.around(bbox, Self::image_from_level)
    }

    /// The rectangle around one of the image in the level image.
    pub fn box_in_level(&self, bbox: &BoundingBox) -> BoundingBox {
        self.around(bbox, Self::level_from_image)
    }

    fn moved(&self, keypoints: &KeypointsInImage, to: impl Fn(&Self, Point2<f64>) -> Point2<f64>) -> KeypointsInImage {
        if self.is_as_it_is() {
            return *keypoints;
        }
        keypoints.map(|keypoint| {
            let mut keypoint = keypoint?;
            let at = to(self, Point2::new(f64::from(keypoint.x), f64::from(keypoint.y)));
            (keypoint.x, keypoint.y) = (at.x as f32, at.y as f32);
            Some(keypoint)
        })
    }

    fn around(&self, bbox: &BoundingBox, to: impl Fn(&Self, Point2<f64>) -> Point2<f64>) -> BoundingBox {
        if self.is_as_it_is() {
            return *bbox;
        }
        let BoundingBox { x_min, y_min, x_max, y_max } = *bbox;
        let corners = [(x_min, y_min), (x_max, y_min), (x_min, y_max), (x_max, y_max)];
        BoundingBox::around(corners.map(|(x, y)| {
            let at = to(self, Point2::new(f64::from(x), f64::from(y)));
            (at.x as f32, at.y as f32)
        }))
    }
}

/// Between the outermost pixel centres.
fn middle((width, height): (u32, u32)) -> Point2<f64> {
    Point2::new(0.5 * f64::from(width) - 0.5, 0.5 * f64::from(height) - 0.5)
}

/// An image and how it is looked at.
#[derive(Clone, Copy)]
pub struct LevelImage<'a> {
    /// The image as it is.
    pub image: &'a RgbImage,
    /// How it becomes level.
    pub view: LevelView,
}

impl<'a> From<&'a RgbImage> for LevelImage<'a> {
    /// The image as it is.
    fn from(image: &'a RgbImage) -> Self {
        Self { image, view: LevelView::as_it_is(image.dimensions()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Vector2;

    #[test]
    fn what_lies_aside_in_the_image_is_upright_in_the_level_image() {
        for (roll_deg, size, top_left) in [
            (0.0_f64, (80, 40), (0.0, 0.0)),
            // The camera on its right side: up is on the left of the image.
            (90.0, (40, 80), (0.0, 39.0)),
            (180.0, (80, 40), (79.0, 39.0)),
            (-90.0, (40, 80), (79.0, 0.0)),
            (270.0, (40, 80), (79.0, 0.0)),
        ] {
            let view = LevelView::new((80, 40), roll_deg.to_radians());
            assert_eq!(view.size(), size, "{roll_deg}");
            assert_eq!(view.image_from_level(Point2::origin()), Point2::new(top_left.0, top_left.1), "{roll_deg}");
            assert_eq!(view.is_as_it_is(), roll_deg == 0.0);
        }
        for roll_deg in (-180..180).step_by(15).map(f64::from) {
            let view = LevelView::new((81, 40), roll_deg.to_radians());
            assert!((view.roll().cos() - roll_deg.to_radians().cos()).abs() < 1e-12, "{roll_deg}");
            // Where a plumb line points in the image of such a camera is down in the level one.
            let down = Vector2::new(roll_deg.to_radians().sin(), roll_deg.to_radians().cos());
            let at = Point2::new(7.0, 11.0);
            let fallen = view.level_from_image(at + down) - view.level_from_image(at);
            assert!((fallen - Vector2::new(0.0, 1.0)).norm() < 1e-12, "{roll_deg}: {fallen}");
            assert!((view.image_from_level(view.level_from_image(at)) - at).norm() < 1e-12);
            // The whole image is in it.
            let image = BoundingBox { x_min: -0.5, y_min: -0.5, x_max: 80.5, y_max: 39.5 };
            let (around, (width, height)) = (view.box_in_level(&image), view.size());
            assert!(around.x_min >= -0.501 && around.x_max <= width as f32 - 0.499, "{roll_deg}: {around:?}");
            assert!(around.y_min >= -0.501 && around.y_max <= height as f32 - 0.499, "{roll_deg}: {around:?}");
        }
    }

    #[test]
    fn a_camera_that_shakes_does_not_change_the_view() {
        let size = (640, 480);
        let mut view = LevelView::as_it_is(size);
        let changes = (0..200).filter(|image| {
            // About where two views meet.
            let next = view.next(size, 0.5 * LevelView::STEP + 0.03 * f64::from(*image).sin());
            let is_changed = next != view;
            view = next;
            is_changed
        });
        assert!(changes.count() <= 1);
        assert!((LevelView::as_it_is(size).next(size, 1.0).roll() - 4.0 * LevelView::STEP).abs() < 1e-12);
        // Half a turn to the right is half a turn to the left.
        let over = LevelView::new(size, PI);
        assert_eq!(over.next(size, -PI + 0.05), over);
    }
}
