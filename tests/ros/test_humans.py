"""People as REP-155 bodies: needs hri_msgs, in the package's build and here."""

import unittest

from harness import NodeProcess
from people import KEYPOINTS, PeopleTest, camera_info, stamp_of
from std_msgs.msg import Header
from stridepose.msg import KeypointArray
from tf2_msgs.msg import TFMessage

try:
    from hri_msgs.msg import IdsList, NormalizedRegionOfInterest2D, Skeleton2D
except ImportError:
    IdsList = None


class HumansTest(PeopleTest):
    @unittest.skipIf(IdsList is None, "hri_msgs is not installed")
    def test_bodies_have_topics_while_they_are_seen(self):
        self.start()
        tracked = self.listen(IdsList, "/humans/bodies/tracked")
        skeletons = self.listen(Skeleton2D, "/humans/bodies/p1/skeleton2d")
        regions = self.listen(NormalizedRegionOfInterest2D, "/humans/bodies/p1/roi")
        frames = self.listen(TFMessage, "/tf")
        with NodeProcess(parameters={**KEYPOINTS, "node.humans": "true", "node.publish_tf": "true", "node.reliability": "reliable"}):
            self.wait_for_subscriber(self.people)
            self.wait_for_subscriber(self.infos)
            for index in range(60):
                self.send(index)
                self.spin_for(0.033)
            self.spin_until(lambda: tracked and skeletons and regions, "a body with its topics")
            self.assertEqual(list(tracked[-1].ids), ["p1"])
            right_hip = skeletons[-1].skeleton[8]
            self.assertAlmostEqual(right_hip.y, 255.5 / 480, delta=0.02)
            self.assertGreater(right_hip.c, 0.5)
            self.assertTrue(0 <= regions[-1].xmin < regions[-1].xmax <= 1)
            self.assertEqual(regions[-1].header.frame_id, "camera_optical_frame")
            self.assertIn("body_p1", {transform.child_frame_id for message in frames for transform in message.transforms})
            # The person walks out of the picture: after track.max_age_secs the body is gone, and its topics with it.
            for index in range(60, 120):
                stamp = stamp_of(index)
                self.infos.publish(camera_info(stamp))
                self.people.publish(KeypointArray(layout="coco_17", header=Header(stamp=stamp, frame_id="camera_optical_frame")))
                self.spin_for(0.033)
            self.spin_until(lambda: list(tracked[-1].ids) == [], "nobody tracked")
            topic = "/humans/bodies/p1/skeleton2d"
            self.spin_until(lambda: self.node.count_publishers(topic) == 0, f"the end of {topic}")

    @unittest.skipIf(IdsList is not None, "hri_msgs is installed")
    def test_without_hri_msgs_the_start_is_refused_with_the_reason(self):
        with NodeProcess(parameters={**KEYPOINTS, "node.humans": "true"}) as process:
            self.assertEqual(process.process.wait(timeout=20), 2)
            process.reader.join()
            self.assertIn("hri_msgs", "".join(process.lines))
