"""Every method on every target, one after the other."""

import time
from collections.abc import Sequence

import numpy as np

from .activations import Vector
from .instance import Column, Instance
from .methods import LARGEST_JACOBIAN, METHODS, Derivatives, Method, solve
from .objective import NumpyNetwork, NumpyObjective

OURS, OURS_AT_ONCE = "twolayer", "twolayer, one call"


def measure(instance: Instance) -> tuple[list[Column], list[str]]:
    """The columns of all methods, and what is to be said of them."""
    arrays = NumpyNetwork(instance.network)
    objectives = [NumpyObjective(arrays, b, instance.loss) for b in instance.targets]
    derivatives, whose = _faster(instance, objectives)
    notes = [f"SciPy's methods have losses and gradients by {whose}, the faster of the two here"]
    columns = [_ours(instance), _ours_at_once(instance)]
    size = instance.network.inputs * instance.network.outcomes
    for name, method in METHODS.items():
        if name == "least_squares" and instance.loss != "squared":
            notes.append("least_squares is left out: only the squared loss is a sum of squares")
        elif name == "least_squares" and size > LARGEST_JACOBIAN:
            notes.append(f"least_squares is left out: its Jacobian has {size:.1e} numbers")
        else:
            columns.append(_peer(name, method, instance, derivatives, objectives))
    return columns, notes


def _ours(instance: Instance) -> Column:
    losses, to_met, total = list[float](), list[float](), 0.0
    for b, goal in zip(instance.targets, instance.goals, strict=True):
        clock = time.perf_counter()
        r = instance.network.invert(b, instance.x0, loss=instance.loss, time_limit=instance.seconds)
        seconds = time.perf_counter() - clock
        total += seconds
        losses.append(r.fun)
        there = r.trace["elapsed"][r.trace["loss"] <= goal]
        # With what the call took before and after the solve.
        to_met.append(there[0] + seconds - r.seconds if len(there) else np.inf)
    return Column(OURS, np.array(losses), np.array(to_met), total)


def _ours_at_once(instance: Instance) -> Column:
    clock = time.perf_counter()
    r = instance.network.invert(
        instance.targets,
        instance.x0,
        loss=instance.loss,
        time_limit=instance.seconds * len(instance.targets),
        trace=False,
    )
    seconds = time.perf_counter() - clock
    # A target that was not come to is where it was.
    losses = np.where(np.isnan(r.fun), instance.starts, r.fun)
    return Column(OURS_AT_ONCE, losses, None, seconds)


def _peer(
    name: str,
    method: Method,
    instance: Instance,
    derivatives: Sequence[Derivatives],
    objectives: Sequence[NumpyObjective],
) -> Column:
    runs = [
        solve(method, of, objective, instance.x0, instance.seconds, goal)
        for of, objective, goal in zip(derivatives, objectives, instance.goals, strict=True)
    ]
    to_met = [np.inf if run.seconds_to_goal is None else run.seconds_to_goal for run in runs]
    losses = np.array([run.loss for run in runs])
    return Column(name, losses, np.array(to_met), sum(run.seconds for run in runs))


def _faster(
    instance: Instance, objectives: Sequence[NumpyObjective]
) -> tuple[Sequence[Derivatives], str]:
    """The losses of all targets by whoever computes the first with its gradient in less time."""
    problems = [instance.network.problem(b, loss=instance.loss) for b in instance.targets]
    both: list[tuple[Sequence[Derivatives], str]] = [(objectives, "NumPy"), (problems, "this package")]
    return min(both, key=lambda one: _seconds(one[0][0], instance.x0))


def _seconds(loss: Derivatives, x0: Vector) -> float:
    """The least of several times, of evaluations at different points."""
    times = list[float]()
    for number in range(20):
        x = x0 * (1 + number * 1e-3)
        clock = time.perf_counter()
        loss.fun_and_jac(x)
        times.append(time.perf_counter() - clock)
    return min(times)
