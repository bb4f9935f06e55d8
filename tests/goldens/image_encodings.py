"""Golden values for src/stages/image: raw and compressed encodings decoded by OpenCV.

Made with opencv-python-headless 5.0.0 and NumPy 2.4. Run: python3 tests/goldens/image_encodings.py
Tolerance in the test: YUV 1 step of 255 (fixed-point rounding differs between OpenCV's SIMD paths), Bayer 1 step and
interior pixels only (OpenCV copies its border from the inside, we mirror the mosaic), JPEG 3 steps (different inverse
cosine transforms and chroma interpolation on a smooth picture), PNG exact.
"""

import json
import pathlib

import cv2
import numpy as np

rng = np.random.default_rng(7)
WIDTH, HEIGHT = 8, 6


def flat(array):
    return [int(value) for value in np.asarray(array).ravel()]


def rgb(bgr):
    return flat(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


cases = []


def raw(encoding, data, expected, step, border=0):
    cases.append(dict(encoding=encoding, width=WIDTH, height=HEIGHT, step=step, data=flat(data), rgb=flat(expected),
                      border=border))


packed = rng.integers(0, 256, (HEIGHT, WIDTH, 2), dtype=np.uint8)
for names, code in ((("uyvy", "yuv422"), cv2.COLOR_YUV2RGB_UYVY), (("yuyv", "yuv422_yuy2"), cv2.COLOR_YUV2RGB_YUYV)):
    for name in names:
        raw(name, packed, cv2.cvtColor(packed, code), WIDTH * 2)

planar = rng.integers(0, 256, (HEIGHT * 3 // 2, WIDTH), dtype=np.uint8)
raw("nv12", planar, cv2.cvtColor(planar, cv2.COLOR_YUV2RGB_NV12), WIDTH)
raw("nv21", planar, cv2.cvtColor(planar, cv2.COLOR_YUV2RGB_NV21), WIDTH)

mosaic = rng.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
# OpenCV names a pattern by the second row's second and third pixel: its BG is our RGGB.
for name, code in (("rggb", cv2.COLOR_BayerBG2RGB), ("bggr", cv2.COLOR_BayerRG2RGB),
                   ("gbrg", cv2.COLOR_BayerGR2RGB), ("grbg", cv2.COLOR_BayerGB2RGB)):
    raw(f"bayer_{name}8", mosaic, cv2.cvtColor(mosaic, code), WIDTH, border=1)

files = []
color = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
alpha = np.dstack([color, rng.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)])
gray = color[:, :, 0]
wide = rng.integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)
wide_color = rng.integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)
narrow = lambda values: ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def file(name, extension, picture, expected, tolerance, *flags):
    ok, data = cv2.imencode(extension, picture, list(flags))
    assert ok
    files.append(dict(name=name, width=expected.shape[1], height=expected.shape[0], data=flat(data),
                      rgb=rgb(expected), tolerance=tolerance))


file("png rgb", ".png", color, color, 0)
file("png rgba", ".png", alpha, color, 0)
file("png gray", ".png", gray, cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), 0)
file("png gray 16", ".png", wide, cv2.cvtColor(narrow(wide), cv2.COLOR_GRAY2BGR), 0)
file("png rgb 16", ".png", wide_color, narrow(wide_color), 0)
x, y = np.meshgrid(np.arange(32), np.arange(16))
smooth = np.dstack([40 + 4 * x, 60 + 6 * y, 200 - 3 * x - 2 * y]).astype(np.uint8)
for name, picture in (("jpeg rgb", smooth), ("jpeg gray", smooth[:, :, 1])):
    ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    files.append(dict(name=name, width=32, height=16, data=flat(data), rgb=rgb(decoded), tolerance=3))

out = pathlib.Path(__file__).with_name("image_encodings.json")
out.write_text(json.dumps(dict(opencv=cv2.__version__, raw=cases, files=files), separators=(",", ":")) + "\n")
print(out, out.stat().st_size)
