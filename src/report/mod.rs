//! What people look at: skeletons drawn on images, markers for RViz.

pub mod markers;
pub mod overlay;
pub mod summary;
pub mod top_view;
