//! A recording of keypoints that can be spoilt message by message.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::ops::ControlFlow;
use std::path::Path;

use stridepose::adapters::bag::writer::{BagWriter, Qos};
use stridepose::adapters::bag::{Bag, BagError};
use stridepose::adapters::messages::sensor_msgs::CameraInfo;
use stridepose::adapters::messages::stridepose::KeypointArray;
use stridepose::adapters::messages::{from_cdr, to_cdr};
use stridepose::adapters::scene_bag::write_scene_bag;
use stridepose::data::Stamp;
use stridepose::scene::SceneSettings;

const KEYPOINTS: &str = "/camera/keypoints";
pub const CAMERA_INFO: &str = "/camera/camera_info";
/// Images of the whole recording: one second.
pub const IMAGES: usize = 30;

/// Pairs of CameraInfo and keypoints, one an image.
#[derive(Clone)]
pub struct Recording {
    /// Topic, time of recording, bytes.
    pub messages: Vec<(&'static str, Stamp, Vec<u8>)>,
}

impl Recording {
    /// One person, seen in every image.
    pub fn whole(folder: &Path) -> Self {
        let path = folder.join("whole");
        let settings =
            SceneSettings { people: 1, duration_secs: 1.0, pillar: None, seed: 2, ..SceneSettings::default() };
        write_scene_bag(&settings, &path).unwrap();
        let mut messages = Vec::new();
        let topics = [CAMERA_INFO.to_owned(), KEYPOINTS.to_owned()];
        Bag::open(&path)
            .unwrap()
            .read::<BagError>(&topics, &mut |message| {
                let topic = if message.topic == KEYPOINTS { KEYPOINTS } else { CAMERA_INFO };
                messages.push((topic, Stamp::from_nanoseconds(message.log_time_ns), message.data.to_vec()));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        assert_eq!(messages.len(), 2 * IMAGES);
        let mut recording = Self { messages };
        for image in 0..IMAGES {
            recording.change(image, |array| {
                assert_eq!(
                    array.people.len(),
                    1,
                    "the detector missed the person of image {image}: choose another seed"
                );
            });
        }
        recording
    }

    /// The bytes of the keypoints of an image.
    pub fn bytes(&mut self, image: usize) -> &mut Vec<u8> {
        &mut self.messages.iter_mut().filter(|(topic, ..)| *topic == KEYPOINTS).nth(image).unwrap().2
    }

    /// Changes the keypoints of an image.
    pub fn change(&mut self, image: usize, change: impl FnOnce(&mut KeypointArray<'_>)) {
        let bytes = self.bytes(image);
        let old = bytes.clone();
        let mut array: KeypointArray<'_> = from_cdr(&old).unwrap();
        change(&mut array);
        bytes.clear();
        to_cdr(&array, bytes);
    }

    /// Exchanges when the keypoints of two images come.
    pub fn swap(&mut self, image: usize, other: usize) {
        let bytes = self.bytes(image).clone();
        let other = std::mem::replace(self.bytes(other), bytes);
        *self.bytes(image) = other;
    }

    /// Moves the stamps of the images from `first` on, of keypoints and infos.
    pub fn shift(&mut self, first: usize, seconds: f64) {
        let moved = |stamp: Stamp| Stamp::from_nanoseconds(stamp.nanoseconds() + (seconds * 1e9) as i64);
        for image in first..IMAGES {
            self.change(image, |array| array.header.stamp = moved(array.header.stamp));
        }
        for (_, _, bytes) in self.messages.iter_mut().filter(|(topic, ..)| *topic == CAMERA_INFO).skip(first) {
            let mut info: CameraInfo = from_cdr(bytes).unwrap();
            info.stamp = moved(info.stamp);
            bytes.clear();
            to_cdr(&info, bytes);
        }
    }

    pub fn write(&self, path: &Path) {
        let mut writer = BagWriter::create(path).unwrap();
        let keypoints = writer.add_topic::<KeypointArray<'_>>(KEYPOINTS, Qos::Stream).unwrap();
        let infos = writer.add_topic::<CameraInfo>(CAMERA_INFO, Qos::Stream).unwrap();
        for (topic, stamp, bytes) in &self.messages {
            let topic = if *topic == KEYPOINTS { keypoints } else { infos };
            writer.write_cdr(topic, *stamp, bytes).unwrap();
        }
        writer.finish().unwrap();
    }
}
