"""Golden for forward kinematics of BVH files: positions by bvhio 1.5.4, an independent implementation.

Joints have channels in different orders and offsets in every direction; the root's offset is zero, since readers
differ on whether its position channels replace or add to it. Tolerance of the test: 1e-4 of the file's unit, for
bvhio works in f32.

    python bvh_positions.py                 # writes bvh_positions.json
    python bvh_positions.py FILE FRAMES     # the same from a file of one's own, to check by hand
"""
import itertools
import json
import random
import sys
import tempfile

import bvhio


def synthetic():
    rng = random.Random(7)
    orders = list(itertools.permutations("XYZ"))
    parents = [-1, 0, 1, 2, 0, 4, 5, 4]
    children = {index: [c for c, p in enumerate(parents) if p == index] for index in range(len(parents))}
    columns = []

    def write(index, indent):
        pad = "\t" * indent
        order = orders[rng.randrange(6)]
        rotations = [axis + "rotation" for axis in order]
        offset = [0, 0, 0] if index == 0 else [round(rng.uniform(-20, 20), 3) for _ in range(3)]
        channels = (["Xposition", "Yposition", "Zposition"] if index == 0 else []) + rotations
        columns.extend(channels)
        lines = [f"{pad}{'ROOT' if index == 0 else 'JOINT'} joint{index}", pad + "{"]
        lines.append(f"{pad}\tOFFSET {offset[0]} {offset[1]} {offset[2]}")
        lines.append(f"{pad}\tCHANNELS {len(channels)} {' '.join(channels)}")
        for child in children[index]:
            lines += write(child, indent + 1)
        if not children[index]:
            lines += [pad + "\tEnd Site", pad + "\t{", pad + "\t\tOFFSET 1.5 -2.5 3.5", pad + "\t}"]
        return lines + [pad + "}"]

    lines = ["HIERARCHY"] + write(0, 0) + ["MOTION", "Frames: 5", "Frame Time: 0.02"]
    for _ in range(5):
        lines.append(" ".join(f"{rng.uniform(-50, 50) if 'pos' in c else rng.uniform(-180, 180):.4f}" for c in columns))
    return "\n".join(lines) + "\n"


def cut(text, frames):
    head, motion = text.split("MOTION")
    lines = motion.strip().splitlines()
    return head + "MOTION\n" + f"Frames: {frames}\n" + "\n".join(lines[1 : 2 + frames]) + "\n"


text = cut(open(sys.argv[1]).read(), int(sys.argv[2])) if len(sys.argv) > 1 else synthetic()
with tempfile.NamedTemporaryFile("w", suffix=".bvh", delete=False) as file:
    file.write(text)
root = bvhio.readAsHierarchy(file.name)
frames = int(text.split("Frames:")[1].split()[0])
positions = {joint.Name: [] for joint, _, _ in root.layout()}
for frame in range(frames):
    root.loadPose(frame)
    for joint, _, _ in root.layout():
        positions[joint.Name].append([round(float(value), 5) for value in joint.PositionWorld])
json.dump({"bvh": text, "positions": positions}, open("bvh_positions.json", "w"))
