"""PyTorch's Sequential, which is read by the names of its modules: torch is not imported."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .._arguments import refuse
from .steps import Linear, Step, network

#: Modules that change nothing where nothing is trained.
_PASSED_OVER = {"Dropout", "Identity"}


def parts(module: Any) -> dict[str, Any]:
    """What `Network` is made with."""
    return network("module", list(_steps(module)))


def _steps(module: Any) -> Iterator[Step]:
    kind = type(module).__name__
    if kind == "Sequential":
        for child in module.children():
            yield from _steps(child)
    elif kind == "Linear":
        bias = None if module.bias is None else _array(module.bias)
        yield Linear(_array(module.weight), bias)
    elif kind == "Softmax":
        if module.dim not in (-1, 1):
            found = f"a Softmax over dimension {module.dim}"
            refuse("module", f"module has {found}; expected one over the last dimension, -1")
        yield "softmax"
    elif kind == "LeakyReLU":
        yield f"leaky-relu:{module.negative_slope}"
    elif kind == "GELU":
        yield "gelu" if module.approximate == "none" else "gelu-tanh"
    elif kind == "Softplus" and module.beta != 1:
        refuse("module", f"module has a Softplus of beta {module.beta}; expected 1")
    elif kind == "Hardtanh" and (module.min_val, module.max_val) != (-1, 1):
        found = f"a Hardtanh from {module.min_val} to {module.max_val}"
        refuse("module", f"module has {found}; expected one from -1 to 1")
    elif kind not in _PASSED_OVER:
        yield kind.lower()


def _array(tensor: Any) -> npt.NDArray[Any]:
    tensor = tensor.detach().cpu()
    # NumPy has no such numbers; single precision holds them exactly.
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    return np.asarray(tensor.numpy())
