"""The live node and `stridepose replay` are the same pipeline: fed the same messages, they give the same skeletons."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import SHARED, STREAM, TOOL, NodeProcess, RosTest
from sensor_msgs.msg import CameraInfo, CompressedImage
from stridepose.msg import KeypointArray, SkeletonArray
from tf2_msgs.msg import TFMessage

try:
    import bags
except ImportError:
    bags = None


@unittest.skipIf(bags is None, "rosbag2_py is not installed")
class ReplayEqualTest(RosTest):
    def live(self, bag, kind, source_topic, node_topic, parameters):
        """Skeletons of the live node for every message of a bag, each answered before the next is sent."""
        heard = self.listen(SkeletonArray, "/stridepose/skeletons", STREAM)
        source = self.node.create_publisher(kind, node_topic, 50)
        infos = self.node.create_publisher(CameraInfo, "/camera_info", 50)
        frames = self.node.create_publisher(TFMessage, "/tf", 50)
        with NodeProcess(parameters={**parameters, "node.reliability": "reliable"}):
            self.wait_for_subscriber(source)
            self.wait_for_subscriber(infos)
            if parameters.get("input.gravity") == "tf":
                self.wait_for_subscriber(frames)
            messages = list(bags.read(bag, source_topic, "/camera/camera_info", "/tf"))
            info_at = {bags.stamp_bytes(data): data for topic, data in messages if topic == "/camera/camera_info"}
            for topic, data in messages:
                if topic == "/tf":
                    frames.publish(data)
                if topic != source_topic:
                    continue
                infos.publish(info_at[bags.stamp_bytes(data)])
                self.spin_for(0.01)
                answered = len(heard)
                source.publish(data)
                self.spin_until(lambda: len(heard) > answered, "an answer")
        return heard

    def test_keypoints_of_the_demo(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [TOOL, "--quiet", "demo", "--input", "keypoints", "-o", folder, "--people", "1", "--duration-secs", "3"],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            scene = Path(folder) / "scene"
            # The demo is told where down is by its recording's frames: the node by the same, whenever they arrive.
            parameters = {
                "node.source": "keypoints", "input.gravity": "tf", "input.gravity_frame": "odom", "node.tf_timeout_secs": 1.0,
            }  # fmt: skip
            live = self.live(scene, KeypointArray, "/camera/keypoints", "/keypoints", parameters)
            bags.assert_same(self, live, bags.skeletons_of(Path(folder) / "result"))

    def test_images_of_a_real_camera(self):
        bag = SHARED / "bags/balance"
        if not bag.is_dir():
            self.skipTest(f"{bag} is not here")
        models = SHARED / "models"
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "result"
            subprocess.run(
                [
                    TOOL, "--quiet", "replay", bag, "-o", result, "--models", models,
                    "-p", "keypoints.model:=movenet_lightning", "-p", "output.overlay:=false",
                ],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            parameters = {
                "node.transport": "compressed", "node.model_folders": models, "keypoints.model": "movenet_lightning",
            }  # fmt: skip
            topic = "/camera/image_raw/compressed"
            live = self.live(bag, CompressedImage, topic, "/image/compressed", parameters)
            bags.assert_same(self, live, bags.skeletons_of(result))
