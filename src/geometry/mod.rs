//! Cameras and rigid geometry.

mod virtual_camera;

pub use virtual_camera::VirtualCamera;
