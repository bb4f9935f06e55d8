#!/usr/bin/env python3
"""What `cargo bench --bench stages` measured, as one JSON file and a table.

    benches/stages.py CRITERION [--json FILE]      CRITERION: target/criterion

Criterion keeps an estimate of each bench in a folder of its own; here they are put together, with the machine and the checksums of
the networks that ran.
"""

import argparse
import hashlib
import json
import platform
from pathlib import Path

MODELS = Path(__file__).resolve().parent.parent / "models"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("criterion", type=Path, help="criterion's folder")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    options = parser.parse_args()
    found = stages(options.criterion)
    if not found:
        parser.error(f"{options.criterion} holds no estimates: run `cargo bench --bench stages` first")
    report = {"machine": machine(), "networks": networks(), "stages_ms": found}
    print(f"{report['machine']}\n{'stage':<48} {'ms':>9}  95 % of the mean")
    for name, times in found.items():
        print(f"{name:<48} {times['mean']:>9.4f}  {times['low']:.4f} to {times['high']:.4f}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def stages(folder):
    found = {}
    for file in sorted(folder.glob("**/new/estimates.json")):
        mean = json.loads(file.read_text(encoding="utf-8"))["mean"]
        interval = mean["confidence_interval"]
        times = {"mean": mean["point_estimate"], "low": interval["lower_bound"], "high": interval["upper_bound"]}
        # Criterion counts in nanoseconds.
        found[str(file.parent.parent.relative_to(folder))] = {name: time / 1e6 for name, time in times.items()}
    return found


def networks():
    graphs = ["lifter/streaming.onnx", "lifter/discriminator.onnx", "lifter_int8/streaming_int8.onnx"]
    return {graph: hashlib.sha256((MODELS / graph).read_bytes()).hexdigest() for graph in graphs}


def machine():
    models = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return f"{models[0] if models else platform.machine()}, {len(models)} cores, {platform.platform()}"


if __name__ == "__main__":
    main()
