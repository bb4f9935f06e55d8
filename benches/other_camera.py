#!/usr/bin/env python3
"""A recording as another camera at the same place would have made it: turned, looking elsewhere, with a fisheye lens.

    scripts/setup.py peers
    .cache/peers/bin/python3 benches/other_camera.py BAG -o turned --roll 90 --truth TRUTH.csv
    stridepose replay turned -o result -p input.up_side:=left && stridepose evaluate result --truth turned/truth.csv

BAG is an MCAP file, or a rosbag2 folder with one, with one camera (plumb_bob) and JPEG or PNG images; TRUTH.csv has x_m, y_m, z_m in
the camera's optical frame, as `stridepose evaluate` reads it. The new camera is turned to the right by --yaw, then down by --pitch,
then clockwise about its line of sight by --roll, seen from behind. Its lens has no distortion, or is an equidistant one. What the
old camera did not see is grey.
"""

import argparse
import csv
import math
import sys
from pathlib import Path

import cv2
import numpy as np
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from mcap_ros2.writer import Writer

from peers import mcap_file

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
# Rays that lie further aside in the old camera are outside of what its distortion is made for: tangent of the angle.
WIDEST = 1.6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bag", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the new bag and truth.csv")
    parser.add_argument("--truth", type=Path)
    for angle in ("roll", "yaw", "pitch"):
        parser.add_argument(f"--{angle}", type=float, default=0.0, metavar="DEG")
    parser.add_argument("--lens", choices=("pinhole", "equidistant"), default="pinhole")
    parser.add_argument("--focal", type=float, metavar="PX", help="focal length, the old one by default")
    parser.add_argument("--size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="turned by --roll by default")
    options = parser.parse_args()
    new_from_old = rotation(options)
    camera = next((message for schema, _, _, message in messages(options.bag) if schema.name == CAMERA_INFO), None)
    if camera is None:
        sys.exit(f"{options.bag}: no {CAMERA_INFO}")
    if camera.distortion_model != "plumb_bob":
        sys.exit(f"{options.bag}: a camera of model {camera.distortion_model!r}; plumb_bob is what this script knows")
    lens, schemas, count = Lens(camera, new_from_old, options), {}, 0
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "camera.mcap").open("wb") as out:
        writer = Writer(out)
        for schema, channel, recorded, message in messages(options.bag):
            if schema.name == CAMERA_INFO:
                message = lens.info(message)
            else:
                picture = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
                message.data = cv2.imencode(".jpg", lens.see(picture), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
                message.format, count = "jpeg", count + 1
            if schema.name not in schemas:
                schemas[schema.name] = writer.register_msgdef(schema.name, schema.data.decode())
            writer.write_message(channel.topic, schemas[schema.name], message, recorded.log_time)
        writer.finish()
    if options.truth:
        turn_truth(options.truth, new_from_old, options.output / "truth.csv")
    print(f"{options.output}: {count} images of {lens.size[0]} x {lens.size[1]} px")


def messages(bag):
    """Images and camera infos with their schema, channel and record."""
    with open(mcap_file(bag), "rb") as file:
        for found in make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages():
            if found.schema.name in (CAMERA_INFO, COMPRESSED):
                yield found.schema, found.channel, found.message, found.decoded_message


def rotation(options):
    """The new camera's axes from those of the old one (x right, y down, z forward)."""
    yaw, pitch, roll = (math.radians(angle) for angle in (options.yaw, options.pitch, options.roll))
    turn = np.array([[math.cos(yaw), 0, -math.sin(yaw)], [0, 1, 0], [math.sin(yaw), 0, math.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    tilt = np.array([[math.cos(roll), math.sin(roll), 0], [-math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    return tilt @ nod @ turn


class Lens:
    """The new camera: where each of its pixels lies in the old image."""

    def __init__(self, old, new_from_old, options):
        matrix, distortion = np.array(old.k).reshape(3, 3), np.array(old.d)
        is_aside = abs(math.sin(math.radians(options.roll))) > 0.7
        self.size = tuple(options.size) if options.size else (old.height, old.width) if is_aside else (old.width, old.height)
        self.focal = options.focal or matrix[0, 0]
        self.is_fisheye = options.lens == "equidistant"
        width, height = self.size
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        x, y = (columns - (width - 1) / 2) / self.focal, (rows - (height - 1) / 2) / self.focal
        aside = np.hypot(x, y)
        angle = aside if self.is_fisheye else np.arctan(aside)
        share = np.sin(angle) / np.maximum(aside, 1e-9)
        rays = np.stack([x * share, y * share, np.cos(angle)], axis=-1) @ new_from_old
        depth = np.maximum(rays[..., 2:], 1e-3)
        on_plane = rays / depth
        places, _ = cv2.projectPoints(on_plane.reshape(-1, 3), np.zeros(3), np.zeros(3), matrix, distortion)
        self.places = places.reshape(height, width, 2).astype(np.float32)
        self.places[(rays[..., 2] < 0.05) | (np.abs(on_plane[..., :2]).max(axis=-1) > WIDEST)] = -1000

    def see(self, picture):
        return cv2.remap(picture, self.places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(114, 114, 114))

    def info(self, message):
        width, height = message.width, message.height = self.size
        center = ((width - 1) / 2, (height - 1) / 2)
        message.distortion_model, message.d = ("equidistant", [0.0] * 4) if self.is_fisheye else ("plumb_bob", [0.0] * 5)
        message.k = [self.focal, 0.0, center[0], 0.0, self.focal, center[1], 0.0, 0.0, 1.0]
        message.p = [self.focal, 0.0, center[0], 0.0, 0.0, self.focal, center[1], 0.0, 0.0, 0.0, 1.0, 0.0]
        return message


def turn_truth(path, new_from_old, output):
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    axes = ("x_m", "y_m", "z_m")
    for line in lines:
        line.update(zip(axes, (new_from_old @ [float(line[axis]) for axis in axes]).tolist()))
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, lines[0].keys())
        writer.writeheader()
        writer.writerows(lines)


if __name__ == "__main__":
    main()
