"""All targets of a problem file at once, by a method of optimistix on JAX under vmap.

Usage: batch_jax.py PROBLEM.npz lm|l-bfgs --seconds S [--stop-at RATIO]
Prints one JSON object: versions, seconds (compilation not included), and for each target the loss at
the start and the lowest loss. The batch goes on until every target is at RATIO of its start's loss or
the time is over, driven step by step: a target that is there is carried along by the others.
"""

import argparse
import json
import sys
import time

import jax

jax.config.update("jax_enable_x64", True)

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optimistix as optx

from network import Network
from optimistix_lm import versions

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("problem")
arguments.add_argument("method", choices=["lm", "l-bfgs"])
arguments.add_argument("--seconds", required=True, type=float)
arguments.add_argument("--stop-at", type=float, default=0.0)
arguments = arguments.parse_args()

network = Network(arguments.problem)
pairs = network.problems()
B = jnp.asarray(np.array([b for b, _ in pairs]))
X = jnp.asarray(np.array([x0 for _, x0 in pairs]))
layers = tuple(jnp.asarray(a) for a in (network.A1, network.c1, network.A2, network.c2))


def residual(x, b):
    A1, c1, A2, c2 = layers
    return jax.nn.softmax(A2 @ jax.nn.relu(A1 @ x + c1) + c2) - b


start_losses = jax.vmap(lambda x, b: jnp.sum(residual(x, b) ** 2))(X, B)

if arguments.method == "lm":
    solver = optx.LevenbergMarquardt(rtol=0.0, atol=0.0)
    function = lambda x, arguments: (residual(x, arguments[0]) / jnp.sqrt(arguments[1]), None)
    # as_min is half the sum of squares.
    loss_of = lambda state, start: 2 * state.f_info.as_min() * start
    shape = jax.ShapeDtypeStruct((B.shape[1],), B.dtype)
else:
    # The loss is scaled to 1 at the start, as for the other peers.
    solver = optx.LBFGS(rtol=0.0, atol=0.0, history_length=20)
    function = lambda x, arguments: (jnp.sum(residual(x, arguments[0]) ** 2) / arguments[1], None)
    loss_of = lambda state, start: state.f_info.as_min() * start
    shape = jax.ShapeDtypeStruct((), B.dtype)


@eqx.filter_jit
def begin(X, B, starts):
    one = lambda x, b, s: solver.init(function, x, (b, s), {}, shape, None, frozenset())
    return eqx.filter_vmap(one)(X, B, starts)


@eqx.filter_jit
def advance(X, B, starts, state):
    def one(x, b, s, state):
        x, state, _ = solver.step(function, x, (b, s), {}, state, frozenset())
        return x, state, loss_of(state, s)

    return eqx.filter_vmap(one)(X, B, starts, state)


state = begin(X, B, start_losses)
jax.block_until_ready(advance(X, B, start_losses, state)[2])

clock = time.perf_counter()
state = begin(X, B, start_losses)
lowest = np.array(start_losses)
goal = arguments.stop_at * lowest
while np.any(lowest > goal) and time.perf_counter() - clock < arguments.seconds:
    X, state, losses = advance(X, B, start_losses, state)
    losses = np.asarray(losses)
    lowest = np.fmin(lowest, losses)
json.dump(
    dict(
        versions=versions(),
        seconds=time.perf_counter() - clock,
        start_losses=np.asarray(start_losses).tolist(),
        losses=lowest.tolist(),
    ),
    sys.stdout,
)
