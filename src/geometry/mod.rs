//! Cameras and rigid geometry.

pub mod camera;
mod distortion;
mod virtual_camera;

pub use camera::{Calibration, CameraError, CameraModel};
pub use virtual_camera::VirtualCamera;
