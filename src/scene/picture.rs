//! Pictures of the made-up scene: the same people, clothes, room and pillar in every image.

use image::RgbImage;
use nalgebra::{Isometry3, Point3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::geometry::CameraModel;
use crate::render::{
    Appearance, Background, BackgroundFamily, Body3d, CameraEffects, Light, Prop, RenderScene, RenderedPerson, render,
};
use crate::skeleton::Joint;

use super::{SceneImage, SceneSettings};

/// Mixed into the seed, so that looks do not follow from the way of walking.
const LOOKS_SEED: u64 = 0x00A1_1C10_74E5;
/// Noise of the scene's camera at mid grey, 8-bit levels.
const NOISE: f32 = 2.5;

/// Paints the images of one scene.
#[derive(Clone, Debug)]
pub struct ScenePainter {
    appearances: Vec<Appearance>,
    background: Background,
    occluders: Vec<Prop>,
    light: Light,
    effects: CameraEffects,
    seed: u64,
}

impl ScenePainter {
    /// Draws looks, room and light for all `images` of the scene of `settings`.
    pub fn new(settings: &SceneSettings, images: &[SceneImage]) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed ^ LOOKS_SEED);
        let appearances = (0..settings.people).map(|_| Appearance::draw(&mut rng)).collect();
        let light = Light::draw(&mut rng);
        let background = Background::draw(BackgroundFamily::Room, &corners(images), &mut rng);
        let pillar = settings.pillar.map(|pillar| {
            let foot = Point3::new(pillar.x, pillar.y, 0.0);
            Prop::cylinder(foot, pillar.radius, pillar.height - pillar.radius, &mut rng)
        });
        Self {
            appearances,
            background,
            occluders: pillar.into_iter().collect(),
            light,
            effects: CameraEffects { noise: NOISE, is_coloured: true, ..CameraEffects::NONE },
            seed: settings.seed,
        }
    }

    /// The picture of `image` through `camera`, and what of each person can be seen in it, in the order of its people.
    pub fn paint(&self, image: &SceneImage, camera: &CameraModel) -> (RgbImage, Vec<RenderedPerson>) {
        let people = image.people.iter().zip(&self.appearances).map(|(person, appearance)| Body3d {
            joints_in_camera: person.joints_in_camera,
            appearance: appearance.clone(),
        });
        let scene = RenderScene {
            people: people.collect(),
            background: self.background.clone(),
            occluders: self.occluders.clone(),
            light: self.light,
            camera_from_world: image.camera_from_world,
        };
        let picture = render(&scene, camera);
        let seed = self.seed ^ image.stamp.nanoseconds().unsigned_abs();
        (self.effects.apply(picture.image, seed), picture.people)
    }
}

/// Corners of the floor that people and camera ever stand on.
fn corners(images: &[SceneImage]) -> Vec<Point3<f64>> {
    let places = images.iter().flat_map(|image| {
        let world_from_camera: Isometry3<f64> = image.camera_from_world.inverse();
        let roots =
            image.people.iter().map(move |person| world_from_camera * person.joints_in_camera[Joint::Pelvis.index()]);
        roots.chain([Point3::from(world_from_camera.translation.vector)])
    });
    let (mut low, mut high) =
        (Point3::new(f64::INFINITY, f64::INFINITY, 1.8), Point3::new(f64::NEG_INFINITY, f64::NEG_INFINITY, 1.8));
    for place in places {
        low = Point3::new(low.x.min(place.x), low.y.min(place.y), low.z.max(place.z));
        high = Point3::new(high.x.max(place.x), high.y.max(place.y), high.z);
    }
    if !(low.x <= high.x) {
        return Vec::new();
    }
    vec![low, Point3::new(low.x, high.y, low.z), Point3::new(high.x, low.y, low.z), high]
}
