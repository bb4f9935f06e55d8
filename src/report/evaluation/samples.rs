//! The raw errors of every joint of every matched person in every image, column by column, for scripts and for
//! [`crate::report::comparison`]. Single precision, which is finer than a nanometre at a millimetre; missing is `null`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::metrics::{Evaluation, PersonSample};
use crate::skeleton::{Joint, JointArray};

/// Highest place of an image in a recording that is believed: days of 30 Hz.
const LAST_IMAGE: usize = 10_000_000;

/// A value for each joint, `None` where there is none.
type PerJoint = Vec<Option<f32>>;

/// One entry in each column is one true person in one image; inner arrays are in the order of `joints`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Samples {
    /// Names of the joints.
    pub joints: Vec<String>,
    /// Place of the image in the recording.
    pub image_index: Vec<usize>,
    /// Its stamp, ns.
    pub stamp_ns: Vec<i64>,
    /// Who it is in truth.
    pub person: Vec<String>,
    /// What they do, where the truth says; files of before this was told have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub action: Vec<Option<String>>,
    /// Who it is in the result.
    pub track_id: Vec<u32>,
    /// Distance of the true root from the camera, m.
    pub true_distance_m: Vec<Option<f32>>,
    /// Predicted minus true root, camera frame, mm.
    pub root_mm: Vec<Option<[f32; 3]>>,
    /// Distance with the roots on each other.
    pub mpjpe_mm: Vec<PerJoint>,
    /// After the best similarity.
    pub pa_mpjpe_mm: Vec<PerJoint>,
    /// After the best scale.
    pub n_mpjpe_mm: Vec<PerJoint>,
    /// Distance in the camera frame.
    pub position_error_mm: Vec<PerJoint>,
    /// Error of the root-relative velocity.
    pub velocity_error_mm_per_s: Vec<PerJoint>,
    /// Error of the root-relative acceleration.
    pub acceleration_error_mm_per_s2: Vec<PerJoint>,
    /// e ᵀ Σ⁻¹ e.
    pub squared_mahalanobis: Vec<PerJoint>,
    /// Stated probability to be within 150 mm.
    pub confidence: Vec<PerJoint>,
    /// 0 absent, 1 predicted, 2 inferred, 3 measured.
    pub state: Vec<Vec<u8>>,
}

/// The file: all numbers of the evaluation, and the samples.
#[derive(Serialize)]
struct File<'a> {
    #[serde(flatten)]
    numbers: &'a Map<String, Value>,
    samples: &'a Samples,
}

impl Samples {
    /// The samples of `evaluation`.
    pub fn of(evaluation: &Evaluation) -> Self {
        let samples = &evaluation.samples;
        let each = |of: fn(&PersonSample) -> &JointArray<Option<f64>>| -> Vec<PerJoint> {
            samples
                .iter()
                .map(|sample| of(sample).iter().map(|value| value.map(|value| value as f32)).collect())
                .collect()
        };
        Self {
            joints: Joint::ALL.map(|joint| joint.name().to_owned()).to_vec(),
            image_index: samples.iter().map(|sample| sample.image_index).collect(),
            stamp_ns: samples.iter().map(|sample| sample.stamp.nanoseconds()).collect(),
            person: samples.iter().map(|sample| sample.person.clone()).collect(),
            action: if samples.iter().any(|sample| sample.action.is_some()) {
                samples.iter().map(|sample| sample.action.clone()).collect()
            } else {
                Vec::new()
            },
            track_id: samples.iter().map(|sample| sample.track_id.0).collect(),
            true_distance_m: samples.iter().map(|sample| sample.true_distance.map(|value| value as f32)).collect(),
            root_mm: samples
                .iter()
                .map(|sample| Some(sample.error.root_mm?.map(|value| value as f32).into()))
                .collect(),
            mpjpe_mm: each(|sample| &sample.error.mpjpe_mm),
            pa_mpjpe_mm: each(|sample| &sample.error.pa_mpjpe_mm),
            n_mpjpe_mm: each(|sample| &sample.error.n_mpjpe_mm),
            position_error_mm: each(|sample| &sample.position_error_mm),
            velocity_error_mm_per_s: each(|sample| &sample.velocity_error_mm_per_s),
            acceleration_error_mm_per_s2: each(|sample| &sample.acceleration_error_mm_per_s2),
            squared_mahalanobis: each(|sample| &sample.squared_mahalanobis),
            confidence: each(|sample| &sample.confidence),
            state: samples.iter().map(|sample| sample.state.map(|state| state as u8).to_vec()).collect(),
        }
    }

    /// The same, if every column has one entry for each sample and one value for each joint.
    ///
    /// # Errors
    /// Which column has not.
    pub fn checked(self) -> Result<Self, String> {
        let samples = self.image_index.len();
        let joints = self.joints.len();
        let single = [
            ("stamp_ns", self.stamp_ns.len()),
            ("person", self.person.len()),
            ("action", if self.action.is_empty() { samples } else { self.action.len() }),
            ("track_id", self.track_id.len()),
            ("true_distance_m", self.true_distance_m.len()),
            ("root_mm", self.root_mm.len()),
            ("state", self.state.len()),
        ];
        let per_joint = [
            ("mpjpe_mm", &self.mpjpe_mm),
            ("pa_mpjpe_mm", &self.pa_mpjpe_mm),
            ("n_mpjpe_mm", &self.n_mpjpe_mm),
            ("position_error_mm", &self.position_error_mm),
            ("velocity_error_mm_per_s", &self.velocity_error_mm_per_s),
            ("acceleration_error_mm_per_s2", &self.acceleration_error_mm_per_s2),
            ("squared_mahalanobis", &self.squared_mahalanobis),
            ("confidence", &self.confidence),
        ];
        for (name, entries) in single.into_iter().chain(per_joint.map(|(name, column)| (name, column.len()))) {
            if entries != samples {
                return Err(format!("{name} has {entries} entries, image_index {samples}"));
            }
        }
        if let Some(index) = self.image_index.iter().find(|&&index| index > LAST_IMAGE) {
            return Err(format!("image_index {index} is beyond {LAST_IMAGE}"));
        }
        for (name, column) in per_joint {
            if let Some(entry) = column.iter().find(|entry| entry.len() != joints) {
                return Err(format!("an entry of {name} has {} values for {joints} joints", entry.len()));
            }
        }
        Ok(self)
    }

    /// The text of a file with `numbers` (see [`super::to_json`]) and these samples under the key `samples`.
    ///
    /// # Errors
    /// When `numbers` is no object.
    pub fn with_numbers(&self, numbers: &Value) -> serde_json::Result<String> {
        let numbers = numbers.as_object().ok_or_else(|| serde::ser::Error::custom("the numbers are no object"))?;
        serde_json::to_string(&File { numbers, samples: self })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn one() -> Samples {
        Samples {
            joints: vec!["nose".to_owned()],
            image_index: vec![3],
            stamp_ns: vec![7],
            person: vec!["a".to_owned()],
            action: Vec::new(),
            track_id: vec![1],
            true_distance_m: vec![None],
            root_mm: vec![Some([1.0, 2.0, 3.0])],
            mpjpe_mm: vec![vec![Some(1.5)]],
            pa_mpjpe_mm: vec![vec![None]],
            n_mpjpe_mm: vec![vec![None]],
            position_error_mm: vec![vec![None]],
            velocity_error_mm_per_s: vec![vec![None]],
            acceleration_error_mm_per_s2: vec![vec![None]],
            squared_mahalanobis: vec![vec![None]],
            confidence: vec![vec![None]],
            state: vec![vec![3]],
        }
    }

    #[test]
    fn columns_that_do_not_fit_are_named() {
        assert_eq!(one().checked(), Ok(one()));
        let refusal = |change: fn(&mut Samples)| {
            let mut samples = one();
            change(&mut samples);
            samples.checked().unwrap_err()
        };
        assert_eq!(refusal(|samples| samples.person.clear()), "person has 0 entries, image_index 1");
        assert_eq!(refusal(|samples| samples.action = vec![None; 2]), "action has 2 entries, image_index 1");
        assert_eq!(refusal(|samples| samples.mpjpe_mm[0].clear()), "an entry of mpjpe_mm has 0 values for 1 joints");
        assert!(refusal(|samples| samples.image_index[0] = usize::MAX).contains("is beyond 10000000"));
    }

    #[test]
    fn the_file_is_numbers_and_samples_side_by_side() {
        let text = one().with_numbers(&serde_json::json!({"mpjpe_mm": 1.5})).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((json["mpjpe_mm"].as_f64(), json["samples"]["mpjpe_mm"][0][0].as_f64()), (Some(1.5), Some(1.5)));
        assert!(one().with_numbers(&Value::Null).is_err());
    }
}
