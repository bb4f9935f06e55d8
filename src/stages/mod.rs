//! The stages of the pipeline, one file each.

pub mod image;
pub mod lift;
pub mod window;
