"""Networks in files."""

import re
from itertools import takewhile
from os import PathLike, fspath
from typing import Any

import numpy as np
import numpy.typing as npt

from .._arguments import refuse
from .steps import Linear, network

#: Types of numbers in a .safetensors file, which is little-endian.
_KINDS = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


def parts(path: str | PathLike[str]) -> dict[str, Any]:
    """What `Network` is made with, by the ending of the file's name."""
    name = fspath(path)
    for ending, reader in {".npz": _npz, ".safetensors": _safetensors, ".onnx": _onnx}.items():
        if name.endswith(ending):
            return reader(name)
    refuse("path", f"path is {name!r}; expected a name that ends in .npz, .safetensors or .onnx")


def _npz(path: str) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            layers = [f"A{number}" for number in range(1, len(archive.files) + 1)]
            layers = list(takewhile(archive.__contains__, layers))
            names = layers + [name.replace("A", "c") for name in layers] + ["activation"]
            arrays = {name: archive[name] for name in names if name in archive}
            found = ", ".join(archive.files)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # A damaged archive is told in many ways.
        refuse("path", f"path: {path} cannot be read as .npz: {error}")
    if not {"A1", "A2"} <= arrays.keys():
        refuse("path", f"path: {path} has the arrays {found}; expected A1, A2 and perhaps c1 and c2")
    biases = [arrays.get(name.replace("A", "c")) for name in layers]
    made: dict[str, Any] = {"layers": [arrays[name] for name in layers], "biases": biases}
    if "activation" in arrays:
        named = [str(name) for name in np.ravel(arrays["activation"])]
        made["activation"] = named[0] if len(named) == 1 else named
    return made


def _safetensors(path: str) -> dict[str, Any]:
    import safetensors

    # It has no types.
    deserialize: Any = safetensors.deserialize
    with open(path, "rb") as file:
        contents = file.read()
    try:
        tensors = deserialize(contents)
    except safetensors.SafetensorError as error:
        refuse("path", f"path: {path} cannot be read as .safetensors: {error}")
    layers = _linear_layers(path, {name: _tensor(path, name, tensor) for name, tensor in tensors})
    # A state has no activations: what is between the layers is said by whoever loads it here.
    return {
        "layers": [layer.weight for layer in layers],
        "biases": [layer.bias for layer in layers],
    }


def _tensor(path: str, name: str, tensor: dict[str, Any]) -> npt.NDArray[Any]:
    kind, data = tensor["dtype"], tensor["data"]
    if kind == "BF16":
        # NumPy has no such numbers: they are the first halves of single precision's.
        array = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    elif kind in _KINDS:
        array = np.frombuffer(data, _KINDS[kind])
    else:
        expected = ", ".join(["BF16", *_KINDS])
        refuse("path", f"path: {path} has the tensor {name} of type {kind}; expected {expected}")
    return array.reshape(tensor["shape"])


def _linear_layers(path: str, tensors: dict[str, npt.NDArray[Any]]) -> list[Linear]:
    """The layers, in the order of the numbers in their names."""
    found = ", ".join(sorted(tensors))
    prefixes = [name.removesuffix("weight") for name in tensors if name.split(".")[-1] == "weight"]
    prefixes.sort(key=_natural)
    known = {prefix + end for prefix in prefixes for end in ("weight", "bias")}
    if len(prefixes) < 2 or not tensors.keys() <= known:
        expected = "two weights or more, and perhaps a bias of each, as 0.weight, 0.bias, 2.weight, 2.bias"
        refuse("path", f"path: {path} has the tensors {found}; expected {expected}")
    return [Linear(tensors[prefix + "weight"], tensors.get(prefix + "bias")) for prefix in prefixes]


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key by which 10 is behind 9."""
    parts = re.findall(r"\d+|\D+", name)
    return [(part.isdigit(), int(part), "") if part.isdigit() else (False, 0, part) for part in parts]


def _onnx(path: str) -> dict[str, Any]:
    from .onnx import steps

    return network("path", steps(path))
