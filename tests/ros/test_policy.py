"""config/sros2_policy.xml allows exactly what the node has: no name is missing, none is left over."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from harness import NodeProcess, RosTest

POLICY = Path(__file__).resolve().parents[2] / "config/sros2_policy.xml"
NODE = "/stridepose"


def full(name):
    return NODE + name[1:] if name.startswith("~") else "/" + name


class PolicyTest(RosTest):
    def allowed(self, group, right):
        found = ElementTree.parse(POLICY).findall(f".//{group}[@{right}='ALLOW']/*")
        return {full(element.text.strip()) for element in found}

    def has(self, ask):
        return {name for name, _ in ask("stridepose", "/")}

    def test_the_policy_is_what_the_node_has(self):
        # All that a node may subscribe to, by its settings.
        settings = [
            {"node.source": "keypoints", "node.target_frame": "map", "use_sim_time": "true"},
            {"node.source": "images", "node.autostart": "false"},
        ]
        subscribed, published, served = set(), set(), set()
        for parameters in settings:
            with NodeProcess(parameters=parameters):
                wanted = "/keypoints" if parameters["node.source"] == "keypoints" else None
                self.spin_until(lambda: len(self.has(self.node.get_service_names_and_types_by_node)) >= 11, "the services")
                if wanted:
                    ask = self.node.get_subscriber_names_and_types_by_node
                    self.spin_until(lambda: wanted in self.has(ask), "the subscriptions")
                    self.spin_until(lambda: "/tf_static" in self.has(ask), "the subscriptions to TF")
                subscribed |= self.has(self.node.get_subscriber_names_and_types_by_node)
                published |= self.has(self.node.get_publisher_names_and_types_by_node)
                served |= self.has(self.node.get_service_names_and_types_by_node)
        self.assertEqual(published, self.allowed("topics", "publish"))
        self.assertEqual(served, self.allowed("services", "reply"))
        # A node processes one source at a time; the others need 2D networks, which are not at hand here.
        others = {"/image", "/image/compressed"}
        self.assertEqual(subscribed | others, self.allowed("topics", "subscribe"))
