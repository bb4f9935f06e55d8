"""Golden of the YOLOX decoder: grid decode as in YOLOX's demo_postprocess, then OpenCV's NMSBoxes.

Versions: opencv-python-headless 5.0.0, numpy 2.4. Run: python tests/goldens/yolox.py > tests/goldens/yolox.json
Tolerance 0.01 px and 1e-5 of score: the decoder computes in f32, this in f64. Boxes are given with the left edge of the
first pixel at 0, as YOLOX has them; clipped to the image.
"""

import json

import cv2
import numpy as np

SIDE, WIDTH, HEIGHT = 416, 1280, 720
THRESHOLD, NMS_IOU = 0.4, 0.45
random = np.random.default_rng(7)
grid, strides = [], []
for stride in (8, 16, 32):
    cells = SIDE // stride
    column, row = np.meshgrid(np.arange(cells), np.arange(cells))
    grid.append(np.stack([column, row], -1).reshape(-1, 2))
    strides.append(np.full(cells * cells, stride))
grid, strides = np.concatenate(grid), np.concatenate(strides)

# Seven people, each reported by several neighbouring anchors.
rows = {}
for _ in range(7):
    center = random.uniform([20, 20], [396, 214])
    size = random.uniform([15, 40], [60, 120])
    for _ in range(8):
        anchor = int(random.integers(len(grid)))
        wanted = center + random.normal(0, 3, 2)
        ratio = size * np.exp(random.normal(0, 0.1, 2)) / strides[anchor]
        values = [*(wanted / strides[anchor] - grid[anchor]), *np.log(ratio), *random.uniform(0.5, 1, 2)]
        rows[anchor] = [float(np.float32(value)) for value in values]

output = np.zeros((len(grid), 6))
for anchor, values in rows.items():
    output[anchor] = values
centers = (output[:, :2] + grid) * strides[:, None]
sizes = np.exp(output[:, 2:4]) * strides[:, None]
scores = output[:, 4] * output[:, 5]
scale = SIDE / max(WIDTH, HEIGHT)
low = np.clip((centers - sizes / 2) / scale, 0, [WIDTH, HEIGHT])
high = np.clip((centers + sizes / 2) / scale, 0, [WIDTH, HEIGHT])
boxes = np.hstack([low, high - low])
kept = np.array(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), THRESHOLD, NMS_IOU)).ravel()
people = [{"bbox": [*low[k].tolist(), *high[k].tolist()], "score": float(scores[k])} for k in kept]
print(
    json.dumps(
        {
            "side": SIDE, "width": WIDTH, "height": HEIGHT, "threshold": THRESHOLD, "nms_iou": NMS_IOU,
            "anchors": [{"index": anchor, "values": values} for anchor, values in rows.items()],
            "people": people,
        },
        separators=(",", ":"),
    )
)
