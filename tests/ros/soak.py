#!/usr/bin/env python3
"""The live node for a long time: memory stays flat, and every message is answered or counted as left out.

    . install/setup.bash && python3 tests/ros/soak.py --minutes 30 [--bag BAG --models DIR]

Without a bag a person's keypoints are sent; with one its images, over and over, stamped anew.

Not part of `make check`: it takes as long as it says. Exit code 1 when something was lost or memory grew.
"""

import argparse
import struct
import sys
import time
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from harness import NodeProcess
from people import KEYPOINTS, PeopleTest, camera_info, keypoints, stamp_of
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage
from stridepose.msg import KeypointArray, SkeletonArray

RATE_HZ = 30


class PeopleSource:
    """A person who walks to and fro, as keypoints."""

    kind, topic, parameters = KeypointArray, "/keypoints", KEYPOINTS

    def messages(self, index):
        stamp = stamp_of(index)
        person = keypoints(stamp, 40 * ((index % 120) / 60 - 1) ** 2)
        return serialize_message(camera_info(stamp)), serialize_message(person)


class BagSource:
    """The compressed images of a bag, over and over; a loop is one stream, for its stamps go on."""

    kind, topic = CompressedImage, "/image/compressed"

    def __init__(self, bag, models):
        import bags

        topics = "/camera/camera_info", "/camera/image_raw/compressed"
        self.infos, self.images = ([data for _, data in bags.read(Path(bag), topic)] for topic in topics)
        self.parameters = {"node.transport": "compressed", "node.model_folders": models, "keypoints.model": "movenet_lightning"}

    def messages(self, index):
        stamp = stamp_of(index)
        stamped = struct.pack("<iI", stamp.sec, stamp.nanosec)
        # A header's stamp follows the four bytes that say how CDR is encoded.
        return tuple(data[:4] + stamped + data[12:] for data in (self.infos[0], self.images[index % len(self.images)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--bag", help="bag of compressed images in MCAP")
    parser.add_argument("--models", help="folder with yolox_nano and movenet_lightning, for --bag")
    options = parser.parse_args()
    minutes = options.minutes
    source = BagSource(options.bag, options.models) if options.bag else PeopleSource()
    rclpy.init()
    node = rclpy.create_node("stridepose_soak")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    people = node.create_publisher(source.kind, source.topic, 50)
    infos = node.create_publisher(CameraInfo, "/camera_info", 50)
    answered, lines = [], []
    node.create_subscription(SkeletonArray, "/stridepose/skeletons", lambda message: answered.append(message.header.stamp.sec), 200)
    node.create_subscription(DiagnosticArray, "/diagnostics", lambda message: lines.append(message) or lines.__delitem__(slice(-20)), 10)
    resident = []
    with NodeProcess(parameters={**source.parameters, "node.reliability": "reliable"}) as process:
        while people.get_subscription_count() == 0 or infos.get_subscription_count() == 0:
            executor.spin_once(timeout_sec=0.05)
        began = time.monotonic()
        sent = 0
        while time.monotonic() - began < 60 * minutes:
            info, message = source.messages(sent)
            infos.publish(info)
            people.publish(message)
            sent += 1
            while time.monotonic() < began + sent / RATE_HZ:
                executor.spin_once(timeout_sec=max(0.0, began + sent / RATE_HZ - time.monotonic()))
            if sent % (10 * RATE_HZ) == 0:
                resident.append(process.resident_kb())
        until = time.monotonic() + 3
        while time.monotonic() < until:
            executor.spin_once(timeout_sec=0.05)
    counted = PeopleTest.values(lines, "input")
    received, dropped, missing = (int(counted[key]) for key in ("received", "dropped", "missing by their stamps"))
    quarter = max(1, len(resident) // 4)
    early, late = max(resident[quarter : 2 * quarter] or resident), max(resident[-quarter:])
    print(f"{sent} sent, {received} received, {len(answered)} answered, {dropped} left out and {missing} missing, all counted")
    print(f"resident memory: {early / 1024:.1f} MB in the second quarter, {late / 1024:.1f} MB in the last")
    is_lost = received + missing != sent or len(answered) + dropped != received
    has_grown = late > early * 1.03 + 500
    print("lost without being counted" if is_lost else "nothing lost", "and memory grew" if has_grown else "and memory is flat", sep=", ")
    rclpy.shutdown()
    return int(is_lost or has_grown)


if __name__ == "__main__":
    sys.exit(main())
