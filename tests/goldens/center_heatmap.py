"""Golden of the CenterNet decoder: `_nms`, `_topk` and `ctdet_decode` of CenterNet in NumPy and SciPy, then OpenCV's NMS.

Versions: opencv-python-headless 5.0.0, numpy 2.4, scipy 1.17. Run:
python tests/goldens/center_heatmap.py > tests/goldens/center_heatmap.json
The heatmap is after the sigmoid, as in CenterNet's `process`; its 3 x 3 maximum pooling is scipy.ndimage.maximum_filter.
A picture of 256 x 192 px, stride 4, with a 1280 x 720 image in its middle (gain 1/5, 24 px above and below). People lie
inside the image: ours clips boxes before it thins them. Coordinates have the left edge of the first pixel at 0; ours are
0.5 less. Only cells with something in them are stored; the others are background of score 0.
Tolerance 0.02 px and 1e-5 of score: the decoder computes in f32, this in f64.
"""

import json

import cv2
import numpy as np
from scipy.ndimage import maximum_filter

COLUMNS, ROWS, STRIDE = 64, 48, 4
GAIN, PAD = 0.2, np.array([0.0, 24.0])
THRESHOLD, NMS_IOU = 0.3, 0.5
random = np.random.default_rng(31)

heat = np.zeros((ROWS, COLUMNS), np.float32)
size = np.ones((2, ROWS, COLUMNS), np.float32)
offset = np.zeros((2, ROWS, COLUMNS), np.float32)
for person in range(9):
    wh = random.uniform([3, 6], [12, 24])
    at = random.uniform(wh / 2 + [1, 7], np.array([COLUMNS, ROWS]) - wh / 2 - [1, 7])
    peak = random.uniform(0.25, 0.95)
    for row in range(ROWS):
        for column in range(COLUMNS):
            d = (np.array([column, row]) + 0.5 - at) / np.maximum(0.12 * wh, 0.6)
            value = peak * np.exp(-0.5 * d @ d)
            if value > max(heat[row, column], 0.02):
                heat[row, column] = value
                size[:, row, column] = wh * np.exp(random.normal(0, 0.03, 2))
                offset[:, row, column] = at - [column, row] + random.normal(0, 0.05, 2)

peaks = heat * (maximum_filter(heat, size=3, mode="constant") == heat)
order = np.argsort(-peaks.ravel(), kind="stable")[:100]
boxes, scores = [], []
for index in order:
    row, column = divmod(int(index), COLUMNS)
    if peaks[row, column] < THRESHOLD:
        continue
    at = (np.array([column, row]) + offset[:, row, column].astype(float)) * STRIDE
    wh = size[:, row, column].astype(float) * STRIDE
    boxes.append([*((at - wh / 2 - PAD) / GAIN), *((at + wh / 2 - PAD) / GAIN)])
    scores.append(float(peaks[row, column]))
boxes = np.array(boxes)
kept = cv2.dnn.NMSBoxes(np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).tolist(), scores, THRESHOLD, NMS_IOU)
cells = [
    {"index": int(index), "values": [float(v) for v in [heat.flat[index], *size.reshape(2, -1)[:, index], *offset.reshape(2, -1)[:, index]]]}
    for index in np.flatnonzero(heat)
]
people = [{"bbox": boxes[i].tolist(), "score": scores[i]} for i in np.array(kept).ravel()]
print(json.dumps({"columns": COLUMNS, "rows": ROWS, "stride": STRIDE, "image": [1280, 720], "threshold": THRESHOLD, "nms_iou": NMS_IOU, "cells": cells, "people": people}))
