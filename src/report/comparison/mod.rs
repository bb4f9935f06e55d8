//! Two evaluations side by side: every number of both, and, where both have their samples, how sure the difference is.

mod paired;
pub mod rule;
mod table;

use std::collections::BTreeMap;

use serde_json::Value;

use super::evaluation::Samples;
pub use paired::{PairedDifference, paired_differences};
pub use table::{to_json, to_table};

/// Key of the raw errors in the JSON of an evaluation.
const SAMPLES: &str = "samples";
/// Either of these keys makes a JSON file an evaluation: with a truth, and without one.
const NEEDED: [&str; 2] = ["mpjpe_mm", "jitter_m_per_s3"];

/// A file that is no evaluation.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// No JSON.
    #[error("is no JSON: {0}")]
    NoJson(serde_json::Error),
    /// Some other JSON.
    #[error(
        "is no evaluation: it has no key \"{}\" nor \"{}\"; write one with stridepose evaluate … --json or --samples",
        NEEDED[0],
        NEEDED[1]
    )]
    NoEvaluation,
    /// Samples that are not ours.
    #[error("its samples cannot be used: {0}")]
    Samples(String),
}

/// One side of a comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// Every number by its path, such as `per_joint.l_wrist.mpjpe_mm`; `None` is null.
    pub numbers: BTreeMap<String, Option<f64>>,
    /// Raw errors, where there are any.
    pub samples: Option<Samples>,
}

impl Side {
    /// From the text of a JSON file that `stridepose evaluate` wrote.
    ///
    /// # Errors
    /// [`SideError`] when it is something else.
    pub fn parse(text: &str) -> Result<Self, SideError> {
        let mut json: Value = serde_json::from_str(text).map_err(SideError::NoJson)?;
        let samples = match json.get_mut(SAMPLES).map(Value::take) {
            None | Some(Value::Null) => None,
            Some(samples) => {
                let samples: Samples =
                    serde_json::from_value(samples).map_err(|error| SideError::Samples(error.to_string()))?;
                Some(samples.checked().map_err(SideError::Samples)?)
            }
        };
        Self::new(&json, samples)
    }

    /// From the numbers of an evaluation.
    ///
    /// # Errors
    /// [`SideError`] when there are none.
    pub fn new(numbers: &Value, samples: Option<Samples>) -> Result<Self, SideError> {
        if NEEDED.iter().all(|key| numbers.get(key).is_none()) {
            return Err(SideError::NoEvaluation);
        }
        let mut side = Self { numbers: BTreeMap::new(), samples };
        side.add("", numbers);
        Ok(side)
    }

    /// Lists are no single numbers and stay out.
    fn add(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.add(&if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value);
                }
            }
            Value::Number(number) => {
                self.numbers.insert(path.to_owned(), number.as_f64());
            }
            Value::Null => {
                self.numbers.insert(path.to_owned(), None);
            }
            Value::Bool(_) | Value::String(_) | Value::Array(_) => {}
        }
    }

    /// The number at `path`.
    pub fn number(&self, path: &str) -> Option<f64> {
        self.numbers.get(path).copied().flatten()
    }
}

/// Names of all metrics that either side knows.
pub fn known_metrics<'a>(a: &'a Side, b: &'a Side) -> Vec<&'a str> {
    let mut names: Vec<&str> = a.numbers.keys().chain(b.numbers.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn numbers_are_found_by_their_path() {
        let text =
            r#"{"mpjpe_mm": 50.5, "coverage": null, "per_joint": {"nose": {"auc": 0.5}}, "bins": [1, 2], "note": "x"}"#;
        let side = Side::parse(text).unwrap();
        assert_eq!((side.number("mpjpe_mm"), side.number("per_joint.nose.auc")), (Some(50.5), Some(0.5)));
        assert_eq!(side.numbers.keys().collect::<Vec<_>>(), ["coverage", "mpjpe_mm", "per_joint.nose.auc"]);
        assert_eq!((side.number("coverage"), side.number("bins"), side.samples), (None, None, None));
    }

    #[test]
    fn other_files_are_refused() {
        assert!(Side::parse("[").unwrap_err().to_string().starts_with("is no JSON"));
        assert!(Side::parse("{}").unwrap_err().to_string().contains("no key \"mpjpe_mm\""));
        assert!(Side::parse("[1]").unwrap_err().to_string().contains("no evaluation"));
        let wrong = r#"{"mpjpe_mm": 1, "samples": {"joints": 3}}"#;
        assert!(Side::parse(wrong).unwrap_err().to_string().contains("samples cannot be used"));
    }
}
