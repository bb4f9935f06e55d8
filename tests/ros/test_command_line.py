"""ROS 2's own commands on the live node, as a user types them."""

import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import yaml
from harness import STREAM, TOOL, NodeProcess, Process, RosTest, ros2
from people import KEYPOINTS, PeopleTest
from stridepose.msg import SkeletonArray

try:
    import bags
except ImportError:
    bags = None

RELIABLE = {**KEYPOINTS, "node.reliability": "reliable"}
# A daemon would outlive the test; without one, each command looks around for itself.
LOOK = ("--no-daemon", "--spin-time", "1")


class TopicTest(PeopleTest):
    def test_topics_are_listed_echoed_measured_and_described(self):
        self.start()
        with NodeProcess(parameters=RELIABLE), self.streaming():
            heard = self.listen(SkeletonArray, "/stridepose/skeletons")
            self.spin_until(lambda: heard and heard[-1].skeletons, "people")
            self.assertIn("/stridepose/markers [visualization_msgs/msg/MarkerArray]", ros2("topic", "list", "-t", *LOOK))
            echoed = next(yaml.safe_load_all(ros2("topic", "echo", "--once", *LOOK, "/stridepose/skeletons")))
            self.assertEqual(echoed["header"]["frame_id"], "camera_optical_frame")
            (skeleton,) = echoed["skeletons"]
            self.assertEqual((skeleton["track_id"], len(skeleton["joints"])), (1, 17))
            about = ros2("topic", "info", "-v", *LOOK, "/stridepose/skeletons")
            for fact in ("Type: stridepose/msg/SkeletonArray", "Publisher count: 1", "Node name: stridepose", "Reliability: RELIABLE"):
                self.assertIn(fact, about)
            self.assertIn("Durability: TRANSIENT_LOCAL", ros2("topic", "info", "-v", *LOOK, "/stridepose/joint_set"))
            with Process(["ros2", "topic", "hz", "/stridepose/skeletons"]) as hz:
                deadline = time.monotonic() + 30
                while hz.output.count("average rate") < 4 and time.monotonic() < deadline:
                    self.spin_for(0.1)
                hz.stop(within=10)
            rate = float(re.findall(r"average rate: ([\d.]+)", hz.output)[-1])
            self.assertTrue(20 < rate < 40, f"{rate} Hz of 30")


class ParameterTest(RosTest):
    def test_parameters_are_described_set_and_dumped(self):
        with NodeProcess(parameters=KEYPOINTS):
            described = ros2("param", "describe", *LOOK, "/stridepose", "track.min_hits", "lifter.model")
            for fact in ("Type: integer", "Min value: 1", "Max value: 20", "Read only: true"):
                self.assertIn(fact, described)
            self.assertRegex(described, r"Description: \w+")
            self.assertIn("Set parameter successful", ros2("param", "set", *LOOK, "/stridepose", "track.min_hits", "4"))
            refused = ros2("param", "set", *LOOK, "/stridepose", "track.min_hits", "400")
            self.assertIn("Setting parameter failed", refused)
            self.assertIn("1 … 20", refused)
            self.assertIn("at start only", ros2("param", "set", *LOOK, "/stridepose", "lifter.model", "other"))
            dumped = ros2("param", "dump", *LOOK, "/stridepose")
            self.assertIn("min_hits: 4", dumped)
        # What was dumped starts a node that has the same.
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "dumped.yaml"
            file.write_text(dumped[dumped.index("/stridepose:") :], encoding="utf-8")
            with NodeProcess(files=[file]):
                self.assertEqual(ros2("param", "dump", *LOOK, "/stridepose"), dumped)


class LifecycleTest(RosTest):
    def test_a_whole_life(self):
        with NodeProcess(parameters={**KEYPOINTS, "node.autostart": "false"}) as process:
            self.spin_until(lambda: "stridepose" in self.node.get_node_names(), "the node")
            self.assertIn("/stridepose", ros2("lifecycle", "nodes", *LOOK))
            refused = ros2("lifecycle", "set", *LOOK, "/stridepose", "activate", fails=True)
            self.assertIn("configure [1]", refused)
            for transition in ("configure", "activate", "deactivate", "cleanup", "configure", "activate"):
                self.assertIn("Transitioning successful", ros2("lifecycle", "set", *LOOK, "/stridepose", transition))
            self.assertIn("active [3]", ros2("lifecycle", "get", *LOOK, "/stridepose"))
            self.assertIn("Transitioning successful", ros2("lifecycle", "set", *LOOK, "/stridepose", "shutdown"))
            self.assertIn("finalized [4]", ros2("lifecycle", "get", *LOOK, "/stridepose"))
            self.assertIsNone(process.process.poll(), "a finalized node stays until it is told to stop")


@unittest.skipIf(bags is None, "rosbag2_py is not installed")
class RecordTest(PeopleTest):
    """Outputs recorded by rosbag2 hold exactly what was published, and `stridepose inspect` reads the recording."""

    def check(self, storage):
        self.start()
        heard = []
        topic = "/stridepose/skeletons"
        self.node.create_subscription(SkeletonArray, topic, heard.append, STREAM, raw=True)
        with tempfile.TemporaryDirectory() as folder, NodeProcess(parameters=RELIABLE):
            bag = Path(folder) / "bag"
            command = ["ros2", "bag", "record", "-s", storage, "-o", bag, topic, "/stridepose/markers", "/stridepose/joint_set"]
            with Process(command) as recorder:
                # It and we listen, and it has the joint set, which was published long before.
                self.spin_until(lambda: self.node.count_subscribers(topic) >= 2, "the recorder")
                self.spin_until(lambda: self.node.count_subscribers("/stridepose/joint_set") >= 1, "the recorder")
                self.wait_for_subscriber(self.people)
                self.wait_for_subscriber(self.infos)
                for index in range(40):
                    answered = len(heard)
                    self.send(index)
                    self.spin_until(lambda: len(heard) > answered, f"the answer to message {index}")
                    # At a camera's rate: the recorder keeps ten messages at most while it is busy.
                    self.spin_for(0.033)
                self.spin_for(1.0)
                code, _ = recorder.stop(signal.SIGINT, within=20)
                self.assertEqual(code, 0, recorder.output)
            about = ros2("bag", "info", bag)
            self.assertRegex(about, rf"Topic: {topic} \| Type: stridepose/msg/SkeletonArray \| Count: 40 ")
            self.assertRegex(about, r"Topic: /stridepose/joint_set \| Type: stridepose/msg/JointSet \| Count: 1 ")
            self.assertEqual([data for _, data in bags.read(bag, topic, storage=storage)], heard)
            inspected = subprocess.run([TOOL, "inspect", bag], capture_output=True, text=True, check=False)
            said = inspected.stdout + inspected.stderr
            self.assertRegex(said, rf"{topic}\s.*SkeletonArray", said)

    def test_mcap(self):
        self.check("mcap")

    def test_sqlite3(self):
        self.check("sqlite3")
