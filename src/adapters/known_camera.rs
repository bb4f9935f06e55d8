//! The camera of the last calibration: made once, kept while the calibration stays the same.

use crate::adapters::messages::sensor_msgs::CameraInfo;
use crate::geometry::{Calibration, CameraModel};

/// The last calibration and what became of it.
#[derive(Clone, Debug, Default)]
pub struct KnownCamera(Option<(Calibration, Result<CameraModel, String>)>);

impl KnownCamera {
    /// The camera that `info` describes.
    ///
    /// # Errors
    /// What is wrong with the calibration.
    pub fn of(&mut self, info: &CameraInfo) -> Result<&CameraModel, String> {
        let calibration = info.calibration();
        if self.0.as_ref().is_none_or(|(known, _)| *known != calibration) {
            let camera = CameraModel::from_calibration(&calibration).map_err(|error| error.to_string());
            self.0 = Some((calibration, camera));
        }
        match &self.0 {
            Some((_, Ok(camera))) => Ok(camera),
            Some((_, Err(reason))) => Err(reason.clone()),
            None => Err("no CameraInfo".to_owned()),
        }
    }

    /// The camera of the last calibration, when that was usable.
    pub const fn last(&self) -> Option<&CameraModel> {
        match &self.0 {
            Some((_, Ok(camera))) => Some(camera),
            _ => None,
        }
    }
}
