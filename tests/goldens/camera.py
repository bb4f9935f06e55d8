"""Goldens of CameraModel from OpenCV: projection and undistortion of random points through every lens model.

Made with opencv-python-headless 5.0.0.93 and numpy 2.4.6 (python tests/goldens/camera.py > tests/goldens/camera.json).

Tolerances in tests/camera_goldens.rs: projection 1e-9 px and undistortion 1e-10 on the z = 1 plane. Both are double
precision evaluations of the same equations; OpenCV's own round trip, printed to stderr, is within 2e-15.
"""
import json
import sys

import cv2
import numpy as np

CASES = {
    "no_distortion": ("", []),
    "plumb_bob_4": ("plumb_bob", [-0.12, 0.03, 0.0012, -0.0007]),
    "plumb_bob_5": ("plumb_bob", [-0.28, 0.09, 0.0011, -0.0006, -0.012]),
    "plumb_bob_pincushion": ("plumb_bob", [0.15, -0.02, -0.0009, 0.0005, 0.004]),
    "rational_polynomial_8": ("rational_polynomial", [0.41, 0.12, 0.0005, -0.0002, 0.021, 0.72, 0.23, 0.031]),
    "equidistant": ("equidistant", [0.021, -0.011, 0.0031, -0.0011]),
    "equidistant_wide": ("equidistant", [-0.013, 0.0012, -0.0004, 0.00003]),
}


def main():
    rng = np.random.default_rng(20)
    k = np.array([[612.3, 0.0, 318.7], [0.0, 609.8, 243.2], [0.0, 0.0, 1.0]])
    zero = np.zeros(3)
    cases = {}
    for name, (model, d) in CASES.items():
        reach = 1.6 if name == "equidistant_wide" else 0.6
        z = rng.uniform(0.5, 9.0, 24)
        points = np.stack([rng.uniform(-reach, reach, 24) * z, rng.uniform(-reach, reach, 24) * z, z], axis=1)
        coefficients = np.array(d)
        if model == "equidistant":
            pixels, _ = cv2.fisheye.projectPoints(points[:, None], zero, zero, k, coefficients)
            criteria = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 200, 1e-14)
            normalised = cv2.fisheye.undistortPoints(pixels, k, coefficients, criteria=criteria)
        else:
            distortion = coefficients if d else None
            pixels, _ = cv2.projectPoints(points, zero, zero, k, distortion)
            criteria = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 500, 1e-14)
            normalised = cv2.undistortPoints(pixels, k, distortion, criteria=criteria)
        cases[name] = {
            "distortion_model": model,
            "d": d,
            "points_in_camera": points.tolist(),
            "pixels": pixels.reshape(-1, 2).tolist(),
            "normalised": normalised.reshape(-1, 2).tolist(),
        }
        off = np.abs(normalised.reshape(-1, 2) - points[:, :2] / points[:, 2:]).max()
        print(name, "OpenCV's own round trip error:", off, file=sys.stderr)
    print(json.dumps({"k": k.ravel().tolist(), "width": 640, "height": 480, "cases": cases}))


main()
