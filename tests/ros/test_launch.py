"""The launch files, started as a user starts them. Where RViz is needed, a stand-in writes down how it was started."""

import json
import os
import re
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from geometry_msgs.msg import TransformStamped
from harness import LATCHED, PACKAGE, SHARED, TOOL, Process, RosTest, ros2
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters
from sensor_msgs.msg import CompressedImage
from stridepose.msg import SkeletonArray
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

try:
    import bags
except ImportError:
    bags = None

KINDS = ("py", "xml", "yaml")
RVIZ = """#!/usr/bin/env python3
import json, pathlib, signal, sys
pathlib.Path("{said}").write_text(json.dumps(sys.argv))
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
signal.pause()
"""


def stand_in_for_rviz(folder):
    """An ament prefix with a package rviz2, and the file where it writes its arguments."""
    said = folder / "rviz.json"
    index = folder / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    (index / "rviz2").touch()
    program = folder / "lib/rviz2/rviz2"
    program.parent.mkdir(parents=True)
    program.write_text(RVIZ.format(said=said), encoding="utf-8")
    program.chmod(0o755)
    return {"AMENT_PREFIX_PATH": f"{folder}:{os.environ['AMENT_PREFIX_PATH']}"}, said


def arguments_of(file):
    """Name and description of every argument that --show-args tells."""
    shown = ros2("launch", "stridepose", file, "--show-args")
    return dict(re.findall(r"^    '(\w+)':\n        (.+)$", shown, re.MULTILINE))


class ArgumentsTest(unittest.TestCase):
    def test_all_three_have_the_same_and_say_what_they_are(self):
        python, xml, other = (arguments_of(f"stridepose.launch.{kind}") for kind in KINDS)
        self.assertEqual(list(python), list(xml))
        self.assertEqual(list(python), list(other))
        for name in ("camera", "config", "models", "provider", "target_frame", "rviz", "lifecycle"):
            self.assertIn(name, python)
        self.assertNotIn("no description given", "".join([*python.values(), *xml.values(), *other.values()]))
        self.assertLessEqual({"bag", "rate", "camera", "models", "rviz"}, set(arguments_of("replay.launch.py")))
        self.assertLessEqual({"bag", "rate", "frame"}, set(arguments_of("view_result.launch.py")))


class LaunchTest(RosTest):
    def launch(self, file, environment=None, **arguments):
        given = [f"{name}:={value}" for name, value in arguments.items()]
        return Process(["ros2", "launch", "stridepose", file, *given], environment)

    def test_each_starts_the_node_with_what_it_was_given(self):
        for kind in KINDS:
            with self.subTest(kind), tempfile.TemporaryDirectory() as folder:
                environment, said = stand_in_for_rviz(Path(folder))
                fixed = self.listen(TFMessage, "/tf_static", LATCHED)
                launched = self.launch(
                    f"stridepose.launch.{kind}", environment, camera="/cameras/left", namespace="robot", rviz="true", lifecycle="true",
                    frame="left_optical_frame", models="/nowhere", keypoints_model="movenet_lightning", transport="compressed",
                )  # fmt: skip
                with launched as process:
                    state = self.call(GetState, "/robot/stridepose/get_state", GetState.Request()).current_state.label
                    self.assertEqual(state, "unconfigured", "a lifecycle manager has the say")
                    names = ["node.transport", "node.model_folders", "keypoints.model", "node.target_frame"]
                    request = GetParameters.Request(names=names)
                    values = self.call(GetParameters, "/robot/stridepose/get_parameters", request).values
                    self.assertEqual([value.string_value for value in values], ["compressed", "/nowhere", "movenet_lightning", ""])
                    self.spin_until(said.exists, "RViz")
                    self.spin_until(lambda: fixed, "the frame of the view")
                    self.assertEqual(process.stop(within=20)[0], 0, process.output)
                arguments = json.loads(said.read_text(encoding="utf-8"))
                self.assertTrue(Path(arguments[arguments.index("-d") + 1]).is_file())
                self.assertEqual(arguments[arguments.index("-f") + 1], "stridepose_view")
                self.assert_upright(fixed[0].transforms[0], "left_optical_frame")

    def assert_upright(self, transform: TransformStamped, frame):
        """z of the view is up, -y of a level camera."""
        self.assertEqual((transform.header.frame_id, transform.child_frame_id), (frame, "stridepose_view"))
        q = transform.transform.rotation
        up = (2 * (q.x * q.z + q.w * q.y), 2 * (q.y * q.z - q.w * q.x), 1 - 2 * (q.x**2 + q.y**2))
        forward = (1 - 2 * (q.y**2 + q.z**2), 2 * (q.x * q.y + q.w * q.z), 2 * (q.x * q.z - q.w * q.y))
        for found, wanted in zip((*up, *forward), (0.0, -1.0, 0.0, 0.0, 0.0, 1.0)):
            self.assertAlmostEqual(found, wanted, places=6)

    def test_a_target_frame_is_what_rviz_shows(self):
        for kind in KINDS:
            with self.subTest(kind), tempfile.TemporaryDirectory() as folder:
                environment, said = stand_in_for_rviz(Path(folder))
                with self.launch(f"stridepose.launch.{kind}", environment, rviz="true", target_frame="map", lifecycle="true"):
                    self.spin_until(said.exists, "RViz")
                arguments = json.loads(said.read_text(encoding="utf-8"))
                self.assertEqual(arguments[arguments.index("-f") + 1], "map")

    @unittest.skipIf(bags is None, "rosbag2_py is not installed")
    def test_a_result_is_shown(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            environment, said = stand_in_for_rviz(folder / "rviz")
            demo = [TOOL, "--quiet", "demo", "-o", folder / "demo", "--people", "1", "--duration-secs", "3"]
            subprocess.run(demo, check=True, stdout=subprocess.DEVNULL)
            markers = self.listen(MarkerArray, "/stridepose/markers")
            fixed = self.listen(TFMessage, "/tf_static", LATCHED)
            with self.launch("view_result.launch.py", environment, bag=folder / "demo/result", frame="camera_optical_frame"):
                shown = lambda: [marker for message in markers for marker in message.markers]
                self.spin_until(lambda: shown() and fixed and said.exists(), "markers, the frame of the view and RViz")
            self.assert_upright(fixed[0].transforms[0], shown()[0].header.frame_id)

    @unittest.skipIf(bags is None, "rosbag2_py is not installed")
    def test_a_bag_played_to_the_node_gives_what_replay_gives(self):
        bag, models = SHARED / "bags/balance", SHARED / "models"
        if not bag.is_dir():
            self.skipTest(f"{bag} is not here")
        images = "/camera/image_raw/compressed"
        keypoints = "movenet_lightning"
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            # Its metadata are of a version that older rosbag2 do not play: a copy of this rosbag2's own.
            bags.copy(bag, folder / "bag")
            live = self.listen(SkeletonArray, "/stridepose/skeletons")
            played = self.listen(CompressedImage, images)
            launched = self.launch(
                "replay.launch.py", bag=folder / "bag", models=models, keypoints_model=keypoints, rviz="false", rate="0.5"
            )
            with launched as process:
                self.spin_until(lambda: "process has finished cleanly" in process.output, "the end of the bag", 120)
                self.spin_for(2.0)
                self.assertEqual(process.stop(within=20)[0], 0, process.output)
            self.assertGreater(len(played), 50)
            self.assertGreater(len(live), 10, process.output)
            # The newest image wins: replay gets the images that the node got to.
            used = {struct.pack("<iI", message.header.stamp.sec, message.header.stamp.nanosec) for message in live}
            bags.copy(bag, folder / "used", lambda topic, data: topic != images or bags.stamp_bytes(data) in used)
            replay = [
                TOOL, "--quiet", "replay", folder / "used", "-o", folder / "result", "--models", models,
                "-p", f"keypoints.model:={keypoints}", "-p", "output.overlay:=false",
            ]  # fmt: skip
            subprocess.run(replay, check=True, stdout=subprocess.DEVNULL)
            bags.assert_same(self, live, bags.skeletons_of(folder / "result"))
            print(f"{len(live)} of {len(played)} images used, skeletons of launch and replay equal to {bags.TOLERANCE_M} m")

    def test_what_is_installed(self):
        for file in ("stridepose.launch.py", "stridepose.launch.xml", "stridepose.launch.yaml", "replay.launch.py", "view_result.launch.py"):
            self.assertTrue((PACKAGE / "share/stridepose/launch" / file).is_file(), file)
