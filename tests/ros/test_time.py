"""Stamps and clocks: simulated time, a bag that loops, messages from the future and from long ago."""

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from harness import NodeProcess
from people import KEYPOINTS, PeopleTest, keypoints, stamp_of
from rosgraph_msgs.msg import Clock
from stridepose.msg import SkeletonArray

RELIABLE = {**KEYPOINTS, "node.reliability": "reliable"}


class TimeTest(PeopleTest):
    def ask(self, index, start=1_700_000_000):
        """Sends a message and waits for its answer."""
        answered = len(self.heard)
        stamp = self.send(index, start)
        self.spin_until(lambda: len(self.heard) > answered, f"the answer to message {index}")
        self.assertEqual(self.heard[-1].header.stamp, stamp)
        return self.heard[-1]

    def begin(self):
        self.start()
        self.heard = self.listen(SkeletonArray, "/stridepose/skeletons")
        self.lines = self.listen(DiagnosticArray, "/diagnostics")

    def wait_for_subscribers(self):
        self.wait_for_subscriber(self.people)
        self.wait_for_subscriber(self.infos)

    def test_simulated_time_is_the_nodes_time(self):
        self.begin()
        clock = self.node.create_publisher(Clock, "/clock", 10)
        with NodeProcess(parameters={**RELIABLE, "use_sim_time": "true"}):
            self.wait_for_subscribers()
            self.wait_for_subscriber(clock)
            # Half a second after the image that follows.
            clock.publish(Clock(clock=Time(sec=1_700_000_000, nanosec=500_000_000)))
            self.spin_for(0.3)
            self.ask(0)
            age = "age of the last image when published s"
            self.spin_until(lambda: self.values(self.lines, "input").get(age) == "0.500", "an age in simulated time")
            self.assertEqual(self.lines[-1].header.stamp, Time(sec=1_700_000_000, nanosec=500_000_000))

    def test_a_bag_that_loops_resets_everybody_once_a_loop(self):
        self.begin()
        with NodeProcess(parameters=RELIABLE):
            self.wait_for_subscribers()
            seen = []
            for _ in range(3):
                for index in range(8):
                    answer = self.ask(index)
                    seen.append([skeleton.track_id for skeleton in answer.skeletons])
            self.spin_until(lambda: self.values(self.lines, "warnings").get("time_went_back", "").startswith("2,"), "two loops")
            self.spin_for(1.2)
            self.assertTrue(self.values(self.lines, "warnings")["time_went_back"].startswith("2,"), "one a loop, and no more")
        # Nobody is carried over: each loop sees its person anew, after track.min_hits images.
        self.assertEqual([people == [] for people in seen], 3 * [True, *7 * [False]])
        self.assertEqual(len({tuple(people) for people in seen if people}), 3, "an identity is never used again")

    def test_an_image_that_was_overtaken_is_skipped_and_nobody_forgotten(self):
        self.begin()
        with NodeProcess(parameters=RELIABLE):
            self.wait_for_subscribers()
            for index in range(6):
                self.ask(index)
            before = [skeleton.track_id for skeleton in self.ask(7).skeletons]
            self.assertEqual(len(before), 1)
            self.assertEqual(self.ask(6).skeletons, [])
            self.assertEqual([skeleton.track_id for skeleton in self.ask(8).skeletons], before)
            self.spin_until(lambda: "image_refused" in self.values(self.lines, "warnings"), "the late image refused")
            self.assertIn("after a newer one", self.values(self.lines, "warnings")["image_refused"])

    def test_early_late_and_unstamped_messages(self):
        self.begin()
        with NodeProcess(parameters=RELIABLE) as process:
            self.wait_for_subscribers()
            for index in range(8):
                self.ask(index)
            self.people.publish(keypoints(Time()))
            self.spin_until(lambda: "image_refused" in self.values(self.lines, "warnings"), "the zero stamp refused")
            self.assertIn("the stamp is zero", self.values(self.lines, "warnings")["image_refused"])
            # An hour ahead, then the true time again: each once, and the stream goes on.
            early = self.ask(0, 1_700_003_600)
            self.assertFalse(early.skeletons, "nobody of an hour ago")
            for index in range(8, 12):
                self.ask(index)
            self.assertTrue(self.heard[-1].skeletons)
            # A second late and a doublet: not newer than what was seen.
            self.send(11)
            self.people.publish(keypoints(stamp_of(0)))
            self.spin_for(0.5)
            for index in range(12, 18):
                self.ask(index)
            self.assertTrue(self.heard[-1].skeletons)
            self.assertIsNone(process.process.poll())
