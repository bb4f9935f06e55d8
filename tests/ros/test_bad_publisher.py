"""A publisher that sends what is no message, and messages that are far too large: each is counted, and the stream goes on."""

import random

from diagnostic_msgs.msg import DiagnosticArray
from harness import SHARED, NodeProcess
from people import KEYPOINTS, PeopleTest, camera_info, keypoints, stamp_of
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image
from stridepose.msg import SkeletonArray

SEED = 20100684


class BadPublisherTest(PeopleTest):
    def begin(self):
        self.start()
        self.heard = self.listen(SkeletonArray, "/stridepose/skeletons")
        self.lines = self.listen(DiagnosticArray, "/diagnostics")

    def ask(self, index):
        answered = len(self.heard)
        stamp = self.send(index)
        self.spin_until(lambda: self.heard[answered:] and self.heard[-1].header.stamp == stamp, f"the answer to message {index}")

    def refused(self):
        """Messages that the diagnostics count as refused."""
        warnings = self.values(self.lines, "warnings")
        return sum(int(warnings[kind].split(",")[0]) for kind in ("keypoints_refused", "image_refused") if kind in warnings)

    def test_bytes_that_are_no_message(self):
        self.begin()
        chance = random.Random(SEED)
        with NodeProcess(parameters={**KEYPOINTS, "node.reliability": "reliable"}) as process:
            self.wait_for_subscriber(self.people)
            self.wait_for_subscriber(self.infos)
            for index in range(8):
                self.ask(index)
            whole = serialize_message(keypoints(stamp_of(8)))
            header = whole[:4]
            garbled = [whole[:length] for length in (4, 8, 12, 20, len(whole) // 2, len(whole) - 3)]
            garbled += [header + chance.randbytes(length) for length in (1, 7, 64, 1000, 100_000)]
            # Lengths that promise more than there is: the layout's name, then the number of people.
            garbled += [whole[:12] + b"\xff\xff\xff\x7f" + whole[16:], whole[:-len(whole) // 2] + b"\xff" * (len(whole) // 2)]
            for data in garbled:
                self.people.publish(bytes(data))
                self.spin_for(0.05)
            for data in garbled[:4]:
                self.infos.publish(bytes(data))
                self.spin_for(0.05)
            self.assertIsNone(process.process.poll(), process.output)
            self.spin_until(lambda: self.refused() > 0, "refusals in the diagnostics", 5)
            for index in range(9, 15):
                self.ask(index)
            self.assertTrue(self.heard[-1].skeletons, "people after the nonsense")
            received = lambda: int(self.values(self.lines, "input").get("received", 0))
            self.spin_until(lambda: received() >= 14 + len(garbled), "every message counted", 10)

    def test_a_crowd_that_cannot_be(self):
        self.begin()
        with NodeProcess(parameters={**KEYPOINTS, "node.reliability": "reliable"}) as process:
            self.wait_for_subscriber(self.people)
            self.wait_for_subscriber(self.infos)
            for index in range(4):
                self.ask(index)
            before = process.resident_kb()
            crowd = keypoints(stamp_of(4))
            crowd.people = crowd.people * 2000
            answered = len(self.heard)
            self.people.publish(crowd)
            self.spin_until(lambda: len(self.heard) > answered, "an answer to the crowd", 30)
            # detector.max_people
            self.assertLessEqual(len(self.heard[-1].skeletons), 10)
            self.spin_until(lambda: "too_many_people" in self.values(self.lines, "warnings"), "the crowd in the diagnostics", 5)
            for index in range(5, 10):
                self.ask(index)
            self.assertTrue(self.heard[-1].skeletons)
            self.assertLess(process.resident_kb() - before, 100_000)

    def test_an_image_of_a_hundred_megabytes_and_one_of_a_pixel(self):
        if not (SHARED / "models").is_dir():
            self.skipTest(f"{SHARED}/models with 2D networks is not here")
        images = self.node.create_publisher(Image, "/image", 10)
        infos = self.node.create_publisher(CameraInfo, "/camera_info", 10)
        heard = self.listen(SkeletonArray, "/stridepose/skeletons")
        lines = self.listen(DiagnosticArray, "/diagnostics")
        parameters = {"node.model_folders": SHARED / "models", "keypoints.model": "movenet_lightning", "node.reliability": "reliable"}
        with NodeProcess(parameters=parameters) as process:
            self.wait_for_subscriber(images)
            self.wait_for_subscriber(infos)
            for index, (width, height) in enumerate([(7680, 4320), (1, 1), (640, 480)]):
                stamp = stamp_of(index + 1)
                infos.publish(camera_info(stamp, width, height))
                self.spin_for(0.2)
                image = Image(width=width, height=height, encoding="rgb8", step=3 * width, data=bytes(3 * width * height))
                image.header.stamp, image.header.frame_id = stamp, "camera_optical_frame"
                answered = len(heard)
                images.publish(image)
                self.spin_until(lambda: len(heard) > answered, f"an answer to {width}x{height}", 60)
                self.assertEqual((heard[-1].header.stamp, list(heard[-1].skeletons)), (stamp, []))
            self.assertIsNone(process.process.poll())
            self.spin_until(lambda: self.values(lines, "input").get("received") == "3", "three counted images")
