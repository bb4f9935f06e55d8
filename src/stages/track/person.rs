//! What is remembered of one person in the image, and where it should be by now.
//!
//! Motion is a constant velocity of the whole person, an exponential mean over [`VELOCITY_SECS`] of the median
//! keypoint's; it fades while the person is not seen. The region to search grows at once with what is found and shrinks
//! slowly, so that a finding that lost the feet does not make the next crop lose them too.

use std::f64::consts::FRAC_PI_4;

use nalgebra::{Rotation2, Vector2};

use super::appearance::Appearance;
use super::closeness::{box_around, median_shift, size};
use super::{Finding, TrackedPerson};
use crate::data::{BoundingBox, KeypointsInImage, LevelView, Stamp, TrackId, Turn};
use crate::skeleton::{JOINT_COUNT, Joint};
use crate::stages::crop::Crop;

/// Time constant of the velocity, s.
const VELOCITY_SECS: f32 = 0.15;
/// Time constant with which the velocity of somebody not seen fades, s.
const FADE_SECS: f32 = 0.2;
/// Faster than so many person sizes a second nobody moves.
const FASTEST: f32 = 4.0;
/// Time constant with which the region to search shrinks, s.
const SHRINK_SECS: f32 = 0.4;
/// Time constant with which what a person looks like is learnt, s.
const LEARN_SECS: f32 = 1.0;
/// Who was watched for less is not known by the looks, s.
const ACQUAINTED_SECS: f32 = 0.2;

/// Who lies and has the trunk turned from upright by less than this gets up, rad.
const IS_UP: f32 = 0.6;
/// Who has the trunk turned by more lies on that side, rad.
const LIES: f32 = 1.0;

/// A known person, or a candidate.
#[derive(Clone, Debug)]
pub(super) struct Track {
    /// Identity; `None` for a candidate.
    pub id: Option<TrackId>,
    /// Which track this is.
    pub body: u32,
    /// Images it was seen on.
    pub hits: u32,
    /// Images in a row it was not seen on, before this one.
    pub misses: u32,
    /// When it was detected first.
    pub first_seen: Stamp,
    /// When it was seen last, or when it was detected first.
    pub last_seen: Stamp,
    /// Detector runs in a row that did not find it.
    pub unconfirmed_runs: u32,
    /// Last keypoints, moved to where they should be by now.
    pub keypoints: KeypointsInImage,
    /// Rectangle around `keypoints`.
    pub bbox: BoundingBox,
    /// Where to search.
    pub region: BoundingBox,
    /// Crop that the last finding proposed, moved along.
    pub crop: Option<Crop>,
    /// Which way up it is searched for.
    pub turn: Turn,
    /// px/s.
    velocity: (f32, f32),
    /// Last person score.
    pub score: f32,
    /// Whether it was found in this image.
    pub is_seen_now: bool,
    /// Whether `region` is a detection of this very image.
    pub is_fresh_detection: bool,
    /// What goes with the identity.
    pub looks: Looks,
    /// What is seen of it in this image, where there is a picture.
    pub seen_looks: Option<Appearance>,
    /// Images in a row on which it looked like another known person.
    pub strange_images: u32,
    /// Whether it was known before it was detected.
    pub is_recognised: bool,
}

/// What a person looks like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looks {
    appearance: Appearance,
    /// For how long that was watched, s.
    watched_secs: f32,
}

impl Looks {
    /// How unlike that is what is seen; `None` where nothing can be said yet.
    pub(super) fn unlike(&self, seen: &Appearance) -> Option<f32> {
        if self.are_known() { self.appearance.distance(seen) } else { None }
    }

    /// Whether something can be said.
    pub(super) fn are_known(&self) -> bool {
        self.watched_secs >= ACQUAINTED_SECS
    }

    /// Learns what was seen for `elapsed` s.
    pub(super) fn learn(&mut self, seen: &Appearance, elapsed: f32) {
        self.watched_secs += elapsed;
        self.appearance.approach(seen, (elapsed / self.watched_secs.clamp(1e-6, LEARN_SECS)).min(1.0));
    }
}

impl Track {
    /// A candidate at a detection.
    pub(super) fn candidate(body: u32, bbox: BoundingBox, turn: Turn, score: f32, stamp: Stamp) -> Self {
        Self {
            id: None,
            body,
            hits: 0,
            misses: 0,
            first_seen: stamp,
            last_seen: stamp,
            unconfirmed_runs: 0,
            keypoints: [None; JOINT_COUNT],
            bbox,
            region: bbox,
            crop: None,
            turn,
            velocity: (0.0, 0.0),
            score,
            is_seen_now: false,
            is_fresh_detection: true,
            looks: Looks::default(),
            seen_looks: None,
            strange_images: 0,
            is_recognised: false,
        }
    }

    /// Moves on by `elapsed` s.
    pub(super) fn predict(&mut self, elapsed: f32) {
        if !self.is_seen_now {
            self.misses += 1;
            let fade = (-elapsed / FADE_SECS).exp();
            self.velocity = (self.velocity.0 * fade, self.velocity.1 * fade);
        }
        self.shift(self.velocity.0 * elapsed, self.velocity.1 * elapsed);
        self.is_seen_now = false;
        self.is_fresh_detection = false;
        self.seen_looks = None;
    }

    /// The image is looked at in another way.
    pub(super) fn change_view(&mut self, from: &LevelView, to: &LevelView) {
        self.keypoints = to.keypoints_in_level(&from.keypoints_in_image(&self.keypoints));
        let moved = |bbox: &BoundingBox| to.box_in_level(&from.box_in_image(bbox));
        self.region = moved(&self.region);
        self.bbox = box_around(&self.keypoints).unwrap_or_else(|| moved(&self.bbox));
        self.crop = self.crop.map(|crop| crop.in_image(from).in_level(to));
        let velocity =
            Rotation2::new((to.roll() - from.roll()) as f32) * Vector2::new(self.velocity.0, self.velocity.1);
        self.velocity = (velocity.x, velocity.y);
        if (to.roll() - from.roll()).cos() < FRAC_PI_4.cos() {
            // Who lies in the one may stand in the other: the next finding tells.
            self.turn = Turn::Upright;
        }
    }

    /// The detector sees it here, this way up. Somebody who was lost is searched there anew.
    pub(super) fn confirm(&mut self, bbox: &BoundingBox, turn: Turn) {
        self.unconfirmed_runs = 0;
        if self.misses > 0 {
            self.region = *bbox;
            self.crop = None;
            self.turn = turn;
            self.is_fresh_detection = true;
        } else {
            self.region = grown_to(&self.region, bbox, 0.5);
        }
    }

    /// It was found, and looks like this where there is a picture.
    pub(super) fn see(
        &mut self,
        visible: KeypointsInImage,
        looks: Option<Appearance>,
        finding: &Finding,
        stamp: Stamp,
    ) {
        let Some(bbox) = box_around(&visible) else { return };
        let elapsed = stamp.seconds_since(self.last_seen) as f32;
        let is_moving_on = self.hits > 0 && self.misses == 0 && elapsed > 1e-3;
        if let Some((dx, dy)) = median_shift(&self.keypoints, &visible).filter(|_| is_moving_on) {
            // The keypoints were already moved by the velocity: what is left is its error.
            let gain = (1.0 - (-elapsed / VELOCITY_SECS).exp()) / elapsed;
            let velocity = (self.velocity.0 + dx * gain, self.velocity.1 + dy * gain);
            let limit = FASTEST * size(&bbox) / velocity.0.hypot(velocity.1).max(1e-6);
            self.velocity = (velocity.0 * limit.min(1.0), velocity.1 * limit.min(1.0));
        } else {
            self.velocity = (0.0, 0.0);
        }
        self.region = if is_moving_on {
            grown_to(&self.region, &bbox, 1.0 - (-elapsed / SHRINK_SECS).exp())
        } else if self.is_fresh_detection {
            grown_to(&self.region, &bbox, 0.0)
        } else {
            bbox
        };
        self.keypoints = visible;
        self.bbox = bbox;
        self.crop = finding.next_crop;
        self.turn = next_turn(self.turn, &visible);
        self.score = finding.person.score;
        self.hits += 1;
        self.misses = 0;
        self.last_seen = stamp;
        self.is_seen_now = true;
        self.seen_looks = looks;
    }

    /// It is somebody who was known before.
    pub(super) const fn become_known(&mut self, id: TrackId, looks: Looks) {
        (self.id, self.looks) = (Some(id), looks);
        self.strange_images = 0;
        self.is_recognised = true;
    }

    /// What leaves the tracker; `None` for a candidate.
    pub(super) fn to_person(&self) -> Option<TrackedPerson> {
        Some(TrackedPerson {
            id: self.id?,
            body: self.body,
            keypoints: if self.is_seen_now { self.keypoints } else { [None; JOINT_COUNT] },
            bbox_in_image_px: self.bbox,
            score: self.score,
            is_seen: self.is_seen_now,
        })
    }

    fn shift(&mut self, dx: f32, dy: f32) {
        for keypoint in self.keypoints.iter_mut().flatten() {
            keypoint.x += dx;
            keypoint.y += dy;
        }
        for bbox in [&mut self.bbox, &mut self.region] {
            bbox.x_min += dx;
            bbox.x_max += dx;
            bbox.y_min += dy;
            bbox.y_max += dy;
        }
        if let Some(crop) = &mut self.crop {
            crop.center_in_image_px.x += f64::from(dx);
            crop.center_in_image_px.y += f64::from(dy);
        }
    }
}

/// Which way up somebody is searched for next who was found like this: who is searched for lying gets up, or turns over.
/// Nobody is searched for lying as long as it is found upright, for networks know most of what people do that way: push-ups, for
/// one.
fn next_turn(turn: Turn, visible: &KeypointsInImage) -> Turn {
    let Some(angle) = trunk_angle(visible).filter(|_| turn != Turn::Upright) else { return turn };
    if angle.abs() < IS_UP {
        Turn::Upright
    } else if angle.abs() < LIES {
        turn
    } else if angle > 0.0 {
        Turn::HeadRight
    } else {
        Turn::HeadLeft
    }
}

/// Clockwise from straight up in the image to where the shoulders are from the hips, rad.
fn trunk_angle(visible: &KeypointsInImage) -> Option<f32> {
    let middle = |joints: [Joint; 2]| {
        let seen = joints.iter().filter_map(|joint| visible[joint.index()]);
        let (x, y, count) = seen.fold((0.0, 0.0, 0.0), |(x, y, count), at| (x + at.x, y + at.y, count + 1.0));
        (count > 0.0).then(|| (x / count, y / count))
    };
    let (hips, shoulders) = (middle([Joint::LHip, Joint::RHip])?, middle([Joint::LShoulder, Joint::RShoulder])?);
    Some((shoulders.0 - hips.0).atan2(hips.1 - shoulders.1))
}

/// `region` with each edge moved outwards to `bbox` at once, inwards by `share` of the way.
fn grown_to(region: &BoundingBox, bbox: &BoundingBox, share: f32) -> BoundingBox {
    let inwards = |from: f32, to: f32| from + (to - from) * share;
    BoundingBox {
        x_min: bbox.x_min.min(inwards(region.x_min, bbox.x_min)),
        y_min: bbox.y_min.min(inwards(region.y_min, bbox.y_min)),
        x_max: bbox.x_max.max(inwards(region.x_max, bbox.x_max)),
        y_max: bbox.y_max.max(inwards(region.y_max, bbox.y_max)),
    }
}
