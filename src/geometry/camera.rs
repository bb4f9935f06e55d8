//! The plain calibration that a camera model is made of.

/// Fields of `sensor_msgs/CameraInfo` that a camera model is made of, unchecked.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "named as in sensor_msgs/CameraInfo")]
pub struct Calibration {
    pub width: u32,
    pub height: u32,
    pub distortion_model: String,
    pub d: Vec<f64>,
    pub k: [f64; 9],
    pub binning_x: u32,
    pub binning_y: u32,
    pub roi: Option<RegionOfInterest>,
}

/// Part of the full image that the images show, px.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in sensor_msgs/RegionOfInterest")]
pub struct RegionOfInterest {
    pub x_offset: u32,
    pub y_offset: u32,
    pub width: u32,
    pub height: u32,
}
