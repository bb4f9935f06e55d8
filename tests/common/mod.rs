//! What several tests share: where the shared bags lie, and small bags made on the spot.

#![allow(clippy::unwrap_used, clippy::expect_used, dead_code, missing_docs)]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use stridepose::adapters::bag::BagMessage;
use stridepose::adapters::bag::writer::{BagWriter, Qos};
use stridepose::adapters::messages::sensor_msgs::{CameraInfo, Image, RegionOfInterestMessage};
use stridepose::adapters::messages::std_msgs::Header;
use stridepose::adapters::messages::to_cdr;
use stridepose::data::Stamp;

/// The folder of provided bags and networks, or a printed `SKIP` when it is not there: users of the project do not
/// have it.
pub fn shared(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("STRIDEPOSE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    if folder.join("bags").is_dir() && folder.join("models").is_dir() {
        return Some(folder);
    }
    println!("SKIP {test}: {} with bags and models is not here", folder.display());
    None
}

/// The provided bags, or a printed `SKIP`.
pub fn shared_bags(test: &str) -> Option<PathBuf> {
    shared(test).map(|folder| folder.join("bags"))
}

/// An owned [`BagMessage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub topic: String,
    pub log_time_ns: i64,
    pub data: Vec<u8>,
}

impl Recorded {
    pub fn new(message: BagMessage<'_>) -> Self {
        let BagMessage { topic, log_time_ns, data } = message;
        Self { topic: topic.to_owned(), log_time_ns, data: data.to_vec() }
    }
}

/// Writes an MCAP file with a message for each of `numbers`: 200 bytes of its number, recorded at its number in ms,
/// on `/even` or `/odd`; four messages to a chunk.
pub fn record(
    path: &Path,
    compression: Option<mcap::Compression>,
    use_chunks: bool,
    numbers: impl IntoIterator<Item = u8>,
) {
    let mut writer = mcap::WriteOptions::new()
        .profile("ros2")
        .compression(compression)
        .use_chunks(use_chunks)
        .compression_threads(0)
        .create(File::create(path).unwrap())
        .unwrap();
    let schema = writer.add_schema("std_msgs/msg/String", "ros2msg", b"string data\n").unwrap();
    let channels = ["/even", "/odd"].map(|topic| writer.add_channel(schema, topic, "cdr", &BTreeMap::new()).unwrap());
    for (sequence, number) in numbers.into_iter().enumerate() {
        let log_time = u64::from(number) * 1_000_000 + 1_000_000_000;
        let channel_id = channels[usize::from(number % 2)];
        let header =
            mcap::records::MessageHeader { channel_id, sequence: sequence as u32, log_time, publish_time: log_time };
        let mut data = vec![number; 200];
        data[..4].copy_from_slice(&[0, 1, 0, 0]);
        writer.write_to_known_channel(&header, &data).unwrap();
        if sequence % 4 == 3 {
            writer.flush().unwrap();
        }
    }
    writer.finish().unwrap();
}

/// Writes a bag of six 4 x 2 images with their infos; `change` may spoil the bytes of an image message.
pub fn record_bag(directory: &Path, change: &dyn Fn(usize, &mut Vec<u8>)) {
    record_bag_with(directory, change, &|_, _| {});
}

/// [`record_bag`] where `change_info` may spoil the CameraInfo of an image too.
pub fn record_bag_with(
    directory: &Path,
    change: &dyn Fn(usize, &mut Vec<u8>),
    change_info: &dyn Fn(usize, &mut CameraInfo),
) {
    let mut writer = BagWriter::create(directory).unwrap();
    let images = writer.add_topic::<Image<'_>>("/camera/image_raw", Qos::Stream).unwrap();
    let infos = writer.add_topic::<CameraInfo>("/camera/camera_info", Qos::Latched).unwrap();
    for number in 0..6 {
        let stamp = Stamp::from_sec_nanosec(100 + number as i32, 5);
        let pixels = [number as u8 * 10; 24];
        let header = Header { stamp, frame_id: "camera_optical_frame" };
        let image =
            Image { header, height: 2, width: 4, encoding: "rgb8", is_bigendian: false, step: 12, data: &pixels };
        let mut data = Vec::new();
        to_cdr(&image, &mut data);
        change(number, &mut data);
        writer.write_cdr(images, stamp, &data).unwrap();
        let mut info = camera_info(stamp);
        change_info(number, &mut info);
        writer.write(infos, stamp, &info).unwrap();
    }
    writer.finish().unwrap();
}

pub fn camera_info(stamp: Stamp) -> CameraInfo {
    CameraInfo {
        stamp,
        frame_id: "camera_optical_frame".into(),
        height: 2,
        width: 4,
        distortion_model: "plumb_bob".into(),
        d: vec![0.1, -0.05, 0.001, 0.002, 0.0],
        k: [5.0, 0.0, 1.5, 0.0, 6.0, 0.5, 0.0, 0.0, 1.0],
        r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p: [5.0, 0.0, 1.5, 0.0, 0.0, 6.0, 0.5, 0.0, 0.0, 0.0, 1.0, 0.0],
        binning_x: 1,
        binning_y: 1,
        roi: RegionOfInterestMessage::default(),
    }
}
