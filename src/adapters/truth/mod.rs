//! Truths from outside: what is known about where people were, in the forms in which the field keeps it.
//!
//! | file | form |
//! |---|---|
//! | CSV | [`csv`]: a joint a line, camera optical frame, m |
//! | JSON | [`json`]: an array with its layout, unit, camera and stamps |
//! | `.npy`, `.npz` | [`npy`]: an array alone; layout and unit are told beside it |
//! | bag with TF | [`tf`]: people's joints, or the markers on them, are coordinate frames |
//!
//! [`mod@array`] makes truth of an array, whichever file it is of; [`camera`] is the camera that belongs to one.

pub mod array;
pub mod camera;
pub mod csv;
pub mod json;

#[cfg(feature = "replay")]
pub mod npy;
#[cfg(feature = "replay")]
pub mod tf;
