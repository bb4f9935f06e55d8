//! One person over time.

use std::collections::BTreeMap;

use nalgebra::Vector3;

use super::PlacedSequence;
use crate::data::{Stamp, TrackId};
use crate::skeleton::{JOINT_COUNT, Joint, JointArray};

/// Positions of one track in the images in which it is there, y up, m.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackSeries {
    /// Who.
    pub track_id: TrackId,
    /// Seconds since the first image of the recording.
    pub times: Vec<f64>,
    /// Joints at those times; `None` is absent.
    pub joints: Vec<JointArray<Option<Vector3<f64>>>>,
}

/// Everybody in the recording, by track. An image whose stamp does not advance is left out: the formats need rising times.
pub fn tracks(placed: &PlacedSequence) -> Vec<TrackSeries> {
    let sequence = placed.sequence();
    let start = sequence.images.first().map_or(Stamp::default(), |image| image.stamp);
    let mut found: BTreeMap<TrackId, TrackSeries> = BTreeMap::new();
    for (index, image) in sequence.images.iter().enumerate() {
        let time = image.stamp.seconds_since(start);
        for person in &image.people {
            let series = found.entry(person.track_id).or_insert_with(|| TrackSeries {
                track_id: person.track_id,
                times: Vec::new(),
                joints: Vec::new(),
            });
            if series.times.last().is_none_or(|&last| time > last) {
                series.times.push(time);
                series.joints.push(person.positions().map(|joint| joint.map(|at| placed.y_up(index, &at))));
            }
        }
    }
    found.into_values().collect()
}

impl TrackSeries {
    /// Steps of `interval` s from the first time to the last.
    pub fn steps(&self, interval: f64) -> usize {
        let span = self.times.last().zip(self.times.first()).map_or(0.0, |(last, first)| last - first);
        // A millionth of a step forgives the rounding of stamps to nanoseconds.
        (span / interval + 1e-6).floor() as usize + 1
    }

    /// Joints at even steps of `interval` s from the first time to the last, between images on a straight line; before the
    /// first and after the last sight of a joint it stays where it was.
    ///
    /// # Errors
    /// A joint that is never there.
    pub fn resampled(&self, interval: f64) -> Result<Vec<JointArray<Vector3<f64>>>, Joint> {
        let Some(&first) = self.times.first() else { return Ok(Vec::new()) };
        let count = self.steps(interval);
        let mut frames = vec![[Vector3::zeros(); JOINT_COUNT]; count];
        for joint in Joint::ALL {
            let seen: Vec<(f64, Vector3<f64>)> = self
                .times
                .iter()
                .zip(&self.joints)
                .filter_map(|(&time, joints)| Some((time, joints[joint.index()]?)))
                .collect();
            if seen.is_empty() {
                return Err(joint);
            }
            for (step, frame) in frames.iter_mut().enumerate() {
                frame[joint.index()] = between(&seen, first + step as f64 * interval);
            }
        }
        Ok(frames)
    }
}

/// The point at `time` on the polyline through `seen`, which is not empty.
fn between(seen: &[(f64, Vector3<f64>)], time: f64) -> Vector3<f64> {
    let after = seen.partition_point(|&(at, _)| at < time);
    let (before, after) = (seen[after.saturating_sub(1)], seen[after.min(seen.len() - 1)]);
    let span = after.0 - before.0;
    let share = if span > 0.0 { ((time - before.0) / span).clamp(0.0, 1.0) } else { 0.0 };
    before.1 + (after.1 - before.1) * share
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn series(times: &[f64], x: &[Option<f64>]) -> TrackSeries {
        let joints = x.iter().map(|x| [x.map(|x| Vector3::new(x, 0.0, 0.0)); JOINT_COUNT]).collect();
        TrackSeries { track_id: TrackId(1), times: times.to_vec(), joints }
    }

    #[test]
    fn gaps_are_straight_lines_and_ends_stand_still() {
        let x = [None, Some(1.0), Some(2.0), Some(4.0), None];
        let frames = series(&[0.0, 0.1, 0.2, 0.4, 0.5], &x).resampled(0.1).unwrap();
        let x: Vec<f64> = frames.iter().map(|frame| frame[3].x).collect();
        for (ours, expected) in x.iter().zip([1.0, 1.0, 2.0, 3.0, 4.0, 4.0]) {
            assert!((ours - expected).abs() < 1e-9, "{x:?}");
        }
        assert_eq!(x.len(), 6);
    }

    #[test]
    fn a_joint_that_is_never_there_is_named() {
        let mut series = series(&[0.0, 0.1], &[Some(0.0), Some(0.0)]);
        for joints in &mut series.joints {
            joints[Joint::Spine.index()] = None;
        }
        assert_eq!(series.resampled(0.1), Err(Joint::Spine));
    }
}
