"""Plays a recorded camera through the live node, with RViz: to see on a desk what the robot will do.

    ros2 launch stridepose replay.launch.py bag:=/path/to/bag camera:=/camera models:=$HOME/models

For exact results, every image in its turn and none left out, use `stridepose replay`: it needs no ROS.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare


def generate_launch_description():
    passed_on = {
        "camera": ("/camera", "Namespace of the camera's topics in the bag"),
        "models": ("", "Folders with networks, separated by colons"),
        "keypoints_model": ("blazepose_full", "2D keypoint network"),
        "transport": ("compressed", "Image transport of the bag: raw or compressed"),
        "rviz": ("true", "Whether to start RViz"),
        "frame": ("camera_optical_frame", "frame_id of the images; RViz alone needs it"),
    }
    arguments = [
        DeclareLaunchArgument("bag", description="rosbag2 folder with images and camera info"),
        DeclareLaunchArgument("rate", default_value="1.0", description="Playback speed, 1.0 is real time"),
        *(
            DeclareLaunchArgument(name, default_value=default, description=description)
            for name, (default, description) in passed_on.items()
        ),
    ]
    node = IncludeLaunchDescription(
        PathJoinSubstitution([FindPackageShare("stridepose"), "launch", "stridepose.launch.py"]),
        launch_arguments={
            **{name: LaunchConfiguration(name) for name in passed_on},
            "use_sim_time": "true",
        }.items(),
    )
    # The node loads its models first.
    player = ExecuteProcess(
        cmd=[
            "ros2", "bag", "play", LaunchConfiguration("bag"), "--clock", "100", "--delay", "5",
            "--rate", LaunchConfiguration("rate"),
        ],
        output="screen",
    )  # fmt: skip
    return LaunchDescription([*arguments, node, player])
