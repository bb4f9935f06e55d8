//! What a run says without any truth: who was there, where the joints come from, how sure they are said to be, how much
//! they shake. None of it is an error; all of it can be compared between two runs over the same recording.
//!
//! * *Shares of states*: of all joints of all people in all images.
//! * *Confidence*: mean of the stated probabilities to be within 150 mm.
//! * *Sigma*: mean over the joints of sqrt(trace Σ / 3), the standard deviation of the stated covariance along a mean axis.
//! * *Bone variation*: of each bone of a track, standard deviation over mean of its length; the mean over the bones, and over
//!   the tracks by how many images they have. A body's bones do not change: it is 0 for a run that is right.
//! * *Jitter*: [`crate::metrics::jitter`].

use std::collections::BTreeMap;

use crate::data::{JointState, Stamp, TrackId};
use crate::metrics::jitter::Jitter;
use crate::metrics::sequence::{ResultImage, ResultPerson, ResultSequence};
use crate::skeleton::{BONES, JointArray};

/// States of a joint.
const STATES: usize = JointState::Measured as usize + 1;

/// A mean in the making, so that parts of several recordings can be thrown together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mean {
    count: usize,
    sum: f64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.count += 1;
            self.sum += value;
        }
    }

    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// What a run says about one joint, or about all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JointObservation {
    states: [usize; STATES],
    confidence: Mean,
    sigma_mm: Mean,
}

impl JointObservation {
    /// How often it was wanted: once for each person in each image.
    pub fn count(&self) -> usize {
        self.states.iter().sum()
    }

    /// Share of them in this state, in [0, 1]; `None` of none.
    pub fn share(&self, state: JointState) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.states[state as usize] as f64 / count as f64)
    }

    /// Mean of the stated confidences.
    pub fn confidence(&self) -> Option<f64> {
        self.confidence.value()
    }

    /// Mean of the stated standard deviations, mm.
    pub fn sigma_mm(&self) -> Option<f64> {
        self.sigma_mm.value()
    }

    fn join(&mut self, other: &Self) {
        for (all, part) in self.states.iter_mut().zip(other.states) {
            *all += part;
        }
        self.confidence.join(other.confidence);
        self.sigma_mm.join(other.sigma_mm);
    }
}

/// One track.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackObservation {
    /// Its number, behind the recording's name where there are several.
    pub name: String,
    /// Images it is in.
    pub images: usize,
    /// Stamp of the first of them.
    pub first: Stamp,
    /// Stamp of the last.
    pub last: Stamp,
    /// All its joints together.
    pub joints: JointObservation,
    /// Mean over the bones of standard deviation over mean of the length; `None` with fewer than two images.
    pub bone_variation: Option<f64>,
}

/// What a run says without a truth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// Images.
    pub images: usize,
    /// Median time between them, s.
    pub image_interval: Option<f64>,
    /// Images with somebody in them.
    pub peopled_images: usize,
    /// Most people in one image.
    pub most_people: usize,
    /// Joint by joint.
    pub per_joint: JointArray<JointObservation>,
    /// Track by track, by their number.
    pub per_track: Vec<TrackObservation>,
    /// Jitter, m/s³.
    pub jitter_m_per_s3: Option<f64>,
}

impl Observation {
    /// Looks at a run.
    pub fn of(result: &ResultSequence) -> Self {
        let image_interval = result.image_interval();
        let mut observation = Self { images: result.images.len(), image_interval, ..Self::default() };
        let mut jitter = Jitter::new(image_interval);
        let mut tracks: BTreeMap<TrackId, TrackSums> = BTreeMap::new();
        for image in &result.images {
            observation.peopled_images += usize::from(!image.people.is_empty());
            observation.most_people = observation.most_people.max(image.people.len());
            for person in &image.people {
                jitter.add(person.track_id, image.stamp, &person.positions());
                tracks.entry(person.track_id).or_default().add(image, person, &mut observation.per_joint);
            }
        }
        observation.jitter_m_per_s3 = jitter.mean();
        observation.per_track = tracks.into_iter().map(|(id, sums)| sums.finish(id)).collect();
        observation
    }

    /// People, over the images.
    pub fn people(&self) -> usize {
        self.per_track.iter().map(|track| track.images).sum()
    }

    /// All joints together.
    pub fn joints(&self) -> JointObservation {
        self.per_joint.iter().fold(JointObservation::default(), |mut all, joint| {
            all.join(joint);
            all
        })
    }

    /// Mean over the tracks, by their images.
    pub fn bone_variation(&self) -> Option<f64> {
        let known = self.per_track.iter().filter_map(|track| Some((track.images, track.bone_variation?)));
        let (images, sum) =
            known.fold((0, 0.0), |(images, sum), (count, variation)| (images + count, sum + count as f64 * variation));
        (images > 0).then(|| sum / images as f64)
    }

    /// Joints that are measured anywhere; the others the layout of the keypoints lacks.
    pub fn is_measurable(&self) -> JointArray<bool> {
        self.per_joint.map(|joint| joint.states[JointState::Measured as usize] > 0)
    }

    /// Adds the counts of another recording; interval and jitter are for whoever knows all of them.
    pub(super) fn join(&mut self, name: &str, part: &Self) {
        self.images += part.images;
        self.peopled_images += part.peopled_images;
        self.most_people = self.most_people.max(part.most_people);
        for (all, part) in self.per_joint.iter_mut().zip(&part.per_joint) {
            all.join(part);
        }
        let named = part.per_track.iter().cloned();
        self.per_track.extend(named.map(|track| TrackObservation { name: format!("{name}/{}", track.name), ..track }));
    }
}

/// A track in the making.
#[derive(Default)]
struct TrackSums {
    images: usize,
    first: Stamp,
    last: Stamp,
    joints: JointObservation,
    /// Lengths of each bone: count, mean and sum of squared differences from it (Welford 1962).
    bones: [(usize, f64, f64); BONES.len()],
}

impl TrackSums {
    fn add(&mut self, image: &ResultImage, person: &ResultPerson, per_joint: &mut JointArray<JointObservation>) {
        if self.images == 0 {
            self.first = image.stamp;
        }
        self.images += 1;
        self.last = image.stamp;
        for (joint, everybody) in person.joints.iter().zip(per_joint) {
            let mut one = JointObservation::default();
            one.states[joint.map_or(JointState::Absent, |joint| joint.state) as usize] += 1;
            one.confidence.add(joint.and_then(|joint| joint.confidence));
            let variance = joint.and_then(|joint| joint.covariance).map(|covariance| covariance.trace() / 3.0);
            // Of a negative variance the root is no number and does not count.
            one.sigma_mm.add(variance.map(|variance| 1000.0 * variance.sqrt()));
            self.joints.join(&one);
            everybody.join(&one);
        }
        for ((parent, child), (count, mean, squares)) in BONES.into_iter().zip(&mut self.bones) {
            let ends = person.joints[parent.index()].zip(person.joints[child.index()]);
            let Some((parent, child)) = ends else { continue };
            let length = (parent.position_in_camera - child.position_in_camera).norm();
            *count += 1;
            let difference = length - *mean;
            *mean += difference / *count as f64;
            *squares += difference * (length - *mean);
        }
    }

    fn finish(self, id: TrackId) -> TrackObservation {
        let mut variation = Mean::default();
        for (count, mean, squares) in self.bones {
            variation.add((count > 1 && mean > 0.0).then(|| (squares / count as f64).sqrt() / mean));
        }
        TrackObservation {
            name: id.0.to_string(),
            images: self.images,
            first: self.first,
            last: self.last,
            joints: self.joints,
            bone_variation: variation.value(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::data::Covariance;
    use crate::metrics::ResultJoint;
    use crate::skeleton::JOINT_COUNT;
    use nalgebra::Point3;

    /// Two tracks: 1 in images 0 to 9 with one joint absent and one predicted, 2 in images 0 and 1; nobody in image 10.
    fn run() -> ResultSequence {
        let joint = |index: usize, image: usize, track: u32| {
            let stretch = if track == 1 && image % 2 == 1 { 1.1 } else { 1.0 };
            ResultJoint {
                position_in_camera: Point3::new(0.2 * index as f64 * stretch, 0.0, 4.0),
                covariance: Some(Covariance::from_diagonal(&nalgebra::Vector3::new(0.01, 0.01, 0.0028))),
                confidence: (track == 1).then_some(if image == 0 { 0.4 } else { 0.8 }),
                state: if index == 5 { JointState::Predicted } else { JointState::Measured },
                keypoint_in_image_px: None,
            }
        };
        let person = |image, track| ResultPerson {
            track_id: TrackId(track),
            joints: std::array::from_fn(|index| (index != 16).then(|| joint(index, image, track))),
        };
        let images = (0..11).map(|image| ResultImage {
            stamp: Stamp::from_nanoseconds(100_000_000 * image as i64),
            people: (1..=2)
                .filter(|&track| image < [10, 2][track as usize - 1])
                .map(|track| person(image, track))
                .collect(),
        });
        ResultSequence { images: images.collect(), ..ResultSequence::default() }
    }

    #[test]
    fn a_hand_made_run_has_the_numbers_that_one_counts() {
        let observation = Observation::of(&run());
        let joints = observation.joints();
        assert_eq!((observation.images, observation.peopled_images, observation.most_people), (11, 10, 2));
        assert_eq!((observation.people(), observation.per_track.len(), joints.count()), (12, 2, 12 * JOINT_COUNT));
        let shares = [JointState::Measured, JointState::Inferred, JointState::Predicted, JointState::Absent];
        assert_eq!(shares.map(|state| joints.share(state).unwrap()), [15.0 / 17.0, 0.0, 1.0 / 17.0, 1.0 / 17.0]);
        // Track 2 states none: (0.4 + 9 × 0.8) / 10.
        assert!((joints.confidence().unwrap() - 0.76).abs() < 1e-12);
        // sqrt((0.01 + 0.01 + 0.0028) / 3) m.
        assert!((joints.sigma_mm().unwrap() - 87.177_979).abs() < 1e-5);
        let [first, second] = observation.per_track.as_slice() else { panic!("two tracks") };
        assert_eq!((first.images, second.images, first.name.as_str()), (10, 2, "1"));
        assert_eq!(first.last.seconds_since(first.first), 0.9);
        // Half of the lengths are 10 % longer: 0.05 over 1.05.
        assert!((first.bone_variation.unwrap() - 0.05 / 1.05).abs() < 1e-12 && second.bone_variation == Some(0.0));
        assert!((observation.bone_variation().unwrap() - 0.05 / 1.05 * 10.0 / 12.0).abs() < 1e-12);
        assert!(observation.jitter_m_per_s3.unwrap() > 100.0);
        assert!(!observation.is_measurable()[5] && observation.is_measurable()[4]);
    }

    #[test]
    fn recordings_are_thrown_together() {
        let part = Observation::of(&run());
        let mut all = Observation::default();
        all.join("a", &part);
        all.join("b", &part);
        assert_eq!((all.images, all.people(), all.most_people), (22, 24, 2));
        assert_eq!(
            (all.joints().confidence(), all.bone_variation()),
            (part.joints().confidence(), part.bone_variation())
        );
        assert_eq!(all.per_track[2].name, "b/1");
    }

    #[test]
    fn nothing_says_nothing() {
        let observation = Observation::of(&ResultSequence::default());
        assert_eq!(observation, Observation::default());
        assert_eq!((observation.joints().share(JointState::Measured), observation.bone_variation()), (None, None));
    }
}
