"""Scikit-learn's multi-layer perceptrons."""

from typing import Any

import numpy as np

from .._arguments import refuse
from .steps import Linear, Step, network

_NAMES = {"logistic": "sigmoid", "identity": "identity"}


def parts(model: Any) -> dict[str, Any]:
    """What `Network` is made with."""
    argument = "model"
    weights = getattr(model, "coefs_", None)
    if weights is None:
        found = type(model).__name__
        refuse(argument, f"{argument} is {found} without coefs_; expected a fitted MLPClassifier")
    output = model.out_activation_
    if output == "identity":
        expected = "an MLPClassifier, whose output is a distribution"
        refuse(argument, f"{argument} is a regressor; expected {expected}")
    steps: list[Step] = []
    for number, (weight, bias) in enumerate(zip(weights, model.intercepts_, strict=True)):
        if number:
            steps.append(_NAMES.get(model.activation, model.activation))
        steps.append(Linear(np.asarray(weight).T, np.asarray(bias)))
    steps.append(_NAMES.get(output, output))
    return network(argument, steps)
