//! Reading bags: the recorded ones of the shared folder, damaged ones, and everything that is no bag.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![cfg(feature = "replay")]

mod common;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::{Recorded, record, record_bag, shared_bags};
use proptest::prelude::*;
use stridepose::adapters::bag::{Bag, BagError, Completeness, ImageSource, Refusal, TopicRequest};
use stridepose::adapters::messages::from_cdr;
use stridepose::adapters::messages::std_msgs::Text;
use stridepose::commands::inspect::{self, InspectArgs};
use stridepose::stages::image::decode;
use stridepose::warning::{Warning, WarningKind};

/// What the image source of a bag gives.
#[derive(Default)]
struct Images {
    /// Stamp (ns), focal length (px), size of the decoded picture and a hash of its pixels.
    images: Vec<(i64, i64, (u32, u32), u64)>,
    warnings: Vec<Warning>,
}

fn read_images(path: &Path) -> (Images, Completeness) {
    let mut bag = Bag::open(path).unwrap();
    let source = ImageSource::new(&bag, TopicRequest::default()).unwrap();
    let mut images = Images::default();
    let completeness = source
        .read::<BagError>(&mut bag, &mut |item| {
            match item {
                Ok(image) => {
                    let picture = decode(&image.image).unwrap();
                    let hash = picture.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
                        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                    });
                    assert_eq!(image.stamp, image.camera_info.stamp, "paired by stamp");
                    let focal_length = (image.camera_info.k[0] * 1000.0) as i64;
                    images.images.push((image.stamp.nanoseconds(), focal_length, picture.dimensions(), hash));
                }
                Err(skipped) => images.warnings.push(skipped.warning),
            }
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    (images, completeness)
}

#[test]
fn the_camera_bags_give_every_image_with_its_info() {
    let Some(bags) = shared_bags("the_camera_bags_give_every_image_with_its_info") else { return };
    for (name, count, size) in [("balance", 100, (544, 960)), ("pair", 100, (544, 960)), ("walk", 230, (884, 497))] {
        let (read, completeness) = read_images(&bags.join(name));
        assert_eq!(completeness, Completeness::Whole, "{name}");
        assert_eq!((read.images.len(), read.warnings.len()), (count, 0), "{name}");
        assert!(read.images.iter().all(|image| image.2 == size && image.1 > 0), "{name}");
        assert!(read.images.is_sorted_by(|a, b| a.0 < b.0), "{name}");
    }
}

#[test]
fn every_storage_and_compression_gives_the_same_pictures() {
    let Some(bags) = shared_bags("every_storage_and_compression_gives_the_same_pictures") else { return };
    let (whole, _) = read_images(&bags.join("balance"));
    for name in ["balance_zstd_12", "balance_db3_12", "balance_db3_zstd_12"] {
        let (read, completeness) = read_images(&bags.join(name));
        assert_eq!(completeness, Completeness::Whole, "{name}");
        assert_eq!(read.images, whole.images[..12], "{name}");
    }
    let (raw, _) = read_images(&bags.join("balance_raw_3"));
    let without_pixels = |images: &[(i64, i64, (u32, u32), u64)]| -> Vec<_> {
        images.iter().map(|image| (image.0, image.1, image.2)).collect()
    };
    assert_eq!(without_pixels(&raw.images), without_pixels(&whole.images[..3]));
    // The file alone, without its metadata.yaml.
    let alone = bags.join("balance_db3_zstd_12/balance_db3_zstd_12.db3");
    assert_eq!(read_images(&alone).0.images, whole.images[..12]);
    assert_eq!(read_images(&bags.join("balance/balance.mcap")).0.images, whole.images);
}

#[test]
fn a_robot_recording_with_many_topics_is_read() {
    let Some(bags) = shared_bags("a_robot_recording_with_many_topics_is_read") else { return };
    let mut bag = Bag::open(&bags.join("robot_camera_no_people")).unwrap();
    let source = ImageSource::new(&bag, TopicRequest::default()).unwrap();
    let mut count = 0;
    let completeness = source
        .read::<BagError>(&mut bag, &mut |item| {
            let image = item.unwrap();
            decode(&image.image).unwrap();
            count += 1;
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!((completeness, count), (Completeness::Whole, 10));
}

#[test]
fn what_rosbag2_recorded_itself_is_read_from_both_storages() {
    let Some(bags) = shared_bags("what_rosbag2_recorded_itself_is_read_from_both_storages") else { return };
    let folder = bags.join("recorded_by_rosbag2");
    for name in ["talker.mcap", "talker.db3"] {
        let mut bag = Bag::open(&folder.join(name)).unwrap();
        let topic = bag.topics().iter().find(|topic| topic.name == "/topic").unwrap();
        assert_eq!((topic.type_name.as_str(), topic.message_count), ("std_msgs/msg/String", Some(10)), "{name}");
        assert!(topic.offered_qos_profiles.contains("durability: 2"), "{name}");
        let mut texts = Vec::new();
        bag.read::<BagError>(&["/topic".into()], &mut |message| {
            texts.push(from_cdr::<Text<'_>>(message.data).unwrap().data.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        let expected: Vec<_> = (0..10).map(|number| format!("Hello, world! {number}")).collect();
        assert_eq!(texts, expected, "{name}");
    }
    let everything = |name: &str| {
        let mut bag = Bag::open(&folder.join(name)).unwrap();
        let topics: Vec<_> = bag.topics().iter().map(|topic| topic.name.clone()).collect();
        let mut messages = Vec::new();
        let read = bag.read::<BagError>(&topics, &mut |message| {
            messages.push((message.log_time_ns, message.topic.to_owned(), message.data.to_vec()));
            Ok(ControlFlow::Continue(()))
        });
        assert_eq!(read.unwrap(), Completeness::Whole);
        assert!(messages.is_sorted_by_key(|message| message.0), "{name} is not in log-time order");
        messages.sort();
        messages
    };
    let (from_mcap, from_db3) = (everything("wbag_0.mcap"), everything("wbag_0.db3"));
    assert_eq!(from_mcap.len(), 1246);
    assert_eq!(from_mcap, from_db3);
    // Four recordings of both kinds and no metadata.yaml: nobody knows which one is meant.
    let mixed = Bag::open(&folder).err().unwrap();
    assert!(matches!(&mixed, BagError::Refused(Refusal::MixedFolder { mcap_files: 2, db3_files: 2, .. })), "{mixed}");
}

fn refusal(path: &Path) -> String {
    let error = Bag::open(path).err().expect("must be refused");
    assert!(error.is_refusal(), "{error}");
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "one sentence: {text}");
    text
}

#[test]
fn what_is_no_bag_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    assert!(refusal(&folder.path().join("nowhere")).ends_with("does not exist"));
    assert!(refusal(folder.path()).contains("holds no bag"));
    assert!(refusal(&file("empty.mcap", b"")).contains("is empty (0 bytes)"));
    assert!(refusal(&file("notes.mcap", b"shopping list: milk")).contains("it starts with \"shopping list: m\""));
    assert!(refusal(&file("noise.db3", &[0xde, 0xad, 0xbe, 0xef])).contains("de ad be ef"));
    let database = folder.path().join("other.db3");
    rusqlite::Connection::open(&database).unwrap().execute("CREATE TABLE cats (name TEXT)", []).unwrap();
    assert!(refusal(&database).contains("no such table: topics"));
    let listed = folder.path().join("listed");
    std::fs::create_dir(&listed).unwrap();
    std::fs::write(
        listed.join("metadata.yaml"),
        "rosbag2_bagfile_information: {version: 5, storage_identifier: mcap, relative_file_paths: [gone_0.mcap]}",
    )
    .unwrap();
    assert!(refusal(&listed).contains("gone_0.mcap"));
}

#[test]
fn a_foreign_mcap_is_refused() {
    let Some(bags) = shared_bags("a_foreign_mcap_is_refused") else { return };
    let text = refusal(&bags.join("foreign_foxglove_json.mcap"));
    assert!(text.contains("no ROS 2 bag") && text.contains("json"), "{text}");
}

/// Everything in the bag at `path`.
fn read_all(path: &Path) -> Result<(Vec<Recorded>, Completeness), BagError> {
    let mut bag = Bag::open(path)?;
    let topics: Vec<_> = bag.topics().iter().map(|topic| topic.name.clone()).collect();
    let mut messages = Vec::new();
    let completeness = bag.read::<BagError>(&topics, &mut |message| {
        messages.push(Recorded::new(message));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((messages, completeness))
}

/// Cuts `whole` at `length` and checks that exactly a prefix is read.
fn check_cut(whole: &[u8], length: usize, expected: &[Recorded], copy: &Path) -> usize {
    std::fs::write(copy, &whole[..length]).unwrap();
    match read_all(copy) {
        Ok((read, completeness)) => {
            assert_eq!(read, expected[..read.len()], "cut at {length}");
            match completeness {
                Completeness::Whole => panic!("cut at {length} of {} was taken for whole", whole.len()),
                Completeness::Damaged { reason, bytes_read, bytes_total, messages_read, .. } => {
                    assert!(!reason.is_empty());
                    assert!(bytes_read <= bytes_total && bytes_read <= length as u64, "cut at {length}");
                    assert_eq!(messages_read as usize, read.len());
                }
            }
            read.len()
        }
        Err(error) => {
            assert!(error.is_refusal() && length < 8, "cut at {length}: {error}");
            0
        }
    }
}

#[test]
fn a_bag_cut_at_any_byte_gives_everything_before_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("cut.mcap");
    for compression in [None, Some(mcap::Compression::Zstd), Some(mcap::Compression::Lz4)] {
        for use_chunks in [true, false] {
            let path = folder.path().join("whole.mcap");
            record(&path, compression, use_chunks, 0..24);
            let whole = std::fs::read(&path).unwrap();
            let (expected, completeness) = read_all(&path).unwrap();
            assert_eq!((expected.len(), completeness), (24, Completeness::Whole), "{compression:?} {use_chunks}");
            let mut last = 0;
            for length in 0..whole.len() {
                let read = check_cut(&whole, length, &expected, &copy);
                assert!(read >= last, "{compression:?}: a longer piece gave less ({read} after {last} at {length})");
                last = read;
            }
            assert_eq!(last, 24);
        }
    }
}

#[test]
fn the_balance_bag_cut_anywhere_gives_everything_before_the_cut() {
    let Some(bags) = shared_bags("the_balance_bag_cut_anywhere_gives_everything_before_the_cut") else { return };
    let whole = std::fs::read(bags.join("balance/balance.mcap")).unwrap();
    let (expected, _) = read_all(&bags.join("balance")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("balance.mcap");
    std::fs::copy(bags.join("balance/metadata.yaml"), folder.path().join("metadata.yaml")).unwrap();
    for step in 1..40 {
        let length = whole.len() * step / 40 + step * 7919 % 1000;
        std::fs::write(&copy, &whole[..length]).unwrap();
        let (read, completeness) = read_all(folder.path()).unwrap();
        assert_eq!(read, expected[..read.len()]);
        // A message is there once all of its bytes are: the chunks are not compressed.
        let bytes: usize = expected[..read.len()].iter().map(|message| message.data.len()).sum();
        let next = expected[read.len()].data.len();
        assert!(bytes + next + 60_000 > length, "cut at {length}: only {bytes} bytes of messages");
        let sentence = completeness.to_string();
        assert!(sentence.contains(&format!("{} of 200 messages could be read", read.len())), "{sentence}");
        let Completeness::Damaged { reason, messages_read, messages_total, bytes_read, bytes_total } = completeness
        else {
            panic!("cut at {length} was taken for whole");
        };
        assert_eq!((messages_read, messages_total), (read.len() as u64, Some(200)));
        assert!(bytes_read <= bytes_total && reason.starts_with("balance.mcap: "), "{reason}");
    }
}

#[test]
fn a_chunk_with_a_wrong_byte_is_left_out_and_the_rest_read() {
    let folder = tempfile::tempdir().unwrap();
    for compression in [None, Some(mcap::Compression::Zstd), Some(mcap::Compression::Lz4)] {
        let path = folder.path().join("bag.mcap");
        record(&path, compression, true, 0..24);
        let (expected, _) = read_all(&path).unwrap();
        let mut data = std::fs::read(&path).unwrap();
        // Somewhere in the records of the third chunk: behind its fixed fields, the compression name and the size.
        let (mut position, mut chunks) = (8, 0);
        while chunks < 3 {
            chunks += usize::from(data[position] == mcap::records::op::CHUNK);
            let length = u64::from_le_bytes(data[position + 1..position + 9].try_into().unwrap());
            position += if chunks < 3 { 9 + length as usize } else { 9 + 32 + 4 + 8 + 30 };
        }
        data[position] ^= 0x55;
        std::fs::write(&path, &data).unwrap();
        let (read, completeness) = read_all(&path).unwrap();
        assert!(read.len() < 24 && read.len() >= 12, "{compression:?}: {} messages", read.len());
        assert!(read.iter().all(|message| expected.contains(message)), "{compression:?}: a wrong message was read");
        let Completeness::Damaged { reason, bytes_read, bytes_total, .. } = completeness else { panic!() };
        assert!(reason.contains("is damaged and left out"), "{reason}");
        assert!(bytes_read < bytes_total);
    }
}

/// The bytes of a bag of 24 messages whose chunks are not compressed and have no checksum, and where the records in its
/// chunks begin, with their opcodes.
fn unchecked(path: &Path) -> (Vec<u8>, Vec<(usize, u8)>) {
    record(path, None, true, 0..24);
    let mut data = std::fs::read(path).unwrap();
    let mut records = Vec::new();
    let length = |data: &[u8], at: usize| u64::from_le_bytes(data[at + 1..at + 9].try_into().unwrap()) as usize;
    let mut position = 8;
    while data[position] != mcap::records::op::DATA_END {
        let end = position + 9 + length(&data, position);
        if data[position] == mcap::records::op::CHUNK {
            // Behind its two times and its size; no compression has an empty name.
            data[position + 9 + 24..position + 9 + 28].fill(0);
            let mut record = position + 9 + 28 + 4 + 8;
            while record < end {
                records.push((record, data[record]));
                record += 9 + length(&data, record);
            }
        }
        position = end;
    }
    (data, records)
}

#[test]
fn a_wrong_byte_in_a_chunk_without_a_checksum_costs_its_message_and_is_stated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bag.mcap");
    let (whole, records) = unchecked(&path);
    std::fs::write(&path, &whole).unwrap();
    let (expected, completeness) = read_all(&path).unwrap();
    assert_eq!((expected.len(), completeness), (24, Completeness::Whole));
    let messages = records.iter().filter(|(_, opcode)| *opcode == mcap::records::op::MESSAGE);
    let messages: Vec<usize> = messages.map(|&(at, _)| at).collect();
    // Its length longer, shorter and absurd; its kind: none at all, another than a chunk holds, a schema.
    let faults: [(usize, u8, &str); 6] = [
        (1, 0x01, "1 of its 4 messages are lost"),
        (1, 0x10, "1 of its 4 messages are lost"),
        (4, 0x40, "1 of its 4 messages are lost"),
        (0, 0x05, "of a kind that no chunk holds"),
        (0, 0x40, "of a kind that no chunk holds"),
        (0, 0x06, "by its statistics"),
    ];
    for (byte, bits, stated) in faults {
        for (number, at) in messages.iter().enumerate() {
            let mut data = whole.clone();
            data[at + byte] ^= bits;
            std::fs::write(&path, &data).unwrap();
            let (read, completeness) = read_all(&path).unwrap();
            let rest: Vec<Recorded> = expected
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != number)
                .map(|(_, rest)| rest.clone())
                .collect();
            assert!(read == rest, "byte {byte}, {bits:#x}: {} messages without {number}", read.len());
            let Completeness::Damaged { reason, .. } = completeness else { panic!("{byte} {bits}: taken for whole") };
            assert!(reason.contains(stated), "{stated}: {reason}");
            // Whoever reads another topic only is told what of that is lost.
            let other = if number % 2 == 0 { "/odd" } else { "/even" };
            let mut bag = Bag::open(&path).unwrap();
            let only = bag.read::<BagError>(&[other.to_owned()], &mut |_| Ok(ControlFlow::Continue(()))).unwrap();
            assert!(!only.to_string().contains("by its statistics"), "{only}");
        }
    }
}

#[test]
fn a_hole_in_chunks_without_a_checksum_costs_what_lies_in_it_and_is_stated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bag.mcap");
    let (whole, records) = unchecked(&path);
    std::fs::write(&path, &whole).unwrap();
    let (expected, _) = read_all(&path).unwrap();
    for (first, _) in records.iter().filter(|(at, _)| at + 700 < whole.len()) {
        let mut data = whole.clone();
        data[first + 100..first + 400].fill(0);
        std::fs::write(&path, &data).unwrap();
        let (read, completeness) = read_all(&path).unwrap();
        // What the zeros lie in, and none of the others.
        assert!(read.len() >= 24 - 8, "zeros from {first}: {} messages", read.len());
        assert!(read.len() == 24 || matches!(completeness, Completeness::Damaged { .. }), "zeros from {first}");
        let stamps: Vec<i64> = expected.iter().map(|message| message.log_time_ns).collect();
        assert!(read.iter().all(|message| stamps.contains(&message.log_time_ns)));
    }
}

#[test]
fn messages_that_metadata_counts_and_no_file_holds_are_stated() {
    let folder = tempfile::tempdir().unwrap();
    record(&folder.path().join("run_0.mcap"), None, true, 0..24);
    let topic = |name: &str, count: u64| {
        format!(
            "\n  - topic_metadata: {{name: {name}, type: std_msgs/msg/String, serialization_format: cdr, \
             offered_qos_profiles: ''}}\n    message_count: {count}"
        )
    };
    let write = |even: u64, in_file: u64| {
        let yaml = format!(
            "rosbag2_bagfile_information:\n  version: 5\n  storage_identifier: mcap\n  message_count: {}\n  \
             relative_file_paths: [run_0.mcap]\n  files:\n  - {{path: run_0.mcap, starting_time: \
             {{nanoseconds_since_epoch: 0}}, duration: {{nanoseconds: 0}}, message_count: {in_file}}}\n  \
             topics_with_message_count:{}{}\n",
            even + 12,
            topic("/even", even),
            topic("/odd", 12)
        );
        std::fs::write(folder.path().join("metadata.yaml"), yaml).unwrap();
    };
    write(12, 24);
    assert_eq!(read_all(folder.path()).unwrap().1, Completeness::Whole);
    write(112, 124);
    let (read, completeness) = read_all(folder.path()).unwrap();
    assert_eq!(read.len(), 24);
    let sentence = completeness.to_string();
    assert!(sentence.contains("metadata.yaml counts 124 messages, its files hold 24"), "{sentence}");
    // Of the topics that are read, all are there.
    let mut bag = Bag::open(folder.path()).unwrap();
    let only = bag.read::<BagError>(&["/odd".to_owned()], &mut |_| Ok(ControlFlow::Continue(()))).unwrap();
    assert_eq!(only, Completeness::Whole);
    // Older files were deleted while it was recorded; the recorder was killed.
    write(112, 24);
    assert_eq!(read_all(folder.path()).unwrap().1, Completeness::Whole);
    write(0, 0);
    assert_eq!(read_all(folder.path()).unwrap().1, Completeness::Whole);
}

#[test]
fn a_wrong_byte_outside_chunks_is_stated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bag.mcap");
    record(&path, None, false, 0..24);
    let mut data = std::fs::read(&path).unwrap();
    let position = data.windows(40).position(|window| window == [10; 40]).unwrap();
    data[position] ^= 0x55;
    std::fs::write(&path, &data).unwrap();
    let (read, completeness) = read_all(&path).unwrap();
    assert_eq!(read.len(), 24);
    assert!(matches!(completeness, Completeness::Damaged { reason, .. } if reason.contains("their checksum is")));
}

#[test]
fn the_files_of_a_split_bag_come_in_order_and_a_missing_one_is_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // Times overlap between the files: message 11 lies in the third, 12 to 15 in the second.
    record(&path.join("run_0.mcap"), None, true, 0..8);
    record(&path.join("run_10.mcap"), None, true, 16..24);
    record(&path.join("run_2.mcap"), None, true, 8..16);
    let (read, completeness) = read_all(path).unwrap();
    assert_eq!(read.len(), 24);
    assert!(read.is_sorted_by_key(|message| message.log_time_ns));
    let Completeness::Damaged { reason, .. } = completeness else { panic!("taken for whole") };
    assert!(reason.contains("8 of the 11 files run_0, run_1, ... are missing"), "{reason}");

    let yaml = "rosbag2_bagfile_information:\n  version: 4\n  storage_identifier: mcap\n  message_count: 24\n  \
                relative_file_paths: [run_0.mcap, run_2.mcap, run_10.mcap]\n  topics_with_message_count:\n  - topic_metadata: \
                {name: /even, type: std_msgs/msg/String, serialization_format: cdr, offered_qos_profiles: ''}\n    message_count: 12\n  \
                - topic_metadata: {name: /odd, type: std_msgs/msg/String, serialization_format: cdr, offered_qos_profiles: ''}\n    \
                message_count: 12\n";
    std::fs::write(path.join("metadata.yaml"), yaml).unwrap();
    let (read, completeness) = read_all(path).unwrap();
    assert_eq!((read.len(), completeness), (24, Completeness::Whole));
    std::fs::remove_file(path.join("run_2.mcap")).unwrap();
    std::fs::write(path.join("run_10.mcap"), b"").unwrap();
    let (read, completeness) = read_all(path).unwrap();
    assert_eq!(read.len(), 8);
    let Completeness::Damaged { reason, messages_read, messages_total, .. } = completeness else { panic!() };
    assert!(reason.contains("run_2.mcap is listed in metadata.yaml and missing"), "{reason}");
    assert!(reason.contains("run_10.mcap is empty"), "{reason}");
    assert_eq!((messages_read, messages_total), (8, Some(24)));
}

#[test]
fn files_without_metadata_are_one_bag_only_where_they_are_numbered_as_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    record(&path.join("run_0.mcap"), None, true, 0..12);
    record(&path.join("run_1.mcap"), None, true, 12..24);
    let (read, completeness) = read_all(path).unwrap();
    assert_eq!((read.len(), completeness), (24, Completeness::Whole));
    record(&path.join("other.mcap"), None, true, 0..24);
    let text = refusal(path);
    assert!(text.contains("other.mcap, run_0.mcap, run_1.mcap; name one of them"), "{text}");
    // It says that they belong together, though not how.
    std::fs::write(path.join("metadata.yaml"), "").unwrap();
    assert_eq!(read_all(path).unwrap().0.len(), 48);
}

#[test]
fn overlapping_chunks_come_in_log_time_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shuffled.mcap");
    // Stamps run 7, 14, 21, 4, 11, … so that every chunk overlaps every other.
    record(&path, Some(mcap::Compression::Zstd), true, (0..24).map(|number| number * 7 % 24));
    let (read, completeness) = read_all(&path).unwrap();
    assert_eq!((read.len(), completeness), (24, Completeness::Whole));
    assert!(read.is_sorted_by(|a, b| a.log_time_ns < b.log_time_ns));
}

#[test]
fn files_compressed_as_a_whole_are_read_and_a_cut_one_up_to_its_cut() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.mcap");
    record(&plain, None, true, 0..24);
    let (expected, _) = read_all(&plain).unwrap();
    let compressed = zstd::encode_all(&std::fs::read(&plain).unwrap()[..], 3).unwrap();
    let path = folder.path().join("plain.mcap.zstd");
    std::fs::write(&path, &compressed).unwrap();
    assert_eq!(read_all(&path).unwrap(), (expected.clone(), Completeness::Whole));

    // Listed without its ".zstd".
    let directory = folder.path().join("bag");
    std::fs::create_dir(&directory).unwrap();
    std::fs::copy(&path, directory.join("plain.mcap.zstd")).unwrap();
    let yaml = "rosbag2_bagfile_information: {version: 4, storage_identifier: mcap, compression_format: zstd, \
                compression_mode: FILE, relative_file_paths: [plain.mcap]}";
    std::fs::write(directory.join("metadata.yaml"), yaml).unwrap();
    assert_eq!(read_all(&directory).unwrap(), (expected.clone(), Completeness::Whole));
    std::fs::write(directory.join("metadata.yaml"), yaml.replace("zstd", "fancy")).unwrap();
    assert!(refusal(&directory).contains("fancy"));

    // Cut inside the frame: one block may be gone, no message may be wrong.
    std::fs::write(&path, &compressed[..compressed.len() - 5]).unwrap();
    match read_all(&path) {
        Ok((read, completeness)) => {
            assert_eq!(read, expected[..read.len()]);
            assert!(matches!(completeness, Completeness::Damaged { .. }));
        }
        Err(error) => assert!(error.is_refusal(), "{error}"),
    }
}

#[test]
fn a_cut_database_gives_what_is_left() {
    let Some(bags) = shared_bags("a_cut_database_gives_what_is_left") else { return };
    let source = bags.join("balance_db3_12/balance_db3_12.db3");
    let whole = std::fs::read(&source).unwrap();
    let (expected, _) = read_all(&source).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("cut.db3");
    let mut best = 0;
    for step in 1..20 {
        std::fs::write(&copy, &whole[..whole.len() * step / 20]).unwrap();
        match read_all(&copy) {
            Ok((read, completeness)) => {
                assert!(read.iter().all(|message| expected.contains(message)), "{step}: a wrong message was read");
                assert!(matches!(completeness, Completeness::Damaged { .. }), "step {step} was taken for whole");
                best = best.max(read.len());
            }
            Err(error) => assert!(error.is_refusal(), "{error}"),
        }
    }
    assert!(best >= 12, "a nearly whole database gave {best} of 24 messages");
}

#[test]
fn bad_messages_are_warned_about_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("camera");
    record_bag(&path, &|number, image| {
        if number == 2 {
            image.truncate(60);
        }
    });
    let (read, completeness) = read_images(&path);
    assert_eq!(completeness, Completeness::Whole);
    assert_eq!((read.images.len(), read.warnings.len()), (5, 1));
    assert_eq!(read.warnings[0].kind, WarningKind::ImageRefused);
    assert!(read.warnings[0].message.starts_with("image 2: "), "{}", read.warnings[0].message);
}

#[test]
fn inspect_shows_topics_rates_cameras_and_what_replay_would_read() {
    let Some(bags) = shared_bags("inspect_shows_topics_rates_cameras_and_what_replay_would_read") else { return };
    let inspect =
        |name: &str| inspect::run(&InspectArgs { bag: bags.join(name), image: None, camera_info: None }).unwrap();
    let balance = inspect("balance");
    assert!(balance.is_usable);
    for part in [
        "/camera/image_raw/compressed  sensor_msgs/msg/CompressedImage       100      60.00",
        "duration  1.650 s",
        "544x960 px, fx ",
        "plumb_bob [",
        "would read images of /camera/image_raw/compressed with /camera/camera_info",
    ] {
        assert!(balance.text.contains(part), "\"{part}\" is missing in\n{}", balance.text);
    }
    let talker = inspect("recorded_by_rosbag2/talker.mcap");
    assert!(!talker.is_usable);
    assert!(talker.text.contains("would refuse: no topic of type sensor_msgs/msg/Image"), "{}", talker.text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_scribbled_bag_never_panics(positions in proptest::collection::vec((0_usize..1_000_000, any::<u8>()), 1..6), which in 0_usize..4) {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("scribbled.mcap");
        let compression = [None, Some(mcap::Compression::Zstd), Some(mcap::Compression::Lz4), None][which];
        record(&path, compression, which != 3, 0..24);
        let mut data = std::fs::read(&path).unwrap();
        for (position, value) in positions {
            let position = position % data.len();
            data[position] = value;
        }
        std::fs::write(&path, &data).unwrap();
        if let Ok((read, _)) = read_all(&path) {
            prop_assert!(read.len() <= 24);
        }
    }
}
