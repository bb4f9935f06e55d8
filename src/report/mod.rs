//! What people and scripts look at: skeletons drawn on images, markers for RViz, tables and JSON.

pub mod comparison;
pub mod evaluation;
pub mod export;
pub mod html;
pub mod machine;
pub mod markers;
pub mod overlay;
pub mod summary;
pub mod top_view;
