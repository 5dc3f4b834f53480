"""What a call from Python costs beyond the solves: of one target, and of 512 beside the command.

Usage: python overhead.py [--command target/release/twolayer] [--calls 2000]

The network has 8 inputs, 32 ReLUs and 256 outcomes, the targets are outputs of it. Wants a release build of the package (as
`pip install` makes one) and a machine that does nothing else: the least of many calls is told beside the median.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import twolayer as tl

D, N, M, K = 8, 32, 256, 512


def network():
    rng = np.random.default_rng(0)
    shapes = [(N, D), (M, N)]
    layers = [rng.normal(size=shape) / np.sqrt(shape[1]) for shape in shapes]
    return tl.Network(layers, biases=[0.1 * rng.normal(size=shape[0]) for shape in shapes])


def timed(call):
    clock = time.perf_counter()
    result = call()
    return time.perf_counter() - clock, result


def one(net, calls):
    """Seconds of calls with one target, and of the solves in them."""
    targets = net.predict_proba(np.random.default_rng(1).normal(size=(calls, D)))
    both = [timed(lambda b=b: net.invert(b)) for b in targets]
    return np.array([(seconds, r.seconds) for seconds, r in both]).T


def by_command(command, net, targets):
    """Seconds that the command tells of its work with the targets."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        net.save(folder / "net.npz")
        np.save(folder / "b.npy", targets)
        call = [command, "invert", folder / "net.npz", "--targets", folder / "b.npy"]
        call += ["--out", folder / "out.npz", "--report", "json"]
        done = subprocess.run(call, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["wall_seconds"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--command", help="the command, to be timed too")
    arguments.add_argument("--calls", type=int, default=2000)
    arguments = arguments.parse_args()
    net = network()
    # What is made once is made.
    net.invert(np.full(M, 1 / M))
    whole, solves = one(net, arguments.calls)
    over = 1e6 * (whole - solves)
    print(f"one target, {arguments.calls} calls:")
    print(f"  a solve takes {1e6 * np.median(solves):.0f} µs (median)")
    print(f"  a call takes beyond it {over.min():.0f} µs (least), {np.median(over):.0f} µs (median)")

    targets = net.predict_proba(np.random.default_rng(2).normal(size=(K, D)))
    seconds = [timed(lambda: net.invert(targets, trace=False))[0] for _ in range(20)]
    print(f"{K} targets in one call: {K / min(seconds):.0f} a second (best of 20 calls)")
    if arguments.command:
        seconds = [by_command(arguments.command, net, targets) for _ in range(20)]
        print(f"{K} targets by the command: {K / min(seconds):.0f} a second by its own report (best of 20)")


if __name__ == "__main__":
    main()
