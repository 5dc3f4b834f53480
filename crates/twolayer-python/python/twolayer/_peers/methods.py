"""SciPy's minimisers as a competent user would set them up, under a watch."""

import contextlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy.optimize

from .activations import Vector
from .objective import NumpyObjective


class Derivatives(Protocol):
    """A loss with its gradient and products with its Hessian."""

    def fun_and_jac(self, x: Vector, /) -> tuple[float, Vector]: ...
    def hessp(self, x: Vector, p: Vector, /) -> Vector: ...


class _Over(Exception):
    """The time is over."""


class Watch:
    """Keeps the time, the lowest loss, and when it came to a goal."""

    def __init__(self, seconds: float, goal: float) -> None:
        self.limit = seconds
        self.goal = goal
        self.lowest = np.inf
        self.seconds_to_goal: float | None = None
        self.clock = time.perf_counter()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.clock

    def seen(self, loss: float) -> None:
        """Keeps a new lowest loss."""
        self.check_time()
        if loss < self.lowest:
            self.lowest = loss
            if self.seconds_to_goal is None and loss <= self.goal:
                self.seconds_to_goal = self.elapsed()

    def check_time(self) -> None:
        """Ends a method that has had its time."""
        if self.elapsed() > self.limit:
            raise _Over


#: Of the loss at x0, which the minimisers see as 1.
Method = Callable[[Derivatives, NumpyObjective, Vector, float, Watch], None]


def _minimize(
    loss: Derivatives, x0: Vector, scale: float, watch: Watch, **arguments: Any
) -> None:
    def fun_and_jac(x: Vector) -> tuple[float, Vector]:
        value, gradient = loss.fun_and_jac(x)
        watch.seen(value)
        return scale * value, scale * gradient

    scipy.optimize.minimize(fun_and_jac, x0, jac=True, **arguments)


def _lbfgs(
    loss: Derivatives, _: NumpyObjective, x0: Vector, scale: float, watch: Watch
) -> None:
    options = {"maxiter": 10**9, "maxfun": 10**9, "ftol": 0, "gtol": 0, "maxcor": 20}
    _minimize(loss, x0, scale, watch, method="L-BFGS-B", options=options)


def _trust_ncg(
    loss: Derivatives, _: NumpyObjective, x0: Vector, scale: float, watch: Watch
) -> None:
    def hessp(x: Vector, p: Vector) -> Vector:
        watch.check_time()
        return scale * loss.hessp(x, p)

    options = {"maxiter": 10**9, "gtol": 0}
    _minimize(loss, x0, scale, watch, method="trust-ncg", hessp=hessp, options=options)


def _least_squares(
    _: Derivatives, loss: NumpyObjective, x0: Vector, scale: float, watch: Watch
) -> None:
    root = np.sqrt(scale)

    def residual(x: Vector) -> Vector:
        values = loss.residual(x)
        watch.seen(float(values @ values))
        return np.multiply(root, values)

    def jacobian(x: Vector) -> Vector:
        watch.check_time()
        return np.multiply(root, loss.jacobian(x))

    # The least that it takes for one of them; without the other two it ends where it makes no progress.
    ends = {"xtol": 1.01 * np.finfo(float).eps, "ftol": None, "gtol": None, "max_nfev": 10**9}
    scipy.optimize.least_squares(residual, x0, jac=jacobian, method="trf", **ends)


METHODS: dict[str, Method] = {
    "L-BFGS-B": _lbfgs,
    "trust-ncg": _trust_ncg,
    "least_squares": _least_squares,
}

#: The largest Jacobian, in numbers, that a dense factorisation in every step is tried with.
LARGEST_JACOBIAN = 4_000_000


class Run(NamedTuple):
    """What came of a solve."""

    #: The lowest that was seen.
    loss: float
    #: Of the whole solve.
    seconds: float
    #: Until the goal; None where it was not come to.
    seconds_to_goal: float | None


def solve(
    method: Method,
    derivatives: Derivatives,
    objective: NumpyObjective,
    x0: Vector,
    seconds: float,
    goal: float,
) -> Run:
    """One solve from x0, to its own end or for so many seconds.

    The loss is scaled to 1 at x0 and tolerances are at zero, so that a method goes on for as long as it makes
    progress.
    """
    start = derivatives.fun_and_jac(x0)[0]
    watch = Watch(seconds, goal)
    # A trial that overflows is the method's own to turn down, and a decomposition that fails ends it.
    with np.errstate(all="ignore"), contextlib.suppress(_Over, np.linalg.LinAlgError):
        method(derivatives, objective, x0, 1 / start if start > 0 else 1.0, watch)
    return Run(watch.lowest, watch.elapsed(), watch.seconds_to_goal)
