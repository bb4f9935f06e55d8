#!/usr/bin/env python3
"""MediaPipe Pose over the JPEG images of an MCAP bag: the contestant of benches/peers.py. Decodes with OpenCV, as
MediaPipe's own examples do, tracks from image to image, and asks for what it gives: 2D and hip-centred 3D landmarks."""

import sys

import cv2
import mediapipe
import numpy
from mcap.reader import make_reader


def main(path):
    pose = mediapipe.solutions.pose.Pose(model_complexity=1)
    found = 0
    with open(path, "rb") as source:
        for schema, _, message in make_reader(source).iter_messages():
            if "CompressedImage" not in schema.name:
                continue
            data = message.data
            start = data.index(b"\xff\xd8\xff")
            image = cv2.imdecode(numpy.frombuffer(data, dtype=numpy.uint8, offset=start), cv2.IMREAD_COLOR)
            result = pose.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            found += result.pose_world_landmarks is not None
    print(f"{found} images with a person")


if __name__ == "__main__":
    main(sys.argv[1])
