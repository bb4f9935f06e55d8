//! Other people in the picture of one person.
//!
//! A crop has the network's aspect ratio: the square around somebody who stands shows whoever stands beside as well. A
//! network that gives one person's coordinates, wherever it sees one, then mixes the two or takes the other. What lies in
//! somebody else's box and not in the person's own therefore becomes what lies outside the image.

use std::ops::Range;

use nalgebra::{Point2, Vector2};

use crate::data::BoundingBox;
use crate::model::PictureSize;
use crate::stages::crop::Crop;
use crate::stages::track::Search;

/// Limbs reach beyond a person's own box by this share of its longer side.
const MARGIN: f32 = 0.06;

/// What is not to be seen in one person's crop.
pub(super) struct Cover {
    /// The person's own box with its margin, image px.
    own: BoundingBox,
    /// Boxes of the others, image px.
    others: Vec<BoundingBox>,
}

impl Cover {
    /// Of everybody who is searched for, those whose place is sure hide from the crop of `own`.
    pub(super) fn new(own: &Search, everybody: &[Search]) -> Self {
        let bbox = own.bbox_in_image_px;
        let others = everybody.iter().filter(|other| other.slot != own.slot && other.is_sure);
        Self {
            own: bbox.grown(MARGIN * bbox.width().max(bbox.height())),
            others: others.map(|other| other.bbox_in_image_px).collect(),
        }
    }

    /// Calls `hide(row, columns)` for each stretch of the crop's picture that is not to be seen.
    pub(super) fn for_each_stretch(&self, crop: &Crop, mut hide: impl FnMut(usize, Range<usize>)) {
        let at = |column, row| crop.image_from_crop(Point2::new(column, row));
        let (along_row, along_column) = (at(1.0, 0.0) - at(0.0, 0.0), at(0.0, 1.0) - at(0.0, 0.0));
        let PictureSize { width_px, height_px } = crop.output;
        let (right, bottom) = (width_px as f64 - 1.0, height_px as f64 - 1.0);
        let corners = [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)].map(|(x, y)| at(x, y));
        let around = BoundingBox::around(corners.map(|corner| (corner.x as f32, corner.y as f32)));
        let near: Vec<&BoundingBox> = self.others.iter().filter(|other| around.overlap(other) > 0.0).collect();
        if near.is_empty() {
            return;
        }
        for row in 0..height_px {
            let line = Line { start: at(0.0, 0.0) + along_column * row as f64, step: along_row };
            let own = line.inside(&self.own, width_px);
            for other in near.iter().map(|other| line.inside(other, width_px)) {
                for part in [other.start..other.end.min(own.start), other.start.max(own.end)..other.end] {
                    if !part.is_empty() {
                        hide(row, part);
                    }
                }
            }
        }
    }
}

/// A row of a picture in the image, px.
struct Line {
    start: Point2<f64>,
    /// From one column to the next.
    step: Vector2<f64>,
}

impl Line {
    /// The columns that lie in `bbox`; where none does, an empty range that starts and ends at 0.
    fn inside(&self, bbox: &BoundingBox, columns: usize) -> Range<usize> {
        let (mut first, mut last) = (0.0_f64, columns as f64 - 1.0);
        let sides = [(bbox.x_min, bbox.x_max), (bbox.y_min, bbox.y_max)];
        for (axis, (low, high)) in sides.into_iter().enumerate() {
            let (low, high) = (f64::from(low) - self.start[axis], f64::from(high) - self.start[axis]);
            if self.step[axis].abs() > 1e-9 {
                let (a, b) = (low / self.step[axis], high / self.step[axis]);
                (first, last) = (first.max(a.min(b)), last.min(a.max(b)));
            } else if low > 0.0 || high < 0.0 {
                return 0..0;
            }
        }
        let (first, end) = (first.ceil() as usize, (last.floor() + 1.0) as usize);
        if first < end { first..end } else { 0..0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Turn;

    fn bbox(x_min: f32, y_min: f32, x_max: f32, y_max: f32) -> BoundingBox {
        BoundingBox { x_min, y_min, x_max, y_max }
    }

    fn search(slot: usize, bbox_in_image_px: BoundingBox, is_sure: bool) -> Search {
        Search { slot, bbox_in_image_px, crop: None, turn: Turn::Upright, is_sure }
    }

    /// The pixels (column, row) of the crop's picture that are hidden, in their order.
    fn hidden(cover: &Cover, crop: &Crop) -> Vec<(usize, usize)> {
        let mut hidden = Vec::new();
        cover.for_each_stretch(crop, |row, columns| hidden.extend(columns.map(|column| (column, row))));
        hidden.sort_unstable();
        hidden.dedup();
        hidden
    }

    #[test]
    fn what_is_in_anothers_box_and_not_in_ones_own_is_hidden_in_every_crop() {
        let searches = [
            search(3, bbox(40.0, 20.0, 60.0, 100.0), true),
            search(4, bbox(55.0, 10.0, 90.0, 70.0), true),
            search(5, bbox(20.0, 60.0, 45.0, 110.0), true),
            search(6, bbox(0.0, 0.0, 200.0, 200.0), false),
            search(7, bbox(300.0, 20.0, 340.0, 100.0), true),
        ];
        let holds = |bbox: &BoundingBox, at: Point2<f64>| {
            let (x, y) = (at.x as f32, at.y as f32);
            bbox.x_min <= x && x <= bbox.x_max && bbox.y_min <= y && y <= bbox.y_max
        };
        let own = searches[0].bbox_in_image_px.grown(MARGIN * 80.0);
        for angle in [0.0, 0.4, 2.0, std::f64::consts::FRAC_PI_2] {
            let crop = Crop { angle, ..Crop::square(Point2::new(50.3, 60.2), 100.0, 0.0, 64) };
            let mut expected = Vec::new();
            for column in 0..64 {
                for row in 0..64 {
                    let at = crop.image_from_crop(Point2::new(column as f64, row as f64));
                    let is_others = [1, 2, 4].iter().any(|&other| holds(&searches[other].bbox_in_image_px, at));
                    if is_others && !holds(&own, at) {
                        expected.push((column, row));
                    }
                }
            }
            assert!(expected.len() > 300 && expected.len() < 2000, "{} pixels", expected.len());
            assert_eq!(hidden(&Cover::new(&searches[0], &searches), &crop), expected, "turned by {angle}");
        }
    }

    #[test]
    fn somebody_alone_is_seen_whole() {
        let alone = [search(0, bbox(40.0, 20.0, 60.0, 100.0), true), search(1, bbox(50.0, 0.0, 90.0, 90.0), false)];
        let crop = Crop::around(&alone[0].bbox_in_image_px, 1.25, PictureSize::square(64));
        assert!(hidden(&Cover::new(&alone[0], &alone), &crop).is_empty());
    }
}
