"""The squared loss of softmax(A2 relu(A1 x + c1) + c2) in NumPy, in double precision, and the
paper's regulariser."""

import numpy as np
from scipy.special import softmax


class Network:
    """A problem file's two layers. A2 is in Fortran order, so that its active columns are cheap."""

    def __init__(self, path, start=None):
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        double = lambda name: np.asarray(arrays[name], dtype=np.float64)
        self.A1 = np.ascontiguousarray(double("A1"))
        self.A2 = np.asfortranarray(double("A2"))
        n, m = self.A1.shape[0], self.A2.shape[0]
        self.c1 = double("c1") if "c1" in arrays else np.zeros(n)
        self.c2 = double("c2") if "c2" in arrays else np.zeros(m)
        self.targets = np.atleast_2d(double("b"))
        d = self.A1.shape[1]
        x0 = np.load(start) if start else arrays.get("x0", np.zeros(d))
        self.starts = np.atleast_2d(np.asarray(x0, dtype=np.float64))

    def problems(self):
        """(b, x0) of each problem: one b serves many starts, one start many b."""
        count = max(len(self.targets), len(self.starts))
        pick = lambda rows, k: rows[k if len(rows) > 1 else 0]
        return [(pick(self.targets, k), pick(self.starts, k)) for k in range(count)]


class Point:
    """What the network computes at x: the units that are on, y = A2 relu(A1 x + c1), f, and f − b."""

    def __init__(self, network, b, x):
        h = network.A1 @ x + network.c1
        self.on = h > 0
        self.y = network.A2 @ np.maximum(h, 0)
        self.z = self.y + network.c2
        self.f = softmax(self.z)
        self.r = self.f - b


class Squared:
    """‖f − b‖² + ½w²‖y‖², y = A2 relu(A1 x + c1). Inside a cell the gradient is
    C̄ᵀ(2f∘r) + w²Cᵀy and the Hessian C̄ᵀ diag(β) C̄ + w²CᵀC, with C = A2 D A1 for D the units that
    are on, and C̄ the rows of C less their mean under f, which is c."""

    def __init__(self, network, b, weight=0.0):
        self.network, self.b, self.square = network, b, weight**2
        self.columns_at = None

    def point(self, x):
        return Point(self.network, self.b, x)

    def value_of(self, point):
        value = point.r @ point.r
        return value + 0.5 * self.square * (point.y @ point.y) if self.square else value

    def value(self, x):
        return self.value_of(self.point(x))

    def value_and_gradient(self, x):
        network, at = self.network, self.point(x)
        u = 2 * at.f * (at.r - at.f @ at.r)
        if self.square:
            u += self.square * at.y
        return self.value_of(at), network.A1.T @ (at.on * (network.A2.T @ u))

    def row_weights(self, at):
        """β."""
        return 2 * at.f * (2 * at.f - self.b - at.f @ at.r)

    def centred(self, at):
        """C̄ and c."""
        network = self.network
        C = network.A2[:, at.on] @ network.A1[at.on]
        c = at.f @ C
        C -= c
        return C, c

    def gradient_and_hessian(self, x):
        """From C̄ as a matrix. C is C̄ + 1cᵀ, so that one product makes both parts of the Hessian."""
        at = self.point(x)
        C, c = self.centred(at)
        gradient = C.T @ (2 * at.f * at.r)
        hessian = C.T @ ((self.row_weights(at) + self.square)[:, None] * C)
        if self.square:
            gradient += self.square * (C.T @ at.y + at.y.sum() * c)
            cross = np.outer(C.sum(axis=0), c)
            hessian += self.square * (cross + cross.T + len(C) * np.outer(c, c))
        return gradient, hessian

    def hessian_product(self, x, v):
        """Without C: two passes over the active columns of A2, which are gathered once for each x."""
        network = self.network
        if self.columns_at is None or not np.array_equal(self.columns_at[0], x):
            at = self.point(x)
            columns = network.A2[:, at.on], network.A1[at.on]
            self.columns_at = x.copy(), *columns, at.f, self.row_weights(at)
        _, A2, A1, f, weights = self.columns_at
        Cv = A2 @ (A1 @ v)
        u = weights * (Cv - f @ Cv)
        u -= f * u.sum()
        if self.square:
            u += self.square * Cv
        return A1.T @ (A2.T @ u)

    def residual(self, x):
        """Of which the value is the squared norm: f − b, then (w/√2) y if there is a regulariser."""
        at = self.point(x)
        root = np.sqrt(0.5 * self.square)
        return np.concatenate([at.r, root * at.y]) if root else at.r

    def jacobian(self, x):
        """Of the residual: f∘C̄, then (w/√2) C."""
        at = self.point(x)
        C, c = self.centred(at)
        root = np.sqrt(0.5 * self.square)
        J = at.f[:, None] * C
        return np.concatenate([J, root * (C + c)]) if root else J
