//! Messages off the wire: every type that is read, from any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stridepose::adapters::messages::geometry_msgs::PoseStamped;
use stridepose::adapters::messages::sensor_msgs::{CameraInfo, CompressedImage, Image};
use stridepose::adapters::messages::stridepose::{JointSet, KeypointArray, SkeletonArray};
use stridepose::adapters::messages::tf2_msgs::TfMessage;
use stridepose::stages::image::{EncodedImage, decode};
use stridepose_fuzz::{read_as, see};

fuzz_target!(|data: &[u8]| {
    if let Some(image) = read_as::<Image<'_>>(data) {
        let _ = decode(&EncodedImage::from(image));
    }
    if let Some(image) = read_as::<CompressedImage<'_>>(data) {
        let _ = decode(&EncodedImage::from(image));
    }
    if let Some(info) = read_as::<CameraInfo>(data) {
        see(&info);
    }
    if let Some(keypoints) = read_as::<KeypointArray<'_>>(data) {
        let _ = keypoints.people_in_internal_order();
    }
    let _ = read_as::<SkeletonArray<'_>>(data);
    let _ = read_as::<JointSet<'_>>(data);
    let _ = read_as::<TfMessage<'_>>(data);
    let _ = read_as::<PoseStamped<'_>>(data);
});
