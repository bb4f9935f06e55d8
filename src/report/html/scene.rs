//! What the 3D view shows: estimate and truth, image by image, as JSON for `viewer.js`. Positions are whole millimetres.

use serde::Serialize;

use crate::data::Stamp;
use crate::metrics::{JointPositions, ResultSequence, TruthPerson};
use crate::skeleton::BONES;

/// Images at most; of longer recordings every n-th is shown.
pub const MOST_IMAGES: usize = 900;

/// The view's data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scene {
    bones: Vec<[usize; 2]>,
    images: Vec<SceneImage>,
    /// Every so many images of the recording one is here.
    #[serde(skip)]
    pub step: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct SceneImage {
    index: usize,
    seconds: f64,
    people: Vec<ScenePerson>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ScenePerson {
    kind: &'static str,
    name: String,
    joints: Vec<Option<[i64; 3]>>,
}

impl ScenePerson {
    fn new(kind: &'static str, name: String, positions: &JointPositions) -> Self {
        let joint = |joint: &Option<nalgebra::Point3<f64>>| {
            joint.map(|at| [at.x, at.y, at.z].map(|value| (value * 1000.0).round() as i64))
        };
        Self { kind, name, joints: positions.iter().map(joint).collect() }
    }
}

impl Scene {
    /// From a run and the truth of its images, `(place of the image, people)` in order.
    pub fn new(result: &ResultSequence, truth: &[(usize, &[TruthPerson])]) -> Self {
        let step = result.images.len().div_ceil(MOST_IMAGES).max(1);
        let start = result.images.first().map_or(Stamp::default(), |image| image.stamp);
        let images = result.images.iter().enumerate().step_by(step).map(|(index, image)| {
            let estimated = image
                .people
                .iter()
                .map(|person| ScenePerson::new("estimate", person.track_id.0.to_string(), &person.positions()));
            let people = truth.binary_search_by_key(&index, |&(index, _)| index).map_or(&[][..], |at| truth[at].1);
            let known = people.iter().map(|person| ScenePerson::new("truth", person.person.clone(), &person.joints));
            SceneImage {
                index,
                seconds: (image.stamp.seconds_since(start) * 1000.0).round() / 1000.0,
                people: estimated.chain(known).collect(),
            }
        });
        let bones = BONES.map(|(parent, child)| [parent.index(), child.index()]).to_vec();
        Self { bones, images: images.collect(), step }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::data::{JointState, TrackId};
    use crate::metrics::{ResultImage, ResultJoint, ResultPerson};
    use crate::skeleton::JOINT_COUNT;
    use nalgebra::Point3;

    #[test]
    fn both_sides_are_there_in_millimetres() {
        let mut joints = [None; JOINT_COUNT];
        joints[3] = Some(ResultJoint {
            position_in_camera: Point3::new(-0.1234, 0.0, 3.0),
            covariance: None,
            confidence: None,
            state: JointState::Measured,
            keypoint_in_image_px: None,
        });
        let image = |at: i64| ResultImage {
            stamp: Stamp::from_nanoseconds(40_000_000 * at),
            people: vec![ResultPerson { track_id: TrackId(7), joints }],
        };
        let result = ResultSequence { images: (0..2000).map(image).collect(), ..ResultSequence::default() };
        let person = TruthPerson {
            person: "</script>".to_owned(),
            action: None,
            joints: [Some(Point3::new(0.0, 0.0, 2.0)); JOINT_COUNT],
        };
        let people = [person];
        let scene = Scene::new(&result, &[(3, &people)]);
        assert_eq!((scene.step, scene.images.len()), (3, 667));
        let json = serde_json::to_value(&scene).unwrap();
        let image = &json["images"][1];
        assert_eq!((image["index"].as_u64(), image["seconds"].as_f64()), (Some(3), Some(0.12)));
        assert_eq!(image["people"][0]["joints"][3], serde_json::json!([-123, 0, 3000]));
        assert!(image["people"][0]["joints"][4].is_null());
        assert_eq!(image["people"][1]["kind"], "truth");
        assert_eq!(json["images"][0]["people"].as_array().unwrap().len(), 1);
    }
}
