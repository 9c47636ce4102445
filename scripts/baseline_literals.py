#!/usr/bin/env python3
"""Log densities by scikit-learn that the tests of dgm-models' fits hold theirs against. Needs numpy and scikit-learn.

    baseline_literals.py > crates/dgm-models/src/baseline/literals.json
"""
import json

import numpy as np
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity


def rows(n, start):
    """Two bent clusters of three numbers, the same as in the tests."""
    i = np.arange(start, start + n, dtype=float)[:, None]
    j = np.arange(3, dtype=float)[None]
    x = np.sin(i * 1.3 + j * 2.1) + 0.5 * np.cos(i * 0.7 * (j + 1.0)) + np.where(i % 3 == 0, 4.0, 0.0)
    return x.astype(np.float32).astype(float)


train, test = rows(60, 0), rows(8, 1000)
out = {}
for kernel, h in [("gaussian", 0.4), ("epanechnikov", 2.5)]:
    out[kernel] = KernelDensity(kernel=kernel, bandwidth=h, rtol=0, atol=0).fit(train).score_samples(test).tolist()
for covariance in ["full", "diag", "tied"]:
    mixture = GaussianMixture(2, covariance_type=covariance, reg_covar=1e-3, tol=1e-12, max_iter=5000, n_init=5, random_state=0)
    out[covariance] = mixture.fit(train).score_samples(test).tolist()
print(json.dumps(out, indent=1))
