//! How the camera stands: the direction of gravity in its optical frame, from a frame that stands upright or from the angles of
//! a camera that does not move, and its height over the floor.

use nalgebra::{Isometry3, UnitVector3, Vector3};

use crate::adapters::tf::TfError;
use crate::config::{Floor, Gravity, InputConfig};
use crate::data::{Upright, tilt_and_roll};
use crate::warning::{Warning, WarningKind};

/// Nobody looks for people higher above the horizon: a frame by which a camera does has its axes otherwise (REP 103 has z up in a
/// camera's body and forward in its optical frame), deg.
const HIGHEST_DEG: f64 = 60.0;

/// How the camera stands as `input` has it told, and why it is not known where it should be. `camera_from` finds the transform
/// into the camera from a frame of TF.
pub fn in_camera(
    input: &InputConfig,
    camera_from: impl FnOnce(&str) -> Result<Isometry3<f64>, TfError>,
) -> (Option<Upright>, Option<Warning>) {
    let untold = |message: String| Some(Warning::new(WarningKind::GravityUnknown, message));
    let stands = |down, camera_from_upright: Option<&Isometry3<f64>>| {
        let (camera_height, problem) = match height(input, camera_from_upright) {
            Ok(camera_height) => (camera_height, None),
            Err(reason) => (None, untold(reason)),
        };
        (Some(Upright { down, camera_height }), problem)
    };
    match input.gravity {
        Gravity::Unknown if input.floor != Floor::Unknown => {
            (None, untold("input.floor is not used, for input.gravity is unknown: set it to tf or fixed".to_owned()))
        }
        Gravity::Unknown if input.tilt_deg != 0.0 || input.roll_deg != 0.0 => {
            let message =
                "input.tilt_deg and input.roll_deg are not used, for input.gravity is unknown: set it to fixed";
            (None, untold(message.to_owned()))
        }
        Gravity::Unknown if input.camera_height > 0.0 => {
            let message = "input.camera_height is not used, for input.floor is unknown: set it to camera, and input.gravity to tf or \
                           fixed";
            (None, untold(message.to_owned()))
        }
        Gravity::Unknown => (None, None),
        Gravity::Fixed => stands(of_fixed_camera(input.tilt_deg, input.roll_deg), None),
        Gravity::Tf => match camera_from(&input.gravity_frame) {
            Ok(camera_from_upright) => {
                let down = of_upright_frame(&camera_from_upright);
                let looks_up_deg = -tilt_and_roll(&down).0.to_degrees();
                if looks_up_deg > HIGHEST_DEG {
                    return (None, untold(no_optical_frame(&input.gravity_frame, looks_up_deg)));
                }
                stands(down, Some(&camera_from_upright))
            }
            Err(reason) => (None, untold(format!("lifted without knowing where down is: {reason}"))),
        },
    }
}

fn no_optical_frame(upright: &str, looks_up_deg: f64) -> String {
    format!(
        "by {upright} of TF the camera looks {looks_up_deg:.0}° up: is the frame_id of its images an optical frame (x right, y down, \
         z forward), and does z of {upright} point up? Lifted without knowing where down is"
    )
}

/// How high the camera is over the floor, m, as `input.floor` has it told; `None` where nobody is asked.
///
/// # Errors
/// When who is asked does not say.
fn height(input: &InputConfig, camera_from_upright: Option<&Isometry3<f64>>) -> Result<Option<f64>, String> {
    match (input.floor, camera_from_upright) {
        (Floor::Unknown, _) if input.camera_height > 0.0 => {
            Err("input.camera_height is not used, for input.floor is unknown: set it to camera".to_owned())
        }
        (Floor::Unknown, _) => Ok(None),
        (Floor::Camera, _) if input.camera_height > 0.0 => Ok(Some(input.camera_height)),
        (Floor::Camera, _) => {
            Err("input.floor is camera, but input.camera_height is 0: say how high it is over the floor".to_owned())
        }
        (Floor::Frame, None) => {
            Err("input.floor is frame, but input.gravity fixed has none: set it to camera, or to tf".to_owned())
        }
        (Floor::Frame, Some(camera_from_upright)) => {
            let height = camera_from_upright.inverse().translation.vector.z;
            if height > 0.0 {
                return Ok(Some(height));
            }
            Err(format!(
                "the camera is {:.2} m below z = 0 of {}, which therefore is no floor: set input.gravity_frame to a frame on \
                 the floor, or input.floor to unknown",
                -height, input.gravity_frame
            ))
        }
    }
}

/// Gravity in a camera, which `camera_from_upright` takes from a frame whose z axis points up (REP 103).
pub fn of_upright_frame(camera_from_upright: &Isometry3<f64>) -> UnitVector3<f64> {
    camera_from_upright.rotation * -Vector3::z_axis()
}

/// Gravity in a camera that looks `tilt_deg` down and is turned `roll_deg` clockwise.
pub fn of_fixed_camera(tilt_deg: f64, roll_deg: f64) -> UnitVector3<f64> {
    let (tilt, roll) = (tilt_deg.to_radians(), roll_deg.to_radians());
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
    fn a_frame_that_is_no_optical_one_is_not_believed() {
        let input = InputConfig { gravity: Gravity::Tf, ..InputConfig::default() };
        let told = |camera_from_upright| in_camera(&input, |_| Ok(camera_from_upright));
        let looking_up = |tilt_deg: f64| told(camera_from_upright(-tilt_deg.to_radians(), 0.0));
        assert!(matches!(looking_up(50.0), (Some(_), None)));
        // The body of a camera that looks a little down: x forward, z up.
        let body = Isometry3::rotation(Vector3::new(0.0, 0.2, 0.0)).inverse();
        for (upright, untold) in [looking_up(70.0), told(body)] {
            let said = untold.map_or(String::new(), |warning| warning.message);
            assert!(
                upright.is_none() && said.contains("° up: is the frame_id of its images an optical frame"),
                "{said}"
            );
        }
    }

    #[test]
    fn the_height_is_that_over_the_frame_or_the_number_or_somebody_says_why_not() {
        let told = |gravity, floor, camera_height, lowered: f64| {
            let input = InputConfig { gravity, floor, camera_height, ..InputConfig::default() };
            let camera = camera_from_upright(0.3, 0.1) * Translation3::new(0.0, 0.0, lowered);
            let (upright, warning) = in_camera(&input, |_| Ok(camera));
            let height = upright.and_then(|upright| upright.camera_height);
            (
                height.map(|height| (1e6 * height).round() / 1e6),
                warning.map_or(String::new(), |warning| warning.message),
            )
        };
        let silent = |height| (Some(height), String::new());
        assert_eq!(told(Gravity::Tf, Floor::Frame, 0.0, 0.0), silent(1.2));
        assert_eq!(told(Gravity::Tf, Floor::Camera, 0.7, 0.0), silent(0.7));
        assert_eq!(told(Gravity::Fixed, Floor::Camera, 0.7, 0.0), silent(0.7));
        assert_eq!(told(Gravity::Tf, Floor::Unknown, 0.0, 0.0), (None, String::new()));
        for (gravity, floor, height, lowered, reason) in [
            (Gravity::Tf, Floor::Frame, 0.0, 2.0, "0.80 m below z = 0 of base_link"),
            (Gravity::Fixed, Floor::Frame, 1.0, 0.0, "input.gravity fixed has none"),
            (Gravity::Fixed, Floor::Camera, 0.0, 0.0, "input.camera_height is 0"),
            (Gravity::Tf, Floor::Camera, 0.0, 0.0, "input.camera_height is 0"),
            (Gravity::Unknown, Floor::Camera, 1.0, 0.0, "input.gravity is unknown"),
            (Gravity::Fixed, Floor::Unknown, 1.0, 0.0, "input.floor is unknown: set it to camera"),
            (Gravity::Unknown, Floor::Unknown, 1.0, 0.0, "input.floor is unknown: set it to camera, and input.gravity"),
        ] {
            let (found, said) = told(gravity, floor, height, lowered);
            assert!(found.is_none() && said.contains(reason), "{gravity:?} {floor:?}: {said}");
        }
    }

    #[test]
    fn a_frame_and_two_angles_say_the_same() {
        for (tilt_deg, roll_deg) in [(0.0, 0.0), (25.0, 3.0), (-40.0, -100.0), (90.0, 0.0), (60.0, 180.0)] {
            let (tilt, roll) = (f64::to_radians(tilt_deg), f64::to_radians(roll_deg));
            let by_frame = of_upright_frame(&camera_from_upright(tilt, roll));
            let by_angles = of_fixed_camera(tilt_deg, roll_deg);
            assert!((by_frame.into_inner() - by_angles.into_inner()).norm() < 1e-9, "{by_frame:?} {by_angles:?}");
            let told = tilt_and_roll(&by_frame);
            // Of a camera that looks straight down no turn can be told.
            let roll = if tilt_deg == 90.0 { told.1 } else { roll };
            assert!((told.0 - tilt).abs() < 1e-6 && (told.1 - roll).abs() < 1e-6, "{told:?}");
        }
        // Level: y is down. Looking down: things fall away from it. Turned clockwise: they fall to its right.
        let of = of_fixed_camera;
        assert!(of(0.0, 0.0).y > 0.999 && of(30.0, 0.0).z > 0.49 && of(0.0, 30.0).x > 0.49);
    }
}
