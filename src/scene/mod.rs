//! Made-up scenes with known truth: people who walk, a camera that drives and turns, a detector that errs.
//!
//! For demonstrations and tests; nothing in here comes from a recording. World frame: x and y on the ground, z up, m;
//! the camera drives along +x. The truth is given in the camera optical frame of each image. Equal seeds give equal
//! scenes, image by image; [`ScenePainter`] paints them.

mod camera;
mod detector;
mod occlusion;
mod picture;
mod walker;

use nalgebra::{Isometry3, Point2, Point3};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::data::{BoundingBox, KeypointsInImage, Stamp};
use crate::skeleton::{JOINT_COUNT, JointArray};

pub use detector::DetectorSettings;
pub use occlusion::Pillar;
pub use picture::ScenePainter;
pub use walker::Body;

use camera::MovingCamera;
use detector::Detector;
use walker::Walker;

/// What to make.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneSettings {
    /// Seed of everything that is drawn by chance.
    pub seed: u64,
    /// Number of people.
    pub people: usize,
    /// Length, s.
    pub duration_secs: f64,
    /// Images per second.
    pub rate_hz: f64,
    /// Stamp of the first image.
    pub start: Stamp,
    /// Image width, px.
    pub width: u32,
    /// Image height, px.
    pub height: u32,
    /// Whether the camera drives and turns.
    pub camera_moves: bool,
    /// What stands in front of the people.
    pub pillar: Option<Pillar>,
    /// How the detector errs.
    pub detector: DetectorSettings,
}

impl Default for SceneSettings {
    /// Three people, 10 s at 30 Hz, 640 × 480, behind a pillar, before a moving camera.
    fn default() -> Self {
        Self {
            seed: 1,
            people: 3,
            duration_secs: 10.0,
            rate_hz: 30.0,
            start: Stamp::from_nanoseconds(1_700_000_000_000_000_000),
            width: 640,
            height: 480,
            camera_moves: true,
            pillar: Some(Pillar::default()),
            detector: DetectorSettings::default(),
        }
    }
}

impl SceneSettings {
    /// Number of images.
    pub fn image_count(&self) -> usize {
        (self.duration_secs * self.rate_hz).round() as usize
    }
}

/// One image of the scene.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneImage {
    /// Capture time.
    pub stamp: Stamp,
    /// Pose of the camera: takes world points into the camera optical frame.
    pub camera_from_world: Isometry3<f64>,
    /// The pillar's foot and top in the camera optical frame, and its radius, m.
    pub pillar_in_camera: Option<(Point3<f64>, Point3<f64>, f64)>,
    /// Everybody, in view or not, always in the same order.
    pub people: Vec<ScenePerson>,
}

/// One person in one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenePerson {
    /// Who it is, from 1.
    pub identity: u32,
    /// True joints in the camera optical frame, m.
    pub joints_in_camera: JointArray<Point3<f64>>,
    /// True joints in the image, px; `None` where the camera cannot see the place at all.
    pub joints_in_image_px: JointArray<Option<Point2<f64>>>,
    /// Whether nothing stands between the camera and the joint and the joint lies in the image.
    pub is_visible: JointArray<bool>,
    /// What the detector says.
    pub keypoints: KeypointsInImage,
    /// Rectangle around the visible part; `None` when the detector misses the person.
    pub bbox_in_image_px: Option<BoundingBox>,
}

/// Makes the scene as the camera behind `project` (camera optical frame → image px) sees it.
pub fn make_scene(settings: &SceneSettings, project: &dyn Fn(&Point3<f64>) -> Option<Point2<f64>>) -> Vec<SceneImage> {
    let period = 1.0 / settings.rate_hz;
    let count = settings.image_count();
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let camera = MovingCamera::new(&mut rng, settings.camera_moves);
    let mut walkers: Vec<Walker> =
        (0..settings.people).map(|index| Walker::new(&mut rng, index, settings.people)).collect();
    let mut detectors: Vec<Detector> = (0..settings.people).map(|_| Detector::default()).collect();
    let size = (f64::from(settings.width), f64::from(settings.height));
    let mut images = Vec::with_capacity(count);
    for index in 0..count {
        let time = index as f64 * period;
        let camera_from_world = camera.camera_from_world(time);
        let pillar_in_camera = settings.pillar.map(|pillar| pillar.in_camera(&camera_from_world));
        let joints: Vec<JointArray<Point3<f64>>> =
            walkers.iter().map(|walker| walker.joints_in_world().map(|joint| camera_from_world * joint)).collect();
        let people = (0..settings.people)
            .map(|person| {
                let joints_in_image_px = joints[person].map(|joint| project(&joint));
                let is_visible: JointArray<bool> = std::array::from_fn(|joint| {
                    joints_in_image_px[joint].is_some_and(|at| is_inside(&at, size))
                        && !occlusion::is_hidden(&joints, person, joint, pillar_in_camera.as_ref())
                });
                let keypoints = detectors[person].observe(
                    &mut rng,
                    &settings.detector,
                    period,
                    &joints_in_image_px,
                    &is_visible,
                    size,
                );
                ScenePerson {
                    identity: person as u32 + 1,
                    joints_in_camera: joints[person],
                    joints_in_image_px,
                    is_visible,
                    keypoints,
                    bbox_in_image_px: rectangle(&joints_in_image_px, &is_visible, size),
                }
            })
            .collect();
        let stamp = Stamp::from_nanoseconds(settings.start.nanoseconds() + (time * 1e9).round() as i64);
        images.push(SceneImage { stamp, camera_from_world, pillar_in_camera, people });
        for walker in &mut walkers {
            walker.advance(period);
        }
    }
    images
}

fn is_inside(at: &Point2<f64>, (width, height): (f64, f64)) -> bool {
    at.x > -0.5 && at.x < width - 0.5 && at.y > -0.5 && at.y < height - 0.5
}

/// Rectangle around the visible joints with a margin, cut to the image; `None` with fewer than four of them.
fn rectangle(
    joints: &JointArray<Option<Point2<f64>>>,
    is_visible: &JointArray<bool>,
    (width, height): (f64, f64),
) -> Option<BoundingBox> {
    let seen: Vec<Point2<f64>> =
        (0..JOINT_COUNT).filter(|&joint| is_visible[joint]).filter_map(|joint| joints[joint]).collect();
    if seen.len() < 4 {
        return None;
    }
    let fold = |axis: usize, start: f64, pick: fn(f64, f64) -> f64| seen.iter().map(|at| at[axis]).fold(start, pick);
    let (left, right) = (fold(0, f64::INFINITY, f64::min), fold(0, f64::NEG_INFINITY, f64::max));
    let (top, bottom) = (fold(1, f64::INFINITY, f64::min), fold(1, f64::NEG_INFINITY, f64::max));
    let margin = 0.07 * (bottom - top).max(right - left);
    Some(BoundingBox {
        x_min: (left - margin).max(-0.5) as f32,
        y_min: (top - margin).max(-0.5) as f32,
        x_max: (right + margin).min(width - 0.5) as f32,
        y_max: (bottom + margin).min(height - 0.5) as f32,
    })
}

#[cfg(test)]
mod tests;
