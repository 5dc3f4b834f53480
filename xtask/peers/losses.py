"""The squared losses at the points of a result file, computed by NumPy alone.

Usage: losses.py PROBLEM.npz RESULT.npz [--start X0.npy] [--regularizer W]
Prints a JSON list: for each problem the loss at x0 and the loss at the result's x, the regulariser
included.
"""

import argparse
import json
import sys

import numpy as np

from network import Network, Squared

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("problem")
arguments.add_argument("result")
arguments.add_argument("--start", help="a file that overrides x0 of the problem")
arguments.add_argument("--regularizer", type=float, default=0.0)
arguments = arguments.parse_args()

network = Network(arguments.problem, arguments.start)
with np.load(arguments.result) as result:
    points = result["x"].astype(np.float64)
losses = []
for (b, x0), x in zip(network.problems(), points, strict=True):
    loss = Squared(network, b, arguments.regularizer)
    losses.append(dict(at_start=float(loss.value(x0)), at_result=float(loss.value(x))))
json.dump(losses, sys.stdout)
