"""SciPy's L-BFGS on the targets of a problem file, one after the other.

Usage: detector.py PROBLEM.npz squared|kl mean|zero
Prints one JSON object like `twolayer invert --report json`.
"""

import json
import sys
import time

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

path, loss, start = sys.argv[1:]
with np.load(path) as problem:
    A1, A2, c1, c2, targets, x0 = (
        problem[name].astype(np.float64) for name in ("A1", "A2", "c1", "c2", "b", "x0")
    )
if start == "zero":
    x0 = np.zeros_like(x0)


def objective(x, b):
    h = A1 @ x + c1
    log_f = log_softmax(A2 @ np.maximum(h, 0) + c2)
    f = np.exp(log_f)
    if loss == "squared":
        r = f - b
        value, u = r @ r, 2 * f * (r - f @ r)
    else:
        value, u = b[b > 0] @ (np.log(b[b > 0]) - log_f[b > 0]), f * b.sum() - b
    return value, A1.T @ ((h > 0) * (A2.T @ u))


report = []
for b in targets:
    clock = time.perf_counter()
    # Tolerances at zero: it stops where it makes no more progress.
    options = dict(maxiter=20000, maxfun=20000, ftol=0, gtol=0, maxcor=20)
    result = minimize(objective, x0, args=(b,), jac=True, method="L-BFGS-B", options=options)
    seconds = time.perf_counter() - clock
    report.append(
        dict(
            loss=max(float(result.fun), 0.0),
            iterations=int(result.nfev),
            converged=bool(result.success),
            solve_seconds=seconds,
        )
    )
json.dump({"targets": report}, sys.stdout)
