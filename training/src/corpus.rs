//! Who is drawn: motion capture with its truth, and people of whom the keypoints alone are to be used.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::batch::{self, BatchSettings};
use crate::keypoint_sequence::{Cut, KeypointSequence};
use crate::mocap::{Clip, Split};
use crate::noise::DetectorNoise;
use crate::scene::{self, Cast, SceneSettings};

/// Sets the draw of labelled persons apart from all others.
const LABEL_SEED: u64 = 0x6c61_6265;

/// Motion capture of one split, drawn by length.
pub struct Corpus<'a> {
    moving: Vec<(&'a Clip, usize)>,
    standing: Vec<(&'a Clip, usize)>,
    /// Those of whom the keypoints alone are to be used.
    pub(crate) unlabelled: Option<Box<Unlabelled<'a>>>,
}

impl<'a> Corpus<'a> {
    /// The clips of `split`.
    pub fn new(clips: &'a [Clip], split: Split) -> Self {
        Self::of(clips.iter().filter(|clip| clip.split == split))
    }

    /// The training clips, of which persons with about `label_share` of the poses keep their labels. The rest, and
    /// `keypoints_only`, are unlabelled.
    pub fn partly_labelled(clips: &'a [Clip], label_share: f64, keypoints_only: &'a KeypointsOnly, seed: u64) -> Self {
        let training = || clips.iter().filter(|clip| clip.split == Split::Train);
        let labelled = labelled_persons(training(), label_share, seed);
        let is_labelled = |clip: &&Clip| labelled.contains(&(clip.source.as_str(), clip.subject.as_str()));
        let withheld = training().filter(|clip| !is_labelled(clip)).chain(&keypoints_only.clips);
        let unlabelled = Unlabelled::new(Self::of(withheld), &keypoints_only.sequences);
        let unlabelled = (unlabelled.samples() > 0).then(|| Box::new(unlabelled));
        Self { unlabelled, ..Self::of(training().filter(is_labelled)) }
    }

    fn of(clips: impl Iterator<Item = &'a Clip>) -> Self {
        let mut corpus = Self { moving: Vec::new(), standing: Vec::new(), unlabelled: None };
        for clip in clips {
            let part = if clip.is_moving() { &mut corpus.moving } else { &mut corpus.standing };
            let end = part.last().map_or(0, |&(_, end)| end) + clip.poses.len();
            part.push((clip, end));
        }
        corpus
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.moving.is_empty() && self.standing.is_empty()
    }

    /// Poses with labels and without.
    pub fn poses(&self) -> (usize, usize) {
        let labelled = end(&self.moving) + end(&self.standing);
        (labelled, self.unlabelled.as_ref().map_or(0, |unlabelled| unlabelled.samples()))
    }

    /// A clip, longer ones more often, and from whom parts of it are to come.
    pub(crate) fn draw_cast(&self, settings: &BatchSettings, rng: &mut impl Rng) -> Cast<'a> {
        let mut draw = |share: f64, standing_share: f64| rng.random_bool(share).then(|| self.draw(standing_share, rng));
        let (scene, standing_share) = (&settings.scene, settings.standing_share);
        let upper_body = draw(scene.recombined_share, 0.0);
        let built_like = draw(scene.recorded_body_share, standing_share);
        Cast { clip: self.draw(standing_share, rng), upper_body, built_like }
    }

    /// A clip, longer ones more often.
    pub(crate) fn draw(&self, standing_share: f64, rng: &mut impl Rng) -> &'a Clip {
        let standing = self.moving.is_empty() || (!self.standing.is_empty() && rng.random_bool(standing_share));
        let clips = if standing { &self.standing } else { &self.moving };
        draw_by_length(clips, rng)
    }
}

/// The sum of all lengths.
fn end<T>(part: &[(&T, usize)]) -> usize {
    part.last().map_or(0, |&(_, end)| end)
}

fn draw_by_length<'a, T>(parts: &[(&'a T, usize)], rng: &mut impl Rng) -> &'a T {
    let at = rng.random_range(0..end(parts));
    parts[parts.partition_point(|&(_, end)| end <= at)].0
}

/// Data of which the keypoints alone are to be used.
#[derive(Clone, Debug, Default)]
pub struct KeypointsOnly {
    /// Motion capture: a camera and a detector are drawn, and the truth is not looked at.
    pub clips: Vec<Clip>,
    /// What real detectors saw.
    pub sequences: Vec<KeypointSequence>,
}

/// People without labels, drawn by length.
pub(crate) struct Unlabelled<'a> {
    pub(crate) clips: Corpus<'a>,
    sequences: Vec<(&'a KeypointSequence, usize)>,
}

impl<'a> Unlabelled<'a> {
    fn new(clips: Corpus<'a>, all: &'a [KeypointSequence]) -> Self {
        let mut sequences = Vec::new();
        for sequence in all.iter().filter(|sequence| !sequence.samples.is_empty()) {
            sequences.push((sequence, end(&sequences) + sequence.samples.len()));
        }
        Self { clips, sequences }
    }

    fn samples(&self) -> usize {
        self.clips.poses().0 + end(&self.sequences)
    }

    /// What a detector saw of somebody, `length` samples.
    pub(crate) fn draw(
        &self,
        length: usize,
        noise: &DetectorNoise,
        settings: &BatchSettings,
        rng: &mut impl Rng,
    ) -> Cut {
        let (of_sequences, all) = (end(&self.sequences), self.samples());
        if of_sequences > 0 && rng.random_range(0..all) < of_sequences {
            return draw_by_length(&self.sequences, rng).draw(length, settings.scene.mirror, rng);
        }
        let clip = self.clips.draw(settings.standing_share, rng);
        let scene = scene::draw(&Cast::alone(clip), length, &unlabelled_scene(&settings.scene), rng);
        (batch::detect(&scene, noise, settings, rng), scene.step_secs)
    }
}

/// Persons (source, subject) with about `share` of the poses, at least one, drawn with `seed`.
fn labelled_persons<'a>(clips: impl Iterator<Item = &'a Clip>, share: f64, seed: u64) -> BTreeSet<(&'a str, &'a str)> {
    let mut poses = BTreeMap::<(&str, &str), usize>::new();
    for clip in clips {
        *poses.entry((&clip.source, &clip.subject)).or_default() += clip.poses.len();
    }
    let all: usize = poses.values().sum();
    let mut persons: Vec<_> = poses.into_iter().collect();
    persons.shuffle(&mut ChaCha8Rng::seed_from_u64(seed ^ LABEL_SEED));
    let mut labelled = 0;
    persons
        .into_iter()
        .take_while(|(_, poses)| {
            let takes = labelled == 0 || (labelled as f64) < share * all as f64;
            labelled += poses;
            takes
        })
        .map(|(person, _)| person)
        .collect()
}

/// What is drawn of clips without labels: nothing that needs their 3D, no body or posture but their own.
pub(crate) fn unlabelled_scene(settings: &SceneSettings) -> SceneSettings {
    SceneSettings { retarget_share: 0.0, recombined_share: 0.0, posture_share: 0.0, ..*settings }
}
