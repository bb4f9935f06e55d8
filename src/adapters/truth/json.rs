//! Truth as JSON: an array of joints and what it means, in one file.
//!
//! ```json
//! {"layout": "h36m_17", "unit": "mm", "joints": [[[x, y, z], …17], …images],
//!  "stamps_ns": […], "persons": ["anna"], "action": "walking", "camera": {"extrinsics": {…}, "intrinsics": {…}}}
//! ```
//!
//! `joints` is `[images][17][3]` or `[images][people][17][3]`; `null` stands for a coordinate's NaN, or for a joint, a person
//! or an image without truth, and the people of an image may be fewer than in others: those that are missing are its last.
//! `layout`, `unit` and `joints` are needed; `action` is one for all images or a list with one (or `null`) for each. For the
//! layouts see [`DatasetLayout`], for the camera [`super::camera`]. Keys that are not known are refused.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::array::{Action, Meaning, PoseArray, TruthArray, TruthArrayError, Unit, truth_of_array};
use super::camera::CameraFile;
use crate::skeleton::{DatasetLayout, JOINT_COUNT, JointArray};

/// A joint without truth.
const NOWHERE: [f64; 3] = [f64::NAN; 3];

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    layout: String,
    unit: String,
    joints: Value,
    stamps_ns: Option<Vec<i64>>,
    persons: Option<Vec<String>>,
    action: Option<Action>,
    camera: Option<CameraFile>,
}

/// Reads the file at `path`; its camera may lie in a file of its own, `camera`.
///
/// # Errors
/// [`TruthArrayError`] says what cannot be meant.
pub fn read_truth_json(path: &Path, camera: Option<&CameraFile>) -> Result<TruthArray, TruthArrayError> {
    let text = std::fs::read_to_string(path).map_err(|error| TruthArrayError::Unreadable(error.to_string()))?;
    parse_truth_json(&text, camera)
}

/// Reads the text of a file.
///
/// # Errors
/// [`TruthArrayError`] says what cannot be meant.
pub fn parse_truth_json(text: &str, camera: Option<&CameraFile>) -> Result<TruthArray, TruthArrayError> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        let hint = if text.contains("NaN") { " (JSON has no NaN: write null)" } else { "" };
        TruthArrayError::Unreadable(format!("{error}{hint}"))
    })?;
    let layout = DatasetLayout::from_name(&file.layout).ok_or_else(|| {
        let known = DatasetLayout::ALL.map(DatasetLayout::name).join(" and ");
        TruthArrayError::Meaning(format!("layout \"{}\" is not known; known are {known}", file.layout))
    })?;
    let unit = Unit::from_name(&file.unit)
        .ok_or_else(|| TruthArrayError::Meaning(format!("unit \"{}\" is neither m nor mm", file.unit)))?;
    let camera = match (&file.camera, camera) {
        (Some(_), Some(_)) => {
            return Err(TruthArrayError::Meaning("has a camera of its own, and another is given beside it".to_owned()));
        }
        (Some(camera), None) | (None, Some(camera)) => camera.checked(unit)?,
        (None, None) => CameraFile::default().checked(unit)?,
    };
    let array = pose_array(&file.joints)?;
    let File { stamps_ns, persons, action, .. } = file;
    truth_of_array(&array, Meaning { layout, unit, camera, stamps_ns, persons, action })
}

fn pose_array(joints: &Value) -> Result<PoseArray, TruthArrayError> {
    let has_people = match depth_of_number(joints) {
        None => return Err(TruthArrayError::Empty),
        Some(3) => false,
        Some(4) => true,
        Some(depth) => {
            return Err(TruthArrayError::Shape { found: format!("of {depth} dimensions") });
        }
    };
    let images = list(joints, "joints")?;
    let mut of_images: Vec<Vec<JointArray<[f64; 3]>>> = Vec::with_capacity(images.len());
    for (image, value) in images.iter().enumerate() {
        let place = format!("joints[{image}]");
        of_images.push(match value {
            Value::Null => Vec::new(),
            people if has_people => list(people, &place)?
                .iter()
                .enumerate()
                .map(|(person, value)| pose(value, &format!("{place}[{person}]")))
                .collect::<Result<_, _>>()?,
            one => vec![pose(one, &place)?],
        });
    }
    let people = of_images.iter().map(Vec::len).max().unwrap_or(0);
    let nobody = [NOWHERE; JOINT_COUNT];
    let poses = of_images.iter().flat_map(|poses| poses.iter().copied().chain(std::iter::repeat(nobody)).take(people));
    Ok(PoseArray { people, poses: poses.collect() })
}

/// How deep the first number lies.
fn depth_of_number(value: &Value) -> Option<usize> {
    match value {
        Value::Number(_) => Some(0),
        Value::Array(values) => values.iter().find_map(depth_of_number).map(|depth| depth + 1),
        _ => None,
    }
}

fn pose(value: &Value, place: &str) -> Result<JointArray<[f64; 3]>, TruthArrayError> {
    let mut pose = [NOWHERE; JOINT_COUNT];
    if value.is_null() {
        return Ok(pose);
    }
    let joints = list(value, place)?;
    if joints.len() != JOINT_COUNT {
        return Err(wrong(place, &format!("has {} joints, not {JOINT_COUNT}", joints.len())));
    }
    for (joint, value) in joints.iter().enumerate().filter(|(_, value)| !value.is_null()) {
        let place = || format!("{place}[{joint}]");
        let [x, y, z] = list(value, &place())?.as_slice() else {
            return Err(wrong(&place(), "is not x, y, z"));
        };
        for (coordinate, value) in pose[joint].iter_mut().zip([x, y, z]) {
            *coordinate = match value {
                Value::Null => f64::NAN,
                value => value.as_f64().ok_or_else(|| wrong(&place(), &format!("has {value} among x, y, z")))?,
            };
        }
    }
    Ok(pose)
}

fn list<'a>(value: &'a Value, place: &str) -> Result<&'a Vec<Value>, TruthArrayError> {
    value.as_array().ok_or_else(|| wrong(place, "is no list"))
}

fn wrong(place: &str, problem: &str) -> TruthArrayError {
    TruthArrayError::Meaning(format!("{place} {problem}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::metrics::ImageReference;
    use crate::skeleton::Joint;

    /// Thighs 0.4 m and a trunk 0.8 m long, 4 m away.
    fn joints() -> Value {
        json!(
            (0..17).map(|joint| json!([0.02 * f64::from(joint), 0.4 * f64::from(joint % 3), 4.0])).collect::<Vec<_>>()
        )
    }

    fn file(joints: &Value) -> Value {
        json!({"layout": "h36m_17", "unit": "m", "joints": joints})
    }

    fn refusal(file: &Value) -> String {
        parse_truth_json(&file.to_string(), None).unwrap_err().to_string()
    }

    #[test]
    fn both_shapes_are_read_and_null_is_no_truth() {
        let mut gap = joints();
        gap[9] = Value::Null;
        gap[10] = json!([null, null, null]);
        let mut one = file(&json!([joints(), null, gap]));
        one["action"] = json!("sit");
        let read = parse_truth_json(&one.to_string(), None).unwrap();
        let images = &read.truth.images;
        assert_eq!(images.keys().copied().collect::<Vec<_>>(), [0, 2].map(ImageReference::Index));
        assert_eq!(images[&ImageReference::Index(2)][0].joints.iter().flatten().count(), 15);
        assert_eq!(images[&ImageReference::Index(0)][0].action.as_deref(), Some("sit"));
        let mut two = file(&json!([[joints(), joints()], [joints()], [null, joints()]]));
        two["persons"] = json!(["a", "b"]);
        let read = parse_truth_json(&two.to_string(), None).unwrap();
        let people: Vec<usize> = read.truth.images.values().map(Vec::len).collect();
        assert_eq!((people, read.truth.images[&ImageReference::Index(2)][0].person.as_str()), (vec![2, 1, 1], "b"));
    }

    #[test]
    fn the_other_layout_is_put_in_order() {
        let mut file = file(&json!([joints()]));
        file["layout"] = json!("mpi_inf_3dhp_17");
        // The order that was made for Human3.6M is no person here.
        assert!(refusal(&file).contains("the thigh is"));
        let ordered = DatasetLayout::MpiInf3dhp17.joints().map(|joint| joints()[joint.index()].clone());
        file["joints"] = json!([ordered]);
        let read = parse_truth_json(&file.to_string(), None).unwrap();
        let person = &read.truth.images[&ImageReference::Index(0)][0];
        for joint in Joint::ALL {
            let x = person.joints[joint.index()].unwrap().x;
            assert!((x - 0.02 * joint.index() as f64).abs() < 1e-12, "{}: {x}", joint.name());
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        let good = file(&json!([joints()]));
        let with = |key: &str, value: Value| {
            let mut changed = good.clone();
            changed[key] = value;
            refusal(&changed)
        };
        assert!(with("layout", json!("coco")).contains("\"coco\" is not known; known are h36m_17 and mpi_inf_3dhp_17"));
        assert!(with("unit", json!("cm")).contains("\"cm\" is neither m nor mm"));
        assert!(with("stamp_ns", json!([1])).contains("unknown field `stamp_ns`"));
        assert!(with("joints", json!([])).contains("not one joint"));
        assert!(with("joints", json!([[1, 2, 3]])).contains("of 2 dimensions"));
        assert!(with("joints", json!([joints(), [[1, 2, 3]]])).contains("joints[1] has 1 joints, not 17"));
        assert!(with("joints", json!([joints(), "x"])).contains("joints[1] is no list"));
        let mut short = joints();
        short[3] = json!([1, 2]);
        assert!(with("joints", json!([short])).contains("joints[0][3] is not x, y, z"));
        short[3] = json!([1, 2, "3"]);
        assert!(with("joints", json!([short])).contains("joints[0][3] has \"3\" among x, y, z"));
        assert!(refusal(&json!({"layout": "h36m_17", "unit": "m"})).contains("missing field `joints`"));
        let text = good.to_string().replace("4.0", "NaN");
        assert!(parse_truth_json(&text, None).unwrap_err().to_string().contains("write null"));
        let mut own = good.clone();
        own["camera"] = json!({});
        let twice = parse_truth_json(&own.to_string(), Some(&CameraFile::default())).unwrap_err();
        assert!(twice.to_string().contains("another is given beside it"), "{twice}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(\\{|\\[|\\]|\"joints\":|null|[0-9]|,){0,80}") {
            let _ = parse_truth_json(&text, None);
            let whole = format!("{{\"layout\": \"h36m_17\", \"unit\": \"m\", \"joints\": [{text}]}}");
            let _ = parse_truth_json(&whole, None);
        }
    }
}
