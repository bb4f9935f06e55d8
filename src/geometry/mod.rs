//! Cameras and rigid geometry.
pub mod camera;
