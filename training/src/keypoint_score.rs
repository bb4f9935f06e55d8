//! How good a keypoint network is on pictures whose truth is known: OKS-AP and PCK, and the statements its confidence is
//! calibrated on.
//!
//! * **OKS** (COCO): the mean over the labelled joints of `exp(-d² / (2 s² k²))`, k twice the joint's
//!   [`OKS_SIGMAS`], s² the person's area, 0.53 of its box as MMPose takes it where there are no masks.
//! * **OKS-AP**: average precision, interpolated at 101 recalls, mean over OKS thresholds 0.50, 0.55, … 0.95. The crops are
//!   made around true boxes; a finding is matched to whom it fits best, by falling score.
//! * **PCK**: share of visible joints within a tenth of the longer side of the person's box (Yang and Ramanan 2013).

use burn::prelude::*;
use rayon::prelude::*;
use stridepose::data::{PersonKeypoints, Turn};
use stridepose::model::{HeatmapAlignment, HeatmapDecode, HeatmapRefinement};
use stridepose::network::NetworkError;
use stridepose::skeleton::{Joint, KeypointLayout};
use stridepose::stages::crop::Crop;
use stridepose::stages::keypoints::decode_heatmap;
use stridepose::stages::people::KeypointStage;
use stridepose::stages::track::Search;

use crate::keypoint_crop::{is_useful, plain_crop, sampled};
use crate::keypoint_task::{self, tensor};
use crate::labelled_picture::{
    LabelledPerson, LabelledPicture, OKS_SIGMAS, PictureSource, numbered_picture, numbered_pictures,
};
use crate::multi_scale::{MultiScaleNetwork, MultiScaleSize, STRIDE_PX};
use crate::score_calibration::Hit;

/// Share of a box that a person covers.
const AREA_OF_BOX: f64 = 0.53;
/// Tolerance of PCK and of the confidence, as a share of the longer side of the box.
pub const TOLERANCE: f64 = 0.1;
/// Taps of DARK's smoothing for a target of 1.5 cells.
pub const DARK_KERNEL: usize = 9;

/// Somebody who was searched for, and what was found.
pub struct FoundPerson {
    /// Number of the picture.
    pub picture: usize,
    /// Size of the picture, px.
    pub image_size: (u32, u32),
    /// The truth.
    pub truth: LabelledPerson,
    /// What the network found.
    pub found: PersonKeypoints,
}

/// Which joints count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Those that can be seen.
    Visible,
    /// Those and the ones that something in the picture hides.
    InPicture,
}

/// How the network's maps are read.
pub fn decode(size: &MultiScaleSize) -> HeatmapDecode {
    HeatmapDecode {
        output: "heatmaps".to_owned(),
        heatmap_stride_px: STRIDE_PX,
        alignment: HeatmapAlignment::Cells,
        refine: HeatmapRefinement::Dark { kernel: DARK_KERNEL },
        target_sigma: size.target_sigma() as f32,
    }
}

/// Searches for everybody in `pictures` pictures.
pub fn find(
    network: &MultiScaleNetwork,
    size: &MultiScaleSize,
    source: &impl PictureSource,
    pictures: usize,
    seed: u64,
) -> Vec<FoundPerson> {
    let found: Vec<Vec<FoundPerson>> = (0..pictures)
        .into_par_iter()
        .map(|index| find_in(network, size, &numbered_picture(source, seed, index), index))
        .collect();
    found.into_iter().flatten().collect()
}

/// Searches for everybody in `pictures` pictures with any keypoint network, as the program calls it. One that says where to
/// look next is asked twice: tracked people are searched for in the crop that it proposed.
///
/// # Errors
/// When the engine fails.
pub fn find_with(
    stage: &mut KeypointStage,
    source: &impl PictureSource,
    pictures: usize,
    seed: u64,
    mut done: impl FnMut(),
) -> Result<Vec<FoundPerson>, NetworkError> {
    let mut all = Vec::new();
    for (index, picture) in numbered_pictures(source, seed, pictures) {
        let people: Vec<&LabelledPerson> = picture.people.iter().filter(|person| is_useful(person)).collect();
        let search = |(slot, person): (usize, &&LabelledPerson)| Search {
            slot,
            bbox_in_image_px: person.bbox_in_image_px,
            crop: None,
            turn: Turn::Upright,
            is_sure: true,
        };
        let mut searches: Vec<Search> = people.iter().enumerate().map(search).collect();
        let mut findings = stage.find(&picture.image, &searches)?;
        if findings.iter().any(|finding| finding.next_crop.is_some()) {
            searches.iter_mut().zip(&findings).for_each(|(search, finding)| search.crop = finding.next_crop);
            findings = stage.find(&picture.image, &searches)?;
        }
        all.extend(people.into_iter().zip(findings).map(|(truth, finding)| FoundPerson {
            picture: index,
            image_size: picture.image.dimensions(),
            truth: truth.clone(),
            found: finding.person,
        }));
        done();
    }
    Ok(all)
}

/// Searches for everybody in one picture, in crops around the true boxes.
pub fn find_in(
    network: &MultiScaleNetwork,
    size: &MultiScaleSize,
    picture: &LabelledPicture,
    index: usize,
) -> Vec<FoundPerson> {
    let people: Vec<&LabelledPerson> = picture.people.iter().filter(|person| is_useful(person)).collect();
    if people.is_empty() {
        return Vec::new();
    }
    let output = size.picture();
    let crops: Vec<Crop> = people.iter().map(|person| plain_crop(&person.bbox_in_image_px, output)).collect();
    let inputs: Vec<f32> = crops.iter().flat_map(|crop| sampled(&picture.image, crop)).collect();
    let inputs: Tensor<4> = tensor(&inputs, [crops.len(), 3, output.height_px, output.width_px], &Device::flex());
    let maps = keypoint_task::maps(network.forward(inputs), size.target_sigma());
    let maps: Vec<f32> = crate::export::floats(maps);
    let decode = decode(size);
    let of_one = maps.len() / crops.len();
    people
        .iter()
        .zip(&crops)
        .zip(maps.chunks_exact(of_one))
        .map(|((person, crop), maps)| FoundPerson {
            picture: index,
            image_size: picture.image.dimensions(),
            truth: (*person).clone(),
            found: decode_heatmap(maps, &decode, KeypointLayout::H36m17, crop),
        })
        .collect()
}

impl FoundPerson {
    fn counts(&self, joint: Joint, counted: Counted, layout: KeypointLayout) -> bool {
        let is_shown = self.truth.is_visible[joint.index()]
            || (counted == Counted::InPicture && self.truth.is_inside(joint, self.image_size));
        is_shown && layout.has(joint)
    }

    fn distance(&self, found: &PersonKeypoints, joint: Joint) -> Option<f64> {
        let truth = self.truth.joints_in_image_px[joint.index()];
        let found = found.keypoints[joint.index()]?;
        Some((f64::from(found.x) - truth.x).hypot(f64::from(found.y) - truth.y))
    }

    /// OKS of `found` with this person's truth.
    fn oks(&self, found: &PersonKeypoints, counted: Counted, layout: KeypointLayout) -> f64 {
        let area = AREA_OF_BOX * f64::from(self.truth.bbox_in_image_px.area());
        let (mut sum, mut count) = (0.0, 0_u32);
        for joint in Joint::ALL.into_iter().filter(|joint| self.counts(*joint, counted, layout)) {
            let k = 2.0 * OKS_SIGMAS[joint.index()];
            sum += self.distance(found, joint).map_or(0.0, |d| (-d * d / (2.0 * area * k * k)).exp());
            count += 1;
        }
        if count == 0 { 0.0 } else { sum / f64::from(count) }
    }

    /// For each joint in the picture: its score, whether it is visible, and whether it is where it should be.
    pub fn statements(&self) -> impl Iterator<Item = Statement> {
        let bbox = &self.truth.bbox_in_image_px;
        let tolerance = TOLERANCE * f64::from(bbox.width().max(bbox.height()));
        Joint::ALL.into_iter().map(move |joint| Statement {
            joint,
            is_visible: self.truth.is_visible[joint.index()],
            is_inside: self.truth.is_inside(joint, self.image_size),
            score: self.found.keypoints[joint.index()].map_or(0.0, |found| f64::from(found.score)),
            is_hit: self.truth.is_inside(joint, self.image_size)
                && self.distance(&self.found, joint).is_some_and(|distance| distance <= tolerance),
        })
    }
}

/// What the network says of one joint, and whether it is true.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// Which joint.
    pub joint: Joint,
    /// Whether it can be seen.
    pub is_visible: bool,
    /// Whether it lies in the picture.
    pub is_inside: bool,
    /// The network's score.
    pub score: f64,
    /// Whether it lies in the picture and was found within the tolerance.
    pub is_hit: bool,
}

/// Score and truth of every joint that the network gave.
pub fn hits(people: &[FoundPerson]) -> Vec<Hit> {
    let given = |person: &FoundPerson, statement: &Statement| person.found.keypoints[statement.joint.index()].is_some();
    let statements = people.iter().flat_map(|person| person.statements().filter(move |of| given(person, of)));
    statements.map(|statement| (statement.score, statement.is_hit)).collect()
}

/// Share of visible joints, of those that the layout has, that were found within the tolerance.
pub fn pck(people: &[FoundPerson], layout: KeypointLayout) -> f64 {
    let counts = |statement: &Statement| statement.is_visible && layout.has(statement.joint);
    let visible: Vec<Statement> = people.iter().flat_map(FoundPerson::statements).filter(counts).collect();
    visible.iter().filter(|statement| statement.is_hit).count() as f64 / visible.len().max(1) as f64
}

/// OKS-AP in [0, 1] of the joints that the layout has; `people` in the order of their pictures. Who shows none of these joints
/// is no truth.
pub fn oks_ap(people: &[FoundPerson], counted: Counted, layout: KeypointLayout) -> f64 {
    let thresholds = (0..10).map(|step| 0.5 + 0.05 * f64::from(step));
    let shows = |person: &&FoundPerson| Joint::ALL.iter().any(|joint| person.counts(*joint, counted, layout));
    let people: Vec<&FoundPerson> = people.iter().filter(shows).collect();
    let pictures: Vec<&[&FoundPerson]> = people.chunk_by(|a, b| a.picture == b.picture).collect();
    let oks: Vec<Vec<Vec<f64>>> = pictures
        .iter()
        .map(|people| {
            let of = |found: &&FoundPerson| -> Vec<f64> {
                people.iter().map(|truth| truth.oks(&found.found, counted, layout)).collect()
            };
            people.iter().map(of).collect()
        })
        .collect();
    let precisions: Vec<f64> = thresholds.map(|threshold| average_precision(&pictures, &oks, threshold)).collect();
    precisions.iter().sum::<f64>() / precisions.len() as f64
}

fn average_precision(pictures: &[&[&FoundPerson]], oks: &[Vec<Vec<f64>>], threshold: f64) -> f64 {
    let mut outcomes: Vec<(f32, bool)> = Vec::new();
    for (people, oks) in pictures.iter().zip(oks) {
        let mut order: Vec<usize> = (0..people.len()).collect();
        order.sort_by(|a, b| people[*b].found.score.total_cmp(&people[*a].found.score));
        let mut is_taken = vec![false; people.len()];
        for found in order {
            let free = (0..people.len()).filter(|truth| !is_taken[*truth] && oks[found][*truth] >= threshold);
            let best = free.max_by(|a, b| oks[found][*a].total_cmp(&oks[found][*b]));
            if let Some(truth) = best {
                is_taken[truth] = true;
            }
            outcomes.push((people[found].found.score, best.is_some()));
        }
    }
    let truths = outcomes.len();
    interpolated_precision(outcomes, truths)
}

/// Average precision, interpolated at 101 recalls, of findings (score, whether it is right) with so many truths.
pub(crate) fn interpolated_precision(mut outcomes: Vec<(f32, bool)>, truths: usize) -> f64 {
    outcomes.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut right = 0_usize;
    let mut curve: Vec<(f64, f64)> = outcomes
        .iter()
        .enumerate()
        .map(|(index, (_, is_right))| {
            right += usize::from(*is_right);
            (right as f64 / truths.max(1) as f64, right as f64 / (index + 1) as f64)
        })
        .collect();
    // The precision at a recall is the best at that recall or a higher one.
    let mut best = 0.0_f64;
    for (_, precision) in curve.iter_mut().rev() {
        best = best.max(*precision);
        *precision = best;
    }
    let at = |recall: f64| curve.iter().find(|point| point.0 >= recall - 1e-12).map_or(0.0, |point| point.1);
    (0..=100).map(|step| at(f64::from(step) / 100.0)).sum::<f64>() / 101.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ndarray::{ArrayD, ArrayViewD, Axis};
    use stridepose::data::Keypoint;
    use stridepose::model::{KeypointsContract, KeypointsDecode, PictureSize};
    use stridepose::network::{Network, TensorSpec, TensorView};

    use crate::labelled_picture::Waver;

    const ALL: KeypointLayout = KeypointLayout::H36m17;

    /// Somebody in a picture of his own, found `away` px from the truth with this score.
    fn person(picture: usize, away: f32, score: f32) -> FoundPerson {
        let truth = Waver::person();
        let keypoints = truth
            .joints_in_image_px
            .map(|at| Some(Keypoint { x: at.x as f32 + away, y: at.y as f32, score, spread: None }));
        FoundPerson { picture, image_size: (200, 200), truth, found: PersonKeypoints { keypoints, score } }
    }

    #[test]
    fn the_truth_scores_one_and_nonsense_nothing() {
        for counted in [Counted::Visible, Counted::InPicture] {
            assert!((oks_ap(&[person(0, 0.0, 0.9), person(1, 0.0, 0.1)], counted, ALL) - 1.0).abs() < 1e-12);
            assert!(oks_ap(&[person(0, 150.0, 0.9)], counted, ALL) < 1e-12);
        }
        // A tenth of 179.5 px.
        assert!(
            (pck(&[person(0, 17.0, 0.9)], KeypointLayout::H36m17) - 1.0).abs() < 1e-12
                && pck(&[person(0, 19.0, 0.9)], KeypointLayout::H36m17) < 1e-12
        );
    }

    #[test]
    fn of_two_people_the_surer_right_one_gives_half_the_recalls() {
        // Recalls 0 to 0.50 are reached at precision 1: 51 of 101.
        let ap = oks_ap(&[person(0, 0.0, 0.9), person(1, 150.0, 0.1)], Counted::Visible, ALL);
        assert!((ap - 51.0 / 101.0).abs() < 1e-9, "{ap}");
        let ap = oks_ap(&[person(0, 0.0, 0.1), person(1, 150.0, 0.9)], Counted::Visible, ALL);
        assert!((ap - 0.5 * 51.0 / 101.0).abs() < 1e-9, "{ap}");
    }

    #[test]
    fn oks_of_one_distance_is_the_formula_s() {
        let found = person(0, 5.0, 0.9);
        let area = 0.53 * 60.0 * 179.5;
        let visible = Joint::ALL.into_iter().filter(|joint| found.truth.is_visible[joint.index()]);
        let terms: Vec<f64> =
            visible.map(|joint| (-25.0 / (2.0 * area * (2.0 * OKS_SIGMAS[joint.index()]).powi(2))).exp()).collect();
        let expected = terms.iter().sum::<f64>() / terms.len() as f64;
        assert!((found.oks(&found.found, Counted::Visible, ALL) - expected).abs() < 1e-6);
    }

    #[test]
    fn joints_that_a_layout_lacks_do_not_count() {
        let mut found = person(0, 0.0, 0.9);
        for joint in [Joint::Pelvis, Joint::Spine, Joint::Thorax, Joint::Head] {
            found.found.keypoints[joint.index()] = None;
        }
        let ap = |found: FoundPerson, layout| oks_ap(&[found], Counted::Visible, layout);
        assert!(ap(found, KeypointLayout::Coco17) > 1.0 - 1e-12);
        let mut without = person(0, 0.0, 0.9);
        without.truth.is_visible = [false; Joint::ALL.len()];
        without.truth.is_visible[Joint::Pelvis.index()] = true;
        assert!(oks_ap(&[without, person(1, 0.0, 0.9)], Counted::Visible, KeypointLayout::Coco17) > 1.0 - 1e-12);
    }

    /// A keypoint network that always says the same, and counts how often it is asked.
    struct Always {
        answers: Vec<ArrayD<f32>>,
        asked: Arc<AtomicUsize>,
    }

    impl Network for Always {
        fn inputs(&self) -> &[TensorSpec] {
            &[]
        }

        fn outputs(&self) -> &[TensorSpec] {
            &[]
        }

        fn provider(&self) -> &'static str {
            "none"
        }

        fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<ArrayViewD<'_, f32>>, NetworkError> {
            let TensorView::F32(pictures) = &inputs[0] else { unreachable!("the contract asks for floats") };
            assert_eq!(pictures.shape()[1..], [3, 64, 64]);
            self.asked.fetch_add(pictures.shape()[0], Ordering::Relaxed);
            let batch = pictures.shape()[0];
            self.answers = self.answers.iter().map(|answer| repeated(answer, batch)).collect();
            Ok(self.answers.iter().map(|answer| answer.view()).collect())
        }
    }

    /// The first of `answer` as often as there are pictures.
    fn repeated(answer: &ArrayD<f32>, batch: usize) -> ArrayD<f32> {
        let first = answer.index_axis(Axis(0), 0);
        let views: Vec<_> = (0..batch).map(|_| first.view()).collect();
        ndarray::stack(Axis(0), &views).unwrap()
    }

    fn stage(
        decode: KeypointsDecode,
        layout: KeypointLayout,
        answers: Vec<ArrayD<f32>>,
    ) -> (KeypointStage, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let input = crate::keypoint_crop::image_input(PictureSize::square(64));
        let contract = KeypointsContract { input, layout, confidence: None, decode };
        (KeypointStage::new(contract, Box::new(Always { answers, asked: asked.clone() })), asked)
    }

    #[test]
    fn anybodys_network_is_asked_about_everybody_and_judged_by_the_joints_it_has() {
        let middle = ArrayD::from_shape_fn(vec![1, 1, 17, 3], |at| if at[3] == 2 { 0.7 } else { 0.5 });
        let output = || "output".to_owned();
        let (mut stage, asked) =
            stage(KeypointsDecode::Movenet { output: output() }, KeypointLayout::Coco17, vec![middle]);
        let mut pictures = 0;
        let people = find_with(&mut stage, &Waver, 5, 3, || pictures += 1).unwrap();
        assert_eq!((pictures, asked.load(Ordering::Relaxed)), (5, people.len()));
        assert!(people.len() >= 5 && people.is_sorted_by_key(|person| person.picture));
        let has = |joint: &Joint| KeypointLayout::Coco17.index_of(*joint).is_some();
        let joints = Joint::ALL.iter().filter(|joint| has(joint)).count();
        let hits = hits(&people);
        assert_eq!(hits.len(), joints * people.len());
        assert!(hits.iter().all(|(score, _)| (score - 0.7).abs() < 1e-6));
        // The middle of everybody is no hit for most joints, and joints that COCO lacks are no misses.
        let share = pck(&people, KeypointLayout::Coco17);
        assert!(share < 0.5 && pck(&people, KeypointLayout::H36m17) <= share);
    }

    #[test]
    fn a_network_that_says_where_to_look_next_is_asked_there_too() {
        let landmarks =
            ArrayD::from_shape_fn(vec![1, 195], |at| if at[1] % 5 < 2 { 20.0 + at[1] as f32 / 10.0 } else { 4.0 });
        let decode = KeypointsDecode::Blazepose { landmarks: "a".to_owned(), presence: "b".to_owned() };
        let presence = ArrayD::from_elem(vec![1, 1], 1.0);
        let (mut stage, asked) = stage(decode, KeypointLayout::BlazePose33, vec![landmarks, presence]);
        let people = find_with(&mut stage, &Waver, 3, 1, || ()).unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2 * people.len());
    }
}
