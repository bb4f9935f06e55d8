//! Somebody's keypoints over time without any 3D truth, as from a bag: what semi-supervised learning is for.

use nalgebra::Point2;
use rand::{Rng, RngExt};
use stridepose::skeleton::Joint;
use stridepose::stages::window::{KeypointOnPlane, KeypointsOnPlane};

/// Keypoints of one person at about the model's rate.
#[derive(Clone, Debug, PartialEq)]
pub struct KeypointSequence {
    /// Where it comes from, for messages.
    pub source: String,
    /// Keypoints on the z = 1 plane, and the time since the sample before, s.
    pub samples: Vec<(KeypointsOnPlane, f64)>,
}

/// Keypoints cut out for a batch, and the time since the sample before, s.
pub type Cut = (Vec<KeypointsOnPlane>, Vec<f64>);

impl KeypointSequence {
    /// `length` samples from anywhere, mirrored half of the time if `mirror`; a sequence that ends is played backwards,
    /// then forwards again.
    pub fn draw(&self, length: usize, mirror: bool, rng: &mut impl Rng) -> Cut {
        let period = (2 * self.samples.len()).saturating_sub(2).max(1);
        let start = rng.random_range(0..period);
        let mirror = mirror && rng.random_bool(0.5);
        (start..start + length)
            .map(|at| {
                let phase = at % period;
                let (keypoints, step_secs) = self.samples[phase.min(period - phase).min(self.samples.len() - 1)];
                (if mirror { mirrored(&keypoints) } else { keypoints }, step_secs)
            })
            .unzip()
    }
}

/// Left and right exchanged, as in a mirror that stands along the line of sight.
fn mirrored(keypoints: &KeypointsOnPlane) -> KeypointsOnPlane {
    std::array::from_fn(|joint| {
        let other = keypoints[Joint::ALL[joint].mirrored().index()]?;
        Some(KeypointOnPlane { point: Point2::new(-other.point.x, other.point.y), ..other })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn sequence(length: usize) -> KeypointSequence {
        let keypoints = |time: usize| {
            std::array::from_fn(|joint| {
                let point = Point2::new(time as f64, joint as f64);
                (joint != Joint::LWrist.index()).then_some(KeypointOnPlane { point, score: 0.5, spread: None })
            })
        };
        KeypointSequence { source: "test".into(), samples: (0..length).map(|time| (keypoints(time), 0.033)).collect() }
    }

    #[test]
    fn sequences_are_played_back_and_forth() {
        for seed in 0..20 {
            let (cut, steps) = sequence(5).draw(30, false, &mut ChaCha8Rng::seed_from_u64(seed));
            let times: Vec<f64> = cut.iter().filter_map(|row| Some(row[0]?.point.x)).collect();
            assert_eq!((times.len(), steps.len()), (30, 30));
            assert!(times.windows(2).all(|pair| (pair[1] - pair[0]).abs() == 1.0), "{times:?}");
            assert!(times.iter().all(|time| (0.0..=4.0).contains(time)));
        }
        let (cut, _) = sequence(1).draw(3, false, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(cut.len(), 3, "a picture is a sequence too");
    }

    #[test]
    fn mirroring_exchanges_the_sides() {
        let row = sequence(2).samples[1].0;
        let seen = mirrored(&row);
        assert!(seen[Joint::RWrist.index()].is_none() && seen[Joint::LWrist.index()].is_some());
        assert_eq!(seen[Joint::LHip.index()].map(|keypoint| keypoint.point), Some(Point2::new(-1.0, 1.0)));
        assert_eq!(mirrored(&seen), row);
    }
}
