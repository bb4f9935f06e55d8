//! Skeletons as `visualization_msgs/MarkerArray`: bones, joints and the identity of each person.

use std::time::Duration;

use crate::adapters::messages::geometry_msgs::{Point, Pose, Vector3};
use crate::adapters::messages::std_msgs::{ColorRgba, Header};
use crate::adapters::messages::visualization_msgs::{Marker, MarkerAction, MarkerArray, MarkerKind};
use crate::data::{JointState, PersonEstimate, PoseEstimate};
use crate::report::overlay::colour_of;
use crate::skeleton::{BONES, Joint};

/// A viewer forgets a person of whom it hears nothing for so long.
const LIFETIME: Duration = Duration::from_millis(300);
const BONE_WIDTH_M: f64 = 0.025;
const JOINT_DIAMETER_M: f64 = 0.06;
const TEXT_HEIGHT_M: f64 = 0.15;
/// The identity stands this far above the head (the camera's y points down), m.
const TEXT_ABOVE_M: f64 = 0.2;

/// The markers of everybody in `estimate`, in the camera optical frame `frame_id`.
pub fn markers<'a>(estimate: &PoseEstimate, frame_id: &'a str) -> MarkerArray<'a> {
    let header = Header { stamp: estimate.stamp, frame_id };
    MarkerArray { markers: estimate.people.iter().flat_map(|person| person_markers(person, header)).collect() }
}

fn person_markers<'a>(person: &PersonEstimate, header: Header<'a>) -> [Marker<'a>; 3] {
    let marker = |namespace: &'a str, kind: MarkerKind, scale: (f64, f64, f64)| Marker {
        header,
        namespace,
        id: person.track_id.0 as i32,
        kind,
        action: MarkerAction::Add,
        pose: Pose::default(),
        scale: Vector3 { x: scale.0, y: scale.1, z: scale.2 },
        color: colour(person, JointState::Measured),
        lifetime: LIFETIME,
        points: Vec::new(),
        colors: Vec::new(),
        text: String::new(),
    };
    let point = |joint: usize| {
        let at = person.joints[joint].position_in_camera;
        Point { x: at.x, y: at.y, z: at.z }
    };
    let mut bones = marker("bones", MarkerKind::LineList, (BONE_WIDTH_M, 0.0, 0.0));
    for (parent, child) in BONES {
        for joint in [parent.index(), child.index()] {
            bones.points.push(point(joint));
            bones.colors.push(colour(person, person.joints[joint].state));
        }
    }
    let diameter = JOINT_DIAMETER_M;
    let mut joints = marker("joints", MarkerKind::SphereList, (diameter, diameter, diameter));
    for joint in Joint::ALL.map(Joint::index) {
        joints.points.push(point(joint));
        joints.colors.push(colour(person, person.joints[joint].state));
    }
    let mut text = marker("identity", MarkerKind::TextViewFacing, (0.0, 0.0, TEXT_HEIGHT_M));
    let head = point(Joint::Head.index());
    text.pose.position = Point { y: head.y - TEXT_ABOVE_M, ..head };
    text.text = person.track_id.0.to_string();
    [bones, joints, text]
}

fn colour(person: &PersonEstimate, state: JointState) -> ColorRgba {
    let [r, g, b] = colour_of(person.track_id.0).map(|value| f32::from(value) / 255.0);
    let a = match state {
        JointState::Absent => 0.0,
        JointState::Predicted => 0.3,
        JointState::Inferred => 0.65,
        JointState::Measured => 1.0,
    };
    ColorRgba { r, g, b, a }
}
