"""Targets in a Spark table, solved where its partitions are: `mapInPandas` with a network sent to every executor.

Usage: spark-submit spark.py NETWORK.npz TARGETS.parquet OUT_FOLDER

TARGETS.parquet has a column id, a long, and a column b, an array of m doubles. Not run by this project's tests,
which have no Spark.
"""

import sys

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

import twolayer as tl

SCHEMA = "id long, x array<double>, fun double, success boolean, status string"


def solver(network, total):
    """What a partition's frames go through. A network pickles, and so goes along."""

    def solve(frames):
        for frame in frames:
            # One thread, as Spark has a task for each core; total, so that the answers are those of one call with all.
            r = network.invert(np.stack(frame["b"]), threads=1, total=total, trace=False)
            answers = {"x": list(r.x), "fun": r.fun, "success": r.success, "status": r.status}
            yield pd.DataFrame({"id": frame["id"].to_numpy(), **answers})

    return solve


def main(network, targets, out):
    spark = SparkSession.builder.getOrCreate()
    rows = spark.read.parquet(targets).select("id", "b")
    net = tl.Network.load(network, dtype="float64")
    rows.mapInPandas(solver(net, rows.count()), SCHEMA).write.parquet(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
