//! Where bytes, files and clocks live: the codec of ROS 2 messages, the messages themselves and the bags.

pub mod cdr;
pub mod messages;

#[cfg(feature = "replay")]
pub mod bag;
