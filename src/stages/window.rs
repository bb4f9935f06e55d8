//! From the keypoints of one person to the lifter's input, at the model's rate.
//!
//! Three steps, each a type of its own, each used by the pipeline and by the trainer alike so that the
//! network sees the same numbers in both:
//! * [`SampleClock`] decides from stamps which samples the streaming network gets. Images keep their own
//!   stamps; what lies between two images further apart than 1.5 model periods is interpolated, and what
//!   lies in a gap is masked; an image that comes sooner than 0.75 periods after the last sample is
//!   evaluated but not kept (a *peek*).
//! * [`BodyMemory`] fills what is not seen: a missing keypoint keeps its last seen position, carried along
//!   with the body, and its age grows.
//! * [`write_features`] puts one sample into the person's virtual camera and lays it out for the network.
//!
//! Feature layout, [`FEATURE_COUNT`] values: for each of the 17 joints x, y (person sizes in the virtual
//! camera), score, spread, age, present; then log size, centre x, y on the z = 1 plane of the camera made level, the time since
//! the previous sample in model periods, and the direction of gravity in the virtual camera, zeros where nobody knows it.

use nalgebra::{Point2, Vector2};

use crate::data::{Attitude, Keypoint, KeypointsInImage, Stamp};
use crate::geometry::{CameraModel, VirtualCamera};
use crate::skeleton::{JOINT_COUNT, Joint, JointArray};

/// Values per joint in the feature row.
pub const FEATURES_PER_JOINT: usize = 6;
/// Length of the feature row of a lifter that is not told where down is.
pub const FEATURE_COUNT_WITHOUT_GRAVITY: usize = JOINT_COUNT * FEATURES_PER_JOINT + 4;
/// Length of one feature row.
pub const FEATURE_COUNT: usize = FEATURE_COUNT_WITHOUT_GRAVITY + 3;
/// Lengths of the rows that a lifter may take.
pub const FEATURE_COUNTS: [usize; 2] = [FEATURE_COUNT_WITHOUT_GRAVITY, FEATURE_COUNT];
/// Rate of the lifter's samples.
pub const MODEL_RATE_HZ: f64 = 30.0;
/// Ages saturate here.
pub const MAX_AGE_SECS: f64 = 2.0;

const MODEL_PERIOD_SECS: f64 = 1.0 / MODEL_RATE_HZ;
/// An image sooner than this after the last sample is a peek.
const SHORTEST_STEP_PERIODS: f64 = 0.75;
/// Images further apart than this leave a gap that is masked, not interpolated.
const LONGEST_INTERPOLATION_SECS: f64 = 0.25;
/// Coordinates beyond this many person sizes carry no information for the network.
const COORDINATE_LIMIT: f64 = 6.0;

/// The joints that every detector layout has; centre and size rest on these alone, so that they do not
/// change with the layout.
const COMMON_JOINTS: [Joint; 13] = [
    Joint::Nose,
    Joint::LShoulder,
    Joint::RShoulder,
    Joint::LElbow,
    Joint::RElbow,
    Joint::LWrist,
    Joint::RWrist,
    Joint::LHip,
    Joint::RHip,
    Joint::LKnee,
    Joint::RKnee,
    Joint::LAnkle,
    Joint::RAnkle,
];
const TORSO_JOINTS: [Joint; 4] = [Joint::LShoulder, Joint::RShoulder, Joint::LHip, Joint::RHip];

/// One keypoint on the z = 1 plane of the camera optical frame, undistorted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeypointOnPlane {
    /// Position on the z = 1 plane.
    pub point: Point2<f64>,
    /// Raw score of the 2D network in [0, 1].
    pub score: f64,
    /// Spread of the network's peak on the z = 1 plane, where known.
    pub spread: Option<f64>,
}

/// The keypoints of one person on the z = 1 plane; `None` is masked.
pub type KeypointsOnPlane = JointArray<Option<KeypointOnPlane>>;

/// Undistorts keypoints onto the z = 1 plane. What the lens model cannot place is masked.
pub fn on_plane(keypoints: &KeypointsInImage, camera: &CameraModel) -> KeypointsOnPlane {
    let focal_length = camera.intrinsics().fx;
    keypoints.map(|keypoint| {
        let keypoint = keypoint?;
        let point = camera.normalise(Point2::new(f64::from(keypoint.x), f64::from(keypoint.y)))?;
        let spread = keypoint.spread.map(|spread| f64::from(spread) / focal_length);
        Some(KeypointOnPlane { point, score: f64::from(keypoint.score), spread })
    })
}

/// The keypoints of an earlier image back in pixels.
pub fn in_image(keypoints: &KeypointsOnPlane, camera: &CameraModel) -> KeypointsInImage {
    keypoints.map(|keypoint| {
        let keypoint = keypoint?;
        let at = camera.project(&keypoint.point.to_homogeneous().into())?;
        Some(Keypoint { x: at.x as f32, y: at.y as f32, score: keypoint.score as f32, spread: None })
    })
}

/// Longer side of the rectangle around the seen keypoints on the z = 1 plane; negative infinity when none is seen.
pub fn extent(keypoints: &KeypointsOnPlane) -> f64 {
    let mut low = Vector2::repeat(f64::INFINITY);
    let mut high = Vector2::repeat(f64::NEG_INFINITY);
    for keypoint in keypoints.iter().flatten() {
        low = low.inf(&keypoint.point.coords);
        high = high.sup(&keypoint.point.coords);
    }
    (high - low).max()
}

/// What the streaming network is to do for one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SampleKind {
    /// Evaluate and keep as history.
    Keep,
    /// Evaluate for this image only; the history stays as it was.
    Peek,
}

/// One sample for the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Keypoints at this sample's time.
    pub keypoints: KeypointsOnPlane,
    /// How the camera is turned.
    pub attitude: Attitude,
    /// Time since the previous kept sample, s; the model period for the first.
    pub step_secs: f64,
    /// Keep or peek.
    pub kind: SampleKind,
}

/// Which images become samples when there are more of them than the model takes. One for everybody in a camera makes
/// everybody's samples those of the same images.
#[derive(Clone, Debug, Default)]
pub struct SampleGrid {
    last_kept: Option<Stamp>,
}

impl SampleGrid {
    /// Whether the image at `stamp` becomes a sample. Time that goes back begins anew.
    pub fn keeps(&mut self, stamp: Stamp) -> bool {
        let since_secs = self.last_kept.map(|kept| stamp.seconds_since(kept)).filter(|since_secs| *since_secs > 0.0);
        let is_kept = since_secs.is_none_or(|since_secs| since_secs / MODEL_PERIOD_SECS >= SHORTEST_STEP_PERIODS);
        if is_kept {
            self.last_kept = Some(stamp);
        }
        is_kept
    }
}

/// One person in one image.
#[derive(Clone, Copy, Debug)]
pub struct PersonInImage<'a> {
    /// When it was taken.
    pub stamp: Stamp,
    /// What is seen of the person.
    pub keypoints: &'a KeypointsOnPlane,
    /// How the camera is turned.
    pub attitude: Attitude,
    /// What the [`SampleGrid`] says of the image.
    pub is_kept: bool,
}

/// Turns images at any rate into samples near the model rate.
#[derive(Clone, Debug, Default)]
pub struct SampleClock {
    last_kept: Option<Stamp>,
    last_image: Option<(Stamp, KeypointsOnPlane)>,
}

impl SampleClock {
    /// Calls `emit` for each sample that an image gives: first those filled in between, then
    /// the image's own, always last. Nothing is emitted for a stamp that does not lie after the previous.
    pub fn image(&mut self, image: PersonInImage<'_>, mut emit: impl FnMut(Sample)) {
        let PersonInImage { stamp, keypoints, attitude, is_kept } = image;
        let Some(kept_stamp) = self.last_kept else {
            let kind = if is_kept { SampleKind::Keep } else { SampleKind::Peek };
            emit(Sample { keypoints: *keypoints, attitude, step_secs: MODEL_PERIOD_SECS, kind });
            if is_kept {
                self.keep(stamp, keypoints);
            }
            return;
        };
        let since_kept_secs = stamp.seconds_since(kept_stamp);
        if since_kept_secs <= 0.0 {
            return;
        }
        if !is_kept {
            emit(Sample { keypoints: *keypoints, attitude, step_secs: since_kept_secs, kind: SampleKind::Peek });
            self.last_image = Some((stamp, *keypoints));
            return;
        }
        let step_count = (since_kept_secs / MODEL_PERIOD_SECS).round().max(1.0);
        let step_secs = since_kept_secs / step_count;
        for step in 1..step_count as u64 {
            let at_secs = step as f64 * step_secs;
            emit(Sample {
                keypoints: self.between(kept_stamp, at_secs, stamp, keypoints),
                attitude,
                step_secs,
                kind: SampleKind::Keep,
            });
        }
        emit(Sample { keypoints: *keypoints, attitude, step_secs, kind: SampleKind::Keep });
        self.keep(stamp, keypoints);
    }

    fn keep(&mut self, stamp: Stamp, keypoints: &KeypointsOnPlane) {
        self.last_kept = Some(stamp);
        self.last_image = Some((stamp, *keypoints));
    }

    /// Keypoints `at_secs` after the last kept sample: interpolated between the previous image and this one.
    fn between(&self, kept: Stamp, at_secs: f64, stamp: Stamp, keypoints: &KeypointsOnPlane) -> KeypointsOnPlane {
        let Some((previous_stamp, previous)) = self.last_image else { return [None; JOINT_COUNT] };
        let gap_secs = stamp.seconds_since(previous_stamp);
        let fraction = (at_secs - previous_stamp.seconds_since(kept)) / gap_secs;
        if fraction <= 0.0 {
            return previous;
        }
        if gap_secs > LONGEST_INTERPOLATION_SECS {
            return [None; JOINT_COUNT];
        }
        std::array::from_fn(|joint| {
            let (before, after) = (previous[joint]?, keypoints[joint]?);
            Some(KeypointOnPlane {
                point: before.point + (after.point - before.point) * fraction,
                score: before.score.min(after.score),
                spread: before.spread.zip(after.spread).map(|(a, b)| a.max(b)),
            })
        })
    }
}

/// What is known of one person's keypoints: the last seen position of each, carried along with the body.
#[derive(Clone, Copy, Debug)]
pub struct BodyMemory {
    position: JointArray<Point2<f64>>,
    age_secs: JointArray<f64>,
    ever_seen: JointArray<bool>,
}

impl Default for BodyMemory {
    fn default() -> Self {
        Self {
            position: [Point2::origin(); JOINT_COUNT],
            age_secs: [MAX_AGE_SECS; JOINT_COUNT],
            ever_seen: [false; JOINT_COUNT],
        }
    }
}

impl BodyMemory {
    /// Takes in one sample. Returns the person's virtual camera, `None` while nothing was ever seen.
    pub fn update(&mut self, sample: &Sample) -> Option<VirtualCamera> {
        let shift = self.common_shift(&sample.keypoints);
        for (joint, keypoint) in sample.keypoints.iter().enumerate() {
            if let Some(keypoint) = keypoint {
                self.position[joint] = keypoint.point;
                self.age_secs[joint] = 0.0;
                self.ever_seen[joint] = true;
            } else {
                self.position[joint] += shift;
                self.age_secs[joint] = (self.age_secs[joint] + sample.step_secs).min(MAX_AGE_SECS);
            }
        }
        let center = self.center()?;
        let size = VirtualCamera::size_of(center, self.seen(&COMMON_JOINTS));
        Some(VirtualCamera::looking_at(center, size, &sample.attitude.level_from_camera()))
    }

    /// Mean displacement of the seen joints since they were last seen.
    fn common_shift(&self, keypoints: &KeypointsOnPlane) -> Vector2<f64> {
        let (mut sum, mut count) = (Vector2::zeros(), 0_u32);
        let before = self.position.iter().zip(&self.ever_seen).map(|(position, seen)| seen.then_some(position));
        for (keypoint, before) in keypoints.iter().zip(before) {
            if let (Some(keypoint), Some(before)) = (keypoint, before) {
                sum += keypoint.point - before;
                count += 1;
            }
        }
        if count == 0 { sum } else { sum / f64::from(count) }
    }

    fn seen<'a>(&'a self, joints: &'a [Joint]) -> impl Iterator<Item = Point2<f64>> + 'a {
        joints
            .iter()
            .map(|joint| joint.index())
            .filter(|&joint| self.ever_seen[joint])
            .map(|joint| self.position[joint])
    }

    fn center(&self) -> Option<Point2<f64>> {
        mean(self.seen(&TORSO_JOINTS))
            .or_else(|| mean(self.seen(&COMMON_JOINTS)))
            .or_else(|| mean(self.seen(&Joint::ALL)))
    }
}

fn mean(points: impl Iterator<Item = Point2<f64>>) -> Option<Point2<f64>> {
    let (mut sum, mut count) = (Vector2::zeros(), 0_u32);
    for point in points {
        sum += point.coords;
        count += 1;
    }
    (count > 0).then(|| Point2::from(sum / f64::from(count)))
}

/// Writes one feature row of [`FEATURE_COUNT`] values, or of those without gravity, all finite and bounded.
///
/// # Panics
/// When `row` has another length than [`FEATURE_COUNT`] or [`FEATURE_COUNT_WITHOUT_GRAVITY`].
pub fn write_features(memory: &BodyMemory, camera: &VirtualCamera, sample: &Sample, row: &mut [f32]) {
    assert!(FEATURE_COUNTS.contains(&row.len()), "a feature row has {FEATURE_COUNT} values, found {}", row.len());
    let (joints, person) = row.split_at_mut(JOINT_COUNT * FEATURES_PER_JOINT);
    for (joint, features) in joints.chunks_exact_mut(FEATURES_PER_JOINT).enumerate() {
        let keypoint = sample.keypoints[joint];
        let seen = if memory.ever_seen[joint] { camera.to_virtual(memory.position[joint]) } else { None };
        let seen = seen.unwrap_or_else(Point2::origin);
        features[0] = seen.x.clamp(-COORDINATE_LIMIT, COORDINATE_LIMIT) as f32;
        features[1] = seen.y.clamp(-COORDINATE_LIMIT, COORDINATE_LIMIT) as f32;
        features[2] = keypoint.map_or(0.0, |keypoint| keypoint.score.clamp(0.0, 1.0)) as f32;
        features[3] =
            keypoint.and_then(|keypoint| keypoint.spread).map_or(0.0, |spread| spread_feature(spread, camera));
        features[4] = (memory.age_secs[joint] / MAX_AGE_SECS) as f32;
        features[5] = if keypoint.is_some() { 1.0 } else { 0.0 };
    }
    person[0] = (camera.size().ln() + 2.0) as f32;
    person[1] = camera.center_in_level().x.clamp(-2.0, 2.0) as f32;
    person[2] = camera.center_in_level().y.clamp(-2.0, 2.0) as f32;
    person[3] = (sample.step_secs / MODEL_PERIOD_SECS - 1.0).clamp(-1.0, 1.0) as f32;
    let gravity = sample.attitude.gravity.map(|gravity| camera.virtual_from_camera() * gravity.into_inner());
    for (feature, value) in person[4..].iter_mut().zip(&gravity.unwrap_or_default()) {
        *feature = *value as f32;
    }
}

/// Log of the spread in person sizes, about zero for a sharp peak of a common detector.
fn spread_feature(spread: f64, camera: &VirtualCamera) -> f32 {
    ((spread / camera.size()).max(1e-4).ln() + 3.0).clamp(-3.0, 3.0) as f32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(x: f64, y: f64) -> KeypointOnPlane {
        KeypointOnPlane { point: Point2::new(x, y), score: 0.9, spread: None }
    }

    fn person(offset: f64) -> KeypointsOnPlane {
        std::array::from_fn(|joint| Some(at(offset + 0.01 * joint as f64, 0.02 * joint as f64)))
    }

    /// One person alone before a camera.
    type Alone = (SampleGrid, SampleClock);

    fn samples((grid, clock): &mut Alone, nanoseconds: i64, keypoints: &KeypointsOnPlane) -> Vec<Sample> {
        let (stamp, mut samples) = (Stamp::from_nanoseconds(nanoseconds), Vec::new());
        let image = PersonInImage { stamp, keypoints, attitude: Attitude::default(), is_kept: grid.keeps(stamp) };
        clock.image(image, |sample| samples.push(sample));
        samples
    }

    #[test]
    fn thirty_hertz_keeps_every_image() {
        let mut clock = Alone::default();
        for image in 0..20 {
            let emitted = samples(&mut clock, image * 33_333_333, &person(0.0));
            assert_eq!(emitted.len(), 1);
            assert_eq!(emitted[0].kind, SampleKind::Keep);
        }
    }

    #[test]
    fn sixty_hertz_alternates_keep_and_peek() {
        let mut clock = Alone::default();
        let kinds: Vec<_> =
            (0..6).map(|image| samples(&mut clock, image * 16_666_667, &person(0.0)).pop().unwrap().kind).collect();
        let (keep, peek) = (SampleKind::Keep, SampleKind::Peek);
        assert_eq!(kinds, [keep, peek, keep, peek, keep, peek]);
    }

    #[test]
    fn whoever_comes_later_has_samples_of_the_same_images() {
        let mut grid = SampleGrid::default();
        let mut clocks: Vec<SampleClock> = Vec::new();
        let mut nanoseconds = 7_000_000_000;
        for image in 0..80_i64 {
            // From 100 Hz down to 12 Hz, and time that goes back once.
            nanoseconds += 10_000_000 + (image % 7) * (image % 5) * 3_000_000;
            if image == 50 {
                (nanoseconds, clocks) = (1_000_000_000, Vec::new());
            }
            if image % 9 == 4 {
                clocks.push(SampleClock::default());
            }
            let stamp = Stamp::from_nanoseconds(nanoseconds);
            let is_kept = grid.keeps(stamp);
            for clock in &mut clocks {
                let mut kinds = Vec::new();
                let seen = PersonInImage { stamp, keypoints: &person(0.0), attitude: Attitude::default(), is_kept };
                clock.image(seen, |sample| kinds.push(sample.kind));
                let wanted = if is_kept { SampleKind::Keep } else { SampleKind::Peek };
                assert_eq!(kinds.last(), Some(&wanted), "image {image}");
            }
        }
        assert!(clocks.len() >= 3);
    }

    #[test]
    fn ten_hertz_is_interpolated_in_between() {
        let mut clock = Alone::default();
        samples(&mut clock, 0, &person(0.0));
        let emitted = samples(&mut clock, 100_000_000, &person(0.3));
        let x: Vec<_> = emitted.iter().map(|sample| sample.keypoints[0].unwrap().point.x).collect();
        assert_eq!(x.len(), 3);
        for (x, expected) in x.iter().zip([0.1, 0.2, 0.3]) {
            assert!((x - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn a_gap_is_masked_except_for_its_end() {
        let mut clock = Alone::default();
        samples(&mut clock, 0, &person(0.0));
        let emitted = samples(&mut clock, 1_000_000_000, &person(0.3));
        assert_eq!(emitted.len(), 30);
        assert!(emitted[..29].iter().all(|sample| sample.keypoints.iter().all(Option::is_none)));
        assert!(emitted[29].keypoints.iter().all(Option::is_some));
    }

    #[test]
    fn a_stamp_that_does_not_advance_emits_nothing() {
        let mut clock = Alone::default();
        samples(&mut clock, 50, &person(0.0));
        assert!(samples(&mut clock, 50, &person(0.0)).is_empty());
        assert!(samples(&mut clock, 20, &person(0.0)).is_empty());
    }

    #[test]
    fn a_hidden_joint_rides_along_and_ages() {
        let mut memory = BodyMemory::default();
        let sample = |keypoints| Sample {
            keypoints,
            attitude: Attitude::default(),
            step_secs: MODEL_PERIOD_SECS,
            kind: SampleKind::Keep,
        };
        memory.update(&sample(person(0.0))).unwrap();
        let mut moved = person(0.5);
        moved[Joint::LWrist.index()] = None;
        let camera = memory.update(&sample(moved)).unwrap();
        let wrist = memory.position[Joint::LWrist.index()];
        assert!((wrist.x - (0.5 + 0.13)).abs() < 1e-12);
        let mut row = [0.0; FEATURE_COUNT];
        write_features(&memory, &camera, &sample(moved), &mut row);
        let wrist = &row[Joint::LWrist.index() * FEATURES_PER_JOINT..][..FEATURES_PER_JOINT];
        assert!(wrist[4] > 0.0 && wrist[5] == 0.0 && wrist[2] == 0.0);
        assert!(row.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn gravity_is_told_in_the_axes_of_the_virtual_camera_and_left_out_where_it_is_unknown() {
        let mut memory = BodyMemory::default();
        let gravity = nalgebra::UnitVector3::new_normalize(nalgebra::Vector3::new(0.1, 0.9, -0.3));
        let attitude = Attitude::new(Some(gravity), 0.0);
        let mut sample = Sample { keypoints: person(0.4), attitude, step_secs: 0.03, kind: SampleKind::Keep };
        let camera = memory.update(&sample).unwrap();
        let row = |sample: &Sample, length: usize| {
            let mut row = vec![7.0; length];
            write_features(&memory, &camera, sample, &mut row);
            row
        };
        let told = row(&sample, FEATURE_COUNT);
        let wanted = camera.virtual_from_camera() * gravity.into_inner();
        for (found, wanted) in told[FEATURE_COUNT_WITHOUT_GRAVITY..].iter().zip(&wanted) {
            assert!((f64::from(*found) - wanted).abs() < 1e-6, "{found} instead of {wanted}");
        }
        // The person is to the right of the camera's axis: the virtual camera has other axes.
        assert!((wanted.x - gravity.x).abs() > 0.05);
        sample.attitude.gravity = None;
        let untold = row(&sample, FEATURE_COUNT);
        assert_eq!(untold[FEATURE_COUNT_WITHOUT_GRAVITY..], [0.0; 3]);
        assert_eq!(untold[..FEATURE_COUNT_WITHOUT_GRAVITY], told[..FEATURE_COUNT_WITHOUT_GRAVITY]);
        assert_eq!(row(&sample, FEATURE_COUNT_WITHOUT_GRAVITY), told[..FEATURE_COUNT_WITHOUT_GRAVITY]);
    }

    #[test]
    fn nothing_seen_gives_no_camera() {
        let mut memory = BodyMemory::default();
        let sample = Sample {
            keypoints: [None; JOINT_COUNT],
            attitude: Attitude::default(),
            step_secs: 0.03,
            kind: SampleKind::Keep,
        };
        assert!(memory.update(&sample).is_none());
    }
}
