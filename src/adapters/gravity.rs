//! The direction of gravity in the camera optical frame: from a frame that stands upright, or from the angles of a camera
//! that does not move.

use nalgebra::{Isometry3, UnitVector3, Vector3};

use crate::adapters::tf::TfError;
use crate::config::{Gravity, InputConfig};
use crate::warning::{Warning, WarningKind};

/// The direction of gravity as `input` has it told, and why it is not known where it should be. `camera_from` finds the
/// transform into the camera from a frame of TF.
pub fn in_camera(
    input: &InputConfig,
    camera_from: impl FnOnce(&str) -> Result<Isometry3<f64>, TfError>,
) -> (Option<UnitVector3<f64>>, Option<Warning>) {
    match input.gravity {
        Gravity::Unknown if input.tilt_deg != 0.0 || input.roll_deg != 0.0 => {
            let message =
                "input.tilt_deg and input.roll_deg are not used, for input.gravity is unknown: set it to fixed";
            (None, Some(Warning::new(WarningKind::GravityUnknown, message)))
        }
        Gravity::Unknown => (None, None),
        Gravity::Fixed => (Some(of_fixed_camera(input)), None),
        Gravity::Tf => match camera_from(&input.gravity_frame) {
            Ok(camera_from_upright) => (Some(of_upright_frame(&camera_from_upright)), None),
            Err(reason) => {
                let message = format!("lifted without knowing where down is: {reason}");
                (None, Some(Warning::new(WarningKind::GravityUnknown, message)))
            }
        },
    }
}

/// Gravity in a camera, which `camera_from_upright` takes from a frame whose z axis points up (REP 103).
pub fn of_upright_frame(camera_from_upright: &Isometry3<f64>) -> UnitVector3<f64> {
    camera_from_upright.rotation * -Vector3::z_axis()
}

/// How far a camera looks down and how far it is turned clockwise, rad, by the direction of `gravity` in it: what
/// `input.tilt_deg` and `input.roll_deg` are of a camera that does not move.
pub fn tilt_and_roll(gravity: &UnitVector3<f64>) -> (f64, f64) {
    (gravity.z.clamp(-1.0, 1.0).asin(), gravity.x.atan2(gravity.y))
}

/// Gravity in a camera that looks `input.tilt_deg` down and is turned `input.roll_deg` clockwise.
fn of_fixed_camera(input: &InputConfig) -> UnitVector3<f64> {
    let (tilt, roll) = (input.tilt_deg.to_radians(), input.roll_deg.to_radians());
    UnitVector3::new_unchecked(Vector3::new(tilt.cos() * roll.sin(), tilt.cos() * roll.cos(), tilt.sin()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{Quaternion, Translation3, UnitQuaternion};

    /// A camera on a mast that looks along x of the upright frame, then nods down, then is turned clockwise.
    fn camera_from_upright(tilt: f64, roll: f64) -> Isometry3<f64> {
        let optical = UnitQuaternion::from_quaternion(Quaternion::new(0.5, -0.5, 0.5, -0.5));
        let nod = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), tilt);
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), roll);
        Isometry3::from_parts(Translation3::new(0.1, 0.0, 1.2), nod * optical * turn).inverse()
    }

    #[test]
    fn angles_that_nobody_uses_are_not_ignored_without_a_word() {
        let told = |gravity, tilt_deg| {
            let input = InputConfig { gravity, tilt_deg, ..InputConfig::default() };
            let (down, warning) = in_camera(&input, |_| Err(TfError::Loop(String::new())));
            (down.is_some(), warning.map(|warning| warning.message))
        };
        assert_eq!(told(Gravity::Unknown, 0.0), (false, None));
        assert_eq!(told(Gravity::Fixed, 25.0), (true, None));
        let (is_known, warning) = told(Gravity::Unknown, 25.0);
        assert!(!is_known && warning.unwrap_or_default().contains("input.gravity is unknown: set it to fixed"));
    }

    #[test]
    fn a_frame_and_two_angles_say_the_same() {
        for (tilt_deg, roll_deg) in [(0.0, 0.0), (25.0, 3.0), (-40.0, -100.0), (90.0, 0.0), (60.0, 180.0)] {
            let input = InputConfig { tilt_deg, roll_deg, ..InputConfig::default() };
            let (tilt, roll) = (f64::to_radians(tilt_deg), f64::to_radians(roll_deg));
            let by_frame = of_upright_frame(&camera_from_upright(tilt, roll));
            let by_angles = of_fixed_camera(&input);
            assert!((by_frame.into_inner() - by_angles.into_inner()).norm() < 1e-9, "{by_frame:?} {by_angles:?}");
            let told = tilt_and_roll(&by_frame);
            // Of a camera that looks straight down no turn can be told.
            let roll = if tilt_deg == 90.0 { told.1 } else { roll };
            assert!((told.0 - tilt).abs() < 1e-6 && (told.1 - roll).abs() < 1e-6, "{told:?}");
        }
        // Level: y is down. Looking down: things fall away from it. Turned clockwise: they fall to its right.
        let of = |tilt_deg, roll_deg| of_fixed_camera(&InputConfig { tilt_deg, roll_deg, ..InputConfig::default() });
        assert!(of(0.0, 0.0).y > 0.999 && of(30.0, 0.0).z > 0.49 && of(0.0, 30.0).x > 0.49);
    }
}
