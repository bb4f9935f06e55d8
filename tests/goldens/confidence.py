"""Golden for src/stages/refine/covariance.rs: P(|e| < 0.15 m), e ~ N(0, S), by Monte Carlo.

Written with numpy 2.x (any version gives the same to the stated tolerance), 4e6 draws per case, so the standard
error of each probability is below 0.0003. Tolerance of the test: 0.006, the error of its quadrature.
After the chosen shapes come random ones, so that the tolerance is not made for the choice.
Run: python tests/goldens/confidence.py > tests/goldens/confidence.json
"""

import json

import numpy as np

generator = np.random.default_rng(1)
cases = []
shapes = [
    (0.05, 0.05, 0.05), (0.02, 0.02, 0.2), (0.03, 0.05, 0.1), (0.1, 0.1, 0.1), (0.02, 0.02, 0.02),
    (0.2, 0.2, 0.2), (0.01, 0.01, 0.4), (0.3, 0.05, 0.05), (0.08, 0.15, 0.08), (0.06, 0.06, 0.12),
    (1.0, 1.0, 1.0), (0.02, 0.03, 0.9), (0.12, 0.14, 0.7),
]
shapes += [tuple(np.exp(generator.uniform(np.log(0.01), np.log(1.0), 3))) for _ in range(20)]
for sigmas in shapes:
    rotation, _ = np.linalg.qr(generator.standard_normal((3, 3)))
    covariance = rotation @ np.diag(np.square(sigmas)) @ rotation.T
    errors = (generator.standard_normal((4_000_000, 3)) * sigmas) @ rotation.T
    probability = float((np.square(errors).sum(axis=1) < 0.15**2).mean())
    cases.append({"covariance": covariance.flatten().tolist(), "probability": round(probability, 5)})
print(json.dumps({"numpy": np.__version__, "cases": cases}, indent=1))
