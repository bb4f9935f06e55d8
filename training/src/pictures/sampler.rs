//! One seed → one picture with up to five people of whom everything is known.
//!
//! Training and validation share nothing: other persons' motion capture ([`Split`]), other kinds of places
//! ([`BackgroundFamily::TRAINING`] and `VALIDATION`), and other looks (the split is part of the seed).

use image::RgbImage;
use nalgebra::{Point2, Point3, Vector3};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stridepose::data::BoundingBox;
use stridepose::render::{
    Appearance, Background, BackgroundFamily, Body3d, CameraEffects, Light, Prop, PropKind, RenderScene,
    RenderedPerson, render,
};
use stridepose::skeleton::JointArray;

use crate::mocap::{Clip, Split};

use super::people::Performer;
use super::view::{CloseUp, View};

/// How often a picture has no, one, … five people.
const PEOPLE_SHARES: [f64; 6] = [0.07, 0.35, 0.27, 0.18, 0.08, 0.05];
/// Share of people who mostly stand.
const STANDING_SHARE: f64 = 0.2;
/// Share of pictures with something in front of somebody.
const OCCLUDED_SHARE: f64 = 0.45;
/// Share of pictures with things lying about on the floor, with people and without anybody.
const LITTERED_SHARES: [f64; 2] = [0.25, 0.7];
/// Mixed into the seed of what lies on the floor, so that everything else of a picture does not depend on it.
const LITTER_SEED: u64 = 0x11_77E2;
/// Share of people without a shirt, of those who may be.
const SHIRTLESS_SHARE: f64 = 0.2;
/// Mixed into the seed of who has none, for the same reason.
const SHIRT_SEED: u64 = 0x5417;
/// Share of pictures with somebody right before the camera.
const CLOSE_UP_SHARE: f64 = 0.15;
/// Mixed into the seed of who is that near, for the same reason.
const CLOSE_UP_SEED: u64 = 0xC105_E0FF;
/// Mixed into the seed of validation pictures.
const VALIDATION_SEED: u64 = 0x5EED_0F7A_11DA_7104;

/// A picture and everybody in it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingPicture {
    /// The picture as a real camera would give it.
    pub image: RgbImage,
    /// Everybody who shows at least one pixel.
    pub people: Vec<TrainingPerson>,
}

/// The truth about somebody in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingPerson {
    /// Joints in the camera optical frame, m.
    pub joints_in_camera: JointArray<Point3<f64>>,
    /// Where each joint is, px; also outside of the picture.
    pub joints_in_image_px: JointArray<Point2<f64>>,
    /// Whether the joint lies in the picture and nothing stands before it.
    pub is_visible: JointArray<bool>,
    /// Rectangle around the pixels that show the person.
    pub visible_bbox_in_image_px: BoundingBox,
    /// Rectangle around the whole silhouette, as if nothing stood before it and the picture had no border.
    pub whole_bbox_in_image_px: BoundingBox,
    /// Share of the silhouette's pixels in the picture that show the person.
    pub visible_share: f64,
}

/// There is nobody to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of {clips} clips of motion capture is of split {split:?}: pictures need somebody to show")]
pub struct NoClips {
    /// Number of clips that were given.
    pub clips: usize,
    /// Which were wanted.
    pub split: Split,
}

/// Draws pictures; may be used by many threads at once.
pub struct PictureSampler<'a> {
    split: Split,
    moving: Vec<(Performer<'a>, usize)>,
    standing: Vec<(Performer<'a>, usize)>,
}

impl<'a> PictureSampler<'a> {
    /// Pictures of the people of `split`.
    ///
    /// # Errors
    /// [`NoClips`] when there are none.
    pub fn new(clips: &'a [Clip], split: Split) -> Result<Self, NoClips> {
        let mut sampler = Self { split, moving: Vec::new(), standing: Vec::new() };
        for clip in clips.iter().filter(|clip| clip.split == split && !clip.poses.is_empty()) {
            let part = if clip.is_moving() { &mut sampler.moving } else { &mut sampler.standing };
            let end = part.last().map_or(0, |(_, end)| *end) + clip.poses.len();
            part.push((Performer::new(clip), end));
        }
        if sampler.moving.is_empty() && sampler.standing.is_empty() {
            return Err(NoClips { clips: clips.len(), split });
        }
        Ok(sampler)
    }

    /// The picture of `seed`.
    pub fn draw(&self, seed: u64) -> TrainingPicture {
        let salt = if self.split == Split::Validation { VALIDATION_SEED } else { 0 };
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ salt);
        let rng = &mut rng;
        let mut close_up_rng = ChaCha8Rng::seed_from_u64(seed ^ salt ^ CLOSE_UP_SEED);
        let close_up = close_up_rng.random_bool(CLOSE_UP_SHARE).then(|| CloseUp::draw(&mut close_up_rng));
        let view = View::draw(draw_count(rng), close_up.as_ref(), rng);
        let mut shirt_rng = ChaCha8Rng::seed_from_u64(seed ^ salt ^ SHIRT_SEED);
        let mut dress = |looks: Appearance| {
            if shirt_rng.random_bool(SHIRTLESS_SHARE) { looks.without_shirt() } else { looks }
        };
        let people: Vec<Body3d> = view
            .places
            .iter()
            .map(|place| {
                let joints = self.performer(rng).draw(rng);
                let joints_in_camera = joints.map(|joint| view.camera_from_world * (joint + place.coords));
                Body3d { joints_in_camera, appearance: dress(Appearance::draw(rng)) }
            })
            // Who reaches up to the camera itself cannot be seen as a person.
            .filter(|person| person.joints_in_camera.iter().all(|joint| joint.z > 0.3))
            .collect();
        let mut keep = view.places.clone();
        keep.push(view.eye);
        let families: &[BackgroundFamily] = match self.split {
            Split::Train => &BackgroundFamily::TRAINING,
            Split::Validation => &BackgroundFamily::VALIDATION,
        };
        let family = families.choose(rng).copied().unwrap_or(families[0]);
        let scene = RenderScene {
            background: Background::draw(family, &keep, rng),
            occluders: draw_occluders(&view, rng).into_iter().chain(draw_litter(&view, seed ^ salt)).collect(),
            light: Light::draw(rng),
            camera_from_world: view.camera_from_world,
            people,
        };
        let picture = render(&scene, &view.camera);
        let effects = CameraEffects::draw(rng);
        let people =
            scene.people.iter().zip(&picture.people).filter_map(|(body, person)| truth(body, person)).collect();
        TrainingPicture { image: effects.apply(picture.image, rng.random()), people }
    }

    fn performer(&self, rng: &mut impl Rng) -> &Performer<'a> {
        let standing = self.moving.is_empty() || (!self.standing.is_empty() && rng.random_bool(STANDING_SHARE));
        let part = if standing { &self.standing } else { &self.moving };
        let poses = part.last().map_or(0, |(_, end)| *end);
        let at = rng.random_range(0..poses);
        &part[part.partition_point(|(_, end)| *end <= at)].0
    }
}

fn truth(body: &Body3d, person: &RenderedPerson) -> Option<TrainingPerson> {
    let mut joints_in_image_px = [Point2::origin(); 17];
    for (to, from) in joints_in_image_px.iter_mut().zip(&person.joints_in_image_px) {
        *to = (*from)?;
    }
    Some(TrainingPerson {
        joints_in_camera: body.joints_in_camera,
        joints_in_image_px,
        is_visible: person.is_visible,
        visible_bbox_in_image_px: person.visible_bbox_in_image_px?,
        whole_bbox_in_image_px: person.whole_bbox_in_image_px?,
        visible_share: person.visible_share(),
    })
}

fn draw_count(rng: &mut impl Rng) -> usize {
    let mut left = rng.random_range(0.0..1.0);
    for (count, share) in PEOPLE_SHARES.into_iter().enumerate() {
        left -= share;
        if left < 0.0 {
            return count;
        }
    }
    1
}

/// Things on the floor where the camera looks.
fn draw_litter(view: &View, seed: u64) -> Vec<Prop> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ LITTER_SEED);
    let share = LITTERED_SHARES[usize::from(view.places.is_empty())];
    if !rng.random_bool(share) {
        return Vec::new();
    }
    let middle = view.floor_in_sight();
    let reach = rng.random_range(0.3..1.0) * (middle - view.eye).norm();
    Prop::litter(middle, reach, &mut rng)
}

/// Things between the camera and some of the people.
fn draw_occluders(view: &View, rng: &mut impl Rng) -> Vec<Prop> {
    if view.places.is_empty() || !rng.random_bool(OCCLUDED_SHARE) {
        return Vec::new();
    }
    (0..rng.random_range(1..4))
        .filter_map(|_| {
            let kind = PropKind::OCCLUDERS.choose(rng).copied()?;
            let place = view.places.choose(rng)?;
            let way = place - view.eye;
            let share = rng.random_range(0.35..0.9);
            let aside = rng.random_range(-0.5..0.5);
            let foot = Vector3::new(share * way.x, share * way.y + aside, 0.0);
            // Neither in the camera's face nor in somebody.
            let is_free = foot.norm() > 0.9 && view.places.iter().all(|other| (other.coords - foot).norm() > 0.45);
            let prop = Prop::draw(kind, Point3::from(foot), rng);
            is_free.then_some(prop)
        })
        .collect()
}
