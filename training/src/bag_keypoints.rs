//! Keypoint sequences from a bag: everybody's keypoints, followed over time as the pipeline follows them, undistorted
//! and brought to the model's rate.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context;
use stridepose::adapters::bag::{Bag, CameraKeypoints, Completeness, KeypointSource, TopicRequest};
use stridepose::data::Stamp;
use stridepose::geometry::CameraModel;
use stridepose::stages::track::{TrackSettings, Tracker};
use stridepose::stages::window::{self, KeypointsOnPlane, SampleClock, SampleKind};

use crate::keypoint_sequence::KeypointSequence;

const TRACKING: TrackSettings = TrackSettings {
    max_age_secs: 0.5,
    min_hits: 2,
    keypoint_score_threshold: 0.05,
    person_score_threshold: 0.05,
    detector_interval: 1,
};
/// Somebody seen on fewer samples is not worth following.
const SHORTEST_SAMPLES: usize = 30;
/// A sample with fewer keypoints says nothing of a body.
const FEWEST_KEYPOINTS: usize = 4;

/// What a bag holds.
pub struct BagKeypoints {
    /// A sequence for each person, as long as it could be followed.
    pub sequences: Vec<KeypointSequence>,
    /// What was left out and why, a line each.
    pub warnings: Vec<String>,
}

/// Reads the keypoints of the one camera in the bag at `path`.
///
/// # Errors
/// When it is no bag, has no topic of keypoints or more than one, the camera cannot be used, or nobody can be followed
/// for a second.
pub fn read(path: &Path) -> anyhow::Result<BagKeypoints> {
    let context = || format!("{}: no keypoints to learn from", path.display());
    let mut bag = Bag::open(path).with_context(context)?;
    let source = KeypointSource::new(&bag, TopicRequest { source: None, camera_info: None }).with_context(context)?;
    let mut people = People { tracker: Tracker::new(TRACKING), stamp: None, now: BTreeMap::new(), past: Vec::new() };
    let mut warnings = Vec::new();
    let completeness = source
        .read::<anyhow::Error>(&mut bag, &mut |message| {
            match message {
                Ok(message) => people.take(&message)?,
                Err(warning) => warnings.push(format!("{}: {}", path.display(), warning.message)),
            }
            Ok(ControlFlow::Continue(()))
        })
        .with_context(context)?;
    if completeness != Completeness::Whole {
        warnings.push(format!("{}: {completeness}", path.display()));
    }
    people.forget_everybody();
    let sequences: Vec<KeypointSequence> = people
        .past
        .into_iter()
        .filter_map(trimmed)
        .map(|samples| KeypointSequence { source: path.display().to_string(), samples })
        .collect();
    anyhow::ensure!(!sequences.is_empty(), "{}: nobody can be followed for {SHORTEST_SAMPLES} images", path.display());
    Ok(BagKeypoints { sequences, warnings })
}

type Samples = Vec<(KeypointsOnPlane, f64)>;

struct People {
    tracker: Tracker,
    stamp: Option<Stamp>,
    now: BTreeMap<u32, (SampleClock, Samples)>,
    past: Vec<Samples>,
}

impl People {
    fn take(&mut self, message: &CameraKeypoints<'_>) -> anyhow::Result<()> {
        // A bag that plays in a loop starts anew.
        if self.stamp.is_some_and(|last| message.stamp <= last) {
            self.tracker.reset();
            self.forget_everybody();
        }
        self.stamp = Some(message.stamp);
        let camera = CameraModel::from_calibration(&message.camera_info.calibration())
            .with_context(|| format!("camera of message {}", message.index))?;
        self.tracker.begin(message.stamp);
        self.tracker.associate(&message.people);
        let tracked = self.tracker.people();
        let gone: Vec<u32> =
            self.now.keys().copied().filter(|id| tracked.iter().all(|person| person.id.0 != *id)).collect();
        for id in gone {
            self.past.extend(self.now.remove(&id).map(|(_, samples)| samples));
        }
        for person in tracked {
            let (clock, samples) = self.now.entry(person.id.0).or_default();
            clock.image(message.stamp, &window::on_plane(&person.keypoints, &camera), |sample| {
                if sample.kind == SampleKind::Keep {
                    samples.push((sample.keypoints, sample.step_secs));
                }
            });
        }
        Ok(())
    }

    fn forget_everybody(&mut self) {
        self.past.extend(std::mem::take(&mut self.now).into_values().map(|(_, samples)| samples));
    }
}

/// Without what comes after somebody was last seen; `None` when that leaves too little.
fn trimmed(mut samples: Samples) -> Option<Samples> {
    let is_seen = |keypoints: &KeypointsOnPlane| keypoints.iter().flatten().count() >= FEWEST_KEYPOINTS;
    let last = samples.iter().rposition(|(keypoints, _)| is_seen(keypoints))?;
    samples.truncate(last + 1);
    let seen = samples.iter().filter(|(keypoints, _)| is_seen(keypoints)).count();
    (seen >= SHORTEST_SAMPLES).then_some(samples)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use stridepose::adapters::scene_bag::write_scene_bag;
    use stridepose::scene::SceneSettings;

    #[test]
    fn people_of_a_bag_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bag");
        let settings = SceneSettings { people: 2, duration_secs: 4.0, pillar: None, ..SceneSettings::default() };
        write_scene_bag(&settings, &path).unwrap();
        let read = read(&path).unwrap();
        assert!(read.warnings.is_empty(), "{:?}", read.warnings);
        let samples: Vec<usize> = read.sequences.iter().map(|sequence| sequence.samples.len()).collect();
        assert!(samples.iter().any(|samples| *samples > 100), "of 120 images: {samples:?}");
        for (keypoints, step_secs) in read.sequences.iter().flat_map(|sequence| &sequence.samples) {
            assert!((step_secs - 1.0 / 30.0).abs() < 0.01);
            for keypoint in keypoints.iter().flatten() {
                assert!(keypoint.point.coords.norm() < 1.0, "within the image of 61 degrees: {:?}", keypoint.point);
            }
        }
        // The same bag cut short.
        let file = std::fs::read_dir(&path)
            .unwrap()
            .flatten()
            .find(|entry| entry.path().extension().is_some_and(|extension| extension == "mcap"));
        let file = file.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() * 3 / 4]).unwrap();
        let damaged = super::read(&path).unwrap();
        assert!(damaged.warnings.iter().any(|warning| warning.contains("messages could be read")));
        assert!(!damaged.sequences.is_empty());
    }

    #[test]
    fn what_is_no_bag_or_has_nobody_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = format!("{:#}", read(folder.path()).err().unwrap());
        assert!(error.contains("no keypoints to learn from") && error.contains(&folder.path().display().to_string()));
        let path = folder.path().join("short");
        let settings = SceneSettings { duration_secs: 0.5, ..SceneSettings::default() };
        write_scene_bag(&settings, &path).unwrap();
        let error = format!("{:#}", read(&path).err().unwrap());
        assert!(error.contains("nobody can be followed"), "{error}");
    }
}
