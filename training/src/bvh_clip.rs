//! From a BVH file to a clip of the internal joints: names, unit, up axis, frame rate.
//!
//! What the file does not say is found out from the body, and refused where the body does not tell: the unit from
//! the length of its legs, the up axis from where its head is above its ankles over the whole recording.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nalgebra::Vector3;
use stridepose::skeleton::{JOINT_COUNT, Joint, JointArray};

use crate::bvh::{Bvh, BvhError};
use crate::mocap::{MOCAP_RATE_HZ, WorldPose};

const DEFAULT_JOINTS: &str = include_str!("../bvh_joints.yaml");
/// Length from hip to ankle that a grown person has, m.
const LEG_M: (f64, f64) = (0.55, 1.15);
const MEAN_LEG_M: f64 = 0.83;
/// Units in use, m: metre, centimetre, millimetre, inch, and that of the CMU recordings (inch / 0.45).
const UNITS_M: [f64; 5] = [1.0, 0.01, 0.001, 0.0254, 0.0254 / 0.45];
/// The up axis has to be this much more up than the next.
const UPRIGHT_RATIO: f64 = 1.5;
/// A joint further from the origin than this is a broken file.
const FARTHEST_M: f64 = 1000.0;

/// Which axis of a file points up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpAxis {
    /// y, as in most files.
    Y,
    /// z.
    Z,
}

/// How BVH files are read.
#[derive(Clone, Debug, Default)]
pub struct BvhSettings {
    /// Metres per unit; found out from the legs where absent.
    pub metres_per_unit: Option<f64>,
    /// Up axis; found out from the body where absent.
    pub up: Option<UpAxis>,
    /// YAML file with names of joints.
    pub joints: Option<PathBuf>,
}

/// Why a file is no clip.
#[derive(Debug, thiserror::Error)]
pub enum BvhClipError {
    /// The file is damaged.
    #[error("{path}:{}: {}", .error.line, .error.reason)]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        error: BvhError,
    },
    /// The file is whole but is not understood.
    #[error("{path}: {reason}")]
    Unclear {
        /// Which file.
        path: PathBuf,
        /// What is missing, and which option gives it.
        reason: String,
    },
}

/// Names in BVH files of the internal joints: alternatives, each the mean of some joints.
#[derive(Clone, Debug)]
pub struct JointNames(JointArray<Vec<Vec<String>>>);

impl JointNames {
    /// The built-in names, with the entries of `file` in their place.
    ///
    /// # Errors
    /// When the file cannot be read, is no map of lists or names a joint that is not in the internal set.
    pub fn load(file: Option<&Path>) -> Result<Self, BvhClipError> {
        let mut names = Self(std::array::from_fn(|_| Vec::new()));
        names.take(DEFAULT_JOINTS, Path::new("bvh_joints.yaml"))?;
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|error| unclear(path, error.to_string()))?;
            names.take(&text, path)?;
        }
        Ok(names)
    }

    fn take(&mut self, text: &str, path: &Path) -> Result<(), BvhClipError> {
        let entries: BTreeMap<String, Vec<String>> =
            serde_yaml::from_str(text).map_err(|error| unclear(path, error.to_string()))?;
        for (name, choices) in entries {
            let joint = Joint::from_name(&name)
                .ok_or_else(|| unclear(path, format!("\"{name}\" is no joint of {}", Joint::SET_NAME)))?;
            self.0[joint.index()] = choices.iter().map(|choice| choice.split(" + ").map(bare).collect()).collect();
        }
        Ok(())
    }

    /// For each internal joint the joints of `bvh` whose mean it is.
    fn find(&self, bvh: &Bvh, path: &Path) -> Result<JointArray<Vec<usize>>, BvhClipError> {
        let present: Vec<String> = bvh.joints.iter().map(|joint| bare(&joint.name)).collect();
        let find = |choice: &Vec<String>| -> Option<Vec<usize>> {
            choice.iter().map(|name| present.iter().position(|other| other == name)).collect()
        };
        let mut found: JointArray<Vec<usize>> = std::array::from_fn(|_| Vec::new());
        let mut missing = Vec::new();
        for (joint, choices) in Joint::ALL.into_iter().zip(&self.0) {
            match choices.iter().find_map(find) {
                Some(parts) => found[joint.index()] = parts,
                None => missing.push(joint.name()),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let has: Vec<&str> = bvh.joints.iter().map(|joint| joint.name.as_str()).collect();
        let (missing, has) = (missing.join(", "), has.join(", "));
        Err(unclear(path, format!("no joint for {missing}; the file has {has}; give their names with --bvh-joints")))
    }
}

/// A name without prefix and case.
fn bare(name: &str) -> String {
    let name = name.trim();
    let name = name.rsplit(':').next().unwrap_or(name);
    name.strip_prefix("mixamorig_").unwrap_or(name).to_lowercase()
}

fn unclear(path: &Path, reason: impl Into<String>) -> BvhClipError {
    BvhClipError::Unclear { path: path.to_owned(), reason: reason.into() }
}

/// A movement, and how the file was read.
#[derive(Debug)]
pub struct BvhPoses {
    /// Poses at [`MOCAP_RATE_HZ`], z up, m.
    pub poses: Vec<WorldPose>,
    /// Metres per unit of the file.
    pub metres_per_unit: f64,
    /// Up axis of the file.
    pub up: UpAxis,
}

/// The poses of the BVH text at [`MOCAP_RATE_HZ`], z up, m. `path` is for messages only.
///
/// # Errors
/// [`BvhClipError`] when the text is damaged or its names, unit or axes are not understood.
pub fn poses(text: &str, path: &Path, settings: &BvhSettings, names: &JointNames) -> Result<BvhPoses, BvhClipError> {
    let bvh = Bvh::parse(text).map_err(|error| BvhClipError::Damaged { path: path.to_owned(), error })?;
    let parts = names.find(&bvh, path)?;
    let mut poses: Vec<WorldPose> = (0..bvh.frame_count())
        .map(|frame| {
            let positions = bvh.positions(frame);
            std::array::from_fn(|joint| {
                let parts = &parts[joint];
                parts.iter().map(|&part| positions[part]).sum::<Vector3<f64>>() / parts.len() as f64
            })
        })
        .collect();
    let metres = match settings.metres_per_unit {
        Some(metres) => metres,
        None => find_unit(&poses).map_err(|reason| unclear(path, reason))?,
    };
    let up = match settings.up {
        Some(up) => up,
        None => find_up(&poses).map_err(|reason| unclear(path, reason))?,
    };
    for joint in poses.iter_mut().flatten() {
        let metric = *joint * metres;
        *joint = match up {
            UpAxis::Y => Vector3::new(metric.x, -metric.z, metric.y),
            UpAxis::Z => metric,
        };
    }
    if let Some(far) = poses.iter().flatten().find(|joint| joint.norm() > FARTHEST_M) {
        return Err(unclear(
            path,
            format!("a joint {:.0} m from the origin; give the unit with --bvh-scale", far.norm()),
        ));
    }
    Ok(BvhPoses { poses: resample(&poses, bvh.frame_secs), metres_per_unit: metres, up })
}

/// Metres per unit, from the length of the legs.
fn find_unit(poses: &[WorldPose]) -> Result<f64, String> {
    let length = |pose: &WorldPose, a: Joint, b: Joint| (pose[a.index()] - pose[b.index()]).norm();
    let first = poses.first().ok_or("no frame")?;
    let leg = length(first, Joint::RHip, Joint::RKnee) + length(first, Joint::RKnee, Joint::RAnkle);
    UNITS_M
        .into_iter()
        .filter(|unit| (LEG_M.0..LEG_M.1).contains(&(leg * unit)))
        .min_by(|a, b| {
            let off = |unit: &f64| (leg * unit / MEAN_LEG_M).ln().abs();
            off(a).total_cmp(&off(b))
        })
        .ok_or_else(|| {
            format!("a leg is {leg:.3} units long, which is no leg in m, cm, mm, inch or CMU units; give --bvh-scale")
        })
}

/// The axis along which the head is above the ankles.
fn find_up(poses: &[WorldPose]) -> Result<UpAxis, String> {
    let mean = poses
        .iter()
        .map(|pose| {
            let ankles = (pose[Joint::LAnkle.index()] + pose[Joint::RAnkle.index()]) / 2.0;
            pose[Joint::Head.index()] - ankles
        })
        .sum::<Vector3<f64>>()
        / poses.len().max(1) as f64;
    let is_up =
        |axis: usize| (0..3).filter(|&other| other != axis).all(|other| mean[axis] > UPRIGHT_RATIO * mean[other].abs());
    match (is_up(1), is_up(2)) {
        (true, _) => Ok(UpAxis::Y),
        (_, true) => Ok(UpAxis::Z),
        _ => Err(format!(
            "on average the head is {:.2}, {:.2}, {:.2} units from the ankles, which does not tell what is up; give --bvh-up",
            mean.x, mean.y, mean.z
        )),
    }
}

/// Linear between frames, at [`MOCAP_RATE_HZ`].
fn resample(poses: &[WorldPose], frame_secs: f64) -> Vec<WorldPose> {
    let last = poses.len() - 1;
    let count = (last as f64 * frame_secs * MOCAP_RATE_HZ + 1e-6).floor() as usize + 1;
    (0..count)
        .map(|index| {
            let at = (index as f64 / MOCAP_RATE_HZ / frame_secs).min(last as f64);
            let (before, fraction) = (at.floor() as usize, at.fract());
            let after = (before + 1).min(last);
            std::array::from_fn::<_, JOINT_COUNT, _>(|joint| poses[before][joint].lerp(&poses[after][joint], fraction))
        })
        .collect()
}

#[cfg(test)]
#[path = "bvh_clip_tests.rs"]
pub(crate) mod tests;
