"""The live node on a real ROS 2, as `make check` runs it where one is sourced: python3 -m unittest discover tests/ros

Everything here needs the package installed and sourced, and nothing else: people come as 2D keypoints.
"""

import math
import signal
import time
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from harness import LATCHED, SENSOR, SHARED, STREAM, NodeProcess, RosTest
from lifecycle_msgs.msg import Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetAvailableStates, GetAvailableTransitions, GetState
from rcl_interfaces.msg import Log
from people import KEYPOINTS, PeopleTest, camera_info, keypoints, stamp_of
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from stridepose.msg import Joint, JointSet, KeypointArray, SkeletonArray
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray


def state_request():
    return GetState.Request()


def latencies(lines, stage):
    """What the diagnostics told of a stage, second by second."""
    key = f"{stage} ms p50 p95 p99"
    return [pair.value for line in lines for status in line.status for pair in status.values if pair.key == key]


def catches(process, signal_number):
    """Whether a process has a handler for a signal."""
    status = Path(f"/proc/{process.process.pid}/status").read_text(encoding="ascii")
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1], 16)
    return bool(caught >> (signal_number - 1) & 1)


class LifecycleTest(RosTest):
    def change(self, transition):
        request = ChangeState.Request()
        request.transition.id = transition
        return self.call(ChangeState, "/stridepose/change_state", request).success

    def state(self):
        return self.call(GetState, "/stridepose/get_state", state_request()).current_state.label

    def test_a_manager_drives_the_node(self):
        events = self.listen(TransitionEvent, "/stridepose/transition_event")
        with NodeProcess(parameters={**KEYPOINTS, "node.autostart": "false"}):
            self.assertEqual(self.state(), "unconfigured")
            self.assertFalse(self.change(Transition.TRANSITION_ACTIVATE), "not possible from unconfigured")
            self.assertTrue(self.change(Transition.TRANSITION_CONFIGURE))
            self.assertEqual(self.state(), "inactive")
            self.assertTrue(self.change(Transition.TRANSITION_ACTIVATE))
            self.assertEqual(self.state(), "active")
            request = GetAvailableTransitions.Request()
            available = self.call(GetAvailableTransitions, "/stridepose/get_available_transitions", request)
            labels = sorted(found.transition.label for found in available.available_transitions)
            self.assertEqual(labels, ["deactivate", "shutdown"])
            graph = self.call(GetAvailableTransitions, "/stridepose/get_transition_graph", request)
            self.assertEqual(len(graph.available_transitions), 25)
            states = self.call(GetAvailableStates, "/stridepose/get_available_states", GetAvailableStates.Request())
            self.assertEqual(len(states.available_states), 11)
            self.assertTrue(self.change(Transition.TRANSITION_DEACTIVATE))
            self.assertTrue(self.change(Transition.TRANSITION_CLEANUP))
            self.assertEqual(self.state(), "unconfigured")
            self.assertTrue(self.change(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN))
            self.assertEqual(self.state(), "finalized")
            self.spin_until(lambda: len(events) >= 10, "ten transition events")
        steps = [(event.start_state.label, event.goal_state.label) for event in events]
        self.assertEqual(steps[:3], [("unconfigured", "configuring"), ("configuring", "inactive"), ("inactive", "activating")])

    def test_rounds_of_a_whole_life_leave_memory_flat(self):
        rounds = [
            Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE,
            Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP,
        ]  # fmt: skip
        resident = []
        with NodeProcess(parameters={**KEYPOINTS, "node.autostart": "false"}) as process:
            for _ in range(100):
                for transition in rounds:
                    self.assertTrue(self.change(transition))
                resident.append(process.resident_kb())
        early, late = max(resident[20:40]), max(resident[-20:])
        self.assertLess(late, early * 1.05 + 2000, f"resident memory grows: {resident[::10]} kB")

    def test_a_model_that_is_missing_keeps_the_node_unconfigured_and_says_why(self):
        with NodeProcess(parameters={**KEYPOINTS, "lifter.model": "no_such_model", "node.autostart": "false"}) as process:
            self.assertFalse(self.change(Transition.TRANSITION_CONFIGURE))
            self.assertEqual(self.state(), "unconfigured")
            self.spin_until(lambda: any("no_such_model" in line for line in process.lines), "the reason in the log")


class StreamTest(PeopleTest):
    def test_every_field_of_a_skeleton(self):
        self.start(("/robot/people", "/robot/info"))
        heard = self.listen(SkeletonArray, "/stridepose/skeletons")
        refined = self.listen(SkeletonArray, "/stridepose/skeletons_refined")
        markers = self.listen(MarkerArray, "/stridepose/markers")
        frames = self.listen(TFMessage, "/tf")
        joint_sets = self.listen(JointSet, "/stridepose/joint_set", LATCHED)
        parameters = {**KEYPOINTS, "node.publish_tf": "true", "node.tf_prefix": "seen_"}
        remappings = {"keypoints": "/robot/people", "camera_info": "/robot/info"}
        with NodeProcess(parameters=parameters, remappings=remappings):
            self.wait_for_subscriber(self.people)
            self.wait_for_subscriber(self.infos)
            for index in range(30):
                answered = len(heard)
                stamp = self.send(index)
                self.spin_until(lambda: len(heard) > answered, f"the answer to message {index}")
                self.assertEqual(heard[-1].header.stamp, stamp)
            self.spin_until(lambda: refined and joint_sets and markers, "refined skeletons, markers and the joint set")
        self.assertEqual(heard[-1].header.frame_id, "camera_optical_frame")
        (skeleton,) = heard[-1].skeletons
        self.assertEqual((skeleton.track_id, skeleton.joint_set), (1, joint_sets[0].name))
        self.assertEqual(len(skeleton.joints), len(joint_sets[0].joint_names))
        self.assertEqual((skeleton.lookahead.sec, skeleton.lookahead.nanosec), (0, 0))
        self.assertGreaterEqual(refined[-1].skeletons[0].lookahead.nanosec, 390_000_000)
        measured = 0
        for joint in skeleton.joints:
            position = joint.position
            self.assertTrue(all(map(math.isfinite, (position.x, position.y, position.z, *joint.covariance))))
            self.assertTrue(0.5 < position.z < 10.0 and 0.0 <= joint.confidence <= 1.0)
            xx, xy, _, yy, _, zz = joint.covariance
            self.assertTrue(xx > 0 and yy > 0 and zz > 0 and xx * yy > xy * xy)
            if joint.state == Joint.MEASURED:
                measured += 1
                self.assertTrue(math.isfinite(joint.u) and 0.0 < joint.keypoint_score <= 1.0)
            else:
                self.assertTrue(math.isnan(joint.u))
        self.assertGreaterEqual(measured, 12)
        self.assertLess(skeleton.reprojection_error, 30.0)
        self.assertTrue(skeleton.roi.width > 50 and skeleton.roi.height > 200)
        names = {transform.child_frame_id for message in frames for transform in message.transforms}
        self.assertIn("seen_body_1", names)
        self.assertEqual(len(names), 17)

    def test_nonsense_is_counted_and_the_stream_goes_on(self):
        self.start()
        heard = self.listen(SkeletonArray, "/stridepose/skeletons")
        lines = self.listen(DiagnosticArray, "/diagnostics")
        with NodeProcess(parameters=KEYPOINTS) as process:
            self.wait_for_subscriber(self.people)
            self.wait_for_subscriber(self.infos)
            for index in range(10):
                answered = len(heard)
                self.send(index)
                self.spin_until(lambda: len(heard) > answered, "an answer")
            wrong = keypoints(stamp_of(10))
            wrong.layout = "no_such_layout"
            self.people.publish(wrong)
            self.people.publish(keypoints(stamp_of(0, 0)))  # a zero stamp
            broken = keypoints(stamp_of(11))
            broken.people[0].keypoints = broken.people[0].keypoints[:3]
            self.people.publish(broken)
            bad_info = camera_info(stamp_of(12))
            bad_info.k = [0.0] * 9
            self.infos.publish(bad_info)
            self.people.publish(keypoints(stamp_of(12)))
            self.spin_for(1.0)
            # Back in time: a bag that loops. One by one, so that the newest has nothing to push out.
            for index in range(13, 17):
                answered = len(heard)
                self.send(index, start=1_600_000_000)
                self.spin_until(lambda: len(heard) > answered, "an answer after the jump")
            self.assertTrue(heard[-1].skeletons, "people after the jump")
            self.spin_until(lambda: "time_went_back" in self.values(lines, "warnings"), "the jump in the diagnostics")
            self.assertIsNone(process.process.poll())

    def test_diagnostics_tell_a_missing_camera_from_one_that_stopped(self):
        lines = self.listen(DiagnosticArray, "/diagnostics")
        heard = self.listen(SkeletonArray, "/stridepose/skeletons")
        with NodeProcess(parameters={**KEYPOINTS, "node.reliability": "reliable"}):
            self.spin_until(lambda: "nobody publishes" in self.values(lines, "input").get("message", ""), "the missing camera")
            self.start()
            self.wait_for_subscriber(self.people)
            self.wait_for_subscriber(self.infos)
            for index in range(45):
                self.send(index)
                self.spin_for(0.033)
            self.spin_until(lambda: self.values(lines, "input").get("level") == b"\x00", "a healthy input")
            self.spin_until(lambda: "nothing arrives" in self.values(lines, "input").get("message", ""), "the stopped camera")
            received = int(self.values(lines, "input")["received"])
            dropped = int(self.values(lines, "input")["dropped"])
            self.assertEqual(received, 45)
            self.assertEqual(len(heard) + dropped, received, "answered, or left out and counted")
            self.assertIn("cpu", self.values(lines, "inference")["lifter"])
            for stage in ("lift", "refine"):
                p50, p95, p99 = map(float, latencies(lines, stage)[-1].split())
                self.assertTrue(0.0 < p50 <= p95 <= p99 < 1000.0, stage)
            self.assertEqual(self.values(lines, "camera_info")["level"], b"\x00")
            for index in range(45, 90):
                self.send(index)
                self.spin_for(0.033)
            self.spin_until(lambda: self.values(lines, "input").get("level") == b"\x00", "the camera that came back")
            self.assertTrue(heard[-1].skeletons)

    def test_a_quality_of_service_that_does_not_fit_is_told(self):
        self.node.create_publisher(KeypointArray, "/keypoints", SENSOR)
        lines = self.listen(DiagnosticArray, "/diagnostics")
        with NodeProcess(parameters={**KEYPOINTS, "node.reliability": "reliable"}):
            self.spin_until(lambda: "node.reliability" in self.values(lines, "input").get("message", ""), "the advice")

    def test_overlays_are_drawn_for_whoever_listens(self):
        if not (SHARED / "models").is_dir():
            self.skipTest(f"{SHARED}/models with 2D networks is not here")
        images = self.node.create_publisher(Image, "/image", 10)
        infos = self.node.create_publisher(CameraInfo, "/camera_info", 10)
        parameters = {"node.model_folders": SHARED / "models", "keypoints.model": "movenet_lightning", "node.reliability": "reliable"}
        with NodeProcess(parameters=parameters):
            self.wait_for_subscriber(images)
            self.wait_for_subscriber(infos)
            raw = self.listen(Image, "/stridepose/overlay")
            compressed = self.listen(CompressedImage, "/stridepose/overlay/compressed")
            infos.publish(camera_info(stamp_of(0), 64, 48))
            for index in range(20):
                image = Image(width=64, height=48, encoding="bgr8", step=192, data=[0, 0, 200] * 64 * 48)
                image.header.stamp, image.header.frame_id = stamp_of(index + 1), "camera_optical_frame"
                images.publish(image)
                self.spin_for(0.1)
                if raw and compressed:
                    break
        self.assertEqual((raw[-1].width, raw[-1].height, raw[-1].encoding, raw[-1].step), (64, 48, "rgb8", 192))
        self.assertEqual(bytes(raw[-1].data[:3]), bytes([200, 0, 0]))
        self.assertEqual((compressed[-1].format, bytes(compressed[-1].data[:3])), ("jpeg", b"\xff\xd8\xff"))

    def test_target_frame_is_used_where_tf_knows_it(self):
        self.start()
        heard = self.listen(SkeletonArray, "/stridepose/skeletons")
        lines = self.listen(DiagnosticArray, "/diagnostics")
        with NodeProcess(parameters={**KEYPOINTS, "node.target_frame": "map"}):
            self.wait_for_subscriber(self.people)
            self.wait_for_subscriber(self.infos)
            for index in range(4):
                answered = len(heard)
                self.send(index)
                self.spin_until(lambda: len(heard) > answered, "an answer")
            self.assertEqual(heard[-1].header.frame_id, "camera_optical_frame", "never guessed")
            self.spin_until(lambda: self.values(lines, "tf").get("images not transformed") == "4", "what TF lacks in the diagnostics")
            self.assertEqual(self.values(lines, "tf")["level"], b"\x01")
            self.assertIn("map", self.values(lines, "tf")["message"])
            in_camera = heard[-1].skeletons[0].joints[0].position
            static = self.node.create_publisher(TFMessage, "/tf_static", LATCHED)
            transform = TransformStamped(child_frame_id="camera_optical_frame")
            transform.header.frame_id = "map"
            transform.transform.translation.x = 100.0
            static.publish(TFMessage(transforms=[transform]))
            self.wait_for_subscriber(static)
            self.spin_for(0.5)
            answered = len(heard)
            self.send(4)
            self.spin_until(lambda: len(heard) > answered, "an answer")
            self.assertEqual(heard[-1].header.frame_id, "map")
            self.assertAlmostEqual(heard[-1].skeletons[0].joints[0].position.x - in_camera.x, 100.0, delta=0.1)

    def test_a_gravity_frame_tells_where_down_is_where_tf_knows_it(self):
        self.start()
        heard = self.listen(SkeletonArray, "/stridepose/skeletons")
        lines = self.listen(DiagnosticArray, "/diagnostics")
        with NodeProcess(parameters={**KEYPOINTS, "input.gravity": "tf"}):
            self.wait_for_subscriber(self.people)
            self.wait_for_subscriber(self.infos)
            self.send(0)
            self.spin_until(lambda: heard, "an answer")
            unknown = lambda: self.values(lines, "warnings").get("gravity_unknown", "")
            self.spin_until(unknown, "what TF lacks in the diagnostics")
            self.assertIn("base_link", unknown())
            static = self.node.create_publisher(TFMessage, "/tf_static", LATCHED)
            transform = TransformStamped(child_frame_id="camera_optical_frame")
            transform.header.frame_id = "base_link"
            rotation = transform.transform.rotation
            rotation.x, rotation.y, rotation.z, rotation.w = -0.5, 0.5, -0.5, 0.5
            static.publish(TFMessage(transforms=[transform]))
            self.wait_for_subscriber(static)
            self.spin_for(0.5)
            before, answered = unknown(), len(heard)
            for index in range(1, 4):
                self.send(index)
                self.spin_until(lambda: len(heard) >= answered + index, "an answer")
            self.spin_for(2.5)
            self.assertEqual(unknown(), before, "it is known now")

    def test_broken_images_do_no_harm(self):
        images = self.node.create_publisher(Image, "/image", SENSOR)
        infos = self.node.create_publisher(CameraInfo, "/camera_info", SENSOR)
        lines = self.listen(DiagnosticArray, "/diagnostics")
        models = "yolox_nano"
        if not (SHARED / "models").is_dir():
            self.skipTest(f"{SHARED}/models with 2D networks is not here")
        parameters = {"node.model_folders": SHARED / "models", "keypoints.model": "movenet_lightning", "detector.model": models}
        with NodeProcess(parameters=parameters) as process:
            self.wait_for_subscriber(images)
            self.wait_for_subscriber(infos)
            infos.publish(camera_info(stamp_of(0), 64, 48))
            cases = [
                Image(),
                Image(width=64, height=48, encoding="rgb8", step=1, data=[0] * 48),
                Image(width=64, height=48, encoding="no_such", step=192, data=[0] * 192 * 48),
                Image(width=4_000_000_000, height=4_000_000_000, encoding="rgb8", step=4_000_000_000),
                Image(width=64, height=48, encoding="rgb8", step=192, data=[0] * 192 * 48),
            ]
            for index, image in enumerate(cases):
                image.header.stamp = stamp_of(index + 1)
                image.header.frame_id = "camera_optical_frame"
                images.publish(image)
                self.spin_for(0.4)
            self.spin_until(lambda: self.values(lines, "warnings").get("image_refused", "").startswith("4,"), "four refused images")
            self.assertIsNone(process.process.poll())


class StopTest(PeopleTest):
    def test_in_the_middle_of_a_stream_it_stops_within_a_second_and_sends_nothing_half(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(how.name):
                self.start()
                heard = []
                topic = "/stridepose/skeletons"
                subscription = self.node.create_subscription(SkeletonArray, topic, heard.append, STREAM, raw=True)
                with NodeProcess(parameters={**KEYPOINTS, "node.reliability": "reliable"}) as process, self.streaming():
                    self.spin_until(lambda: len(heard) > 30, "a stream of answers")
                    code, seconds = process.stop(how)
                self.spin_for(0.3)
                self.assertEqual(code, 0, process.output)
                self.assertLess(seconds, 1.0, f"after {how.name}")
                for data in heard:
                    self.assertEqual(serialize_message(deserialize_message(data, SkeletonArray)), data)
                self.node.destroy_subscription(subscription)


class ProcessTest(RosTest):
    def test_it_stops_within_a_second(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            with NodeProcess(parameters=KEYPOINTS) as process:
                reply = self.call(GetState, "/stridepose/get_state", state_request())
                self.assertTrue(reply.current_state.label)
                self.spin_until(
                    lambda: self.call(GetState, "/stridepose/get_state", state_request()).current_state.label == "active",
                    "an active node",
                )
                code, seconds = process.stop(how)
                self.assertEqual(code, 0)
                self.assertLess(seconds, 1.0, f"after {how.name}")

    def test_it_stops_well_while_it_starts(self):
        for seconds in (0.0, 0.1, 0.2, 0.4, 0.6):
            with NodeProcess(parameters=KEYPOINTS) as process:
                self.spin_until(lambda: catches(process, signal.SIGINT), "a program that hears signals")
                self.spin_for(seconds)
                code, took = process.stop(signal.SIGINT)
                self.assertEqual(code, 0, f"after {seconds} s: {process.output}")
                # Loading ROS and the models goes on for a moment.
                self.assertLess(took, 2.0, f"after {seconds} s")

    def test_the_log_is_on_rosout(self):
        heard = self.listen(Log, "/rosout")
        with NodeProcess(parameters=KEYPOINTS):
            self.spin_until(
                lambda: [line for line in heard if line.name == "stridepose" and line.msg == "active"], "the log on /rosout"
            )

    def test_malformed_arguments_are_refused(self):
        with NodeProcess(parameters={"a b": "c:=d"}) as process:
            time.sleep(0.1)
            self.assertNotEqual(process.process.wait(timeout=10), 0)
