"""Goldens of the pose metrics, from SciPy and NumPy, by the textbook and without any code of ours.

Made with scipy 1.17.1 and numpy 2.4.6 (python tests/goldens/metrics.py > tests/goldens/metrics.json).

PA uses scipy.linalg.orthogonal_procrustes with the last singular direction turned where it gives a reflection, and
scipy.spatial.procrustes as a second witness where no reflection is involved (its disparity is asserted here).
Tolerance in tests/metrics_goldens.rs: 1e-6 mm; both are double precision, and a 3x3 decomposition of a nearly planar
pose loses a few digits.
"""
import json

import numpy as np
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes
from scipy.stats import chi2


def similarity(source, target):
    ms, mt = source.mean(0), target.mean(0)
    a, b = source - ms, target - mt
    rotation, _ = orthogonal_procrustes(a, b)
    reflected = np.linalg.det(rotation) < 0
    if reflected:
        u, _, vt = np.linalg.svd(a.T @ b)
        rotation = u @ np.diag([1, 1, -1]) @ vt
    scale = np.sum((a @ rotation) * b) / np.sum(a * a)
    aligned = a @ rotation * scale + mt
    if not reflected:
        _, _, disparity = procrustes(target, source)
        assert abs(disparity - np.sum((aligned - target) ** 2) / np.sum(b * b)) < 1e-12
    return aligned, bool(reflected)


def main():
    rng = np.random.default_rng(3)
    cases = []
    for kind in ["noise", "noise", "planar", "mirrored", "hidden", "no_pelvis", "collapsed_depth"]:
        truth = rng.normal(0, 0.35, (17, 3)) + [0.3, -0.2, 4.0]
        if kind == "planar":
            truth[:, 2] = 4.0 + 0.3 * truth[:, 0]
        predicted = truth + rng.normal(0, 0.08, (17, 3)) + rng.normal(0, 0.3, 3)
        if kind == "planar":
            predicted[:, 2] = 3.5 - 0.2 * predicted[:, 1]
        if kind == "mirrored":
            predicted[:, 0] *= -1
        if kind == "collapsed_depth":
            predicted[:, 2] = 3.7 + 0.05 * (predicted[:, 2] - 3.7)
        has_p, has_t = np.ones(17, bool), np.ones(17, bool)
        if kind == "hidden":
            has_p[[3, 10]], has_t[[5, 13]] = False, False
        if kind == "no_pelvis":
            has_t[[0, 7, 8, 9]] = False
        both = has_p & has_t
        root = (lambda x: x[0]) if both[0] else (lambda x: (x[1] + x[4]) / 2)
        p, t = predicted - root(predicted), truth - root(truth)
        mpjpe = np.linalg.norm(p - t, axis=1) * 1000
        scale = np.sum(p[both] * t[both]) / np.sum(p[both] ** 2)
        n_mpjpe = np.linalg.norm(scale * p - t, axis=1) * 1000
        aligned, reflected = similarity(predicted[both], truth[both])
        pa = np.full(17, np.nan)
        pa[both] = np.linalg.norm(aligned - truth[both], axis=1) * 1000
        errors = mpjpe[both]
        thresholds = np.linspace(0, 150, 31)

        def masked(values, has):
            return [value if ok else None for value, ok in zip(values.tolist(), has)]

        cases.append({
            "kind": kind,
            "reflected": reflected,
            "predicted": masked(predicted, has_p),
            "truth": masked(truth, has_t),
            "mpjpe_mm": masked(mpjpe, both),
            "n_mpjpe_mm": masked(n_mpjpe, both),
            "pa_mpjpe_mm": masked(pa, both),
            "root_mm": ((root(predicted) - root(truth)) * 1000).tolist(),
            "pck_150mm": float((errors < 150).mean()),
            "auc": float(np.mean([(errors < threshold).mean() for threshold in thresholds])),
        })
    # A sequence of one person: velocity error and coverage.
    count = 7
    stamps_ns = (np.cumsum(rng.integers(28_000_000, 38_000_000, count)) + 5_000_000_000).tolist()
    truth = rng.normal(0, 0.3, (17, 3)) + np.array([0, 0, 4.0]) + 0.05 * rng.normal(0, 1, (count, 17, 3)).cumsum(0)
    predicted = truth + rng.normal(0, 0.05, (count, 17, 3))
    factor = rng.normal(0, 0.05, (count, 17, 3, 3))
    covariance = factor @ factor.transpose(0, 1, 3, 2) + 0.0004 * np.eye(3)
    p, t = predicted - predicted[:, :1], truth - truth[:, :1]
    dt = np.diff(stamps_ns) * 1e-9
    velocity = np.linalg.norm(np.diff(p, axis=0) / dt[:, None, None] - np.diff(t, axis=0) / dt[:, None, None], axis=2) * 1000
    error = predicted - truth
    mahalanobis = np.einsum("nji,njik,njk->nj", error, np.linalg.inv(covariance), error)
    sequence = {
        "stamps_ns": stamps_ns, "predicted": predicted.tolist(), "truth": truth.tolist(),
        "covariance": covariance.tolist(),
        "mpjpe_mm": float(np.linalg.norm(p - t, axis=2).mean() * 1000),
        "mpjve_mm_per_s": float(velocity.mean()),
        "mpjve_mm": float(velocity.mean() * sorted(dt)[len(dt) // 2]),
        "per_joint_mpjve_mm_per_s": velocity.mean(0).tolist(),
        "root_mm": float(np.linalg.norm(error[:, 0], axis=1).mean() * 1000),
        "coverage": [float((mahalanobis <= chi2.ppf(q, 3)).mean()) for q in (0.5, 0.8, 0.9, 0.95)],
    }
    print(json.dumps({"poses": cases, "sequence": sequence}))


main()
