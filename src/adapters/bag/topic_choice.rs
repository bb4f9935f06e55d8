//! Which topics of a bag to use: the named ones, or the only ones of the right type. Nothing is preferred silently:
//! where more than one could be meant, the choice is refused with the list.

use super::topics::Topics;
use super::{BagError, Refusal, Topic};
use crate::adapters::messages::Message;
use crate::adapters::messages::sensor_msgs::{CameraInfo, CompressedImage, Image};
use crate::adapters::messages::stridepose::{KeypointArray, SkeletonArray};

/// Topics the user named; `None` is to be found by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicRequest<'a> {
    /// Images or keypoints.
    pub source: Option<&'a str>,
    /// `CameraInfo`.
    pub camera_info: Option<&'a str>,
}

/// The topics to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraTopics {
    /// Images or keypoints.
    pub source: String,
    /// Message type of `source`.
    pub source_type: String,
    /// Messages of `source`, where the bag says.
    pub source_count: Option<u64>,
    /// `CameraInfo`.
    pub camera_info: String,
}

/// The topics of one camera's images, raw or compressed.
///
/// # Errors
/// [`Refusal::Topic`] with the candidates when there is none or more than one, or a named one is not there.
pub fn choose_image_topics(topics: &Topics, request: TopicRequest<'_>) -> Result<CameraTopics, BagError> {
    choose(topics, request, "image", &[Image::TYPE, CompressedImage::TYPE])
}

/// The topics of one camera's 2D keypoints.
///
/// # Errors
/// [`Refusal::Topic`] with the candidates when there is none or more than one, or a named one is not there.
pub fn choose_keypoint_topics(topics: &Topics, request: TopicRequest<'_>) -> Result<CameraTopics, BagError> {
    choose(topics, request, "keypoints", &[KeypointArray::TYPE])
}

/// The topics of one camera's skeletons, for the keypoints that they rest on.
///
/// # Errors
/// [`Refusal::Topic`] with the candidates when there is none or more than one, or a named one is not there.
pub fn choose_skeleton_topics(topics: &Topics, request: TopicRequest<'_>) -> Result<CameraTopics, BagError> {
    choose(topics, request, "skeletons", &[SkeletonArray::TYPE])
}

fn choose(topics: &Topics, request: TopicRequest<'_>, what: &str, types: &[&str]) -> Result<CameraTopics, BagError> {
    let source = find(topics, request.source, what, types, |_| true)?;
    let camera_info_types = &[CameraInfo::TYPE];
    let camera_info = match find(topics, request.camera_info, "camera_info", camera_info_types, |_| true) {
        Ok(topic) => topic,
        Err(refusal) if request.camera_info.is_some() => return Err(refusal),
        // Several cameras: ROS puts camera_info beside the images, `/left/camera_info` for `/left/image_raw/compressed`.
        Err(refusal) => find(topics, None, "camera_info", camera_info_types, |topic| {
            topic.name.strip_suffix("camera_info").is_some_and(|namespace| {
                source
                    .name
                    .strip_prefix(namespace)
                    .is_some_and(|rest| rest.strip_suffix("/compressed").unwrap_or(rest).split('/').count() == 1)
            })
        })
        .map_err(|_| refusal)?,
    };
    Ok(CameraTopics {
        source: source.name.clone(),
        source_type: source.type_name.clone(),
        source_count: source.message_count,
        camera_info: camera_info.name.clone(),
    })
}

fn find<'a>(
    topics: &'a Topics,
    name: Option<&str>,
    what: &str,
    types: &[&str],
    accept: impl Fn(&Topic) -> bool,
) -> Result<&'a Topic, BagError> {
    // What is not there may be what is lost.
    let refuse_absent = |text: String| Err(Refusal::Topic(text + &topics.but_damaged()).into());
    let refuse = |text: String| Err(Refusal::Topic(text).into());
    let types_text = types.join(" or ");
    let usable = |topic: &&Topic| topic.serialization == "cdr" && types.contains(&topic.type_name.as_str());
    if let Some(name) = name {
        return match topics.iter().find(|topic| topic.name == name) {
            None => refuse_absent(format!("there is no topic {name}; the bag has {}", list(topics.iter()))),
            Some(topic) if usable(&topic) => Ok(topic),
            Some(topic) => refuse(format!(
                "topic {name} is of type {} ({}), {what} needs {types_text} (cdr)",
                topic.type_name, topic.serialization
            )),
        };
    }
    let candidates: Vec<&Topic> = topics.iter().filter(usable).filter(|topic| accept(topic)).collect();
    // A topic that was recorded without a single message cannot be meant.
    let filled: Vec<&Topic> = candidates.iter().copied().filter(|topic| topic.message_count != Some(0)).collect();
    match (candidates.as_slice(), filled.as_slice()) {
        (_, [only]) => Ok(only),
        ([], _) => refuse_absent(format!("no topic of type {types_text}; the bag has {}", list(topics.iter()))),
        (_, []) => {
            refuse_absent(format!("no message on any topic of type {types_text}; the bag has {}", list(topics.iter())))
        }
        (_, several) => refuse(format!(
            "{} topics could be the {what} topic, name one of them{}: {}",
            several.len(),
            how_to_name(what),
            list(several.iter().copied())
        )),
    }
}

/// How the program is told which topic is meant.
fn how_to_name(what: &str) -> String {
    match what {
        "image" | "keypoints" | "camera_info" => format!(" with -p input.{what}_topic:=NAME"),
        _ => String::new(),
    }
}

fn list<'a>(topics: impl IntoIterator<Item = &'a Topic>) -> String {
    let text = topics
        .into_iter()
        .map(|topic| match topic.message_count {
            Some(count) => format!("{} ({}, {count} messages)", topic.name, topic.type_name),
            None => format!("{} ({})", topic.name, topic.type_name),
        })
        .collect::<Vec<_>>()
        .join(", ");
    if text.is_empty() { "no topics".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::storage::Loss;
    use super::*;

    fn topic(name: &str, type_name: &str, count: u64) -> Topic {
        let (name, type_name) = (name.into(), type_name.into());
        Topic { name, type_name, serialization: "cdr".into(), message_count: Some(count), ..Topic::default() }
    }

    fn stereo() -> Vec<Topic> {
        vec![
            topic("/left/image_raw/compressed", CompressedImage::TYPE, 5),
            topic("/left/camera_info", CameraInfo::TYPE, 5),
            topic("/right/image_raw", Image::TYPE, 5),
            topic("/right/camera_info", CameraInfo::TYPE, 5),
            topic("/imu", "sensor_msgs/msg/Imu", 9),
        ]
    }

    #[test]
    fn the_only_ones_are_found_and_empty_topics_do_not_count() {
        let topics = [&stereo()[..2], &[topic("/other", Image::TYPE, 0)]].concat();
        let chosen = choose_image_topics(&Topics::from(topics), TopicRequest::default()).unwrap();
        assert_eq!(
            (chosen.source.as_str(), chosen.camera_info.as_str()),
            ("/left/image_raw/compressed", "/left/camera_info")
        );
    }

    #[test]
    fn several_are_refused_with_the_list_until_one_is_named() {
        let error = choose_image_topics(&stereo().into(), TopicRequest::default()).unwrap_err();
        assert!(error.is_refusal());
        let text = error.to_string();
        assert!(text.contains("/left/image_raw/compressed (sensor_msgs/msg/CompressedImage, 5 messages)"), "{text}");
        assert!(text.contains("/right/image_raw") && !text.contains("/imu"), "{text}");
        let named = TopicRequest { source: Some("/right/image_raw"), camera_info: None };
        assert_eq!(choose_image_topics(&stereo().into(), named).unwrap().camera_info, "/right/camera_info");
    }

    #[test]
    fn what_is_not_there_or_of_another_type_is_refused() {
        let refuse = |source, camera_info| {
            choose_image_topics(&stereo().into(), TopicRequest { source: Some(source), camera_info })
                .unwrap_err()
                .to_string()
        };
        assert!(refuse("/front", None).starts_with("there is no topic /front; the bag has /left/"));
        assert!(refuse("/imu", None).contains("is of type sensor_msgs/msg/Imu"));
        assert!(refuse("/right/image_raw", Some("/imu")).contains("camera_info needs sensor_msgs/msg/CameraInfo"));
        let error = choose_image_topics(&Topics::from(stereo()[4..].to_vec()), TopicRequest::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains("no topic of type sensor_msgs/msg/Image or sensor_msgs/msg/CompressedImage"), "{error}");
        let error = choose_keypoint_topics(&stereo().into(), TopicRequest::default()).unwrap_err().to_string();
        assert!(error.contains("no topic of type stridepose/msg/KeypointArray"), "{error}");
    }

    #[test]
    fn a_topic_that_may_be_lost_is_refused_with_the_damage() {
        let cut = Topics::new(stereo()[4..].to_vec(), vec![Loss::new(0, "a.mcap: ends at byte 9")]);
        for request in [TopicRequest::default(), TopicRequest { source: Some("/left/image_raw"), camera_info: None }] {
            let error = choose_image_topics(&cut, request).unwrap_err().to_string();
            assert!(error.ends_with("; the bag is damaged: a.mcap: ends at byte 9"), "{error}");
        }
        // What is there is there.
        let cut = Topics::new(stereo(), vec![Loss::new(0, "a.mcap: ends at byte 9")]);
        let error = choose_image_topics(&cut, TopicRequest::default()).unwrap_err().to_string();
        assert!(
            error.contains("name one of them with -p input.image_topic:=NAME: ") && !error.contains("damaged"),
            "{error}"
        );
    }
}
