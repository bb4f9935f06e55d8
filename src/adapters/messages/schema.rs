//! Message definitions in the form that MCAP stores with encoding `ros2msg`: the definition itself, then each
//! definition it depends on, parted by a line of 80 `=` and a line `MSG: package/Type`.
//!
//! Our own definitions are the very files of `msg/`; of standard messages the fields are listed here.

use std::fmt::Write;

use super::Message;

/// Schema encoding name in MCAP.
pub const ENCODING: &str = "ros2msg";

const DEFINITIONS: &[(&str, &str)] = &[
    ("stridepose/Joint", include_str!("../../../msg/Joint.msg")),
    ("stridepose/Skeleton", include_str!("../../../msg/Skeleton.msg")),
    ("stridepose/SkeletonArray", include_str!("../../../msg/SkeletonArray.msg")),
    ("stridepose/JointSet", include_str!("../../../msg/JointSet.msg")),
    ("stridepose/Keypoint", include_str!("../../../msg/Keypoint.msg")),
    ("stridepose/PersonKeypoints", include_str!("../../../msg/PersonKeypoints.msg")),
    ("stridepose/KeypointArray", include_str!("../../../msg/KeypointArray.msg")),
    ("builtin_interfaces/Time", "int32 sec\nuint32 nanosec\n"),
    ("builtin_interfaces/Duration", "int32 sec\nuint32 nanosec\n"),
    ("std_msgs/Header", "builtin_interfaces/Time stamp\nstring frame_id\n"),
    ("std_msgs/ColorRGBA", "float32 r\nfloat32 g\nfloat32 b\nfloat32 a\n"),
    ("std_msgs/String", "string data\n"),
    ("geometry_msgs/Point", "float64 x\nfloat64 y\nfloat64 z\n"),
    ("geometry_msgs/Vector3", "float64 x\nfloat64 y\nfloat64 z\n"),
    ("geometry_msgs/Quaternion", "float64 x 0\nfloat64 y 0\nfloat64 z 0\nfloat64 w 1\n"),
    ("geometry_msgs/Pose", "Point position\nQuaternion orientation\n"),
    ("geometry_msgs/PoseStamped", "std_msgs/Header header\nPose pose\n"),
    ("geometry_msgs/Transform", "Vector3 translation\nQuaternion rotation\n"),
    ("geometry_msgs/TransformStamped", "std_msgs/Header header\nstring child_frame_id\nTransform transform\n"),
    ("tf2_msgs/TFMessage", "geometry_msgs/TransformStamped[] transforms\n"),
    (
        "sensor_msgs/Image",
        "std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\nuint32 step\nuint8[] data\n",
    ),
    ("sensor_msgs/CompressedImage", "std_msgs/Header header\nstring format\nuint8[] data\n"),
    (
        "sensor_msgs/RegionOfInterest",
        "uint32 x_offset\nuint32 y_offset\nuint32 height\nuint32 width\nbool do_rectify\n",
    ),
    (
        "sensor_msgs/CameraInfo",
        "std_msgs/Header header\nuint32 height\nuint32 width\nstring distortion_model\nfloat64[] d\nfloat64[9] k\n\
         float64[9] r\nfloat64[12] p\nuint32 binning_x\nuint32 binning_y\nRegionOfInterest roi\n",
    ),
    ("visualization_msgs/UVCoordinate", "float32 u\nfloat32 v\n"),
    ("visualization_msgs/MeshFile", "string filename\nuint8[] data\n"),
    (
        "visualization_msgs/Marker",
        "int32 ARROW=0\nint32 CUBE=1\nint32 SPHERE=2\nint32 CYLINDER=3\nint32 LINE_STRIP=4\nint32 LINE_LIST=5\n\
         int32 CUBE_LIST=6\nint32 SPHERE_LIST=7\nint32 POINTS=8\nint32 TEXT_VIEW_FACING=9\nint32 MESH_RESOURCE=10\n\
         int32 TRIANGLE_LIST=11\nint32 ADD=0\nint32 MODIFY=0\nint32 DELETE=2\nint32 DELETEALL=3\n\
         std_msgs/Header header\nstring ns\nint32 id\nint32 type\nint32 action\ngeometry_msgs/Pose pose\n\
         geometry_msgs/Vector3 scale\nstd_msgs/ColorRGBA color\nbuiltin_interfaces/Duration lifetime\n\
         bool frame_locked\ngeometry_msgs/Point[] points\nstd_msgs/ColorRGBA[] colors\nstring texture_resource\n\
         sensor_msgs/CompressedImage texture\nUVCoordinate[] uv_coordinates\nstring text\nstring mesh_resource\n\
         MeshFile mesh_file\nbool mesh_use_embedded_materials\n",
    ),
    ("visualization_msgs/MarkerArray", "Marker[] markers\n"),
];

/// The `ros2msg` schema of `M`: its definition and all it depends on, each once. `None` where a definition is not
/// known here.
pub fn schema_of<M: Message>() -> Option<String> {
    schema(M::TYPE)
}

/// The `ros2msg` schema of the type called `name`, e.g. `sensor_msgs/msg/Image`.
pub fn schema(name: &str) -> Option<String> {
    let root = name.replace("/msg/", "/");
    let mut needed = vec![root.clone()];
    let mut text = String::new();
    let mut next = 0;
    while let Some(current) = needed.get(next).cloned() {
        let definition = definition(&current)?;
        if next > 0 {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}\nMSG: {current}", "=".repeat(80));
        }
        text.push_str(definition);
        for dependency in dependencies(&current, definition) {
            if !needed.contains(&dependency) {
                needed.push(dependency);
            }
        }
        next += 1;
    }
    Some(text)
}

fn definition(name: &str) -> Option<&'static str> {
    DEFINITIONS.iter().find(|(known, _)| *known == name).map(|(_, definition)| *definition)
}

/// Full names of the message types among the fields of `definition`.
fn dependencies<'a>(name: &'a str, definition: &'a str) -> impl Iterator<Item = String> + 'a {
    let package = name.split('/').next().unwrap_or_default();
    definition.lines().filter_map(move |line| {
        let field_type = line.split('#').next()?.split_whitespace().next()?;
        let element_type = field_type.split(['[', '<']).next()?;
        let is_message = element_type.contains('/') || element_type.starts_with(char::is_uppercase);
        is_message.then(|| {
            if element_type.contains('/') { element_type.to_owned() } else { format!("{package}/{element_type}") }
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::adapters::messages::stridepose::SkeletonArray;

    #[test]
    fn every_definition_finds_all_it_depends_on() {
        for (name, _) in DEFINITIONS {
            assert!(schema(name).is_some(), "{name} depends on a type that is not listed");
        }
        assert_eq!(schema("sensor_msgs/msg/PointCloud2"), None);
    }

    #[test]
    fn the_skeleton_schema_holds_our_own_file_and_each_dependency_once() {
        let schema = schema_of::<SkeletonArray<'_>>().unwrap();
        assert!(schema.starts_with(include_str!("../../../msg/SkeletonArray.msg")));
        for dependency in ["stridepose/Skeleton", "stridepose/Joint", "std_msgs/Header", "builtin_interfaces/Duration"]
        {
            assert_eq!(schema.matches(&format!("MSG: {dependency}\n")).count(), 1, "{dependency}");
        }
    }
}
