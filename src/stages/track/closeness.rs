//! How far apart two poses in the image are, and the rectangle around one.
//!
//! Distances are means over the keypoints that both poses have, in person sizes (longer side of the rectangle), so that
//! one gate serves near and far people.

use crate::data::{BoundingBox, KeypointsInImage};
use crate::skeleton::JOINT_COUNT;

/// A head and feet reach beyond their keypoints by this share of the longer side.
const MARGIN: f32 = 0.08;

/// Number of keypoints.
pub(super) fn count(keypoints: &KeypointsInImage) -> usize {
    keypoints.iter().flatten().count()
}

/// Longer side of a rectangle, px, at least 1.
pub(super) fn size(bbox: &BoundingBox) -> f32 {
    bbox.width().max(bbox.height()).max(1.0)
}

/// The rectangle around keypoints with its margin; `None` without two different ones.
pub(super) fn box_around(keypoints: &KeypointsInImage) -> Option<BoundingBox> {
    let bbox = BoundingBox::around(keypoints.iter().flatten().map(|keypoint| (keypoint.x, keypoint.y)));
    let margin = MARGIN * bbox.width().max(bbox.height());
    (bbox.x_min.is_finite() && margin > 0.0).then(|| bbox.grown(margin))
}

/// Mean distance of the keypoints that both have, in units of `scale`; `None` without any.
pub(super) fn distance(a: &KeypointsInImage, b: &KeypointsInImage, scale: f32) -> Option<f32> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for (a, b) in a.iter().zip(b) {
        if let (Some(a), Some(b)) = (a, b) {
            sum += (a.x - b.x).hypot(a.y - b.y);
            count += 1;
        }
    }
    (count > 0).then(|| sum / (count as f32 * scale))
}

/// Median distance of the keypoints that both have, in units of `scale`: whether the greater part of two poses is the same,
/// whatever the rest is. `None` with too few to tell.
pub(super) fn median_distance(a: &KeypointsInImage, b: &KeypointsInImage, scale: f32) -> Option<f32> {
    /// With fewer, two joints of two people who are near each other are half of them.
    const FEWEST: usize = 5;
    let (mut apart, mut count) = ([0.0; JOINT_COUNT], 0);
    for (a, b) in a.iter().zip(b) {
        if let (Some(a), Some(b)) = (a, b) {
            apart[count] = (a.x - b.x).hypot(a.y - b.y);
            count += 1;
        }
    }
    let apart = &mut apart[..count];
    apart.sort_unstable_by(f32::total_cmp);
    (count >= FEWEST).then(|| apart[count / 2] / scale)
}

/// Distance of two centres in units of `scale`.
pub(super) fn center_distance(a: &BoundingBox, b: &BoundingBox, scale: f32) -> f32 {
    let ((ax, ay), (bx, by)) = (a.center(), b.center());
    (ax - bx).hypot(ay - by) / scale
}

/// Median shift of the keypoints that both have: one limb that moved, or was found wrongly, does not count.
pub(super) fn median_shift(from: &KeypointsInImage, to: &KeypointsInImage) -> Option<(f32, f32)> {
    let (mut dx, mut dy, mut count) = ([0.0; JOINT_COUNT], [0.0; JOINT_COUNT], 0);
    for (from, to) in from.iter().zip(to) {
        if let (Some(from), Some(to)) = (from, to) {
            (dx[count], dy[count]) = (to.x - from.x, to.y - from.y);
            count += 1;
        }
    }
    let median = |values: &mut [f32]| {
        values.sort_unstable_by(f32::total_cmp);
        values.get(values.len() / 2).copied()
    };
    Some((median(&mut dx[..count])?, median(&mut dy[..count])?))
}
