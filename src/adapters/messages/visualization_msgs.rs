//! `visualization_msgs/MarkerArray` (layout of Humble and later), written for RViz and Foxglove.
//!
//! Texture, mesh and UV fields are written empty: skeletons are spheres, lines and text.

use std::time::Duration;

use super::geometry_msgs::{Point, Pose, Vector3};
use super::std_msgs::{ColorRgba, Header};
use super::{Encode, Message, encode_sequence};
use crate::adapters::cdr::CdrWriter;
use crate::data::Stamp;

/// Shape of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum MarkerKind {
    /// One sphere.
    Sphere = 2,
    /// One line through the points; `scale.x` is its width, m.
    LineStrip = 4,
    /// A line between each pair of points; `scale.x` is the width, m.
    LineList = 5,
    /// A sphere at each point; `scale` is the diameter, m.
    SphereList = 7,
    /// Text that faces the viewer; `scale.z` is its height, m.
    TextViewFacing = 9,
}

/// What the viewer shall do with a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum MarkerAction {
    /// Add it or change the one with the same namespace and id.
    Add = 0,
    /// Remove the one with this namespace and id.
    Delete = 2,
    /// Remove all.
    DeleteAll = 3,
}

/// One shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Marker<'a> {
    /// Stamp and frame.
    pub header: Header<'a>,
    /// Namespace; with `id` the identity of the marker.
    pub namespace: &'a str,
    /// Identity within the namespace.
    pub id: i32,
    /// Shape.
    pub kind: MarkerKind,
    /// What to do with it.
    pub action: MarkerAction,
    /// Where it is.
    pub pose: Pose,
    /// Its size, m.
    pub scale: Vector3,
    /// Its colour, where `colors` is empty.
    pub color: ColorRgba,
    /// How long the viewer shows it; zero is for ever.
    pub lifetime: Duration,
    /// The points of lines and lists, m.
    pub points: Vec<Point>,
    /// A colour per point, or empty.
    pub colors: Vec<ColorRgba>,
    /// The text of a text marker.
    pub text: String,
}

impl Encode for Marker<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        self.header.encode(writer);
        writer.string(self.namespace);
        writer.i32(self.id);
        writer.i32(self.kind as i32);
        writer.i32(self.action as i32);
        self.pose.encode(writer);
        self.scale.encode(writer);
        self.color.encode(writer);
        self.lifetime.encode(writer);
        writer.bool(false); // frame_locked
        encode_sequence(writer, &self.points);
        encode_sequence(writer, &self.colors);
        writer.string(""); // texture_resource
        Header { stamp: Stamp::default(), frame_id: "" }.encode(writer); // texture.header
        writer.string(""); // texture.format
        writer.bytes(&[]); // texture.data
        writer.sequence_length(0); // uv_coordinates
        writer.string(&self.text);
        writer.string(""); // mesh_resource
        writer.string(""); // mesh_file.filename
        writer.bytes(&[]); // mesh_file.data
        writer.bool(false); // mesh_use_embedded_materials
    }
}

/// Many shapes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MarkerArray<'a> {
    /// The shapes.
    pub markers: Vec<Marker<'a>>,
}

impl Message for MarkerArray<'_> {
    const TYPE: &'static str = "visualization_msgs/msg/MarkerArray";
}

impl Encode for MarkerArray<'_> {
    fn encode(&self, writer: &mut CdrWriter<'_>) {
        encode_sequence(writer, &self.markers);
    }
}
