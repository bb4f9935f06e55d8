//! Cameras and rigid geometry.

pub mod camera;
mod virtual_camera;

pub use virtual_camera::VirtualCamera;
