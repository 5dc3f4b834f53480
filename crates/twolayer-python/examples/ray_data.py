"""Targets in Ray Data, solved block by block: `map_batches` with a network on every worker.

Usage: python ray_data.py NETWORK.npz TARGETS.parquet OUT_FOLDER

TARGETS.parquet has a column b of lists of m numbers, and whatever else, which is kept. Not run by this project's
tests, which have no Ray.
"""

import sys

import numpy as np
import ray

import twolayer as tl


class Invert:
    """Is made once on every worker."""

    def __init__(self, network, total):
        self.network = network
        self.total = total

    def __call__(self, batch):
        # One thread, as Ray gives an actor one core; total, so that the answers are those of one call with all.
        targets = np.stack(batch["b"])
        r = self.network.invert(targets, threads=1, total=self.total, trace=False)
        return {**batch, "x": r.x, "fun": r.fun, "success": r.success, "status": r.status}


def main(network, targets, out):
    net = tl.Network.load(network)
    rows = ray.data.read_parquet(targets)
    cores = int(ray.cluster_resources()["CPU"])
    answers = rows.map_batches(
        Invert,
        fn_constructor_args=(net, rows.count()),
        batch_size=256,
        concurrency=(1, cores),
    )
    answers.write_parquet(out)


if __name__ == "__main__":
    ray.init()
    main(*sys.argv[1:])
