"""Checks the peers' derivatives against central differences.

Usage: python3 -m unittest discover xtask/peers
"""

import unittest
from types import SimpleNamespace

import numpy as np
from scipy.special import softmax

from least_squares import LogRatios
from network import Squared

D, N, M = 5, 11, 7
# The error of a central difference with this step is about its square.
STEP = np.finfo(float).eps ** (1 / 3)


def network(random):
    return SimpleNamespace(
        A1=random.standard_normal((N, D)),
        A2=np.asfortranarray(random.standard_normal((M, N))),
        c1=random.standard_normal(N),
        c2=random.standard_normal(M),
    )


def differences(function, x):
    """A row for each component of x."""
    steps = STEP * np.eye(len(x))
    return np.array([(function(x + e) - function(x - e)) / (2 * STEP) for e in steps])


class Derivatives(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(3)
        self.network, self.x = network(random), random.standard_normal(D)
        self.b, self.v = random.dirichlet(np.ones(M)), random.standard_normal(D)
        distance = np.abs(self.network.A1 @ self.x + self.network.c1).min()
        self.assertGreater(distance, 10 * STEP, "a kink lies too near for differences")

    def near(self, found, expected):
        # A thousand, for third derivatives over the values.
        tolerance = 1e3 * STEP**2 * max(1, np.abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)

    def squared(self):
        return [(weight, Squared(self.network, self.b, weight)) for weight in (0.0, 0.3, 1.5)]

    def test_the_value_is_by_definition(self):
        A1, A2, c1, c2 = (getattr(self.network, name) for name in ("A1", "A2", "c1", "c2"))
        y = A2 @ np.maximum(A1 @ self.x + c1, 0)
        for weight, loss in self.squared():
            expected = np.sum((softmax(y + c2) - self.b) ** 2) + 0.5 * np.sum((weight * y) ** 2)
            self.assertAlmostEqual(loss.value(self.x) / expected, 1, places=13)
            self.assertAlmostEqual(loss.value_and_gradient(self.x)[0] / expected, 1, places=13)
            residual = loss.residual(self.x)
            self.assertAlmostEqual(residual @ residual / expected, 1, places=13)

    def test_gradients(self):
        for _, loss in self.squared():
            expected = differences(loss.value, self.x)
            self.near(loss.value_and_gradient(self.x)[1], expected)
            self.near(loss.gradient_and_hessian(self.x)[0], expected)

    def test_hessians(self):
        for _, loss in self.squared():
            expected = differences(lambda x: loss.value_and_gradient(x)[1], self.x)
            self.near(loss.gradient_and_hessian(self.x)[1], expected)
            self.near(loss.hessian_product(self.x, self.v), expected @ self.v)

    def test_jacobians(self):
        for _, loss in self.squared():
            self.near(loss.jacobian(self.x).T, differences(loss.residual, self.x))

    def test_log_ratios(self):
        ratios = LogRatios(Squared(self.network, self.b))
        loss, t, on = ratios.at(self.x)
        self.assertEqual(loss, ratios.objective.value(self.x))
        self.near(ratios.jacobian(on).T, differences(lambda x: ratios.at(x)[1], self.x))


if __name__ == "__main__":
    unittest.main()
