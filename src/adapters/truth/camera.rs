//! The camera that belongs to a truth: where it stands in the world, and its intrinsics.
//!
//! ```json
//! {"extrinsics": {"R": [[…], […], […]], "t": [x, y, z]}, "intrinsics": {"fx": 1145.0, "fy": 1143.8, "cx": 512.5, "cy": 515.5}}
//! ```
//!
//! Extrinsics are `camera_from_world`, x_camera = R x_world + t, as in OpenCV; instead of `R` and `t` they may be one 4×4
//! matrix `camera_from_world`. `t` is in the unit of the joints unless `unit` (`"m"`, `"mm"`) says otherwise. Human3.6M's own
//! files have T = −Rᵀ t, and VideoPose3D's the inverse motion: convert them. Intrinsics may be one 3×3 matrix `K`, px.

use nalgebra::{Isometry3, Matrix3, Point3, Rotation3, Translation3, UnitQuaternion, Vector3};
use serde::Deserialize;

use super::array::{TruthArrayError, Unit};
use crate::geometry::camera::Intrinsics;

/// R Rᵀ may differ so much from the identity: the fourth decimal of a printed matrix.
const LARGEST_SKEW: f64 = 1e-3;
/// Focal lengths may differ by this share, the principal point by this share of the focal length.
const SAME_SHARE: f64 = 0.01;

/// The camera as it is written.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct CameraFile {
    extrinsics: Option<ExtrinsicsFile>,
    intrinsics: Option<IntrinsicsFile>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct ExtrinsicsFile {
    #[serde(rename = "R")]
    rotation: Option<[[f64; 3]; 3]>,
    t: Option<[f64; 3]>,
    camera_from_world: Option<[[f64; 4]; 4]>,
    unit: Option<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct IntrinsicsFile {
    #[serde(rename = "K")]
    matrix: Option<[[f64; 3]; 3]>,
    fx: Option<f64>,
    fy: Option<f64>,
    cx: Option<f64>,
    cy: Option<f64>,
}

/// A checked camera.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TruthCamera {
    /// Moves points of the world, m, into the camera's optical frame; without it they are there already.
    pub camera_from_world: Option<Isometry3<f64>>,
    /// Intrinsics, px.
    pub intrinsics: Option<Intrinsics>,
}

impl TruthCamera {
    /// `point`, m, in the camera's optical frame.
    pub fn to_camera(&self, point: Point3<f64>) -> Point3<f64> {
        self.camera_from_world.map_or(point, |camera_from_world| camera_from_world * point)
    }
}

impl CameraFile {
    /// Reads a file that holds a camera alone.
    ///
    /// # Errors
    /// [`TruthArrayError`] when it cannot be read or is no camera.
    pub fn read(path: &std::path::Path) -> Result<Self, TruthArrayError> {
        let refuse = |reason: String| TruthArrayError::Unreadable(format!("camera {}: {reason}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))
    }

    /// The camera, if it is one; lengths are in `unit` unless it says otherwise.
    ///
    /// # Errors
    /// [`TruthArrayError::Meaning`] says what it is not.
    pub fn checked(&self, unit: Unit) -> Result<TruthCamera, TruthArrayError> {
        let camera_from_world = self.extrinsics.as_ref().map(|file| file.checked(unit)).transpose();
        let intrinsics = self.intrinsics.as_ref().map(IntrinsicsFile::checked).transpose();
        let refuse = |problem: String| TruthArrayError::Meaning(format!("camera: {problem}"));
        Ok(TruthCamera {
            camera_from_world: camera_from_world.map_err(refuse)?,
            intrinsics: intrinsics.map_err(refuse)?,
        })
    }
}

impl ExtrinsicsFile {
    fn checked(&self, unit: Unit) -> Result<Isometry3<f64>, String> {
        let unit = match &self.unit {
            Some(name) => {
                Unit::from_name(name).ok_or_else(|| format!("extrinsics.unit \"{name}\" is neither m nor mm"))?
            }
            None => unit,
        };
        let (rotation, translation) = match (self.rotation, self.t, self.camera_from_world) {
            (Some(rotation), Some(t), None) => {
                (Matrix3::from_fn(|row, column| rotation[row][column]), Vector3::from(t))
            }
            (None, None, Some(matrix)) => {
                if matrix[3] != [0.0, 0.0, 0.0, 1.0] {
                    return Err(format!("the last row of camera_from_world is {:?}, not 0, 0, 0, 1", matrix[3]));
                }
                let translation = Vector3::from_fn(|row, _| matrix[row][3]);
                (Matrix3::from_fn(|row, column| matrix[row][column]), translation)
            }
            _ => return Err("extrinsics are R and t, or camera_from_world (4x4) alone".to_owned()),
        };
        let skew = (rotation * rotation.transpose() - Matrix3::identity()).abs().max();
        let determinant = rotation.determinant();
        if !(skew <= LARGEST_SKEW && determinant > 0.0) {
            return Err(format!(
                "R is no rotation: R Rᵀ is {skew:.4} off the identity, its determinant is {determinant:.4}"
            ));
        }
        if !translation.iter().all(|value| value.is_finite()) {
            return Err("t is not finite".to_owned());
        }
        let rotation = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(rotation));
        Ok(Isometry3::from_parts(Translation3::from(translation * unit.metres()), rotation))
    }
}

impl IntrinsicsFile {
    fn checked(&self) -> Result<Intrinsics, String> {
        let intrinsics = match (self.matrix, [self.fx, self.fy, self.cx, self.cy]) {
            (Some(k), [None, None, None, None]) => Intrinsics { fx: k[0][0], fy: k[1][1], cx: k[0][2], cy: k[1][2] },
            (None, [Some(fx), Some(fy), Some(cx), Some(cy)]) => Intrinsics { fx, fy, cx, cy },
            _ => return Err("intrinsics are fx, fy, cx and cy, or K (3x3) alone".to_owned()),
        };
        let Intrinsics { fx, fy, cx, cy } = intrinsics;
        let is_camera = fx > 0.0 && fy > 0.0 && [fx, fy, cx, cy].iter().all(|value| value.is_finite());
        if is_camera { Ok(intrinsics) } else { Err(format!("intrinsics {} are no camera's", in_words(&intrinsics))) }
    }
}

/// What differs between a truth's intrinsics and those of the recording; `None` where they agree within 1 %.
pub fn difference(truth: &Intrinsics, recording: &Intrinsics) -> Option<String> {
    let parts = [
        (truth.fx - recording.fx, recording.fx),
        (truth.fy - recording.fy, recording.fy),
        (truth.cx - recording.cx, recording.fx),
        (truth.cy - recording.cy, recording.fy),
    ];
    if parts.iter().all(|(difference, focal_length)| difference.abs() <= SAME_SHARE * focal_length) {
        return None;
    }
    Some(format!(
        "the truth's camera has {}, the recording's {}: more than 1 % apart, is the truth of this camera?",
        in_words(truth),
        in_words(recording)
    ))
}

fn in_words(Intrinsics { fx, fy, cx, cy }: &Intrinsics) -> String {
    format!("fx {fx:.1}, fy {fy:.1}, cx {cx:.1}, cy {cy:.1} px")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn camera(text: &str) -> Result<TruthCamera, String> {
        let file: CameraFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
        file.checked(Unit::Millimetre).map_err(|error| error.to_string())
    }

    #[test]
    fn both_forms_of_extrinsics_are_the_same_motion() {
        let turn = r#""R": [[0,-1,0],[1,0,0],[0,0,1]]"#;
        let a = camera(&format!(r#"{{"extrinsics": {{{turn}, "t": [100, 200, 3000]}}}}"#)).unwrap();
        let b = camera(
            r#"{"extrinsics": {"camera_from_world": [[0,-1,0,0.1],[1,0,0,0.2],[0,0,1,3],[0,0,0,1]], "unit": "m"}}"#,
        )
        .unwrap();
        for camera in [a, b] {
            let moved = camera.to_camera(Point3::new(1.0, 0.0, 0.0));
            assert!((moved - Point3::new(0.1, 1.2, 3.0)).norm() < 1e-12, "{moved}");
        }
        assert_eq!(camera("{}").unwrap(), TruthCamera::default());
    }

    #[test]
    fn what_is_no_camera_is_refused() {
        let refusal = |text: &str| camera(text).unwrap_err();
        let extrinsics = |text: &str| refusal(&format!(r#"{{"extrinsics": {text}}}"#));
        assert!(extrinsics("{}").contains("R and t, or camera_from_world"));
        assert!(extrinsics(r#"{"R": [[1,0,0],[0,1,0],[0,0,1]]}"#).contains("R and t"));
        assert!(extrinsics(r#"{"R": [[1,0,0],[0,1,0],[0,0,-1]], "t": [0,0,0]}"#).contains("determinant is -1.0000"));
        assert!(extrinsics(r#"{"R": [[2,0,0],[0,1,0],[0,0,1]], "t": [0,0,0]}"#).contains("3.0000 off the identity"));
        assert!(extrinsics(r#"{"R": [[1,0,0],[0,1,0],[0,0,1]], "t": [0,0,0], "unit": "cm"}"#).contains("\"cm\""));
        assert!(
            extrinsics(r#"{"camera_from_world": [[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,1,1]]}"#).contains("the last row")
        );
        assert!(extrinsics(r#"{"r": 1}"#).contains("unknown field"));
        assert!(refusal(r#"{"intrinsics": {"fx": 500}}"#).contains("fx, fy, cx and cy"));
        assert!(refusal(r#"{"intrinsics": {"fx": 0, "fy": 1, "cx": 1, "cy": 1}}"#).contains("are no camera's"));
        assert!(refusal(r#"{"intrinsic": {}}"#).contains("unknown field"));
    }

    #[test]
    fn intrinsics_that_differ_are_named_on_both_sides() {
        let of = |fx: f64, cx: f64| Intrinsics { fx, fy: fx, cx, cy: 500.0 };
        let file = camera(r#"{"intrinsics": {"K": [[1000,0,512],[0,1000,500],[0,0,1]]}}"#).unwrap();
        assert_eq!(file.intrinsics, Some(of(1000.0, 512.0)));
        assert_eq!(difference(&of(1000.0, 512.0), &of(1009.0, 520.0)), None);
        let text = difference(&of(1000.0, 512.0), &of(1020.0, 512.0)).unwrap();
        assert!(text.contains("fx 1000.0") && text.contains("fx 1020.0"), "{text}");
        assert!(difference(&of(1000.0, 512.0), &of(1000.0, 525.0)).is_some());
    }
}
