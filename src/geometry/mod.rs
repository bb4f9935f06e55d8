//! Cameras and rigid geometry.

pub mod camera;
mod distortion;
mod similarity;
pub mod transform;
mod virtual_camera;

pub use camera::{Calibration, CameraError, CameraModel};
pub use similarity::{ScaleFit, Similarity};
pub use transform::{PointIn, Transform};
pub use virtual_camera::VirtualCamera;
