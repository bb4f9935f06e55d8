//! What the fuzz targets share: a small bag of every kind of input, patches to it, and a reader that does all that
//! `stridepose replay` does before the networks.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use nalgebra::Point2;
use rusqlite::{Connection, params};
use stridepose::adapters::bag::writer::{BagWriter, Qos};
use stridepose::adapters::bag::{Bag, BagError, ImageSource, KeypointSource, TopicRequest};
use stridepose::adapters::messages::sensor_msgs::{CameraInfo, Image};
use stridepose::adapters::messages::std_msgs::Header;
use stridepose::adapters::messages::stridepose::{KeypointArray, SkeletonArray};
use stridepose::adapters::messages::{Message, from_cdr, to_cdr};
use stridepose::adapters::result_bag::read_result_bag;
use stridepose::data::Stamp;
use stridepose::geometry::CameraModel;
use stridepose::stages::image::decode;

/// Images in the small bag.
const IMAGES: i32 = 4;
const SIDE: u32 = 8;

fn info(sec: i32) -> CameraInfo {
    CameraInfo {
        stamp: Stamp::from_sec_nanosec(sec, 0),
        frame_id: "camera".into(),
        height: SIDE,
        width: SIDE,
        distortion_model: "plumb_bob".into(),
        d: vec![0.1, 0.0, 0.0, 0.0, 0.0],
        k: [8.0, 0.0, 3.5, 0.0, 8.0, 3.5, 0.0, 0.0, 1.0],
        ..CameraInfo::default()
    }
}

/// Calls `write(topic, type, time, CDR)` for every message of the small bag.
fn small_bag(mut write: impl FnMut(&str, &str, Stamp, &[u8])) {
    let pixels = vec![90; (3 * SIDE * SIDE) as usize];
    let mut data = Vec::new();
    for sec in 1..=IMAGES {
        let stamp = Stamp::from_sec_nanosec(sec, 0);
        let header = Header { stamp, frame_id: "camera" };
        to_cdr(&info(sec), &mut data);
        write("/camera/camera_info", CameraInfo::TYPE, stamp, &data);
        let step = 3 * SIDE;
        let (height, width, encoding) = (SIDE, SIDE, "rgb8");
        to_cdr(&Image { header, height, width, encoding, is_bigendian: false, step, data: &pixels }, &mut data);
        write("/camera/image", Image::TYPE, stamp, &data);
        to_cdr(&KeypointArray { header, layout: "coco_17", people: Vec::new() }, &mut data);
        write("/keypoints", KeypointArray::TYPE, stamp, &data);
        to_cdr(&SkeletonArray { header, skeletons: Vec::new() }, &mut data);
        write("/stridepose/skeletons", SkeletonArray::TYPE, stamp, &data);
    }
}

/// The small bag as one MCAP file.
pub fn small_mcap(folder: &Path) -> Vec<u8> {
    let directory = folder.join("small");
    let mut writer = BagWriter::create(&directory).expect("a new folder");
    let mut topics = std::collections::BTreeMap::new();
    small_bag(|topic, kind, time, data| {
        let id = *topics
            .entry(topic.to_owned())
            .or_insert_with(|| writer.add_topic_of_type(topic, kind, Qos::Stream).expect("a known type"));
        writer.write_cdr(id, time, data).expect("room on the disk");
    });
    writer.finish().expect("room on the disk");
    std::fs::read(directory.join("small_0.mcap")).expect("what was written")
}

/// The small bag as one SQLite file.
pub fn small_db3(folder: &Path) -> Vec<u8> {
    let path = folder.join("small.db3");
    let database = Connection::open(&path).expect("a new file");
    database
        .execute_batch(
            "CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, serialization_format TEXT
             NOT NULL, offered_qos_profiles TEXT NOT NULL);
             CREATE TABLE messages (id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, data
             BLOB NOT NULL);",
        )
        .expect("tables");
    let mut topics: Vec<String> = Vec::new();
    small_bag(|topic, kind, time, data| {
        let id = topics.iter().position(|known| known == topic).unwrap_or_else(|| {
            topics.push(topic.to_owned());
            let values = params![topics.len() as i64, topic, kind];
            database.execute("INSERT INTO topics VALUES (?1, ?2, ?3, 'cdr', '')", values).expect("a row");
            topics.len() - 1
        });
        let values = params![id as i64 + 1, time.nanoseconds(), data];
        database.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (?1, ?2, ?3)", values).expect("a row");
    });
    drop(database);
    std::fs::read(path).expect("what was written")
}

/// The file that a fuzzer's bytes mean: themselves, or `base` with some bytes replaced and its end cut off.
pub fn patched(base: &[u8], bytes: &[u8]) -> Vec<u8> {
    let Some((kind, rest)) = bytes.split_first() else { return Vec::new() };
    if kind % 4 == 0 {
        return rest.to_vec();
    }
    let mut file = base.to_vec();
    for patch in rest.chunks_exact(5) {
        let at = u32::from_le_bytes([patch[0], patch[1], patch[2], patch[3]]) as usize % base.len();
        if kind % 4 == 1 {
            file[at] = patch[4];
        } else if kind % 4 == 2 {
            file[at] ^= 1 << (patch[4] % 8);
        } else {
            file.truncate(at.max(1));
            break;
        }
    }
    file
}

/// A file of the name `name` in a folder of its own, written anew for every input.
pub struct Scratch {
    folder: tempfile::TempDir,
    name: &'static str,
    base: Vec<u8>,
}

impl Scratch {
    /// In memory where the system has a folder for it.
    pub fn new(name: &'static str, make: impl FnOnce(&Path) -> Vec<u8>) -> Self {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder");
        let base = make(folder.path());
        Self { folder, name, base }
    }

    /// Writes the file that `bytes` mean and reads it as every command would.
    pub fn read(&self, bytes: &[u8]) {
        let path = self.folder.path().join(self.name);
        std::fs::write(&path, patched(&self.base, bytes)).expect("room for the file");
        read_everything(&path);
    }
}

/// Every reader of bags, over the bag at `path`.
pub fn read_everything(path: &Path) {
    let Ok(mut bag) = Bag::open(path) else { return };
    if let Ok(source) = ImageSource::new(&bag, TopicRequest { source: None, camera_info: None }) {
        let read = source.read::<BagError>(&mut bag, &mut |image| {
            if let Ok(image) = image {
                let _ = decode(&image.image);
                see(&image.camera_info);
            }
            Ok(ControlFlow::Continue(()))
        });
        drop(read);
    }
    if let Ok(source) = KeypointSource::new(&bag, TopicRequest { source: None, camera_info: None }) {
        let read = source.read::<BagError>(&mut bag, &mut |_| Ok(ControlFlow::Continue(())));
        drop(read);
    }
    drop(bag);
    let _ = read_result_bag(path, None);
}

/// A camera model of whatever was calibrated, and a point there and back.
pub fn see(info: &CameraInfo) {
    if let Ok(camera) = CameraModel::from_calibration(&info.calibration())
        && let Some(on_plane) = camera.normalise(Point2::new(3.0, 5.0))
    {
        let _ = camera.project(&on_plane.to_homogeneous().into());
    }
}

/// Reads `data` as a message of type `M`; whatever could be read.
pub fn read_as<'a, M: stridepose::adapters::messages::Decode<'a>>(data: &'a [u8]) -> Option<M> {
    from_cdr(data).ok()
}
