"""Inverting a network as a function that JAX differentiates. JAX is imported when it is called."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from ._result import Result

if TYPE_CHECKING:
    from ._network import Network

#: So many answers are kept between a solve and its gradient.
_ANSWERS = 256


def invert(network: Network, b: Any, x0: Any = None, **options: Any) -> Any:
    """x (d,) whose output is b (m,), differentiable in b, with the solver on the host.

    Works under ``jax.jit`` and ``jax.vmap``, which solves one after the other, in reverse mode
    (``jax.grad``, ``jax.vjp``), once: a second derivative is not known. x has b's type; the solver computes in the
    network's. A b of float32 is rounded, and so is met (``"meets-target"``) as closely as that tells.

    Parameters
    ----------
    network : Network
    b : jax.Array (m,)
    x0, **options
        As for `Network.invert`; they are constants.

    Raises
    ------
    NoDerivative
        Where a gradient is asked for that the answer does not have; JAX may wrap it in an error of its own.

    Examples
    --------
    >>> jax.grad(lambda b: twolayer.jax.invert(net, b).sum())(b)
    """
    import jax

    d, m = network.inputs, network.outcomes
    kind = jax.numpy.result_type(b)

    # A gradient needs the answer in the network's precision, and the kinks that hold it: JAX carries neither
    # from one call to the other. One that is forgotten is solved for again.
    @functools.lru_cache(_ANSWERS)
    def answer(numbers: bytes) -> Result:
        return network.invert(np.frombuffer(numbers, kind), x0, trace=False, **options)

    def solve_on_host(b: Any) -> Any:
        return np.asarray(answer(np.asarray(b, kind).tobytes()).x, kind)

    def pull_back_on_host(b: Any, v: Any) -> Any:
        found = answer(np.asarray(b, kind).tobytes())
        return np.asarray(found.vjp_b(np.asarray(v, np.float64)), kind)

    def run(b: Any) -> Any:
        shape = jax.ShapeDtypeStruct((d,), kind)
        return jax.pure_callback(solve_on_host, shape, b, vmap_method="sequential")

    def forward(b: Any) -> tuple[Any, Any]:
        return run(b), b

    def backward(b: Any, v: Any) -> tuple[Any]:
        shape = jax.ShapeDtypeStruct((m,), kind)
        return (jax.pure_callback(pull_back_on_host, shape, b, v, vmap_method="sequential"),)

    solve = jax.custom_vjp(run)
    solve.defvjp(forward, backward)
    return solve(jax.numpy.asarray(b))
