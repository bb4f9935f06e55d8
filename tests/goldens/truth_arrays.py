"""Goldens of truth arrays in the data sets' layouts, from NumPy and SciPy, by the data sets' own names and numbers of joints.

Made with numpy 2.4.6 and scipy 1.17.1 (python tests/goldens/truth_arrays.py, which writes truth_arrays.json and
truth_arrays.npz beside itself).

* `h36m`: [12, 17, 3] float32, mm, world: what VideoPose3D's order and a camera (R, t) make of it.
* `mpi_inf_3dhp`: [12, 2, 17, 3] float64, mm, camera, Fortran order: two people, some joints NaN, one person not always there.

What is expected is computed in the layout of the data set: the prediction is put in its order by the names of the joints, the
root is its pelvis (Human3.6M 0, MPI-INF-3DHP 14), and 3DPCK and AUC are over its numbers of joints (groups of
mpii_get_pck_auc_joint_groups.m). PA by scipy.linalg.orthogonal_procrustes over the joints that have truth.
Tolerance in tests/truth_goldens.rs: 1e-6 mm; both sides start from the same rounded arrays and are double precision.
"""
import json
import pathlib

import numpy as np
from scipy.linalg import orthogonal_procrustes

H36M = ["Hip", "RHip", "RKnee", "RFoot", "LHip", "LKnee", "LFoot", "Spine", "Thorax", "Neck/Nose", "Head", "LShoulder", "LElbow",
        "LWrist", "RShoulder", "RElbow", "RWrist"]
MPI = ["head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
       "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "head"]
SAME = {"Hip": "pelvis", "RHip": "right_hip", "RKnee": "right_knee", "RFoot": "right_ankle", "LHip": "left_hip",
        "LKnee": "left_knee", "LFoot": "left_ankle", "Spine": "spine", "Thorax": "neck", "Neck/Nose": "head", "Head": "head_top",
        "LShoulder": "left_shoulder", "LElbow": "left_elbow", "LWrist": "left_wrist", "RShoulder": "right_shoulder",
        "RElbow": "right_elbow", "RWrist": "right_wrist"}
# x to the left of the picture's right, y down, z away, m: a person seen from the front.
BODY = {"Hip": (0, 0, 0), "RHip": (-.13, 0, 0), "RKnee": (-.14, .44, -.02), "RFoot": (-.14, .87, .03), "LHip": (.13, 0, 0),
        "LKnee": (.15, .44, -.03), "LFoot": (.15, .87, .02), "Spine": (0, -.24, .01), "Thorax": (0, -.49, .02),
        "Neck/Nose": (0, -.58, -.05), "Head": (0, -.7, 0), "LShoulder": (.16, -.45, .02), "LElbow": (.3, -.2, .05),
        "LWrist": (.35, .04, -.05), "RShoulder": (-.16, -.45, .02), "RElbow": (-.3, -.2, .05), "RWrist": (-.34, .03, -.1)}
MPI_GROUPS = {"head": [0], "neck": [1], "shoulders": [2, 5], "elbows": [3, 6], "wrists": [4, 7], "hips": [8, 11], "knees": [9, 12],
              "ankles": [10, 13]}
IMAGES = 12


def similarity(source, target):
    a, b = source - source.mean(0), target - target.mean(0)
    rotation, _ = orthogonal_procrustes(a, b)
    assert np.linalg.det(rotation) > 0
    return a @ rotation * (np.sum((a @ rotation) * b) / np.sum(a * a)) + target.mean(0)


def errors(predicted, truth, root):
    """mm, of one person in one image, both in one layout, m; NaN where there is no truth."""
    has = ~np.isnan(truth[:, 0])
    p, t = predicted - predicted[root], truth - truth[root]
    full = lambda values: np.where(has, values, np.nan) * 1000
    scale = np.sum(p[has] * t[has]) / np.sum(p[has] ** 2)
    pa = np.full(len(p), np.nan)
    pa[has] = np.linalg.norm(similarity(predicted[has], truth[has]) - truth[has], axis=1) * 1000
    return {"mpjpe_mm": full(np.linalg.norm(p - t, axis=1)), "n_mpjpe_mm": full(np.linalg.norm(scale * p - t, axis=1)),
            "pa_mpjpe_mm": pa, "root": np.linalg.norm(predicted[root] - truth[root]) * 1000}


def summary(samples):
    mean = lambda key: float(np.nanmean(np.concatenate([s[key] for s in samples])))
    return {**{key: mean(key) for key in ["mpjpe_mm", "n_mpjpe_mm", "pa_mpjpe_mm"]},
            "root_mm": float(np.mean([s["root"] for s in samples])), "people": len(samples)}


def main():
    rng = np.random.default_rng(29)
    body = np.array([BODY[name] for name in H36M])
    to_mpi = [H36M.index(next(h for h, m in SAME.items() if m == name)) for name in MPI]
    walk = lambda x, z: np.array([body + [x + 0.02 * i, 0.1, z] + rng.normal(0, 0.01, body.shape) for i in range(IMAGES)])
    people = [walk(-0.6, 4.0), walk(1.0, 4.8)]
    predicted = [np.round(p + rng.normal(0, 0.035, p.shape) + rng.normal(0, 0.03, (IMAGES, 1, 3)), 5) for p in people]
    # Some joints far off: PCK below 1.
    for p in predicted:
        p[::3, [13, 16]] += [0.1, 0.12, -0.05]

    a = np.deg2rad(25)
    R = np.array([[np.cos(a), np.sin(a), 0], [0, 0, -1.0], [-np.sin(a), np.cos(a), 0]])
    assert abs(np.linalg.det(R) - 1) < 1e-12
    t = np.array([120.0, 900.0, 3100.0])
    h36m = ((people[0] * 1000 - t) @ R).astype(np.float32)
    h36m_in_camera = (h36m.astype(float) @ R.T + t) / 1000
    actions = ["Sitting"] * 5 + ["Walking"] * 7
    samples = [errors(predicted[0][i], h36m_in_camera[i], 0) for i in range(IMAGES)]
    of = lambda action: summary([s for s, name in zip(samples, actions) if name == action])
    h36m_expected = {**summary(samples), "per_action": {name: of(name) for name in ["Sitting", "Walking"]},
                     "per_joint_mpjpe_mm": np.mean([s["mpjpe_mm"] for s in samples], axis=0).tolist()}

    mpi = np.round(np.stack([p[:, to_mpi] for p in people], axis=1) * 1000, 3)
    mpi[2, 0, [4, 10]] = np.nan
    mpi[5, 1, [0, 16]] = np.nan
    mpi[7:9, 1] = np.nan
    samples = [errors(predicted[k][i][to_mpi], mpi[i, k] / 1000, MPI.index("pelvis")) for i in range(IMAGES) for k in range(2)
               if not np.isnan(mpi[i, k]).all()]
    stacked = np.stack([s["mpjpe_mm"] for s in samples])
    groups = {name: stacked[:, joints].ravel() for name, joints in MPI_GROUPS.items()}
    groups["all"] = np.concatenate(list(groups.values()))
    groups = {name: e[~np.isnan(e)] for name, e in groups.items()}
    thresholds = np.linspace(0, 150, 31)
    pck_auc = {name: {"joints": len(e), "pck_150mm": float((e < 150).mean()),
                      "auc": float(np.mean([(e < threshold).mean() for threshold in thresholds]))} for name, e in groups.items()}
    assert 0.8 < pck_auc["all"]["pck_150mm"] < 1

    here = pathlib.Path(__file__).with_suffix("")
    np.savez_compressed(here.with_suffix(".npz"), h36m=h36m, mpi_inf_3dhp=np.asfortranarray(mpi))
    with here.with_suffix(".json").open("w") as file:
        json.dump({
            "predicted": [p.tolist() for p in predicted],
            "camera": {"extrinsics": {"R": R.tolist(), "t": t.tolist()}},
            "h36m_file": {"layout": "h36m_17", "unit": "mm", "joints": h36m.astype(float).tolist(), 
                          "action": actions, "camera": {"extrinsics": {"R": R.tolist(), "t": t.tolist()}}},
            "h36m": h36m_expected,
            "mpi_inf_3dhp": {**summary(samples), "groups": pck_auc},
        }, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
