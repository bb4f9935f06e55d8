//! Whole pictures with known people, drawn by the renderer of stridepose: what the 2D networks are trained and
//! validated on.
//!
//! ```text
//! people   motion capture -> somebody's joints in the world
//! view     where the camera is and where people stand, so that they are as large in the picture as wanted
//! sampler  one seed -> one picture
//! ```

mod people;
mod sampler;
#[cfg(test)]
mod tests;
mod view;

pub use sampler::{NoClips, PictureSampler, TrainingPerson, TrainingPicture};
