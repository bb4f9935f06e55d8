//! stridepose: metric 3D human skeletons with calibrated confidence from one calibrated colour camera.
//!
//! ```text
//! adapters (bag | ROS)  bytes in, messages out; the only place with files and clocks
//!   pipeline            the way of one image, in order:
//!     stages::image       encoded bytes -> RGB image
//!     stages::detect      image -> people
//!     stages::crop        person -> upright network input
//!     stages::keypoints   crop -> 2D keypoints
//!     stages::track       people -> identities
//!     stages::window      keypoints -> features at the model's rate
//!     stages::lift        features -> root-relative 3D joints with scale
//!     stages::refine      3D joints + keypoints -> metric joints with covariance
//! ```
//! Dependencies point one way: `data, skeleton, geometry -> stages, metrics -> pipeline -> adapters -> bin`.
//! `tests/architecture.rs` fails when the core names ROS, async, files or clocks.

pub mod adapters;
#[cfg(feature = "replay")]
pub mod commands;
pub mod config;
pub mod data;
pub mod geometry;
pub mod metrics;
pub mod model;
pub mod network;
pub mod pipeline;
pub mod render;
#[cfg(feature = "replay")]
pub mod report;
pub mod scene;
pub mod skeleton;
pub mod stages;
pub mod warning;
