#!/usr/bin/env python3
"""How much of an error is the 2D network's: a bag whose keypoints are the truth itself, projected.

    scripts/setup.py python
    .cache/python/bin/python3 benches/true_keypoints.py BAG TRUTH.csv -o true_keypoints.mcap
    stridepose replay true_keypoints.mcap -o result && stridepose evaluate result --truth TRUTH.csv

BAG is an MCAP file, or a rosbag2 folder with one, with one camera (plumb_bob) and one person; TRUTH.csv has `image_index`, joint
and x_m, y_m, z_m in the camera's optical frame, as `stridepose evaluate` reads it. What the lifter makes of these keypoints is its
own error; what it makes of a network's keypoints beyond that is the network's. Joints that the truth lacks are not seen.
"""

import argparse
import csv
import math
import sys
from collections import defaultdict
from pathlib import Path

from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from mcap_ros2.writer import Writer

from peers import mcap_file

PROJECT = Path(__file__).resolve().parent.parent
IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
COCO = (
    "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip r_hip l_knee r_knee l_ankle r_ankle"
).split()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bag", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    truth = defaultdict(dict)
    with options.truth.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            truth[int(line["image_index"])][line["joint"]] = [float(line[axis]) for axis in ("x_m", "y_m", "z_m")]
    headers, camera = [], None
    with open(mcap_file(options.bag), "rb") as file:
        for schema, _, _, message in make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages():
            if schema.name in IMAGES:
                headers.append(message.header)
            elif schema.name == CAMERA_INFO and camera is None:
                camera_schema, camera = schema, message
    if camera is None:
        sys.exit(f"{options.bag}: no {CAMERA_INFO}")
    if camera.distortion_model != "plumb_bob":
        sys.exit(f"{options.bag}: a camera of model {camera.distortion_model!r}; plumb_bob is what this script knows")
    with options.output.open("wb") as file:
        writer = Writer(file)
        keypoints = writer.register_msgdef("stridepose/msg/KeypointArray", definition())
        info = writer.register_msgdef(camera_schema.name, camera_schema.data.decode())
        for index, header in enumerate(headers):
            log_time = header.stamp.sec * 1_000_000_000 + header.stamp.nanosec
            camera.header = header
            writer.write_message("/camera/camera_info", info, camera, log_time)
            people = [{"score": 1.0, "keypoints": project(truth[index], camera)}] if truth[index] else []
            array = {"header": header, "layout": "coco_17", "people": people}
            writer.write_message("/camera/keypoints", keypoints, array, log_time)
        writer.finish()
    print(f"{options.output}: {len(headers)} images, {sum(bool(joints) for joints in truth.values())} with a person")


def definition():
    """The message and all that it consists of, in the form of an MCAP schema."""

    def own(name):
        return (PROJECT / "msg" / f"{name}.msg").read_text(encoding="utf-8")

    parts = {f"stridepose/{name}": own(name) for name in ("PersonKeypoints", "Keypoint")}
    parts["std_msgs/Header"] = "builtin_interfaces/Time stamp\nstring frame_id"
    parts["builtin_interfaces/Time"] = "int32 sec\nuint32 nanosec"
    return own("KeypointArray") + "".join(f"\n{'=' * 80}\nMSG: {name}\n{text}\n" for name, text in parts.items())


def project(joints, camera):
    """Keypoints in COCO's order by plumb_bob (`cv2.projectPoints`); NaN where the truth says nothing."""
    k1, k2, p1, p2, k3 = [*camera.d, 0.0, 0.0, 0.0, 0.0, 0.0][:5]
    found = []
    for name in COCO:
        u = v = float("nan")
        if name in joints and joints[name][2] > 0:
            x, y = (value / joints[name][2] for value in joints[name][:2])
            r2 = x * x + y * y
            radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
            u = camera.k[0] * (x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)) + camera.k[2]
            v = camera.k[4] * (y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y) + camera.k[5]
        found.append({"u": u, "v": v, "score": 0.0 if math.isnan(u) else 0.9, "spread": float("nan")})
    return found


if __name__ == "__main__":
    main()
