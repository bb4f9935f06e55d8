"""The node on a network with access control, with config/sros2_policy.xml and nothing else."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import NodeProcess, ros2
from people import KEYPOINTS

POLICY = Path(__file__).resolve().parents[2] / "config/sros2_policy.xml"
LISTENER = """<policy version="0.2.0"><enclaves><enclave path="/listener"><profiles><profile ns="/" node="listener">
<topics subscribe="ALLOW"><topic>*</topic></topics><topics publish="ALLOW"><topic>*</topic></topics>
<services reply="ALLOW"><service>*</service></services><services request="ALLOW"><service>*</service></services>
</profile></profiles></enclave></enclaves></policy>"""
LOOK = ("--no-daemon", "--spin-time", "3")


class SecurityTest(unittest.TestCase):
    def setUp(self):
        if subprocess.run(["ros2", "security", "-h"], capture_output=True, check=False).returncode != 0:
            self.skipTest("sros2 is not installed")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.keystore = self.folder / "keystore"
        ros2("security", "create_keystore", self.keystore)
        listener = self.folder / "listener.xml"
        listener.write_text(LISTENER, encoding="utf-8")
        for enclave, policy in (("/stridepose", POLICY), ("/listener", listener)):
            ros2("security", "create_enclave", self.keystore, enclave)
            ros2("security", "create_permission", self.keystore, enclave, policy)
        listed = subprocess.run(
            ["ros2", "topic", "list", *LOOK], capture_output=True, text=True, check=False, env={**os.environ, **self.secured("/listener")}
        )
        if listed.returncode != 0:
            self.skipTest(f"the middleware comes without DDS Security: {listed.stderr.strip()[-200:]}")

    def secured(self, enclave):
        return {
            "ROS_SECURITY_KEYSTORE": str(self.keystore), "ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce",
            "ROS_SECURITY_ENCLAVE_OVERRIDE": enclave,
        }  # fmt: skip

    def test_who_has_a_certificate_hears_the_node_and_nobody_else(self):
        # Everything that the settings can make the node subscribe to.
        parameters = {**KEYPOINTS, "node.target_frame": "map", "use_sim_time": "true"}
        latched = ("--qos-durability", "transient_local", "--qos-reliability", "reliable")
        with NodeProcess(parameters=parameters, environment=self.secured("/stridepose")) as process:
            topic = ("/stridepose/joint_set", "stridepose/msg/JointSet")
            heard = ros2("topic", "echo", "--once", *LOOK, *latched, *topic, environment=self.secured("/listener"))
            self.assertIn("name: h36m_17", heard, process.output)
            self.assertIn("active", process.output)
            self.assertNotIn("/stridepose/joint_set", ros2("topic", "list", *LOOK))

    def test_what_the_policy_lacks_keeps_the_node_from_starting_and_is_named(self):
        less = self.folder / "less.xml"
        less.write_text(POLICY.read_text(encoding="utf-8").replace("<topic>~/markers</topic>", ""), encoding="utf-8")
        ros2("security", "create_permission", self.keystore, "/stridepose", less)
        with NodeProcess(parameters=KEYPOINTS, environment=self.secured("/stridepose")) as process:
            self.assertEqual(process.process.wait(timeout=20), 2)
            process.reader.join()
            self.assertIn("~/markers is refused", process.output)
