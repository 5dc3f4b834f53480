"""What several tests need: networks, and their definition in NumPy."""

import os
from pathlib import Path

import numpy as np
import pytest

import twolayer as tl

REPOSITORY = Path(__file__).parents[3]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where everything that the tests need was installed, a skip is a failure."""
    report = yield
    if report.skipped and "TWOLAYER_GATE" in os.environ:
        report.outcome = "failed"
    return report


class Definition:
    """softmax(A2 relu(A1 x + c1) + c2) in NumPy's double precision, also at complex x near a real one."""

    def __init__(self, a1, c1, a2, c2):
        self.a1, self.c1, self.a2, self.c2 = (np.asarray(a, float) for a in (a1, c1, a2, c2))

    def products(self, x):
        """A2 relu(A1 x + c1)."""
        h = self.a1 @ x + self.c1
        return self.a2 @ np.where(h.real > 0, h, 0)

    def logits(self, x):
        return self.products(x) + self.c2

    def probabilities(self, x):
        z = self.logits(x)
        e = np.exp(z - z.real.max())
        return e / e.sum()

    def logit_error(self, x, roundoff):
        """A bound of the rounding error of a logit: a sum of d products in one of n."""
        d, n = self.a1.shape[1], self.a1.shape[0]
        hidden = np.abs(self.a1) @ np.abs(x) + np.abs(self.c1)
        size = np.abs(self.a2) @ hidden + np.abs(self.c2)
        return (d + n + 4) * roundoff * size.max()


def network(seed, d, n, m, dtype=np.float64):
    """A network with biases, and its definition."""
    rng = np.random.default_rng(seed)
    shapes = [(n, d), (n,), (m, n), (m,)]
    a1, c1, a2, c2 = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    a1, a2 = a1 / np.sqrt(d).astype(dtype), a2 / np.sqrt(n).astype(dtype)
    return tl.Network([a1, a2], biases=[c1, c2]), Definition(a1, c1, a2, c2)


@pytest.fixture
def small():
    return network(3, 6, 20, 12)


@pytest.fixture(scope="session")
def detector():
    """The language detector's arrays."""
    with np.load(REPOSITORY / "data" / "cld3.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def detector_network(detector):
    layers, biases = ([detector[name] for name in names] for names in (("A1", "A2"), ("c1", "c2")))
    return tl.Network(layers, biases=biases, dtype="float64")
