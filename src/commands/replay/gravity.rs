//! Where down is in the camera of a recording.

use nalgebra::UnitVector3;

use crate::adapters::bag::{Bag, BagError, read_transforms};
use crate::adapters::gravity;
use crate::adapters::tf::TransformBuffer;
use crate::config::{Gravity, InputConfig};
use crate::data::Stamp;
use crate::warning::{Warning, WarningKind};

/// Who says where down is.
pub(super) enum GravitySource {
    /// Nobody.
    Unknown,
    /// The camera does not move.
    Fixed(UnitVector3<f64>),
    /// The frame whose z axis points up, and how everything lies to it.
    Frame { upright: String, frames: TransformBuffer },
}

impl GravitySource {
    /// What `input` asks for, and what is wrong with messages of `bag` that cannot be read.
    ///
    /// # Errors
    /// [`BagError`] when the transforms of the bag are asked for and it cannot be read at all.
    pub fn choose(bag: &mut Bag, input: &InputConfig) -> Result<(Self, Vec<Warning>), BagError> {
        Ok(match input.gravity {
            Gravity::Unknown => (Self::Unknown, Vec::new()),
            Gravity::Fixed => (Self::Fixed(gravity::of_fixed_camera(input)), Vec::new()),
            Gravity::Tf => {
                let (frames, problems) = read_transforms(bag)?;
                let warning = |problem| Warning::new(WarningKind::MessageRefused, problem);
                let source = Self::Frame { upright: input.gravity_frame.clone(), frames };
                (source, problems.into_iter().map(warning).collect())
            }
        })
    }

    /// The direction of gravity in the camera `camera_frame` at `stamp`.
    ///
    /// # Errors
    /// A warning with the reason where the frames do not tell.
    pub fn at(&self, camera_frame: &str, stamp: Stamp) -> Result<Option<UnitVector3<f64>>, Warning> {
        match self {
            Self::Unknown => Ok(None),
            Self::Fixed(gravity) => Ok(Some(*gravity)),
            Self::Frame { upright, frames } => frames
                .target_from_source(camera_frame, upright, stamp)
                .map(|camera_from_upright| Some(gravity::of_upright_frame(&camera_from_upright)))
                .map_err(Warning::gravity_unknown),
        }
    }
}
