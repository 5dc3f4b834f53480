"""Levenberg–Marquardt of optimistix on JAX, in double precision, on the residual f − b, below which
(w/√2) y is stacked where there is a regulariser ½w²‖y‖²."""

import jax

jax.config.update("jax_enable_x64", True)

import equinox as eqx
import jax.numpy as jnp
import lineax
import optimistix as optx

from versions import versions as standard_versions

_arrays = {}


def versions():
    packages = {"JAX": jax, "equinox": eqx, "lineax": lineax, "optimistix": optx}
    return standard_versions() | {name: package.__version__ for name, package in packages.items()}


def arrays_of(network):
    """The network on JAX's device, converted once."""
    if id(network) not in _arrays:
        _arrays[id(network)] = tuple(
            jnp.asarray(a) for a in (network.A1, network.c1, network.A2, network.c2)
        )
    return _arrays[id(network)]


def residual(x, arguments):
    A1, c1, A2, c2, b, root = arguments
    y = A2 @ jax.nn.relu(A1 @ x + c1)
    r = jax.nn.softmax(y + c2) - b
    return (r if root is None else jnp.concatenate([r, root * y])), None


SOLVER = optx.LevenbergMarquardt(rtol=0.0, atol=0.0)


@eqx.filter_jit
def start(x, arguments, out):
    return SOLVER.init(residual, x, arguments, {}, *out, frozenset())


@eqx.filter_jit
def advance(x, arguments, state):
    return SOLVER.step(residual, x, arguments, {}, state, frozenset())


def levenberg_marquardt(watched, x0):
    """Driven step by step, so that every step's loss and time are seen. Compilation is not timed."""
    objective = watched.objective
    root = jnp.sqrt(0.5 * objective.square) if objective.square else None
    arguments = (*arrays_of(objective.network), jnp.asarray(objective.b), root)
    x = jnp.asarray(x0)
    out = jax.eval_shape(residual, x, arguments)
    state = start(x, arguments, out)
    jax.block_until_ready(advance(x, arguments, state)[0])
    watched.restart_clock()
    state = start(x, arguments, out)
    while True:
        watched.hessians += 1
        x, state, _ = advance(x, arguments, state)
        # f_info is what optimistix knows of the last accepted point.
        watched.seen(2 * float(state.f_info.as_min()))
