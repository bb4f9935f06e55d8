//! Pictures of made-up people with known keypoints: a software renderer for training, demonstrations and tests.
//!
//! People are flattened rounded cones and ellipsoids around the 17 joints, clothed and with a face; things and a
//! background are around them. Each pixel's own ray is intersected with each primitive (any lens, see `rays`), a
//! depth buffer decides, and what a joint's pixel shows decides whether the joint is visible. Frames: people in the
//! camera optical frame, everything else in the world (z up, floor at z = 0), so that a background stays where it is
//! while the camera moves. Nothing is drawn by chance here: equal scenes give equal bytes.

mod appearance;
mod background;
mod body;
mod effects;
mod head;
mod light;
mod noise;
mod paint;
mod primitive;
mod prop;
mod raster;
mod rays;
mod shade;
mod shadow;
#[cfg(test)]
mod tests;
mod truth;

use image::RgbImage;
use nalgebra::{Isometry3, Point2};

use crate::data::BoundingBox;
use crate::geometry::CameraModel;
use crate::skeleton::{Joint, JointArray};

pub use appearance::Appearance;
pub use background::{Background, BackgroundFamily};
pub use body::Body3d;
pub use effects::{CameraEffects, encode_jpeg};
pub use light::Light;
pub use prop::{Prop, PropKind};

use body::Geometry;
use raster::Buffers;
use rays::Rays;
use shade::Shading;
use shadow::FloorShadow;

/// What is in the picture.
#[derive(Clone, Debug)]
pub struct RenderScene {
    /// Everybody.
    pub people: Vec<Body3d>,
    /// What is behind them.
    pub background: Background,
    /// Things that stand before or between them.
    pub occluders: Vec<Prop>,
    /// Where the light comes from.
    pub light: Light,
    /// Takes points of the world into the camera optical frame.
    pub camera_from_world: Isometry3<f64>,
}

/// A picture and the truth about it.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedPicture {
    /// The picture as a perfect camera gives it; see [`CameraEffects`].
    pub image: RgbImage,
    /// Everybody, in the order of [`RenderScene::people`].
    pub people: Vec<RenderedPerson>,
}

/// The truth about one person in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedPerson {
    /// The joints in the image, px, also outside of it; `None` where the lens cannot see the place at all.
    pub joints_in_image_px: JointArray<Option<Point2<f64>>>,
    /// Whether the joint lies in the image and nothing is before it but the flesh and clothes right around it.
    pub is_visible: JointArray<bool>,
    /// Rectangle around the pixels that show the person; `None` where none does.
    pub visible_bbox_in_image_px: Option<BoundingBox>,
    /// Rectangle around the whole silhouette, as if nothing hid it and the image went on beyond its border (by its own
    /// size at most); `None` for somebody behind the camera.
    pub whole_bbox_in_image_px: Option<BoundingBox>,
    /// Pixels that show the person.
    pub visible_pixels: usize,
    /// Pixels that would show the person if nothing stood before.
    pub silhouette_pixels: usize,
}

impl RenderedPerson {
    /// Share of the silhouette's pixels that show the person, 0 to 1; 0 for somebody outside the image.
    pub fn visible_share(&self) -> f64 {
        if self.silhouette_pixels == 0 { 0.0 } else { self.visible_pixels as f64 / self.silhouette_pixels as f64 }
    }

    /// Number of visible joints.
    pub fn visible_joints(&self) -> usize {
        Joint::ALL.iter().filter(|joint| self.is_visible[joint.index()]).count()
    }
}

/// Draws the picture that `camera` takes of `scene`. Joints that are not finite make no body.
pub fn render(scene: &RenderScene, camera: &CameraModel) -> RenderedPicture {
    let rays = Rays::new(camera);
    let mut geometry = Geometry::default();
    let mut buffers = Buffers::new(rays.width, rays.height);
    let mut silhouettes = Vec::with_capacity(scene.people.len());
    for (person, body) in scene.people.iter().enumerate() {
        let first = geometry.primitives.len();
        body::build(body, person, &scene.camera_from_world, &mut geometry);
        let range = first..geometry.primitives.len();
        silhouettes.push(buffers.draw_person(&geometry, range, person, &rays));
    }
    let first = geometry.primitives.len();
    for prop in scene.occluders.iter().chain(&scene.background.props) {
        prop.add_to(&scene.camera_from_world, &mut geometry);
    }
    buffers.draw_things(&geometry, first..geometry.primitives.len(), &rays);
    let roots: Vec<_> = scene.people.iter().map(|person| person.joints_in_camera[Joint::Pelvis.index()]).collect();
    let people = truth::people(scene, camera, &geometry, &buffers, &silhouettes);
    let shading = Shading {
        shadow: FloorShadow::new(&geometry, &roots, &scene.light, &scene.camera_from_world),
        geometry: &geometry,
        background: &scene.background,
        light: &scene.light,
        camera_from_world: &scene.camera_from_world,
    };
    RenderedPicture { image: shading.picture(&buffers, &rays), people }
}
