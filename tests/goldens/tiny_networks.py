"""Networks of a few nodes that answer as real ones do, for tests that go through ONNX Runtime.

Versions: onnx 1.23.2. Run: python tests/goldens/tiny_networks.py (writes tests/goldens/tiny/*.onnx).
* heatmap, heatmap_one (batch of 1) and simcc see keypoint k where red is 14 (k + 1) and green is high; they take pictures
  normalised with ImageNet's mean and deviation, as the networks of MMPose do.
* yolo_pose, rtmdet and movenet_multipose always give the same people.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).parent / "tiny"
FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64
KEYPOINTS = 17


def save(name, nodes, inputs, outputs, constants):
    constants = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    info = lambda given: [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in given]
    graph = helper.make_graph(nodes, name, info(inputs), info(outputs), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, FOLDER / f"{name}.onnx")


def f32(values):
    return np.array(values, np.float32)


# value = 1 - |red - 14 (k + 1)| / 7 - (255 - green) / 255, not below 0
mean, std = f32([123.675, 116.28, 103.53]), f32([58.395, 57.12, 57.375])
seen = [
    helper.make_node("Mul", ["input", "std"], ["scaled"]),
    helper.make_node("Add", ["scaled", "mean"], ["bytes"]),
    helper.make_node("Split", ["bytes"], ["red", "green", "blue"], axis=1),
    helper.make_node("Sub", ["red", "levels"], ["apart"]),
    helper.make_node("Abs", ["apart"], ["distance"]),
    helper.make_node("Mul", ["distance", "steepness"], ["penalty"]),
    helper.make_node("Mul", ["green", "per_green"], ["strength"]),
    helper.make_node("Sub", ["strength", "penalty"], ["sum"]),
    helper.make_node("Relu", ["sum"], ["maps"]),
]
constants = {
    "std": std.reshape(1, 3, 1, 1), "mean": mean.reshape(1, 3, 1, 1),
    "levels": f32([14 * (k + 1) for k in range(KEYPOINTS)]).reshape(1, KEYPOINTS, 1, 1),
    "steepness": f32([1 / 7]), "per_green": f32([1 / 255]),
}
pool = helper.make_node("AveragePool", ["maps"], ["output"], kernel_shape=[4, 4], strides=[4, 4])
for name, batch in [("heatmap", "n"), ("heatmap_one", 1)]:
    ends = [("input", FLOAT, [batch, 3, 128, 96])], [("output", FLOAT, [batch, KEYPOINTS, 32, 24])]
    save(name, [*seen, pool], *ends, constants)
resize = lambda source, target: helper.make_node(
    "Resize", [source, "", "twice"], [target], mode="linear", coordinate_transformation_mode="asymmetric"
)
save(
    "simcc",
    [
        *seen,
        helper.make_node("ReduceMax", ["maps"], ["columns"], axes=[2], keepdims=0),
        helper.make_node("ReduceMax", ["maps"], ["rows"], axes=[3], keepdims=0),
        resize("columns", "simcc_x"), resize("rows", "simcc_y"),
    ],
    [("input", FLOAT, ["n", 3, 128, 96])],
    [("simcc_x", FLOAT, ["n", KEYPOINTS, 192]), ("simcc_y", FLOAT, ["n", KEYPOINTS, 256])],
    constants | {"twice": f32([1, 1, 2])},
)

# A standing person, COCO order, as fractions of its box.
POSE = f32(
    [
        [0.5, 0.08], [0.53, 0.06], [0.47, 0.06], [0.57, 0.07], [0.43, 0.07], [0.72, 0.2], [0.28, 0.2], [0.82, 0.36],
        [0.18, 0.36], [0.88, 0.5], [0.12, 0.5], [0.64, 0.5], [0.36, 0.5], [0.64, 0.73], [0.36, 0.73], [0.64, 0.96],
        [0.36, 0.96],
    ]
)


def always(input_kind, constant):
    """The constant, whatever the picture is."""
    return [
        helper.make_node("Cast", [input_kind], ["float"], to=FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", [constant, "nothing"], ["output0"]),
    ]


# 160 x 96 px, 315 anchors of which one is somebody: box 60..100 x 10..90 px.
left, top, width, height = 60, 10, 40, 80
points = np.hstack([POSE * [width, height] + [left, top], np.full((KEYPOINTS, 1), 0.9)])
anchor = np.concatenate([[left + width / 2, top + height / 2, width, height, 0.9], points.ravel()])
where = np.zeros(315)
where[123] = 1
save(
    "yolo_pose",
    [helper.make_node("Mul", ["anchor", "where"], ["people"]), *always("images", "people")],
    [("images", FLOAT, [1, 3, 96, 160])],
    [("output0", FLOAT, [1, 56, 315])],
    {"anchor": f32(anchor).reshape(1, 56, 1), "where": f32(where).reshape(1, 1, 315), "zero": f32(0)},
)
save(
    "rtmdet",
    [
        *always("input", "boxes"),
        helper.make_node("Identity", ["output0"], ["dets"]), helper.make_node("Identity", ["classes"], ["labels"]),
    ],
    [("input", FLOAT, [1, 3, 96, 160])],
    [("dets", FLOAT, [1, "n", 5]), ("labels", INT64, [1, "n"])],
    {
        "boxes": f32([[[60, 10, 100, 90, 0.9], [10, 10, 40, 90, 0.8], [110, 10, 150, 90, 0.1]]]),
        "classes": np.array([[0, 2, 0]], np.int64), "zero": f32(0),
    },
)
people = np.zeros((1, 6, 56))
fractions = POSE * [width / 160, height / 96] + [left / 160, top / 96]
people[0, 2, :51] = np.hstack([fractions[:, ::-1], np.full((KEYPOINTS, 1), 0.9)]).ravel()
people[0, 2, 51:] = [top / 96, left / 160, (top + height) / 96, (left + width) / 160, 0.9]
save(
    "movenet_multipose",
    always("input", "people"),
    [("input", INT32, [1, "height", "width", 3])],
    [("output0", FLOAT, [1, 6, 56])],
    {"people": f32(people), "zero": f32(0)},
)
