//! What the fuzz targets share: a small bag of every kind of input, patches to it, and a reader that does all that
//! `stridepose replay` does before the networks.

use std::ops::ControlFlow;
use std::path::Path;

use nalgebra::Point2;
use rusqlite::{Connection, params};
use stridepose::adapters::bag::writer::{BagWriter, Qos};
use stridepose::adapters::bag::{Bag, BagError, ImageSource, KeypointSource, TopicRequest};
use stridepose::adapters::messages::geometry_msgs::{Point, Quaternion, TransformStamped};
use stridepose::adapters::messages::sensor_msgs::{CameraInfo, Image};
use stridepose::adapters::messages::std_msgs::Header;
use stridepose::adapters::messages::stridepose::{KeypointArray, SkeletonArray};
use stridepose::adapters::messages::tf2_msgs::TfMessage;
use stridepose::adapters::messages::{Message, from_cdr, to_cdr};
use stridepose::adapters::result_bag::read_result_bag;
use stridepose::adapters::truth::tf::{FrameChoice, PersonFrames, parse_mapping, read_truth_tf};
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

/// The small bag as one MCAP file, and its metadata.yaml.
fn small_folder(folder: &Path) -> (Vec<u8>, Vec<u8>) {
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
    let file = |name| std::fs::read(directory.join(name)).expect("what was written");
    (file("small_0.mcap"), file("metadata.yaml"))
}

/// The small bag as one MCAP file.
pub fn small_mcap(folder: &Path) -> Vec<u8> {
    small_folder(folder).0
}

/// The small bag as one SQLite file.
pub fn small_db3(folder: &Path) -> Vec<u8> {
    small_db3_of(&folder.join("small.db3"), &|data| data.to_vec())
}

/// The small bag as one SQLite file in which each message is compressed.
pub fn small_compressed_db3(folder: &Path) -> Vec<u8> {
    small_db3_of(&folder.join("small_compressed.db3"), &compressed)
}

fn compressed(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 3).expect("memory can be written")
}

fn small_db3_of(path: &Path, stored: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let database = Connection::open(path).expect("a new file");
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
        let values = params![id as i64 + 1, time.nanoseconds(), stored(data)];
        database
            .execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (?1, ?2, ?3)", values)
            .expect("a row");
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
        let folder = memory_folder();
        let base = make(folder.path());
        Self { folder, name, base }
    }

    /// Writes the file that `bytes` mean and reads it as every command would. Returns how many images it has.
    pub fn read(&self, bytes: &[u8]) -> usize {
        let path = self.folder.path().join(self.name);
        std::fs::write(&path, patched(&self.base, bytes)).expect("room for the file");
        read_everything(&path)
    }
}

/// A folder of a bag, both metadata.yaml and file written anew for every input.
pub struct FolderScratch {
    folder: tempfile::TempDir,
    files: [(&'static str, Vec<u8>); 3],
    metadata: String,
}

impl FolderScratch {
    /// In memory where the system has a folder for it.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let folder = memory_folder();
        let (mcap, metadata) = small_folder(folder.path());
        let whole = compressed(&mcap);
        let db3 = small_db3(folder.path());
        let files = [("small_0.mcap", mcap), ("small_0.db3", db3), ("small_0.mcap.zstd", whole)];
        Self { folder, files, metadata: String::from_utf8(metadata).expect("YAML is text") }
    }

    /// Writes the folder that `bytes` mean and reads it as every command would: which file, how much of the rest changes
    /// metadata.yaml, and what changes the file. Returns how many images it has.
    pub fn read(&self, bytes: &[u8]) -> usize {
        let [kind, length, rest @ ..] = bytes else { return 0 };
        let (in_metadata, in_file) = rest.split_at(rest.len().min(4 * usize::from(*length)));
        let (name, base) = &self.files[usize::from(*kind) % self.files.len()];
        let bag = self.folder.path().join("bag");
        let _ = std::fs::remove_dir_all(&bag);
        std::fs::create_dir(&bag).expect("a new folder");
        let write = |name: &str, data: Vec<u8>| std::fs::write(bag.join(name), data).expect("room for the file");
        let metadata = self.metadata.replace("small_0.mcap", name);
        // Nothing means no change here.
        let change = |base: &[u8], bytes: &[u8]| if bytes.is_empty() { base.to_vec() } else { patched(base, bytes) };
        write("metadata.yaml", change(metadata.as_bytes(), in_metadata));
        write(name, change(base, in_file));
        read_everything(&bag)
    }
}

/// A bag of transforms, its messages written anew for every input.
pub struct TfScratch {
    folder: tempfile::TempDir,
    base: Vec<u8>,
    people: Vec<PersonFrames>,
}

impl TfScratch {
    /// In memory where the system has a folder for it.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let transform = |parent: &'static str, child: &'static str, sec: i32| TransformStamped {
            header: Header { stamp: Stamp::from_sec_nanosec(sec, 0), frame_id: parent },
            child_frame_id: child.into(),
            translation: Point { x: 0.1, y: 0.2, z: 3.0 },
            rotation: Quaternion::default(),
        };
        let children = [("world", "camera"), ("world", "body_1"), ("body_1", "r_hip_1"), ("world", "l_wrist_1")];
        let transforms =
            (1..=2).flat_map(|sec| children.map(|(parent, child)| transform(parent, child, sec))).collect();
        let mut base = Vec::new();
        to_cdr(&TfMessage { transforms }, &mut base);
        let people = parse_mapping("{pelvis: body_1, r_hip: r_hip_1, l_wrist: l_wrist_1}").expect("a mapping");
        Self { folder: memory_folder(), base, people }
    }

    /// Writes the transforms that `bytes` mean, static ones and others, and looks people up in them. Returns in how many of
    /// the two ways somebody was found.
    pub fn read(&self, bytes: &[u8]) -> usize {
        let path = self.folder.path().join("bag");
        let _ = std::fs::remove_dir_all(&path);
        let mut writer = BagWriter::create(&path).expect("a new folder");
        let topics = ["/tf_static", "/tf"]
            .map(|name| writer.add_topic_of_type(name, TfMessage::TYPE, Qos::Stream).expect("a known type"));
        for (index, part) in bytes.chunks(bytes.len().div_ceil(3).max(1)).enumerate() {
            let time = Stamp::from_sec_nanosec(index as i32 + 1, 0);
            writer.write_cdr(topics[index % 2], time, &patched(&self.base, part)).expect("room on the disk");
        }
        writer.finish().expect("room on the disk");
        let stamps = [0, 1, 2, 3].map(|sec| Stamp::from_sec_nanosec(sec, 500));
        let choices = [FrameChoice::Published { prefix: None }, FrameChoice::Named(&self.people)];
        choices.into_iter().filter(|choice| read_truth_tf(&path, *choice, "camera", &stamps).is_ok()).count()
    }
}

fn memory_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}

/// Every reader of bags, over the bag at `path`. Returns how many images it has.
pub fn read_everything(path: &Path) -> usize {
    let Ok(mut bag) = Bag::open(path) else { return 0 };
    let mut images = 0;
    if let Ok(source) = ImageSource::new(&bag, TopicRequest { source: None, camera_info: None }) {
        let read = source.read::<BagError>(&mut bag, &mut |image| {
            if let Ok(image) = image {
                images += 1;
                let _ = decode(&image.image);
                see(image.camera_info);
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
    images
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
