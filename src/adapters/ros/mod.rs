//! The live ROS 2 node. Everything that does not need ROS itself, which is nearly everything, is built and tested
//! without it; `node` alone talks to r2r (feature `ros`).
//!
//! ```text
//! spin thread (owns the r2r node) -> inbox (newest wins) -> inference thread (worker) -> publishers
//!        tokio: lifecycle services, parameter services, diagnostics once a second, signals
//! ```

pub mod diagnostics;
pub mod humans;
pub mod inbox;
pub mod lifecycle;
pub mod names;
pub mod parameters;
pub mod stamp_gaps;

#[cfg(feature = "replay")]
pub mod worker;

#[cfg(feature = "ros")]
pub mod node;
