#!/usr/bin/env python3
"""CPU time an image and memory of `stridepose replay`, beside MediaPipe Pose on the same pictures in the same run.

    make bench                                         installs MediaPipe into .cache/peers first
    benches/peers.py BAG --models DIR [--json FILE]    BAG: a rosbag2 folder with JPEG images (MCAP)

Every contestant is a process of its own on one core, with everything it does: start, models, decoding, inference,
and for stridepose tracking, lifting, refinement and writing the result bag. CPU time is the process's user and system
time, so other work on the machine matters little; contestants take turns and the least of all rounds counts. The bag
is played LOOPS times over with stamps that go on, which also shows whether memory grows: resident memory is read
ten times a second, and its peak in the second quarter of the run is compared with the peak in the last.

Where PyTorch is at hand (in this Python, or in the one that --torch-python names, which needs onnxruntime too), the lifter is
measured beside VideoPose3D's network as well (benches/videopose3d.py).
"""

import argparse
import hashlib
import json
import os
import platform
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target"))
MEDIAPIPE = "mediapipe"
KEYPOINTS = ("movenet_lightning", "blazepose_full")


def main():
    options = parse()
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    with tempfile.TemporaryDirectory(prefix="stridepose-bench-") as folder:
        bag, images = loop_bag(Path(options.bag), Path(folder) / "looped", options.loops)
        results = {}
        for round_number in range(options.rounds):
            for name in (MEDIAPIPE, *KEYPOINTS):
                result = Path(folder) / f"{name}_{round_number}"
                run = measure(command(name, bag, options, result))
                run["summary"] = summary(result)
                best = results.get(name)
                if best is None or run["cpu_secs"] < best["cpu_secs"]:
                    results[name] = run
    report = {
        "machine": machine(),
        "pictures": {"bag": str(options.bag), "sha256": sha256(mcap_file(Path(options.bag))), "images": images},
        "rounds": options.rounds,
        "contestants": {name: entry(run, images) for name, run in results.items()},
    }
    for name in KEYPOINTS:
        ratio = report["contestants"][name]["cpu_ms_per_image"] / report["contestants"][MEDIAPIPE]["cpu_ms_per_image"]
        report["contestants"][name]["cpu_against_mediapipe"] = round(ratio, 3)
    report["videopose3d"] = videopose3d(options.torch_python)
    print(table(report))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bag", help="rosbag2 folder with compressed images in MCAP")
    parser.add_argument("--models", required=True, help="folder with the 2D networks")
    parser.add_argument("--stridepose", default=str(TARGET / "release/stridepose"), help="the program")
    parser.add_argument("--loops", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--torch-python", default=sys.executable, help="a Python with PyTorch and onnxruntime")
    parser.add_argument("--json", help="write everything measured to this file")
    options = parser.parse_args()
    if not Path(options.stridepose).is_file():
        parser.error(f"{options.stridepose} is not there: cargo build --release, or name it with --stridepose")
    return options


def command(name, bag, options, result):
    if name == MEDIAPIPE:
        return [sys.executable, str(PROJECT / "benches/mediapipe_pose.py"), str(bag)]
    return [
        options.stridepose, "--quiet", "replay", str(bag), "-o", str(result), "--models", options.models,
        "-p", f"keypoints.model:={name}", "-p", "output.overlay:=false", "-p", "inference.provider:=cpu",
    ]  # fmt: skip


def measure(arguments, fine=(0,)):
    """Runs a process to its end; its CPU time, wall time, resident memory over time and exit code, which must be one of FINE."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    resident = []
    watcher = threading.Thread(target=watch, args=(process, resident))
    watcher.start()
    _, errors = process.communicate()
    watcher.join()
    if process.returncode not in fine:
        sys.exit(f"{' '.join(arguments)}\nfailed with {process.returncode}: {errors.decode()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wall = time.monotonic() - began
    return {"cpu_secs": cpu, "wall_secs": wall, "resident_mb": resident, "exit_code": process.returncode}


def watch(process, resident):
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        except OSError:
            return
        lines = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        if lines:
            resident.append(int(lines[0].split()[1]) / 1024)
        time.sleep(0.1)


def videopose3d(python):
    """The lifter beside VideoPose3D's network; a sentence where that cannot be measured."""
    wanted = [python, "-c", "import torch, onnxruntime, numpy"]
    if subprocess.run(wanted, capture_output=True, check=False).returncode != 0:
        return f"not measured: {python} has no PyTorch with onnxruntime (--torch-python names another)"
    run = subprocess.run([python, str(PROJECT / "benches/videopose3d.py")], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"benches/videopose3d.py failed with {run.returncode}: {run.stderr[-2000:]}")
    return json.loads(run.stdout)


def summary(result):
    file = result / "summary.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def entry(run, images):
    resident = run["resident_mb"]
    quarter = max(1, len(resident) // 4)
    found = {
        "cpu_ms_per_image": round(1e3 * run["cpu_secs"] / images, 3),
        "wall_ms_per_image": round(1e3 * run["wall_secs"] / images, 3),
        "resident_mb_peak": round(max(resident), 1),
        "resident_mb_second_quarter": round(max(resident[quarter : 2 * quarter], default=0.0), 1),
        "resident_mb_last_quarter": round(max(resident[-quarter:]), 1),
    }
    if run["summary"]:
        found["images_with_skeleton"] = run["summary"]["images_with_skeleton"]
        found["stages_ms"] = run["summary"]["stages_ms"]
        found["own_ms"] = run["summary"]["own_ms"]
    return found


def table(report):
    machine, pictures = report["machine"], report["pictures"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, one used; {machine['system']}",
        f"{pictures['images']} images of {pictures['bag']} (sha256 {pictures['sha256'][:12]}), best of {report['rounds']}",
        "",
        f"{'':<20} {'CPU ms/image':>12} {'against MediaPipe':>18} {'own code p95 ms':>16} {'memory MB: 2nd, last quarter':>29}",
    ]
    for name, found in report["contestants"].items():
        ratio = found.get("cpu_against_mediapipe")
        own = found.get("own_ms", {}).get("p95")
        lines.append(
            f"{name:<20} {found['cpu_ms_per_image']:>12.2f} {f'{ratio:.2f} x' if ratio else '':>18}"
            f" {f'{own:.3f}' if own else '':>16}"
            f" {found['resident_mb_second_quarter']:>21.1f}, {found['resident_mb_last_quarter']:.1f}"
        )
    peer = report["videopose3d"]
    if isinstance(peer, str):
        lines += ["", f"VideoPose3D's network: {peer}"]
    else:
        own, other = peer["cpu_ms"]["lifter"], peer["cpu_ms"]["videopose3d"]
        lines += [
            "",
            f"an answer of the lifter {own:.3f} ms CPU, of VideoPose3D's network ({peer['videopose3d']['window_images']} images,"
            f" {peer['videopose3d']['multiply_adds'] / 1e6:.0f} M multiply-adds) {other:.2f} ms:"
            f" {peer['lifter_against_videopose3d']:.3f} x",
        ]
    return "\n".join(lines)


def machine():
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = [line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")]
    return {"processor": names[0] if names else platform.processor(), "cores": os.cpu_count(), "system": platform.platform()}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def mcap_file(bag):
    files = [bag] if bag.is_file() else sorted(bag.glob("*.mcap"))
    if len(files) != 1:
        sys.exit(f"{bag} must hold one .mcap file, found {len(files)}")
    return files[0]


def loop_bag(bag, folder, loops):
    """Writes the bag LOOPS times over; stamps in the messages' headers and log times go on. Returns file and images."""
    from mcap.reader import make_reader
    from mcap.writer import Writer

    folder.mkdir()
    looped = folder / "looped.mcap"
    with mcap_file(bag).open("rb") as source:
        messages = list(make_reader(source).iter_messages())
    times = [message.log_time for _, _, message in messages]
    image_times = sorted({header_stamp(message.data) for schema, _, message in messages if "Image" in schema.name})
    period = (image_times[-1] - image_times[0]) * len(image_times) // max(1, len(image_times) - 1)
    images = 0
    with looped.open("wb") as target:
        writer = Writer(target)
        writer.start(profile="ros2")
        schemas, channels = {}, {}
        for loop in range(loops):
            for schema, channel, message in messages:
                if schema.id not in schemas:
                    schemas[schema.id] = writer.register_schema(schema.name, schema.encoding, schema.data)
                if channel.id not in channels:
                    channels[channel.id] = writer.register_channel(
                        channel.topic, channel.message_encoding, schemas[schema.id], channel.metadata
                    )
                shift = loop * max(period, max(times) - min(times) + 1)
                log_time = message.log_time + shift
                data = shifted(message.data, shift)
                writer.add_message(channels[channel.id], log_time, data, log_time)
                images += "Image" in schema.name
        writer.finish()
    return looped, images


def header_stamp(data):
    """The stamp of a little-endian CDR message that starts with a std_msgs/Header, ns."""
    seconds, nanoseconds = struct.unpack_from("<iI", data, 4)
    return seconds * 1_000_000_000 + nanoseconds


def shifted(data, shift):
    seconds, nanoseconds = divmod(header_stamp(data) + shift, 1_000_000_000)
    return data[:4] + struct.pack("<iI", seconds, nanoseconds) + data[12:]


if __name__ == "__main__":
    main()
