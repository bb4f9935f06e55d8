"""Plays a result of `stridepose replay` and shows its skeletons in RViz.

    ros2 launch stridepose view_result.launch.py bag:=/path/to/result frame:=camera_color_optical_frame

The skeletons lie in the camera's optical frame (z forward, y down). So that people stand upright in RViz, a level
camera is assumed: a frame `stridepose_view` (x forward, z up) is put where the camera is.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare


def generate_launch_description():
    arguments = [
        DeclareLaunchArgument("bag", description="Folder that `stridepose replay -o` wrote"),
        DeclareLaunchArgument(
            "frame",
            default_value="camera_optical_frame",
            description="frame_id of the skeletons; `stridepose inspect` prints that of the images",
        ),
        DeclareLaunchArgument("rate", default_value="1.0", description="Playback speed, 1.0 is real time"),
    ]
    upright_view = Node(
        package="tf2_ros",
        executable="static_transform_publisher",
        name="stridepose_view",
        arguments=[
            "--qx", "0.5", "--qy", "-0.5", "--qz", "0.5", "--qw", "0.5",
            "--frame-id", LaunchConfiguration("frame"), "--child-frame-id", "stridepose_view",
        ],
    )  # fmt: skip
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", PathJoinSubstitution([FindPackageShare("stridepose"), "config", "stridepose.rviz"])],
        parameters=[{"use_sim_time": True}],
    )
    player = ExecuteProcess(
        cmd=["ros2", "bag", "play", LaunchConfiguration("bag"), "--clock", "--rate", LaunchConfiguration("rate")],
        output="screen",
    )
    return LaunchDescription([*arguments, upright_view, rviz, player])
