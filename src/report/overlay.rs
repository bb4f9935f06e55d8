//! Skeletons drawn on an image: a colour per identity; measured joints filled, inferred ones hollow, predicted ones
//! faint. Pure drawing, antialiased, no files.

use image::{Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use nalgebra::Point2;

use crate::data::{JointState, PersonEstimate};
use crate::geometry::CameraModel;
use crate::model::{PictureSize, Placement};
use crate::skeleton::BONES;
use crate::stages::crop::Crop;

/// Colours that stay apart for people with colour-blindness (Okabe and Ito 2008).
const COLOURS: [[u8; 3]; 7] =
    [[230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [213, 94, 0], [204, 121, 167], [0, 114, 178]];

/// 3 × 5 pixels for each digit, a row a number, the leftmost pixel highest.
const DIGITS: [[u8; 5]; 10] = [
    [7, 5, 5, 5, 7],
    [2, 6, 2, 2, 7],
    [7, 1, 7, 4, 7],
    [7, 1, 7, 1, 7],
    [5, 5, 7, 1, 1],
    [7, 4, 7, 1, 7],
    [7, 4, 7, 5, 7],
    [7, 1, 1, 2, 2],
    [7, 5, 7, 5, 7],
    [7, 5, 7, 1, 7],
];

/// Quality of the overlay pictures that are sent or recorded.
pub const JPEG_QUALITY: u8 = 80;
/// Longer side of the picture at most, when keypoints come without an image, px.
const CANVAS_SIDE_PX: f64 = 3840.0;

/// The colour of an identity.
pub fn colour_of(track_id: u32) -> [u8; 3] {
    COLOURS[(track_id as usize).saturating_sub(1) % COLOURS.len()]
}

/// Draws everybody on `image`, which becomes a dark picture of the camera's size where it is empty.
pub fn draw_everybody(image: &mut RgbImage, camera: &CameraModel, people: &[PersonEstimate]) {
    if image.is_empty() {
        *image = canvas(camera);
    }
    for person in people {
        draw_person(image, camera, person);
    }
}

fn canvas(camera: &CameraModel) -> RgbImage {
    let (width, height) = camera.image_size();
    // A calibration may claim any size: what is drawn on is bounded.
    let shrink = (CANVAS_SIDE_PX / f64::from(width.max(height))).min(1.0);
    let side = |size: u32| ((f64::from(size) * shrink) as u32).max(1);
    RgbImage::from_pixel(side(width), side(height), Rgb([24, 24, 28]))
}

/// The picture as JPEG; `None` for a size that JPEG does not have.
pub fn jpeg(picture: &RgbImage, quality: u8) -> Option<Vec<u8>> {
    let side = |px: u32| u16::try_from(px).ok();
    let (width, height) = (side(picture.width())?, side(picture.height())?);
    let mut data = Vec::new();
    let mut encoder = Encoder::new(&mut data, quality);
    // Half as many values to compress; the lines are wide enough to keep their colours.
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(picture.as_raw(), width, height, ColorType::Rgb).ok()?;
    Some(data)
}

/// Draws one person as the camera sees the 3D joints.
pub fn draw_person(image: &mut RgbImage, camera: &CameraModel, person: &PersonEstimate) {
    let colour = colour_of(person.track_id.0);
    let scale = (image.width().max(image.height()) as f64 / 500.0).max(0.6);
    let at = person.joints.map(|joint| {
        let drawn = joint.state != JointState::Absent;
        drawn.then(|| camera.project(&joint.position_in_camera)).flatten()
    });
    for (parent, child) in BONES {
        let (parent, child) = (parent.index(), child.index());
        let state = person.joints[parent].state.min(person.joints[child].state);
        if let (Some(a), Some(b)) = (at[parent], at[child]) {
            draw_line(image, a, b, 1.3 * scale, colour, opacity(state));
        }
    }
    for (joint, at) in person.joints.iter().zip(at) {
        let Some(at) = at else { continue };
        draw_disc(image, at, 2.6 * scale, colour, opacity(joint.state));
        if joint.state == JointState::Inferred {
            draw_disc(image, at, 1.3 * scale, [255; 3], 0.9);
        }
    }
    let bbox = person.bbox_in_image_px;
    draw_number(
        image,
        bbox.x_min as i64,
        bbox.y_min as i64 - (7.0 * scale) as i64,
        person.track_id.0,
        scale.ceil() as i64,
        colour,
    );
}

/// How strongly a state is drawn.
pub(super) const fn opacity(state: JointState) -> f64 {
    match state {
        JointState::Absent => 0.0,
        JointState::Predicted => 0.35,
        JointState::Inferred => 0.7,
        JointState::Measured => 1.0,
    }
}

fn blend(image: &mut RgbImage, x: i64, y: i64, colour: [u8; 3], share: f64) {
    if !(share > 0.0) || x < 0 || y < 0 || x >= i64::from(image.width()) || y >= i64::from(image.height()) {
        return;
    }
    let Rgb(pixel) = image.get_pixel_mut(x as u32, y as u32);
    for (value, target) in pixel.iter_mut().zip(colour) {
        *value = (f64::from(*value) * (1.0 - share) + f64::from(target) * share).round() as u8;
    }
}

/// Paints what lies within `radius` of a shape whose distance from a pixel `distance` tells.
fn paint(
    image: &mut RgbImage,
    (low, high): (Point2<f64>, Point2<f64>),
    radius: f64,
    colour: [u8; 3],
    opacity: f64,
    distance: impl Fn(Point2<f64>) -> f64,
) {
    let clip = |value: f64, size: u32| value.clamp(-1.0, f64::from(size)) as i64;
    let (width, height) = image.dimensions();
    for y in clip(low.y - radius - 1.0, height)..=clip(high.y + radius + 1.0, height) {
        for x in clip(low.x - radius - 1.0, width)..=clip(high.x + radius + 1.0, width) {
            let inside = radius + 0.5 - distance(Point2::new(x as f64, y as f64));
            blend(image, x, y, colour, opacity * inside.clamp(0.0, 1.0));
        }
    }
}

/// Draws a line of half width `radius`, px.
pub fn draw_line(image: &mut RgbImage, a: Point2<f64>, b: Point2<f64>, radius: f64, colour: [u8; 3], opacity: f64) {
    let along = b - a;
    let length_squared = along.norm_squared().max(1e-9);
    let box_around = (Point2::from(a.coords.inf(&b.coords)), Point2::from(a.coords.sup(&b.coords)));
    paint(image, box_around, radius, colour, opacity, |at| {
        let share = ((at - a).dot(&along) / length_squared).clamp(0.0, 1.0);
        (at - (a + along * share)).norm()
    });
}

/// Draws a filled disc, px.
pub fn draw_disc(image: &mut RgbImage, center: Point2<f64>, radius: f64, colour: [u8; 3], opacity: f64) {
    paint(image, (center, center), radius, colour, opacity, |at| (at - center).norm());
}

/// Draws a number with its upper left corner at (`x`, `y`), each font pixel `scale` px wide.
pub(super) fn draw_number(image: &mut RgbImage, x: i64, y: i64, number: u32, scale: i64, colour: [u8; 3]) {
    let y = y.max(1);
    for (place, digit) in number.to_string().bytes().enumerate() {
        let rows = DIGITS[usize::from(digit - b'0') % DIGITS.len()];
        for (row, bits) in rows.into_iter().enumerate() {
            for column in (0..3).filter(|column| bits >> (2 - column) & 1 == 1) {
                let left = x + (place as i64 * 4 + column) * scale;
                let top = y + row as i64 * scale;
                for dy in 0..scale {
                    for dx in 0..scale {
                        blend(image, left + dx, top + dy, colour, 1.0);
                    }
                }
            }
        }
    }
}

/// `image` shrunk to `width` px.
pub fn thumbnail(image: &RgbImage, width: u32) -> RgbImage {
    let height =
        (f64::from(image.height()) * f64::from(width) / f64::from(image.width().max(1))).round().max(1.0) as u32;
    let size = PictureSize { width_px: width as usize, height_px: height as usize };
    Crop::letterbox(image.dimensions(), size, Placement::Centre).picture(image)
}

/// Puts images side by side, `columns` a row, on a dark sheet, each in the upper left of a place that has room for the largest.
pub fn contact_sheet(images: &[RgbImage], columns: u32) -> RgbImage {
    const GAP: u32 = 4;
    let Some((width, height)) = images.iter().map(RgbImage::dimensions).reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))
    else {
        return RgbImage::new(1, 1);
    };
    let rows = (images.len() as u32).div_ceil(columns.max(1));
    let mut sheet = RgbImage::from_pixel(columns * (width + GAP) + GAP, rows * (height + GAP) + GAP, Rgb([24, 24, 28]));
    for (index, image) in images.iter().enumerate() {
        let (column, row) = (index as u32 % columns, index as u32 / columns);
        let (x, y) = (GAP + column * (width + GAP), GAP + row * (height + GAP));
        image::imageops::replace(&mut sheet, image, i64::from(x), i64::from(y));
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_covers_its_pixels_and_no_others() {
        let mut image = RgbImage::new(20, 20);
        draw_line(&mut image, Point2::new(2.0, 10.0), Point2::new(17.0, 10.0), 1.0, [255; 3], 1.0);
        assert_eq!(image.get_pixel(10, 10).0, [255; 3]);
        assert_eq!(image.get_pixel(10, 14).0, [0; 3]);
        assert_eq!(image.get_pixel(0, 0).0, [0; 3]);
    }

    #[test]
    fn drawing_far_outside_is_harmless() {
        let mut image = RgbImage::new(8, 8);
        draw_line(&mut image, Point2::new(-1e12, -50.0), Point2::new(1e12, 1e9), 2.0, [9; 3], 1.0);
        draw_disc(&mut image, Point2::new(f64::NAN, 3.0), 2.0, [9; 3], 1.0);
        draw_number(&mut image, -5, 100, 42, 3, [9; 3]);
        assert_eq!(image.dimensions(), (8, 8));
    }

    #[test]
    fn a_contact_sheet_holds_every_image() {
        let images = vec![thumbnail(&RgbImage::from_pixel(40, 30, Rgb([200, 0, 0])), 20); 5];
        let sheet = contact_sheet(&images, 3);
        assert_eq!(sheet.dimensions(), (3 * 24 + 4, 2 * 19 + 4));
        assert_eq!(sheet.get_pixel(30, 30).0, [200, 0, 0]);
        // A taller one does not reach into the next row.
        let tall = RgbImage::from_pixel(20, 25, Rgb([0, 200, 0]));
        let sheet = contact_sheet(&[images[0].clone(), tall, images[0].clone()], 2);
        assert_eq!(sheet.dimensions(), (2 * 24 + 4, 2 * 29 + 4));
        assert_eq!([sheet.get_pixel(30, 28).0, sheet.get_pixel(5, 34).0], [[0, 200, 0], [200, 0, 0]]);
    }
}
