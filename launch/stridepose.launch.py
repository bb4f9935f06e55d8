"""The stridepose node for one camera, with RViz on request.

    ros2 launch stridepose stridepose.launch.py camera:=/camera
    ros2 launch stridepose stridepose.launch.py camera:=/camera models:=$HOME/models target_frame:=map rviz:=true
    ros2 launch stridepose stridepose.launch.py --show-args

stridepose.launch.xml and stridepose.launch.yaml start the same with the same arguments. Several cameras: include this file
once for each, with a namespace of its own.

Skeletons lie in the camera's optical frame (z forward, y down), or in target_frame. So that people stand upright in RViz, a
level camera is assumed where there is no target_frame: a frame `stridepose_view` (x forward, z up) is put where the camera
is, as a child of `frame`, which may have a parent of its own.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, NotSubstitution, PathJoinSubstitution, PythonExpression
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description():
    config = [FindPackageShare("stridepose"), "config"]
    arguments = [
        DeclareLaunchArgument("camera", default_value="/camera", description="Namespace of the camera's topics"),
        DeclareLaunchArgument(
            "image",
            default_value=[LaunchConfiguration("camera"), "/image_raw"],
            description="Topic of the images; with transport:=compressed, /compressed is added",
        ),
        DeclareLaunchArgument(
            "camera_info",
            default_value=[LaunchConfiguration("camera"), "/camera_info"],
            description="Topic of the camera's calibration",
        ),
        DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node"),
        DeclareLaunchArgument(
            "config",
            default_value=PathJoinSubstitution([*config, "stridepose.yaml"]),
            description="Parameter file; the arguments below win over it",
        ),
        DeclareLaunchArgument("models", default_value="", description="Folders with networks, separated by colons"),
        DeclareLaunchArgument("keypoints_model", default_value="blazepose_full", description="2D keypoint network"),
        DeclareLaunchArgument("transport", default_value="raw", choices=["raw", "compressed"], description="Image transport"),
        DeclareLaunchArgument(
            "provider",
            default_value="auto",
            choices=["auto", "cpu", "cuda", "tensorrt"],
            description="ONNX Runtime execution provider",
        ),
        DeclareLaunchArgument(
            "target_frame", default_value="", description="Frame the skeletons are published in; empty: the camera's"
        ),
        DeclareLaunchArgument("use_sim_time", default_value="false", description="Whether time comes from /clock"),
        DeclareLaunchArgument(
            "lifecycle",
            default_value="false",
            description="Whether a lifecycle manager configures and activates the node; else it does so itself",
        ),
        DeclareLaunchArgument("rviz", default_value="false", description="Whether to start RViz"),
        DeclareLaunchArgument(
            "frame", default_value="camera_optical_frame", description="frame_id of the images; RViz alone needs it"
        ),
        DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn or error"),
    ]

    def value(argument, kind):
        return ParameterValue(LaunchConfiguration(argument), value_type=kind)

    node = Node(
        package="stridepose",
        executable="stridepose_node",
        name="stridepose",
        namespace=LaunchConfiguration("namespace"),
        output="screen",
        parameters=[
            LaunchConfiguration("config"),
            {
                "node.model_folders": value("models", str),
                "keypoints.model": value("keypoints_model", str),
                "node.transport": value("transport", str),
                "inference.provider": value("provider", str),
                "node.target_frame": value("target_frame", str),
                "node.autostart": ParameterValue(NotSubstitution(LaunchConfiguration("lifecycle")), value_type=bool),
                "use_sim_time": value("use_sim_time", bool),
            },
        ],
        remappings=[
            ("image", LaunchConfiguration("image")),
            ("image/compressed", [LaunchConfiguration("image"), "/compressed"]),
            ("camera_info", LaunchConfiguration("camera_info")),
        ],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
    )
    upright_view = Node(
        package="tf2_ros",
        executable="static_transform_publisher",
        name="stridepose_view",
        arguments=[
            "--qx", "0.5", "--qy", "-0.5", "--qz", "0.5", "--qw", "0.5",
            "--frame-id", LaunchConfiguration("frame"), "--child-frame-id", "stridepose_view",
        ],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )  # fmt: skip
    fixed_frame = PythonExpression(["'", LaunchConfiguration("target_frame"), "' or 'stridepose_view'"])
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", PathJoinSubstitution([*config, "stridepose.rviz"]), "-f", fixed_frame],
        parameters=[{"use_sim_time": value("use_sim_time", bool)}],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription([*arguments, node, upright_view, rviz])
