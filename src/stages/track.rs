//! Identity: which person of this image is which person of the images before.
//!
//! Two inputs, one memory of people:
//! * **Images.** Each known person is looked for where it should be by now; a detector run only adds people nobody
//!   accounts for and brings back those who were lost:
//!   `begin(stamp)`, then `add_detections` for each of [`Tracker::detector_runs`], then [`Tracker::searches`], the keypoint
//!   network for each, and `update` with what it found.
//! * **Keypoints of another node.** `begin(stamp)`, then [`Tracker::associate`].
//!
//! Boxes and keypoints of images are those of the level image ([`LevelView`]); of another node's keypoints the image is that.
//!
//! In between the detector looks at the image turned by a quarter: whoever it finds there lies, and is searched for in a turned
//! crop until up again.
//!
//! What keeps identities apart where people overlap:
//! * a finding further from where its person should be than somebody moves since it was last seen is no finding;
//! * a finding that fits another known person much better than the one it was searched for is no finding;
//! * of searches that end on the same person only the one that fits its own past best keeps the finding.
//!
//! Where there is a picture, the colours of the clothes tell people apart as well (`recognition.rs`): a finding that looks
//! like a stranger is no finding of somebody who was lost or has jumped.
//!
//! Whoever is left without a finding coasts, is searched for on, calls for a detector run and comes back with the
//! detection nearest to where it should be. Not seen for `max_age_secs`, it is no longer searched for; who comes back within
//! `recognise_secs` is recognised by the looks. Identities ascend from 1 and are never given to somebody else. Pairs are made
//! greedily, best first, ties by order: the same input gives the same identities.

mod appearance;
mod closeness;
mod lying_runs;
mod pairing;
mod person;
mod recognition;
#[cfg(test)]
mod tests;

use self::appearance::Appearance;
use self::closeness::{box_around, center_distance, count, distance, median_distance, size};
use self::lying_runs::LyingRuns;
use self::pairing::Pairing;
use self::person::Track;
use self::recognition::{ALIKE, Gone, MOST_GONE, STRANGER};
use crate::data::{
    BoundingBox, Detection, KeypointsInImage, LevelImage, LevelView, PersonKeypoints, Stamp, TrackId, Turn,
};
use crate::stages::crop::Crop;

/// When people are born, kept and forgotten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackSettings {
    /// A person not seen for longer is no longer searched for, s.
    pub max_age_secs: f64,
    /// A person who comes back within this time is recognised by the looks, s.
    pub recognise_secs: f64,
    /// Images on which a person must be seen before it gets an identity.
    pub min_hits: u32,
    /// Keypoints with a lower score count as not seen.
    pub keypoint_score_threshold: f32,
    /// A finding with a lower person score is no finding.
    pub person_score_threshold: f32,
    /// Images from one detector run to the next, but for fewer where they are more than [`LONGEST_INTERVAL_SECS`] apart.
    pub detector_interval: u32,
    /// Whether the detector looks for people who lie as well.
    pub finds_lying: bool,
    /// At most so many people are followed, those who are lost too.
    pub max_people: usize,
}

/// A camera that is slow is looked at by the detector more often than on every `detector_interval`th image, s.
pub const LONGEST_INTERVAL_SECS: f32 = 1.0;
/// Fewer visible keypoints than this are no person.
const MIN_VISIBLE: usize = 4;
/// A detection that overlaps a known person more than this is that person.
const SAME_PERSON_IOU: f32 = 0.3;
/// Two findings closer than this (mean keypoint distance in person sizes) are one person.
const SAME_FINDING: f32 = 0.10;
/// So are two whose median keypoint is closer, where one looks like a stranger to its own past: the rest is a limb from beside.
const SAME_MOST: f32 = 0.05;
/// A finding may be this far from where the person should be, and [`JUMP_A_SECOND`] more for each second since the
/// person was seen, but never more than [`FARTHEST_JUMP`] (mean keypoint distance in person sizes).
const JUMP: f32 = 0.20;
const JUMP_A_SECOND: f32 = 1.0;
const FARTHEST_JUMP: f32 = 0.45;
/// A finding this much nearer to another known person than to its own belongs to the other.
const THEFT: f32 = 0.5;
/// A person whom so many detector runs in a row do not confirm is none.
const MAX_UNCONFIRMED_RUNS: u32 = 10;
/// After so many images without a finding a person gives way to somebody new where no more can be followed.
const GIVES_WAY: u32 = 3;
/// Of a box around somebody who may lie and that of somebody who is seen otherwise, the smaller lies in the larger by no more.
const KNOWN_SHARE: f32 = 0.5;
/// After so many images without a finding a person calls for the detector.
const CALLS: [u32; 3] = [1, 3, LAST_CALL];
/// The last of them.
const LAST_CALL: u32 = 6;
/// Who was watched for less is kept no longer than until [`LAST_CALL`]: what was taken for a person once or twice may have been none, s.
const FLEETING_SECS: f64 = 0.1;

/// Where to look for one person.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Which track asks; give it back with the finding.
    pub slot: usize,
    /// Where the person should be, image px.
    pub bbox_in_image_px: BoundingBox,
    /// The crop that the last finding proposed, moved along; `None` for a fresh detection.
    pub crop: Option<Crop>,
    /// Which way up the person is; says nothing where there is a crop.
    pub turn: Turn,
    /// Whether the person was found in the image before this one, or detected in this one.
    pub is_sure: bool,
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
    /// Which of the bodies that are followed: stays the same when identities that were mixed up are put right.
    pub body: u32,
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
    /// Who left, the first first.
    gone: Vec<Gone>,
    next_id: u32,
    next_body: u32,
    stamp: Stamp,
    /// Since the image before, s.
    elapsed_secs: f32,
    /// The same; 0 for the first image.
    period_secs: f32,
    images_since_detector: Option<u32>,
    lying: LyingRuns,
    buffers: Buffers,
}

/// What is used again from image to image.
#[derive(Clone, Debug, Default)]
struct Buffers {
    pairing: Pairing,
    candidates: Vec<Candidate>,
    seen: Vec<(KeypointsInImage, Option<Appearance>)>,
}

/// A finding that may be kept.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    finding: Finding,
    visible: KeypointsInImage,
    bbox: BoundingBox,
    looks: Option<Appearance>,
    fit: Fit,
}

/// How what was found fits what is known of the person.
#[derive(Clone, Copy, Debug)]
struct Fit {
    /// How far from where it should be, person sizes.
    jump: f32,
    /// How unlike the looks; 0 where nothing can be said.
    unlike: f32,
}

impl Fit {
    fn new(track: &Track, jump: f32, looks: Option<&Appearance>) -> Self {
        Self { jump, unlike: looks.and_then(|looks| track.looks.unlike(looks)).unwrap_or(0.0) }
    }

    /// How badly it fits its person's past: looks in doubt weigh as much as a jump by a fifth of the person.
    fn misfit(self) -> f32 {
        self.jump + 0.2 * (self.unlike / ALIKE).min(4.0)
    }

    /// Whether it is somebody else than the person it was searched for: it looks other, and that person was lost or would have
    /// jumped.
    fn is_stranger_to(self, track: &Track) -> bool {
        self.unlike > STRANGER && (track.misses > 0 || self.jump > SAME_FINDING)
    }
}

impl Tracker {
    /// Nobody is known yet.
    pub fn new(settings: TrackSettings) -> Self {
        Self {
            settings,
            tracks: Vec::new(),
            gone: Vec::with_capacity(MOST_GONE),
            next_id: 1,
            next_body: 0,
            stamp: Stamp::from_nanoseconds(0),
            elapsed_secs: 0.0,
            period_secs: 0.0,
            images_since_detector: None,
            lying: LyingRuns::default(),
            buffers: Buffers::default(),
        }
    }

    /// Takes new settings; whoever is known stays known.
    pub const fn set_settings(&mut self, settings: TrackSettings) {
        self.settings = settings;
    }

    /// Forgets everybody; identities go on ascending.
    pub fn reset(&mut self) {
        self.tracks.clear();
        self.gone.clear();
        self.images_since_detector = None;
        self.lying = LyingRuns::default();
    }

    /// Starts the image at `stamp`: forgets who was away too long, moves the others to where they should be.
    pub fn begin(&mut self, stamp: Stamp) {
        let elapsed = stamp.seconds_since(self.stamp).clamp(0.0, 1.0) as f32;
        (self.stamp, self.elapsed_secs) = (stamp, elapsed);
        self.period_secs = if self.images_since_detector.is_some() { elapsed } else { 0.0 };
        let max_age_secs = self.settings.max_age_secs;
        let is_leaving = |track: &Track| {
            let unseen_secs = stamp.seconds_since(track.last_seen);
            let is_fleeting = track.last_seen.seconds_since(track.first_seen) < FLEETING_SECS;
            unseen_secs > max_age_secs
                || (is_fleeting && track.misses > LAST_CALL)
                || track.unconfirmed_runs >= MAX_UNCONFIRMED_RUNS
        };
        self.remember_leavers(is_leaving);
        self.tracks.retain(|track| !is_leaving(track));
        for track in &mut self.tracks {
            track.predict(elapsed);
        }
    }

    /// From now on images are looked at in another way: everybody is where they were, seen anew.
    pub fn change_view(&mut self, from: &LevelView, to: &LevelView) {
        self.tracks.iter_mut().for_each(|track| track.change_view(from, to));
    }

    /// How the detector should look at this image: as it is at the start, on the interval, and soon after somebody was lost; turned
    /// for those who lie once an interval, on another image if possible.
    pub fn detector_runs(&mut self) -> impl Iterator<Item = Turn> + use<> {
        let is_due = self.images_to_detector() == 0;
        let is_wanted = is_due || self.tracks.iter().any(|track| CALLS.contains(&track.misses));
        self.images_since_detector =
            if is_wanted { Some(0) } else { self.images_since_detector.map(|images| images + 1) };
        let lying = self.lying.next(self.detector_interval(), is_wanted).filter(|_| self.settings.finds_lying);
        is_wanted.then_some(Turn::Upright).into_iter().chain(lying)
    }

    /// How many images from now the detector is due next if nobody is lost until then; 0 is the next image.
    pub fn images_to_detector(&self) -> u32 {
        self.images_since_detector.map_or(0, |images| self.detector_interval().saturating_sub(images + 1))
    }

    /// Images from one detector run to the next, at the rate of the last two.
    fn detector_interval(&self) -> u32 {
        let images = (LONGEST_INTERVAL_SECS / self.period_secs.max(1e-3)).round() as u32;
        self.settings.detector_interval.min(images.max(1))
    }

    /// Takes in what the detector found in the image that it looked at this way, by falling score: confirms the known, starts
    /// candidates for the others. Gives how many people there was no room for.
    pub fn add_detections(&mut self, detections: &[Detection], turn: Turn) -> usize {
        let mut pairing = std::mem::take(&mut self.buffers.pairing);
        pairing.begin(detections.len(), self.tracks.len());
        for (at, detection) in detections.iter().enumerate() {
            if turn != Turn::Upright && !self.may_lie(detection, turn) {
                pairing.is_row_taken[at] = true;
                continue;
            }
            for (slot, track) in self.tracks.iter().enumerate() {
                let iou = [track.bbox, track.region]
                    .map(|bbox| bbox.iou(&detection.bbox_in_image_px))
                    .into_iter()
                    .fold(0.0, f32::max);
                if iou > SAME_PERSON_IOU {
                    pairing.add(-iou, at, slot);
                } else if track.misses > 0 {
                    // Somebody lost may have gone some way; any overlap above is better.
                    let apart = center_distance(&track.bbox, &detection.bbox_in_image_px, size(&track.bbox));
                    let closeness = 1.0 - apart / (self.reach(track) + FARTHEST_JUMP);
                    if closeness > 0.0 {
                        pairing.add(-SAME_PERSON_IOU * closeness, at, slot);
                    }
                }
            }
        }
        pairing.match_greedily(|at, slot| self.tracks[slot].confirm(&detections[at].bbox_in_image_px, turn));
        for (track, is_confirmed) in self.tracks.iter_mut().zip(&pairing.is_slot_taken) {
            if !is_confirmed && track.turn == turn {
                track.unconfirmed_runs += 1;
            }
        }
        let mut left_out = 0;
        for (detection, _) in detections.iter().zip(&pairing.is_row_taken).filter(|(_, is_taken)| !**is_taken) {
            let candidate = self.new_candidate(detection.bbox_in_image_px, turn, detection.score);
            left_out += usize::from(self.follow(candidate, self.longest_lost(GIVES_WAY)).is_none());
        }
        self.buffers.pairing = pairing;
        left_out
    }

    /// Whether it may be somebody who lies: wider than high, and not who is seen already, alone or with others.
    fn may_lie(&self, detection: &Detection, turn: Turn) -> bool {
        let bbox = &detection.bbox_in_image_px;
        let is_known = |track: &Track| {
            let smaller = track.bbox.area().min(bbox.area());
            track.misses == 0 && track.turn != turn && bbox.overlap(&track.bbox) > KNOWN_SHARE * smaller
        };
        bbox.width() > bbox.height() && !self.tracks.iter().any(is_known)
    }

    /// Where to look for each person in this image.
    pub fn searches(&self) -> impl Iterator<Item = Search> + '_ {
        self.tracks.iter().enumerate().map(|(slot, track)| Search {
            slot,
            bbox_in_image_px: track.region,
            crop: track.crop,
            turn: track.turn,
            is_sure: track.misses == 0 || track.is_fresh_detection,
        })
    }

    /// Takes in what the keypoint network found in `picture`.
    pub fn update(&mut self, findings: &[Finding], picture: Option<LevelImage<'_>>) {
        let mut candidates = std::mem::take(&mut self.buffers.candidates);
        candidates.clear();
        candidates.extend(findings.iter().filter_map(|finding| self.candidate(finding, picture)));
        // Of findings on the same person the identity's that fits its own past best stays.
        candidates.sort_unstable_by(|a, b| {
            let is_unnamed = |candidate: &Candidate| {
                let track = &self.tracks[candidate.finding.slot];
                track.id.is_none() || candidate.fit.is_stranger_to(track)
            };
            let order = is_unnamed(a).cmp(&is_unnamed(b)).then(a.fit.misfit().total_cmp(&b.fit.misfit()));
            order.then(a.finding.slot.cmp(&b.finding.slot))
        });
        // The first `kept` are those that stay.
        let mut kept = 0;
        for at in 0..candidates.len() {
            let Candidate { finding, visible, bbox, looks, fit } = candidates[at];
            let is_double = candidates[..kept].iter().any(|other| {
                let is_mostly_same =
                    fit.unlike > STRANGER && is_mostly_same(&visible, &bbox, &other.visible, &other.bbox);
                is_mostly_same || is_same_finding(&visible, &bbox, &other.visible, &other.bbox)
            });
            if !is_double {
                candidates.swap(kept, at);
                kept += 1;
                let mut slot = finding.slot;
                if fit.is_stranger_to(&self.tracks[slot]) {
                    // Somebody else stands where the person was searched for.
                    let newcomer = self.new_candidate(bbox, self.tracks[slot].turn, finding.person.score);
                    slot = self.follow(newcomer, Some(slot)).unwrap_or(slot);
                }
                self.tracks[slot].see(visible, looks, &finding, self.stamp);
            }
        }
        self.buffers.candidates = candidates;
        // A candidate that doubles a person, or that nothing was found for, never was.
        self.tracks.retain(|track| track.id.is_some() || track.is_seen_now);
        self.follow_looks();
        self.name_newcomers();
    }

    /// Takes in everybody that a network or another node sees in this image, with the picture where there is one.
    pub fn associate(&mut self, people: &[PersonKeypoints], picture: Option<LevelImage<'_>>) {
        let Buffers { mut pairing, mut seen, candidates } = std::mem::take(&mut self.buffers);
        seen.clear();
        seen.extend(people.iter().map(|person| {
            let visible = self.visible(&person.keypoints);
            (visible, picture.map(|picture| Appearance::of(picture, &visible)))
        }));
        let finding = |slot: usize, at: usize| Finding { slot, person: people[at], next_crop: None };
        pairing.begin(people.len(), self.tracks.len());
        for (at, (visible, looks)) in seen.iter().enumerate().filter(|(_, (visible, _))| count(visible) >= MIN_VISIBLE)
        {
            let Some(bbox) = box_around(visible) else { continue };
            for (slot, track) in self.tracks.iter().enumerate() {
                let apart = distance(visible, &track.keypoints, size(&track.bbox).max(size(&bbox)));
                if let Some(jump) = apart.filter(|apart| *apart < 2.0 * self.reach(track)) {
                    let fit = Fit::new(track, jump, looks.as_ref());
                    if !fit.is_stranger_to(track) {
                        pairing.add(fit.misfit(), at, slot);
                    }
                }
            }
        }
        let stamp = self.stamp;
        pairing.match_greedily(|at, slot| {
            let (visible, looks) = seen[at];
            self.tracks[slot].see(visible, looks, &finding(slot, at), stamp);
        });
        for at in (0..people.len()).filter(|&at| !pairing.is_row_taken[at]) {
            let (visible, looks) = seen[at];
            let Some(bbox) = box_around(&visible).filter(|_| count(&visible) >= MIN_VISIBLE) else { continue };
            let is_double = self
                .tracks
                .iter()
                .any(|track| track.is_seen_now && is_same_finding(&visible, &bbox, &track.keypoints, &track.bbox));
            if !is_double {
                let candidate = self.new_candidate(bbox, Turn::Upright, people[at].score);
                if let Some(slot) = self.follow(candidate, self.longest_lost(0)) {
                    self.tracks[slot].see(visible, looks, &finding(slot, at), stamp);
                }
            }
        }
        self.buffers = Buffers { pairing, candidates, seen };
        self.tracks.retain(|track| track.id.is_some() || track.is_seen_now);
        self.follow_looks();
        self.name_newcomers();
    }

    /// Everybody who has an identity, by ascending identity; coasting people too. `people` is written anew.
    pub fn write_people(&self, people: &mut Vec<TrackedPerson>) {
        people.clear();
        people.extend(self.tracks.iter().filter_map(Track::to_person));
        people.sort_unstable_by_key(|person| person.id);
    }

    /// Whether a finding may be the person it was searched for.
    fn candidate(&self, finding: &Finding, picture: Option<LevelImage<'_>>) -> Option<Candidate> {
        let track = self.tracks.get(finding.slot)?;
        let visible = self.visible(&finding.person.keypoints);
        let bbox = box_around(&visible)?;
        // False for NaN as well.
        let is_person = finding.person.score >= self.settings.person_score_threshold;
        if !is_person || count(&visible) < MIN_VISIBLE {
            return None;
        }
        let looks = picture.map(|picture| Appearance::of(picture, &visible));
        let jump_from = |track: &Track| distance(&visible, &track.keypoints, size(&track.bbox));
        if track.hits == 0 || track.is_fresh_detection {
            let fit = Fit::new(track, 0.0, looks.as_ref());
            return Some(Candidate { finding: *finding, visible, bbox, looks, fit });
        }
        let jump = jump_from(track).unwrap_or(0.0);
        let is_stolen = self.tracks.iter().enumerate().any(|(slot, other)| {
            slot != finding.slot
                && other.id.is_some()
                && other.misses == 0
                && jump_from(other).is_some_and(|others| others < THEFT * jump && others < SAME_FINDING)
        });
        let fit = Fit::new(track, jump, looks.as_ref());
        let is_own = jump <= self.reach(track) && !is_stolen && !fit.is_stranger_to(track);
        is_own.then_some(Candidate { finding: *finding, visible, bbox, looks, fit })
    }

    /// How far from where it should be a person may be found, person sizes.
    fn reach(&self, track: &Track) -> f32 {
        let away_secs = self.stamp.seconds_since(track.last_seen) as f32;
        (JUMP + JUMP_A_SECOND * away_secs).min(FARTHEST_JUMP)
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

    fn new_candidate(&mut self, bbox: BoundingBox, turn: Turn, score: f32) -> Track {
        self.next_body = self.next_body.wrapping_add(1);
        Track::candidate(self.next_body, bbox, turn, score, self.stamp)
    }

    /// Follows a candidate too, where there is no room for one more in the place of the person in the slot `instead_of`, who is
    /// remembered as one who left; gives the candidate's slot.
    fn follow(&mut self, candidate: Track, instead_of: Option<usize>) -> Option<usize> {
        if self.tracks.len() < self.settings.max_people {
            self.tracks.push(candidate);
            return Some(self.tracks.len() - 1);
        }
        let slot = instead_of?;
        self.remember(slot);
        self.tracks[slot] = candidate;
        Some(slot)
    }

    /// The slot of whoever has been lost for longest, and for no fewer than `misses` images.
    fn longest_lost(&self, misses: u32) -> Option<usize> {
        let is_lost = |track: &Track| track.misses >= misses && !track.is_seen_now && !track.is_fresh_detection;
        let lost = self.tracks.iter().enumerate().filter(|(_, track)| is_lost(track));
        lost.max_by_key(|(_, track)| track.misses).map(|(slot, _)| slot)
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

fn is_same_finding(a: &KeypointsInImage, a_box: &BoundingBox, b: &KeypointsInImage, b_box: &BoundingBox) -> bool {
    distance(a, b, size(a_box).max(size(b_box))).is_some_and(|apart| apart < SAME_FINDING)
}

fn is_mostly_same(a: &KeypointsInImage, a_box: &BoundingBox, b: &KeypointsInImage, b_box: &BoundingBox) -> bool {
    median_distance(a, b, size(a_box).max(size(b_box))).is_some_and(|apart| apart < SAME_MOST)
}
