//! How good a person detector is on pictures whose truth is known: recall at so many false people a picture, and AP.
//!
//! A finding is right where its box overlaps a true one by an intersection over union of a half; each truth is found once, by
//! the best score first. People who are too small or too hidden are neither missed nor wrong: those that a detector is not
//! asked for at all ([`person_task::is_wanted`]), and beside that, in figures of their own, all who are not in plain view (lower
//! than 50 px, or more than a third of their joints hidden; "reasonable" in Dollár et al. 2012). Wrong findings are told apart
//! as by TIDE (Bolya et al. 2020): beside somebody, somebody twice, or where nobody is.

use burn::prelude::*;
use rayon::prelude::*;
use stridepose::data::{BoundingBox, Detection};
use stridepose::model::Placement;
use stridepose::network::NetworkError;
use stridepose::skeleton::JOINT_COUNT;
use stridepose::stages::crop::Crop;
use stridepose::stages::detect::{DetectSettings, decode_center_heatmap};
use stridepose::stages::people::DetectorStage;

use crate::export::floats;
use crate::keypoint_crop::sampled;
use crate::keypoint_score::interpolated_precision;
use crate::keypoint_task::tensor;
use crate::labelled_picture::{LabelledPerson, LabelledPicture, PictureSource, numbered_picture, numbered_pictures};
use crate::multi_scale::{MultiScaleNetwork, MultiScaleSize, STRIDE_PX};
use crate::person_task;

/// Least overlap of a finding with whom it finds.
const LEAST_IOU: f32 = 0.5;
/// A finding that overlaps nobody by more is where nobody is.
const NOBODY_IOU: f32 = 0.1;
/// Least height of people in plain view, px of the network's picture, and least share of their joints that is visible.
const PLAIN_HEIGHT_PX: f32 = 50.0;
const PLAIN_VISIBLE: f64 = 0.65;
/// Everything that might be somebody.
const ALL: DetectSettings = DetectSettings { score_threshold: 0.02, nms_iou: 0.6, max_people: 50 };

/// What a detector found in all pictures.
#[derive(Default)]
pub struct Measured {
    /// Of everybody whom a detector is asked for.
    pub everybody: Detections,
    /// Of those in plain view.
    pub plain: Detections,
}

/// What a detector found of some people.
#[derive(Default)]
pub struct Detections {
    /// Number of pictures.
    pub pictures: usize,
    /// People to be found.
    pub truths: usize,
    /// Score of each finding, and what it is.
    pub outcomes: Vec<(f32, Verdict)>,
}

/// What a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody.
    Right,
    /// Somebody who was not found yet, in a box that is half beside.
    Beside,
    /// Somebody who was found before.
    Twice,
    /// Nobody at all.
    Nobody,
}

/// Searches `pictures` pictures.
pub fn find(
    network: &MultiScaleNetwork,
    size: &MultiScaleSize,
    source: &impl PictureSource,
    pictures: usize,
    seed: u64,
) -> Measured {
    let each: Vec<Measured> = (0..pictures)
        .into_par_iter()
        .map(|index| {
            let picture = numbered_picture(source, seed, index);
            judge(&detect(network, size, &picture, &ALL), &picture)
        })
        .collect();
    together(each)
}

/// Searches `pictures` pictures with any detector, as the program calls it.
///
/// # Errors
/// When the engine fails.
pub fn find_with(
    stage: &mut DetectorStage,
    source: &impl PictureSource,
    pictures: usize,
    seed: u64,
    mut done: impl FnMut(),
) -> Result<Measured, NetworkError> {
    let mut each = Vec::with_capacity(pictures);
    for (_, picture) in numbered_pictures(source, seed, pictures) {
        each.push(judge(&stage.detect(&picture.image, &ALL)?, &picture));
        done();
    }
    Ok(together(each))
}

fn together(each: Vec<Measured>) -> Measured {
    each.into_iter().fold(Measured::default(), |mut all, one| {
        all.everybody.add(one.everybody);
        all.plain.add(one.plain);
        all
    })
}

/// Whom the detector finds in one picture.
pub fn detect(
    network: &MultiScaleNetwork,
    size: &MultiScaleSize,
    picture: &LabelledPicture,
    settings: &DetectSettings,
) -> Vec<Detection> {
    let output = size.picture();
    let letterbox = Crop::letterbox(picture.image.dimensions(), output, Placement::Centre);
    let values = sampled(&picture.image, &letterbox);
    let input: Tensor<4> = tensor(&values, [1, 3, output.height_px, output.width_px], &Device::flex());
    let [heatmap, boxes, offset] = person_task::read_out(&network.forward(input)).map(floats);
    let image_size = picture.image.dimensions();
    decode_center_heatmap(&heatmap, &boxes, &offset, STRIDE_PX, &letterbox, image_size, settings)
}

fn judge(found: &[Detection], picture: &LabelledPicture) -> Measured {
    // Whoever is too small for this project's own detector is left out for every other one too.
    let own = MultiScaleSize::person().picture();
    let letterbox = Crop::letterbox(picture.image.dimensions(), own, Placement::Centre);
    let is_wanted = |person: &LabelledPerson| person_task::is_wanted(person, &letterbox);
    let is_plain = |person: &LabelledPerson| {
        is_wanted(person)
            && person.bbox_in_image_px.height() / letterbox.scale as f32 >= PLAIN_HEIGHT_PX
            && person.visible_joints() as f64 >= PLAIN_VISIBLE * JOINT_COUNT as f64
    };
    Measured {
        everybody: judge_some(found, &picture.people, is_wanted),
        plain: judge_some(found, &picture.people, is_plain),
    }
}

/// Only who is asked for is to be found; another one is neither right nor wrong.
fn judge_some(
    found: &[Detection],
    people: &[LabelledPerson],
    is_asked_for: impl Fn(&LabelledPerson) -> bool,
) -> Detections {
    let (wanted, others): (Vec<_>, Vec<_>) = people.iter().partition(|person| is_asked_for(person));
    let mut is_found = vec![false; wanted.len()];
    let mut outcomes = Vec::new();
    for detection in found {
        let iou = |bbox: &BoundingBox| detection.bbox_in_image_px.iou(bbox);
        let nearest = |was_found: bool, is_found: &[bool]| {
            let of = (0..wanted.len()).filter(|index| is_found[*index] == was_found);
            of.map(|index| (iou(&wanted[index].bbox_in_image_px), index)).max_by(|a, b| a.0.total_cmp(&b.0))
        };
        let free = nearest(false, &is_found).unwrap_or((0.0, 0));
        let taken = nearest(true, &is_found).map_or(0.0, |(iou, _)| iou);
        let verdict = if free.0 >= LEAST_IOU {
            is_found[free.1] = true;
            Verdict::Right
        } else if others.iter().any(|person| iou(&person.bbox_in_image_px) >= 0.3) {
            continue;
        } else if taken >= LEAST_IOU {
            Verdict::Twice
        } else if free.0.max(taken) >= NOBODY_IOU {
            Verdict::Beside
        } else {
            Verdict::Nobody
        };
        outcomes.push((detection.score, verdict));
    }
    Detections { pictures: 1, truths: wanted.len(), outcomes }
}

impl Detections {
    fn add(&mut self, other: Self) {
        self.pictures += other.pictures;
        self.truths += other.truths;
        self.outcomes.extend(other.outcomes);
    }

    /// The lowest threshold with at most `per_picture` false people a picture, and the recall there.
    pub fn recall_at(&self, per_picture: f64) -> (f32, f64) {
        let mut outcomes = self.outcomes.clone();
        outcomes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let allowed = (per_picture * self.pictures as f64) as usize;
        let (mut wrong, mut right, mut threshold) = (0, 0, 1.0);
        for (score, verdict) in outcomes {
            let is_right = verdict == Verdict::Right;
            if !is_right {
                wrong += 1;
            }
            if wrong > allowed {
                break;
            }
            right += usize::from(is_right);
            threshold = score;
        }
        (threshold, right as f64 / self.truths.max(1) as f64)
    }

    /// Share of people found, and false people a picture, with this threshold.
    pub fn at(&self, threshold: f32) -> (f64, f64) {
        let right = self.count(threshold, Verdict::Right);
        let given = self.outcomes.iter().filter(|(score, _)| *score >= threshold).count();
        (right as f64 / self.truths.max(1) as f64, (given - right) as f64 / self.pictures.max(1) as f64)
    }

    /// How many findings with this threshold are so.
    pub fn count(&self, threshold: f32, verdict: Verdict) -> usize {
        self.outcomes.iter().filter(|(score, of)| *score >= threshold && *of == verdict).count()
    }

    /// AP at an intersection over union of a half.
    pub fn average_precision(&self) -> f64 {
        let outcomes = self.outcomes.iter().map(|(score, verdict)| (*score, *verdict == Verdict::Right));
        interpolated_precision(outcomes.collect(), self.truths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_counts_until_too_many_are_wrong() {
        use Verdict::{Nobody, Right, Twice};
        let outcomes = vec![(0.9, Right), (0.8, Right), (0.7, Nobody), (0.6, Right), (0.5, Twice), (0.4, Right)];
        let found = Detections { pictures: 100, truths: 5, outcomes };
        assert_eq!(found.recall_at(0.01), (0.6, 0.6));
        assert_eq!(found.recall_at(0.0), (0.8, 0.4));
        assert_eq!(found.recall_at(1.0), (0.4, 0.8));
        assert_eq!(found.at(0.5), (0.6, 0.02));
    }

    #[test]
    fn findings_are_right_beside_twice_or_nowhere_and_who_is_not_asked_for_is_neither() {
        let bbox = |x: f32| BoundingBox { x_min: x, y_min: 0.0, x_max: x + 40.0, y_max: 100.0 };
        let person = |x: f32, is_visible: bool| LabelledPerson {
            joints_in_image_px: [nalgebra::Point2::new(f64::from(x) + 20.0, 50.0); JOINT_COUNT],
            is_visible: [is_visible; JOINT_COUNT],
            bbox_in_image_px: bbox(x),
        };
        let people = [person(0.0, true), person(200.0, true), person(400.0, false)];
        let found = [(0.9, 2.0), (0.8, 4.0), (0.7, 225.0), (0.6, 402.0), (0.5, 600.0)];
        let found = found.map(|(score, x)| Detection { bbox_in_image_px: bbox(x), score });
        let judged = judge_some(&found, &people, |person| person.visible_joints() > 0);
        let verdicts: Vec<Verdict> = judged.outcomes.iter().map(|(_, verdict)| *verdict).collect();
        assert_eq!(verdicts, [Verdict::Right, Verdict::Twice, Verdict::Beside, Verdict::Nobody]);
        assert_eq!((judged.truths, judged.count(0.6, Verdict::Beside)), (2, 1));
    }
}
