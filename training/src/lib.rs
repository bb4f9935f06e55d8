//! `stridepose-train`: trains the multi-stride lifter of stridepose on motion capture and exports it to ONNX.
//!
//! ```text
//! mocap      motion capture on disk -> clips of joints in the world
//! body       one body -> another: limb directions kept, bone lengths drawn
//! posture    recorded postures turned into others
//! scene      clip + body + camera -> joints in the camera frame, true keypoints on the z = 1 plane
//! noise      true keypoints -> keypoints of a real detector (jitter, jumps, swaps, scores)
//! occlusion  keypoints hidden from minor to severe
//! batch      all of these -> tensors, through the very `window` stage that the pipeline uses
//! network    multi-stride temporal convolutional network
//! loss       position, velocity and likelihood of the stated scale
//! train      the loop, checkpoints, log
//! validate   error tables on the validation persons, calibration of the stated scale
//! onnx       protobuf of the graphs; export  streaming and whole-sequence graphs and their contract
//! ```

pub mod batch;
pub mod body;
pub mod calibrate;
pub mod export;
pub mod loss;
pub mod mocap;
pub mod network;
pub mod noise;
pub mod occlusion;
pub mod onnx;
pub mod posture;
pub mod scene;
pub mod train;
pub mod validate;
