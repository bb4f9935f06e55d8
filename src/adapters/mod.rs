//! The edges: files, messages, engines. The only place with I/O.

pub mod model_store;
pub mod onnx;
