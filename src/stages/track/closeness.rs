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

/// The keypoints that both have: how far it is from `a` to `b`, px.
fn shifts<'a>(a: &'a KeypointsInImage, b: &'a KeypointsInImage) -> impl Iterator<Item = (f32, f32)> + 'a {
    a.iter().zip(b).filter_map(|(a, b)| a.zip(*b)).map(|(a, b)| (b.x - a.x, b.y - a.y))
}

/// The upper median of no more values than there are joints; `None` without any.
fn median(values: impl Iterator<Item = f32>) -> Option<f32> {
    let (mut sorted, mut count) = ([0.0; JOINT_COUNT], 0);
    for value in values {
        sorted[count] = value;
        count += 1;
    }
    let sorted = &mut sorted[..count];
    sorted.sort_unstable_by(f32::total_cmp);
    sorted.get(count / 2).copied()
}

/// Mean distance of the keypoints that both have, in units of `scale`; `None` without any.
pub(super) fn distance(a: &KeypointsInImage, b: &KeypointsInImage, scale: f32) -> Option<f32> {
    let apart = shifts(a, b).map(|(dx, dy)| dx.hypot(dy));
    let (sum, count) = apart.fold((0.0, 0_u32), |(sum, count), apart| (sum + apart, count + 1));
    (count > 0).then(|| sum / (count as f32 * scale))
}

/// Median distance of the keypoints that both have, in units of `scale`: whether the greater part of two poses is the same,
/// whatever the rest is. `None` with too few to tell.
pub(super) fn median_distance(a: &KeypointsInImage, b: &KeypointsInImage, scale: f32) -> Option<f32> {
    /// With fewer, two joints of two people who are near each other are half of them.
    const FEWEST: usize = 5;
    let apart = median(shifts(a, b).map(|(dx, dy)| dx.hypot(dy))).filter(|_| shifts(a, b).count() >= FEWEST);
    apart.map(|apart| apart / scale)
}

/// Distance of two centres in units of `scale`.
pub(super) fn center_distance(a: &BoundingBox, b: &BoundingBox, scale: f32) -> f32 {
    let ((ax, ay), (bx, by)) = (a.center(), b.center());
    (ax - bx).hypot(ay - by) / scale
}

/// Median shift of the keypoints that both have: one limb that moved, or was found wrongly, does not count.
pub(super) fn median_shift(from: &KeypointsInImage, to: &KeypointsInImage) -> Option<(f32, f32)> {
    let shifts = || shifts(from, to);
    median(shifts().map(|(dx, _)| dx)).zip(median(shifts().map(|(_, dy)| dy)))
}
