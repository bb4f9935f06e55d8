"""A person as a 2D node would report it, and the tests that play such a node."""

import contextlib
import itertools
import math
import threading
import time

from builtin_interfaces.msg import Time
from harness import RosTest
from sensor_msgs.msg import CameraInfo
from stridepose.msg import Keypoint, KeypointArray, PersonKeypoints

KEYPOINTS = {"node.source": "keypoints"}
# COCO order, px: a person who stands 3 m before a camera of 500 px focal length.
STANDING = [
    (320, 110), (326, 105), (314, 105), (333, 108), (307, 108), (352, 155), (288, 155), (362, 205), (278, 205),
    (365, 250), (275, 250), (340, 255), (300, 255), (342, 335), (298, 335), (343, 410), (297, 410),
]  # fmt: skip


def camera_info(stamp, width=640, height=480):
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    info.header.stamp, info.header.frame_id = stamp, "camera_optical_frame"
    info.k = [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]
    info.p = [500.0, 0.0, 320.0, 0.0, 0.0, 500.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def keypoints(stamp, shift=0.0):
    message = KeypointArray(layout="coco_17")
    message.header.stamp, message.header.frame_id = stamp, "camera_optical_frame"
    points = [Keypoint(u=float(u) + shift, v=float(v), score=0.9, spread=math.nan) for u, v in STANDING]
    message.people = [PersonKeypoints(score=0.9, keypoints=points)]
    return message


def stamp_of(index, start=1_700_000_000):
    """Stamp of image number `index` at 30 Hz."""
    nanoseconds = index * 33_333_333
    return Time(sec=start + nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)


class PeopleTest(RosTest):
    """A test that plays a 2D node."""

    def start(self, topics=("/keypoints", "/camera_info")):
        self.people = self.node.create_publisher(KeypointArray, topics[0], 50)
        self.infos = self.node.create_publisher(CameraInfo, topics[1], 50)

    def send(self, index, start=1_700_000_000):
        stamp = stamp_of(index, start)
        self.infos.publish(camera_info(stamp))
        self.people.publish(keypoints(stamp, 0.5 * index))
        return stamp

    @contextlib.contextmanager
    def streaming(self, rate_hz=30):
        """The same person, without end, sent from a thread of its own."""
        ended = threading.Event()
        began = time.monotonic()

        def send():
            for index in itertools.count():
                stamp = stamp_of(index)
                self.infos.publish(camera_info(stamp))
                self.people.publish(keypoints(stamp))
                if ended.wait(max(0.0, began + index / rate_hz - time.monotonic())):
                    return

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield
        finally:
            ended.set()
            sender.join()

    @staticmethod
    def values(lines, name):
        """Key and value of the last diagnostics line called `name`."""
        for message in reversed(lines):
            for status in message.status:
                if status.name == f"stridepose: {name}":
                    return {"level": status.level, "message": status.message} | {pair.key: pair.value for pair in status.values}
        return {}
