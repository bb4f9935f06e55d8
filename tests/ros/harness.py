"""What the tests of the live node share: a node as a process, and a rclpy node that talks to it."""

import contextlib
import os
import signal
import subprocess
import threading
import time
import unittest
from pathlib import Path

import rclpy
from ament_index_python.packages import get_package_prefix
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

STREAM = QoSProfile(depth=50)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SENSOR = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
PACKAGE = Path(get_package_prefix("stridepose"))
BINARY = PACKAGE / "lib/stridepose/stridepose_node"
TOOL = PACKAGE / "lib/stridepose/stridepose"
SHARED = Path(os.environ.get("STRIDEPOSE_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def ros2(*arguments, fails=False, environment=None, timeout=60):
    """What a command of ROS 2 says; it must end well, or not where it `fails`."""
    command = ["ros2", *map(str, arguments)]
    environment = {**os.environ, **(environment or {})}
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment)
    said = done.stdout + done.stderr
    if (done.returncode != 0) != fails:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{said}")
    return said


class Process:
    """A command whose output is kept; on leaving, it and its children are gone."""

    def __init__(self, arguments, environment=None):
        self.lines = []
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )  # fmt: skip
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()

    @property
    def output(self):
        return "".join(self.lines)

    def resident_kb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])

    def stop(self, how=signal.SIGINT, within=5.0):
        """Exit code and seconds it took."""
        began = time.monotonic()
        self.process.send_signal(how)
        code = self.process.wait(timeout=within)
        return code, time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # The session is its own: whatever a launch or recorder leaves behind goes with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join(timeout=2)
        self.process.stdout.close()


class NodeProcess(Process):
    """stridepose_node with parameters and remappings."""

    def __init__(self, *, parameters=None, remappings=None, files=(), name="stridepose", environment=None):
        arguments = [BINARY, "--ros-args", "-r", f"__node:={name}"]
        for file in files:
            arguments += ["--params-file", file]
        for key, value in (parameters or {}).items():
            arguments += ["-p", f"{key}:={value}"]
        for source, target in (remappings or {}).items():
            arguments += ["-r", f"{source}:={target}"]
        super().__init__(arguments, environment)


class RosTest(unittest.TestCase):
    """A test with a rclpy node of its own."""

    def setUp(self):
        rclpy.init()
        self.node = rclpy.create_node("stridepose_test")
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.addCleanup(self.tidy)

    def tidy(self):
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown()

    def spin_until(self, condition, what, timeout=60.0):
        """Spins until `condition` gives something true, which is returned."""
        deadline = time.monotonic() + timeout
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > deadline:
                self.fail(f"waited {timeout} s for {what}")
            self.executor.spin_once(timeout_sec=0.02)

    def spin_for(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.02)

    def listen(self, kind, topic, qos=STREAM):
        """A list that grows with what arrives."""
        heard = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def call(self, kind, service, request, timeout=60.0):
        client = self.node.create_client(kind, service)
        self.spin_until(client.service_is_ready, service, timeout)
        future = client.call_async(request)
        self.spin_until(future.done, f"an answer of {service}", timeout)
        self.node.destroy_client(client)
        return future.result()

    def wait_for_subscriber(self, publisher):
        self.spin_until(lambda: publisher.get_subscription_count() > 0, f"a subscriber on {publisher.topic_name}")
        # The other side may learn of the match later than we do.
        self.spin_for(0.3)
