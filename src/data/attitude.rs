//! How the camera is turned.

use nalgebra::{Rotation3, UnitVector3, Vector3};

/// How the camera is turned about its line of sight, and where down is, as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Attitude {
    /// Direction of gravity in the camera optical frame, where known.
    pub gravity: Option<UnitVector3<f64>>,
    /// Clockwise turn of the camera about its line of sight, seen from behind, in [−π, π] rad: things in its image are turned
    /// to the left by as much.
    pub roll: f64,
}

/// A camera that looks up or down by more than this has no right and left side, rad.
const STEEPEST: f64 = 1.3;
/// Turned by less than the first, a camera counts as level for the lifter, whose training has such cameras; turned by more than
/// the second it is made level, rad.
const LEVELED: [f64; 2] = [0.2, 0.4];

impl Attitude {
    /// Of a camera in which gravity points like this; where nobody knows that, or it looks along it, it is turned by `roll`.
    pub fn new(gravity: Option<UnitVector3<f64>>, roll: f64) -> Self {
        let told = gravity.as_ref().map(tilt_and_roll).filter(|(tilt, _)| tilt.abs() <= STEEPEST);
        Self { gravity, roll: told.map_or(roll, |(_, roll)| roll) }
    }

    /// From the camera to one at the same place that is level enough for the lifter.
    pub fn level_from_camera(&self) -> Rotation3<f64> {
        let [level, turned] = LEVELED;
        let share = ((self.roll.abs() - level) / (turned - level)).clamp(0.0, 1.0);
        Rotation3::from_axis_angle(&Vector3::z_axis(), share * self.roll)
    }
}

/// How far a camera looks down and how far it is turned clockwise, rad, by the direction of `gravity` in it: what
/// `input.tilt_deg` and `input.roll_deg` are of a camera that does not move.
pub fn tilt_and_roll(gravity: &UnitVector3<f64>) -> (f64, f64) {
    (gravity.z.clamp(-1.0, 1.0).asin(), gravity.x.atan2(gravity.y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{FRAC_PI_2, PI};

    fn gravity(x: f64, y: f64, z: f64) -> UnitVector3<f64> {
        UnitVector3::new_normalize(Vector3::new(x, y, z))
    }

    #[test]
    fn what_falls_in_the_image_falls_down_in_the_level_camera() {
        for roll in [-PI, -2.5, -FRAC_PI_2, -0.5, 0.4, 1.0, FRAC_PI_2, 3.0] {
            let attitude = Attitude::new(Some(gravity(roll.sin(), roll.cos(), 0.6)), 0.0);
            assert!((attitude.roll.cos() - roll.cos()).abs() < 1e-12, "{roll}: {}", attitude.roll);
            let down = attitude.level_from_camera() * attitude.gravity.unwrap_or(Vector3::x_axis()).into_inner();
            assert!(down.x.abs() < 1e-12 && down.y > 0.0, "{roll}: {down}");
        }
    }

    #[test]
    fn a_camera_that_is_a_little_aslant_stays_as_it_is_and_nothing_jumps() {
        for roll in [-0.2, 0.0, 0.15] {
            assert_eq!(Attitude::new(None, roll).level_from_camera(), Rotation3::identity());
        }
        let mut before = Rotation3::identity();
        for step in 0..600 {
            let level = Attitude::new(None, 0.001 * f64::from(step)).level_from_camera();
            assert!(level.angle_to(&before) < 0.004, "at {step}");
            before = level;
        }
    }

    #[test]
    fn a_camera_that_looks_along_gravity_keeps_its_turn() {
        assert!((Attitude::new(Some(gravity(0.1, 0.1, 1.0)), 2.0).roll - 2.0).abs() < 1e-12);
        assert!((Attitude::new(Some(gravity(1.0, 0.0, 1.0)), 2.0).roll - FRAC_PI_2).abs() < 1e-12);
    }
}
