//! End to end as on a robot: images are offered at their real times, the newest wins, whatever the pipeline is doing.
//!
//! ```sh
//! cargo bench --bench timeline -- BAG --models DIR [--keypoints MODEL]… [--provider cpu]… [--loops N] [--json FILE]
//! ```
//! Latency is from the time at which an image was due, not from when somebody had time for it, to its skeletons: waiting
//! counts. Images that had to make room for a newer one are drops. Each network and provider has a process of its own, so
//! that memory is its own too. A provider that is not on this machine is "not measured", with the reason.
//! Without a bag nothing is measured: `cargo bench` on its own runs the stages alone.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stridepose::adapters::bag::{Bag, BagError, ImageSource, TopicRequest};
use stridepose::adapters::engine::{self, Feed};
use stridepose::adapters::messages::from_cdr;
use stridepose::adapters::messages::sensor_msgs::{CameraInfo, CompressedImage, Image};
use stridepose::adapters::model_store::{ModelStore, hexadecimal};
use stridepose::adapters::ros::inbox::Inbox;
use stridepose::config::Config;
use stridepose::data::Stamp;
use stridepose::geometry::CameraModel;
use stridepose::report::machine::Machine;
use stridepose::stages::image::EncodedImage;

#[derive(Parser)]
#[command(about = "Latency, drops, CPU and memory with images offered at their real times")]
struct Options {
    /// Bag with one camera's images
    bag: Option<PathBuf>,
    /// Folder with 2D networks
    #[arg(long)]
    models: Vec<PathBuf>,
    /// Keypoint networks to measure
    #[arg(long, default_values = ["movenet_lightning", "blazepose_full"])]
    keypoints: Vec<String>,
    /// Person detector
    #[arg(long, default_value = "yolox_nano")]
    detector: String,
    /// Execution providers to measure
    #[arg(long, default_values = ["cpu", "cuda", "tensorrt"])]
    provider: Vec<String>,
    /// How often the bag is played over, its stamps going on
    #[arg(long, default_value_t = 5)]
    loops: u32,
    /// How much faster than in the recording the images come
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Write everything measured to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measures the first network and provider and prints JSON
    #[arg(long, hide = true)]
    one: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Serialize)]
struct Report {
    machine: Machine,
    bag: PathBuf,
    sha256: String,
    speed: f64,
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Run {
    keypoints: String,
    provider: String,
    /// `None` where it could not be measured.
    figures: Option<Figures>,
    not_measured: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Figures {
    /// The provider that took each network.
    used: HashMap<String, String>,
    /// Loading and the first image, ms.
    warm_up_ms: f64,
    offered: u64,
    answered: u64,
    dropped: u64,
    with_people: u64,
    /// From when an image was due to its skeletons, ms.
    latency_p50_ms: f64,
    latency_p95_ms: f64,
    latency_p99_ms: f64,
    latency_max_ms: f64,
    /// Standard deviation of the latency, ms.
    jitter_ms: f64,
    /// CPU time of the whole process after warm-up, per image that was answered, ms.
    cpu_ms_per_image: f64,
    /// Largest resident memory of the process, MB.
    peak_memory_mb: f64,
}

/// The recording in memory.
struct Recording {
    is_compressed: bool,
    /// Stamp and CDR of each image, with its calibration.
    images: Vec<(Stamp, Vec<u8>, CameraInfo)>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let Some(bag) = &options.bag else {
        println!("SKIP timeline: no bag is named (cargo bench --bench timeline -- BAG --models DIR)");
        return Ok(());
    };
    if options.one {
        let figures = measure(bag, &options)?;
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    let mut runs = Vec::new();
    for provider in &options.provider {
        for keypoints in &options.keypoints {
            runs.push(in_process_of_its_own(bag, &options, keypoints, provider)?);
        }
    }
    let report =
        Report { machine: Machine::here(), bag: bag.clone(), sha256: checksum(bag)?, speed: options.speed, runs };
    print_table(&report);
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn in_process_of_its_own(bag: &Path, options: &Options, keypoints: &str, provider: &str) -> anyhow::Result<Run> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(bag).arg("--one").args(["--keypoints", keypoints, "--provider", provider]);
    command.args(["--detector", &options.detector, "--loops", &options.loops.to_string()]);
    command.args(["--speed", &options.speed.to_string()]);
    for folder in &options.models {
        command.arg("--models").arg(folder);
    }
    let output = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn()?.wait_with_output()?;
    let (figures, not_measured) = if output.status.success() {
        (Some(serde_json::from_slice(&output.stdout).context("the measuring process printed something else")?), None)
    } else {
        let text = String::from_utf8_lossy(&output.stderr);
        let reason = text.lines().find(|line| line.starts_with("Error: ")).unwrap_or(&text);
        (None, Some(reason.trim_start_matches("Error: ").trim().to_owned()))
    };
    if provider == "cpu"
        && let Some(reason) = &not_measured
    {
        bail!("{keypoints}: {reason}");
    }
    Ok(Run { keypoints: keypoints.to_owned(), provider: provider.to_owned(), figures, not_measured })
}

/// Offers the images in a thread at their times, answers them in this one.
fn measure(bag: &Path, options: &Options) -> anyhow::Result<Figures> {
    let recording = read(bag)?;
    let (first, last) = (recording.images[0].0, recording.images[recording.images.len() - 1].0);
    let period_ns = (last.nanoseconds() - first.nanoseconds()) / (recording.images.len() as i64 - 1).max(1);
    let loop_ns = last.nanoseconds() - first.nanoseconds() + period_ns;

    let spinner = ProgressBar::new_spinner().with_message("loading networks (the first time on a GPU takes minutes)");
    spinner.enable_steady_tick(Duration::from_millis(200));
    let began = Instant::now();
    let overrides = [
        format!("detector.model:={}", options.detector),
        format!("keypoints.model:={}", options.keypoints[0]),
        format!("inference.provider:={}", options.provider[0]),
    ];
    let config = Config::from_sources(None, &overrides)?;
    let mut engine = engine::build(&config, &ModelStore::new(&options.models)?, Feed::Images)?;
    let used = engine.models.iter().map(|(part, model)| ((*part).to_owned(), model.provider.clone())).collect();
    let warm_up = &recording.images[0];
    let camera = CameraModel::from_calibration(&warm_up.2.calibration())?;
    engine.pipeline.process_image(first, &pixels(&warm_up.1, recording.is_compressed)?, &camera, &mut ())?;
    engine.pipeline.reset();
    let warm_up_ms = 1e3 * began.elapsed().as_secs_f64();
    spinner.finish_and_clear();

    let total = recording.images.len() as u64 * u64::from(options.loops);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} images offered, {eta} left")?;
    let bar = ProgressBar::new(total).with_style(style);
    let inbox = Arc::new(Inbox::default());
    let cpu_before = cpu_ms();
    let start = Instant::now() + Duration::from_millis(50);
    // When the image with this stamp is due.
    let due = |stamp: Stamp| {
        let since_first = (stamp.nanoseconds() - first.nanoseconds()) as f64 * 1e-9 / options.speed;
        start + Duration::from_secs_f64(since_first)
    };
    let mut latencies_ms = Vec::with_capacity(total as usize);
    let mut with_people = 0;
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let (feeder, bar, images) = (inbox.clone(), &bar, &recording.images);
        let loops = options.loops;
        scope.spawn(move || {
            for round in 0..loops {
                for (stamp, data, info) in images {
                    let stamp = Stamp::from_nanoseconds(stamp.nanoseconds() + i64::from(round) * loop_ns);
                    let data = with_stamp(data, stamp);
                    std::thread::sleep(due(stamp).saturating_duration_since(Instant::now()));
                    feeder.put_info(CameraInfo { stamp, ..info.clone() });
                    feeder.put(Some(stamp), data);
                    bar.inc(1);
                }
            }
            // The last image is taken before the end.
            std::thread::sleep(Duration::from_secs(1));
            feeder.close();
        });
        while let Some(parcel) = inbox.take() {
            let stamp = stamp_of(&parcel.data);
            let camera = CameraModel::from_calibration(&parcel.camera_info.calibration())?;
            let image = pixels(&parcel.data, recording.is_compressed)?;
            let estimates = engine.pipeline.process_image(stamp, &image, &camera, &mut ())?;
            latencies_ms.push(1e3 * due(stamp).elapsed().as_secs_f64());
            with_people += u64::from(!estimates.now.people.is_empty());
            engine.pipeline.recycle(estimates);
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    let cpu_ms_per_image = (cpu_ms() - cpu_before) / latencies_ms.len() as f64;
    let counts = inbox.counts();
    latencies_ms.sort_by(f64::total_cmp);
    let answered = latencies_ms.len();
    let at = |share: f64| latencies_ms[((share * answered as f64).ceil() as usize).clamp(1, answered) - 1];
    let mean = latencies_ms.iter().sum::<f64>() / answered as f64;
    let variance = latencies_ms.iter().map(|latency| (latency - mean).powi(2)).sum::<f64>() / answered as f64;
    Ok(Figures {
        used,
        warm_up_ms,
        offered: counts.received,
        answered: answered as u64,
        dropped: counts.dropped,
        with_people,
        latency_p50_ms: at(0.5),
        latency_p95_ms: at(0.95),
        latency_p99_ms: at(0.99),
        latency_max_ms: at(1.0),
        jitter_ms: variance.sqrt(),
        cpu_ms_per_image,
        peak_memory_mb: status_kb("VmHWM") / 1024.0,
    })
}

fn read(path: &Path) -> anyhow::Result<Recording> {
    let mut bag = Bag::open(path)?;
    let topics = ImageSource::new(&bag, TopicRequest { source: None, camera_info: None })?.topics().clone();
    let (mut images, mut infos) = (Vec::new(), HashMap::new());
    let mut last_info = None;
    bag.read::<BagError>(&[topics.source.clone(), topics.camera_info.clone()], &mut |message| {
        if message.topic == topics.camera_info {
            if let Ok(info) = from_cdr::<CameraInfo>(message.data) {
                infos.insert(info.stamp, info.clone());
                last_info.get_or_insert(info);
            }
        } else {
            images.push((stamp_of(message.data), message.data.to_vec()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let fallback = last_info.context("the bag has no CameraInfo that can be read")?;
    images.sort_by_key(|(stamp, _)| *stamp);
    let images = images
        .into_iter()
        .map(|(stamp, data)| {
            let info = infos.get(&stamp).unwrap_or(&fallback).clone();
            (stamp, data, info)
        })
        .collect::<Vec<_>>();
    if images.len() < 2 {
        bail!("the bag has {} images, at least 2 are needed", images.len());
    }
    let is_compressed = topics.source_type == <CompressedImage<'_> as stridepose::adapters::messages::Message>::TYPE;
    Ok(Recording { is_compressed, images })
}

fn pixels(data: &[u8], is_compressed: bool) -> anyhow::Result<EncodedImage<'_>> {
    Ok(if is_compressed { from_cdr::<CompressedImage<'_>>(data)?.into() } else { from_cdr::<Image<'_>>(data)?.into() })
}

/// The stamp of a header: two 32-bit numbers after the four bytes that say how the message is encoded.
fn stamp_of(data: &[u8]) -> Stamp {
    let word = |at: usize| {
        let bytes = data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; 4]);
        if data[1] & 1 == 1 { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    };
    Stamp::from_sec_nanosec(word(4) as i32, word(8))
}

fn with_stamp(data: &[u8], stamp: Stamp) -> Vec<u8> {
    let mut data = data.to_vec();
    let is_little = data[1] & 1 == 1;
    for (at, value) in [(4, stamp.sec() as u32), (8, stamp.nanosec())] {
        data[at..at + 4].copy_from_slice(&if is_little { value.to_le_bytes() } else { value.to_be_bytes() });
    }
    data
}

/// CPU time of this process so far, ms.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may hold anything: fields 14 and 15 of proc(5), in ticks of 10 ms.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|value| value.parse::<f64>().ok()).unwrap_or(f64::NAN);
    10.0 * (ticks(11) + ticks(12))
}

fn status_kb(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(f64::NAN)
}

/// SHA-256 over the bag's files, by name.
fn checksum(bag: &Path) -> anyhow::Result<String> {
    let mut files: Vec<PathBuf> = if bag.is_dir() {
        std::fs::read_dir(bag)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?
    } else {
        vec![bag.to_owned()]
    };
    files.sort();
    let mut hash = Sha256::new();
    for file in files.iter().filter(|file| file.is_file()) {
        hash.update(std::fs::read(file)?);
    }
    Ok(hexadecimal(&hash.finalize()))
}

fn print_table(report: &Report) {
    let machine = &report.machine;
    println!(
        "{}, {} cores, {}; {} at {} x (sha256 {})",
        machine.processor.as_deref().unwrap_or("unknown processor"),
        machine.cores.unwrap_or(0),
        machine.system,
        report.bag.display(),
        report.speed,
        &report.sha256[..12]
    );
    println!(
        "\n{:<20} {:<9} {:>8} {:>8} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9} {:>9} {:>10}",
        "keypoints",
        "provider",
        "offered",
        "dropped",
        "p50 ms",
        "p95",
        "p99",
        "max",
        "jitter",
        "CPU ms",
        "peak MB",
        "warm-up ms"
    );
    for run in &report.runs {
        print!("{:<20} {:<9} ", run.keypoints, run.provider);
        match &run.figures {
            Some(figures) => println!(
                "{:>8} {:>8} {:>7.1} {:>7.1} {:>7.1} {:>7.1} {:>7.1} {:>9.1} {:>9.1} {:>10.0}",
                figures.offered,
                figures.dropped,
                figures.latency_p50_ms,
                figures.latency_p95_ms,
                figures.latency_p99_ms,
                figures.latency_max_ms,
                figures.jitter_ms,
                figures.cpu_ms_per_image,
                figures.peak_memory_mb,
                figures.warm_up_ms
            ),
            None => println!("not measured: {}", run.not_measured.as_deref().unwrap_or("unknown")),
        }
    }
}
