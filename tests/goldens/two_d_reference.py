"""Goldens of the 2D stages (two_d_reference.json): crop, YOLOX, BlazePose and MoveNet decoding, written from their papers and
reference code in numpy and SciPy, sharing nothing with the Rust code.

    python3 tests/goldens/two_d_reference.py > tests/goldens/two_d_reference.json

Versions used: numpy 2.4.6, scipy 1.17.1. Conventions: integer pixel coordinates are pixel centres.
Tolerances (in tests/two_d_reference.rs) and why:
  crop, not shrunk      0.02 of 255: bilinear in float32 against float64
  crop, shrunk          1.5 of 255 in the mean, 16 at most: the exact mean over the output pixel's square against bilinear
                        look-up in block means; the most where the image ends, which is a step
  boxes, keypoints      0.01 px: float32 against float64
"""

import json
import sys

import numpy as np
from scipy.ndimage import map_coordinates

OUTSIDE = 114


def picture(width, height, speed):
    """A smooth colour picture that both sides can make: bytes floor(127.5 + 127 sin(...)). `speed` scales its waves."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    waves = [0.31 * x + 0.17 * y, 0.11 * x - 0.23 * y + 1.0, 0.05 * x * y / 8.0 + 2.0]
    return np.stack([np.floor(127.5 + 127.0 * np.sin(speed * wave)) for wave in waves], axis=-1)


def sample(image, x, y):
    return np.stack(
        [map_coordinates(image[..., c], [y, x], order=1, mode="grid-constant", cval=OUTSIDE) for c in range(3)], -1
    )


def crop_case(size, center, side, angle, out, fine):
    """Each output pixel is the mean over its square, on a fine grid of fine x fine samples."""
    # An output pixel must stay far below a wave, or the exact mean is no reference for a practical filter.
    speed = 0.2 if fine > 1 else 1.0
    image = picture(*size, speed)
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    index = (np.arange(out)[:, None] + offsets[None, :]).ravel()
    v, u = np.meshgrid(index, index, indexing="ij")
    # From the middle of the picture, in units of its side.
    du, dv = ((u + 0.5) / out - 0.5) * side, ((v + 0.5) / out - 0.5) * side
    x = center[0] + np.cos(angle) * du - np.sin(angle) * dv
    y = center[1] + np.sin(angle) * du + np.cos(angle) * dv
    values = sample(image, x, y).reshape(out, fine, out, fine, 3).mean(axis=(1, 3))
    return {
        "image_size": size, "center": center, "side": side, "angle": angle, "output_side": out,
        "is_shrunk": fine > 1, "speed": speed, "rgb": np.round(values, 3).ravel().tolist(),
    }


def iou(a, b):
    w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = lambda r: (r[2] - r[0]) * (r[3] - r[1])
    return w * h / (area(a) + area(b) - w * h)


def yolox_case(rng):
    """demo_postprocess and the class-wise NMS of YOLOX's repository, for class 0 only."""
    side, strides, classes, size = 64, [8, 16, 32], 3, (200, 120)
    threshold, nms = 0.4, 0.45
    grids, scales = [], []
    for stride in strides:
        n = side // stride
        gy, gx = np.mgrid[0:n, 0:n]
        grids.append(np.stack([gx, gy], -1).reshape(-1, 2))
        scales.append(np.full((n * n, 1), stride))
    grid, scale = np.concatenate(grids).astype(float), np.concatenate(scales).astype(float)
    raw = np.concatenate(
        [rng.normal(0.5, 0.4, (len(grid), 2)), rng.normal(0.6, 0.5, (len(grid), 2)),
         rng.uniform(0, 1, (len(grid), 1 + classes))], axis=1)
    raw = np.round(raw, 4)
    centre, extent = (raw[:, :2] + grid) * scale, np.exp(raw[:, 2:4]) * scale
    score = raw[:, 4] * raw[:, 5]
    ratio = min(side / size[0], side / size[1])
    # The reference has pixel edges at integers; ours are pixel centres.
    low, high = (centre - extent / 2) / ratio - 0.5, (centre + extent / 2) / ratio - 0.5
    limit = np.array(size) - 0.5
    boxes = np.concatenate([np.clip(low, -0.5, limit), np.clip(high, -0.5, limit)], axis=1)
    has_area = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
    kept = []
    for index in np.argsort(-score):
        if score[index] >= threshold and has_area[index] and all(iou(boxes[index], boxes[k]) <= nms for k in kept):
            kept.append(index)
    return {
        "side": side, "strides": strides, "classes": classes, "image_size": size, "score_threshold": threshold,
        "nms_iou": nms, "output": raw.ravel().tolist(),
        "boxes": [np.round(boxes[k], 4).tolist() for k in kept], "scores": [round(float(score[k]), 6) for k in kept],
    }


def image_from_crop_matrix(center, side, angle, out):
    """3x3, from pixel edges in the crop (0 … out) to pixel centres in the image, by composition."""
    to_unit = np.array([[1 / out, 0, -0.5], [0, 1 / out, -0.5], [0, 0, 1]])
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    grow = np.diag([side, side, 1.0])
    move = np.array([[1, 0, center[0]], [0, 1, center[1]], [0, 0, 1.0]])
    return move @ turn @ grow @ to_unit


def keypoint_cases(rng):
    center, side, angle = [310.0, 205.5], 280.0, 0.35
    movenet = np.round(np.concatenate([rng.uniform(0, 1, (17, 3))], axis=1), 4)
    m = image_from_crop_matrix(center, side, angle, 192)
    points = np.stack([movenet[:, 1] * 192, movenet[:, 0] * 192, np.ones(17)])
    movenet_case = {
        "output": movenet.ravel().tolist(), "xy": np.round((m @ points)[:2].T, 4).tolist(),
        "scores": movenet[:, 2].tolist(), "person_score": float(movenet[:, 2].mean()),
    }
    blaze = np.round(np.concatenate([rng.uniform(0, 256, (39, 3)), rng.normal(1, 3, (39, 2))], axis=1), 4)
    m = image_from_crop_matrix(center, side, angle, 256)
    points = np.stack([blaze[:, 0], blaze[:, 1], np.ones(39)])
    probability = 1 / (1 + np.exp(-blaze[:, 3:]))
    in_image = (m @ points)[:2].T
    up = in_image[34] - in_image[33]
    # MediaPipe: the turn that brings the vector from landmark 33 to landmark 34 straight up; side twice its length, 1.25 x.
    blaze_case = {
        "output": blaze.ravel().tolist(), "xy": np.round(in_image[:33], 4).tolist(),
        "scores": np.round(probability.min(axis=1)[:33], 6).tolist(),
        "next_center": np.round(in_image[33], 4).tolist(), "next_side": round(float(2.5 * np.hypot(*up)), 4),
        "next_angle": round(float(np.arctan2(up[1], up[0]) + np.pi / 2), 6),
    }
    return {"center": center, "side": side, "angle": angle, "movenet": movenet_case, "blazepose": blaze_case}


def main():
    rng = np.random.default_rng(20)
    golden = {
        "crops": [
            crop_case((40, 30), [19.5, 14.5], 20.0, 0.0, 16, 1),
            crop_case((40, 30), [12.25, 20.75], 30.0, 0.6, 20, 1),
            crop_case((40, 30), [35.0, 3.0], 14.0, -2.2, 24, 1),
            crop_case((160, 120), [79.5, 79.5], 160.0, 0.0, 26, 32),
            crop_case((160, 120), [70.0, 50.0], 100.0, 0.9, 24, 32),
        ],
        "yolox": yolox_case(rng),
        "keypoints": keypoint_cases(rng),
    }
    json.dump(golden, sys.stdout, separators=(",", ":"))
    print()


main()
