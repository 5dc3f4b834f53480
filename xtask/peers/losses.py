"""The squared losses at the points of a result file, computed by NumPy alone.

Usage: losses.py PROBLEM.npz RESULT.npz
Prints a JSON list: for each problem the loss at x0 and the loss at the result's x.
"""

import json
import sys

import numpy as np

from network import Network, Squared

network = Network(sys.argv[1])
with np.load(sys.argv[2]) as result:
    points = result["x"].astype(np.float64)
losses = []
for (b, x0), x in zip(network.problems(), points, strict=True):
    loss = Squared(network, b)
    losses.append(dict(at_start=float(loss.value(x0)), at_result=float(loss.value(x))))
json.dump(losses, sys.stdout)
