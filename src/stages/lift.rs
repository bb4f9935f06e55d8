//! Lifting: the streaming multi-stride temporal convolutional network, everybody of an image in one batch.
//!
//! Each person has rings, one for every level of the network, that hold the level's past inputs. A new sample
//! costs one row per level: the host hands the network the two past rows that each level's kernel reaches and
//! takes back the level's new row. Streaming and whole-sequence evaluation of the same weights agree to 1e-4
//! (`tests/lifter.rs`).
//!
//! Network: inputs `features` `[people, FEATURE_COUNT]`, `past` `[people, levels * 2 * channels]` (for each
//! level the row `t - 2d`, then `t - d`); outputs `answers` `[people, heads * 85]` (for each look-ahead 17 × 3
//! root-relative joints in m, 17 lateral and 17 depth Laplace log-scales, ln m, in the axes of the virtual camera
//! of the answered sample) and `rows` `[people, levels * channels]`.

use std::collections::VecDeque;
use std::time::Duration;

use nalgebra::{UnitVector3, Vector3};
use ndarray::{Array2, ArrayD};

use crate::data::{LiftedPose, Stamp};
use crate::geometry::VirtualCamera;
use crate::network::{Network, NetworkError, TensorView};
use crate::skeleton::{JOINT_COUNT, JointArray};
use crate::stages::plausibility::{Discriminator, DiscriminatorFacts, Movement};
use crate::stages::window::{self, BodyMemory, FEATURE_COUNT, KeypointsOnPlane, Sample, SampleClock, SampleKind};

/// Temporal kernel size of a level.
const KERNEL: usize = 3;
/// Values of one head.
const HEAD_VALUES: usize = JOINT_COUNT * 5;
/// Longest run of samples that one image may fill in; a longer gap starts the person anew.
const LONGEST_FILL: usize = 150;
/// Range of the stated log-scale, ln m.
const LOG_SCALE_RANGE: (f32, f32) = (-6.0, 1.0);

/// Facts about the lifter's weights, from its contract.
#[derive(Clone, Debug, PartialEq)]
pub struct LifterFacts {
    /// Image strides of the branches.
    pub image_strides: Vec<usize>,
    /// Dilations of the levels of every branch, in samples of the branch.
    pub dilations: Vec<usize>,
    /// Channels of every branch.
    pub branch_channels: usize,
    /// Which sample each head answers for: so many samples ago. The first is 0.
    pub lookaheads: Vec<usize>,
    /// Standard deviation per stated Laplace scale, lateral and depth, for each head (calibration).
    pub sigma_per_scale: Vec<(f64, f64)>,
    /// The discriminator that comes with the lifter, where one does.
    pub discriminator: Option<DiscriminatorFacts>,
}

impl LifterFacts {
    /// How far each level's kernel reaches from tap to tap, in samples; branch by branch.
    fn shifts(&self) -> impl Iterator<Item = usize> + '_ {
        self.image_strides.iter().flat_map(|stride| self.dilations.iter().map(move |dilation| dilation * stride))
    }

    /// The head that looks ahead furthest.
    fn furthest_head(&self) -> usize {
        let furthest = self.lookaheads.iter().copied().max();
        self.lookaheads.iter().position(|&of| Some(of) == furthest).unwrap_or(0)
    }
}

/// A lifter that cannot be used, or failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LiftError {
    /// The contract contradicts itself or what this program can do.
    #[error("lifter contract: {0}")]
    Contract(String),
    /// The engine failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// What the lifter says for one person and one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lifted {
    /// The person in this image.
    pub now: LiftedPose,
    /// The person in an earlier image, with the look-ahead of the last head.
    pub earlier: Option<EarlierPose>,
    /// How plausible the movement up to this image is; `None` where unknown.
    pub plausibility: Option<f64>,
}

/// A second, better answer for an image that was seen a fixed number of samples ago.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlierPose {
    /// Stamp of that image.
    pub stamp: Stamp,
    /// The keypoints of that image.
    pub keypoints: KeypointsOnPlane,
    /// The answer.
    pub pose: LiftedPose,
    /// How plausible the movement up to that image is; `None` where unknown.
    pub plausibility: Option<f64>,
}

/// One person's past, as far as the network needs it.
#[derive(Clone, Debug)]
pub struct PersonWindow {
    clock: SampleClock,
    memory: BodyMemory,
    rings: Vec<Ring>,
    kept: VecDeque<KeptSample>,
    samples: Vec<Sample>,
    /// Answers of the first head and of the one that looks ahead furthest; absent without a discriminator.
    movements: Option<[Movement; 2]>,
}

#[derive(Clone, Copy, Debug)]
struct KeptSample {
    /// `None` for a sample that was filled in between two images.
    image: Option<(Stamp, KeypointsOnPlane)>,
    camera: VirtualCamera,
}

/// The last `2 * shift` rows of one level's input.
#[derive(Clone, Debug)]
struct Ring {
    rows: Vec<f32>,
    shift: usize,
    channels: usize,
    next: usize,
}

impl Ring {
    fn new(shift: usize, channels: usize) -> Self {
        Self { rows: vec![0.0; (KERNEL - 1) * shift * channels], shift, channels, next: 0 }
    }

    /// The rows `t - 2 shift` and `t - shift`, oldest first.
    fn write_past(&self, out: &mut [f32]) {
        let slots = (KERNEL - 1) * self.shift;
        for (tap, row) in out.chunks_exact_mut(self.channels).enumerate() {
            let slot = (self.next + tap * self.shift) % slots;
            row.copy_from_slice(&self.rows[slot * self.channels..(slot + 1) * self.channels]);
        }
    }

    fn push(&mut self, row: &[f32]) {
        self.rows[self.next * self.channels..(self.next + 1) * self.channels].copy_from_slice(row);
        self.next = (self.next + 1) % ((KERNEL - 1) * self.shift);
    }
}

/// One person of an image for the lifter.
pub struct PersonInput<'a> {
    /// The person's past.
    pub window: &'a mut PersonWindow,
    /// The person's keypoints in this image.
    pub keypoints: KeypointsOnPlane,
}

/// The lifter: facts, network, and the discriminator that judges its answers.
pub struct Lifter {
    facts: LifterFacts,
    network: Box<dyn Network>,
    discriminator: Option<Discriminator>,
    is_judged: bool,
}

impl Lifter {
    /// Pairs the weights with their facts.
    ///
    /// # Errors
    /// [`LiftError::Contract`] when the facts contradict themselves or the graph.
    pub fn new(facts: LifterFacts, network: Box<dyn Network>) -> Result<Self, LiftError> {
        let refuse = |reason: String| Err(LiftError::Contract(reason));
        if facts.lookaheads.first() != Some(&0) || facts.sigma_per_scale.len() != facts.lookaheads.len() {
            return refuse(format!(
                "look-aheads {:?} must start with 0 and have one calibration each, found {}",
                facts.lookaheads,
                facts.sigma_per_scale.len()
            ));
        }
        if facts.branch_channels == 0 || facts.shifts().count() == 0 || facts.shifts().any(|shift| shift == 0) {
            return refuse(format!(
                "strides {:?} and dilations {:?} must be positive",
                facts.image_strides, facts.dilations
            ));
        }
        let levels = facts.shifts().count();
        let row = levels * facts.branch_channels;
        let wanted_inputs = [("features", FEATURE_COUNT), ("past", (KERNEL - 1) * row)];
        let wanted_outputs = [("answers", facts.lookaheads.len() * HEAD_VALUES), ("rows", row)];
        for (side, specs, wanted) in
            [("input", network.inputs(), wanted_inputs), ("output", network.outputs(), wanted_outputs)]
        {
            let found: Vec<_> =
                specs.iter().map(|spec| (spec.name.as_str(), spec.shape.last().copied().flatten())).collect();
            if !found.iter().copied().eq(wanted.iter().map(|&(name, width)| (name, Some(width)))) {
                return refuse(format!("the contract asks for {side}s {wanted:?}, the graph has {found:?}"));
            }
        }
        Ok(Self { facts, network, discriminator: None, is_judged: true })
    }

    /// The same lifter with its answers judged by `discriminator`.
    #[must_use]
    pub fn with_discriminator(self, discriminator: Discriminator) -> Self {
        Self { discriminator: Some(discriminator), ..self }
    }

    /// Whether answers are judged, where there is a discriminator.
    pub const fn set_judged(&mut self, is_judged: bool) {
        self.is_judged = is_judged;
    }

    /// A person who was never seen before.
    pub fn new_person(&self) -> PersonWindow {
        PersonWindow {
            clock: SampleClock::default(),
            memory: BodyMemory::default(),
            rings: self.facts.shifts().map(|shift| Ring::new(shift, self.facts.branch_channels)).collect(),
            kept: VecDeque::with_capacity(self.longest_lookahead() + 1),
            samples: Vec::new(),
            movements: self.discriminator.as_ref().map(|judge| [judge.new_movement(), judge.new_movement()]),
        }
    }

    /// How far the last head looks ahead at the model rate.
    pub fn lookahead(&self) -> Duration {
        Duration::from_secs_f64(self.longest_lookahead() as f64 / window::MODEL_RATE_HZ)
    }

    fn longest_lookahead(&self) -> usize {
        self.facts.lookaheads.iter().copied().max().unwrap_or(0)
    }

    /// Lifts everybody of the image at `stamp`. The answer is `None` for a person of whom nothing was ever
    /// seen, whose stamp does not advance, or for whom the network gave values that are not finite.
    ///
    /// # Errors
    /// [`LiftError::Network`] when the engine fails.
    pub fn lift(&mut self, stamp: Stamp, people: &mut [PersonInput<'_>]) -> Result<Vec<Option<Lifted>>, LiftError> {
        let mut answers: Vec<Option<Lifted>> = vec![None; people.len()];
        for person in people.iter_mut() {
            let samples = &mut person.window.samples;
            samples.clear();
            person.window.clock.image(stamp, &person.keypoints, |sample| samples.push(sample));
            if samples.len() > LONGEST_FILL {
                let last = samples.pop();
                *person.window = self.new_person();
                person.window.clock.image(stamp, &person.keypoints, |_| ());
                person.window.samples.extend(last);
            }
        }
        // Everybody's own image comes in the last round, so that it is one batch.
        let rounds = people.iter().map(|person| person.window.samples.len()).max().unwrap_or(0);
        for round in 0..rounds {
            self.run_round(stamp, people, rounds - round, &mut answers)?;
        }
        self.judge(people, &mut answers)?;
        Ok(answers)
    }

    /// Puts the plausibility of each movement into its answer.
    fn judge(&mut self, people: &[PersonInput<'_>], answers: &mut [Option<Lifted>]) -> Result<(), LiftError> {
        let Some(discriminator) = self.discriminator.as_mut().filter(|_| self.is_judged) else { return Ok(()) };
        discriminator.judge(people.iter().zip(answers).flat_map(|(person, answer)| {
            let movements = person.window.movements.as_ref();
            let pairs = movements.zip(answer.as_mut()).map(|([now, earlier], answer)| {
                let earlier = answer.earlier.as_mut().map(|answer| (earlier, &mut answer.plausibility));
                [Some((now, &mut answer.plausibility)), earlier]
            });
            pairs.into_iter().flatten().flatten()
        }))
    }

    /// Runs one sample of every person who has at least `remaining` of them.
    fn run_round(
        &mut self,
        stamp: Stamp,
        people: &mut [PersonInput<'_>],
        remaining: usize,
        answers: &mut [Option<Lifted>],
    ) -> Result<(), LiftError> {
        let channels = self.facts.branch_channels;
        let levels = self.facts.shifts().count();
        let mut batch = Vec::with_capacity(people.len());
        for (index, person) in people.iter_mut().enumerate() {
            let window = &mut *person.window;
            let Some(at) = window.samples.len().checked_sub(remaining) else { continue };
            let sample = window.samples[at];
            let mut memory = window.memory.clone();
            let Some(camera) = memory.update(&sample) else { continue };
            if sample.kind == SampleKind::Keep {
                window.memory = memory.clone();
            }
            batch.push((index, sample, memory, camera));
        }
        if batch.is_empty() {
            return Ok(());
        }
        let mut features = Array2::<f32>::zeros((batch.len(), FEATURE_COUNT));
        let mut past = Array2::<f32>::zeros((batch.len(), levels * (KERNEL - 1) * channels));
        for (row, (index, sample, memory, camera)) in batch.iter().enumerate() {
            if let (Some(features), Some(past)) = (features.row_mut(row).into_slice(), past.row_mut(row).into_slice()) {
                window::write_features(memory, camera, sample, features);
                for (ring, out) in
                    people[*index].window.rings.iter().zip(past.chunks_exact_mut((KERNEL - 1) * channels))
                {
                    ring.write_past(out);
                }
            }
        }
        let outputs = self
            .network
            .run(&[TensorView::F32(features.view().into_dyn()), TensorView::F32(past.view().into_dyn())])?;
        let (answer_rows, level_rows) = self.check_outputs(&outputs, batch.len(), levels * channels)?;
        for (row, (index, sample, _, camera)) in batch.iter().enumerate() {
            let window = &mut *people[*index].window;
            let answer = &answer_rows[row * self.facts.lookaheads.len() * HEAD_VALUES..]
                [..self.facts.lookaheads.len() * HEAD_VALUES];
            let new_rows = &level_rows[row * levels * channels..][..levels * channels];
            if !answer.iter().chain(new_rows).all(|value| value.is_finite()) {
                *window = self.new_person();
                continue;
            }
            let is_image = remaining == 1;
            if sample.kind == SampleKind::Keep {
                for (ring, row) in window.rings.iter_mut().zip(new_rows.chunks_exact(channels)) {
                    ring.push(row);
                }
                if let Some([now, earlier]) = &mut window.movements {
                    let head = self.facts.furthest_head() * HEAD_VALUES;
                    now.push(&answer[..JOINT_COUNT * 3]);
                    earlier.push(&answer[head..head + JOINT_COUNT * 3]);
                }
                if window.kept.len() > self.longest_lookahead() {
                    window.kept.pop_front();
                }
                let image = is_image.then_some((stamp, sample.keypoints));
                window.kept.push_back(KeptSample { image, camera: *camera });
            }
            if is_image {
                let earlier = if sample.kind == SampleKind::Keep { self.earlier(window, answer) } else { None };
                let now = self.pose(0, answer, camera);
                answers[*index] = Some(Lifted { now, earlier, plausibility: None });
            }
        }
        Ok(())
    }

    fn check_outputs<'o>(
        &self,
        outputs: &'o [ArrayD<f32>],
        people: usize,
        row: usize,
    ) -> Result<(&'o [f32], &'o [f32]), LiftError> {
        let wanted = [people * self.facts.lookaheads.len() * HEAD_VALUES, people * row];
        match outputs {
            [answers, rows] if answers.len() == wanted[0] && rows.len() == wanted[1] => answers
                .as_slice()
                .zip(rows.as_slice())
                .ok_or_else(|| LiftError::Contract("outputs are not contiguous".into())),
            _ => Err(LiftError::Contract(format!(
                "the network gave {:?} values, wanted {wanted:?}",
                outputs.iter().map(ArrayD::len).collect::<Vec<_>>()
            ))),
        }
    }

    /// The answer of the head that looks ahead furthest, when the image it answers for is known.
    fn earlier(&self, window: &PersonWindow, answer: &[f32]) -> Option<EarlierPose> {
        let lookahead = self.longest_lookahead();
        let head = Some(self.facts.furthest_head()).filter(|_| lookahead > 0)?;
        let kept = window.kept.get(window.kept.len().checked_sub(lookahead + 1)?)?;
        let (stamp, keypoints) = kept.image?;
        Some(EarlierPose { stamp, keypoints, pose: self.pose(head, answer, &kept.camera), plausibility: None })
    }

    fn pose(&self, head: usize, answer: &[f32], camera: &VirtualCamera) -> LiftedPose {
        let values = &answer[head * HEAD_VALUES..(head + 1) * HEAD_VALUES];
        let rotation = camera.camera_from_virtual();
        let joint =
            |joint: usize| Vector3::new(values[joint * 3], values[joint * 3 + 1], values[joint * 3 + 2]).cast::<f64>();
        let root = joint(0);
        let (lateral, depth) = self.facts.sigma_per_scale[head];
        let scale = |offset: usize, factor: f64| -> JointArray<f64> {
            std::array::from_fn(|joint| {
                f64::from(values[offset + joint].clamp(LOG_SCALE_RANGE.0, LOG_SCALE_RANGE.1)).exp() * factor
            })
        };
        LiftedPose {
            joints_from_root: std::array::from_fn(|index| rotation * (joint(index) - root)),
            sigma_lateral: scale(JOINT_COUNT * 3, lateral),
            sigma_depth: scale(JOINT_COUNT * 4, depth),
            viewing_direction: UnitVector3::new_normalize(rotation * Vector3::z()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_gives_the_rows_one_and_two_shifts_ago() {
        let mut ring = Ring::new(3, 1);
        let mut past = [0.0; 2];
        for time in 0..20_u8 {
            ring.write_past(&mut past);
            let row = |ago: u8| if time >= ago { f32::from(time - ago) } else { 0.0 };
            // Times before the start read as zero, and so does time 0 itself: count from 1 below.
            assert!((past[0] - if time >= 6 { row(6) + 1.0 } else { 0.0 }).abs() < f32::EPSILON);
            assert!((past[1] - if time >= 3 { row(3) + 1.0 } else { 0.0 }).abs() < f32::EPSILON);
            ring.push(&[f32::from(time) + 1.0]);
        }
    }
}
