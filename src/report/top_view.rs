//! People seen from above in the camera optical frame: x to the right, z (forward) up, the camera at the bottom.
//! A picture of nothing but what the estimate says, so that depth and its uncertainty can be judged at a glance.

use image::{Rgb, RgbImage};
use nalgebra::{Matrix2, Point2, Point3, SymmetricEigen, Vector2};

use crate::data::{JointState, PersonEstimate};
use crate::report::overlay::{colour_of, draw_disc, draw_line, draw_number, opacity};
use crate::skeleton::{BONES, Joint};

/// How a panel looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopView {
    /// Width, px.
    pub width: u32,
    /// Height, px.
    pub height: u32,
    /// Largest distance that is shown, m.
    pub range_m: f64,
}

impl Default for TopView {
    fn default() -> Self {
        Self { width: 320, height: 480, range_m: 10.0 }
    }
}

/// Distance between the camera and the lower edge, px.
const MARGIN_PX: f64 = 14.0;
/// Standard deviations of an ellipse that holds 90 % of a normal distribution in the plane.
const SIGMAS_90: f64 = 2.146;
/// Corners of a drawn circle or ellipse.
const CORNERS: u32 = 48;

impl TopView {
    /// Where a point of the camera optical frame lies on the panel, px.
    pub fn at(&self, point: &Point3<f64>) -> Point2<f64> {
        let scale = (f64::from(self.height) - 2.0 * MARGIN_PX) / self.range_m;
        Point2::new(0.5 * f64::from(self.width) + point.x * scale, f64::from(self.height) - MARGIN_PX - point.z * scale)
    }

    /// Draws the panel: a circle every 2 m, each person's bones, and the 90 % ellipse of the pelvis on the ground.
    pub fn draw(&self, people: &[PersonEstimate]) -> RgbImage {
        let mut image = RgbImage::from_pixel(self.width, self.height, Rgb([30, 32, 36]));
        for step in 1..=(self.range_m / 2.0).clamp(0.0, 50.0) as u32 {
            let distance = 2.0 * f64::from(step);
            self.draw_loop(&mut image, [90; 3], 0.6, |turn| {
                Point3::new(distance * turn.cos(), 0.0, distance * turn.sin())
            });
            let label = self.at(&Point3::new(0.0, 0.0, distance));
            draw_number(&mut image, label.x as i64 + 3, label.y as i64 + 3, 2 * step, 1, [150; 3]);
        }
        draw_disc(&mut image, self.at(&Point3::origin()), 5.0, [230; 3], 1.0);
        for person in people {
            self.draw_person(&mut image, person);
        }
        image
    }

    fn draw_person(&self, image: &mut RgbImage, person: &PersonEstimate) {
        let colour = colour_of(person.track_id.0);
        for (parent, child) in BONES {
            let (from, to) = (&person.joints[parent.index()], &person.joints[child.index()]);
            let (a, b) = (self.at(&from.position_in_camera), self.at(&to.position_in_camera));
            draw_line(image, a, b, 1.0, colour, opacity(from.state.min(to.state)));
        }
        let pelvis = &person.joints[Joint::Pelvis.index()];
        let covariance = pelvis.covariance;
        let at = pelvis.position_in_camera;
        let is_finite = covariance.iter().chain(at.coords.iter()).all(|value| value.is_finite());
        if pelvis.state == JointState::Absent || !is_finite {
            return;
        }
        let ground = Matrix2::new(covariance[(0, 0)], covariance[(0, 2)], covariance[(2, 0)], covariance[(2, 2)]);
        let eigen = SymmetricEigen::new(ground);
        let axes = eigen.eigenvalues.map(|value| SIGMAS_90 * value.max(0.0).sqrt());
        self.draw_loop(image, colour, 0.6 * opacity(pelvis.state), |turn| {
            let offset = eigen.eigenvectors * Vector2::new(axes.x * turn.cos(), axes.y * turn.sin());
            Point3::new(at.x + offset.x, at.y, at.z + offset.y)
        });
        let label = self.at(&at);
        draw_number(image, label.x as i64 + 8, label.y as i64 - 4, person.track_id.0, 2, colour);
    }

    /// Draws a closed line through the points that `point` gives for a whole turn.
    fn draw_loop(&self, image: &mut RgbImage, colour: [u8; 3], opacity: f64, point: impl Fn(f64) -> Point3<f64>) {
        let corner = |step: u32| self.at(&point(f64::from(step) * std::f64::consts::TAU / f64::from(CORNERS)));
        for step in 0..CORNERS {
            draw_line(image, corner(step), corner(step + 1), 0.5, colour, opacity);
        }
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::Matrix3;

    use super::*;
    use crate::data::{BoundingBox, JointEstimate, TrackId};

    #[test]
    fn forward_is_up_and_right_is_right() {
        let view = TopView::default();
        let camera = view.at(&Point3::origin());
        let ahead = view.at(&Point3::new(0.0, 5.0, 3.0));
        let right = view.at(&Point3::new(1.0, 0.0, 3.0));
        assert!((ahead.x - camera.x).abs() < 1e-9 && ahead.y < camera.y && right.x > ahead.x);
    }

    #[test]
    fn a_person_is_drawn_where_the_pelvis_is_and_nonsense_is_not_drawn() {
        let view = TopView::default();
        let mut person = PersonEstimate {
            track_id: TrackId(2),
            joints: [JointEstimate {
                position_in_camera: Point3::new(1.0, 0.0, 5.0),
                covariance: Matrix3::identity() * 0.01,
                confidence: 0.9,
                state: JointState::Measured,
                keypoint: None,
            }; crate::skeleton::JOINT_COUNT],
            score: 1.0,
            plausibility: None,
            reprojection_error_px: None,
            bbox_in_image_px: BoundingBox { x_min: 0.0, y_min: 0.0, x_max: 1.0, y_max: 1.0 },
        };
        let at = view.at(&person.joints[0].position_in_camera);
        let pixel = |image: &RgbImage| image.get_pixel(at.x.round() as u32, at.y.round() as u32).0;
        assert_eq!(pixel(&view.draw(std::slice::from_ref(&person))), colour_of(2));
        for joint in &mut person.joints {
            joint.position_in_camera.z = f64::NAN;
        }
        assert_eq!(view.draw(&[person]), view.draw(&[]));
    }
}
