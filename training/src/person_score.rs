//! How good a person detector is on pictures whose truth is known: recall at so many false people a picture, and AP.
//!
//! A finding is right where its box overlaps a true one by an intersection over union of a half; each truth is found once, by
//! the best score first. People who are too small or too hidden ([`person_task::is_wanted`]) are neither missed nor wrong.

use burn::prelude::*;
use rayon::prelude::*;
use stridepose::data::{BoundingBox, Detection};
use stridepose::model::Placement;
use stridepose::network::NetworkError;
use stridepose::stages::crop::Crop;
use stridepose::stages::detect::{DetectSettings, decode_center_heatmap};
use stridepose::stages::people::DetectorStage;

use crate::export::floats;
use crate::keypoint_crop::sampled;
use crate::keypoint_score::interpolated_precision;
use crate::keypoint_task::tensor;
use crate::labelled_picture::{LabelledPicture, PictureSource, numbered_picture, numbered_pictures};
use crate::multi_scale::{MultiScaleNetwork, MultiScaleSize, STRIDE_PX};
use crate::person_task;

/// Least overlap of a finding with whom it finds.
const LEAST_IOU: f32 = 0.5;
/// Everything that might be somebody.
const ALL: DetectSettings = DetectSettings { score_threshold: 0.02, nms_iou: 0.6, max_people: 50 };

/// What a detector found in all pictures.
#[derive(Default)]
pub struct Detections {
    /// Number of pictures.
    pub pictures: usize,
    /// People to be found.
    pub truths: usize,
    /// Score of each finding, and whether it is right.
    pub outcomes: Vec<(f32, bool)>,
}

/// Searches `pictures` pictures.
pub fn find(
    network: &MultiScaleNetwork,
    size: &MultiScaleSize,
    source: &impl PictureSource,
    pictures: usize,
    seed: u64,
) -> Detections {
    let each: Vec<Detections> = (0..pictures)
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
) -> Result<Detections, NetworkError> {
    let mut each = Vec::with_capacity(pictures);
    for (_, picture) in numbered_pictures(source, seed, pictures) {
        each.push(judge(&stage.detect(&picture.image, &ALL)?, &picture));
        done();
    }
    Ok(together(each))
}

fn together(each: Vec<Detections>) -> Detections {
    each.into_iter().fold(Detections::default(), |mut all, one| {
        all.pictures += one.pictures;
        all.truths += one.truths;
        all.outcomes.extend(one.outcomes);
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

fn judge(found: &[Detection], picture: &LabelledPicture) -> Detections {
    // Whoever is too small for this project's own detector is left out for every other one too.
    let own = MultiScaleSize::person().picture();
    let letterbox = Crop::letterbox(picture.image.dimensions(), own, Placement::Centre);
    let (wanted, others): (Vec<_>, Vec<_>) =
        picture.people.iter().partition(|person| person_task::is_wanted(person, &letterbox));
    let mut is_found = vec![false; wanted.len()];
    let mut outcomes = Vec::new();
    for detection in found {
        let iou = |bbox: &BoundingBox| detection.bbox_in_image_px.iou(bbox);
        let best = (0..wanted.len())
            .filter(|index| !is_found[*index] && iou(&wanted[*index].bbox_in_image_px) >= LEAST_IOU)
            .max_by(|a, b| iou(&wanted[*a].bbox_in_image_px).total_cmp(&iou(&wanted[*b].bbox_in_image_px)));
        if let Some(index) = best {
            is_found[index] = true;
            outcomes.push((detection.score, true));
        } else if !others.iter().any(|person| iou(&person.bbox_in_image_px) >= 0.3) {
            outcomes.push((detection.score, false));
        }
    }
    Detections { pictures: 1, truths: wanted.len(), outcomes }
}

impl Detections {
    /// The lowest threshold with at most `per_picture` false people a picture, and the recall there.
    pub fn recall_at(&self, per_picture: f64) -> (f32, f64) {
        let mut outcomes = self.outcomes.clone();
        outcomes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let allowed = (per_picture * self.pictures as f64) as usize;
        let (mut wrong, mut right, mut threshold) = (0, 0, 1.0);
        for (score, is_right) in outcomes {
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
        let count =
            |of: bool| self.outcomes.iter().filter(|(score, right)| *score >= threshold && *right == of).count();
        (count(true) as f64 / self.truths.max(1) as f64, count(false) as f64 / self.pictures.max(1) as f64)
    }

    /// AP at an intersection over union of a half.
    pub fn average_precision(&self) -> f64 {
        interpolated_precision(self.outcomes.clone(), self.truths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_counts_until_too_many_are_wrong() {
        let outcomes = vec![(0.9, true), (0.8, true), (0.7, false), (0.6, true), (0.5, false), (0.4, true)];
        let found = Detections { pictures: 100, truths: 5, outcomes };
        assert_eq!(found.recall_at(0.01), (0.6, 0.6));
        assert_eq!(found.recall_at(0.0), (0.8, 0.4));
        assert_eq!(found.recall_at(1.0), (0.4, 0.8));
        assert_eq!(found.at(0.5), (0.6, 0.02));
    }
}
