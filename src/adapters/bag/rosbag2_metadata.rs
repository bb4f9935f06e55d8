//! `metadata.yaml` of a rosbag2 directory.
//!
//! Read: versions 1 to 9 and what later ones keep; fields that are missing are `None` or empty. Written: version 5,
//! the one of ROS 2 Humble, because every later rosbag2 reads it, while Humble and Iron cannot read version 9, whose
//! `offered_qos_profiles` is a list instead of a string.

use serde::{Deserialize, Serialize};

use super::Topic;

/// Version that is written.
pub const VERSION: u32 = 5;

/// File name in a bag directory.
pub const FILE_NAME: &str = "metadata.yaml";

/// What `metadata.yaml` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Format version.
    pub version: u32,
    /// `mcap` or `sqlite3`.
    pub storage_identifier: String,
    /// Files in order, as listed.
    pub files: Vec<FileMetadata>,
    /// Topics with their counts.
    pub topics: Vec<Topic>,
    /// Log time of the first message, ns.
    pub starting_time_ns: i64,
    /// From the first to the last message, ns.
    pub duration_ns: i64,
    /// Number of messages.
    pub message_count: u64,
    /// Empty, or e.g. `zstd`.
    pub compression_format: String,
    /// Empty, `file` or `message` (any case).
    pub compression_mode: String,
}

/// One file of a bag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileMetadata {
    /// Path relative to the directory.
    pub path: String,
    /// Log time of its first message in ns, where listed.
    pub starting_time_ns: Option<i64>,
    /// From its first to its last message in ns, where listed.
    pub duration_ns: Option<i64>,
    /// Number of its messages, where listed.
    pub message_count: Option<u64>,
}

/// A `metadata.yaml` that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("metadata.yaml cannot be understood: {reason}")]
pub struct MetadataError {
    /// What the parser says.
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
struct Document {
    rosbag2_bagfile_information: Information,
}

#[derive(Serialize, Deserialize)]
struct Information {
    version: u32,
    storage_identifier: String,
    #[serde(default)]
    duration: Nanoseconds,
    #[serde(default)]
    starting_time: NanosecondsSinceEpoch,
    #[serde(default)]
    message_count: u64,
    #[serde(default)]
    topics_with_message_count: Vec<TopicWithCount>,
    #[serde(default)]
    compression_format: Option<String>,
    #[serde(default)]
    compression_mode: Option<String>,
    #[serde(default)]
    relative_file_paths: Vec<String>,
    #[serde(default)]
    files: Option<Vec<FileInformation>>,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Nanoseconds {
    nanoseconds: i64,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct NanosecondsSinceEpoch {
    nanoseconds_since_epoch: i64,
}

#[derive(Serialize, Deserialize)]
struct TopicWithCount {
    topic_metadata: TopicMetadata,
    message_count: u64,
}

#[derive(Serialize, Deserialize)]
struct TopicMetadata {
    name: String,
    #[serde(rename = "type")]
    type_name: String,
    serialization_format: String,
    /// A string of YAML up to version 8, a list from version 9 on.
    #[serde(default)]
    offered_qos_profiles: serde_yaml::Value,
}

#[derive(Serialize, Deserialize)]
struct FileInformation {
    path: String,
    starting_time: NanosecondsSinceEpoch,
    duration: Nanoseconds,
    message_count: u64,
}

impl Metadata {
    /// Reads the text of a `metadata.yaml`.
    ///
    /// # Errors
    /// [`MetadataError`] when it is no YAML or lacks what every version has.
    pub fn parse(text: &str) -> Result<Self, MetadataError> {
        let document: Document =
            serde_yaml::from_str(text).map_err(|error| MetadataError { reason: error.to_string() })?;
        let information = document.rosbag2_bagfile_information;
        let details = information.files.unwrap_or_default();
        let files = information.relative_file_paths.into_iter().map(|path| {
            let detail = details.iter().find(|file| file.path == path);
            FileMetadata {
                starting_time_ns: detail.map(|file| file.starting_time.nanoseconds_since_epoch),
                duration_ns: detail.map(|file| file.duration.nanoseconds),
                message_count: detail.map(|file| file.message_count),
                path,
            }
        });
        let topics = information.topics_with_message_count.into_iter().map(|topic| Topic {
            name: topic.topic_metadata.name,
            type_name: topic.topic_metadata.type_name,
            serialization: topic.topic_metadata.serialization_format,
            message_count: Some(topic.message_count),
            offered_qos_profiles: match topic.topic_metadata.offered_qos_profiles {
                serde_yaml::Value::String(text) => text,
                serde_yaml::Value::Sequence(list) if list.is_empty() => String::new(),
                serde_yaml::Value::Null => String::new(),
                other => serde_yaml::to_string(&other).unwrap_or_default(),
            },
        });
        Ok(Self {
            version: information.version,
            storage_identifier: information.storage_identifier,
            files: files.collect(),
            topics: topics.collect(),
            starting_time_ns: information.starting_time.nanoseconds_since_epoch,
            duration_ns: information.duration.nanoseconds,
            message_count: information.message_count,
            compression_format: information.compression_format.unwrap_or_default(),
            compression_mode: information.compression_mode.unwrap_or_default(),
        })
    }

    /// Whether its counts are those of the files that it lists. A recorder that keeps the newest files only, deleting older
    /// ones as it goes, counts the messages of those as well.
    pub fn counts_its_files(&self) -> bool {
        let in_files: Option<u64> = self.files.iter().map(|file| file.message_count).sum();
        in_files.is_none_or(|count| count >= self.message_count)
    }

    /// The text of a `metadata.yaml`, as version [`VERSION`].
    ///
    /// # Errors
    /// [`MetadataError`] when the serialiser fails.
    pub fn to_yaml(&self) -> Result<String, MetadataError> {
        let document = Document {
            rosbag2_bagfile_information: Information {
                version: VERSION,
                storage_identifier: self.storage_identifier.clone(),
                duration: Nanoseconds { nanoseconds: self.duration_ns },
                starting_time: NanosecondsSinceEpoch { nanoseconds_since_epoch: self.starting_time_ns },
                message_count: self.message_count,
                topics_with_message_count: self.topics.iter().map(topic_with_count).collect(),
                compression_format: Some(self.compression_format.clone()),
                compression_mode: Some(self.compression_mode.clone()),
                relative_file_paths: self.files.iter().map(|file| file.path.clone()).collect(),
                files: Some(self.files.iter().map(|file| self.file_information(file)).collect()),
            },
        };
        serde_yaml::to_string(&document).map_err(|error| MetadataError { reason: error.to_string() })
    }

    fn file_information(&self, file: &FileMetadata) -> FileInformation {
        let nanoseconds_since_epoch = file.starting_time_ns.unwrap_or(self.starting_time_ns);
        FileInformation {
            path: file.path.clone(),
            starting_time: NanosecondsSinceEpoch { nanoseconds_since_epoch },
            duration: Nanoseconds { nanoseconds: file.duration_ns.unwrap_or(self.duration_ns) },
            message_count: file.message_count.unwrap_or(self.message_count),
        }
    }
}

fn topic_with_count(topic: &Topic) -> TopicWithCount {
    TopicWithCount {
        topic_metadata: TopicMetadata {
            name: topic.name.clone(),
            type_name: topic.type_name.clone(),
            serialization_format: topic.serialization.clone(),
            offered_qos_profiles: serde_yaml::Value::String(topic.offered_qos_profiles.clone()),
        },
        message_count: topic.message_count.unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use proptest::prelude::*;

    fn metadata() -> Metadata {
        Metadata {
            version: VERSION,
            storage_identifier: "mcap".into(),
            files: vec![FileMetadata {
                path: "run_0.mcap".into(),
                starting_time_ns: Some(5),
                duration_ns: Some(7),
                message_count: Some(2),
            }],
            topics: vec![Topic {
                name: "/skeletons".into(),
                type_name: "stridepose/msg/SkeletonArray".into(),
                serialization: "cdr".into(),
                message_count: Some(2),
                offered_qos_profiles: "- history: 1\n  depth: 10\n".into(),
            }],
            starting_time_ns: 5,
            duration_ns: 7,
            message_count: 2,
            compression_format: String::new(),
            compression_mode: String::new(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Metadata::parse(&metadata().to_yaml().unwrap()).unwrap(), metadata());
    }

    #[test]
    fn version_4_without_files_and_version_9_with_a_qos_list_are_read() {
        let old = "rosbag2_bagfile_information:\n  version: 4\n  storage_identifier: sqlite3\n  relative_file_paths:\n    - a_0.db3\n  duration:\n    nanoseconds: 9\n  starting_time:\n    nanoseconds_since_epoch: 3\n  message_count: 1\n  topics_with_message_count:\n    - topic_metadata:\n        name: /t\n        type: std_msgs/msg/String\n        serialization_format: cdr\n        offered_qos_profiles: \"- history: 3\"\n      message_count: 1\n  compression_format: \"\"\n  compression_mode: \"\"\n";
        let read = Metadata::parse(old).unwrap();
        assert_eq!((read.version, read.files[0].starting_time_ns, read.duration_ns), (4, None, 9));
        assert_eq!(read.topics[0].offered_qos_profiles, "- history: 3");
        let new =
            old.replace("version: 4", "version: 9").replace("\"- history: 3\"", "[{history: keep_last, depth: 1}]");
        let qos = &Metadata::parse(&new).unwrap().topics[0].offered_qos_profiles;
        assert!(qos.contains("history: keep_last"), "{qos}");
    }

    #[test]
    fn files_that_were_deleted_are_still_counted() {
        let mut of_two = metadata();
        of_two.files[0].message_count = Some(2);
        assert!(of_two.counts_its_files());
        of_two.message_count = 3;
        assert!(!of_two.counts_its_files());
        of_two.files[0].message_count = None;
        assert!(of_two.counts_its_files(), "old versions do not say");
    }

    #[test]
    fn a_cut_file_is_an_error_or_lists_less() {
        let text = metadata().to_yaml().unwrap();
        for length in 0..text.len() {
            if let Ok(read) = Metadata::parse(&text[..length]) {
                assert!(read.topics.len() <= 1 && read.files.len() <= 1);
            }
        }
        assert!(Metadata::parse("").is_err());
        assert!(Metadata::parse("- 1").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ -~\n]{0,200}", position in 0_usize..600, replacement in "[ -~\n]{0,4}") {
            let _ = Metadata::parse(&text);
            let mut whole = metadata().to_yaml().unwrap();
            let position = position.min(whole.len() - 1);
            whole.replace_range(position..=position, &replacement);
            let _ = Metadata::parse(&whole);
        }
    }
}
