//! Where bytes, files, clocks and engines live: the codec of ROS 2 messages, the messages themselves, the bags,
//! model files and ONNX Runtime.

pub mod cdr;
pub mod gpu;
pub mod gravity;
pub mod known_camera;
pub mod messages;
pub mod ros;
pub mod tf;
pub mod truth;

#[cfg(feature = "replay")]
pub mod bag;
#[cfg(feature = "replay")]
pub mod catalogue;
#[cfg(feature = "replay")]
pub mod engine;
#[cfg(feature = "replay")]
pub mod model_store;
#[cfg(feature = "replay")]
pub mod onnx;
#[cfg(feature = "replay")]
pub mod overlay_bag;
#[cfg(feature = "replay")]
pub mod result_bag;
#[cfg(feature = "replay")]
pub mod result_writer;
#[cfg(feature = "replay")]
pub mod scene_bag;
#[cfg(feature = "replay")]
pub mod stage_timer;
#[cfg(feature = "replay")]
pub mod tensorrt;
#[cfg(feature = "replay")]
pub mod user_folder;
