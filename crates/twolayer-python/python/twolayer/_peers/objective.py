"""The loss of a network in NumPy, with its derivatives by the chain rule: what a SciPy user would write."""

from typing import Any

import numpy as np

from .._network import Network
from .activations import Vector, activation


class Forward:
    """What a network computes at x: φ' and φ'' of every hidden layer, f and log f."""

    def __init__(self, network: "NumpyNetwork", x: Vector) -> None:
        self.x = x
        self.slopes = list[Vector]()
        self.bends = list[Vector]()
        a = x
        for matrix, bias, phi in zip(network.layers, network.biases, network.hidden, strict=False):
            a, slope, bend = phi(matrix @ a + bias)
            self.slopes.append(slope)
            self.bends.append(bend)
        z = network.layers[-1] @ a + network.biases[-1]
        z -= z.max()
        exponentials = np.exp(z)
        total = exponentials.sum()
        self.f = exponentials / total
        self.log_f = z - np.log(total)


class NumpyNetwork:
    """The layers as NumPy's arrays of double precision."""

    def __init__(self, network: Network) -> None:
        self.layers = [matrix.astype(np.float64) for matrix in network.layers]
        self.biases = [bias.astype(np.float64) for bias in network.biases]
        self.hidden = [activation(name) for name in network.activations]


class NumpyObjective:
    """‖f − b‖² or Σ b log(b/f) of one target b. What was computed at the last x is kept."""

    def __init__(self, network: NumpyNetwork, b: Vector, loss: str) -> None:
        self.network = network
        self.b = b
        self.is_squared = loss == "squared"
        self._entropy = float(b[b > 0] @ np.log(b[b > 0]))
        self._kept: Forward | None = None

    def at(self, x: Vector) -> Forward:
        """The network at x, computed once for one x."""
        if self._kept is None or not np.array_equal(self._kept.x, x):
            self._kept = Forward(self.network, x.copy())
        return self._kept

    def fun_and_jac(self, x: Vector) -> tuple[float, Vector]:
        """The loss and its gradient (d,)."""
        at = self.at(x)
        if self.is_squared:
            r = at.f - self.b
            value = float(r @ r)
        else:
            value = self._entropy - float(self.b[self.b > 0] @ at.log_f[self.b > 0])
        return value, self._backward(at)[0]

    def hessp(self, x: Vector, p: Vector) -> Vector:
        """The Hessian times p (d,): the derivative of the gradient's own computation along p."""
        at, layers = self.at(x), self.network.layers
        moved, moved_h = p, list[Vector]()
        for matrix, slope in zip(layers, at.slopes, strict=False):
            h = matrix @ moved
            moved_h.append(h)
            moved = slope * h
        dz = layers[-1] @ moved
        df = at.f * (dz - at.f @ dz)
        if self.is_squared:
            r = at.f - self.b
            du = 2 * (df * (r - at.f @ r) + at.f * (df - (df @ r + at.f @ df)))
        else:
            du = df * self.b.sum()
        g = layers[-1].T @ du
        _, behind = self._backward(at)
        for number in reversed(range(len(at.slopes))):
            bent = at.bends[number] * moved_h[number] * behind[number]
            g = layers[number].T @ (at.slopes[number] * g + bent)
        return np.asarray(g)

    def residual(self, x: Vector) -> Vector:
        """f − b (m,), of which the squared loss is the squared norm."""
        return np.asarray(self.at(x).f - self.b)

    def jacobian(self, x: Vector) -> Vector:
        """Of the residual, (m, d)."""
        at, layers = self.at(x), self.network.layers
        J: Any = layers[0]
        for matrix, slope in zip(layers[1:], at.slopes, strict=True):
            J = matrix @ (slope[:, None] * J)
        return np.asarray(at.f[:, None] * (J - at.f @ J))

    def _backward(self, at: Forward) -> tuple[Vector, list[Vector]]:
        """The gradient, and the derivative by what each hidden layer puts out."""
        if self.is_squared:
            r = at.f - self.b
            u = 2 * at.f * (r - at.f @ r)
        else:
            u = at.f * self.b.sum() - self.b
        layers = self.network.layers
        g, behind = layers[-1].T @ u, list[Vector]()
        for matrix, slope in zip(reversed(layers[:-1]), reversed(at.slopes), strict=True):
            behind.append(g)
            g = matrix.T @ (slope * g)
        return np.asarray(g), behind[::-1]
