"""config/stridepose.rviz and config/foxglove.json show what the node really publishes."""

import json
import re
from pathlib import Path

import yaml
from harness import NodeProcess, RosTest
from people import KEYPOINTS
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rosidl_runtime_py.utilities import get_message

CONFIG = Path(__file__).resolve().parents[2] / "config"
# What displays and panels show.
RVIZ_TYPES = {"rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray"}
WITHOUT_TOPIC = {"rviz_default_plugins/Axes", "rviz_default_plugins/Grid"}
FOXGLOVE_TYPES = {
    "3D": {"visualization_msgs/msg/MarkerArray"},
    "Image": {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"},
    "DiagnosticSummary": {"diagnostic_msgs/msg/DiagnosticArray"},
}


def field_type(kind, path):
    """Type of the field that a Foxglove message path names, such as `skeletons[0].joints[:].confidence`."""
    for part in path.split("."):
        name, index = re.fullmatch(r"(\w+)(\[[\d:]+\])?", part).groups()
        found = get_message(kind).get_fields_and_field_types()[name]
        is_array = found.startswith("sequence<") or found.endswith("]")
        if is_array != (index is not None):
            raise AssertionError(f"{kind}.{name} is a {found}")
        kind = re.sub(r"^sequence<|(, \d+)?>$|\[\d+\]$", "", found).replace("/", "/msg/", 1)
    return kind


class ViewsTest(RosTest):
    def published(self, topic):
        return self.node.get_publishers_info_by_topic(topic)

    def published_type(self, topic):
        """Type of a topic of the node's, which must be there."""
        return self.spin_until(lambda: self.published(topic), f"a publisher on {topic}", 20)[0].topic_type

    def test_rviz(self):
        config = yaml.safe_load((CONFIG / "stridepose.rviz").read_text(encoding="utf-8"))
        displays = config["Visualization Manager"]["Displays"]
        shown = 0
        with NodeProcess(parameters=KEYPOINTS):
            for display in displays:
                if display["Class"] in WITHOUT_TOPIC:
                    self.assertNotIn("Topic", display)
                    continue
                topic = display["Topic"]
                self.assertEqual(self.published_type(topic["Value"]), RVIZ_TYPES[display["Class"]])
                (publisher,) = self.published(topic["Value"])
                qos = publisher.qos_profile
                if topic["Reliability Policy"] == "Reliable":
                    self.assertEqual(qos.reliability, ReliabilityPolicy.RELIABLE)
                if topic["Durability Policy"] == "Transient Local":
                    self.assertEqual(qos.durability, DurabilityPolicy.TRANSIENT_LOCAL)
                shown += 1
        self.assertGreater(shown, 0)

    def test_foxglove(self):
        panels = json.loads((CONFIG / "foxglove.json").read_text(encoding="utf-8"))["configById"]
        topics, paths = set(), set()
        for name, panel in panels.items():
            kind = name.split("!")[0]
            for topic in panel.get("topics", {}):
                topics.add((kind, topic))
            image = panel.get("imageMode", {}).get("imageTopic")
            for topic in (image, panel.get("topicToRender")):
                if topic:
                    topics.add((kind, topic))
            paths |= {path["value"] for path in panel.get("paths", [])}
        self.assertEqual({kind for kind, _ in topics}, set(FOXGLOVE_TYPES), "every panel that needs a topic names one")
        with NodeProcess(parameters=KEYPOINTS):
            for kind, topic in topics:
                self.assertIn(self.published_type(topic), FOXGLOVE_TYPES[kind], topic)
            for path in paths:
                topic, field = path.split(".", 1)
                self.assertIn(field_type(self.published_type(topic), field), ("double", "float"), path)
        self.assertTrue(paths)
