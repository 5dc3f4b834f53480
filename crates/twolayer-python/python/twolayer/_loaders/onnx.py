"""The graph of an ONNX file, where it is one chain."""

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from .._arguments import refuse
from .steps import Linear, Step

#: Operators that change nothing for a batch of vectors, where nothing is trained.
_PASSED_OVER = {"Identity", "Dropout", "Flatten"}


def steps(path: str) -> list[Step]:
    """The steps from the graph's input to its output."""
    try:
        graph = onnx.load(path).graph
    except DecodeError as error:
        refuse("path", f"path: {path} cannot be read as .onnx: {error}")
    return _Chain(path, graph).steps()


class _Chain:
    def __init__(self, path: str, graph: Any) -> None:
        self.path = path
        self.graph = graph
        self.constants = {array.name: numpy_helper.to_array(array) for array in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)

    def steps(self) -> list[Step]:
        """Every node takes what the one before it has put out, and constants."""
        inputs = [value.name for value in self.graph.input if value.name not in self.constants]
        if len(inputs) != 1 or len(self.graph.output) != 1:
            self._refuse(f"{len(inputs)} inputs and {len(self.graph.output)} outputs")
        value, chain = inputs[0], list[Step]()
        for node in self.graph.node:
            if node.op_type == "Constant":
                continue
            if value not in node.input or any(
                name not in self.constants for name in node.input if name and name != value
            ):
                self._refuse(f"a {node.op_type} with other inputs than the value before it")
            self._append(chain, node, value)
            value = node.output[0]
        if value != self.graph.output[0].name:
            self._refuse("an output in the middle of the chain")
        return chain

    def _append(self, chain: list[Step], node: Any, value: str) -> None:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        kind = node.op_type
        if kind == "Gemm":
            chain.append(self._gemm(node, value, attributes))
        elif kind == "MatMul" and node.input[0] == value:
            chain.append(Linear(self._matrix(node.input[1]).T, None))
        elif kind == "Add" and chain and isinstance(chain[-1], Linear) and chain[-1].bias is None:
            (name,) = (name for name in node.input if name != value)
            chain[-1] = chain[-1]._replace(bias=self._bias(name, len(chain[-1].weight)))
        elif kind == "Softmax":
            if attributes.get("axis", -1) not in (-1, 1):
                self._refuse(f"a Softmax over axis {attributes['axis']}")
            chain.append("softmax")
        elif kind == "LeakyRelu":
            chain.append(f"leaky-relu:{attributes.get('alpha', 0.01)}")
        elif kind == "Gelu":
            chain.append("gelu" if attributes.get("approximate", b"none") == b"none" else "gelu-tanh")
        elif kind not in _PASSED_OVER:
            chain.append(kind.lower())

    def _gemm(self, node: Any, value: str, attributes: dict[str, Any]) -> Linear:
        """alpha x B + beta C, which is a layer where both are 1."""
        scales = {name: attributes.get(name, 1.0) for name in ("alpha", "beta")}
        if node.input[0] != value or attributes.get("transA", 0) or set(scales.values()) != {1.0}:
            self._refuse(f"a Gemm with {attributes}")
        weight = self._matrix(node.input[1])
        weight = weight if attributes.get("transB", 0) else weight.T
        has_bias = len(node.input) > 2 and node.input[2]
        return Linear(weight, self._bias(node.input[2], len(weight)) if has_bias else None)

    def _matrix(self, name: str) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = self.constants[name]
        if array.ndim != 2:
            self._refuse(f"a layer of shape {array.shape}")
        return array

    def _bias(self, name: str, length: int) -> npt.NDArray[Any]:
        """An addend of a shape that stands for a row."""
        try:
            row: npt.NDArray[Any] = np.broadcast_to(self.constants[name], (1, length))[0]
        except ValueError:
            self._refuse(f"a bias of shape {self.constants[name].shape}")
        return row

    def _refuse(self, found: str) -> NoReturn:
        expected = "one chain of linear layers and activations"
        refuse("path", f"path: {self.path} has {found}; expected {expected}")
