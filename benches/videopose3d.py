#!/usr/bin/env python3
"""CPU time of an answer: VideoPose3D's network and stridepose's lifter, in one process on one thread; prints JSON.

    benches/videopose3d.py [--lifter models/lifter/streaming.onnx] [--images 300]

VideoPose3D (Pavllo et al. 2019, arXiv 1811.11742) as published for 243 images: 17 keypoints, 1,024 channels, a first
convolution of three images and four blocks of a convolution of three and one of one image, each with batch norm and ReLU.
A live camera asks it for one pose a new image, so each answer costs a whole window; computed here is only what that pose
needs (strides in place of dilations, as the authors do where one pose is asked). Weights are drawn: they do not change the
time. The lifter keeps its own memory from image to image; both take turns image by image.
"""

import argparse
import json
import time
from pathlib import Path

import numpy
import onnxruntime
import torch

PROJECT = Path(__file__).resolve().parent.parent
CHANNELS, KEYPOINTS, FILTERS = 1024, 17, (3, 3, 3, 3, 3)
WARM_UP = 20


class VideoPose3d(torch.nn.Module):
    def __init__(self):
        super().__init__()
        layer = torch.nn.Conv1d
        self.first = layer(2 * KEYPOINTS, CHANNELS, FILTERS[0], stride=FILTERS[0], bias=False)
        self.wide = torch.nn.ModuleList(layer(CHANNELS, CHANNELS, size, stride=size, bias=False) for size in FILTERS[1:])
        self.narrow = torch.nn.ModuleList(layer(CHANNELS, CHANNELS, 1, bias=False) for _ in FILTERS[1:])
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm1d(CHANNELS) for _ in range(2 * len(FILTERS) - 1))
        self.last = layer(CHANNELS, 3 * KEYPOINTS, 1)

    def forward(self, window):
        x = torch.relu(self.norms[0](self.first(window)))
        for index, (wide, narrow) in enumerate(zip(self.wide, self.narrow)):
            size = FILTERS[index + 1]
            # The newest image of each group: what a causal network adds.
            kept = x[:, :, size - 1 :: size]
            x = torch.relu(self.norms[2 * index + 1](wide(x)))
            x = kept + torch.relu(self.norms[2 * index + 2](narrow(x)))
        return self.last(x)


def multiply_adds(network, window):
    """Multiplications of one answer."""
    count = 0

    def add(layer, _, output):
        nonlocal count
        count += layer.weight.numel() * output.shape[2]

    hooks = [layer.register_forward_hook(add) for layer in network.modules() if isinstance(layer, torch.nn.Conv1d)]
    network(window)
    for hook in hooks:
        hook.remove()
    return count


class Lifter:
    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        draw = numpy.random.default_rng(1)
        self.feed = {}
        for value in self.session.get_inputs():
            shape = [size if isinstance(size, int) else 1 for size in value.shape]
            self.feed[value.name] = draw.normal(0.0, 0.5, shape).astype(numpy.float32)

    def answer(self):
        return self.session.run(None, self.feed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lifter", default=PROJECT / "models/lifter/streaming.onnx")
    parser.add_argument("--images", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    images = int(numpy.prod(FILTERS))
    network, window = VideoPose3d().eval(), torch.randn(1, 2 * KEYPOINTS, images)
    lifter = Lifter(options.lifter)
    times = {"videopose3d": [], "lifter": []}
    with torch.inference_mode():
        work = multiply_adds(network, window)
        for image in range(WARM_UP + options.images):
            for name, answer in (("videopose3d", lambda: network(window)), ("lifter", lifter.answer)):
                began = time.process_time()
                answer()
                if image >= WARM_UP:
                    times[name].append(1e3 * (time.process_time() - began))
    medians = {name: float(numpy.median(values)) for name, values in times.items()}
    print(
        json.dumps(
            {
                "images": options.images,
                "cpu_ms": {name: round(value, 4) for name, value in medians.items()},
                "lifter_against_videopose3d": round(medians["lifter"] / medians["videopose3d"], 4),
                "videopose3d": {
                    "window_images": images,
                    "parameters": sum(value.numel() for value in network.parameters()),
                    "multiply_adds": work,
                },
            }
        )
    )


if __name__ == "__main__":
    main()
