//! Coordinate frames over time, as tf2's buffer keeps them: transforms of the last [`HISTORY_SECS`] s for each frame (of a
//! whole recording: all), static ones for ever, looked up at one stamp with interpolation. r2r has none. What is not known is an
//! error with its reason, never a guess: nothing is extrapolated.

use std::collections::{BTreeMap, VecDeque};

use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion};

use crate::adapters::messages::geometry_msgs;
use crate::adapters::messages::tf2_msgs::TfMessage;
use crate::data::Stamp;

/// How long transforms are kept, s.
pub const HISTORY_SECS: f64 = 10.0;
/// Deeper trees than this are loops.
const DEEPEST: usize = 100;
/// Frames that are kept at most: nobody fills the memory with names.
const MOST_FRAMES: usize = 2000;
/// The same in a recording, where each new person brings new ones.
const MOST_FRAMES_OF_RECORDING: usize = 200_000;

/// A transform that cannot be told.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TfError {
    /// A frame nobody has published.
    #[error("frame \"{0}\" is not known: nobody publishes it on /tf or /tf_static")]
    Unknown(String),
    /// Two trees.
    #[error("frames \"{from}\" and \"{to}\" are in trees of their own: nothing connects them")]
    Unconnected {
        /// Source frame.
        from: String,
        /// Target frame.
        to: String,
    },
    /// Not yet, or not any more.
    #[error("frame \"{frame}\" is known from {first:.3} s to {last:.3} s relative to the image: {hint}")]
    NoTime {
        /// The frame.
        frame: String,
        /// First stamp of its transforms less the image's, s.
        first: f64,
        /// Last one.
        last: f64,
        /// What that means.
        hint: &'static str,
    },
    /// Nobody knows what happened in between.
    #[error("frame \"{frame}\" was not published for {secs:.3} s around the image")]
    Gap {
        /// The frame.
        frame: String,
        /// Time between the transforms on both sides of the image, s.
        secs: f64,
    },
    /// The tree bites its tail.
    #[error("the frames above \"{0}\" form a loop")]
    Loop(String),
}

impl TfError {
    /// Whether waiting may help.
    pub const fn may_come(&self) -> bool {
        match self {
            Self::Unknown(_) | Self::Unconnected { .. } => true,
            Self::NoTime { last, .. } => *last < 0.0,
            Self::Gap { .. } | Self::Loop(_) => false,
        }
    }
}

/// Where a frame is in its parent over time.
#[derive(Clone, Debug)]
struct Frame {
    parent: String,
    is_static: bool,
    /// Ascending stamps.
    transforms: VecDeque<(Stamp, Isometry3<f64>)>,
}

/// All frames.
#[derive(Clone, Debug)]
pub struct TransformBuffer {
    frames: BTreeMap<String, Frame>,
    history_secs: f64,
    most_frames: usize,
    longest_gap_secs: f64,
}

impl Default for TransformBuffer {
    /// For live use: as long as tf2's.
    fn default() -> Self {
        let (history_secs, most_frames) = (HISTORY_SECS, MOST_FRAMES);
        Self { frames: BTreeMap::new(), history_secs, most_frames, longest_gap_secs: f64::INFINITY }
    }
}

impl TransformBuffer {
    /// For a whole recording: nothing is forgotten. Between transforms more than `longest_gap_secs` apart there is none.
    pub const fn of_recording(longest_gap_secs: f64) -> Self {
        let (history_secs, most_frames) = (f64::INFINITY, MOST_FRAMES_OF_RECORDING);
        Self { frames: BTreeMap::new(), history_secs, most_frames, longest_gap_secs }
    }

    /// Names of all frames that have a parent.
    pub fn frame_names(&self) -> impl Iterator<Item = &str> {
        self.frames.keys().map(String::as_str)
    }

    /// Names of the parents of all frames, each as often as it is one.
    pub fn parent_names(&self) -> impl Iterator<Item = &str> {
        self.frames.values().map(|frame| frame.parent.as_str())
    }

    /// Takes in a message of /tf or /tf_static; a rotation that is none is left out with its transform.
    pub fn take_in(&mut self, message: &TfMessage<'_>, is_static: bool) {
        for transform in &message.transforms {
            let geometry_msgs::Quaternion { x, y, z, w } = transform.rotation;
            let geometry_msgs::Point { x: tx, y: ty, z: tz } = transform.translation;
            let Some(rotation) = UnitQuaternion::try_new(Quaternion::new(w, x, y, z), 1e-6) else { continue };
            let pose = Isometry3::from_parts(Translation3::new(tx, ty, tz), rotation);
            let header = transform.header;
            self.insert(header.frame_id, &transform.child_frame_id, header.stamp, pose, is_static);
        }
    }

    /// Takes in where `child` is in `parent` at `stamp`. What is not finite or names no frames is left out.
    pub fn insert(
        &mut self,
        parent: &str,
        child: &str,
        stamp: Stamp,
        parent_from_child: Isometry3<f64>,
        is_static: bool,
    ) {
        let is_finite = parent_from_child.to_homogeneous().iter().all(|value| value.is_finite());
        let (parent, child) = (parent.trim_start_matches('/'), child.trim_start_matches('/'));
        let is_room = self.frames.len() < self.most_frames || self.frames.contains_key(child);
        if !is_finite || parent.is_empty() || child.is_empty() || parent == child || !is_room {
            return;
        }
        let frame = self.frames.entry(child.to_owned()).or_insert_with(|| Frame {
            parent: parent.to_owned(),
            is_static,
            transforms: VecDeque::new(),
        });
        if frame.parent != parent || frame.is_static != is_static || is_static {
            frame.transforms.clear();
        }
        frame.is_static = is_static;
        parent.clone_into(&mut frame.parent);
        // Time that goes back by more than the history is a restarted bag: what was known is of another run.
        if frame.transforms.back().is_some_and(|(last, _)| last.seconds_since(stamp) > self.history_secs) {
            frame.transforms.clear();
        }
        let at = frame.transforms.partition_point(|(known, _)| *known < stamp);
        if frame.transforms.get(at).is_some_and(|(known, _)| *known == stamp) {
            frame.transforms[at].1 = parent_from_child;
        } else {
            frame.transforms.insert(at, (stamp, parent_from_child));
        }
        while let (Some((first, _)), Some((last, _))) = (frame.transforms.front(), frame.transforms.back()) {
            if last.seconds_since(*first) <= self.history_secs {
                break;
            }
            frame.transforms.pop_front();
        }
    }

    /// The rigid motion that takes points of `source` at `stamp` into `target`.
    ///
    /// # Errors
    /// [`TfError`] says which frame is missing, and whether waiting may help.
    pub fn target_from_source(&self, target: &str, source: &str, stamp: Stamp) -> Result<Isometry3<f64>, TfError> {
        let (target, source) = (target.trim_start_matches('/'), source.trim_start_matches('/'));
        if target == source {
            return Ok(Isometry3::identity());
        }
        let (from_source, from_target) = (self.chain(source)?, self.chain(target)?);
        let meeting = from_source.iter().find(|frame| from_target.contains(frame)).copied().ok_or_else(|| {
            let known = |frame: &str| {
                self.frames.values().any(|known| known.parent == frame) || self.frames.contains_key(frame)
            };
            match [source, target].into_iter().find(|frame| !known(frame)) {
                Some(frame) => TfError::Unknown(frame.to_owned()),
                None => TfError::Unconnected { from: source.to_owned(), to: target.to_owned() },
            }
        })?;
        let up = |chain: &[&str]| -> Result<Isometry3<f64>, TfError> {
            let mut ancestor_from_frame = Isometry3::identity();
            for frame in chain.iter().take_while(|frame| **frame != meeting) {
                ancestor_from_frame = self.parent_from(frame, stamp)? * ancestor_from_frame;
            }
            Ok(ancestor_from_frame)
        };
        Ok(up(&from_target)?.inverse() * up(&from_source)?)
    }

    /// `frame`, its parent, and so on.
    fn chain<'a>(&'a self, frame: &'a str) -> Result<Vec<&'a str>, TfError> {
        let mut chain = vec![frame];
        let mut at = frame;
        while let Some(known) = self.frames.get(at) {
            at = &known.parent;
            chain.push(at);
            if chain.len() > DEEPEST {
                return Err(TfError::Loop(frame.to_owned()));
            }
        }
        Ok(chain)
    }

    fn parent_from(&self, name: &str, stamp: Stamp) -> Result<Isometry3<f64>, TfError> {
        let frame = self.frames.get(name).ok_or_else(|| TfError::Unknown(name.to_owned()))?;
        let (Some((first, only)), Some((last, _))) = (frame.transforms.front(), frame.transforms.back()) else {
            return Err(TfError::Unknown(name.to_owned()));
        };
        if frame.is_static {
            return Ok(*only);
        }
        if stamp < *first || stamp > *last {
            let hint =
                if stamp > *last { "it is late, or nobody publishes it any more" } else { "the image is too old" };
            let (first, last) = (first.seconds_since(stamp), last.seconds_since(stamp));
            return Err(TfError::NoTime { frame: name.to_owned(), first, last, hint });
        }
        let at = frame.transforms.partition_point(|(known, _)| *known < stamp);
        let (after, to) = frame.transforms[at];
        if after == stamp || at == 0 {
            return Ok(to);
        }
        let (before, from) = frame.transforms[at - 1];
        let secs = after.seconds_since(before);
        if secs > self.longest_gap_secs {
            return Err(TfError::Gap { frame: name.to_owned(), secs });
        }
        let share = stamp.seconds_since(before) / secs;
        let turned = from.rotation.try_slerp(&to.rotation, share, 1e-9).unwrap_or(to.rotation);
        Ok(Isometry3::from_parts(from.translation.vector.lerp(&to.translation.vector, share).into(), turned))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nalgebra::{Point3, Vector3};

    fn stamp(secs: f64) -> Stamp {
        Stamp::from_nanoseconds((1e9 * secs) as i64)
    }

    fn moved(x: f64, yaw: f64) -> Isometry3<f64> {
        Isometry3::from_parts(Translation3::new(x, 0.0, 0.0), UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw))
    }

    fn robot() -> TransformBuffer {
        let mut buffer = TransformBuffer::default();
        buffer.insert("odom", "base", stamp(100.0), moved(1.0, 0.0), false);
        buffer.insert("odom", "base", stamp(101.0), moved(3.0, 1.0), false);
        buffer.insert("base", "camera", stamp(0.0), moved(0.5, 0.0), true);
        buffer.insert("base", "arm", stamp(0.0), moved(-0.5, 0.0), true);
        buffer
    }

    #[test]
    fn a_moving_base_is_interpolated_and_static_frames_count_at_any_time() {
        let buffer = robot();
        let at = buffer.target_from_source("odom", "camera", stamp(100.5)).unwrap();
        let found = at * Point3::origin();
        assert!((found.x - (2.0 + 0.5 * 0.5_f64.cos())).abs() < 1e-9 && (found.y - 0.5 * 0.5_f64.sin()).abs() < 1e-9);
        // Between siblings, the moving base plays no part.
        let sideways = buffer.target_from_source("/arm", "camera", stamp(5000.0)).unwrap();
        assert!((sideways.translation.x - 1.0).abs() < 1e-12);
        assert_eq!(buffer.target_from_source("x", "/x", stamp(1.0)).unwrap(), Isometry3::identity());
    }

    #[test]
    fn there_and_back_is_nothing() {
        let buffer = robot();
        let there = buffer.target_from_source("odom", "camera", stamp(100.3)).unwrap();
        let back = buffer.target_from_source("camera", "odom", stamp(100.3)).unwrap();
        assert!(((there * back).to_homogeneous() - nalgebra::Matrix4::identity()).norm() < 1e-9);
    }

    #[test]
    fn what_is_not_known_is_said_and_never_guessed() {
        let buffer = robot();
        let late = buffer.target_from_source("odom", "camera", stamp(101.5)).unwrap_err();
        assert!(late.may_come() && late.to_string().contains("from -1.500 s to -0.500 s"), "{late}");
        let early = buffer.target_from_source("odom", "camera", stamp(99.0)).unwrap_err();
        assert!(!early.may_come(), "{early}");
        let unknown = buffer.target_from_source("map", "camera", stamp(100.5)).unwrap_err();
        assert_eq!(unknown, TfError::Unknown("map".to_owned()));
        let mut two = robot();
        two.insert("world", "tower", stamp(0.0), moved(1.0, 0.0), true);
        let apart = two.target_from_source("tower", "camera", stamp(100.5)).unwrap_err();
        assert!(matches!(apart, TfError::Unconnected { .. }), "{apart}");
        two.insert("camera", "odom", stamp(100.0), moved(1.0, 0.0), true);
        let looped = two.target_from_source("tower", "camera", stamp(100.5)).unwrap_err();
        assert!(matches!(looped, TfError::Loop(_)), "{looped}");
    }

    #[test]
    fn a_recording_forgets_nothing_and_bridges_no_gap() {
        let mut buffer = TransformBuffer::of_recording(0.5);
        for at in [0.0, 0.4, 60.0, 60.4] {
            buffer.insert("odom", "base", stamp(at), moved(at, 0.0), false);
        }
        let at = |secs| buffer.target_from_source("odom", "base", stamp(secs)).map(|found| found.translation.x);
        assert!((at(0.2).unwrap() - 0.2).abs() < 1e-9 && (at(60.4).unwrap() - 60.4).abs() < 1e-9);
        let gap = at(30.0).unwrap_err();
        assert!(!gap.may_come() && gap.to_string().contains("not published for 59.600 s"), "{gap}");
        assert_eq!(buffer.frame_names().collect::<Vec<_>>(), ["base"]);
    }

    #[test]
    fn old_transforms_go_and_a_restarted_bag_begins_anew() {
        let mut buffer = TransformBuffer::default();
        for second in 0..60 {
            buffer.insert("odom", "base", stamp(second as f64), moved(1.0, 0.0), false);
        }
        assert!(buffer.target_from_source("odom", "base", stamp(48.0)).is_err());
        assert!(buffer.target_from_source("odom", "base", stamp(49.0)).is_ok());
        buffer.insert("odom", "base", stamp(2.0), moved(7.0, 0.0), false);
        assert!(buffer.target_from_source("odom", "base", stamp(55.0)).is_err(), "that was another run");
        buffer.insert("odom", "base", stamp(2.5), Isometry3::translation(f64::NAN, 0.0, 0.0), false);
        assert!(buffer.target_from_source("odom", "base", stamp(2.5)).is_err(), "NaN is not taken in");
    }
}
