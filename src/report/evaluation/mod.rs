//! An evaluation as tables for people and as JSON for scripts. Absent values are `-` and `null`, never 0.
//!
//! Units: keys that end in `_mm` are mm, in `_mm_per_s` mm/s, in `_m_per_s3` m/s³; shares (`pck_150mm`, `auc`, `coverage`,
//! `idf1`, …) are in [0, 1] in JSON and per cent in the tables. `mpjve_mm` and `acceleration_error_mm` are per (squared)
//! median image interval, the field's "mm per frame".

mod json;
mod observed;
mod samples;
mod table;

pub use json::to_json;
pub use observed::{to_json_without_truth, to_table_without_truth};
pub use samples::Samples;
pub use table::to_table;
