//! Pictures with people of whom everything is known: what the 2D networks are trained and measured on.

use std::sync::Arc;

use image::RgbImage;
use nalgebra::Point2;
use rayon::prelude::*;
use stridepose::data::BoundingBox;
use stridepose::skeleton::{JOINT_COUNT, Joint, JointArray};

use crate::pictures::PictureSampler;

/// A picture and everybody in it.
pub struct LabelledPicture {
    /// The picture.
    pub image: RgbImage,
    /// Everybody of whom something can be seen.
    pub people: Vec<LabelledPerson>,
}

/// One person of a picture.
#[derive(Clone, Debug)]
pub struct LabelledPerson {
    /// Where each joint is, px; may lie outside the picture.
    pub joints_in_image_px: JointArray<Point2<f64>>,
    /// Whether the joint is in the picture and nothing stands before it.
    pub is_visible: JointArray<bool>,
    /// What a detector should find: around all that can be seen or is hidden by others, cut by the border, px.
    pub bbox_in_image_px: BoundingBox,
}

impl LabelledPerson {
    /// Number of visible joints.
    pub fn visible_joints(&self) -> usize {
        self.is_visible.iter().filter(|is_visible| **is_visible).count()
    }

    /// Whether a joint lies in a picture of this size.
    pub fn is_inside(&self, joint: Joint, (width, height): (u32, u32)) -> bool {
        let at = self.joints_in_image_px[joint.index()];
        (-0.5..f64::from(width) - 0.5).contains(&at.x) && (-0.5..f64::from(height) - 0.5).contains(&at.y)
    }
}

/// Where pictures come from.
pub trait PictureSource: Sync {
    /// The picture of a seed.
    fn draw(&self, seed: u64) -> Arc<LabelledPicture>;
}

/// The picture of a number.
pub fn numbered_picture(source: &impl PictureSource, seed: u64, number: usize) -> Arc<LabelledPicture> {
    source.draw(seed ^ ((number as u64) << 20))
}

/// So many pictures with their numbers, in order; as many are drawn at once as there are threads.
pub fn numbered_pictures(
    source: &impl PictureSource,
    seed: u64,
    pictures: usize,
) -> impl Iterator<Item = (usize, Arc<LabelledPicture>)> {
    let at_once = rayon::current_num_threads();
    (0..pictures).step_by(at_once).flat_map(move |first| {
        let numbers = first..(first + at_once).min(pictures);
        numbers.into_par_iter().map(|number| (number, numbered_picture(source, seed, number))).collect::<Vec<_>>()
    })
}

/// Standard deviation of an annotator's error over the person's size, by joint: that of COCO's keypoints where COCO has the
/// joint; the pelvis and the spine have the hips', the thorax the shoulders', the head top the 0.079 that CrowdPose gives it.
pub const OKS_SIGMAS: JointArray<f64> = {
    let mut sigmas = [0.0; JOINT_COUNT];
    let mut index = 0;
    while index < JOINT_COUNT {
        sigmas[index] = match Joint::ALL[index] {
            Joint::Pelvis | Joint::Spine | Joint::RHip | Joint::LHip => 0.107,
            Joint::RKnee | Joint::LKnee => 0.087,
            Joint::RAnkle | Joint::LAnkle => 0.089,
            Joint::Nose => 0.026,
            Joint::Thorax | Joint::Head | Joint::LShoulder | Joint::RShoulder => 0.079,
            Joint::LElbow | Joint::RElbow => 0.072,
            Joint::LWrist | Joint::RWrist => 0.062,
        };
        index += 1;
    }
    sigmas
};

impl PictureSource for PictureSampler<'_> {
    fn draw(&self, seed: u64) -> Arc<LabelledPicture> {
        let picture = Self::draw(self, seed);
        let people = picture.people.iter().map(|person| LabelledPerson {
            joints_in_image_px: person.joints_in_image_px,
            is_visible: person.is_visible,
            bbox_in_image_px: within(&person.whole_bbox_in_image_px, picture.image.dimensions()),
        });
        Arc::new(LabelledPicture { people: people.collect(), image: picture.image })
    }
}

/// The part of a box that lies in a picture of this size.
fn within(bbox: &BoundingBox, (width, height): (u32, u32)) -> BoundingBox {
    let clip = |value: f32, size: u32| value.clamp(-0.5, size as f32 - 0.5);
    BoundingBox {
        x_min: clip(bbox.x_min, width),
        y_min: clip(bbox.y_min, height),
        x_max: clip(bbox.x_max, width),
        y_max: clip(bbox.y_max, height),
    }
}

/// Somebody who stands before grey, for tests: the right wrist and nothing else is white.
#[cfg(test)]
pub(crate) struct Waver;

#[cfg(test)]
impl Waver {
    /// The one person that is in every picture.
    pub(crate) fn person() -> LabelledPerson {
        let mut joints_in_image_px = [Point2::new(100.0, 100.0); JOINT_COUNT];
        for (joint, at) in Joint::ALL.iter().zip(&mut joints_in_image_px) {
            *at += nalgebra::Vector2::new(8.0 * (joint.index() % 5) as f64 - 16.0, 9.0 * joint.index() as f64 - 72.0);
        }
        joints_in_image_px[Joint::RWrist.index()] = Point2::new(80.0, 60.0);
        // Cut off by the border.
        joints_in_image_px[Joint::LAnkle.index()] = Point2::new(100.0, 205.0);
        let mut is_visible = [true; JOINT_COUNT];
        is_visible[Joint::LAnkle.index()] = false;
        is_visible[Joint::LKnee.index()] = false;
        let bbox_in_image_px = BoundingBox { x_min: 70.0, y_min: 20.0, x_max: 130.0, y_max: 199.5 };
        LabelledPerson { joints_in_image_px, is_visible, bbox_in_image_px }
    }
}

#[cfg(test)]
impl PictureSource for Waver {
    fn draw(&self, _: u64) -> Arc<LabelledPicture> {
        let mut image = RgbImage::from_pixel(200, 200, image::Rgb([90; 3]));
        for (x, y) in (-3..4).flat_map(|dx| (-3..4).map(move |dy| (80 + dx, 60 + dy))) {
            image.put_pixel(x as u32, y as u32, image::Rgb([255; 3]));
        }
        Arc::new(LabelledPicture { image, people: vec![Self::person()] })
    }
}
