"""The live node and `stridepose replay` are the same pipeline: fed the same messages, they give the same skeletons."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import SHARED, STREAM, TOOL, NodeProcess, RosTest
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage
from stridepose.msg import KeypointArray, SkeletonArray

try:
    import rosbag2_py
except ImportError:
    rosbag2_py = None

TOLERANCE_M = 1e-5


def read(bag, *topics):
    """Topic and CDR of every message of `topics`, in order."""
    reader = rosbag2_py.SequentialReader()
    storage = rosbag2_py.StorageOptions(uri=str(bag), storage_id="mcap")
    reader.open(storage, rosbag2_py.ConverterOptions(input_serialization_format="cdr", output_serialization_format="cdr"))
    while reader.has_next():
        topic, data, _ = reader.read_next()
        if topic in topics:
            yield topic, data


@unittest.skipIf(rosbag2_py is None, "rosbag2_py is not installed")
class ReplayEqualTest(RosTest):
    def live(self, bag, kind, source_topic, node_topic, parameters):
        """Skeletons of the live node for every message of a bag, each answered before the next is sent."""
        heard = self.listen(SkeletonArray, "/stridepose/skeletons", STREAM)
        source = self.node.create_publisher(kind, node_topic, 50)
        infos = self.node.create_publisher(CameraInfo, "/camera_info", 50)
        with NodeProcess(parameters={**parameters, "node.reliability": "reliable"}):
            self.wait_for_subscriber(source)
            self.wait_for_subscriber(infos)
            messages = list(read(bag, source_topic, "/camera/camera_info"))
            # Stamps lead every message: bytes 4 to 12 of its CDR.
            info_at = {data[4:12]: data for topic, data in messages if topic != source_topic}
            for topic, data in messages:
                if topic != source_topic:
                    continue
                infos.publish(info_at[data[4:12]])
                self.spin_for(0.01)
                answered = len(heard)
                source.publish(data)
                self.spin_until(lambda: len(heard) > answered, "an answer")
        return heard

    def assert_same(self, live, replayed):
        self.assertEqual(len(live), len(replayed))
        people = 0
        for ours, theirs in zip(live, replayed):
            self.assertEqual(ours.header, theirs.header)
            self.assertEqual([found.track_id for found in ours.skeletons], [found.track_id for found in theirs.skeletons])
            for our, their in zip(ours.skeletons, theirs.skeletons):
                people += 1
                for a, b in zip(our.joints, their.joints):
                    self.assertEqual(a.state, b.state)
                    for axis in "xyz":
                        difference = abs(getattr(a.position, axis) - getattr(b.position, axis))
                        self.assertLess(difference, TOLERANCE_M)
        self.assertGreater(people, 0.9 * len(live))

    def replayed(self, result):
        return [deserialize_message(data, SkeletonArray) for _, data in read(result, "/stridepose/skeletons")]

    def test_keypoints_of_the_demo(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [TOOL, "--quiet", "demo", "-o", folder, "--people", "1", "--duration-secs", "3"],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            scene = Path(folder) / "scene"
            parameters = {"node.source": "keypoints"}
            live = self.live(scene, KeypointArray, "/camera/keypoints", "/keypoints", parameters)
            self.assert_same(live, self.replayed(Path(folder) / "result"))

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
            self.assert_same(live, self.replayed(result))
