//! Lifting: the streaming multi-stride temporal convolutional network, everybody of an image in one batch.
//!
//! Each person has rings, one for every level of the network, that hold the level's past inputs, and one for what the network
//! keeps for its hindsight. A new sample costs one row of each: the host hands the network the past rows that it
//! reaches and takes back the new ones. Streaming and whole-sequence evaluation of the same weights agree to 1e-4
//! (`tests/networks.rs`).
//!
//! Network: inputs `features` `[people, feature_count]`, `past` `[people, levels * 2 * channels + kept]` (for each level
//! the row `t - 2d`, then `t - d`; then what its contract says it recalls); outputs `answers`
//! `[people, heads * 85]` (for each look-ahead 17 × 3 root-relative joints in m, 17 lateral and 17 depth Laplace
//! log-scales, ln m, in the axes of the virtual camera of the answered sample) and `rows`
//! `[people, levels * channels + kept]`.

use std::collections::VecDeque;
use std::time::Duration;

use nalgebra::{UnitVector3, Vector3};
use ndarray::{ArrayView2, ArrayViewD};

use crate::data::{Attitude, LiftedPose, Stamp};
use crate::geometry::VirtualCamera;
use crate::network::{Network, NetworkError, TensorView};
use crate::skeleton::{JOINT_COUNT, JointArray};
use crate::stages::plausibility::{Discriminator, DiscriminatorFacts, Movement};
use crate::stages::window::{
    self, BodyMemory, KeypointsOnPlane, PersonInImage, Sample, SampleClock, SampleGrid, SampleKind,
};

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
    /// Values of the feature rows that it takes, one of [`window::FEATURE_COUNTS`].
    pub feature_count: usize,
    /// Image strides of the branches.
    pub image_strides: Vec<usize>,
    /// Dilations of the levels of every branch, in samples of the branch.
    pub dilations: Vec<usize>,
    /// Channels of every branch.
    pub branch_channels: usize,
    /// What the network recalls besides, where it does.
    pub recall: Option<Recall>,
    /// Which sample each head answers for: so many samples ago. The first is 0.
    pub lookaheads: Vec<usize>,
    /// Standard deviation per stated Laplace scale, lateral and depth, for each head (calibration).
    pub sigma_per_scale: Vec<(f64, f64)>,
    /// The discriminator that comes with the lifter, where one does.
    pub discriminator: Option<DiscriminatorFacts>,
}

/// What a lifter recalls besides the past of its levels: what it kept of earlier samples for its hindsight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    /// Values kept of a sample.
    pub channels: usize,
    /// How many samples ago, oldest first.
    pub ages: Vec<usize>,
}

impl LifterFacts {
    /// Channels of each row that the host keeps, and how many samples ago the network reads it, oldest first: each level's,
    /// branch by branch, then what is recalled besides.
    fn past(&self) -> impl Iterator<Item = (usize, Vec<usize>)> + '_ {
        let shifts =
            self.image_strides.iter().flat_map(|stride| self.dilations.iter().map(move |dilation| dilation * stride));
        let levels = shifts.map(|shift| (self.branch_channels, (1..KERNEL).rev().map(|tap| tap * shift).collect()));
        levels.chain(self.recall.iter().map(|recall| (recall.channels, recall.ages.clone())))
    }

    /// Values of what the network reads of the past, and of what it adds to it.
    fn past_widths(&self) -> (usize, usize) {
        self.past().fold((0, 0), |(read, added), (channels, ages)| (read + channels * ages.len(), added + channels))
    }

    /// The head that looks ahead furthest.
    fn furthest_head(&self) -> usize {
        let furthest = self.lookaheads.iter().copied().max();
        self.lookaheads.iter().position(|&of| Some(of) == furthest).unwrap_or(0)
    }

    fn longest_lookahead(&self) -> usize {
        self.lookaheads.iter().copied().max().unwrap_or(0)
    }

    /// The answer of the head that looks ahead furthest, when the image it answers for is known.
    fn earlier(&self, window: &PersonWindow, answer: &[f32]) -> Option<EarlierPose> {
        let lookahead = self.longest_lookahead();
        let head = Some(self.furthest_head()).filter(|_| lookahead > 0)?;
        let kept = window.kept.get(window.kept.len().checked_sub(lookahead + 1)?)?;
        let (stamp, keypoints) = kept.image?;
        Some(EarlierPose { stamp, keypoints, pose: self.pose(head, answer, &kept.camera), plausibility: None })
    }

    /// What the head `head` of `answer` says, in the camera optical frame.
    fn pose(&self, head: usize, answer: &[f32], camera: &VirtualCamera) -> LiftedPose {
        let values = &answer[head * HEAD_VALUES..(head + 1) * HEAD_VALUES];
        let rotation = camera.camera_from_virtual();
        let joint =
            |joint: usize| Vector3::new(values[joint * 3], values[joint * 3 + 1], values[joint * 3 + 2]).cast::<f64>();
        let root = joint(0);
        let (lateral, depth) = self.sigma_per_scale[head];
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
    /// The keypoints of this image.
    keypoints: KeypointsOnPlane,
    /// Answers of the first head and of the one that looks ahead furthest; absent without a discriminator.
    movements: Option<[Movement; 2]>,
    /// Images that were no samples and are not told of yet, by ascending stamp.
    between: VecDeque<(Stamp, KeypointsOnPlane)>,
    /// The second answer that was given last.
    last_told: Option<(Stamp, LiftedPose)>,
    /// What the last image told of earlier ones, by ascending stamp.
    looked_back: Vec<EarlierPose>,
    /// How many of these, the last ones, came with the image's own sample.
    own_told: usize,
}

#[derive(Clone, Copy, Debug)]
struct KeptSample {
    /// `None` for a sample that was filled in between two images.
    image: Option<(Stamp, KeypointsOnPlane)>,
    camera: VirtualCamera,
}

/// The last rows of one value of the network, back to the oldest that is read again.
#[derive(Clone, Debug)]
struct Ring {
    rows: Vec<f32>,
    channels: usize,
    /// How many samples ago, oldest first.
    ages: Vec<usize>,
    next: usize,
}

impl Ring {
    fn new(channels: usize, ages: Vec<usize>) -> Self {
        let oldest = ages.first().copied().unwrap_or(0);
        Self { rows: vec![0.0; oldest * channels], channels, ages, next: 0 }
    }

    /// Values that are read again.
    fn width(&self) -> usize {
        self.ages.len() * self.channels
    }

    /// The rows that are read again, oldest first.
    fn write_past(&self, out: &mut [f32]) {
        let slots = self.rows.len() / self.channels;
        for (age, row) in self.ages.iter().zip(out.chunks_exact_mut(self.channels)) {
            let slot = (self.next + slots - age) % slots;
            row.copy_from_slice(&self.rows[slot * self.channels..(slot + 1) * self.channels]);
        }
    }

    fn push(&mut self, row: &[f32]) {
        let slots = self.rows.len() / self.channels;
        self.rows[self.next * self.channels..(self.next + 1) * self.channels].copy_from_slice(row);
        self.next = (self.next + 1) % slots;
    }
}

impl PersonWindow {
    /// Takes the person's keypoints in this image, for the next [`Lifter::lift`].
    pub const fn see(&mut self, keypoints: KeypointsOnPlane) {
        self.keypoints = keypoints;
    }

    /// The person's keypoints in this image.
    pub const fn keypoints(&self) -> &KeypointsOnPlane {
        &self.keypoints
    }

    /// With look-ahead: what the last image told of earlier ones, by ascending stamp. Each image is told of once; one that was
    /// no sample of the lifter with the pose between those of its neighbours. After a pause an image tells of several.
    pub fn looked_back(&self) -> &[EarlierPose] {
        &self.looked_back
    }

    /// Takes the second answer for a sample, and with it the answers for the images between the sample before and this one;
    /// before the first one, its own.
    fn tell(&mut self, earlier: EarlierPose) {
        let from = self.last_told.replace((earlier.stamp, earlier.pose));
        while let Some((stamp, keypoints)) = self.between.pop_front_if(|(stamp, _)| *stamp < earlier.stamp) {
            let pose = from.map_or(earlier.pose, |(from, pose)| {
                let fraction = stamp.seconds_since(from) / earlier.stamp.seconds_since(from);
                pose.toward(&earlier.pose, fraction)
            });
            self.looked_back.push(EarlierPose { stamp, keypoints, pose, plausibility: None });
        }
        self.looked_back.push(earlier);
    }
}

impl AsMut<Self> for PersonWindow {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

/// The lifter: facts, network, and the discriminator that judges its answers.
pub struct Lifter {
    facts: LifterFacts,
    grid: SampleGrid,
    /// Values of a person's past that are read and added by a sample.
    past_widths: (usize, usize),
    network: Box<dyn Network>,
    discriminator: Option<Discriminator>,
    is_judged: bool,
    buffers: Buffers,
}

/// What is used again from image to image.
#[derive(Default)]
struct Buffers {
    batch: Vec<BatchRow>,
    features: Vec<f32>,
    past: Vec<f32>,
    answers: Vec<Option<Lifted>>,
}

/// One person's sample in a batch.
struct BatchRow {
    person: usize,
    sample: Sample,
    memory: BodyMemory,
    camera: VirtualCamera,
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
        let is_past = |(channels, ages): (usize, Vec<usize>)| {
            channels > 0 && !ages.is_empty() && ages.is_sorted_by(|older, newer| older > newer) && !ages.contains(&0)
        };
        if facts.past().count() == 0 || !facts.past().all(is_past) {
            return refuse(format!(
                "strides {:?}, dilations {:?}, channels {} and recall {:?} must be positive, ages the oldest first",
                facts.image_strides, facts.dilations, facts.branch_channels, facts.recall
            ));
        }
        let past_widths @ (read, added) = facts.past_widths();
        let wanted_inputs = [("features", facts.feature_count), ("past", read)];
        let wanted_outputs = [("answers", facts.lookaheads.len() * HEAD_VALUES), ("rows", added)];
        for (side, specs, wanted) in
            [("input", network.inputs(), wanted_inputs), ("output", network.outputs(), wanted_outputs)]
        {
            let found: Vec<_> =
                specs.iter().map(|spec| (spec.name.as_str(), spec.shape.last().copied().flatten())).collect();
            if !found.iter().copied().eq(wanted.iter().map(|&(name, width)| (name, Some(width)))) {
                return refuse(format!("the contract asks for {side}s {wanted:?}, the graph has {found:?}"));
            }
        }
        Ok(Self {
            facts,
            grid: SampleGrid::default(),
            past_widths,
            network,
            discriminator: None,
            is_judged: true,
            buffers: Buffers::default(),
        })
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
        new_person(&self.facts, self.discriminator.as_ref())
    }

    /// How far the last head looks ahead at the model rate.
    pub fn lookahead(&self) -> Duration {
        Duration::from_secs_f64(self.facts.longest_lookahead() as f64 / window::MODEL_RATE_HZ)
    }

    /// Lifts everybody of the image at `stamp`, each with the keypoints it was last given ([`PersonWindow::see`]), by a camera
    /// that is turned like `attitude`. The answer
    /// is `None` for a person of whom nothing was ever seen, whose stamp does not advance, or for whom the network gave
    /// values that are not finite. What is told of earlier images lies in each person's window
    /// ([`PersonWindow::looked_back`]). At more than the model rate everybody has samples of the same images.
    ///
    /// # Errors
    /// [`LiftError::Network`] when the engine fails.
    pub fn lift<P: AsMut<PersonWindow>>(
        &mut self,
        stamp: Stamp,
        attitude: Attitude,
        people: &mut [P],
    ) -> Result<&[Option<Lifted>], LiftError> {
        self.buffers.answers.clear();
        self.buffers.answers.resize(people.len(), None);
        let is_kept = self.grid.keeps(stamp);
        let mut rounds = 0;
        for person in people.iter_mut() {
            let window = person.as_mut();
            window.looked_back.clear();
            window.own_told = 0;
            let (clock, samples) = (&mut window.clock, &mut window.samples);
            samples.clear();
            let image = PersonInImage { stamp, keypoints: &window.keypoints, attitude, is_kept };
            clock.image(image, |sample| samples.push(sample));
            if samples.len() > LONGEST_FILL {
                let last = samples.pop();
                let keypoints = window.keypoints;
                *window = self.new_person();
                window.see(keypoints);
                let image = PersonInImage { stamp, keypoints: &keypoints, attitude, is_kept: true };
                window.clock.image(image, |_| ());
                window.samples.extend(last);
            }
            rounds = rounds.max(window.samples.len());
        }
        // Everybody's own image comes in the last round, so that it is one batch.
        for round in 0..rounds {
            self.run_round(stamp, people, rounds - round)?;
        }
        self.judge(people)?;
        Ok(&self.buffers.answers)
    }

    /// Puts the plausibility of each movement into its answer.
    fn judge<P: AsMut<PersonWindow>>(&mut self, people: &mut [P]) -> Result<(), LiftError> {
        let Some(discriminator) = self.discriminator.as_mut().filter(|_| self.is_judged) else { return Ok(()) };
        let answers = &mut self.buffers.answers;
        // Of everybody with an answer the movement up to this image, then up to the earlier one that its own sample told of.
        let movements = people.iter_mut().zip(answers.iter()).flat_map(|(person, answer)| {
            let window = person.as_mut();
            let [now, earlier] = window.movements.as_ref().map_or([None, None], |[now, earlier]| {
                [answer.map(|_| now), answer.filter(|_| window.own_told > 0).map(|_| earlier)]
            });
            [now, earlier].into_iter().flatten()
        });
        let mut judged = discriminator.judge(movements)?.iter();
        for (person, answer) in people.iter_mut().zip(answers) {
            let Some(answer) = answer else { continue };
            answer.plausibility = judged.next().copied().flatten();
            let window = person.as_mut();
            if window.own_told > 0 {
                let plausibility = judged.next().copied().flatten();
                let own = window.looked_back.iter_mut().rev().take(window.own_told);
                own.for_each(|earlier| earlier.plausibility = plausibility);
            }
        }
        Ok(())
    }

    /// Runs one sample of every person who has at least `remaining` of them.
    fn run_round<P: AsMut<PersonWindow>>(
        &mut self,
        stamp: Stamp,
        people: &mut [P],
        remaining: usize,
    ) -> Result<(), LiftError> {
        let Self { facts, past_widths, network, discriminator, buffers, .. } = self;
        let Buffers { batch, features, past, answers } = buffers;
        let (past_width, added_width) = *past_widths;
        batch.clear();
        for (person, window) in people.iter_mut().map(AsMut::as_mut).enumerate() {
            let Some(at) = window.samples.len().checked_sub(remaining) else { continue };
            let sample = window.samples[at];
            let mut memory = window.memory;
            let Some(camera) = memory.update(&sample) else { continue };
            if sample.kind == SampleKind::Keep {
                window.memory = memory;
            }
            batch.push(BatchRow { person, sample, memory, camera });
        }
        if batch.is_empty() {
            return Ok(());
        }
        let feature_count = facts.feature_count;
        features.resize(batch.len() * feature_count, 0.0);
        past.resize(batch.len() * past_width, 0.0);
        for ((row, features), past) in
            batch.iter().zip(features.chunks_exact_mut(feature_count)).zip(past.chunks_exact_mut(past_width))
        {
            window::write_features(&row.memory, &row.camera, &row.sample, features);
            let mut left = past;
            for ring in &people[row.person].as_mut().rings {
                let (out, rest) = left.split_at_mut(ring.width());
                ring.write_past(out);
                left = rest;
            }
        }
        let outputs =
            network.run(&[rows_of(features, batch.len(), feature_count)?, rows_of(past, batch.len(), past_width)?])?;
        let answer_width = facts.lookaheads.len() * HEAD_VALUES;
        let (answer_rows, added_rows) = check_outputs(&outputs, [answer_width, added_width], batch.len())?;
        let rows = answer_rows.chunks_exact(answer_width).zip(added_rows.chunks_exact(added_width));
        for (row, (answer, new_rows)) in batch.iter().zip(rows) {
            let window = people[row.person].as_mut();
            if !answer.iter().chain(new_rows).all(|value| value.is_finite()) {
                *window = PersonWindow { keypoints: window.keypoints, ..new_person(facts, discriminator.as_ref()) };
                continue;
            }
            let is_image = remaining == 1;
            if row.sample.kind == SampleKind::Keep {
                let mut left = new_rows;
                for ring in &mut window.rings {
                    let (row, rest) = left.split_at(ring.channels);
                    ring.push(row);
                    left = rest;
                }
                if let Some([now, earlier]) = &mut window.movements {
                    let head = facts.furthest_head() * HEAD_VALUES;
                    now.push(&answer[..JOINT_COUNT * 3]);
                    earlier.push(&answer[head..head + JOINT_COUNT * 3]);
                }
                if window.kept.len() > facts.longest_lookahead() {
                    window.kept.pop_front();
                }
                let image = is_image.then_some((stamp, row.sample.keypoints));
                window.kept.push_back(KeptSample { image, camera: row.camera });
                if let Some(earlier) = facts.earlier(window, answer) {
                    let before = window.looked_back.len();
                    window.tell(earlier);
                    window.own_told = if is_image { window.looked_back.len() - before } else { 0 };
                }
            } else if facts.longest_lookahead() > 0 {
                window.between.push_back((stamp, row.sample.keypoints));
            }
            if is_image {
                answers[row.person] = Some(Lifted { now: facts.pose(0, answer, &row.camera), plausibility: None });
            }
        }
        Ok(())
    }
}

/// `values` as the rows of a tensor.
fn rows_of(values: &[f32], rows: usize, width: usize) -> Result<TensorView<'_>, LiftError> {
    ArrayView2::from_shape((rows, width), values)
        .map(|view| TensorView::F32(view.into_dyn()))
        .map_err(|error| LiftError::Contract(format!("{rows} rows of {width} values: {error}")))
}

/// The two outputs, which must hold `rows` rows of `widths` values.
fn check_outputs<'a>(
    outputs: &'a [ArrayViewD<'_, f32>],
    widths: [usize; 2],
    rows: usize,
) -> Result<(&'a [f32], &'a [f32]), LiftError> {
    let wanted = widths.map(|width| rows * width);
    match outputs {
        [answers, level_rows] if answers.len() == wanted[0] && level_rows.len() == wanted[1] => answers
            .as_slice()
            .zip(level_rows.as_slice())
            .ok_or_else(|| LiftError::Contract("outputs are not contiguous".into())),
        _ => Err(LiftError::Contract(format!(
            "the network gave {:?} values, wanted {wanted:?}",
            outputs.iter().map(ArrayViewD::len).collect::<Vec<_>>()
        ))),
    }
}

fn new_person(facts: &LifterFacts, discriminator: Option<&Discriminator>) -> PersonWindow {
    PersonWindow {
        clock: SampleClock::default(),
        memory: BodyMemory::default(),
        rings: facts.past().map(|(channels, ages)| Ring::new(channels, ages)).collect(),
        kept: VecDeque::with_capacity(facts.longest_lookahead() + 1),
        samples: Vec::new(),
        keypoints: [None; JOINT_COUNT],
        movements: discriminator.map(|judge| [judge.new_movement(), judge.new_movement()]),
        between: VecDeque::new(),
        last_told: None,
        looked_back: Vec::new(),
        own_told: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_gives_the_rows_of_its_ages() {
        for ages in [vec![6, 3], vec![12, 4], vec![5, 4, 1]] {
            let mut ring = Ring::new(2, ages.clone());
            let mut past = vec![0.0; ring.width()];
            for time in 0..40_usize {
                ring.write_past(&mut past);
                for (age, row) in ages.iter().zip(past.chunks_exact(2)) {
                    // Times before the start read as zero.
                    let wanted = time.checked_sub(*age).map_or(0.0, |then| then as f32 + 1.0);
                    assert_eq!(row, [wanted, -wanted], "{age} before {time}");
                }
                ring.push(&[time as f32 + 1.0, -(time as f32) - 1.0]);
            }
        }
    }
}
