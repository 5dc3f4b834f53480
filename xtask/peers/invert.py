"""Runs a peer on every problem of a problem file, one after the other.

Usage: invert.py PROBLEM.npz METHOD --seconds S[,S…] [--stop-at RATIO] [--start X0.npy]
                 [--regularizer W]
Prints one JSON object: what is installed, and for each problem the loss at the start and every new
lowest loss with its time. The loss includes the regulariser. Loading and converting the file is not
timed.
"""

import argparse
import json
import sys

import numpy as np

import least_squares
import methods
import softplus
from methods import Over, Watched
from network import Network, Squared
from versions import versions

METHODS = methods.METHODS | softplus.METHODS | least_squares.METHODS

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("problem")
arguments.add_argument("method", choices=[*METHODS, "optimistix-lm"])
arguments.add_argument("--seconds", required=True, help="limits, one for each problem or for all")
arguments.add_argument("--stop-at", type=float, default=0.0, help="stop at this loss over L(x0)")
arguments.add_argument("--start", help="a file that overrides x0 of the problem")
arguments.add_argument("--regularizer", type=float, default=0.0, help="w of ½w²‖A2 φ(A1 x + c1)‖²")
arguments = arguments.parse_args()

if arguments.method == "optimistix-lm":
    from optimistix_lm import levenberg_marquardt as method
    from optimistix_lm import versions
else:
    method = METHODS[arguments.method]

network = Network(arguments.problem, arguments.start)
problems = network.problems()
limits = [float(seconds) for seconds in arguments.seconds.split(",")]
limits = limits * len(problems) if len(limits) == 1 else limits
if len(limits) != len(problems):
    sys.exit(f"--seconds has {len(limits)} limits for {len(problems)} problems")

runs = []
for (b, x0), seconds in zip(problems, limits):
    objective = Squared(network, b, arguments.regularizer)
    watched = Watched(objective, x0, seconds, arguments.stop_at)
    try:
        ended = method(watched, x0)
    except Over as reason:
        ended = str(reason)
    runs.append(
        dict(
            start_loss=watched.start_loss,
            lowest=watched.lowest,
            seconds=watched.elapsed(),
            evaluations=watched.evaluations,
            hessians=watched.hessians,
            ended=ended,
            history=watched.history,
        )
    )
json.dump({"versions": versions(), "runs": runs}, sys.stdout)
