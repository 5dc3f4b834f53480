"""An objective for minimisers other than ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _arguments
from ._arguments import refuse
from ._result import Result
from ._twolayer import Problem as _Native
from ._types import Statement

if TYPE_CHECKING:
    from ._network import Network

Vector = npt.NDArray[np.float64]


class Problem:
    """L(x) = loss(f(x), b) + ½‖W A2 relu(A1 x + c1)‖² and its derivatives, as made by `Network.problem`.

    Values and derivatives are float64, exactly the numbers that the network's precision has; x is rounded to
    that first. The radius is no part of the function: only the method knows it.

    Is itself a method of SciPy::

        p = net.problem(b)
        scipy.optimize.minimize(p.fun, x0, method=p)                 # ours
        scipy.optimize.minimize(p.fun, x0, jac=p.jac)                # SciPy's
    """

    def __init__(
        self, network: Network, b: npt.ArrayLike, statement: Statement, backend: str
    ) -> None:
        target = _arguments.vector("b", b, network.outcomes, network.dtype)
        self._network = network
        self._b = b
        self._statement = statement
        self._backend = backend
        self._native = _Native(
            network._native, target, _arguments.rounded_to(b), statement, backend
        )

    def fun(self, x: npt.ArrayLike) -> float:
        """L(x)."""
        return self._native.value(self._point("x", x))

    def jac(self, x: npt.ArrayLike) -> Vector:
        """The gradient ∇L(x) (d,); a unit on its kink counts as off."""
        return self.fun_and_jac(x)[1]

    def fun_and_jac(self, x: npt.ArrayLike) -> tuple[float, Vector]:
        """L(x) and ∇L(x), which share their work: for minimisers that take ``jac=True``."""
        return self._native.value_and_gradient(self._point("x", x))

    def hess(self, x: npt.ArrayLike) -> Vector:
        """The exact Hessian ∇²L(x) (d, d) of the cell that x is in."""
        d = self._network.inputs
        return self._native.hessian(self._point("x", x)).reshape(d, d)

    def hessp(self, x: npt.ArrayLike, p: npt.ArrayLike) -> Vector:
        """∇²L(x) p (d,), without the Hessian: four products with the layers."""
        return self._native.hessian_product(self._point("x", x), self._point("p", p))

    def _point(self, name: str, values: npt.ArrayLike) -> Vector:
        return _arguments.vector(name, values, self._network.inputs, np.float64)

    def __call__(
        self,
        fun: Any,
        x0: npt.ArrayLike,
        args: tuple[Any, ...] = (),
        *,
        jac: Any = None,
        hess: Any = None,
        hessp: Any = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Any = None,
        tol: float | None = None,
        maxiter: int | None = None,
        **options: Any,
    ) -> Result:
        """Minimises as `Network.invert` does, as a method of ``scipy.optimize.minimize``.

        `options` are those of `Network.invert`. ``maxiter`` is ``max_iterations``, and ``tol`` is ``gtol`` and
        ``ftol``.

        Raises
        ------
        InputError
            A `fun` or a derivative that is not this problem's; bounds or constraints.
        """
        if fun != self.fun or args:
            refuse("fun", "fun is another function; this method minimises its own problem's fun alone")
        given = {"jac": jac, "hess": hess, "hessp": hessp}
        for name, function in given.items():
            if function not in (None, getattr(self, name)):
                refuse(name, f"{name} is another function; leave it out, or give this problem's {name}")
        for name, restriction in {"bounds": bounds, "constraints": constraints}.items():
            if restriction is not None and len(restriction) > 0:
                refuse(name, f"{name} are given; this method has none but the radius")
        if tol is not None:
            options = {"gtol": tol, "ftol": tol, **options}
        if maxiter is not None:
            options["max_iterations"] = maxiter
        said = self._statement
        bounds = None if said["lower"] is None else (said["lower"], said["upper"])
        return self._network.invert(
            self._b,
            x0,
            loss=said["loss"],
            regularizer=said["regularizer"],
            radius=said["radius"],
            bounds=bounds,
            near=said["near"],
            near_weight=said["near_weight"],
            backend=self._backend,
            callback=callback,
            **options,
        )

    def __reduce__(self) -> tuple[type[Problem], tuple[Any, ...]]:
        return type(self), (self._network, self._b, self._statement, self._backend)
