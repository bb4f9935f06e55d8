//! What the person detector learns: where the middles of people's boxes are (CenterNet, Zhou et al. 2019, arXiv 1904.07850)
//! and how large the boxes (with the Gaussian weights of TTFNet, Liu et al. 2020, arXiv 1909.00700).
//!
//! A picture is letterboxed as the program does it, at a size that is drawn. Maps of the network: logit of a middle; the middle's
//! x and y from the cell's centre, in cells; ln of width and height, in cells. The four are one box, and learn its generalised
//! overlap with the true one (Rezatofighi et al. 2019, arXiv 1902.09630) where a Gaussian of 0.14 of the box around its middle
//! is high. The target of the first is that Gaussian times the overlap of the box that the cell states: who is seen but not
//! known to the edges gets a lower score than who is, so that the highest scores are of right boxes.

use std::path::PathBuf;

use burn::module::Param;
use burn::prelude::*;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use nalgebra::Point2;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stridepose::data::BoundingBox;
use stridepose::model::{PictureSize, Placement};
use stridepose::stages::crop::Crop;

use crate::import_multi_scale::{Share, Weights};
use crate::keypoint_crop::{change_colours, image_input};
use crate::keypoint_task::tensor;
use crate::labelled_picture::{LabelledPerson, LabelledPicture, PictureSource};
use crate::multi_scale::{Answers, MultiScaleNetwork, STRIDE_PX};
use crate::picture_trainer::PictureTask;

/// Maps of the detector.
pub const PERSON_MAPS: usize = 5;
/// Standard deviation of the target as a share of width and height.
const SIGMA_OF_BOX: f32 = 0.14;
/// Least standard deviation of the target, cells.
const LEAST_SIGMA: f32 = 0.5;
/// Sum of a person's target from which on more cells count no more.
const MOST_CELLS: f32 = 10.0;
/// Where the target is lower, the box does not count.
const BOX_FROM: f32 = 0.3;
/// Boxes lower than this in the network's picture are neither wanted nor forbidden, px.
pub const LEAST_HEIGHT_PX: f32 = 21.0;
/// People of whom less can be seen are neither wanted nor forbidden.
pub const LEAST_JOINTS: usize = 3;
/// Logit of a middle that a new network states everywhere: a probability of 0.02.
const FIRST_LOGIT: f32 = -4.0;
/// Weight of the boxes in the loss (TTFNet).
const BOX_WEIGHT: f32 = 5.0;
/// Largest ln of a size that is reckoned with, cells: no picture is so large.
const MOST_LN_SIZE: f32 = 6.0;

/// People in pictures of `source`.
pub struct PersonTask<S> {
    /// Where pictures come from.
    pub source: S,
    /// Size of the network's picture.
    pub picture: PictureSize,
    /// Run or model folder whose weights a new run starts from: all of a detector's, the features of a keypoint network.
    pub start_from: Option<PathBuf>,
}

/// Samples side by side.
#[derive(Clone, Default)]
pub struct PersonBatch {
    count: usize,
    pictures: Vec<f32>,
    /// `[n, cells]`: target of the middle, for a right box.
    middles: Vec<f32>,
    /// `[n, cells]`: weight; 0 where nothing is asked.
    asked: Vec<f32>,
    /// `[n, 4, cells]`: offset and size of whoever's target is highest.
    boxes: Vec<f32>,
    /// `[n, cells]`.
    box_weights: Vec<f32>,
    /// Number of people.
    people: usize,
}

impl<S: PictureSource> PictureTask for PersonTask<S> {
    type Batch = PersonBatch;

    fn draw(&self, count: usize, seed: u64) -> PersonBatch {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut batch = PersonBatch::default();
        for _ in 0..count {
            let picture = self.source.draw(rng.random());
            let letterbox = self.jittered_letterbox(picture.image.dimensions(), &mut rng);
            self.put(&mut batch, &picture, &letterbox);
            augment(&mut batch, self.picture, &mut rng);
        }
        batch
    }

    fn pictures(&self, batch: &PersonBatch, device: &Device) -> Tensor<4> {
        tensor(&batch.pictures, [batch.count, 3, self.picture.height_px, self.picture.width_px], device)
    }

    fn prepare(&self, mut network: MultiScaleNetwork, device: &Device) -> anyhow::Result<MultiScaleNetwork> {
        if let Some(from) = &self.start_from {
            let weights = Weights::read(from)?;
            if weights.outputs()? == PERSON_MAPS {
                return weights.put_into(network, Share::Maps, device);
            }
            network = weights.put_into(network, Share::Features, device)?;
        }
        // Middles are rare: the network begins by knowing that, not by learning it.
        let bias: Vec<f32> = (0..PERSON_MAPS).map(|map| if map == 0 { FIRST_LOGIT } else { 0.0 }).collect();
        network.head.bias = Param::from_tensor(tensor(&bias, [PERSON_MAPS], device));
        Ok(network)
    }

    fn loss(&self, answers: Answers, batch: &PersonBatch) -> Tensor<1> {
        let device = answers.maps.device();
        let [count, maps, rows, columns] = answers.maps.dims();
        let cells = rows * columns;
        let answers = answers.maps.reshape([count, maps, cells]);
        let people = batch.people.max(1) as f32;
        let boxes: Tensor<3> = tensor(&batch.boxes, [count, 4, cells], &device);
        let overlap = Overlap::of(&answers.clone().slice([0..count, 1..5, 0..cells]), &boxes);
        let weights: Tensor<2> = tensor(&batch.box_weights, [count, cells], &device);
        let total: f32 = batch.box_weights.iter().sum::<f32>().max(1.0);
        let wrong_boxes = ((overlap.generalised.neg() + 1.0) * weights).sum().mul_scalar(BOX_WEIGHT / total);
        let logits = answers.slice([0..count, 0..1, 0..cells]).reshape([count, cells]);
        let target = tensor(&batch.middles, [count, cells], &device) * overlap.share.detach();
        let asked: Tensor<2> = tensor(&batch.asked, [count, cells], &device);
        // Quality focal loss (Li et al. 2020, arXiv 2006.04388, eq. 5, beta 2): that of CenterNet where a cell is surely a
        // middle or surely none, and the target itself is best in between. A middle that is known to a few cells only then
        // still gets a high score, which the hard form takes from it.
        let cross_entropy = target.clone() * log_sigmoid(logits.clone())
            + (target.clone().neg() + 1.0) * log_sigmoid(logits.clone().neg());
        let wrong = (sigmoid(logits) - target).powi_scalar(2) * cross_entropy.neg();
        (wrong * asked).sum().div_scalar(people) + wrong_boxes
    }
}

/// How far stated boxes agree with true ones.
struct Overlap {
    /// Intersection over union, `[n, cells]`.
    share: Tensor<2>,
    /// That less the share of the smallest box around both that belongs to neither.
    generalised: Tensor<2>,
}

impl Overlap {
    /// Boxes are `[n, 4, cells]`: offset of the middle, ln of the size.
    fn of(stated: &Tensor<3>, truth: &Tensor<3>) -> Self {
        let (stated, truth) = (edges(stated), edges(truth));
        let [x, y] = [0, 1].map(|axis| {
            let ((low, high), (true_low, true_high)) = (stated[axis].clone(), truth[axis].clone());
            let inner = high.clone().min_pair(true_high.clone()) - low.clone().max_pair(true_low.clone());
            let outer = high.clone().max_pair(true_high.clone()) - low.clone().min_pair(true_low.clone());
            [inner.clamp_min(0.0), outer, high - low, true_high - true_low]
        });
        let ([width, outer_width, own_width, true_width], [height, outer_height, own_height, true_height]) = (x, y);
        let (both, around) = (width * height, outer_width * outer_height);
        let either = own_width * own_height + true_width * true_height - both.clone();
        let share = both / either.clone();
        Self { generalised: share.clone() - (around.clone() - either) / around, share }
    }
}

/// Low and high edges of boxes along x and y, cells from the cell's centre.
fn edges(boxes: &Tensor<3>) -> [(Tensor<2>, Tensor<2>); 2] {
    let [count, _, cells] = boxes.dims();
    let map = |index: usize| boxes.clone().slice([0..count, index..index + 1, 0..cells]).reshape([count, cells]);
    [0, 1].map(|axis| {
        let (center, half) = (map(axis), map(2 + axis).clamp_max(MOST_LN_SIZE).exp().mul_scalar(0.5));
        (center.clone() - half.clone(), center + half)
    })
}

impl<S: PictureSource> PersonTask<S> {
    /// The letterbox of the program, up to 1.6 times nearer or a third farther, and shifted.
    fn jittered_letterbox(&self, (width, height): (u32, u32), rng: &mut impl Rng) -> Crop {
        let mut letterbox = Crop::letterbox((width, height), self.picture, Placement::Centre);
        let zoom: f64 = rng.random_range(-0.5_f64..0.3).exp();
        letterbox.scale *= zoom;
        let reach = 0.5 * (1.0 - zoom).abs() + 0.05;
        letterbox.center_in_image_px.x += f64::from(width) * rng.random_range(-reach..reach);
        letterbox.center_in_image_px.y += f64::from(height) * rng.random_range(-reach..reach);
        letterbox
    }

    /// Appends the sample that `letterbox` makes of a picture.
    fn put(&self, batch: &mut PersonBatch, picture: &LabelledPicture, letterbox: &Crop) {
        let start = batch.pictures.len();
        batch.pictures.resize(start + 3 * self.picture.area(), 0.0);
        letterbox.sample_f32(&picture.image, &image_input(self.picture), &mut batch.pictures[start..]);
        let (columns, rows) = (self.picture.width_px / STRIDE_PX, self.picture.height_px / STRIDE_PX);
        let cells = columns * rows;
        let first = batch.middles.len();
        batch.middles.resize(first + cells, 0.0);
        batch.box_weights.resize(first + cells, 0.0);
        batch.asked.resize(first + cells, 1.0);
        batch.boxes.resize(4 * (first + cells), 0.0);
        let boxes = picture.people.iter().filter_map(|person| {
            let cell_box = CellBox::new(person, letterbox, columns, rows)?;
            let is_wanted = cell_box.is_wanted(person);
            Some((cell_box, is_wanted))
        });
        let (wanted, others): (Vec<_>, Vec<_>) = boxes.partition(|(_, is_wanted)| *is_wanted);
        batch.people += wanted.len();
        for at in 0..cells {
            if others.iter().any(|(cell_box, _)| cell_box.holds(at % columns, at / columns)) {
                batch.asked[first + at] = 0.0;
            }
        }
        for (cell_box, _) in &wanted {
            for at in 0..cells {
                let (column, row) = (at % columns, at / columns);
                let value = cell_box.gaussian(column, row);
                if value <= batch.middles[first + at] {
                    continue;
                }
                batch.middles[first + at] = value;
                for (map, value) in cell_box.values(column, row).into_iter().enumerate() {
                    batch.boxes[4 * first + map * cells + at] = value;
                }
                if value > BOX_FROM {
                    batch.asked[first + at] = cell_box.weight();
                    batch.box_weights[first + at] = value;
                }
            }
        }
        batch.count += 1;
    }
}

/// A person's box among the cells.
struct CellBox {
    center: (f32, f32),
    size: (f32, f32),
}

impl CellBox {
    /// The part of the box that the picture shows; `None` where it shows none.
    fn new(person: &LabelledPerson, letterbox: &Crop, columns: usize, rows: usize) -> Option<Self> {
        let bbox = &person.bbox_in_image_px;
        let corner = |x: f32, y: f32, limit: (f32, f32)| {
            let at = letterbox.crop_from_image(Point2::new(f64::from(x), f64::from(y)));
            let cell = |value: f64| ((value + 0.5) / STRIDE_PX as f64) as f32;
            (cell(at.x).clamp(0.0, limit.0), cell(at.y).clamp(0.0, limit.1))
        };
        let limit = (columns as f32, rows as f32);
        let (low, high) = (corner(bbox.x_min, bbox.y_min, limit), corner(bbox.x_max, bbox.y_max, limit));
        let size = (high.0 - low.0, high.1 - low.1);
        let whole = bbox.area() / (letterbox.scale * letterbox.scale) as f32 / (STRIDE_PX * STRIDE_PX) as f32;
        // Cut to a sliver by the letterbox: not what a detector is asked for.
        (size.0 * size.1 > 0.0 && size.0 * size.1 > 0.1 * whole)
            .then_some(Self { center: (0.5 * (low.0 + high.0), 0.5 * (low.1 + high.1)), size })
    }

    fn is_wanted(&self, person: &LabelledPerson) -> bool {
        self.size.1 * STRIDE_PX as f32 >= LEAST_HEIGHT_PX && person.visible_joints() >= LEAST_JOINTS
    }

    fn holds(&self, column: usize, row: usize) -> bool {
        let (dx, dy) = self.offset_from_center(column, row);
        dx.abs() <= 0.5 * self.size.0 + 0.5 && dy.abs() <= 0.5 * self.size.1 + 0.5
    }

    /// From the middle to the centre of a cell.
    fn offset_from_center(&self, column: usize, row: usize) -> (f32, f32) {
        (column as f32 + 0.5 - self.center.0, row as f32 + 0.5 - self.center.1)
    }

    /// 1 in the cell of the middle.
    fn gaussian(&self, column: usize, row: usize) -> f32 {
        let (dx, dy) = (column as f32 - self.center.0.floor(), row as f32 - self.center.1.floor());
        let (sx, sy) = self.sigmas();
        (-0.5 * ((dx / sx).powi(2) + (dy / sy).powi(2))).exp()
    }

    fn sigmas(&self) -> (f32, f32) {
        ((SIGMA_OF_BOX * self.size.0).max(LEAST_SIGMA), (SIGMA_OF_BOX * self.size.1).max(LEAST_SIGMA))
    }

    /// Weight of each of the cells around the middle, so that somebody near counts little more than somebody far.
    fn weight(&self) -> f32 {
        let (sx, sy) = self.sigmas();
        (MOST_CELLS / (std::f32::consts::TAU * sx * sy)).min(1.0)
    }

    /// What the network should say of the box in a cell.
    fn values(&self, column: usize, row: usize) -> [f32; 4] {
        let (dx, dy) = self.offset_from_center(column, row);
        [-dx, -dy, self.size.0.max(0.25).ln(), self.size.1.max(0.25).ln()]
    }
}

/// Changes colours of the last sample, and mirrors every other one.
fn augment(batch: &mut PersonBatch, size: PictureSize, rng: &mut impl Rng) {
    let start = batch.pictures.len() - 3 * size.area();
    change_colours(&mut batch.pictures[start..], rng);
    if !rng.random_bool(0.5) {
        return;
    }
    batch.pictures[start..].chunks_exact_mut(size.width_px).for_each(<[f32]>::reverse);
    let (columns, rows) = (size.width_px / STRIDE_PX, size.height_px / STRIDE_PX);
    let cells = columns * rows;
    let first = batch.middles.len() - cells;
    for map in [&mut batch.middles[first..], &mut batch.asked[first..], &mut batch.box_weights[first..]] {
        map.chunks_exact_mut(columns).for_each(<[f32]>::reverse);
    }
    let boxes = &mut batch.boxes[4 * first..];
    boxes.chunks_exact_mut(columns).for_each(<[f32]>::reverse);
    boxes[..cells].iter_mut().for_each(|x| *x = -*x);
}

/// The maps as the program reads them: probability `[n, 1, rows, columns]`, size and offset `[n, 2, rows, columns]`, cells.
pub fn read_out(answers: &Answers) -> [Tensor<4>; 3] {
    let [count, _, rows, columns] = answers.maps.dims();
    let of = |maps: std::ops::Range<usize>| answers.maps.clone().slice([0..count, maps, 0..rows, 0..columns]);
    [sigmoid(of(0..1)), of(3..5).exp(), of(1..3) + 0.5]
}

/// Whether a person is one that a detector with pictures of `scale` image px per px should find.
pub fn is_wanted(person: &LabelledPerson, letterbox: &Crop) -> bool {
    let bbox: &BoundingBox = &person.bbox_in_image_px;
    bbox.height() / letterbox.scale as f32 >= LEAST_HEIGHT_PX && person.visible_joints() >= LEAST_JOINTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labelled_picture::Waver;
    use stridepose::stages::detect::{DetectSettings, decode_center_heatmap};

    fn task() -> PersonTask<Waver> {
        PersonTask { source: Waver, picture: PictureSize { width_px: 128, height_px: 96 }, start_from: None }
    }

    /// Answers that are the targets of a batch.
    fn ideal(batch: &PersonBatch) -> Answers {
        let cells = 32 * 24;
        let logits = batch
            .middles
            .iter()
            .map(|target| target.clamp(3e-4, 1.0 - 3e-4))
            .map(|target| (target / (1.0 - target)).ln());
        let mut values = Vec::new();
        for sample in 0..batch.count {
            values.extend(logits.clone().skip(sample * cells).take(cells));
            values.extend_from_slice(&batch.boxes[4 * sample * cells..4 * (sample + 1) * cells]);
        }
        let device = Device::flex();
        Answers {
            maps: tensor(&values, [batch.count, PERSON_MAPS, 24, 32], &device),
            absent: Tensor::zeros([batch.count, PERSON_MAPS], &device),
        }
    }

    #[test]
    fn ideal_answers_are_the_true_box_and_cost_nothing() {
        let task = task();
        let picture = Waver.draw(0);
        let letterbox = Crop::letterbox((200, 200), task.picture, Placement::Centre);
        let mut batch = PersonBatch::default();
        task.put(&mut batch, &picture, &letterbox);
        let [heatmap, size, offset] = read_out(&ideal(&batch)).map(crate::export::floats);
        let settings = DetectSettings { score_threshold: 0.5, nms_iou: 0.5, max_people: 5 };
        let found = decode_center_heatmap(&heatmap, &size, &offset, STRIDE_PX, &letterbox, (200, 200), &settings);
        assert_eq!(found.len(), 1);
        let (found, truth) = (found[0].bbox_in_image_px, Waver::person().bbox_in_image_px);
        for (a, b) in [
            (found.x_min, truth.x_min),
            (found.y_min, truth.y_min),
            (found.x_max, truth.x_max),
            (found.y_max, truth.y_max),
        ] {
            assert!((a - b).abs() < 0.05, "{found:?} instead of {truth:?}");
        }
        assert!(task.loss(ideal(&batch), &batch).into_scalar::<f32>() < 0.01);
        let mut wrong = ideal(&batch);
        wrong.maps = wrong.maps.add_scalar(0.7);
        assert!(task.loss(wrong, &batch).into_scalar::<f32>() > 0.5);
    }

    #[test]
    fn boxes_overlap_by_what_they_share_and_less_the_farther_they_are() {
        let device = Device::flex();
        let map = |values: &[f32]| -> Tensor<3> { tensor(values, [1, 4, 2], &device) };
        let (two, four) = (2.0_f32.ln(), 4.0_f32.ln());
        // 4 by 2 cells at the cell's centre; once half as wide, once half as wide and 6 cells aside.
        let truth = map(&[0.0, 0.0, 0.0, 0.0, four, four, two, two]);
        let stated = map(&[0.0, 6.0, 0.0, 0.0, two, two, two, two]);
        let overlap = Overlap::of(&stated, &truth);
        let (share, generalised) = (crate::export::floats(overlap.share), crate::export::floats(overlap.generalised));
        // Around both lie 9 by 2 cells, of which 12 belong to one of them.
        for (value, expected) in share.into_iter().chain(generalised).zip([0.5, 0.0, 0.5, -6.0 / 18.0]) {
            assert!((value - expected).abs() < 1e-5, "{value} instead of {expected}");
        }
    }

    #[test]
    fn whose_edges_are_not_known_gets_a_lower_score() {
        let task = task();
        let mut batch = PersonBatch::default();
        task.put(&mut batch, &Waver.draw(0), &Crop::letterbox((200, 200), task.picture, Placement::Centre));
        // The same sure middle is right with the right box, and too sure with one of three quarters of the width.
        let loss_of_middles = |narrower: f32| {
            let mut wrong = batch.boxes.clone();
            wrong[2 * 32 * 24..3 * 32 * 24].iter_mut().for_each(|width| *width += narrower.ln());
            let mut answers = ideal(&batch);
            let boxes = tensor(&wrong, [1, 4, 24, 32], &answers.maps.device());
            answers.maps = answers.maps.slice_assign([0..1, 1..5, 0..24, 0..32], boxes);
            let unweighted = PersonBatch { box_weights: vec![0.0; batch.box_weights.len()], ..batch.clone() };
            task.loss(answers, &unweighted).into_scalar::<f32>()
        };
        let (right, wrong) = (loss_of_middles(1.0), loss_of_middles(0.75));
        assert!(right < 1e-3 && wrong > 0.01, "{right}, {wrong}");
    }

    #[test]
    fn drawn_samples_have_their_boxes_mirrored_with_the_picture() {
        let task = task();
        let batch = task.draw(30, 3);
        assert!(batch.people > 15 && batch.count == 30, "{} people", batch.people);
        let [heatmap, _, offset] = read_out(&ideal(&batch)).map(crate::export::floats);
        let cells = 32 * 24;
        for sample in 0..batch.count {
            let heat = &heatmap[sample * cells..(sample + 1) * cells];
            for cell in (0..cells).filter(|cell| heat[*cell] > 0.999) {
                let (x, y) = (offset[2 * sample * cells + cell], offset[(2 * sample + 1) * cells + cell]);
                assert!(
                    (-0.01..=1.01).contains(&x) && (-0.01..=1.01).contains(&y),
                    "the middle lies in its cell: {x} {y}"
                );
            }
        }
    }
}
