//! The stages of the pipeline, one file each.

pub mod crop;
pub mod detect;
pub mod image;
pub mod keypoints;
pub mod lift;
pub mod people;
pub mod plausibility;
pub mod refine;
pub mod single_stage;
pub mod smooth;
pub mod track;
pub mod window;
