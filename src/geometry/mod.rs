//! Cameras and rigid geometry.
