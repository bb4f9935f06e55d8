#!/usr/bin/env python3
"""What the live node adds to the pipeline: time from publishing an image to receiving its skeletons, and CPU while inactive.

    . install/setup.bash && python3 benches/live_node.py --models DIR [--seconds 20] [--json FILE]

Images are empty, so that after the detector's few runs the pipeline has next to nothing to do: what is left is transport (rclpy
publishes, the middleware sends 0.9 or 2.8 MB over loopback), the node's threads, decoding of raw bytes, and the answer's way back.
Times are taken here, on both ends, in one process. Images go by best effort, as cameras send them: 720p needs a receive buffer larger
than Linux's default (README.md, "The live node"), else most do not arrive; on a busy machine, `chrt -r 10` keeps others out of the figures.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/ros"))

import rclpy
from harness import SENSOR, STREAM, NodeProcess
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image
from stridepose.msg import SkeletonArray

RATE_HZ = 30
SIZES = ((640, 480), (1280, 720))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", required=True, help="folder with yolox_nano and movenet_lightning")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json")
    options = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node("stridepose_bench")
    report = {"latency_ms": {}}
    for width, height in SIZES:
        report["latency_ms"][f"{width}x{height}"] = latency(node, options, width, height)
    report["inactive_cpu_share_of_a_core"] = inactive(options)
    for size, found in report["latency_ms"].items():
        print(f"{size:>9}: p50 {found['p50']:.1f} p95 {found['p95']:.1f} p99 {found['p99']:.1f} ms,"
              f" {found['answered']} of {found['sent']} images answered")  # fmt: skip
    print(f"inactive: {100 * report['inactive_cpu_share_of_a_core']:.2f} % of a core")
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rclpy.shutdown()


def settings(options):
    return {
        "node.model_folders": options.models, "keypoints.model": "movenet_lightning", "detector.interval": 100,
        "output.markers": "false", "output.overlay": "false", "inference.provider": "cpu",
    }  # fmt: skip


def latency(node, options, width, height):
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    images = node.create_publisher(Image, "/image", SENSOR)
    infos = node.create_publisher(CameraInfo, "/camera_info", SENSOR)
    sent, took = {}, []

    def heard(message):
        began = sent.pop((message.header.stamp.sec, message.header.stamp.nanosec), None)
        if began is not None:
            took.append(1e3 * (time.monotonic() - began))

    subscription = node.create_subscription(SkeletonArray, "/stridepose/skeletons", heard, STREAM)
    image = Image(width=width, height=height, encoding="rgb8", step=3 * width, data=bytes(3 * width * height))
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = [500.0, 0.0, width / 2, 0.0, 500.0, height / 2, 0.0, 0.0, 1.0]
    image.header.frame_id = info.header.frame_id = "camera_optical_frame"
    count = 0
    with NodeProcess(parameters=settings(options)):
        while images.get_subscription_count() == 0 or infos.get_subscription_count() == 0:
            executor.spin_once(timeout_sec=0.05)
        began = time.monotonic()
        while time.monotonic() - began < options.seconds:
            now = time.time_ns()
            image.header.stamp.sec, image.header.stamp.nanosec = divmod(now, 1_000_000_000)
            info.header.stamp = image.header.stamp
            data = serialize_message(image)
            infos.publish(info)
            sent[(image.header.stamp.sec, image.header.stamp.nanosec)] = time.monotonic()
            images.publish(data)
            count += 1
            while time.monotonic() < began + count / RATE_HZ:
                executor.spin_once(timeout_sec=max(0.0, began + count / RATE_HZ - time.monotonic()))
    node.destroy_subscription(subscription)
    node.destroy_publisher(images)
    node.destroy_publisher(infos)
    executor.shutdown()
    took = sorted(took[RATE_HZ:]) or [float("nan")]
    at = {f"p{share}": took[min(len(took) - 1, share * len(took) // 100)] for share in (50, 95, 99)}
    return {**at, "sent": count, "answered": len(took) + RATE_HZ}


def inactive(options):
    with NodeProcess(parameters={**settings(options), "node.autostart": "false"}) as process:
        time.sleep(3)
        before = cpu_seconds(process.process.pid)
        time.sleep(options.seconds)
        return (cpu_seconds(process.process.pid) - before) / options.seconds


def cpu_seconds(pid):
    """Time on a processor of all threads so far, by the scheduler's own nanoseconds: clock ticks of 10 ms are too coarse here."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9


if __name__ == "__main__":
    main()
