//! Identities go with the looks of people, where there is a picture: those who were mixed up are told apart again, and
//! those who come back are recognised.
//!
//! * Whoever looks clearly more like another known person than like itself for [`STRANGE_IMAGES`] images in a row, while
//!   that other one is not seen or looks strange as well, gets the other's identity, and the other its.
//! * A newcomer who looks like somebody who is away, and clearly less like anybody else, is that one, unless both were seen
//!   side by side. People are remembered for `recognise_secs`.
//!
//! People in equal clothes are not told apart by them: then places and movements decide alone.

use super::appearance::Appearance;
use super::person::{Looks, Track};
use super::{Tracker, size};
use crate::data::{Stamp, TrackId};

/// Looks less unlike than this may be the same person's.
pub(super) const ALIKE: f32 = 0.25;
/// Somebody this much less unlike than another is clearly more like.
const CLEARLY: f32 = 0.15;
/// Looks more unlike than this are not the same person's, unless it has hardly moved.
pub(super) const STRANGER: f32 = 0.5;
/// See above.
const STRANGE_IMAGES: u32 = 3;
/// Where people overlap more than this (intersection over union), looks are not learnt.
const NEAR_IOU: f32 = 0.1;
/// A newcomer may be recognised for so long.
const NEW_SECS: f64 = 1.0;
/// Two who were seen side by side for longer are two; for less, the one may have been a search that had slid off.
const SIDE_BY_SIDE_SECS: f64 = 0.25;
/// At most so many who left are remembered.
pub(super) const MOST_GONE: usize = 32;

/// Somebody who left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    id: TrackId,
    looks: Looks,
    last_seen: Stamp,
}

/// Somebody who is known.
#[derive(Clone, Copy)]
enum Known {
    /// Seen or lost: the track's slot.
    Here(usize),
    /// Left: the index among those.
    Gone(usize),
}

impl Tracker {
    /// Remembers those who are about to be forgotten, and no longer those who left too long ago.
    pub(super) fn remember_leavers(&mut self, is_leaving: impl Fn(&Track) -> bool) {
        let (stamp, longest) = (self.stamp, self.settings.recognise_secs);
        self.gone.retain(|gone| stamp.seconds_since(gone.last_seen) <= longest);
        for slot in 0..self.tracks.len() {
            if is_leaving(&self.tracks[slot]) {
                self.remember(slot);
            }
        }
    }

    /// Remembers whoever is in `slot` as one who left.
    pub(super) fn remember(&mut self, slot: usize) {
        let Track { id, looks, last_seen, .. } = self.tracks[slot];
        if let Some(id) = id.filter(|_| self.settings.recognise_secs > 0.0 && looks.are_known()) {
            if self.gone.len() == MOST_GONE {
                self.gone.remove(0);
            }
            self.gone.push(Gone { id, looks, last_seen });
        }
    }

    /// After everybody in this image was seen: identities to those they look like, and what they look like is learnt.
    pub(super) fn follow_looks(&mut self) {
        self.put_identities_right();
        self.learn_looks();
        self.recognise_newcomers();
    }

    fn put_identities_right(&mut self) {
        for slot in 0..self.tracks.len() {
            let is_strange = self.better_fitting(slot).is_some();
            let images = &mut self.tracks[slot].strange_images;
            *images = if is_strange { *images + 1 } else { 0 };
        }
        for slot in 0..self.tracks.len() {
            if self.tracks[slot].strange_images < STRANGE_IMAGES {
                continue;
            }
            match self.better_fitting(slot) {
                Some(Known::Here(other)) => {
                    let is_strange_too = self.tracks[other].strange_images >= STRANGE_IMAGES;
                    if is_strange_too || !self.tracks[other].is_seen_now {
                        self.exchange(slot, other);
                    }
                }
                Some(Known::Gone(gone)) => {
                    let gone = self.gone.remove(gone);
                    self.remember(slot);
                    self.tracks[slot].become_known(gone.id, gone.looks);
                }
                None => {}
            }
        }
    }

    fn learn_looks(&mut self) {
        for slot in 0..self.tracks.len() {
            let is_near_somebody = (0..self.tracks.len())
                .any(|other| other != slot && self.tracks[slot].bbox.iou(&self.tracks[other].bbox) > NEAR_IOU);
            let elapsed_secs = self.elapsed_secs;
            let track = &mut self.tracks[slot];
            if let Some(seen) = track.seen_looks.filter(|_| !is_near_somebody && track.strange_images == 0) {
                track.looks.learn(&seen, elapsed_secs);
            }
        }
    }

    /// Everybody known but the person in `slot`, and how unlike each is to what is seen there.
    fn others(&self, slot: usize, seen: Appearance) -> impl Iterator<Item = (Known, f32)> + '_ {
        let here = self.tracks.iter().enumerate();
        let here = here.filter(move |(other, track)| *other != slot && track.id.is_some());
        let here = here.map(|(other, track)| (Known::Here(other), &track.looks));
        let gone = self.gone.iter().enumerate().map(|(index, gone)| (Known::Gone(index), &gone.looks));
        here.chain(gone).filter_map(move |(who, looks)| Some((who, looks.unlike(&seen)?)))
    }

    /// The other whom somebody who is seen clearly resembles more than itself.
    fn better_fitting(&self, slot: usize) -> Option<Known> {
        let track = &self.tracks[slot];
        let seen = track.seen_looks.filter(|_| track.id.is_some())?;
        let own = track.looks.unlike(&seen).filter(|own| *own > ALIKE)?;
        let others = self.others(slot, seen).filter(|(who, _)| self.can_be_at(*who, slot));
        let (other, unlike) = others.min_by(|a, b| a.1.total_cmp(&b.1))?;
        // Who left may have come back anywhere: that needs more.
        let is_likely = matches!(other, Known::Here(_)) || unlike < ALIKE;
        (is_likely && unlike + CLEARLY < own).then_some(other)
    }

    /// Whether somebody may have come to where the person in `slot` is; who left may have come back anywhere.
    fn can_be_at(&self, who: Known, slot: usize) -> bool {
        const NEAR: f32 = 1.5;
        const A_SECOND: f32 = 2.0;
        let Known::Here(other) = who else { return true };
        let person = &self.tracks[other];
        let away_secs = self.stamp.seconds_since(person.last_seen) as f32;
        let size = size(&person.bbox).max(size(&self.tracks[slot].bbox));
        super::center_distance(&person.bbox, &self.tracks[slot].bbox, size) < NEAR + A_SECOND * away_secs
    }

    fn exchange(&mut self, slot: usize, other: usize) {
        let [a, b] = self.tracks.get_disjoint_mut([slot, other]).unwrap_or_else(|_| unreachable!("two tracks"));
        std::mem::swap(&mut a.id, &mut b.id);
        std::mem::swap(&mut a.looks, &mut b.looks);
        (a.strange_images, b.strange_images) = (0, 0);
    }

    fn recognise_newcomers(&mut self) {
        for slot in 0..self.tracks.len() {
            let track = &self.tracks[slot];
            let is_new = !track.is_recognised && self.stamp.seconds_since(track.first_seen) <= NEW_SECS;
            let Some(seen) = track.seen_looks.filter(|_| is_new && track.hits >= self.settings.min_hits) else {
                continue;
            };
            if track.looks.unlike(&seen).is_some_and(|own| own > ALIKE) {
                continue;
            }
            match self.who_is(slot, seen) {
                Some(Known::Here(lost)) => {
                    let lost = &mut self.tracks[lost];
                    if let Some(id) = lost.id.take() {
                        let Track { looks, body, .. } = *lost;
                        self.tracks[slot].become_known(id, looks);
                        // It was hidden for a moment: what is remembered of its movement goes on.
                        self.tracks[slot].body = body;
                    }
                }
                Some(Known::Gone(gone)) => {
                    let gone = self.gone.remove(gone);
                    self.tracks[slot].become_known(gone.id, gone.looks);
                }
                None => {}
            }
        }
        // Whose identity went to a newcomer is nobody any more.
        self.tracks.retain(|track| track.id.is_some() || track.is_seen_now);
    }

    /// Who of those who are away the newcomer in `slot` is. Where others look the same, wherever they are, looks do not tell.
    fn who_is(&self, slot: usize, seen: Appearance) -> Option<Known> {
        let is_away = |who: Known| !matches!(who, Known::Here(slot) if self.tracks[slot].is_seen_now);
        let (mut best, mut next) = (None, f32::INFINITY);
        // Whoever cannot have come here only says how common such clothes are.
        let is_counted = |(who, unlike): &(Known, f32)| *unlike < ALIKE || self.can_be_at(*who, slot);
        for (who, unlike) in self.others(slot, seen).filter(is_counted) {
            match best {
                Some((_, before)) if unlike >= before => next = next.min(unlike),
                _ => next = best.replace((who, unlike)).map_or(next, |(_, before)| next.min(before)),
            }
        }
        let (who, unlike) = best?;
        let is_alike = unlike < ALIKE && unlike + CLEARLY < next;
        (is_alike && is_away(who) && self.can_be_at(who, slot) && !self.were_side_by_side(slot, who)).then_some(who)
    }

    /// Whether somebody was still seen when the newcomer in `slot` had come.
    fn were_side_by_side(&self, slot: usize, who: Known) -> bool {
        let last_seen = match who {
            Known::Here(other) => self.tracks[other].last_seen,
            Known::Gone(gone) => self.gone[gone].last_seen,
        };
        last_seen.seconds_since(self.tracks[slot].first_seen) > SIDE_BY_SIDE_SECS
    }
}
