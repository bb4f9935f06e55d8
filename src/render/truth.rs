//! The truth about the people of a picture, read from the depth buffer.

use crate::data::BoundingBox;
use crate::geometry::CameraModel;
use crate::skeleton::{Joint, JointArray};

use super::body::{Body3d, Geometry, body_scale};
use super::primitive::Primitive;
use super::raster::{Buffers, NOTHING, Silhouette};
use super::{RenderScene, RenderedPerson};

/// A joint is visible when the person's own surface at its pixel lies at most so far before it (m for an adult of
/// average girth): the flesh around the joint.
const fn flesh(joint: Joint) -> f32 {
    match joint {
        Joint::Pelvis | Joint::Spine => 0.19,
        Joint::Thorax => 0.17,
        Joint::LHip | Joint::RHip => 0.16,
        Joint::Head => 0.15,
        Joint::LShoulder | Joint::RShoulder => 0.115,
        Joint::LKnee | Joint::RKnee => 0.09,
        Joint::LAnkle | Joint::RAnkle => 0.085,
        Joint::LElbow | Joint::RElbow => 0.08,
        Joint::Nose | Joint::LWrist | Joint::RWrist => 0.065,
    }
}

pub(super) fn people(
    scene: &RenderScene,
    camera: &CameraModel,
    geometry: &Geometry,
    buffers: &Buffers,
    silhouettes: &[Silhouette],
) -> Vec<RenderedPerson> {
    let mut seen: Vec<(usize, Option<[usize; 4]>)> = vec![(0, None); scene.people.len()];
    for row in 0..buffers.height {
        for column in 0..buffers.width {
            let Some(owner) = owner(geometry, buffers, row * buffers.width + column) else { continue };
            let (pixels, inside) = &mut seen[owner];
            *pixels += 1;
            let found = inside.get_or_insert([column, row, column, row]);
            *found = [found[0].min(column), found[1].min(row), found[2].max(column), found[3].max(row)];
        }
    }
    scene
        .people
        .iter()
        .enumerate()
        .map(|(index, person)| {
            let joints_in_image_px = person.joints_in_camera.map(|joint| camera.project(&joint));
            let is_visible: JointArray<bool> = std::array::from_fn(|joint| {
                joints_in_image_px[joint].is_some_and(|at| {
                    let inside = at.x > -0.5
                        && at.y > -0.5
                        && at.x < buffers.width as f64 - 0.5
                        && at.y < buffers.height as f64 - 0.5;
                    inside && is_seen(person, index, Joint::ALL[joint], (at.x, at.y), geometry, buffers)
                })
            });
            let (visible_pixels, visible) = seen[index];
            RenderedPerson {
                joints_in_image_px,
                is_visible,
                visible_bbox_in_image_px: visible.map(around_pixels),
                whole_bbox_in_image_px: whole(&silhouettes[index], buffers),
                visible_pixels,
                silhouette_pixels: silhouettes[index].pixels,
            }
        })
        .collect()
}

fn owner(geometry: &Geometry, buffers: &Buffers, at: usize) -> Option<usize> {
    let shown = buffers.shown[at];
    if shown == NOTHING {
        return None;
    }
    let owner = geometry.primitives[shown as usize].owner;
    (owner != Primitive::NOBODY).then_some(owner)
}

fn is_seen(
    person: &Body3d,
    index: usize,
    joint: Joint,
    (x, y): (f64, f64),
    geometry: &Geometry,
    buffers: &Buffers,
) -> bool {
    // Rounded away from -0.5 by the check before.
    let (column, row) = (x.round().max(0.0) as usize, y.round().max(0.0) as usize);
    let at = row.min(buffers.height - 1) * buffers.width + column.min(buffers.width - 1);
    let depth = person.joints_in_camera[joint.index()].z as f32;
    let before = depth - buffers.depth[at];
    if owner(geometry, buffers, at) == Some(index) {
        let looks = &person.appearance;
        let clothes = looks.top.loose.max(looks.bottom.loose);
        return before < flesh(joint) * body_scale(&person.joints_in_camera) * looks.girth.max(1.0) + clothes;
    }
    // Something else: it hides what lies behind it. A joint just outside its own silhouette is before the background.
    before < 0.0
}

fn around_pixels([x_min, y_min, x_max, y_max]: [usize; 4]) -> BoundingBox {
    BoundingBox {
        x_min: x_min as f32 - 0.5,
        y_min: y_min as f32 - 0.5,
        x_max: x_max as f32 + 0.5,
        y_max: y_max as f32 + 0.5,
    }
}

/// Exact within the image, from the bounds of the primitives beyond it.
fn whole(silhouette: &Silhouette, buffers: &Buffers) -> Option<BoundingBox> {
    let [x_min, y_min, x_max, y_max] = silhouette.bounds;
    if !(x_min <= x_max && y_min <= y_max) {
        return None;
    }
    let (width, height) = (buffers.width as f32, buffers.height as f32);
    let bounds = BoundingBox {
        x_min: x_min.max(-width),
        y_min: y_min.max(-height),
        x_max: x_max.min(2.0 * width),
        y_max: y_max.min(2.0 * height),
    };
    let Some(inside) = silhouette.inside.map(around_pixels) else { return Some(bounds) };
    let pick = |bound: f32, seen: f32, is_outside: bool| if is_outside { bound } else { seen };
    Some(BoundingBox {
        x_min: pick(bounds.x_min, inside.x_min, inside.x_min < 0.0 && bounds.x_min < 0.0),
        y_min: pick(bounds.y_min, inside.y_min, inside.y_min < 0.0 && bounds.y_min < 0.0),
        x_max: pick(bounds.x_max, inside.x_max, inside.x_max >= width - 0.5 && bounds.x_max > width - 0.5),
        y_max: pick(bounds.y_max, inside.y_max, inside.y_max >= height - 0.5 && bounds.y_max > height - 0.5),
    })
}
