"""Keras' models, which are read by the names of their layers: keras is not imported."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .._arguments import refuse
from .steps import Linear, Step, network

#: Layers that change nothing where nothing is trained.
_PASSED_OVER = {"InputLayer", "Dropout"}


def parts(model: Any) -> dict[str, Any]:
    """What `Network` is made with."""
    return network("model", [step for layer in model.layers for step in _steps(layer)])


def _steps(layer: Any) -> Iterator[Step]:
    kind = type(layer).__name__
    if kind == "Dense":
        weight, *bias = (np.asarray(array) for array in layer.get_weights())
        yield Linear(weight.T, bias[0] if bias else None)
    if kind in ("Dense", "Activation"):
        name = getattr(layer.activation, "__name__", str(layer.activation))
        if name == "leaky_relu":
            # As a function it has the slope 0.2.
            yield "leaky-relu:0.2"
        elif name != "linear":
            yield name
    elif kind == "ReLU":
        settings = {name: getattr(layer, name, None) for name in ("max_value", "negative_slope", "threshold")}
        if any(settings.values()):
            refuse("model", f"model has a ReLU of {settings}; expected one without")
        yield "relu"
    elif kind == "LeakyReLU":
        yield f"leaky-relu:{layer.negative_slope}"
    elif kind not in _PASSED_OVER:
        yield kind.lower()
