//! What people and scripts read about a run: tables and JSON.

pub mod evaluation;
