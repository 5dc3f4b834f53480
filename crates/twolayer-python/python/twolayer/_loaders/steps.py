"""A chain of layers as what a network is made with."""

from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from .._arguments import refuse

#: What other programs call activations, by the names that they have here.
_ACTIVATIONS = {
    "relu": "relu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "logistic": "sigmoid",
    "softplus": "softplus",
    "gelu": "gelu",
    "gelu-tanh": "gelu-tanh",
    "silu": "silu",
    "swish": "silu",
    "hardtanh": "hard-tanh",
    "identity": "identity",
}

_SUPPORTED = (
    "linear layers with relu, leaky relu, tanh, sigmoid, softplus, gelu, silu or hard tanh between, and perhaps "
    "softmax last (or sigmoid, of one unit)"
)


class Linear(NamedTuple):
    """h ↦ weight h + bias, weight of shape (outputs, inputs)."""

    weight: npt.NDArray[Any]
    bias: npt.NDArray[Any] | None


#: A linear layer, or an activation by its name in lower case.
Step = Linear | str


def network(argument: str, steps: Sequence[Step]) -> dict[str, Any]:
    """What `Network` is made with, of a chain that is one; `argument` is what to name where it is not."""
    chain = list(steps)
    if chain and chain[-1] == "softmax":
        chain.pop()
    elif len(chain) > 1 and chain[-1] in ("sigmoid", "logistic"):
        last = chain[-2]
        if isinstance(last, Linear) and len(last.weight) == 1:
            chain[-2:] = [_as_softmax(last)]
    layers = list[Linear]()
    activations = list[str]()
    for step in chain:
        if isinstance(step, Linear):
            # Nothing between two layers is the identity.
            if len(activations) < len(layers):
                activations.append("identity")
            layers.append(step)
        elif (name := _known(step)) is not None and len(activations) + 1 == len(layers):
            activations.append(name)
        else:
            _refuse(argument, steps)
    if len(layers) < 2 or len(activations) != len(layers) - 1:
        _refuse(argument, steps)
    return {
        "layers": [layer.weight for layer in layers],
        "biases": [layer.bias for layer in layers],
        "activation": activations,
    }


def _known(name: str) -> str | None:
    return name if name.startswith("leaky-relu:") else _ACTIVATIONS.get(name)


def _refuse(argument: str, steps: Sequence[Step]) -> NoReturn:
    words = ["linear" if isinstance(step, Linear) else step for step in steps]
    refuse(argument, f"{argument} is {', '.join(words) or 'empty'}; expected {_SUPPORTED}")


def _as_softmax(layer: Linear) -> Linear:
    """sigmoid(z) is the second entry of softmax(0, z)."""
    bias = np.zeros(1, layer.weight.dtype) if layer.bias is None else layer.bias
    weight = np.concatenate([np.zeros_like(layer.weight), layer.weight])
    return Linear(weight, np.concatenate([np.zeros_like(bias), bias]))
