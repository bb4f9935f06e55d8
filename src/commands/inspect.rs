//! `stridepose inspect BAG`: what a bag holds, what its camera is, and what replay would read from it or why not.
//!
//! The bag is read once from end to end, so that rates are measured and damage is found.

mod upright;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::adapters::bag::{
    Bag, BagError, Completeness, Topic, TopicRequest, Topics, choose_image_topics, choose_keypoint_topics,
};
use crate::adapters::messages::from_cdr;
use crate::adapters::messages::sensor_msgs::{CameraInfo, CompressedImage, Image};
use crate::adapters::messages::std_msgs::Header;
use crate::adapters::messages::{Message, stridepose::KeypointArray};

use upright::FirstImage;

/// Arguments of `stridepose inspect`.
#[derive(Clone, Debug, clap::Args)]
pub struct InspectArgs {
    /// The bag: a rosbag2 directory, an .mcap or a .db3 file
    pub bag: PathBuf,
    /// Image topic to use, where the bag has several
    #[arg(long, value_name = "TOPIC")]
    pub image: Option<String>,
    /// `CameraInfo` topic to use, where the bag has several
    #[arg(long, value_name = "TOPIC")]
    pub camera_info: Option<String>,
}

/// What a bag holds.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The report.
    pub text: String,
    /// Whether all of the bag could be read.
    pub completeness: Completeness,
    /// Whether replay would find what it needs.
    pub is_usable: bool,
}

/// Inspects the bag and gives the report to print.
///
/// # Errors
/// [`BagError`] when the bag is refused or cannot be read.
pub fn run(args: &InspectArgs) -> Result<Inspection, BagError> {
    let mut bag = Bag::open(&args.bag)?;
    // What is lost of the bag is said apart.
    let topics = Topics::from(bag.topics().to_vec());
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let mut first_images: BTreeMap<String, FirstImage> = BTreeMap::new();
    let completeness = bag.read::<BagError>(&names, &mut |message| {
        // A name is copied once per topic, not per message.
        if !seen.contains_key(message.topic) {
            seen.insert(message.topic.to_owned(), Seen::default());
        }
        let topic = topics.iter().find(|topic| topic.name == message.topic);
        if let (Some(seen), Some(topic)) = (seen.get_mut(message.topic), topic) {
            seen.add(topic, message.log_time_ns, message.data);
            if seen.count == 1
                && let Some(header) = header(topic, message.data)
            {
                let first = FirstImage { stamp: header.stamp, log_time_ns: message.log_time_ns };
                first_images.entry(header.frame_id.to_owned()).or_insert(first);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;

    let request = TopicRequest { source: args.image.as_deref(), camera_info: args.camera_info.as_deref() };
    let mut text = String::new();
    heading(&mut text, &bag, &seen);
    table(&mut text, &topics, &seen);
    cameras(&mut text, &topics, &seen);
    text += &upright::describe(&mut bag, &first_images)?;
    let is_usable = uses(&mut text, &topics, request);
    if completeness != Completeness::Whole {
        line(&mut text, format_args!("\nNote: {completeness}"));
    }
    Ok(Inspection { text, completeness, is_usable })
}

/// What the messages of one topic showed.
#[derive(Default)]
struct Seen {
    count: u64,
    first_ns: i64,
    last_ns: i64,
    /// Formats of images, or cameras of infos, with the number of messages of each.
    variants: BTreeMap<String, u64>,
}

impl Seen {
    fn add(&mut self, topic: &Topic, log_time_ns: i64, data: &[u8]) {
        if self.count == 0 {
            self.first_ns = log_time_ns;
        }
        self.last_ns = self.last_ns.max(log_time_ns);
        self.count += 1;
        if let Some(variant) = describe(topic, data) {
            *self.variants.entry(variant).or_default() += 1;
        }
    }

    /// Mean rate in Hz between the first and the last message.
    fn rate_hz(&self) -> Option<f64> {
        let duration_secs = (self.last_ns - self.first_ns) as f64 * 1e-9;
        (self.count > 1 && duration_secs > 0.0).then(|| (self.count - 1) as f64 / duration_secs)
    }
}

/// What a message shows of its camera; `None` for other topics.
fn describe(topic: &Topic, data: &[u8]) -> Option<String> {
    let described = match topic.type_name.as_str() {
        Image::TYPE => {
            from_cdr::<Image<'_>>(data).map(|image| format!("{}x{} {}", image.width, image.height, image.encoding))
        }
        CompressedImage::TYPE => {
            from_cdr::<CompressedImage<'_>>(data).map(|image| format!("format \"{}\"", image.format))
        }
        KeypointArray::TYPE => from_cdr::<KeypointArray<'_>>(data).map(|array| format!("layout {}", array.layout)),
        CameraInfo::TYPE => from_cdr::<CameraInfo>(data).map(|info| describe_camera(&info)),
        _ => return None,
    };
    Some(described.unwrap_or_else(|error| format!("cannot be decoded: {error}")))
}

/// The header of a message that a camera may be seen by.
fn header<'a>(topic: &Topic, data: &'a [u8]) -> Option<Header<'a>> {
    match topic.type_name.as_str() {
        Image::TYPE => from_cdr::<Image<'_>>(data).map(|image| image.header),
        CompressedImage::TYPE => from_cdr::<CompressedImage<'_>>(data).map(|image| image.header),
        KeypointArray::TYPE => from_cdr::<KeypointArray<'_>>(data).map(|array| array.header),
        _ => return None,
    }
    .ok()
}

fn describe_camera(info: &CameraInfo) -> String {
    let [fx, _, cx, _, fy, cy, ..] = info.k;
    let coefficients: Vec<String> = info.d.iter().map(|d| format!("{d:.4}")).collect();
    let model = if info.distortion_model.is_empty() { "no distortion model" } else { &info.distortion_model };
    let mut text = format!(
        "{}x{} px, fx {fx:.1} fy {fy:.1} cx {cx:.1} cy {cy:.1} px, {model} [{}], frame {}",
        info.width,
        info.height,
        coefficients.join(", "),
        info.frame_id
    );
    if info.binning_x > 1 || info.binning_y > 1 {
        let _ = write!(text, ", binning {}x{}", info.binning_x.max(1), info.binning_y.max(1));
    }
    if let Some(roi) = info.calibration().roi {
        let _ = write!(text, ", region {}x{} at ({}, {})", roi.width, roi.height, roi.x_offset, roi.y_offset);
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{arguments}");
}

fn heading(text: &mut String, bag: &Bag, seen: &BTreeMap<String, Seen>) {
    line(text, format_args!("Bag {}", bag.path().display()));
    let files: Vec<String> =
        bag.files().filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())).collect();
    line(text, format_args!("  files     {}", files.join(", ")));
    let messages: u64 = seen.values().map(|seen| seen.count).sum();
    let first = seen.values().map(|seen| seen.first_ns).min();
    let last = seen.values().map(|seen| seen.last_ns).max();
    if let (Some(first), Some(last)) = (first, last) {
        line(text, format_args!("  duration  {:.3} s", (last - first) as f64 * 1e-9));
        line(
            text,
            format_args!("  start     {}.{:09} s", first.div_euclid(1_000_000_000), first.rem_euclid(1_000_000_000)),
        );
    }
    line(text, format_args!("  messages  {messages}"));
}

fn table(text: &mut String, topics: &[Topic], seen: &BTreeMap<String, Seen>) {
    let width = |heading: &str, column: fn(&Topic) -> &str| {
        topics.iter().map(|topic| column(topic).len()).chain([heading.len()]).max().unwrap_or(0)
    };
    let (names, types) = (width("topic", |topic| &topic.name), width("type", |topic| &topic.type_name));
    line(text, format_args!("\n{:names$}  {:types$}  {:>8}  {:>9}", "topic", "type", "messages", "rate (Hz)"));
    for topic in topics {
        let seen = seen.get(&topic.name);
        let count = seen.map_or(0, |seen| seen.count);
        let rate = seen.and_then(Seen::rate_hz).map_or_else(|| "-".to_owned(), |rate| format!("{rate:.2}"));
        let encoding =
            if topic.serialization == "cdr" { String::new() } else { format!("  ({})", topic.serialization) };
        line(text, format_args!("{:names$}  {:types$}  {count:>8}  {rate:>9}{encoding}", topic.name, topic.type_name));
    }
}

fn cameras(text: &mut String, topics: &[Topic], seen: &BTreeMap<String, Seen>) {
    /// So many variants are listed of each topic.
    const MAX_VARIANTS: usize = 5;
    let described: Vec<_> = topics
        .iter()
        .filter_map(|topic| seen.get(&topic.name).filter(|seen| !seen.variants.is_empty()).map(|seen| (topic, seen)))
        .collect();
    if described.is_empty() {
        return;
    }
    line(text, format_args!("\nCameras"));
    for (topic, seen) in described {
        line(text, format_args!("  {}", topic.name));
        for (variant, count) in seen.variants.iter().take(MAX_VARIANTS) {
            line(text, format_args!("    {count} x {variant}"));
        }
        if seen.variants.len() > MAX_VARIANTS {
            line(text, format_args!("    and {} others", seen.variants.len() - MAX_VARIANTS));
        }
    }
}

/// What replay would read; false when it would refuse.
fn uses(text: &mut String, topics: &Topics, request: TopicRequest<'_>) -> bool {
    let images = choose_image_topics(topics, request);
    let keypoints = choose_keypoint_topics(topics, TopicRequest { source: None, ..request });
    line(text, format_args!("\nReplay"));
    match (&images, &keypoints) {
        (Ok(images), _) => {
            line(text, format_args!("  would read images of {} with {}", images.source, images.camera_info));
        }
        (Err(refusal), Err(_)) => line(text, format_args!("  would refuse: {refusal}")),
        (Err(_), Ok(_)) => {}
    }
    if let Ok(keypoints) = &keypoints {
        line(text, format_args!("  could read keypoints of {} with {}", keypoints.source, keypoints.camera_info));
    }
    images.is_ok() || keypoints.is_ok()
}
