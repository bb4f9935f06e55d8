//! `stridepose export DIR --format csv|json|bvh|trc -o FILE`: skeletons in the formats of other programs.

mod frame;

use std::path::{Path, PathBuf};

use tracing::warn;

use super::evaluate::{refuse_result, report_damage};
use super::files::{check_outputs, write_file};
use super::{Outcome, Refused, print};
use crate::adapters::result_bag::read_result_bag;
use crate::report::export::{Bvh, TrackSeries, to_csv, to_json, to_trc, tracks};

/// Arguments of `stridepose export`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    /// The bag that `stridepose replay` wrote
    #[arg(value_name = "DIR")]
    pub result: PathBuf,
    /// csv and json: everybody, metres; bvh (cm) and trc (OpenSim, mm): one file a track, y up. All as the camera sees them, unless
    /// --frame or --tilt-deg says otherwise
    #[arg(long, value_enum)]
    pub format: Format,
    /// The file; where there are several tracks, bvh and trc put their number before the extension
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Only this track; may be given many times
    #[arg(long, value_name = "ID")]
    pub track: Vec<u32>,
    /// Topic of the skeletons [default: /stridepose/skeletons, or the only one]
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Where the people are in this frame of TF (z up, as `odom` or `map`): what a camera that moves needs
    #[arg(long, value_name = "FRAME")]
    pub frame: Option<String>,
    /// The bag with /tf and /tf_static: the recording [default: the result]
    #[arg(long, value_name = "BAG", requires = "frame")]
    pub tf: Option<PathBuf>,
    /// The camera stood still and looked so far down, deg: up is then that of gravity
    #[arg(long, value_name = "DEG", conflicts_with = "frame", allow_negative_numbers = true, value_parser = degrees(90.0))]
    pub tilt_deg: Option<f64>,
    /// And was turned clockwise so far, deg
    #[arg(long, value_name = "DEG", conflicts_with = "frame", allow_negative_numbers = true, value_parser = degrees(180.0))]
    pub roll_deg: Option<f64>,
}

/// Reads an angle of at most `most` degrees to either side.
fn degrees(most: f64) -> impl Fn(&str) -> Result<f64, String> + Clone {
    move |text| {
        let angle = text.parse().ok().filter(|angle: &f64| angle.abs() <= most);
        angle.ok_or_else(|| format!("{text} is no angle from -{most} to {most}"))
    }
}

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A line for each joint.
    Csv,
    /// Everything, image by image.
    Json,
    /// Biovision hierarchy.
    Bvh,
    /// Markers of OpenSim.
    Trc,
}

/// Reads the result, writes the files, says what they are.
///
/// # Errors
/// A refusal when the bag has no such skeletons; an I/O error when a file cannot be written.
pub fn run(args: &ExportArgs) -> anyhow::Result<Outcome> {
    check_outputs([&args.output], [&args.result].into_iter().chain(&args.tf))?;
    let mut result = read_result_bag(&args.result, args.topic.as_deref()).map_err(refuse_result)?;
    let mut is_damaged = report_damage(&args.result, &result.completeness, &result.problems);
    for image in &mut result.sequence.images {
        image.people.retain(|person| args.track.is_empty() || args.track.contains(&person.track_id.0));
    }
    let image_stamps = result.image_stamps.take();
    let mut placed = frame::place(args, result, &mut is_damaged)?;
    if let Some(image_stamps) = image_stamps {
        placed = placed.counted_in(&image_stamps);
    }
    let sequence = placed.sequence();
    let series = tracks(&placed);
    if let Some(missing) = args.track.iter().find(|id| !series.iter().any(|series| series.track_id.0 == **id)) {
        return Err(Refused::because(format!("{} has no track {missing}", args.result.display())));
    }
    if series.is_empty() {
        return Err(Refused::because(format!(
            "{} has nobody in it: there is nothing to export",
            args.result.display()
        )));
    }
    match args.format {
        Format::Csv => write(&args.output, &to_csv(&placed), "")?,
        Format::Json => write(&args.output, &format!("{}\n", to_json(&placed)), "")?,
        Format::Bvh | Format::Trc => {
            let interval = sequence.image_interval().ok_or_else(|| {
                Refused::because(format!("{} has fewer than two images: there is no movement", args.result.display()))
            })?;
            let written = write_tracks(args, &series, interval)?;
            if written == 0 {
                return Err(Refused::because("no track can be written in this format; the warnings say why"));
            }
        }
    }
    Ok(if is_damaged { Outcome::Damaged } else { Outcome::Fine })
}

/// A file for each track; how many were written. A track that the format cannot hold is said and left out.
fn write_tracks(args: &ExportArgs, series: &[TrackSeries], interval: f64) -> anyhow::Result<usize> {
    let mut written = 0;
    for track in series {
        let path = if series.len() == 1 { args.output.clone() } else { numbered(&args.output, track.track_id.0) };
        if args.format == Format::Trc {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            write(&path, &to_trc(track, interval, &name), &format!(", {} images", track.times.len()))?;
        } else {
            match Bvh::new(track, interval) {
                Ok(bvh) => {
                    let (mean, largest) = bvh.residual();
                    let note = format!(
                        ": constant bone lengths move joints by {:.1} mm on average, {:.1} mm at most",
                        1000.0 * mean,
                        1000.0 * largest
                    );
                    write(&path, &bvh.to_text(), &note)?;
                }
                Err(error) => {
                    warn!("{error}; left out");
                    continue;
                }
            }
        }
        written += 1;
    }
    Ok(written)
}

/// `walk.bvh` for track 3 is `walk.3.bvh`.
fn numbered(path: &Path, track: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map_or_else(String::new, |extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{stem}.{track}{extension}"))
}

fn write(path: &Path, text: &str, note: &str) -> anyhow::Result<()> {
    write_file(path, text)?;
    print(&format!("{}{note}\n", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_before_the_extension() {
        assert_eq!(numbered(Path::new("a/walk.bvh"), 3), Path::new("a/walk.3.bvh"));
        assert_eq!(numbered(Path::new("walk"), 12), Path::new("walk.12"));
    }
}
