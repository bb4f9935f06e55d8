"""Goldens of the crop: OpenCV's warpAffine (bilinear) and, for shrinking, resize with INTER_AREA.

Versions: opencv-python-headless 5.0.0, numpy 2.4. Run: python tests/goldens/crop.py > tests/goldens/crop.json
The picture is smooth (at most 6 levels a pixel), so that OpenCV's 1/32 px grid of bilinear weights costs 0.2 levels and
its rounding to bytes 0.5: tolerance 1 level. Outside the picture lies grey 114.
"""

import json

import cv2
import numpy as np

WIDTH, HEIGHT, OUTSIDE = 48, 36, 114
x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
image = np.stack([4 * x + y, 200 - 3 * y - x, x * y // 8], -1).astype(np.uint8)


def image_from_crop(center, side, angle, output):
    """c + R(a) ((crop + 0.5) / n - 0.5) s as a 2 x 3 matrix."""
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * side / output
    return np.hstack([rotation, (np.array(center) - rotation @ np.full(2, output / 2 - 0.5))[:, None]])


def warped(center, side, angle, output):
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = image_from_crop(center, side, angle, output)
    return cv2.warpAffine(
        image, matrix, (output, output), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=(OUTSIDE,) * 3
    )


cases = []
for center, side, angle, output in [
    ((24.0, 18.0), 20.0, 0.0, 20),
    ((24.3, 17.6), 21.0, 0.0, 32),
    ((24.3, 17.6), 21.0, 0.6, 24),
    ((20.0, 20.0), 24.0, -2.4, 20),
    ((3.0, 30.0), 30.0, 1.1, 24),
    ((40.0, 4.0), 26.0, 0.0, 24),
]:
    pixels = warped(center, side, angle, output)
    cases.append({"center": center, "side": side, "angle": angle, "output": output, "tolerance": 1.0, "rgb": pixels})

letterbox = np.full((16, 16, 3), OUTSIDE, np.uint8)
letterbox[:12, :16] = cv2.resize(image, (16, 12), interpolation=cv2.INTER_AREA)
cases.append(
    {"center": (23.5, 23.5), "side": 48.0, "angle": 0.0, "output": 16, "tolerance": 1.0, "rgb": letterbox}
)
for case in cases:
    case["rgb"] = case["rgb"].ravel().tolist()
print(json.dumps({"width": WIDTH, "height": HEIGHT, "outside": OUTSIDE, "cases": cases}, separators=(",", ":")))
