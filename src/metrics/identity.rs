//! Do people keep their identity? IDF1 over the run, switches and fragmentation along it, detection image by image.
//!
//! * *IDF1* (Ristani, Solera, Zou, Cucchiara and Tomasi, *Performance Measures and a Data Set for Multi-Target,
//!   Multi-Camera Tracking*, ECCV workshops 2016): every true person is given at most one track of the whole run, and
//!   the other way round, so that the number of images in which the two are close enough (IDTP) is largest (Hungarian
//!   method). IDF1 = 2 IDTP / (true people + predicted people, counted per image), IDP = IDTP / predicted, IDR = IDTP /
//!   true. Close enough is what [`person_cost`](crate::metrics::person_cost) allows.
//! * *Detection, switches, MOTA* (Bernardin and Stiefelhagen, *Evaluating Multiple Object Tracking Performance: The CLEAR
//!   MOT Metrics*, EURASIP Journal 2008), with one difference: who is who is settled anew in every image by the
//!   assignment of least cost ([`match_people`](crate::metrics::match_people)); a pair of the image before is not kept when another one is
//!   cheaper. Two people who pass through each other therefore may count more switches than with that protocol, never
//!   fewer detections. A switch: a true person is matched with another track than the last time it was matched.
//! * *Fragmentation* (Li, Huang and Nevatia, CVPR 2009): how often a true person who is there is lost for a while and found
//!   again.

use std::collections::BTreeMap;

use crate::data::TrackId;
use crate::metrics::association::assign;

/// One compared image: who is there in truth, who was found, who is close enough to be whom, who was matched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageIdentities<'a> {
    /// True people.
    pub people: Vec<&'a str>,
    /// Tracks found.
    pub tracks: Vec<TrackId>,
    /// Index of a true person and index of a track that may be the same.
    pub close: Vec<(usize, usize)>,
    /// For each true person the index of the track it was matched with.
    pub matched: Vec<Option<usize>>,
}

/// Counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityCounts<'a> {
    people: BTreeMap<&'a str, PersonCounts>,
    /// Images in which person and track are close.
    close: BTreeMap<(&'a str, TrackId), usize>,
    true_people: usize,
    predicted_people: usize,
    matched: usize,
    switches: usize,
    fragmentations: usize,
}

/// One true person so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PersonCounts {
    last_track: Option<TrackId>,
    is_lost: bool,
}

/// Identity and detection of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Identity {
    /// True people, over the compared images.
    pub true_people: usize,
    /// Predicted people, over the compared images.
    pub predicted_people: usize,
    /// Pairs.
    pub matched: usize,
    /// Images in which a true person has the one track given to it.
    pub id_true_positives: usize,
    /// How often a true person came back as another track.
    pub switches: usize,
    /// How often a true person was lost and found again.
    pub fragmentations: usize,
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Identity {
    /// IDF1 in [0, 1].
    pub fn idf1(&self) -> Option<f64> {
        share(2 * self.id_true_positives, self.true_people + self.predicted_people)
    }

    /// Identification precision in [0, 1].
    pub fn idp(&self) -> Option<f64> {
        share(self.id_true_positives, self.predicted_people)
    }

    /// Identification recall in [0, 1].
    pub fn idr(&self) -> Option<f64> {
        share(self.id_true_positives, self.true_people)
    }

    /// Share of predicted people who are somebody.
    pub fn precision(&self) -> Option<f64> {
        share(self.matched, self.predicted_people)
    }

    /// Share of true people who were found.
    pub fn recall(&self) -> Option<f64> {
        share(self.matched, self.true_people)
    }

    /// 1 − (missed + false + switches) / true people; at most 1, may be negative.
    pub fn mota(&self) -> Option<f64> {
        let faults = self.true_people + self.predicted_people - 2 * self.matched + self.switches;
        share(faults, self.true_people).map(|faults| 1.0 - faults)
    }
}

impl<'a> IdentityCounts<'a> {
    /// Takes in the next compared image.
    pub fn add(&mut self, image: &ImageIdentities<'a>) {
        self.true_people += image.people.len();
        self.predicted_people += image.tracks.len();
        for &(person, track) in &image.close {
            *self.close.entry((image.people[person], image.tracks[track])).or_default() += 1;
        }
        for (&person, track) in image.people.iter().zip(&image.matched) {
            let counts = self.people.entry(person).or_default();
            let Some(track) = track.map(|index| image.tracks[index]) else {
                counts.is_lost = counts.last_track.is_some();
                continue;
            };
            self.matched += 1;
            self.fragmentations += usize::from(counts.is_lost);
            self.switches += usize::from(counts.last_track.is_some_and(|last| last != track));
            *counts = PersonCounts { last_track: Some(track), is_lost: false };
        }
    }

    /// The counts with the best one-to-one pairing of people and tracks.
    pub fn finish(&self) -> Identity {
        Identity {
            true_people: self.true_people,
            predicted_people: self.predicted_people,
            matched: self.matched,
            id_true_positives: self.id_true_positives(),
            switches: self.switches,
            fragmentations: self.fragmentations,
        }
    }

    fn id_true_positives(&self) -> usize {
        let mut people: Vec<&str> = self.close.keys().map(|&(person, _)| person).collect();
        let mut tracks: Vec<TrackId> = self.close.keys().map(|&(_, track)| track).collect();
        people.dedup();
        tracks.sort_unstable();
        tracks.dedup();
        let images =
            |person: usize, track: usize| self.close.get(&(people[person], tracks[track])).copied().unwrap_or(0);
        // Rows are the smaller side. Counts below 2⁵³ are exact in floating point.
        let (rows, columns) = (people.len().min(tracks.len()), people.len().max(tracks.len()));
        let is_turned = people.len() > tracks.len();
        let at = |row, column| if is_turned { images(column, row) } else { images(row, column) };
        let column_of_row = assign(rows, columns, |row, column| -(at(row, column) as f64));
        column_of_row.into_iter().enumerate().map(|(row, column)| at(row, column)).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Images of person–track pairs, all close and matched; a track 0 is a miss.
    fn count(images: &[&[(&'static str, u32)]]) -> Identity {
        let mut counts = IdentityCounts::default();
        for pairs in images {
            let mut image = ImageIdentities::default();
            for &(person, track) in *pairs {
                image.people.push(person);
                image.matched.push((track > 0).then_some(image.tracks.len()));
                if track > 0 {
                    image.close.push((image.people.len() - 1, image.tracks.len()));
                    image.tracks.push(TrackId(track));
                }
            }
            counts.add(&image);
        }
        counts.finish()
    }

    #[test]
    fn one_track_each_is_perfect() {
        let identity = count(&[&[("a", 1), ("b", 2)], &[("a", 1), ("b", 2)]]);
        assert_eq!((identity.idf1(), identity.mota(), identity.precision()), (Some(1.0), Some(1.0), Some(1.0)));
        assert_eq!((identity.switches, identity.fragmentations), (0, 0));
    }

    #[test]
    fn a_switch_in_the_middle_costs_half_the_identity_and_one_switch() {
        let identity = count(&[&[("a", 1)], &[("a", 1)], &[("a", 2)], &[("a", 2)]]);
        assert_eq!((identity.idf1(), identity.switches, identity.fragmentations), (Some(0.5), 1, 0));
        assert_eq!(identity.mota(), Some(0.75));
    }

    #[test]
    fn two_who_trade_names_keep_the_better_half() {
        let identity = count(&[&[("a", 1), ("b", 2)], &[("a", 2), ("b", 1)], &[("a", 2), ("b", 1)]]);
        assert_eq!((identity.id_true_positives, identity.switches), (4, 2));
    }

    #[test]
    fn lost_and_found_is_a_fragmentation_and_not_being_there_is_none() {
        let identity = count(&[&[("a", 0)], &[("a", 1)], &[("a", 0)], &[("a", 1)], &[], &[("a", 1)], &[("a", 0)]]);
        assert_eq!((identity.fragmentations, identity.switches), (1, 0));
        assert_eq!((identity.recall(), identity.precision()), (Some(0.5), Some(1.0)));
    }

    #[test]
    fn nobody_has_no_scores() {
        let identity = count(&[&[], &[]]);
        assert_eq!((identity.idf1(), identity.recall(), identity.mota()), (None, None, None));
        assert_eq!((count(&[&[("a", 0)]]).idf1(), count(&[&[("a", 0)]]).precision()), (Some(0.0), None));
    }
}
