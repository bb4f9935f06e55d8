"""Goldens of the metrics of a whole run, from NumPy and SciPy, by the textbook and without any code of ours.

Made with scipy 1.17.1 and numpy 2.4.6 (python tests/goldens/run_metrics.py > tests/goldens/run_metrics.json).

* Identity: per image the Hungarian method of SciPy; IDF1 from the augmented cost matrix of Ristani et al. 2016 (false
  positives and false negatives against "nobody"), not from the count of common images that our code maximises.
* Acceleration and jitter: derivatives of the interpolating polynomial (numpy.polyfit through 3 and 4 points), not
  divided differences.
* Calibration: by numpy.digitize. Joint groups: by the numbers of MPI-INF-3DHP's own script.
* Bootstrap: 20000 resamples drawn by NumPy. Another random stream: tests/run_metrics_goldens.rs allows 6 % of the width
  of the interval, four standard errors of a 2.5 % quantile from 2000 draws. Everything else agrees to 1e-6 of its size:
  both are double precision, and a polynomial through times 33 ms apart loses digits when it is derived three times.
"""
import json

import numpy as np
from scipy.optimize import linear_sum_assignment

JOINTS = 17
MATCH_DISTANCE, DEPTH_WEIGHT = 0.5, 0.1


def cost(p, t):
    across = np.hypot((p[:, 0] / p[:, 2] - t[:, 0] / t[:, 2]) * t[:, 2], (p[:, 1] / p[:, 2] - t[:, 1] / t[:, 2]) * t[:, 2])
    return float(np.mean(across + DEPTH_WEIGHT * np.abs(p[:, 2] - t[:, 2])))


def derivative(times, points, order):
    """Norms of a derivative of the polynomial through `points` (order + 1, 17, 3)."""
    t = np.asarray(times) - times[0]
    coefficients = np.polyfit(t, points.reshape(len(t), -1), order)[0]
    return np.linalg.norm(coefficients.reshape(JOINTS, 3) * np.prod(np.arange(1, order + 1)), axis=1)


def idf1(images, names, tracks):
    """2 IDTP / (true + predicted) from the least-cost matching with dummies of Ristani et al."""
    fp = {r: sum(r in [x[0] for x in image["found"]] for image in images) for r in tracks}
    fn = {n: sum(n in [x[0] for x in image["truth"]] for image in images) for n in names}
    common = {(n, r): sum((n, r) in image["close"] for image in images) for n in names for r in tracks}
    n, m = len(names), len(tracks)
    matrix = np.full((n + m, n + m), 1e9)
    for i, name in enumerate(names):
        for j, track in enumerate(tracks):
            matrix[i, j] = fn[name] - common[name, track] + fp[track] - common[name, track]
        matrix[i, m + i] = fn[name]
    for j, track in enumerate(tracks):
        matrix[n + j, j] = fp[track]
    matrix[n:, m:] = 0
    rows, columns = linear_sum_assignment(matrix)
    faults = matrix[rows, columns].sum()
    total = sum(fp.values()) + sum(fn.values())
    return (total - faults) / total


def main():
    rng = np.random.default_rng(11)
    count = 26
    stamps_ns = [int(x) for x in np.cumsum(rng.integers(31_000_000, 36_000_000, count)) + 9_000_000_000]
    seconds = np.array(stamps_ns) * 1e-9
    names = ["ann", "bob", "cat"]
    body = rng.normal(0, 0.3, (3, JOINTS, 3))
    images, confidences = [], []
    truth, predicted = {}, {}
    for i in range(count):
        image = {"truth": [], "found": [], "confidence": []}
        for k, name in enumerate(names):
            if name == "cat" and not 4 <= i < 20:
                continue
            # ann and bob pass through each other; cat stands apart.
            center = [np.array([-1 + 0.08 * i, 0, 4.0]), np.array([1 - 0.08 * i, 0.1, 4.4]), np.array([3.0, 0, 5.0])][k]
            t = np.round(center + body[k] + rng.normal(0, 0.01, (JOINTS, 3)), 4)
            image["truth"].append((name, t))
            seen = rng.random() > 0.15
            if seen:
                p = np.round(t + rng.normal(0, 0.09, (JOINTS, 3)) + [0, 0, 0.05], 4)
                track = {"ann": 1 if i < 15 else 4, "bob": 2 if i < 9 or i > 20 else 1, "cat": 3}[name]
                if track in [x[0] for x in image["found"]]:
                    track = 5
                image["found"].append((track, p))
                image["confidence"].append(np.round(rng.random(JOINTS), 4))
        if i % 7 == 0:
            image["found"].append((6, np.round(np.array([-4, 0, 6.0]) + body[0], 4)))
            image["confidence"].append(np.round(rng.random(JOINTS), 4))
        images.append(image)

    last, lost, switches, fragments, matched = {}, {}, 0, 0, 0
    samples, errors14, said, hit, acceleration, position = [], [], [], [], [], []
    history = {}
    per_image = []
    for i, image in enumerate(images):
        costs = np.array([[cost(p, t) for _, p in image["found"]] for _, t in image["truth"]]).reshape(len(image["truth"]), -1)
        image["close"] = [(image["truth"][r][0], image["found"][c][0]) for r, c in zip(*np.where(costs <= MATCH_DISTANCE))]
        rows, columns = linear_sum_assignment(np.where(costs <= MATCH_DISTANCE, costs, 1e6)) if costs.size else ([], [])
        pairs = {r: c for r, c in zip(rows, columns) if costs[r, c] <= MATCH_DISTANCE}
        now, sums = {}, []
        for r, (name, t) in enumerate(image["truth"]):
            if r not in pairs:
                lost[name] = name in last
                continue
            matched += 1
            track, p = image["found"][pairs[r]]
            fragments += lost.get(name, False)
            switches += name in last and last[name] != track
            last[name], lost[name] = track, False
            difference = (p - p[0]) - (t - t[0])
            error = np.linalg.norm(difference, axis=1) * 1000
            sums.append(error)
            errors14.append(error)
            said.extend(image["confidence"][pairs[r]])
            hit.extend(np.linalg.norm(p - t, axis=1) < 0.15)
            position.extend(np.linalg.norm(p - t, axis=1) * 1000)
            before = history.get(name, [])
            chain = before if before and before[-1][2] == track else []
            now[name] = (chain + [(seconds[i], difference, track)])[-3:]
            if len(now[name]) == 3:
                times, points = [x[0] for x in now[name]], np.array([x[1] for x in now[name]])
                acceleration.extend(derivative(times, points, 2) * 1000)
        history = now
        per_image.append([len(sums) * JOINTS, float(np.sum(sums))])

    def jitter(of):
        norms = []
        for who in sorted({x[0] for image in images for x in image[of]}, key=str):
            where = {i: x[1] for i, image in enumerate(images) for x in image[of] if x[0] == who}
            for i in range(count - 3):
                if all(j in where for j in range(i, i + 4)):
                    norms.extend(derivative(seconds[i:i + 4], np.array([where[j] for j in range(i, i + 4)]), 3))
        return float(np.mean(norms))

    errors14 = np.array(errors14)
    h36m_of_mpi = {1: 10, 2: 8, 3: 14, 4: 15, 5: 16, 6: 11, 7: 12, 8: 13, 9: 1, 10: 2, 11: 3, 12: 4, 13: 5, 14: 6}
    mpi_groups = {"head": [1], "neck": [2], "shoulders": [3, 6], "elbows": [4, 7], "wrists": [5, 8], "hips": [9, 12],
                  "knees": [10, 13], "ankles": [11, 14]}
    thresholds = np.linspace(0, 150, 31)
    pck = lambda e: float((e < 150).mean())
    auc = lambda e: float(np.mean([(e < threshold).mean() for threshold in thresholds]))
    groups = {name: errors14[:, [h36m_of_mpi[j] for j in js]].ravel() for name, js in mpi_groups.items()}
    all14 = np.concatenate(list(groups.values()))

    said, hit = np.array(said), np.array(hit)
    bins = np.digitize(said, np.linspace(0, 1, 11)[1:-1])
    gaps = [(int((bins == b).sum()), float(said[bins == b].mean()), float(hit[bins == b].mean())) for b in range(10)]

    # Circular block bootstrap of a mean.
    series = np.round(np.sin(np.arange(300) / 9) + rng.normal(0, 1, 300), 4)
    weights = rng.integers(0, 4, 300)
    block, means = 15, []
    for _ in range(20000):
        at = ((rng.integers(0, 300, 20)[:, None] + np.arange(block)) % 300).ravel()
        means.append((series[at] * weights[at]).sum() / weights[at].sum())
    listed = lambda x: [[name, joints.tolist()] for name, joints in x]
    print(json.dumps({
        "stamps_ns": stamps_ns,
        "images": [{"truth": listed(i["truth"]), "found": listed(i["found"]), "confidence": [c.tolist() for c in i["confidence"]]} for i in images],
        "idf1": idf1(images, names, [1, 2, 3, 4, 5, 6]),
        "switches": int(switches), "fragmentations": int(fragments), "matched": matched,
        "precision": matched / sum(len(i["found"]) for i in images), "recall": matched / sum(len(i["truth"]) for i in images),
        "acceleration_error_mm_per_s2": float(np.mean(acceleration)),
        "jitter_m_per_s3": jitter("found"), "truth_jitter_m_per_s3": jitter("truth"),
        "position_error_mm": float(np.mean(position)),
        "pck_groups": {name: [pck(e), auc(e)] for name, e in groups.items()}, "pck_14": [pck(all14), auc(all14)],
        "reliability": gaps,
        "expected_calibration_error": float(sum(n * abs(c - h) for n, c, h in gaps) / len(said)),
        "per_image": per_image,
        "bootstrap": {"series": series.tolist(), "weights": weights.tolist(), "block": block,
                      "interval": [float(np.quantile(means, q)) for q in (0.025, 0.975)]},
    }))


main()
