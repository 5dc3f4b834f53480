"""Makes the files of this folder from the detector's figures.

    python make_fixture.py SOURCE.npz

SOURCE holds A1, c1, A2, c2 (f32), x_true (45, 80) and b (45, 109) (f64); README.md says where the
figures are from. Needs NumPy only.
"""

import sys
from pathlib import Path

import numpy as np

SEED = 20240229


def softmax_outputs(arrays, x):
    """The network's output at the rows of x, in double precision."""
    a1, c1, a2, c2 = (arrays[name].astype(np.float64) for name in ("A1", "c1", "A2", "c2"))
    z = np.maximum(x @ a1.T + c1, 0.0) @ a2.T + c2
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def blends(x):
    """As many averages of two different rows of x as x has rows, no pair twice."""
    rng = np.random.default_rng(SEED)
    pairs = [(i, j) for i in range(len(x)) for j in range(i)]
    chosen = rng.choice(len(pairs), size=len(x), replace=False)
    first, second = np.array([pairs[k] for k in chosen]).T
    return (x[first] + x[second]) / 2


def main(source):
    folder = Path(__file__).parent
    arrays = dict(np.load(source))
    x_true = arrays["x_true"]
    network = {name: arrays[name] for name in ("A1", "c1", "A2", "c2")}
    x0 = x_true.mean(axis=0)
    np.savez_compressed(folder / "cld3.npz", **network, b=arrays["b"], x0=x0)
    np.save(folder / "cld3_inputs.npy", x_true)
    other = softmax_outputs(network, blends(x_true))
    np.savez_compressed(folder / "cld3_other.npz", **network, b=other, x0=x0)


if __name__ == "__main__":
    main(sys.argv[1])
