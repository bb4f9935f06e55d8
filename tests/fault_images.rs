//! Every fault that a picture or its calibration can have, through the whole program with the project's own networks: it is
//! counted, named and skipped, what was before it is what it was, and the next picture is looked at again.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/faults.rs"]
mod faults;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use stridepose::adapters::bag::writer::{BagWriter, Qos};
use stridepose::adapters::bag::{Bag, BagError};
use stridepose::adapters::messages::sensor_msgs::{CameraInfo, CompressedImage, Image};
use stridepose::adapters::messages::std_msgs::Header;
use stridepose::adapters::messages::{from_cdr, to_cdr};
use stridepose::adapters::scene_bag::write_scene_pictures;
use stridepose::data::Stamp;
use stridepose::scene::SceneSettings;
use stridepose::stages::image::{EncodedImage, decode};

use faults::{Expected, Ran, expect, without_identities};

/// Images of the whole recording.
const IMAGES: usize = 12;
/// The image that is spoilt.
const SPOILT: usize = 6;
const FRAME: &str = "camera_optical_frame";
const OWN_NETWORKS: [&str; 6] = [
    "-p",
    "detector.model:=stridepose_person",
    "-p",
    "detector.score_threshold:=0.5",
    "-p",
    "keypoints.model:=stridepose_pose_small",
];

/// One picture with its calibration.
#[derive(Clone)]
struct Shot {
    stamp: Stamp,
    info: Option<CameraInfo>,
    picture: Picture,
}

#[derive(Clone)]
enum Picture {
    Jpeg {
        format: &'static str,
        data: Vec<u8>,
    },
    Raw {
        width: u32,
        height: u32,
        encoding: &'static str,
        step: u32,
        data: Vec<u8>,
    },
    /// The bytes of the message.
    Bytes(Vec<u8>),
}

impl Shot {
    fn message(&self) -> Vec<u8> {
        let (header, mut bytes) = (Header { stamp: self.stamp, frame_id: FRAME }, Vec::new());
        match &self.picture {
            Picture::Jpeg { format, data } => to_cdr(&CompressedImage { header, format, data }, &mut bytes),
            Picture::Raw { width, height, encoding, step, data } => {
                let (width, height, step) = (*width, *height, *step);
                to_cdr(&Image { header, width, height, encoding, is_bigendian: false, step, data }, &mut bytes);
            }
            Picture::Bytes(data) => bytes.clone_from(data),
        }
        bytes
    }

    fn info(&mut self) -> &mut CameraInfo {
        self.info.as_mut().unwrap()
    }

    fn jpeg(&mut self) -> &mut Vec<u8> {
        let Picture::Jpeg { data, .. } = &mut self.picture else { panic!("a JPEG") };
        data
    }

    fn make_raw(&mut self) {
        let Picture::Jpeg { format, data } = &self.picture else { return };
        let picture = decode(&EncodedImage::Compressed { format, data }).unwrap();
        let (width, height) = picture.dimensions();
        self.picture = Picture::Raw { width, height, encoding: "rgb8", step: 3 * width, data: picture.into_raw() };
    }
}

/// Rendered pictures of somebody who walks, at 15 Hz.
fn shots(folder: &Path) -> Vec<Shot> {
    shots_of(1, folder)
}

/// Rendered pictures of people who walk, at 15 Hz.
fn shots_of(people: usize, folder: &Path) -> Vec<Shot> {
    let bag = folder.join("scene");
    let settings = SceneSettings {
        people,
        duration_secs: IMAGES as f64 / 15.0,
        rate_hz: 15.0,
        pillar: None,
        seed: 2,
        ..SceneSettings::default()
    };
    write_scene_pictures(&settings, &bag, &mut |_| ()).unwrap();
    let (mut infos, mut shots) = (Vec::new(), Vec::new());
    let topics = ["/camera/camera_info".to_owned(), "/camera/image_raw/compressed".to_owned()];
    Bag::open(&bag)
        .unwrap()
        .read::<BagError>(&topics, &mut |message| {
            if message.topic == topics[0] {
                infos.push(from_cdr::<CameraInfo>(message.data).unwrap());
            } else {
                let image: CompressedImage<'_> = from_cdr(message.data).unwrap();
                let picture = Picture::Jpeg { format: "jpeg", data: image.data.to_vec() };
                shots.push(Shot { stamp: image.header.stamp, info: None, picture });
            }
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!((infos.len(), shots.len()), (IMAGES, IMAGES));
    for (shot, info) in shots.iter_mut().zip(infos) {
        assert_eq!(shot.stamp, info.stamp);
        shot.info = Some(info);
    }
    shots
}

fn write(shots: &[Shot], bag: &Path) {
    let _ = fs::remove_dir_all(bag);
    let mut writer = BagWriter::create(bag).unwrap();
    let infos = writer.add_topic::<CameraInfo>("/camera/camera_info", Qos::Stream).unwrap();
    let is_raw = matches!(shots[0].picture, Picture::Raw { .. });
    let pictures = if is_raw {
        writer.add_topic::<Image<'_>>("/camera/image_raw", Qos::Stream)
    } else {
        writer.add_topic::<CompressedImage<'_>>("/camera/image_raw/compressed", Qos::Stream)
    }
    .unwrap();
    for (index, shot) in shots.iter().enumerate() {
        // Recorded in their order, whatever the stamps say.
        let recorded = Stamp::from_nanoseconds(1_700_000_000_000_000_000 + index as i64 * 66_666_667);
        if let Some(info) = &shot.info {
            writer.write(infos, recorded, info).unwrap();
        }
        writer.write_cdr(pictures, recorded, &shot.message()).unwrap();
    }
    writer.finish().unwrap();
}

fn replay(name: &str, shots: &[Shot], folder: &Path) -> Ran {
    replay_with(&[], name, shots, folder)
}

fn replay_with(more: &[&str], name: &str, shots: &[Shot], folder: &Path) -> Ran {
    let bag = folder.join("bag");
    write(shots, &bag);
    faults::replay(name, &bag, &folder.join("result"), &[&OWN_NETWORKS, more].concat())
}

/// A fault, and what must come of it; in [`Expected::skeletons`] how many fewer images than without the fault.
type Row = (&'static str, fn(&mut [Shot]), Expected);

/// One picture is refused, and nothing else changes.
const REFUSED: Expected = expect(3, IMAGES, 1, &[("image_refused", 1)]);
/// One calibration is refused, and nothing else changes.
const INFO_REFUSED: Expected = expect(3, IMAGES, 1, &[("camera_info_refused", 1)]);

const COMPRESSED: &[Row] = &[
    ("nothing wrong", |_| (), expect(0, IMAGES, 0, &[])),
    (
        "a JPEG cut in the middle",
        |shots| {
            let data = shots[SPOILT].jpeg();
            data.truncate(data.len() / 2);
        },
        REFUSED,
    ),
    ("a JPEG cut in its header", |shots| shots[SPOILT].jpeg().truncate(30), REFUSED),
    ("no byte of a JPEG", |shots| shots[SPOILT].jpeg().clear(), REFUSED),
    (
        "noise in the place of a JPEG",
        |shots| shots[SPOILT].jpeg().iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * at % 251) as u8),
        REFUSED,
    ),
    (
        "a JPEG that says it has 65500 x 65500 pixels",
        |shots| {
            let data = shots[SPOILT].jpeg();
            // Start of frame: length and precision, then height and width.
            let at = data.windows(2).position(|bytes| bytes == [0xff, 0xc0]).unwrap();
            data[at + 5..at + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
        },
        REFUSED,
    ),
    (
        "a picture that is no JPEG and no PNG",
        |shots| shots[SPOILT].picture = Picture::Jpeg { format: "h264", data: vec![0, 0, 0, 1, 0x67, 0x42] },
        REFUSED,
    ),
    (
        "a message cut in the middle",
        |shots| {
            let mut bytes = shots[SPOILT].message();
            bytes.truncate(bytes.len() / 2);
            shots[SPOILT].picture = Picture::Bytes(bytes);
        },
        REFUSED,
    ),
    ("a focal length of zero", |shots| shots[SPOILT].info().k = [0.0; 9], INFO_REFUSED),
    ("a focal length that is not a number", |shots| shots[SPOILT].info().k[0] = f64::NAN, INFO_REFUSED),
    ("an infinite distortion", |shots| shots[SPOILT].info().d[1] = f64::INFINITY, INFO_REFUSED),
    ("a calibration for another size", |shots| shots[SPOILT].info().width = 1280, INFO_REFUSED),
    ("a distortion that nobody knows", |shots| shots[SPOILT].info().distortion_model = "banana".into(), INFO_REFUSED),
    (
        "a camera that is not calibrated",
        |shots| shots.iter_mut().for_each(|shot| shot.info().k = [0.0; 9]),
        expect(3, IMAGES, IMAGES, &[("camera_info_refused", IMAGES as u64)]),
    ),
    (
        "a calibration that comes after the sixth picture",
        |shots| shots[..SPOILT].iter_mut().for_each(|shot| shot.info = None),
        expect(3, IMAGES, SPOILT, &[("no_camera_info", 5)]),
    ),
    (
        "a stamp of zero",
        |shots| {
            shots[SPOILT].stamp = Stamp::default();
            shots[SPOILT].info().stamp = Stamp::default();
        },
        REFUSED,
    ),
    ("the same stamp twice", |shots| shots[SPOILT].stamp = shots[SPOILT - 1].stamp, REFUSED),
];

fn raw(shot: &mut Shot) -> (&mut u32, &mut u32, &mut &'static str, &mut u32, &mut Vec<u8>) {
    let Picture::Raw { width, height, encoding, step, data } = &mut shot.picture else { panic!("raw pixels") };
    (width, height, encoding, step, data)
}

const RAW: &[Row] = &[
    ("nothing wrong", |_| (), expect(0, IMAGES, 0, &[])),
    ("a step shorter than a row", |shots| *raw(&mut shots[SPOILT]).3 = 640, REFUSED),
    ("a step longer than the data has", |shots| *raw(&mut shots[SPOILT]).3 += 1, REFUSED),
    ("a step of zero", |shots| *raw(&mut shots[SPOILT]).3 = 0, REFUSED),
    ("a byte too few", |shots| raw(&mut shots[SPOILT]).4.truncate(640 * 480 * 3 - 1), REFUSED),
    ("no data", |shots| raw(&mut shots[SPOILT]).4.clear(), REFUSED),
    ("an encoding that nobody knows", |shots| *raw(&mut shots[SPOILT]).2 = "rgb565", REFUSED),
    ("an encoding of more bytes", |shots| *raw(&mut shots[SPOILT]).2 = "rgba8", REFUSED),
    ("a width of zero", |shots| *raw(&mut shots[SPOILT]).0 = 0, REFUSED),
    (
        "sizes as large as can be said",
        |shots| {
            let (width, height, _, step, _) = raw(&mut shots[SPOILT]);
            (*width, *height, *step) = (u32::MAX, u32::MAX, u32::MAX);
        },
        REFUSED,
    ),
    ("half the height of the calibration", |shots| *raw(&mut shots[SPOILT]).1 /= 2, REFUSED),
];

/// Every row against what the same pictures give without a fault.
fn check(rows: &[Row], whole: &[Shot], folder: &Path) {
    let mut wrong = Vec::new();
    let reference = replay("whole", whole, folder);
    let with_skeleton = reference.images_with_skeleton();
    assert!(with_skeleton >= IMAGES - 2, "{with_skeleton} images with somebody");
    let said = without_identities(&reference.sequence);
    for (name, spoil, expected) in rows {
        let mut shots = whole.to_vec();
        spoil(&mut shots);
        let ran = replay(name, &shots, folder);
        let least = with_skeleton.saturating_sub(expected.skeletons);
        wrong.extend(ran.difference(name, &Expected { skeletons: least, ..*expected }));
        if expected.skeletons > 1 {
            continue;
        }
        let mut now = without_identities(&ran.sequence);
        // What is read comes by stamp: one of zero would be the first.
        now.retain(|(stamp, _)| *stamp != Stamp::default());
        if now[..SPOILT] != said[..SPOILT] {
            wrong.push(format!("{name}: what was before the fault is not what it was"));
        }
        if now.last().unwrap().1.len() != said.last().unwrap().1.len() {
            wrong.push(format!("{name}: the last image has {} people", now.last().unwrap().1.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_of_a_compressed_picture_and_its_calibration_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    check(COMPRESSED, &shots(folder.path()), folder.path());
}

#[test]
fn every_fault_of_raw_pixels_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = shots(folder.path());
    whole.iter_mut().for_each(Shot::make_raw);
    check(RAW, &whole, folder.path());
}

#[test]
fn pictures_that_start_again_are_seen_as_the_first_time_and_twice_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let whole = shots(folder.path());
    let once = replay("once", &whole, folder.path());
    let looped: Vec<Shot> = whole.iter().chain(&whole).cloned().collect();
    let twice = replay("twice", &looped, folder.path());
    assert_eq!(twice.warnings(), [("time_went_back".to_owned(), 1)]);
    let (once, said) = (without_identities(&once.sequence), without_identities(&twice.sequence));
    // What is read comes by stamp: the first time and the second in turn.
    for (pair, once) in said.chunks(2).zip(&once) {
        assert!(pair[0] == *once && pair[1] == *once, "{:?} is not what it was", once.0);
    }
    assert_eq!(said.len(), 2 * once.len());
    let bytes = fs::read(&twice.file).unwrap();
    assert!(fs::read(replay("again", &looped, folder.path()).file).unwrap() == bytes, "replay is not repeatable");
}

#[test]
fn of_a_crowd_in_the_picture_no_more_than_are_wanted_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let three = shots_of(3, folder.path());
    let most_in_view = |ran: &Ran| ran.sequence.images.iter().map(|image| image.people.len()).max().unwrap();
    let all = replay("all", &three, folder.path());
    assert!(all.warnings().is_empty() && most_in_view(&all) > 1, "{:?}", all.warnings());
    let one = replay_with(&["-p", "detector.max_people:=1"], "one", &three, folder.path());
    assert_eq!((one.exit, most_in_view(&one)), (0, 1));
    assert!(matches!(&one.warnings()[..], [(kind, _)] if kind == "too_many_people"), "{:?}", one.warnings());
    let followed = one.sequence.images.iter().flat_map(|image| &image.people).map(|person| person.track_id);
    let mut followed: Vec<_> = followed.collect();
    assert!(followed.len() >= IMAGES - 3, "{followed:?}");
    followed.dedup();
    assert_eq!(followed.len(), 1, "one and the same: {followed:?}");
}
