//! Identity: which person of this image is which person of the images before.
//!
//! Two inputs, one memory of people:
//! * **Images.** Each known person is looked for where it should be by now; a detector run only adds people nobody
//!   accounts for and brings back those who were lost:
//!   `begin(stamp)`, then `add_detections` when [`Tracker::wants_detector`], then [`Tracker::searches`], the keypoint
//!   network for each, and `update` with what it found.
//! * **Keypoints of another node.** `begin(stamp)`, then [`Tracker::associate`].
//!
//! What keeps identities apart where people overlap: two searches that end on the same person are noticed (their
//! keypoints are nearly the same) and only the one that fits its own past keeps the finding, the other coasts; a finding
//! that jumps away from where the person should be is no finding. A person who is not seen coasts for
//! `max_age_secs` and is then forgotten. Identities ascend from 1 and are never used again.

use crate::data::{BoundingBox, Detection, KeypointsInImage, PersonKeypoints, Stamp, TrackId};
use crate::skeleton::JOINT_COUNT;
use crate::stages::crop::Crop;

/// When people are born, kept and forgotten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackSettings {
    /// A person not seen for longer is forgotten, s.
    pub max_age_secs: f64,
    /// Images on which a person must be seen before it gets an identity.
    pub min_hits: u32,
    /// Keypoints with a lower score count as not seen.
    pub keypoint_score_threshold: f32,
    /// A finding with a lower person score is no finding.
    pub person_score_threshold: f32,
    /// Images from one detector run to the next.
    pub detector_interval: u32,
}

/// Fewer visible keypoints than this are no person.
const MIN_VISIBLE: usize = 4;
/// A detection that overlaps a known person more than this is that person.
const SAME_PERSON_IOU: f32 = 0.3;
/// Two findings closer than this (mean keypoint distance in person sizes) are one person.
const SAME_FINDING: f32 = 0.10;
/// A finding further than this from where the person should be is somebody else.
const FARTHEST_JUMP: f32 = 0.45;
/// A person whom so many detector runs in a row do not confirm is none.
const MAX_UNCONFIRMED_RUNS: u32 = 6;
/// Share of the new velocity in the running one.
const VELOCITY_BLEND: f32 = 0.4;

/// A known person, or a candidate.
#[derive(Clone, Debug)]
struct Track {
    id: Option<TrackId>,
    hits: u32,
    last_seen: Stamp,
    unconfirmed_runs: u32,
    keypoints: KeypointsInImage,
    bbox: BoundingBox,
    velocity: (f32, f32),
    crop: Option<Crop>,
    score: f32,
    is_seen_now: bool,
    is_fresh_detection: bool,
}

/// Where to look for one person.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Which track asks; give it back with the finding.
    pub slot: usize,
    /// Where the person should be, image px.
    pub bbox_in_image_px: BoundingBox,
    /// The crop that the last finding proposed, moved along; `None` for a fresh detection.
    pub crop: Option<Crop>,
}

/// What the keypoint network found for one search.
#[derive(Clone, Copy, Debug)]
pub struct Finding {
    /// The search's slot.
    pub slot: usize,
    /// The person.
    pub person: PersonKeypoints,
    /// Where to look next, where the network says so.
    pub next_crop: Option<Crop>,
}

/// One person of this image.
#[derive(Clone, Copy, Debug)]
pub struct TrackedPerson {
    /// Identity.
    pub id: TrackId,
    /// Keypoints above the threshold; all `None` while the person coasts.
    pub keypoints: KeypointsInImage,
    /// Rectangle around the person, image px; predicted while it coasts.
    pub bbox_in_image_px: BoundingBox,
    /// How sure the 2D stage is that this is a person.
    pub score: f32,
    /// Whether the person was found in this image.
    pub is_seen: bool,
}

/// Everybody's identity.
#[derive(Clone, Debug)]
pub struct Tracker {
    settings: TrackSettings,
    tracks: Vec<Track>,
    next_id: u32,
    stamp: Stamp,
    images_since_detector: Option<u32>,
    has_lost_somebody: bool,
}

impl Tracker {
    /// Nobody is known yet.
    pub const fn new(settings: TrackSettings) -> Self {
        Self {
            settings,
            tracks: Vec::new(),
            next_id: 1,
            stamp: Stamp::from_nanoseconds(0),
            images_since_detector: None,
            has_lost_somebody: false,
        }
    }

    /// Changes the settings without forgetting anybody.
    pub const fn set_settings(&mut self, settings: TrackSettings) {
        self.settings = settings;
    }

    /// Forgets everybody; identities go on ascending.
    pub fn reset(&mut self) {
        self.tracks.clear();
        self.images_since_detector = None;
    }

    /// Starts the image at `stamp`: forgets who was away too long, moves the others to where they should be.
    pub fn begin(&mut self, stamp: Stamp) {
        let elapsed = stamp.seconds_since(self.stamp).clamp(0.0, 1.0) as f32;
        self.stamp = stamp;
        let before = self.tracks.len();
        let settings = self.settings;
        self.tracks.retain(|track| {
            let is_recent = stamp.seconds_since(track.last_seen) <= settings.max_age_secs;
            let is_confirmed = track.unconfirmed_runs < MAX_UNCONFIRMED_RUNS;
            is_recent && is_confirmed
        });
        self.has_lost_somebody |= self.tracks.len() < before;
        for track in &mut self.tracks {
            let (dx, dy) = (track.velocity.0 * elapsed, track.velocity.1 * elapsed);
            track.shift(dx, dy);
            if !track.is_seen_now {
                // Nobody keeps walking blindly: what is known of the motion fades.
                track.velocity = (track.velocity.0 * 0.8, track.velocity.1 * 0.8);
            }
            track.is_seen_now = false;
            track.is_fresh_detection = false;
        }
    }

    /// Whether the detector should run on this image: at the start, on its interval, when nobody is known and when
    /// somebody was lost.
    pub fn wants_detector(&mut self) -> bool {
        let is_due = self.images_since_detector.is_none_or(|images| images + 1 >= self.settings.detector_interval);
        let is_wanted = is_due || self.has_lost_somebody;
        self.images_since_detector =
            if is_wanted { Some(0) } else { self.images_since_detector.map(|images| images + 1) };
        self.has_lost_somebody = false;
        is_wanted
    }

    /// Takes in a detector run: confirms the known, starts candidates for the others.
    pub fn add_detections(&mut self, detections: &[Detection]) {
        let known = self.tracks.len();
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (at, detection) in detections.iter().enumerate() {
            for (slot, track) in self.tracks.iter().enumerate() {
                let iou = track.bbox.iou(&detection.bbox_in_image_px);
                if iou > SAME_PERSON_IOU {
                    pairs.push((iou, at, slot));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut is_taken = vec![false; detections.len()];
        let mut is_confirmed = vec![false; known];
        for (_, at, slot) in pairs {
            if is_taken[at] || is_confirmed[slot] {
                continue;
            }
            is_taken[at] = true;
            is_confirmed[slot] = true;
            let stamp = self.stamp;
            let track = &mut self.tracks[slot];
            track.unconfirmed_runs = 0;
            if stamp.seconds_since(track.last_seen) > 0.1 {
                // The crop of somebody who was lost is stale; the detector knows better.
                track.bbox = detections[at].bbox_in_image_px;
                track.crop = None;
                track.is_fresh_detection = true;
            }
        }
        for (track, is_confirmed) in self.tracks.iter_mut().zip(is_confirmed) {
            if !is_confirmed {
                track.unconfirmed_runs += 1;
            }
        }
        for (detection, _) in detections.iter().zip(is_taken).filter(|(_, is_taken)| !is_taken) {
            self.tracks.push(Track::candidate(detection.bbox_in_image_px, detection.score, self.stamp));
        }
    }

    /// Where to look for each person in this image.
    pub fn searches(&self) -> impl Iterator<Item = Search> + '_ {
        self.tracks.iter().enumerate().map(|(slot, track)| Search {
            slot,
            bbox_in_image_px: track.bbox,
            crop: track.crop,
        })
    }

    /// Takes in what the keypoint network found.
    pub fn update(&mut self, findings: &[Finding]) {
        let mut accepted: Vec<(Finding, KeypointsInImage, BoundingBox, f32)> = Vec::new();
        for finding in findings {
            let Some(track) = self.tracks.get(finding.slot) else { continue };
            let visible = self.visible(&finding.person.keypoints);
            let Some(bbox) = box_around(&visible) else { continue };
            if finding.person.score < self.settings.person_score_threshold || count(&visible) < MIN_VISIBLE {
                continue;
            }
            let jump = if track.hits == 0 || track.is_fresh_detection {
                0.0
            } else {
                distance(&visible, &track.keypoints, size(&track.bbox)).unwrap_or(0.0)
            };
            if jump <= FARTHEST_JUMP {
                accepted.push((*finding, visible, bbox, jump));
            }
        }
        // Of findings on the same person the oldest identity's that fits its own past best stays.
        accepted.sort_by(|a, b| {
            let rank = |entry: &(Finding, KeypointsInImage, BoundingBox, f32)| {
                let track = &self.tracks[entry.0.slot];
                (track.id.is_none(), entry.3)
            };
            let ((candidate_a, jump_a), (candidate_b, jump_b)) = (rank(a), rank(b));
            candidate_a.cmp(&candidate_b).then(jump_a.total_cmp(&jump_b)).then(a.0.slot.cmp(&b.0.slot))
        });
        let mut kept: Vec<(KeypointsInImage, BoundingBox)> = Vec::new();
        let mut doubles = Vec::new();
        for (finding, visible, bbox, _) in accepted {
            let is_double = kept.iter().any(|(other, other_box)| {
                let scale = size(&bbox).max(size(other_box));
                distance(&visible, other, scale).is_some_and(|apart| apart < SAME_FINDING)
            });
            if is_double {
                doubles.push(finding.slot);
                continue;
            }
            kept.push((visible, bbox));
            self.see(finding.slot, visible, bbox, &finding);
        }
        let mut slot = 0;
        self.tracks.retain(|track| {
            // A candidate that doubles a person, or that nothing was found for, never was.
            let was_double = doubles.contains(&slot);
            slot += 1;
            track.id.is_some() || (track.is_seen_now && !was_double)
        });
        self.name_newcomers();
    }

    /// Takes in everybody that another node sees in this image.
    pub fn associate(&mut self, people: &[PersonKeypoints]) {
        let known = self.tracks.len();
        let seen: Vec<_> = people.iter().map(|person| self.visible(&person.keypoints)).collect();
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (at, visible) in seen.iter().enumerate() {
            let Some(bbox) = box_around(visible) else { continue };
            for (slot, track) in self.tracks.iter().enumerate() {
                let scale = size(&track.bbox).max(size(&bbox));
                let apart = distance(visible, &track.keypoints, scale);
                if let Some(apart) = apart.filter(|apart| *apart < 2.0 * FARTHEST_JUMP) {
                    pairs.push((apart, at, slot));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut is_taken = vec![false; people.len()];
        let mut is_found = vec![false; known];
        let finding = |slot: usize, at: usize| Finding { slot, person: people[at], next_crop: None };
        for (_, at, slot) in pairs {
            if is_taken[at] || is_found[slot] {
                continue;
            }
            is_taken[at] = true;
            is_found[slot] = true;
            if let Some(bbox) = box_around(&seen[at]) {
                self.see(slot, seen[at], bbox, &finding(slot, at));
            }
        }
        for at in (0..people.len()).filter(|&at| !is_taken[at] && count(&seen[at]) >= MIN_VISIBLE) {
            if let Some(bbox) = box_around(&seen[at]) {
                self.tracks.push(Track::candidate(bbox, people[at].score, self.stamp));
                let slot = self.tracks.len() - 1;
                self.see(slot, seen[at], bbox, &finding(slot, at));
            }
        }
        self.name_newcomers();
    }

    /// Everybody who has an identity, by ascending identity; coasting people too.
    pub fn people(&self) -> Vec<TrackedPerson> {
        let mut people: Vec<TrackedPerson> = self
            .tracks
            .iter()
            .filter_map(|track| {
                Some(TrackedPerson {
                    id: track.id?,
                    keypoints: if track.is_seen_now { track.keypoints } else { [None; JOINT_COUNT] },
                    bbox_in_image_px: track.bbox,
                    score: track.score,
                    is_seen: track.is_seen_now,
                })
            })
            .collect();
        people.sort_by_key(|person| person.id);
        people
    }

    fn visible(&self, keypoints: &KeypointsInImage) -> KeypointsInImage {
        keypoints.map(|keypoint| {
            keypoint.filter(|keypoint| {
                keypoint.score >= self.settings.keypoint_score_threshold
                    && keypoint.x.is_finite()
                    && keypoint.y.is_finite()
            })
        })
    }

    fn see(&mut self, slot: usize, visible: KeypointsInImage, bbox: BoundingBox, finding: &Finding) {
        let stamp = self.stamp;
        let track = &mut self.tracks[slot];
        let elapsed = stamp.seconds_since(track.last_seen) as f32;
        if track.hits > 0 && elapsed > 1e-3 {
            // `track` was already moved by its velocity: what is left is the correction.
            let (dx, dy) = mean_shift(&track.keypoints, &visible);
            let correction = (dx / elapsed * VELOCITY_BLEND, dy / elapsed * VELOCITY_BLEND);
            track.velocity = (track.velocity.0 + correction.0, track.velocity.1 + correction.1);
        }
        track.keypoints = visible;
        track.bbox = bbox;
        track.crop = finding.next_crop;
        track.score = finding.person.score;
        track.hits += 1;
        track.last_seen = stamp;
        track.is_seen_now = true;
    }

    fn name_newcomers(&mut self) {
        for track in &mut self.tracks {
            if track.id.is_none() && track.hits >= self.settings.min_hits {
                track.id = Some(TrackId(self.next_id));
                self.next_id += 1;
            }
        }
    }
}

impl Track {
    const fn candidate(bbox: BoundingBox, score: f32, stamp: Stamp) -> Self {
        Self {
            id: None,
            hits: 0,
            last_seen: stamp,
            unconfirmed_runs: 0,
            keypoints: [None; JOINT_COUNT],
            bbox,
            velocity: (0.0, 0.0),
            crop: None,
            score,
            is_seen_now: false,
            is_fresh_detection: true,
        }
    }

    fn shift(&mut self, dx: f32, dy: f32) {
        for keypoint in self.keypoints.iter_mut().flatten() {
            keypoint.x += dx;
            keypoint.y += dy;
        }
        self.bbox.x_min += dx;
        self.bbox.x_max += dx;
        self.bbox.y_min += dy;
        self.bbox.y_max += dy;
        if let Some(crop) = &mut self.crop {
            crop.center_in_image_px.x += f64::from(dx);
            crop.center_in_image_px.y += f64::from(dy);
        }
    }
}

fn count(keypoints: &KeypointsInImage) -> usize {
    keypoints.iter().flatten().count()
}

/// The rectangle around keypoints, a little larger: a head and feet go beyond their keypoints.
fn box_around(keypoints: &KeypointsInImage) -> Option<BoundingBox> {
    let mut bbox =
        BoundingBox { x_min: f32::INFINITY, y_min: f32::INFINITY, x_max: f32::NEG_INFINITY, y_max: f32::NEG_INFINITY };
    for keypoint in keypoints.iter().flatten() {
        bbox.x_min = bbox.x_min.min(keypoint.x);
        bbox.x_max = bbox.x_max.max(keypoint.x);
        bbox.y_min = bbox.y_min.min(keypoint.y);
        bbox.y_max = bbox.y_max.max(keypoint.y);
    }
    let margin = 0.08 * bbox.width().max(bbox.height());
    let grown = BoundingBox {
        x_min: bbox.x_min - margin,
        y_min: bbox.y_min - margin,
        x_max: bbox.x_max + margin,
        y_max: bbox.y_max + margin,
    };
    (bbox.x_min.is_finite() && margin > 0.0).then_some(grown)
}

fn size(bbox: &BoundingBox) -> f32 {
    bbox.width().max(bbox.height()).max(1.0)
}

/// Mean distance of the keypoints that both have, in units of `scale`.
fn distance(a: &KeypointsInImage, b: &KeypointsInImage, scale: f32) -> Option<f32> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for (a, b) in a.iter().zip(b) {
        if let (Some(a), Some(b)) = (a, b) {
            sum += (a.x - b.x).hypot(a.y - b.y);
            count += 1;
        }
    }
    (count > 0).then(|| sum / (count as f32 * scale))
}

fn mean_shift(from: &KeypointsInImage, to: &KeypointsInImage) -> (f32, f32) {
    let (mut dx, mut dy, mut count) = (0.0, 0.0, 0_u32);
    for (from, to) in from.iter().zip(to) {
        if let (Some(from), Some(to)) = (from, to) {
            dx += to.x - from.x;
            dy += to.y - from.y;
            count += 1;
        }
    }
    let count = count.max(1) as f32;
    (dx / count, dy / count)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::Keypoint;

    const SETTINGS: TrackSettings = TrackSettings {
        max_age_secs: 1.0,
        min_hits: 2,
        keypoint_score_threshold: 0.3,
        person_score_threshold: 0.3,
        detector_interval: 5,
    };

    fn person(x: f32) -> PersonKeypoints {
        let keypoints = std::array::from_fn(|joint| {
            let joint = joint as f32;
            Some(Keypoint { x: x + 20.0 * (joint * 2.4).sin(), y: 100.0 + 10.0 * joint, score: 0.9, spread: None })
        });
        PersonKeypoints { keypoints, score: 0.9 }
    }

    fn at(image: i64) -> Stamp {
        Stamp::from_nanoseconds(1_000_000_000 + image * 33_333_333)
    }

    fn see(tracker: &mut Tracker, image: i64, people: &[PersonKeypoints]) -> Vec<(u32, bool, f32)> {
        tracker.begin(at(image));
        tracker.associate(people);
        tracker
            .people()
            .iter()
            .map(|person| (person.id.0, person.is_seen, person.bbox_in_image_px.center().0))
            .collect()
    }

    #[test]
    fn an_identity_is_given_after_the_second_sight_and_kept() {
        let mut tracker = Tracker::new(SETTINGS);
        assert!(see(&mut tracker, 0, &[person(50.0)]).is_empty());
        for image in 1..30 {
            let people = see(&mut tracker, image, &[person(50.0 + 3.0 * image as f32)]);
            assert_eq!(people.len(), 1);
            assert_eq!((people[0].0, people[0].1), (1, true));
        }
    }

    #[test]
    fn people_who_cross_keep_their_identities() {
        let mut tracker = Tracker::new(SETTINGS);
        let mut last = Vec::new();
        for image in 0..60 {
            let (left, right) = (100.0 + 8.0 * image as f32, 560.0 - 8.0 * image as f32);
            // Hidden by the other while they overlap.
            let people =
                if (left - right).abs() < 40.0 { vec![person(left)] } else { vec![person(right), person(left)] };
            last = see(&mut tracker, image, &people);
        }
        let ids: Vec<u32> = last.iter().map(|person| person.0).collect();
        assert_eq!(ids, [1, 2]);
        let walker = if last[0].2 > 400.0 { 0 } else { 1 };
        // Person 1 was listed first, at the right, and has walked to the left.
        assert_eq!(walker, 1, "{last:?}");
    }

    #[test]
    fn somebody_hidden_coasts_and_comes_back_as_the_same() {
        let mut tracker = Tracker::new(SETTINGS);
        for image in 0..10 {
            see(&mut tracker, image, &[person(100.0 + 4.0 * image as f32)]);
        }
        for image in 10..25 {
            let people = see(&mut tracker, image, &[]);
            assert_eq!((people[0].0, people[0].1), (1, false));
        }
        assert_eq!(see(&mut tracker, 25, &[person(150.0)])[0].0, 1);
        assert!(see(&mut tracker, 80, &[]).is_empty(), "after more than a second the person is forgotten");
        see(&mut tracker, 81, &[person(150.0)]);
        assert_eq!(see(&mut tracker, 82, &[person(150.0)])[0].0, 2, "and an identity is never used again");
    }

    #[test]
    fn two_searches_that_end_on_one_person_leave_one() {
        let mut tracker = Tracker::new(SETTINGS);
        for image in 0..3 {
            see(&mut tracker, image, &[person(100.0), person(220.0)]);
        }
        tracker.begin(at(3));
        let findings: Vec<Finding> = tracker
            .searches()
            .map(|search| Finding { slot: search.slot, person: person(101.0), next_crop: None })
            .collect();
        assert_eq!(findings.len(), 2);
        tracker.update(&findings);
        let seen: Vec<bool> = tracker.people().iter().map(|person| person.is_seen).collect();
        assert_eq!(seen, [true, false], "the one it belongs to keeps it, the other coasts");
    }

    #[test]
    fn poor_findings_are_nobody() {
        let mut tracker = Tracker::new(SETTINGS);
        for image in 0..5 {
            tracker.begin(at(image));
            let bbox = BoundingBox { x_min: 0.0, y_min: 0.0, x_max: 50.0, y_max: 100.0 };
            if tracker.wants_detector() {
                tracker.add_detections(&[Detection { bbox_in_image_px: bbox, score: 0.5 }]);
            }
            let mut poor = person(30.0);
            for keypoint in poor.keypoints.iter_mut().flatten() {
                keypoint.score = 0.1;
            }
            let findings: Vec<Finding> =
                tracker.searches().map(|search| Finding { slot: search.slot, person: poor, next_crop: None }).collect();
            tracker.update(&findings);
            assert!(tracker.people().is_empty());
        }
    }
}
