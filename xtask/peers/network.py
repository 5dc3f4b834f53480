"""The squared loss of softmax(A2 relu(A1 x + c1) + c2) in NumPy, in double precision."""

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


class Squared:
    """‖f − b‖², its gradient 2 C̄ᵀ(f∘r), and its Hessian C̄ᵀ diag(β) C̄ inside a cell."""

    def __init__(self, network, b):
        self.network, self.b = network, b
        self.jacobian_at, self.columns_at = None, None

    def forward(self, x):
        network = self.network
        h = network.A1 @ x + network.c1
        f = softmax(network.A2 @ np.maximum(h, 0) + network.c2)
        return h > 0, f, f - self.b

    def value(self, x):
        r = self.forward(x)[2]
        return r @ r

    def value_and_gradient(self, x):
        network = self.network
        on, f, r = self.forward(x)
        u = 2 * f * (r - f @ r)
        return r @ r, network.A1.T @ (on * (network.A2.T @ u))

    def row_weights(self, f, r):
        """β."""
        return 2 * f * (2 * f - self.b - f @ r)

    def gradient_and_hessian(self, x):
        """From C̄ as a matrix."""
        network = self.network
        on, f, r = self.forward(x)
        C = network.A2[:, on] @ network.A1[on]
        C -= f @ C
        gradient = C.T @ (2 * f * r)
        return gradient, C.T @ (self.row_weights(f, r)[:, None] * C)

    def hessian_product(self, x, v):
        """Without C: two passes over the active columns of A2, which are gathered once for each x."""
        network = self.network
        if self.columns_at is None or not np.array_equal(self.columns_at[0], x):
            on, f, r = self.forward(x)
            columns = network.A2[:, on], network.A1[on]
            self.columns_at = x.copy(), *columns, f, self.row_weights(f, r)
        _, A2, A1, f, weights = self.columns_at
        Cv = A2 @ (A1 @ v)
        u = weights * (Cv - f @ Cv)
        u -= f * u.sum()
        return A1.T @ (A2.T @ u)
