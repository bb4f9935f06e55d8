"""Golden of the detectors and single-stage decoders: Ultralytics' and MMDeploy's decoding in NumPy, OpenCV's NMS.

Versions: opencv-python-headless 5.0.0, numpy 2.4. Run: python tests/goldens/single_stage.py > tests/goldens/single_stage.json
* YOLOv8 and YOLO pose as ultralytics 8.3: `non_max_suppression` (xywh to xyxy, NMS by IoU), then `scale_boxes` and
  `scale_coords` from a picture of 640 x 384 px with a 1280 x 720 image in its middle (gain 1/2, 12 px above and below).
* RTMDet as rtmlib 0.0.16: boxes divided by the ratio, those under the threshold or of another class dropped.
* MoveNet multipose as TensorFlow's tutorial: 17 x (y, x, score), box (ymin, xmin, ymax, xmax), score, as fractions of the
  picture; image in its middle as by `tf.image.resize_with_pad`.
Only anchors with something in them are stored; the others are background. People lie inside the image: ours clips boxes
before it thins them, Ultralytics after. Coordinates have the left edge of the first pixel at 0; ours are 0.5 less.
Tolerance 0.02 px and 1e-5 of score: the decoder computes in f32 (single precision of 640 px is 6e-5), this in f64.
"""

import json

import cv2
import numpy as np

WIDTH, HEIGHT = 1280, 720
COLUMNS, ROWS = 640, 384
GAIN, PAD = 0.5, np.array([0.0, 12.0])
ANCHORS = sum((COLUMNS // s) * (ROWS // s) for s in (8, 16, 32))
THRESHOLD, NMS_IOU = 0.4, 0.5
random = np.random.default_rng(23)
f32 = lambda values: [float(np.float32(value)) for value in values]


def nms(boxes, scores):
    sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    return np.array(cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), THRESHOLD, NMS_IOU)).ravel()


def in_image(points):
    return (np.asarray(points) - PAD) / GAIN


def people(count):
    """Boxes (cx, cy, w, h) in picture px, every person several times."""
    rows = []
    for _ in range(count):
        size = random.uniform([25, 60], [70, 140])
        center = random.uniform(size / 2 + 8 + PAD, np.array([COLUMNS, ROWS]) - PAD - size / 2 - 8)
        for _ in range(4):
            rows.append([*(center + random.normal(0, 2, 2)), *(size * np.exp(random.normal(0, 0.06, 2)))])
    return np.array(rows)


def keypoints(boxes):
    at = boxes[:, None, :2] + (random.uniform(-0.5, 0.5, (len(boxes), 17, 2))) * boxes[:, None, 2:]
    return np.concatenate([at, random.uniform(0, 1, (len(boxes), 17, 1))], -1)


def xyxy(boxes):
    return np.hstack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2])


def yolo(with_keypoints):
    boxes = people(6)
    scores = random.uniform(0.3, 0.95, len(boxes))
    parts = [boxes, scores[:, None]]
    if with_keypoints:
        parts.append(keypoints(boxes).reshape(len(boxes), -1))
    else:
        # Two more classes, never above the person's.
        parts.append(scores[:, None] * random.uniform(0, 0.9, (len(boxes), 2)))
    rows = np.array([f32(row) for row in np.hstack(parts)])
    where = random.choice(ANCHORS, len(boxes), replace=False)
    rows = rows[np.argsort(where)]
    kept = nms(xyxy(rows[:, :4]), rows[:, 4])
    found = []
    for row in rows[kept]:
        box = in_image(xyxy(row[None, :4])[0].reshape(2, 2)).ravel()
        person = {"bbox": box.tolist(), "score": float(row[4])}
        if with_keypoints:
            points = row[5:].reshape(17, 3)
            person["xy"] = in_image(points[:, :2]).tolist()
            person["scores"] = points[:, 2].tolist()
        found.append(person)
    anchors = [{"index": int(i), "values": row.tolist()} for i, row in zip(np.sort(where), rows)]
    return {"anchors": anchors, "people": found}


def rtmdet():
    # Upper left corner, 640 x 384: ratio 1/2 and nothing beside the image. Already thinned: one box a person.
    boxes = xyxy(people(7)[::4])
    scores = np.sort(random.uniform(0.2, 0.95, len(boxes)))[::-1]
    labels = np.array([0, 0, 2, 0, 0, 56, 0])
    rows = np.array([f32(row) for row in np.hstack([boxes, scores[:, None]])])
    kept = np.flatnonzero((rows[:, 4] >= THRESHOLD) & (labels == 0))
    kept = kept[nms(rows[kept, :4], rows[kept, 4])]
    found = [{"bbox": (rows[k, :4] / GAIN).tolist(), "score": float(rows[k, 4])} for k in kept]
    return {"boxes": rows.tolist(), "labels": labels.tolist(), "people": found}


def movenet():
    boxes = people(6)[::4]
    scores = np.array([0.9, 0.75, 0.6, 0.5, 0.2, 0.05])
    points = keypoints(boxes) / [COLUMNS, ROWS, 1]
    corners = xyxy(boxes) / [COLUMNS, ROWS, COLUMNS, ROWS]
    rows = np.hstack([points[..., [1, 0, 2]].reshape(6, -1), corners[:, [1, 0, 3, 2]], scores[:, None]])
    rows = np.array([f32(row) for row in rows])
    pixels = rows[:, [52, 51, 54, 53]] * [COLUMNS, ROWS, COLUMNS, ROWS]
    found = []
    for k in nms(pixels, rows[:, 55]):
        values = rows[k, :51].reshape(17, 3)
        found.append(
            {
                "bbox": in_image(pixels[k].reshape(2, 2)).ravel().tolist(), "score": float(rows[k, 55]),
                "xy": in_image(values[:, [1, 0]] * [COLUMNS, ROWS]).tolist(), "scores": values[:, 2].tolist(),
            }
        )
    return {"rows": rows.tolist(), "people": found}


def rounded(value):
    """Six significant digits after the point are more than the tolerance needs."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return {key: rounded(item) for key, item in value.items()} if isinstance(value, dict) else value


golden = {
    "image": [WIDTH, HEIGHT], "picture": [COLUMNS, ROWS], "anchor_count": ANCHORS, "threshold": THRESHOLD,
    "nms_iou": NMS_IOU, "yolov8": yolo(False), "yolo_pose": yolo(True), "rtmdet": rtmdet(), "movenet": movenet(),
}
print(json.dumps(rounded(golden), separators=(",", ":")))
