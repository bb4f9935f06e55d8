"""Goldens of the metrics of a whole run, from NumPy and SciPy, by the textbook and without any code of ours.

Made with scipy 1.17.1 and numpy 2.4.6 (python tests/goldens/run_metrics.py > tests/goldens/run_metrics.json).

* Identity: per image the Hungarian method of SciPy; IDF1 from the augmented cost matrix of Ristani et al. 2016 (false
  positives and false negatives against "nobody"), not from the count of common images that our code maximises.
* Acceleration and jitter: derivatives of the interpolating polynomial (numpy.polyfit through 3 and 4 points), not
  divided differences.
* Calibration: by numpy.digitize. Joint groups: by the numbers of MPI-INF-3DHP's own script.
* Parts (`parts`: five people from 1.5 to 12 m away, joints of every state, two actions): bands by numpy.digitize and
  numpy.searchsorted, PA-MPJPE by scipy.spatial.transform.Rotation.align_vectors, which knows no reflections. The share of
  hidden joints counts what the *result* does not call measured, of the joints that it measures anywhere.
* MOTA, IDP and IDR: from the counts of the matching of Ristani et al. and of the image-wise one.
* Paired differences: two results over the same truth, where both have the joint, B minus A.
* Bootstrap: 20000 resamples drawn by NumPy. Another random stream: tests/run_metrics_goldens.rs allows 6 % of the width
  of the interval, four standard errors of a 2.5 % quantile from 2000 draws. Everything else agrees to 1e-6 of its size:
  both are double precision, and a polynomial through times 33 ms apart loses digits when it is derived three times.
"""
import json

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

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


def identification(images, names, tracks):
    """IDF1 = 2 IDTP / (true + predicted), IDP and IDR from the least-cost matching with dummies of Ristani et al."""
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
    id_true_positives = (total - faults) / 2
    return {"idf1": 2 * id_true_positives / total, "idp": id_true_positives / sum(fp.values()),
            "idr": id_true_positives / sum(fn.values())}


def interval(counts, sums, block, rng):
    """95 % of the means of 20000 recordings that are drawn in circular blocks, the last one cut to the length."""
    n = len(counts)
    starts = rng.integers(0, n, (20000, -(-n // block)))
    at = ((starts[:, :, None] + np.arange(block)) % n).reshape(20000, -1)[:, :n]
    means = np.asarray(sums)[at].sum(1) / np.asarray(counts)[at].sum(1)
    return [float(q) for q in np.quantile(means, [0.025, 0.975])]


def pa_errors(p, t):
    a, b = p - p.mean(0), t - t.mean(0)
    rotation, _ = Rotation.align_vectors(b, a)
    turned = rotation.apply(a)
    return np.linalg.norm(turned * (np.sum(turned * b) / np.sum(a * a)) - b, axis=1) * 1000


def parts():
    """A run of five people at five distances, its parts, and a second run of the same people to be compared with it."""
    rng = np.random.default_rng(23)
    names, count, spine = ["p1", "p2", "p3", "p4", "p5"], 40, 7
    depths, hidden = [1.5, 3.0, 5.0, 7.5, 11.0], [0.0, 0.15, 0.3, 0.6, 0.9]
    stamps_ns = [int(x) for x in np.cumsum(rng.integers(31_000_000, 36_000_000, count)) + 5_000_000_000]
    body = rng.normal(0, 0.25, (5, JOINTS, 3))
    body[:, 0] = 0
    images, runs = [], {"a": [], "b": []}
    for i in range(count):
        truth = []
        for k, name in enumerate(names):
            # p1 walks across 2 m, p3 across 6 m.
            depth = depths[k] + 0.03 * i * (k in (0, 2))
            center = np.array([1.6 * (k - 2) * depth / 5, 0.1, depth])
            truth.append((name, "sit" if i < 12 + 3 * k else "walk", np.round(center + body[k] + rng.normal(0, 0.01, (JOINTS, 3)), 3)))
        images.append(truth)
        for run, noise, missing in [("a", 0.05, 0.1), ("b", 0.06, 0.2)]:
            found = []
            for k, (_, _, t) in enumerate(truth):
                if rng.random() < missing:
                    continue
                state = np.where(rng.random(JOINTS) < hidden[k], rng.integers(1, 3, JOINTS), 3)
                # The spine is never measured; now and then a joint has no position at all.
                state[spine] = 2
                state[6] = 0 if rng.random() < 0.2 else state[6]
                if k == 1 and i < 8:
                    state[:] = 3
                    state[[1, 2, 3, 4]] = 2  # 4 of 16: exactly 25 %
                    state[spine] = 2
                p = np.round(t + rng.normal(0, noise * (1 + 0.3 * k), (JOINTS, 3)) + [0, 0, 0.1], 3)
                found.append((k + 1, p, state))
            runs[run].append(found)

    def samples(run):
        out = []
        for i, (truth, found) in enumerate(zip(images, runs[run])):
            def price(t, p, state):
                has = state > 0
                return cost(p[has], t[has])
            costs = np.array([[price(t, p, state) for _, p, state in found] for _, _, t in truth]).reshape(len(truth), -1)
            for r, c in zip(*linear_sum_assignment(np.where(costs <= MATCH_DISTANCE, costs, 1e6))):
                if costs[r, c] > MATCH_DISTANCE:
                    continue
                name, action, t = truth[r]
                _, p, state = found[c]
                has = state > 0
                difference = (p - p[0]) - (t - t[0])
                a, b = (p - p[0])[has], (t - t[0])[has]
                pa, n = np.full(JOINTS, np.nan), np.full(JOINTS, np.nan)
                pa[has] = pa_errors(p[has], t[has])
                n[has] = np.linalg.norm(a * (np.sum(a * b) / np.sum(a * a)) - b, axis=1) * 1000
                out.append({"image": i, "person": name, "action": action, "state": state, "has": has,
                            "mpjpe": np.where(has, np.linalg.norm(difference, axis=1) * 1000, np.nan), "pa": pa, "n": n,
                            "position": np.where(has, np.linalg.norm(p - t, axis=1) * 1000, np.nan),
                            "root": float(np.linalg.norm(p[0] - t[0]) * 1000), "distance": float(np.linalg.norm(t[0]))})
        return out

    def numbers(group):
        errors = np.concatenate([s["mpjpe"][s["has"]] for s in group])
        mean = lambda key: float(np.mean(np.concatenate([s[key][s["has"]] for s in group])))
        return {"people": len(group), "joints": len(errors), "mpjpe_mm": mean("mpjpe"), "pa_mpjpe_mm": mean("pa"),
                "n_mpjpe_mm": mean("n"), "position_error_mm": mean("position"), "pck_150mm": float((errors < 150).mean()),
                "auc": float(np.mean([(errors < x).mean() for x in np.linspace(0, 150, 31)])),
                "root_mm": float(np.mean([s["root"] for s in group]))}

    def grouped(name_of):
        groups = {}
        for s in first:
            groups.setdefault(name_of(s), []).append(s)
        return {name: numbers(group) for name, group in groups.items()}

    first, second = samples("a"), samples("b")
    measured = np.zeros(JOINTS, bool)
    for found in runs["a"]:
        for _, _, state in found:
            measured |= state == 3
    assert measured.sum() == JOINTS - 1
    share = lambda s: float(np.mean(s["state"][measured] != 3))
    distances, shares = ["0-2m", "2-4m", "4-6m", "6-10m", "10m-"], ["0%", "0-25%", "25-50%", "50-75%", "75-100%"]
    by_action = grouped(lambda s: s["action"])
    length = float(np.sort(np.diff(stamps_ns))[(count - 1) // 2] * 1e-9)

    def over_images(values):
        """Values (image, sum, count) as one entry an image, from the first to the last that has any, and the block."""
        start, end = min(v[0] for v in values), max(v[0] for v in values)
        sums, counts = np.zeros(end - start + 1), np.zeros(end - start + 1)
        for i, total, n in values:
            sums[i - start] += total
            counts[i - start] += n
        block = int(min(max(round(1 / length), 1), len(sums) // 4))
        return counts, sums, block

    chance = np.random.default_rng(29)
    alone = {key: interval(*over_images([(s["image"], s[key][s["has"]].sum(), s["has"].sum()) for s in first]), chance)
             for key in ["mpjpe", "pa", "n"]}
    alone["root"] = interval(*over_images([(s["image"], s["root"], 1) for s in first]), chance)
    in_second = {(s["image"], s["person"]): s for s in second}
    pairs = [(a, in_second[a["image"], a["person"]]) for a in first if (a["image"], a["person"]) in in_second]
    within = lambda errors: (errors < 150).astype(float)

    def paired(of):
        values = []
        for a, b in pairs:
            difference = of(b) - of(a)
            both = ~np.isnan(difference)
            values.append((a["image"], difference[both].sum(), int(both.sum())))
        total = sum(v[2] for v in values)
        return {"pairs": total, "mean": float(sum(v[1] for v in values) / total), "interval": interval(*over_images(values), chance)}

    differences = {"mpjpe_mm": paired(lambda s: s["mpjpe"]), "pa_mpjpe_mm": paired(lambda s: s["pa"]),
                   "position_error_mm": paired(lambda s: s["position"]), "root_mm": paired(lambda s: np.array([s["root"]])),
                   "pck_150mm": paired(lambda s: np.where(s["has"], within(s["mpjpe"]), np.nan)),
                   "per_joint.l_wrist.mpjpe_mm": paired(lambda s: s["mpjpe"][13:14])}
    listed = lambda found: [[track, [point if has else None for point, has in zip(p.tolist(), state > 0)], state.tolist()]
                            for track, p, state in found]
    return {
        "stamps_ns": stamps_ns,
        "truth": [[[name, action, t.tolist()] for name, action, t in truth] for truth in images],
        "a": [listed(found) for found in runs["a"]], "b": [listed(found) for found in runs["b"]],
        "per_person": grouped(lambda s: s["person"]), "per_action": by_action,
        "mean_of_actions": {key: float(np.mean([group[key] for group in by_action.values()]))
                            for key in ["mpjpe_mm", "pa_mpjpe_mm", "n_mpjpe_mm", "position_error_mm", "pck_150mm", "auc", "root_mm"]},
        "by_distance": grouped(lambda s: distances[np.digitize(s["distance"], [2, 4, 6, 10])]),
        "by_hidden_share": grouped(lambda s: shares[np.searchsorted([0, 0.25, 0.5, 0.75, 1], share(s))]),
        "intervals": alone, "paired": differences,
    }


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
    for i, image in enumerate(images):
        costs = np.array([[cost(p, t) for _, p in image["found"]] for _, t in image["truth"]]).reshape(len(image["truth"]), -1)
        image["close"] = [(image["truth"][r][0], image["found"][c][0]) for r, c in zip(*np.where(costs <= MATCH_DISTANCE))]
        rows, columns = linear_sum_assignment(np.where(costs <= MATCH_DISTANCE, costs, 1e6)) if costs.size else ([], [])
        pairs = {r: c for r, c in zip(rows, columns) if costs[r, c] <= MATCH_DISTANCE}
        now = {}
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
    true_people, found_people = sum(len(i["truth"]) for i in images), sum(len(i["found"]) for i in images)
    listed = lambda x: [[name, joints.tolist()] for name, joints in x]
    print(json.dumps({
        "stamps_ns": stamps_ns,
        "images": [{"truth": listed(i["truth"]), "found": listed(i["found"]), "confidence": [c.tolist() for c in i["confidence"]]} for i in images],
        **identification(images, names, [1, 2, 3, 4, 5, 6]),
        "mota": 1 - (true_people - matched + found_people - matched + int(switches)) / true_people,
        "switches": int(switches), "fragmentations": int(fragments), "matched": matched,
        "precision": matched / found_people, "recall": matched / true_people,
        "acceleration_error_mm_per_s2": float(np.mean(acceleration)),
        "jitter_m_per_s3": jitter("found"), "truth_jitter_m_per_s3": jitter("truth"),
        "position_error_mm": float(np.mean(position)),
        "pck_groups": {name: [pck(e), auc(e)] for name, e in groups.items()}, "pck_14": [pck(all14), auc(all14)],
        "reliability": gaps,
        "expected_calibration_error": float(sum(n * abs(c - h) for n, c, h in gaps) / len(said)),
        "parts": parts(),
        "bootstrap": {"series": series.tolist(), "weights": weights.tolist(), "block": block,
                      "interval": [float(np.quantile(means, q)) for q in (0.025, 0.975)]},
    }))


main()
