//! Training samples of the keypoint network: crops around the people of labelled pictures, with the program's own crop code,
//! and the distribution that the network should give for each joint.
//!
//! The network answers, for each joint, in which cell of the map it is, or that it is not in the picture: a distribution over
//! all cells and one place more. The target is a Gaussian around the joint, cut at the border, of sum 1; a joint outside the
//! crop or the picture has all its weight in the place more. Cells are squares of pixels (alignment `cells` of contracts).

use image::RgbImage;
use nalgebra::Point2;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use stridepose::data::BoundingBox;
use stridepose::model::{Colour, ImageElement, ImageInput, ImageLayout, PictureSize, Placement};
use stridepose::skeleton::{JOINT_COUNT, Joint};
use stridepose::stages::crop::Crop;

use crate::labelled_picture::{LabelledPerson, LabelledPicture, PictureSource};
use crate::multi_scale::STRIDE_PX;

/// A box is enlarged by this before it becomes a crop, as the program does.
pub const BOX_PADDING: f64 = 1.25;
/// People with fewer visible joints, or a box lower than [`LEAST_HEIGHT_PX`], teach nothing.
pub const LEAST_JOINTS: usize = 4;
/// See [`LEAST_JOINTS`].
pub const LEAST_HEIGHT_PX: f32 = 28.0;
/// Most crops of one picture in a batch.
const MOST_OF_A_PICTURE: usize = 6;
/// Crops of one person in a batch: upright people are many, people who are wider than high are few and hard.
const CROPS_OF_A_PERSON: usize = 2;
/// See [`CROPS_OF_A_PERSON`].
const CROPS_OF_A_WIDE_PERSON: usize = 5;
/// Weight of a joint that is in the picture but hidden, and of one that is not in it; a visible one has 1.
const HIDDEN_WEIGHT: f32 = 0.5;
const ABSENT_WEIGHT: f32 = 0.3;
/// Mean and standard deviation of the bytes that the networks take.
const BYTE_MEAN: f32 = 120.0;
const BYTE_STD: f32 = 64.0;

/// What the networks trained here take.
pub fn image_input(size: PictureSize) -> ImageInput {
    ImageInput {
        name: "image".to_owned(),
        element_type: ImageElement::F32,
        layout: ImageLayout::Nchw,
        colour: Colour::Rgb,
        size,
        placement: Placement::Centre,
        scale: 1.0,
        mean: [BYTE_MEAN; 3],
        std: [BYTE_STD; 3],
        outside: 114,
    }
}

/// Samples side by side.
#[derive(Default)]
pub struct CropBatch {
    /// Number of samples.
    pub count: usize,
    /// `[count, 3, H, W]`.
    pub pictures: Vec<f32>,
    /// `[count, joints, cells + 1]`, the place more last.
    pub targets: Vec<f32>,
    /// `[count, joints]`.
    pub weights: Vec<f32>,
}

/// How samples are made.
#[derive(Clone, Debug)]
pub struct CropSettings {
    /// Size of the network's picture.
    pub picture: PictureSize,
    /// Standard deviation of the target, cells.
    pub target_sigma: f64,
}

impl CropSettings {
    /// `count` samples, the same for the same seed.
    pub fn draw(&self, source: &impl PictureSource, count: usize, seed: u64) -> CropBatch {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut batch = CropBatch::default();
        while batch.count < count {
            let picture = source.draw(rng.random());
            let people = picture.people.iter().filter(|person| is_useful(person));
            let crops = people.flat_map(|person| {
                let is_wide = person.bbox_in_image_px.width() > person.bbox_in_image_px.height();
                std::iter::repeat_n(person, if is_wide { CROPS_OF_A_WIDE_PERSON } else { CROPS_OF_A_PERSON })
            });
            for person in crops.take(MOST_OF_A_PICTURE.min(count - batch.count)) {
                let crop = jittered(person, self.picture, &mut rng);
                self.put(&mut batch, &picture, person, &crop);
                augment(&mut batch, self.picture, &mut rng);
            }
        }
        batch
    }

    /// Appends the sample that `crop` makes of a person.
    pub fn put(&self, batch: &mut CropBatch, picture: &LabelledPicture, person: &LabelledPerson, crop: &Crop) {
        let start = batch.pictures.len();
        batch.pictures.resize(start + 3 * self.picture.area(), 0.0);
        crop.sample_f32(&picture.image, &image_input(self.picture), &mut batch.pictures[start..]);
        let (columns, rows) = (self.picture.width_px / STRIDE_PX, self.picture.height_px / STRIDE_PX);
        let size = picture.image.dimensions();
        for joint in Joint::ALL {
            let at = cell(crop.crop_from_image(person.joints_in_image_px[joint.index()]));
            let in_crop = (-0.5..columns as f64 - 0.5).contains(&at.x) && (-0.5..rows as f64 - 0.5).contains(&at.y);
            let is_there = in_crop && person.is_inside(joint, size);
            batch.weights.push(match (is_there, person.is_visible[joint.index()]) {
                (true, true) => 1.0,
                (true, false) => HIDDEN_WEIGHT,
                (false, _) => ABSENT_WEIGHT,
            });
            let start = batch.targets.len();
            batch.targets.resize(start + columns * rows + 1, 0.0);
            if is_there {
                gaussian(&mut batch.targets[start..start + columns * rows], columns, at, self.target_sigma);
            } else {
                batch.targets[start + columns * rows] = 1.0;
            }
        }
        batch.count += 1;
    }
}

/// Whether a person is worth a sample.
pub fn is_useful(person: &LabelledPerson) -> bool {
    person.visible_joints() >= LEAST_JOINTS && person.bbox_in_image_px.height() >= LEAST_HEIGHT_PX
}

/// Where a pixel of the crop lies among the cells.
fn cell(at: Point2<f64>) -> Point2<f64> {
    let stride = STRIDE_PX as f64;
    Point2::new((at.x + 0.5) / stride - 0.5, (at.y + 0.5) / stride - 0.5)
}

/// Writes a Gaussian of sum 1.
fn gaussian(map: &mut [f32], columns: usize, at: Point2<f64>, sigma: f64) {
    let reach = (3.5 * sigma).ceil() as i64;
    let rows = map.len() / columns;
    let (x, y) = (at.x.round() as i64, at.y.round() as i64);
    let range = |middle: i64, size: usize| (middle - reach).max(0)..(middle + reach + 1).min(size as i64);
    let mut sum = 0.0;
    for row in range(y, rows) {
        for column in range(x, columns) {
            let (dx, dy) = (column as f64 - at.x, row as f64 - at.y);
            let value = (-0.5 * (dx * dx + dy * dy) / (sigma * sigma)).exp();
            map[row as usize * columns + column as usize] = value as f32;
            sum += value;
        }
    }
    for value in map.iter_mut() {
        *value /= sum as f32;
    }
}

/// A crop as the program might make it: around a detector's box or the tracked keypoints, never quite right.
fn jittered(person: &LabelledPerson, output: PictureSize, rng: &mut impl Rng) -> Crop {
    let normal = |rng: &mut dyn Rng| -> f64 { StandardNormal.sample(&mut &mut *rng) };
    let from_joints = || {
        let seen = Joint::ALL.into_iter().filter(|joint| person.is_visible[joint.index()]);
        let bbox = BoundingBox::around(seen.map(|joint| {
            let at = person.joints_in_image_px[joint.index()];
            (at.x as f32, at.y as f32)
        }));
        (bbox.height() > 8.0).then_some(bbox)
    };
    let detected = person.bbox_in_image_px;
    let bbox = if rng.random_bool(0.4) { from_joints().unwrap_or(detected) } else { detected };
    let mut crop = Crop::around(&bbox, BOX_PADDING * (0.15 * normal(rng)).clamp(-0.35, 0.4).exp(), output);
    let shift = 0.05 * crop.scale * output.height_px as f64;
    crop.center_in_image_px.x += shift * normal(rng).clamp(-2.0, 2.0);
    crop.center_in_image_px.y += shift * normal(rng).clamp(-2.0, 2.0);
    if rng.random_bool(0.3) {
        crop.angle = (0.25 * normal(rng)).clamp(-0.7, 0.7);
    }
    crop
}

/// Changes colours of the last sample, and mirrors every other one.
fn augment(batch: &mut CropBatch, size: PictureSize, rng: &mut impl Rng) {
    let pixels = size.area();
    let start = batch.pictures.len() - 3 * pixels;
    change_colours(&mut batch.pictures[start..], rng);
    if rng.random_bool(0.5) {
        let (columns, rows) = (size.width_px / STRIDE_PX, size.height_px / STRIDE_PX);
        for line in batch.pictures[start..].chunks_exact_mut(size.width_px) {
            line.reverse();
        }
        let places = columns * rows + 1;
        let first = batch.targets.len() - JOINT_COUNT * places;
        let targets = &mut batch.targets[first..];
        for map in targets.chunks_exact_mut(places) {
            map[..places - 1].chunks_exact_mut(columns).for_each(<[f32]>::reverse);
        }
        let first = batch.weights.len() - JOINT_COUNT;
        for joint in Joint::ALL {
            let (own, other) = (joint.index(), joint.mirrored().index());
            if own < other {
                let (low, high) = targets.split_at_mut(other * places);
                low[own * places..(own + 1) * places].swap_with_slice(&mut high[..places]);
                batch.weights.swap(first + own, first + other);
            }
        }
    }
}

/// Brightness, contrast, tint, and now and then no colour at all.
pub(crate) fn change_colours(picture: &mut [f32], rng: &mut impl Rng) {
    let normal = |rng: &mut dyn Rng| -> f32 {
        let value: f64 = StandardNormal.sample(&mut &mut *rng);
        value as f32
    };
    let pixels = picture.len() / 3;
    if rng.random_bool(0.1) {
        for pixel in 0..pixels {
            let grey = (0..3).map(|channel| picture[channel * pixels + pixel]).sum::<f32>() / 3.0;
            (0..3).for_each(|channel| picture[channel * pixels + pixel] = grey);
        }
    }
    let (contrast, brightness) = ((0.2 * normal(rng)).exp(), 0.25 * normal(rng));
    for plane in picture.chunks_exact_mut(pixels) {
        let (gain, offset) = (contrast * (0.08 * normal(rng)).exp(), brightness + 0.08 * normal(rng));
        for value in plane {
            *value = *value * gain + offset;
        }
    }
}

/// The crop that the program makes around a detector's box.
pub fn plain_crop(bbox: &BoundingBox, output: PictureSize) -> Crop {
    Crop::around(bbox, BOX_PADDING, output)
}

/// The picture of a crop, normalised, for the network.
pub fn sampled(image: &RgbImage, crop: &Crop) -> Vec<f32> {
    let mut values = vec![0.0; 3 * crop.output.area()];
    crop.sample_f32(image, &image_input(crop.output), &mut values);
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labelled_picture::Waver;

    const SETTINGS: CropSettings =
        CropSettings { picture: PictureSize { width_px: 128, height_px: 192 }, target_sigma: 1.5 };
    const COLUMNS: usize = 32;
    const CELLS: usize = 32 * 48;

    /// Highest value's cell (column, row).
    fn peak(map: &[f32], columns: usize) -> (f64, f64) {
        let index = (0..map.len()).max_by(|a, b| map[*a].total_cmp(&map[*b])).unwrap_or(0);
        ((index % columns) as f64, (index / columns) as f64)
    }

    #[test]
    fn targets_are_distributions_around_joints_or_say_that_there_is_none() {
        let (picture, person) = (Waver.draw(0), Waver::person());
        let crop = plain_crop(&person.bbox_in_image_px, SETTINGS.picture);
        let mut batch = CropBatch::default();
        SETTINGS.put(&mut batch, &picture, &person, &crop);
        assert_eq!((batch.count, batch.targets.len()), (1, JOINT_COUNT * (CELLS + 1)));
        for (joint, target) in Joint::ALL.into_iter().zip(batch.targets.chunks_exact(CELLS + 1)) {
            assert!((target.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{}", joint.name());
            let weight = batch.weights[joint.index()];
            if joint == Joint::LAnkle {
                assert_eq!((target[CELLS], weight), (1.0, ABSENT_WEIGHT), "outside the picture");
                continue;
            }
            assert_eq!(weight, if joint == Joint::LKnee { HIDDEN_WEIGHT } else { 1.0 });
            let at = cell(crop.crop_from_image(person.joints_in_image_px[joint.index()]));
            let found = peak(&target[..CELLS], COLUMNS);
            assert!((found.0 - at.x).abs() <= 0.5 && (found.1 - at.y).abs() <= 0.5, "{found:?} for {at}");
        }
    }

    #[test]
    fn pictures_and_targets_are_turned_and_mirrored_together() {
        let batch = SETTINGS.draw(&Waver, 40, 5);
        let places = CELLS + 1;
        let mut mirrored = [0, 0];
        for sample in 0..batch.count {
            let green = &batch.pictures[(3 * sample + 1) * SETTINGS.picture.area()..][..SETTINGS.picture.area()];
            let target = |joint: Joint| &batch.targets[(sample * JOINT_COUNT + joint.index()) * places..][..places];
            // The brightest pixels are the wrist's: their mean.
            let brightest = green.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let bright: Vec<usize> = (0..green.len()).filter(|index| green[*index] > brightest - 0.02).collect();
            let mean = |of: &dyn Fn(usize) -> usize| {
                bright.iter().map(|index| of(*index) as f64).sum::<f64>() / bright.len() as f64
            };
            let at = cell(Point2::new(mean(&|index| index % 128), mean(&|index| index / 128)));
            let near = |joint: Joint| {
                let found = peak(&target(joint)[..CELLS], COLUMNS);
                target(joint)[CELLS] == 0.0 && (found.0 - at.x).hypot(found.1 - at.y) < 1.5
            };
            assert!(near(Joint::RWrist) != near(Joint::LWrist), "sample {sample}");
            mirrored[usize::from(near(Joint::LWrist))] += 1;
        }
        assert!(mirrored.iter().all(|count| *count > 8), "{mirrored:?}");
    }

    #[test]
    fn equal_seeds_give_equal_samples() {
        let (a, b, c) = (SETTINGS.draw(&Waver, 3, 7), SETTINGS.draw(&Waver, 3, 7), SETTINGS.draw(&Waver, 3, 8));
        assert_eq!((&a.pictures, &a.targets), (&b.pictures, &b.targets));
        assert_ne!(a.pictures, c.pictures);
    }
}
