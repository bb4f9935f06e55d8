//! BVH (Biovision hierarchy): a body of constant bone lengths, and its joint rotations at even steps of time.
//!
//! * Bone lengths are the medians over the track; the rest pose is a T: facing +z, left is +x, up is +y. Unit cm.
//! * Where one joint carries several bones (pelvis, thorax), no single rotation fits all of them in a body that bends: the
//!   joint takes the best one (Kabsch), and each of its bones hangs on a helper joint at the same place
//!   (`r_hip_base` …), which turns it the rest of the way. So every bone points exactly where it did.
//! * A bone takes the smallest turn from its parent's orientation: its twist is not known.
//! * What is left is length alone: positions differ from the skeletons by how far the lengths of this image differ from
//!   their medians, summed along the chain. [`Bvh::residual`] says how much.
//!
//! Rotations are Z·X·Y, degrees, as most tools write them.

use std::fmt::Write;

use nalgebra::{Matrix3, Point3, Rotation3, Vector3};

use super::TrackSeries;
use crate::geometry::{ScaleFit, Similarity};
use crate::skeleton::{BONES, JOINT_COUNT, Joint, JointArray};

/// Centimetres in a metre.
const CM: f64 = 100.0;
/// Length of the end site that closes a chain, m; no joint lies there.
const END_SITE: f64 = 0.02;

/// Frames at most: hours of 30 Hz.
const MOST_FRAMES: usize = 500_000;

/// A track that cannot be written as BVH.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BvhError {
    /// A body without one of its joints.
    #[error("track {track}: {} is never there, and BVH needs every joint", .joint.name())]
    MissingJoint {
        /// Track.
        track: u32,
        /// Joint.
        joint: Joint,
    },
    /// Stamps that leap: even steps would fill the disk.
    #[error("track {track} spans {steps} steps of {interval} s, more than {MOST_FRAMES}: do its stamps leap?")]
    TooLong {
        /// Track.
        track: u32,
        /// Steps.
        steps: usize,
        /// Length of one, s.
        interval: String,
    },
    /// No time to speak of.
    #[error("track {track}: fewer than two images, which are no movement")]
    TooShort {
        /// Track.
        track: u32,
    },
}

/// A movement as a body of constant bone lengths.
#[derive(Clone, Debug, PartialEq)]
pub struct Bvh {
    /// Offset of each joint from its parent in the rest pose, m; zero for the root.
    offsets: JointArray<Vector3<f64>>,
    frames: Vec<Frame>,
    interval: f64,
    /// Distances of joints from the skeletons, m: mean and largest.
    residual: (f64, f64),
}

/// Rotations are relative to the parent in the hierarchy.
#[derive(Clone, Debug, PartialEq)]
struct Frame {
    root: Vector3<f64>,
    rotations: JointArray<Rotation3<f64>>,
    /// Of the helper joint before each joint, where there is one.
    helpers: JointArray<Rotation3<f64>>,
}

/// Direction of the bone that ends in `joint`, rest pose.
fn rest_direction(joint: Joint) -> Vector3<f64> {
    match joint {
        Joint::Pelvis => Vector3::zeros(),
        Joint::RHip | Joint::RShoulder | Joint::RElbow | Joint::RWrist => -Vector3::x(),
        Joint::LHip | Joint::LShoulder | Joint::LElbow | Joint::LWrist => Vector3::x(),
        Joint::RKnee | Joint::RAnkle | Joint::LKnee | Joint::LAnkle => -Vector3::y(),
        Joint::Spine | Joint::Thorax | Joint::Nose | Joint::Head => Vector3::y(),
    }
}

fn children(joint: Joint) -> impl Iterator<Item = Joint> {
    BONES.into_iter().filter(move |(parent, _)| *parent == joint).map(|(_, child)| child)
}

/// Whether `joint` hangs on a helper: its parent carries other bones, too.
fn has_helper(joint: Joint) -> bool {
    joint.parent().is_some_and(|parent| children(parent).count() > 1)
}

impl Bvh {
    /// The movement of `series` at steps of `interval` s.
    ///
    /// # Errors
    /// [`BvhError`] when a joint is never there or there is no time.
    pub fn new(series: &TrackSeries, interval: f64) -> Result<Self, BvhError> {
        let track = series.track_id.0;
        let steps = series.steps(interval);
        if steps > MOST_FRAMES {
            return Err(BvhError::TooLong { track, steps, interval: format!("{interval:.6}") });
        }
        let frames = series.resampled(interval).map_err(|joint| BvhError::MissingJoint { track, joint })?;
        if frames.len() < 2 {
            return Err(BvhError::TooShort { track });
        }
        let mut offsets = [Vector3::zeros(); JOINT_COUNT];
        for (parent, child) in BONES {
            let length = |frame: &JointArray<Vector3<f64>>| (frame[child.index()] - frame[parent.index()]).norm();
            let mut lengths: Vec<f64> = frames.iter().map(length).collect();
            lengths.sort_by(f64::total_cmp);
            offsets[child.index()] = rest_direction(child) * lengths[lengths.len() / 2];
        }
        let mut bvh = Self { offsets, frames: Vec::with_capacity(frames.len()), interval, residual: (0.0, 0.0) };
        let (mut sum, mut largest) = (0.0, 0.0_f64);
        for frame in &frames {
            let (posed, positions) = bvh.pose(frame);
            for (ours, wanted) in positions.iter().zip(frame) {
                let distance = (ours - wanted).norm();
                sum += distance;
                largest = largest.max(distance);
            }
            bvh.frames.push(posed);
        }
        bvh.residual = (sum / (frames.len() * JOINT_COUNT) as f64, largest);
        Ok(bvh)
    }

    /// How far constant bone lengths move the joints, m: mean and largest.
    pub const fn residual(&self) -> (f64, f64) {
        self.residual
    }

    /// Rotations for one frame, and where they bring the joints.
    fn pose(&self, wanted: &JointArray<Vector3<f64>>) -> (Frame, JointArray<Vector3<f64>>) {
        let identity = [Rotation3::identity(); JOINT_COUNT];
        let mut frame = Frame { root: wanted[0], rotations: identity, helpers: identity };
        let mut positions = *wanted;
        // Orientations in the world; parents come before their children in `Joint::ALL`'s bone order.
        let mut orientations = identity;
        let root_orientation = self.best_rotation(Joint::Pelvis, wanted, Rotation3::identity());
        orientations[0] = root_orientation;
        frame.rotations[0] = root_orientation;
        for (parent, child) in BONES {
            let (p, c) = (parent.index(), child.index());
            let direction = wanted[c] - wanted[p];
            let mut carrier = orientations[p];
            if has_helper(child) {
                let turned = turn(&(carrier * self.offsets[c]), &direction) * carrier;
                frame.helpers[c] = carrier.inverse() * turned;
                carrier = turned;
            }
            positions[c] = positions[p] + carrier * self.offsets[c];
            orientations[c] = self.best_rotation(child, wanted, carrier);
            frame.rotations[c] = carrier.inverse() * orientations[c];
        }
        (frame, positions)
    }

    /// World orientation of `joint`, carried by `carrier`, so that its bones point where they should: exactly for one
    /// bone, as well as one rotation can for several. No bone, no turn.
    fn best_rotation(
        &self,
        joint: Joint,
        wanted: &JointArray<Vector3<f64>>,
        carrier: Rotation3<f64>,
    ) -> Rotation3<f64> {
        let bones: Vec<(Vector3<f64>, Vector3<f64>)> = children(joint)
            .map(|child| (self.offsets[child.index()], wanted[child.index()] - wanted[joint.index()]))
            .collect();
        match bones.as_slice() {
            [] => carrier,
            [(offset, direction)] => turn(&(carrier * offset), direction) * carrier,
            several => {
                // The joint itself takes part as the common start of its bones.
                let start = (Point3::origin(), Point3::origin());
                let ends = several.iter().map(|(offset, direction)| (Point3::from(*offset), Point3::from(*direction)));
                let (source, target): (Vec<_>, Vec<_>) = std::iter::once(start).chain(ends).unzip();
                Similarity::fit(&source, &target, ScaleFit::Fixed).map_or(carrier, |fit| fit.rotation)
            }
        }
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = "HIERARCHY\n".to_owned();
        self.write_joint(&mut text, Joint::Pelvis, 0);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "MOTION\nFrames: {}\nFrame Time: {:.9}", self.frames.len(), self.interval);
        for frame in &self.frames {
            let root = frame.root * CM;
            let _ = write!(text, "{:.5} {:.5} {:.5}", root.x, root.y, root.z);
            write_rotations(&mut text, frame, Joint::Pelvis);
            text.push('\n');
        }
        text
    }

    fn write_joint(&self, text: &mut String, joint: Joint, depth: usize) {
        let offset = self.offsets[joint.index()] * CM;
        let rotations = "CHANNELS 3 Zrotation Xrotation Yrotation";
        let mut depth = depth;
        let mut open = |text: &mut String, kind: &str, name: &str, offset: Vector3<f64>, channels: &str| {
            let (outer, inner) = ("  ".repeat(depth), "  ".repeat(depth + 1));
            let _ = writeln!(text, "{outer}{kind} {name}\n{outer}{{");
            let _ = writeln!(text, "{inner}OFFSET {:.5} {:.5} {:.5}\n{inner}{channels}", offset.x, offset.y, offset.z);
            depth += 1;
        };
        if joint.parent().is_none() {
            let channels = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation";
            open(text, "ROOT", joint.name(), Vector3::zeros(), channels);
        } else {
            if has_helper(joint) {
                open(text, "JOINT", &format!("{}_base", joint.name()), Vector3::zeros(), rotations);
            }
            open(text, "JOINT", joint.name(), offset, rotations);
        }
        for child in children(joint) {
            self.write_joint(text, child, depth);
        }
        if children(joint).next().is_none() {
            let (outer, inner, end) =
                ("  ".repeat(depth), "  ".repeat(depth + 1), rest_direction(joint) * END_SITE * CM);
            let _ = writeln!(
                text,
                "{outer}End Site\n{outer}{{\n{inner}OFFSET {:.5} {:.5} {:.5}\n{outer}}}",
                end.x, end.y, end.z
            );
        }
        for level in (depth - 1 - usize::from(has_helper(joint))..depth).rev() {
            let _ = writeln!(text, "{}}}", "  ".repeat(level));
        }
    }
}

/// In the order of the hierarchy.
fn write_rotations(text: &mut String, frame: &Frame, joint: Joint) {
    let helper = has_helper(joint).then_some(&frame.helpers[joint.index()]);
    for rotation in helper.into_iter().chain([&frame.rotations[joint.index()]]) {
        let [z, x, y] = zxy_degrees(rotation.matrix());
        let _ = write!(text, " {z:.6} {x:.6} {y:.6}");
    }
    for child in children(joint) {
        write_rotations(text, frame, child);
    }
}

/// The smallest rotation that brings the direction of `from` to that of `to`; none where one of them has no length.
fn turn(from: &Vector3<f64>, to: &Vector3<f64>) -> Rotation3<f64> {
    if from.norm() < 1e-12 || to.norm() < 1e-12 {
        return Rotation3::identity();
    }
    Rotation3::rotation_between(from, to).unwrap_or_else(|| {
        // Opposite directions: half a turn around any axis across.
        let across = from.cross(&if from.x.abs() < 0.9 * from.norm() { Vector3::x() } else { Vector3::y() });
        Rotation3::from_axis_angle(&nalgebra::Unit::new_normalize(across), std::f64::consts::PI)
    })
}

/// Angles with R = Rz · Rx · Ry, degrees.
fn zxy_degrees(r: &Matrix3<f64>) -> [f64; 3] {
    let x = r[(2, 1)].clamp(-1.0, 1.0).asin();
    let angles = if x.cos() > 1e-9 {
        [(-r[(0, 1)]).atan2(r[(1, 1)]), x, (-r[(2, 0)]).atan2(r[(2, 2)])]
    } else {
        // z and y turn around the same axis: y is taken as 0.
        [r[(1, 0)].atan2(r[(0, 0)]), x, 0.0]
    };
    angles.map(f64::to_degrees)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matrix([z, x, y]: [f64; 3]) -> Matrix3<f64> {
        let about = |axis, degrees: f64| Rotation3::from_axis_angle(&axis, degrees.to_radians());
        (about(Vector3::z_axis(), z) * about(Vector3::x_axis(), x) * about(Vector3::y_axis(), y)).into_inner()
    }

    proptest! {
        #[test]
        fn angles_give_the_rotation_back(axis_angle in prop::array::uniform3(-3.0..3.0_f64)) {
            let rotation = Rotation3::new(Vector3::from(axis_angle)).into_inner();
            prop_assert!((matrix(zxy_degrees(&rotation)) - rotation).norm() < 1e-9);
        }

        #[test]
        fn a_turn_brings_one_direction_to_the_other(
            from in prop::array::uniform3(-1.0..1.0_f64), to in prop::array::uniform3(-1.0..1.0_f64),
        ) {
            let (from, to) = (Vector3::from(from), Vector3::from(to));
            prop_assume!(from.norm() > 1e-3 && to.norm() > 1e-3);
            prop_assert!((turn(&from, &to) * from.normalize() - to.normalize()).norm() < 1e-9);
        }
    }

    #[test]
    fn stamps_that_leap_and_single_images_are_refused() {
        let series = |times: &[f64]| TrackSeries {
            track_id: crate::data::TrackId(4),
            times: times.to_vec(),
            joints: vec![[Some(Vector3::zeros()); JOINT_COUNT]; times.len()],
        };
        let refusal = |times: &[f64]| Bvh::new(&series(times), 0.04).err().map(|error| error.to_string());
        assert!(refusal(&[0.0, 0.04, 1.7e9]).is_some_and(|text| text.contains("do its stamps leap?")));
        assert!(refusal(&[3.0]).is_some_and(|text| text.contains("track 4: fewer than two images")));
        // A body that is a point has no directions; nothing breaks.
        assert_eq!(refusal(&[0.0, 0.04]), None);
    }

    #[test]
    fn opposite_and_absent_directions_have_a_turn_too() {
        for axis in [Vector3::x(), Vector3::y(), Vector3::z()] {
            assert!((turn(&axis, &-axis) * axis + axis).norm() < 1e-9);
        }
        assert_eq!(turn(&Vector3::zeros(), &Vector3::x()), Rotation3::identity());
    }

    #[test]
    fn straight_up_and_down_are_no_trouble_for_the_angles() {
        for x in [90.0, -90.0] {
            let rotation = matrix([30.0, x, 20.0]);
            assert!((matrix(zxy_degrees(&rotation)) - rotation).norm() < 1e-6);
        }
    }
}
