//! The colours of a person's clothes: what tells people apart who stand where the other stood before.
//!
//! Trunk, thighs and shanks are sampled between their keypoints. A part is the mean and the variance of its colours along
//! brightness and two opponent axes, these over the brightness; parts are compared by the Bhattacharyya distance of the normal
//! distributions with these (Bhattacharyya 1943). Brightness counts less than hue: people walk through shade.

use image::RgbImage;

use crate::data::{Keypoint, KeypointsInImage, LevelImage};
use crate::skeleton::Joint;

/// Trunk, thighs, shanks.
const PARTS: usize = 3;
/// Deviation that is added to each axis of colour (1 is white): brightness, red against green, both against blue.
const FLOORS: [f32; 3] = [0.12, 0.04, 0.04];
/// Added to red, green and blue together before hues are divided by them: what is dark has hardly any.
const DARK: f32 = 0.25;
/// Samples along and across a part.
const ALONG: usize = 8;
const ACROSS: usize = 5;
/// Half the width of a limb, and the least of a trunk, as a share of its length.
const LIMB_HALF_WIDTH: f32 = 0.09;
const TRUNK_HALF_WIDTH: f32 = 0.12;
/// A part shorter than this shows nothing, px.
const SHORTEST_PX: f32 = 5.0;
/// Fewer samples than this in the picture are no part.
const FEWEST: u32 = 12;

/// What somebody's clothes look like; parts that were not seen are unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Appearance {
    parts: [Option<Part>; PARTS],
}

/// Colours of one part, by axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    mean: [f32; 3],
    variance: [f32; 3],
}

impl Appearance {
    /// What the level image shows between the keypoints of one person.
    pub(super) fn of<'a>(level: impl Into<LevelImage<'a>>, keypoints: &KeypointsInImage) -> Self {
        let level = level.into();
        let (picture, keypoints) = (level.image, level.view.keypoints_in_image(keypoints));
        let at = |joint: Joint| keypoints[joint.index()].map(|Keypoint { x, y, .. }| [x, y]);
        let limbs = |pairs: [(Joint, Joint); 2]| {
            let mut colours = Colours::default();
            for (from, to) in pairs {
                if let (Some(from), Some(to)) = (at(from), at(to)) {
                    colours.add_along(picture, from, to, LIMB_HALF_WIDTH * length(from, to));
                }
            }
            colours.part()
        };
        Self {
            parts: [
                trunk(picture, [Joint::LShoulder, Joint::RShoulder, Joint::LHip, Joint::RHip].map(at)),
                limbs([(Joint::LHip, Joint::LKnee), (Joint::RHip, Joint::RKnee)]),
                limbs([(Joint::LKnee, Joint::LAnkle), (Joint::RKnee, Joint::RAnkle)]),
            ],
        }
    }

    /// How unlike two people look: mean over the parts that both show, 0 for the same; `None` without such a part.
    pub(super) fn distance(&self, other: &Self) -> Option<f32> {
        let both = self.parts.iter().zip(&other.parts).filter_map(|(a, b)| Some(a.as_ref()?.distance(b.as_ref()?)));
        let (sum, count) = both.fold((0.0, 0_u32), |(sum, count), distance| (sum + distance, count + 1));
        (count > 0).then(|| sum / count as f32)
    }

    /// Moves towards `other` by `share`; parts that were unknown are taken over.
    pub(super) fn approach(&mut self, other: &Self, share: f32) {
        for (part, seen) in self.parts.iter_mut().zip(&other.parts) {
            match (part, seen) {
                (Some(part), Some(seen)) => part.approach(seen, share),
                (part @ None, seen) => *part = *seen,
                (Some(_), None) => {}
            }
        }
    }
}

impl Part {
    /// Bhattacharyya distance of two normal distributions with uncorrelated axes.
    fn distance(&self, other: &Self) -> f32 {
        let axis = |axis: usize| {
            let floor = FLOORS[axis] * FLOORS[axis];
            let (a, b) = (self.variance[axis] + floor, other.variance[axis] + floor);
            let apart = self.mean[axis] - other.mean[axis];
            0.25 * apart * apart / (a + b) + 0.5 * ((a + b) / (2.0 * (a * b).sqrt())).ln()
        };
        (0..3).map(axis).sum()
    }

    fn approach(&mut self, seen: &Self, share: f32) {
        for axis in 0..3 {
            let apart = seen.mean[axis] - self.mean[axis];
            self.mean[axis] += share * apart;
            let variance = seen.variance[axis] + (1.0 - share) * apart * apart;
            self.variance[axis] += share * (variance - self.variance[axis]);
        }
    }
}

fn trunk(
    picture: &RgbImage,
    [left_shoulder, right_shoulder, left_hip, right_hip]: [Option<[f32; 2]>; 4],
) -> Option<Part> {
    let (left_shoulder, right_shoulder) = (left_shoulder?, right_shoulder?);
    let middle = |a: [f32; 2], b: [f32; 2]| [0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])];
    let (top, bottom) = (middle(left_shoulder, right_shoulder), middle(left_hip?, right_hip?));
    let mut colours = Colours::default();
    let half_width = (0.35 * length(left_shoulder, right_shoulder)).max(TRUNK_HALF_WIDTH * length(top, bottom));
    colours.add_along(picture, top, bottom, half_width);
    colours.part()
}

fn length(from: [f32; 2], to: [f32; 2]) -> f32 {
    (to[0] - from[0]).hypot(to[1] - from[1])
}

/// Sums over samples.
#[derive(Default)]
struct Colours {
    count: u32,
    sum: [f32; 3],
    squares: [f32; 3],
}

impl Colours {
    /// Takes in the strip from `from` to `to`, `half_width` to either side, without its ends.
    fn add_along(&mut self, picture: &RgbImage, from: [f32; 2], to: [f32; 2], half_width: f32) {
        let length = length(from, to);
        // False for NaN as well.
        if !(SHORTEST_PX..1e5).contains(&length) {
            return;
        }
        let along = [to[0] - from[0], to[1] - from[1]];
        let across = [-along[1] * half_width / length, along[0] * half_width / length];
        for step in 0..ALONG {
            let share = 0.15 + 0.7 * step as f32 / (ALONG - 1) as f32;
            for side in 0..ACROSS {
                let aside = 2.0 * side as f32 / (ACROSS - 1) as f32 - 1.0;
                let x = from[0] + share * along[0] + aside * across[0];
                let y = from[1] + share * along[1] + aside * across[1];
                // Negative numbers become 0 as integers: they are outside, though.
                if x < 0.0 || y < 0.0 {
                    continue;
                }
                if let Some(pixel) = picture.get_pixel_checked(x as u32, y as u32) {
                    self.add(pixel.0);
                }
            }
        }
    }

    fn add(&mut self, pixel: [u8; 3]) {
        let [red, green, blue] = pixel.map(|value| f32::from(value) / 255.0);
        let sum = red + green + blue;
        let hue = 1.0 / (sum + DARK);
        let axes = [sum / 3.0, hue * (red - green), hue * (0.5 * (red + green) - blue)];
        self.count += 1;
        for (axis, value) in axes.into_iter().enumerate() {
            self.sum[axis] += value;
            self.squares[axis] += value * value;
        }
    }

    fn part(&self) -> Option<Part> {
        let count = self.count as f32;
        let mean = self.sum.map(|sum| sum / count);
        let variance = std::array::from_fn(|axis| (self.squares[axis] / count - mean[axis] * mean[axis]).max(0.0));
        (self.count >= FEWEST).then_some(Part { mean, variance })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::Rgb;

    use super::*;

    /// See [`super::super::tests::standing`].
    fn standing(x: f32) -> KeypointsInImage {
        super::super::tests::standing(x).keypoints
    }

    fn dressed(top: [u8; 3], bottom: [u8; 3]) -> RgbImage {
        RgbImage::from_fn(100, 160, |_, y| Rgb(if y < 60 { top } else { bottom }))
    }

    #[test]
    fn other_clothes_look_other_and_shade_hardly_does() {
        let look = |picture: &RgbImage| Appearance::of(picture, &standing(50.0));
        let person = look(&dressed([150, 40, 40], [40, 40, 90]));
        assert!(person.distance(&person).unwrap() < 1e-6);
        let in_shade = person.distance(&look(&dressed([112, 30, 30], [30, 30, 68]))).unwrap();
        let other_top = person.distance(&look(&dressed([40, 120, 40], [40, 40, 90]))).unwrap();
        let other = person.distance(&look(&dressed([40, 120, 40], [170, 150, 120]))).unwrap();
        assert!(in_shade < 0.3 && 4.0 * in_shade < other_top && other_top < other, "{in_shade} {other_top} {other}");
    }

    #[test]
    fn what_is_not_seen_is_unknown_and_learnt_when_it_is() {
        let picture = dressed([150, 40, 40], [40, 40, 90]);
        let mut above = standing(50.0);
        for joint in [Joint::LKnee, Joint::RKnee, Joint::LAnkle, Joint::RAnkle] {
            above[joint.index()] = None;
        }
        let mut person = Appearance::of(&picture, &above);
        let blue_legs = Appearance::of(&dressed([150, 40, 40], [40, 40, 200]), &standing(50.0));
        assert!(person.distance(&blue_legs).unwrap() < 1e-6, "the trunk alone is compared");
        let whole = Appearance::of(&picture, &standing(50.0));
        person.approach(&whole, 0.1);
        assert!(person.distance(&whole).unwrap() < 1e-6);
        assert!(person.distance(&blue_legs).unwrap() > 0.5);
        assert_eq!(Appearance::default().distance(&whole), None);
    }

    #[test]
    fn approaching_ends_at_what_is_seen() {
        let look = |picture: &RgbImage| Appearance::of(picture, &standing(50.0));
        let mut person = look(&dressed([150, 40, 40], [40, 40, 90]));
        let new = look(&dressed([200, 200, 40], [90, 40, 40]));
        let before = person.distance(&new).unwrap();
        (0..10).for_each(|_| person.approach(&new, 0.1));
        let between = person.distance(&new).unwrap();
        (0..100).for_each(|_| person.approach(&new, 0.1));
        assert!(between < before && person.distance(&new).unwrap() < 1e-3, "{before} {between}");
    }

    #[test]
    fn nothing_outside_of_the_picture_and_no_point_that_is_none_is_sampled() {
        let picture = dressed([150, 40, 40], [40, 40, 90]);
        assert_eq!(Appearance::of(&picture, &standing(-500.0)), Appearance::default());
        assert_eq!(Appearance::of(&RgbImage::new(0, 0), &standing(50.0)), Appearance::default());
        let mut broken = standing(50.0);
        for joint in [Joint::LShoulder, Joint::LKnee, Joint::RKnee] {
            broken[joint.index()] = Some(Keypoint { x: f32::NAN, y: f32::INFINITY, score: 1.0, spread: None });
        }
        assert_eq!(Appearance::of(&picture, &broken), Appearance::default());
    }
}
