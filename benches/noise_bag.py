#!/usr/bin/env python3
"""Memory of `stridepose replay` under a long bag of noise.

    make demo                                                          gives a bag to begin with: .cache/demo/scene
    .cache/python/bin/python3 benches/noise_bag.py .cache/demo/scene [--gigabytes 10] [--folder DIR] [--json FILE] [-- ARGUMENTS]

Writes an MCAP file of that size with the camera and the image topic of the bag: true images (one in fifty), images cut short,
images whose JPEG is noise, whole messages of noise, and a topic of noise that nobody asked for. Then replays it; ARGUMENTS go to
`stridepose replay`. Says how large the process was in each quarter of the run, how it ended and what was counted. Ends with 1
where the program did not end with 3 (finished, input damaged) or grew by more than a tenth from the second quarter to the last.
"""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from peers import TARGET, mcap_file, measure

INTERVAL_NS = 33_333_333
# What a message is, and how often.
KINDS = {"true": 0.02, "cut": 0.2, "noise as JPEG": 0.2, "noise as message": 0.18, "another topic": 0.4}
OTHER_BYTES = 2_000_000


def main():
    options = parse()
    with tempfile.TemporaryDirectory(prefix="stridepose-noise-", dir=options.folder) as folder:
        noise, result = Path(folder) / "noise.mcap", Path(folder) / "result"
        counts, topic = write(Path(options.bag), noise, options.gigabytes * 1e9, random.Random(1))
        command = [options.stridepose, "--quiet", "replay", str(noise), "-o", str(result)]
        # There are two topics of images now.
        run = measure([*command, "-p", f"input.image_topic:={topic}", *options.arguments], fine=(0, 3))
        summary = json.loads((result / "summary.json").read_text(encoding="utf-8"))
    quarters = [run["resident_mb"][len(run["resident_mb"]) * part // 4 :][: len(run["resident_mb"]) // 4] for part in range(4)]
    peaks = [round(max(quarter), 1) for quarter in quarters]
    report = {
        "gigabytes": options.gigabytes,
        "messages": counts,
        "exit_code": run["exit_code"],
        "secs": round(run["wall_secs"], 1),
        "resident_mb_peak_by_quarter": peaks,
        "images": summary["images"],
        "warnings": summary["warnings"],
        "damage": summary.get("damage"),
    }
    print(json.dumps(report, indent=2))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if run["exit_code"] == 3 and peaks[3] <= 1.1 * peaks[1] else 1


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bag", help="rosbag2 folder or MCAP file with compressed images")
    parser.add_argument("--gigabytes", type=float, default=10.0)
    parser.add_argument("--folder", help="where the bag of noise is written; the system's folder for what is temporary")
    parser.add_argument("--stridepose", default=str(TARGET / "release/stridepose"), help="the program")
    parser.add_argument("--json", help="write the figures to this file")
    own = sys.argv[1:]
    more = own[own.index("--") + 1 :] if "--" in own else []
    options = parser.parse_args(own[: own.index("--")] if more else own)
    options.arguments = more
    return options


def write(bag, noise, size, draw):
    """Writes the bag; returns how many messages of each kind, and the topic of the images."""
    file = mcap_file(bag)
    images, camera = [], None
    with file.open("rb") as source:
        for schema, channel, message in make_reader(source).iter_messages():
            if schema.name.endswith("CompressedImage"):
                images.append((schema, channel, message.data))
            elif schema.name.endswith("CameraInfo"):
                camera = (schema, channel, message.data)
    if not images or camera is None:
        sys.exit(f"{file} has no compressed images with a CameraInfo")
    counts = dict.fromkeys(KINDS, 0)
    with noise.open("wb") as target:
        writer = Writer(target, compression=CompressionType.NONE)
        writer.start(profile="ros2")
        schemas, channels = {}, {}

        def add(schema, topic, data, stamp):
            if topic not in channels:
                schemas[schema.name] = schemas.get(schema.name) or writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[topic] = writer.register_channel(topic, "cdr", schemas[schema.name])
            writer.add_message(channels[topic], stamp, data, stamp)
            return len(data)

        stamp, written = 1_700_000_000_000_000_000, 0
        kinds, weights = list(KINDS), list(KINDS.values())
        while written < size:
            stamp += INTERVAL_NS
            schema, channel, data = images[draw.randrange(len(images))]
            data = data[:4] + (stamp // 10**9).to_bytes(4, "little") + (stamp % 10**9).to_bytes(4, "little") + data[12:]
            jpeg = data.index(b"\xff\xd8\xff")
            kind = draw.choices(kinds, weights)[0]
            topic = channel.topic
            if kind == "cut":
                data = data[: draw.randrange(jpeg, len(data))]
            elif kind == "noise as JPEG":
                data = data[: jpeg + 3] + draw.randbytes(len(data) - jpeg - 3)
            elif kind == "noise as message":
                data = draw.randbytes(draw.randrange(1, 400_000))
            elif kind == "another topic":
                topic, data = "/noise", draw.randbytes(OTHER_BYTES)
            counts[kind] += 1
            info = camera[2][:4] + data[4:12] + camera[2][12:] if topic == channel.topic and len(data) > 12 else camera[2]
            written += add(camera[0], camera[1].topic, info, stamp) + add(schema, topic, data, stamp)
        writer.finish()
    return counts, images[0][1].topic


if __name__ == "__main__":
    sys.exit(main())
