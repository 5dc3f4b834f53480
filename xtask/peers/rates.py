"""NumPy's and SciPy's rates on the kernels of `benches/kernels.rs`, matrices gathered beforehand.

Usage: rates.py
Prints a JSON object: what is installed, and seconds (medians of 10) by kernel and problem.
"""

import json
import statistics
import sys
import time

import numpy as np
from scipy.linalg import cho_factor, qr

from versions import versions

SHAPES = {"L": (256, 1024, 16384), "XL": (384, 1536, 30522)}


def seconds(kernel):
    kernel()
    times = []
    for _ in range(10):
        clock = time.perf_counter()
        kernel()
        times.append(time.perf_counter() - clock)
    return statistics.median(times)


rates = {}
random = np.random.default_rng(0)
for name, (d, n, m) in SHAPES.items():
    A1 = random.standard_normal((n // 2, d))
    A2 = np.asfortranarray(random.standard_normal((m, n // 2)))
    C = A2 @ A1
    gram = C.T @ C
    x, y, rows = random.standard_normal(n // 2), random.standard_normal(m), C[: 8 * d].copy()
    kernels = {
        "product": lambda: A2 @ A1,
        "gram": lambda: C.T @ C,
        "cholesky": lambda: cho_factor(gram, lower=True, check_finite=False),
        "A2 x": lambda: A2 @ x,
        "A2' y": lambda: A2.T @ y,
        "qr": lambda: qr(rows, mode="r", check_finite=False),
    }
    rates |= {f"{kernel} {name}": seconds(run) for kernel, run in kernels.items()}
json.dump({"versions": versions(), "seconds": rates}, sys.stdout)
