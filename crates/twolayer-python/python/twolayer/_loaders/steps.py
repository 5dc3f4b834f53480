"""A chain of layers as the two layers that there must be."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._arguments import refuse

_SUPPORTED = "linear, relu, linear, and perhaps softmax (or sigmoid, of one unit)"


class Linear(NamedTuple):
    """h ↦ weight h + bias, weight of shape (outputs, inputs)."""

    weight: npt.NDArray[Any]
    bias: npt.NDArray[Any] | None


#: A linear layer, or an activation by its name in lower case.
Step = Linear | str


def network(argument: str, steps: Sequence[Step]) -> dict[str, Any]:
    """What `Network` is made with, of a chain that is one; `argument` is what to name where it is not."""
    words = ["linear" if isinstance(step, Linear) else step for step in steps]
    match steps:
        case [Linear() as first, "relu", Linear() as second]:
            pass
        case [Linear() as first, "relu", Linear() as second, "softmax"]:
            pass
        case [Linear() as first, "relu", Linear() as second, "sigmoid"] if len(second.weight) == 1:
            second = _as_softmax(second)
        case _:
            refuse(argument, f"{argument} is {', '.join(words) or 'empty'}; expected {_SUPPORTED}")
    return {"layers": [first.weight, second.weight], "biases": [first.bias, second.bias]}


def _as_softmax(layer: Linear) -> Linear:
    """sigmoid(z) is the second entry of softmax(0, z)."""
    bias = np.zeros(1, layer.weight.dtype) if layer.bias is None else layer.bias
    weight = np.concatenate([np.zeros_like(layer.weight), layer.weight])
    return Linear(weight, np.concatenate([np.zeros_like(bias), bias]))
