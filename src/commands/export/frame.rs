//! The frame in which skeletons are exported: the camera's, one of TF, or the camera's made level.

use std::collections::BTreeSet;

use nalgebra::{Isometry3, Translation3, UnitQuaternion, UnitVector3, Vector3};
use tracing::warn;

use super::ExportArgs;
use crate::adapters::bag::{Bag, RecordedTransforms, read_transforms};
use crate::adapters::gravity::of_fixed_camera;
use crate::adapters::result_bag::ResultBag;
use crate::commands::evaluate::report_damage;
use crate::commands::{Refused, refuse_bag};
use crate::metrics::ResultSequence;
use crate::report::export::{PlacedSequence, Up};

/// So many frames are named where the one that is asked for is none.
const NAMED_FRAMES: usize = 20;

/// The skeletons in the frame that is asked for.
pub(super) fn place(args: &ExportArgs, result: ResultBag, is_damaged: &mut bool) -> anyhow::Result<PlacedSequence> {
    let ResultBag { sequence, frames, .. } = result;
    let camera_frame = frames.first().filter(|_| frames.len() == 1).cloned();
    if frames.len() > 1 {
        warn!("{}: skeletons are in several frames: {}", args.result.display(), list(&frames));
    }
    if let Some(frame) = &args.frame {
        return in_frame_of_tf(args, frame, sequence, &frames, is_damaged);
    }
    if args.tilt_deg.is_none() && args.roll_deg.is_none() {
        return Ok(PlacedSequence::in_camera(sequence, camera_frame));
    }
    let down = of_fixed_camera(args.tilt_deg.unwrap_or(0.0), args.roll_deg.unwrap_or(0.0));
    let level = Isometry3::from_parts(Translation3::identity(), level_from_camera(&down));
    let level = vec![Some(level); sequence.images.len()];
    let name = format!("{}_level", camera_frame.unwrap_or_default());
    Ok(PlacedSequence::in_frame(sequence, name, Up::MinusY, level))
}

/// The skeletons in a frame of TF; who is in an image for which TF does not tell is left out, and counted.
fn in_frame_of_tf(
    args: &ExportArgs,
    frame: &str,
    sequence: ResultSequence,
    frames: &BTreeSet<String>,
    is_damaged: &mut bool,
) -> anyhow::Result<PlacedSequence> {
    let result = args.result.display();
    let mut named = frames.iter().filter(|name| !name.is_empty());
    let (Some(camera_frame), None) = (named.next(), named.next()) else {
        let found = if frames.iter().all(String::is_empty) { "none" } else { "several" };
        return Err(Refused::because(format!(
            "the skeletons of {result} name {found} as their frame ({}): --frame needs the one of the camera",
            list(frames)
        )));
    };
    let path = args.tf.as_deref().unwrap_or(&args.result);
    let mut bag = Bag::open(path).map_err(refuse_bag)?;
    let RecordedTransforms { buffer, problems, completeness } = read_transforms(&mut bag).map_err(refuse_bag)?;
    *is_damaged |= report_damage(path, &completeness, &problems);
    if buffer.frame_names().next().is_none() {
        let hint = if args.tf.is_none() { ": name the recording with --tf BAG" } else { "" };
        return Err(Refused::because(format!("{} has no transforms on /tf or /tf_static{hint}", path.display())));
    }
    let mut first_error = None;
    let (mut peopled, mut unplaced) = (0_usize, 0_usize);
    let from_camera: Vec<Option<Isometry3<f64>>> = sequence
        .images
        .iter()
        .map(|image| {
            let found = buffer.target_from_source(frame, camera_frame, image.stamp);
            let has_people = !image.people.is_empty();
            peopled += usize::from(has_people);
            unplaced += usize::from(has_people && found.is_err());
            found.map_err(|error| first_error.get_or_insert(error).clone()).ok()
        })
        .collect();
    if let Some(error) = first_error.filter(|_| unplaced > 0) {
        if unplaced == peopled {
            let known: BTreeSet<&str> = buffer.frame_names().chain(buffer.parent_names()).collect();
            let known: Vec<&str> = known.into_iter().take(NAMED_FRAMES).collect();
            return Err(Refused::because(format!(
                "{}: where {camera_frame} is in {frame}: {error}; among its frames are {}",
                path.display(),
                known.join(", ")
            )));
        }
        warn!("{}: {unplaced} of {peopled} images with people are left out, the first because {error}", path.display());
    }
    Ok(PlacedSequence::in_frame(sequence, frame.to_owned(), Up::Z, from_camera))
}

fn list(frames: &BTreeSet<String>) -> String {
    frames.iter().map(|frame| format!("\"{frame}\"")).collect::<Vec<_>>().join(", ")
}

/// The turn that makes a camera level in which gravity points `down`: its y axis then points down, its z axis where it looked.
fn level_from_camera(down: &UnitVector3<f64>) -> UnitQuaternion<f64> {
    let forward = Vector3::z() - down.scale(down.z);
    // Who looks straight down keeps what is up in the image ahead.
    let forward = if forward.norm() > 1e-6 { forward } else { Vector3::y().scale(-down.z.signum()) };
    UnitQuaternion::face_towards(&forward, down).inverse()
}
