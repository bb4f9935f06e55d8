//! Keypoint sequences from a bag: everybody's keypoints, followed over time as the pipeline follows them, undistorted
//! and brought to the model's rate. A bag that `stridepose replay` wrote serves as well: its skeletons carry the
//! keypoints that they rest on.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context;
use stridepose::adapters::bag::{Bag, CameraKeypoints, Completeness, KeypointSource, TopicRequest};
use stridepose::adapters::result_writer::{CAMERA_INFO_TOPIC, SKELETONS_TOPIC};
use stridepose::data::{Attitude, Stamp};
use stridepose::geometry::CameraModel;
use stridepose::stages::track::{TrackSettings, Tracker};
use stridepose::stages::window::{self, KeypointsOnPlane, PersonInImage, SampleClock, SampleGrid, SampleKind};

use crate::keypoint_sequence::KeypointSequence;

const TRACKING: TrackSettings = TrackSettings {
    max_age_secs: 0.5,
    recognise_secs: 0.0,
    min_hits: 2,
    keypoint_score_threshold: 0.05,
    person_score_threshold: 0.05,
    detector_interval: 1,
    finds_lying: false,
    max_people: usize::MAX,
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
    let source = keypoint_source(&bag).with_context(context)?;
    let mut people = People { tracker: Tracker::new(TRACKING), stamp: None, now: BTreeMap::new(), past: Vec::new() };
    let mut warnings = Vec::new();
    let completeness = source
        .read::<anyhow::Error>(&mut bag, &mut |message| {
            match message {
                Ok(message) => people.take(&message)?,
                Err(skipped) => warnings.push(format!("{}: {}", path.display(), skipped.warning.message)),
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
    let first_warning = warnings.first().map(|warning| format!("; {} warnings, the first: {warning}", warnings.len()));
    anyhow::ensure!(
        !sequences.is_empty(),
        "{}: nobody can be followed for {SHORTEST_SAMPLES} images{}",
        path.display(),
        first_warning.unwrap_or_default()
    );
    Ok(BagKeypoints { sequences, warnings })
}

/// The one topic of keypoints; without any, the skeletons of a replay.
fn keypoint_source(bag: &Bag) -> anyhow::Result<KeypointSource> {
    let keypoints = KeypointSource::new(bag, TopicRequest::default());
    let has = |name: &str| bag.topics().iter().any(|topic| topic.name == name);
    if keypoints.is_ok() || !has(SKELETONS_TOPIC) {
        return keypoints.context("of images, `stridepose replay` makes a bag that serves");
    }
    anyhow::ensure!(
        has(CAMERA_INFO_TOPIC),
        "it has skeletons, but no camera on {CAMERA_INFO_TOPIC}: an older version wrote it; replay the recording again"
    );
    let skeletons = TopicRequest { source: Some(SKELETONS_TOPIC), camera_info: Some(CAMERA_INFO_TOPIC) };
    Ok(KeypointSource::of_skeletons(bag, skeletons)?)
}

type Samples = Vec<(KeypointsOnPlane, f64)>;

struct People {
    tracker: Tracker,
    stamp: Option<Stamp>,
    /// Each is learnt from alone, with a grid of their own.
    now: BTreeMap<u32, (SampleGrid, SampleClock, Samples)>,
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
        self.tracker.associate(&message.people, None);
        let mut tracked = Vec::new();
        self.tracker.write_people(&mut tracked);
        let gone: Vec<u32> =
            self.now.keys().copied().filter(|id| tracked.iter().all(|person| person.id.0 != *id)).collect();
        for id in gone {
            self.past.extend(self.now.remove(&id).map(|(_, _, samples)| samples));
        }
        for person in tracked {
            let (grid, clock, samples) = self.now.entry(person.id.0).or_default();
            let keypoints = window::on_plane(&person.keypoints, &camera);
            let (stamp, is_kept) = (message.stamp, grid.keeps(message.stamp));
            clock.image(
                PersonInImage { stamp, keypoints: &keypoints, attitude: Attitude::default(), is_kept },
                |sample| {
                    if sample.kind == SampleKind::Keep {
                        samples.push((sample.keypoints, sample.step_secs));
                    }
                },
            );
        }
        Ok(())
    }

    fn forget_everybody(&mut self) {
        self.past.extend(std::mem::take(&mut self.now).into_values().map(|(_, _, samples)| samples));
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
    use nalgebra::Point3;
    use stridepose::adapters::messages::sensor_msgs::CameraInfo;
    use stridepose::adapters::result_writer::ResultWriter;
    use stridepose::adapters::scene_bag::write_scene_bag;
    use stridepose::config::{Config, OutputConfig};
    use stridepose::data::{
        BoundingBox, Covariance, JointEstimate, JointState, MeasuredKeypoint, PersonEstimate, PoseEstimate, TrackId,
    };
    use stridepose::pipeline::Estimates;
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

    /// One person who stands 3 m away and sways, as `stridepose replay` would have written it.
    fn write_result_bag(path: &Path, with_camera: bool) {
        let config = OutputConfig { markers: false, overlay: false, refined: false, ..Config::default().output };
        let mut writer = ResultWriter::create(path, &config, std::time::Duration::ZERO).unwrap();
        let k = [500.0, 0.0, 319.5, 0.0, 500.0, 239.5, 0.0, 0.0, 1.0];
        let camera =
            CameraInfo { width: 640, height: 480, distortion_model: "plumb_bob".into(), k, ..CameraInfo::default() };
        for image in 0..90_i64 {
            let stamp = Stamp::from_nanoseconds(1_000_000_000 + image * 33_333_333);
            let joints = std::array::from_fn(|joint| JointEstimate {
                position_in_camera: Point3::new(0.0, 0.0, 3.0),
                covariance: Covariance::zeros(),
                confidence: 0.5,
                state: if joint == 13 { JointState::Inferred } else { JointState::Measured },
                keypoint: Some(MeasuredKeypoint {
                    u: 319.5 + image as f32,
                    v: 100.0 + 10.0 * joint as f32,
                    score: 0.7,
                }),
            });
            let person = PersonEstimate {
                track_id: TrackId(1),
                joints,
                score: 0.9,
                plausibility: None,
                reprojection_error_px: None,
                bbox_in_image_px: BoundingBox { x_min: 300.0, y_min: 100.0, x_max: 340.0, y_max: 270.0 },
            };
            let now = PoseEstimate { stamp, people: vec![person], warnings: Vec::new() };
            if with_camera {
                writer.write_camera(stamp, &camera).unwrap();
            }
            writer.write(&Estimates { now, earlier: Vec::new() }, "camera").unwrap();
        }
        writer.finish().unwrap();
    }

    #[test]
    fn the_keypoints_of_a_replay_s_skeletons_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result");
        write_result_bag(&path, true);
        let read = read(&path).unwrap();
        assert_eq!((read.sequences.len(), read.warnings.len()), (1, 0), "{:?}", read.warnings);
        let samples = &read.sequences[0].samples;
        assert!(samples.len() > 80, "{}", samples.len());
        assert!(samples.iter().all(|(keypoints, _)| keypoints[13].is_none()), "an inferred joint has no keypoint");
        let last = samples.last().unwrap().0[0].unwrap();
        assert!((last.point.x - 89.0 / 500.0).abs() < 1e-4 && (last.score - 0.7).abs() < 1e-6, "{last:?}");
        let old = folder.path().join("old");
        write_result_bag(&old, false);
        let error = format!("{:#}", super::read(&old).err().unwrap());
        assert!(error.contains("90 warnings") && error.contains("before any CameraInfo"), "{error}");
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
