"""Several cameras at once: a node each, side by side in one graph, each with its own people."""

import contextlib

from harness import NodeProcess
from people import KEYPOINTS, PeopleTest, camera_info, keypoints, stamp_of
from sensor_msgs.msg import CameraInfo
from stridepose.msg import KeypointArray, SkeletonArray
from tf2_msgs.msg import TFMessage

CAMERAS = ("left", "right", "rear")


class CamerasTest(PeopleTest):
    def test_each_node_answers_its_own_camera_and_no_other(self):
        frames = self.listen(TFMessage, "/tf")
        nodes, people, infos, heard = [], {}, {}, {}
        for camera in CAMERAS:
            people[camera] = self.node.create_publisher(KeypointArray, f"/cameras/{camera}/keypoints", 50)
            infos[camera] = self.node.create_publisher(CameraInfo, f"/cameras/{camera}/camera_info", 50)
            heard[camera] = self.listen(SkeletonArray, f"/robot/{camera}/stridepose/skeletons")
        running = contextlib.ExitStack()
        self.addCleanup(running.close)
        for camera in CAMERAS:
            parameters = {**KEYPOINTS, "node.reliability": "reliable", "node.publish_tf": "true", "node.tf_prefix": f"{camera}_"}
            remappings = {
                "__ns": f"/robot/{camera}", "keypoints": f"/cameras/{camera}/keypoints", "camera_info": f"/cameras/{camera}/camera_info",
            }  # fmt: skip
            nodes.append(running.enter_context(NodeProcess(parameters=parameters, remappings=remappings)))
        for camera in CAMERAS:
            self.wait_for_subscriber(people[camera])
            self.wait_for_subscriber(infos[camera])
        for index in range(20):
            for number, camera in enumerate(CAMERAS):
                # A clock of its own for each, so that an answer tells which camera it is for.
                stamp = stamp_of(index, 1_700_000_000 + 1000 * number)
                info, seen = camera_info(stamp), keypoints(stamp)
                info.header.frame_id = seen.header.frame_id = f"{camera}_optical_frame"
                infos[camera].publish(info)
                people[camera].publish(seen)
            self.spin_until(lambda: all(len(heard[camera]) > index for camera in CAMERAS), f"everybody's answer to message {index}")
        for number, camera in enumerate(CAMERAS):
            self.assertEqual(len(heard[camera]), 20)
            for index, answer in enumerate(heard[camera]):
                self.assertEqual(answer.header.frame_id, f"{camera}_optical_frame")
                self.assertEqual(answer.header.stamp, stamp_of(index, 1_700_000_000 + 1000 * number))
            self.assertEqual([skeleton.track_id for skeleton in heard[camera][-1].skeletons], [1])
        bodies = {transform.child_frame_id for message in frames for transform in message.transforms if "body" in transform.child_frame_id}
        self.assertEqual(bodies, {f"{camera}_body_1" for camera in CAMERAS})
        for node in nodes:
            self.assertEqual(node.stop()[0], 0, node.output)
