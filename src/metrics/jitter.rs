//! Jitter of everybody in a recording: mean norm of the third derivative of the joints' positions in the camera frame,
//! m/s³ (definition and sources: [`crate::metrics::smoothness`]). Every joint of every four successive images of one
//! person is a sample; images further apart than 1.5 median intervals are a gap, not a movement.

use std::collections::HashMap;
use std::hash::Hash;

use crate::data::Stamp;
use crate::metrics::evaluation::LONGEST_INTERVAL;
use crate::metrics::pose_error::JointPositions;
use crate::metrics::smoothness::third_derivative;
use crate::skeleton::JOINT_COUNT;

/// Positions of one person at one time.
type Moment = (Stamp, JointPositions);

/// Collects jitter; people are told apart by `K`.
pub(super) struct Jitter<K> {
    /// The last up to three moments of each person, oldest first.
    recent: HashMap<K, Vec<Moment>>,
    longest_interval: f64,
    sum: f64,
    count: usize,
}

impl<K: Eq + Hash> Jitter<K> {
    /// With the median time between images, s; without one there is no jitter.
    pub fn new(image_interval: Option<f64>) -> Self {
        let longest_interval = LONGEST_INTERVAL * image_interval.unwrap_or(0.0);
        Self { recent: HashMap::new(), longest_interval, sum: 0.0, count: 0 }
    }

    /// Takes in the next moment of `person`.
    pub fn add(&mut self, person: K, stamp: Stamp, positions: &JointPositions) {
        let recent = self.recent.entry(person).or_default();
        let elapsed = recent.last().map(|(last, _)| stamp.seconds_since(*last));
        if elapsed.is_some_and(|elapsed| !(elapsed > 0.0 && elapsed <= self.longest_interval)) {
            recent.clear();
        }
        if let [first, second, third] = recent.as_slice() {
            let moments = [first, second, third, &(stamp, *positions)];
            let times = moments.map(|(at, _)| at.seconds_since(first.0));
            for joint in 0..JOINT_COUNT {
                let [Some(a), Some(b), Some(c), Some(d)] = moments.map(|(_, positions)| positions[joint]) else {
                    continue;
                };
                if let Some(jerk) = third_derivative([a.coords, b.coords, c.coords, d.coords], times) {
                    self.sum += jerk.norm();
                    self.count += 1;
                }
            }
            recent.remove(0);
        }
        recent.push((stamp, *positions));
    }

    /// The mean, m/s³; `None` without four images in a row.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use nalgebra::Point3;

    fn cubic(image: i64) -> (Stamp, JointPositions) {
        let t = 0.04 * image as f64;
        (Stamp::from_nanoseconds(40_000_000 * image), [Some(Point3::new(2.0 * t * t * t, 0.0, 3.0 - t)); JOINT_COUNT])
    }

    fn jitter(images: &[(u32, i64)]) -> Option<f64> {
        let mut jitter = Jitter::new(Some(0.04));
        for &(person, image) in images {
            let (stamp, positions) = cubic(image);
            jitter.add(person, stamp, &positions);
        }
        jitter.mean()
    }

    #[test]
    fn a_cubic_has_its_own_third_derivative_for_everybody() {
        let images: Vec<(u32, i64)> = (0..9).flat_map(|image| [(1, image), (2, image)]).collect();
        assert!((jitter(&images).unwrap() - 12.0).abs() < 1e-6);
    }

    #[test]
    fn gaps_and_short_tracks_give_nothing() {
        assert_eq!(jitter(&[(1, 0), (1, 1), (1, 2)]), None);
        assert_eq!(jitter(&[(1, 0), (1, 1), (1, 2), (1, 4), (1, 5), (1, 6)]), None);
        assert_eq!(jitter(&[(1, 0), (1, 1), (1, 2), (2, 3)]), None);
        assert!(jitter(&[(1, 9), (1, 0), (1, 1), (1, 2), (1, 3)]).is_some());
    }
}
