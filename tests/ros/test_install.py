"""What `colcon build` installs works where it is put, and the messages can be had alone, without Rust."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from harness import PACKAGE, Process, RosTest
from lifecycle_msgs.srv import GetState
from people import KEYPOINTS

REPOSITORY = Path(__file__).resolve().parents[2]


class OtherPrefixTest(RosTest):
    def test_the_node_finds_its_models_and_its_runtime_where_it_was_moved(self):
        with tempfile.TemporaryDirectory() as folder:
            moved = Path(folder) / "opt/robot"
            shutil.copytree(PACKAGE, moved)
            models = moved / "share/stridepose/models"
            # A name that nothing but the moved folder knows.
            (models / "lifter").rename(models / "moved_lifter")
            environment = {
                name: os.environ[name].replace(str(PACKAGE), str(moved)) for name in ("AMENT_PREFIX_PATH", "LD_LIBRARY_PATH")
            }
            arguments = ["--ros-args", "-r", "__node:=moved"]
            for name, value in {**KEYPOINTS, "lifter.model": "moved_lifter"}.items():
                arguments += ["-p", f"{name}:={value}"]
            with Process([moved / "lib/stridepose/stridepose_node", *arguments], environment) as process:
                state = lambda: self.call(GetState, "/moved/get_state", GetState.Request()).current_state.label
                self.spin_until(lambda: state() == "active", "the moved node")
                maps = Path(f"/proc/{process.process.pid}/maps").read_text(encoding="utf-8")
                loaded = {Path(line.split()[-1]) for line in maps.splitlines() if ".so" in line}
                (runtime,) = [path for path in loaded if path.name.startswith("libonnxruntime.so")]
                if "ORT_DYLIB_PATH" not in os.environ:
                    self.assertTrue(runtime.is_relative_to(moved), runtime)
                self.assertFalse([path for path in loaded if path.is_relative_to(PACKAGE)], "nothing of where it was built")


class MessagesAloneTest(unittest.TestCase):
    def test_a_consumer_builds_the_messages_without_rust(self):
        with tempfile.TemporaryDirectory() as folder:
            build, prefix = Path(folder) / "build", Path(folder) / "install"
            # No Rust on the way: neither on PATH nor where rustup puts it.
            path = ":".join(part for part in os.environ["PATH"].split(":") if not (Path(part) / "cargo").exists())
            environment = {**os.environ, "PATH": path, "HOME": folder}
            steps = [
                ["-S", REPOSITORY, "-B", build, "-DSTRIDEPOSE_BUILD_NODE=OFF", f"-DCMAKE_INSTALL_PREFIX={prefix}"],
                ["--build", build, "--parallel", "2"],
                ["--install", build],
            ]
            for step in steps:
                done = subprocess.run(["cmake", *map(str, step)], env=environment, capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
            self.assertFalse((prefix / "lib/stridepose").exists(), "no node")
            (site_packages,) = prefix.glob("l*/python3*/*-packages")
            environment["PYTHONPATH"] = f"{site_packages}:{os.environ['PYTHONPATH']}"
            environment["LD_LIBRARY_PATH"] = f"{prefix / 'lib'}:{os.environ['LD_LIBRARY_PATH']}"
            use = (
                "import stridepose.msg; from rclpy.serialization import serialize_message;"
                "print(stridepose.msg.__file__, len(serialize_message(stridepose.msg.SkeletonArray())))"
            )
            used = subprocess.run([sys.executable, "-c", use], env=environment, capture_output=True, text=True, check=False)
            self.assertEqual(used.returncode, 0, used.stderr)
            self.assertTrue(used.stdout.startswith(str(prefix)), used.stdout)
