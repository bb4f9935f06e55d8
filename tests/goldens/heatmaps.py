"""Golden of the heatmap and SimCC decoders: MMPose's own code for arg-max, refinement and SimCC maximum.

Versions: mmpose 1.3.2, opencv-python-headless 5.0.0, numpy 2.4. MMPose's post-processing needs neither torch nor mmcv, but
imports torch: its files are loaded by themselves, with an empty torch.
    pip install numpy opencv-python-headless && pip install --no-deps mmpose==1.3.2
    python tests/goldens/heatmaps.py > tests/goldens/heatmaps.json

Maps are sums of Gaussians (amplitude, x, y, sigma_x, sigma_y, angle) and a ripple of 1 %, made by the same formula here and
in the test, so that the file stays small. Peaks lie three cells or more from the edge: nearer than two MMPose refines
nothing along x, ours goes by the neighbours that there are.

Tolerance 0.02 px of the crop for the quarter and DARK (f32 against f64 in the smoothing). MMPose's UDP takes its Hessian
over two cells instead of four: 0.4 px (a tenth of a cell) there, which tells UDP's alignment from the others (up to 3 px).
Scores 1e-5.
"""

import importlib.util
import json
import pathlib
import sys
import types

import numpy as np


def load_mmpose():
    torch = types.ModuleType("torch")
    torch.Tensor = object
    functional = types.ModuleType("torch.nn.functional")
    nn = types.ModuleType("torch.nn")
    nn.functional = functional
    sys.modules |= {"torch": torch, "torch.nn": nn, "torch.nn.functional": functional}
    folder = pathlib.Path(importlib.util.find_spec("mmpose").submodule_search_locations[0]) / "codecs/utils"
    package = types.ModuleType("utils")
    package.__path__ = [str(folder)]
    sys.modules["utils"] = package
    return importlib.import_module("utils.post_processing"), importlib.import_module("utils.refinement")


post, refinement = load_mmpose()
random = np.random.default_rng(11)
KEYPOINTS = 17
# The crop's centre (pixel centres at integers), image px per crop px. MMPose maps crop px x to center + (x - W/2) * scale,
# ours to center + (x + 1/2 - W/2) * scale: the same crop has its centre half a crop px further in MMPose's words.
CENTER, SCALE = np.array([412.3, 233.8]), 1.7


def maps(width, height, peaks):
    row, column = np.mgrid[0:height, 0:width]
    out = np.zeros((KEYPOINTS, height, width))
    for index, components in enumerate(peaks):
        for amplitude, x, y, sigma_x, sigma_y, angle in components:
            dx, dy = column - x, row - y
            along, across = np.cos(angle) * dx + np.sin(angle) * dy, np.cos(angle) * dy - np.sin(angle) * dx
            out[index] += amplitude * np.exp(-0.5 * ((along / sigma_x) ** 2 + (across / sigma_y) ** 2))
        out[index] += 0.01 * np.sin(1.3 * column + 2.1 * row + index)
    return out.astype(np.float32)


def random_peaks(width, height, sigma):
    peaks = []
    for _ in range(KEYPOINTS):
        at = random.uniform([3.6, 3.6], [width - 4.6, height - 4.6])
        shape = [*(sigma * random.uniform(0.9, 1.6, 2)), random.uniform(0, 3)]
        components = [[random.uniform(0.2, 0.95), *at, *shape]]
        if random.uniform() < 0.5:
            other = np.clip(at + random.normal(0, 2 * sigma, 2), 0, [width - 1, height - 1])
            components.append([0.4 * components[0][0], *other, sigma, sigma, 0.0])
        peaks.append([[round(float(value), 4) for value in component] for component in components])
    return peaks


def in_image(keypoints, size):
    # TopdownPoseEstimator.add_pred_to_datasample
    size = np.array(size, float)
    scale, center = size * SCALE, CENTER + 0.5 * SCALE
    return keypoints / size * scale + center - 0.5 * scale


def in_image_udp(keypoints, size):
    # The UDP warp lays the rectangle's edges on the first and the last pixel; as above, with keypoints already spread over
    # `size` by UDPHeatmap.decode. Ours has (W - 1) pixel steps of SCALE between them.
    size = np.array(size, float)
    return keypoints / size * (size - 1) * SCALE + CENTER - 0.5 * (size - 1) * SCALE


heatmap_cases = []
for method, kernel, alignment, sigma, size in [
    ("quarter", 0, "first_pixel", 2, (192, 256)),
    ("dark", 11, "first_pixel", 2, (192, 256)),
    ("dark", 17, "first_pixel", 3, (288, 384)),
    ("dark", 11, "corners", 2, (192, 256)),
]:
    width, height = size[0] // 4, size[1] // 4
    peaks = random_peaks(width, height, sigma)
    heatmaps = maps(width, height, peaks)
    found, scores = post.get_heatmap_maximum(heatmaps)
    if alignment == "corners":
        found = refinement.refine_keypoints_dark_udp(found[None].astype(float), heatmaps.copy(), kernel)[0]
        xy = in_image_udp(found / [width - 1, height - 1] * size, size)
    else:
        found = found[None].astype(float)
        if method == "dark":
            found = refinement.refine_keypoints_dark(found, heatmaps.copy(), kernel)[0]
        else:
            found = refinement.refine_keypoints(found, heatmaps)[0]
        xy = in_image(found * 4, size)
    heatmap_cases.append(
        {
            "method": method, "kernel": kernel, "alignment": alignment, "sigma": sigma, "size": size, "peaks": peaks,
            "tolerance_in_crop_px": 0.4 if alignment == "corners" else 0.02,
            "xy": xy.tolist(), "scores": scores.tolist(),
        }
    )


def vectors(bins, peaks):
    bin_ = np.arange(bins)
    out = [a * np.exp(-0.5 * ((bin_ - x) / s) ** 2) + 0.02 * np.sin(0.7 * bin_ + x) for a, x, s in peaks]
    return np.array(out, np.float32)


size, ratio = (192, 256), 2.0
draw = lambda bins: [
    [round(float(v), 3) for v in (random.uniform(0.1, 0.9), random.uniform(0, bins - 1), random.uniform(3, 9))]
    for _ in range(KEYPOINTS)
]
x_peaks, y_peaks = draw(384), draw(512)
# One keypoint that is nowhere.
x_peaks[4][0] = -0.9
simcc_x, simcc_y = vectors(384, x_peaks), vectors(512, y_peaks)
simcc_x[4] -= 0.1
found, scores = post.get_simcc_maximum(simcc_x[None], simcc_y[None])
xy = in_image(found[0] / ratio, size)
simcc = {
    "size": size, "ratio": ratio, "x_peaks": x_peaks, "y_peaks": y_peaks, "nowhere": 4,
    "xy": xy.tolist(), "scores": scores[0].tolist(),
}
print(
    json.dumps(
        {"center": CENTER.tolist(), "scale": SCALE, "heatmaps": heatmap_cases, "simcc": simcc}, separators=(",", ":")
    )
)
