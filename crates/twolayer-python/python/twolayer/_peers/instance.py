"""What all methods of a comparison are given, and what comes of one."""

from typing import NamedTuple

import numpy as np

from .._arguments import refuse
from .._network import Network
from .._twolayer import InputError
from .activations import Vector

#: A target is met where the loss is at most this part of that at x0.
MET = 1e-12
#: No outcome of a target that is drawn has more.
_MOST = 0.99


class Instance(NamedTuple):
    """Targets (K, m) of a network, and one start for all of them."""

    network: Network
    targets: Vector
    x0: Vector
    loss: str
    #: The most for one solve.
    seconds: float
    #: L(x0) of each target (K,).
    starts: Vector

    @property
    def goals(self) -> Vector:
        """The loss that each target is met at (K,)."""
        return MET * self.starts


class Column(NamedTuple):
    """A method's answers: a number for each target."""

    name: str
    losses: Vector
    #: Infinite where the target was not met; None where that cannot be told of a single target.
    seconds_to_met: Vector | None
    #: Of all targets together.
    seconds: float


def instance(
    network: Network, targets: Vector | None, count: int | None, seed: int, loss: str, seconds: float
) -> Instance:
    """The first `count` targets of those that are given, or as many outputs at random inputs."""
    random = np.random.default_rng(seed)
    x0 = _input(network, random)
    if targets is None:
        targets = network.predict_proba([_input(network, random) for _ in range(count or 20)])
    targets = targets[:count]
    starts = list[float]()
    for number, b in enumerate(targets):
        try:
            starts.append(network.problem(b, loss=loss).fun(x0))
        except InputError as error:
            refuse("targets", f"targets: row {number}: {error}")
    return Instance(network, targets, x0, loss, seconds, np.array(starts))


def _input(network: Network, random: np.random.Generator) -> Vector:
    """A random x, near enough to zero that its output is not one outcome alone."""
    x = random.normal(size=network.inputs)
    # Where the biases make it so, no x near zero is another.
    for _ in range(30):
        if network.predict_proba(x).max() <= _MOST:
            break
        x /= 2
    return x
