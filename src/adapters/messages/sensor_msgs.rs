//! `sensor_msgs`: `Image`, `CompressedImage`, `CameraInfo` and `RegionOfInterest`.

use super::std_msgs::Header;
use super::{Decode, Encode, Message};
use crate::adapters::cdr::{CdrError, CdrReader, CdrWriter};
use crate::data::Stamp;
use crate::geometry::camera::{Calibration, RegionOfInterest};
use crate::stages::image::EncodedImage;

/// An uncompressed image; the pixels are borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Capture time and camera optical frame.
    pub header: Header<'a>,
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// Pixel format, e.g. `rgb8`.
    pub encoding: &'a str,
    /// Whether 16-bit pixels are big endian.
    pub is_bigendian: bool,
    /// Bytes per row.
    pub step: u32,
    /// Pixels, `step * height` bytes.
    pub data: &'a [u8],
}

impl Message for Image<'_> {
    const TYPE: &'static str = "sensor_msgs/msg/Image";
}

impl<'a> Decode<'a> for Image<'a> {
    const MINIMUM_BYTES: usize = 36;

    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError> {
        Ok(Self {
            header: Header::decode(reader)?,
            height: reader.u32("height")?,
            width: reader.u32("width")?,
            encoding: reader.string("encoding")?,
            is_bigendian: reader.u8("is_bigendian")? != 0,
            step: reader.u32("step")?,
            data: reader.bytes("data")?,
        })
    }
}

impl Encode for Image<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.header.encode(writer);
        writer.u32(self.height);
        writer.u32(self.width);
        writer.string(self.encoding);
        writer.u8(u8::from(self.is_bigendian));
        writer.u32(self.step);
        writer.bytes(self.data);
    }
}

impl<'a> From<Image<'a>> for EncodedImage<'a> {
    fn from(image: Image<'a>) -> Self {
        let Image { height, width, encoding, is_bigendian, step, data, .. } = image;
        Self::Raw { width, height, encoding, step, big_endian: is_bigendian, data }
    }
}

/// A JPEG or PNG image; the bytes are borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressedImage<'a> {
    /// Capture time and camera optical frame.
    pub header: Header<'a>,
    /// What the writer says about the format, e.g. `jpeg` or `bgr8; jpeg compressed bgr8`.
    pub format: &'a str,
    /// The file.
    pub data: &'a [u8],
}

impl Message for CompressedImage<'_> {
    const TYPE: &'static str = "sensor_msgs/msg/CompressedImage";
}

impl<'a> Decode<'a> for CompressedImage<'a> {
    const MINIMUM_BYTES: usize = 20;

    fn decode(reader: &mut CdrReader<'a>) -> Result<Self, CdrError> {
        Ok(Self { header: Header::decode(reader)?, format: reader.string("format")?, data: reader.bytes("data")? })
    }
}

impl Encode for CompressedImage<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.header.encode(writer);
        writer.string(self.format);
        writer.bytes(self.data);
    }
}

impl<'a> From<CompressedImage<'a>> for EncodedImage<'a> {
    fn from(image: CompressedImage<'a>) -> Self {
        Self::Compressed { format: image.format, data: image.data }
    }
}

/// `sensor_msgs/RegionOfInterest` as it lies in the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegionOfInterestMessage {
    /// Left column, px.
    pub x_offset: u32,
    /// Top row, px.
    pub y_offset: u32,
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// Whether the region has to be rectified apart from the image.
    pub do_rectify: bool,
}

impl Decode<'_> for RegionOfInterestMessage {
    const MINIMUM_BYTES: usize = 17;

    fn decode(reader: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        Ok(Self {
            x_offset: reader.u32("roi.x_offset")?,
            y_offset: reader.u32("roi.y_offset")?,
            height: reader.u32("roi.height")?,
            width: reader.u32("roi.width")?,
            do_rectify: reader.bool("roi.do_rectify")?,
        })
    }
}

impl Encode for RegionOfInterestMessage {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        writer.u32(self.x_offset);
        writer.u32(self.y_offset);
        writer.u32(self.height);
        writer.u32(self.width);
        writer.bool(self.do_rectify);
    }
}

/// The calibration of a camera. Owned: it outlives its message, being latched for the images to come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CameraInfo {
    /// Capture time of the image it belongs to.
    pub stamp: Stamp,
    /// Camera optical frame.
    pub frame_id: String,
    /// Rows of the full sensor image the calibration was made at.
    pub height: u32,
    /// Columns of the same.
    pub width: u32,
    /// `plumb_bob`, `rational_polynomial`, `equidistant`, …
    pub distortion_model: String,
    /// Distortion coefficients in the model's order.
    pub d: Vec<f64>,
    /// Intrinsic matrix of the full, distorted image, row by row, px.
    pub k: [f64; 9],
    /// Rectification rotation, row by row.
    pub r: [f64; 9],
    /// Projection matrix of the rectified image, row by row.
    pub p: [f64; 12],
    /// Columns merged into one; 0 means 1.
    pub binning_x: u32,
    /// Rows merged into one; 0 means 1.
    pub binning_y: u32,
    /// Part of the full image that the images show; all zeros means all of it.
    pub roi: RegionOfInterestMessage,
}

impl Message for CameraInfo {
    const TYPE: &'static str = "sensor_msgs/msg/CameraInfo";
}

impl Decode<'_> for CameraInfo {
    const MINIMUM_BYTES: usize = 289;

    fn decode(reader: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let header = Header::decode(reader)?;
        Ok(Self {
            stamp: header.stamp,
            frame_id: header.frame_id.to_owned(),
            height: reader.u32("height")?,
            width: reader.u32("width")?,
            distortion_model: reader.string("distortion_model")?.to_owned(),
            d: reader.f64_sequence("d")?,
            k: reader.f64_array("k")?,
            r: reader.f64_array("r")?,
            p: reader.f64_array("p")?,
            binning_x: reader.u32("binning_x")?,
            binning_y: reader.u32("binning_y")?,
            roi: RegionOfInterestMessage::decode(reader)?,
        })
    }
}

impl Encode for CameraInfo {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        Header { stamp: self.stamp, frame_id: &self.frame_id }.encode(writer);
        writer.u32(self.height);
        writer.u32(self.width);
        writer.string(&self.distortion_model);
        writer.sequence_length(self.d.len());
        writer.f64_elements(&self.d);
        writer.f64_elements(&self.k);
        writer.f64_elements(&self.r);
        writer.f64_elements(&self.p);
        writer.u32(self.binning_x);
        writer.u32(self.binning_y);
        self.roi.encode(writer);
    }
}

impl CameraInfo {
    /// The fields the camera model is made of; whether they make sense is for the camera model to say.
    pub fn calibration(&self) -> Calibration {
        let RegionOfInterestMessage { x_offset, y_offset, height, width, .. } = self.roi;
        let whole_image = (x_offset, y_offset, height, width) == (0, 0, 0, 0);
        Calibration {
            width: self.width,
            height: self.height,
            distortion_model: self.distortion_model.clone(),
            d: self.d.clone(),
            k: self.k,
            binning_x: self.binning_x,
            binning_y: self.binning_y,
            roi: (!whole_image).then_some(RegionOfInterest { x_offset, y_offset, width, height }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]

    use super::*;
    use crate::adapters::messages::{from_cdr, to_cdr};

    fn camera_info() -> CameraInfo {
        CameraInfo {
            stamp: Stamp::from_sec_nanosec(3, 4),
            frame_id: "camera_optical_frame".into(),
            height: 480,
            width: 640,
            distortion_model: "plumb_bob".into(),
            d: vec![0.1, -0.2, 0.0, 0.0, 0.05],
            k: [500.0, 0.0, 320.0, 0.0, 501.0, 240.0, 0.0, 0.0, 1.0],
            r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            p: [0.0; 12],
            binning_x: 0,
            binning_y: 2,
            roi: RegionOfInterestMessage { x_offset: 8, y_offset: 16, height: 100, width: 200, do_rectify: true },
        }
    }

    #[test]
    fn camera_info_round_trips_and_converts() {
        let info = camera_info();
        let mut buffer = Vec::new();
        to_cdr(&info, &mut buffer);
        assert_eq!(from_cdr::<CameraInfo>(&buffer).unwrap(), info);
        let calibration = info.calibration();
        assert_eq!(calibration.k, info.k);
        assert_eq!(calibration.roi, Some(RegionOfInterest { x_offset: 8, y_offset: 16, width: 200, height: 100 }));
        let whole = CameraInfo { roi: RegionOfInterestMessage::default(), ..info };
        assert_eq!(whole.calibration().roi, None);
    }

    #[test]
    fn image_data_is_borrowed_not_copied() {
        let pixels = vec![7_u8; 12];
        let header = Header { stamp: Stamp::from_sec_nanosec(1, 2), frame_id: "cam" };
        let image =
            Image { header, height: 2, width: 2, encoding: "rgb8", is_bigendian: false, step: 6, data: &pixels };
        let mut buffer = Vec::new();
        to_cdr(&image, &mut buffer);
        let read: Image<'_> = from_cdr(&buffer).unwrap();
        assert_eq!(read, image);
        let range = buffer.as_ptr_range();
        assert!(range.contains(&read.data.as_ptr()), "data must lie inside the message");
    }

    #[test]
    fn a_cut_message_is_an_error_at_every_length() {
        let mut buffer = Vec::new();
        to_cdr(&camera_info(), &mut buffer);
        for length in 0..buffer.len() {
            assert!(from_cdr::<CameraInfo>(&buffer[..length]).is_err(), "cut at {length} was accepted");
        }
    }
}
