"""Networks of PyTorch and Keras, by stand-ins with the attributes that are read, and of files.

PyTorch, Keras and what writes their files are too large to be installed for these tests.
"""

import json

import numpy as np
import onnx
import pytest
from conftest import network
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

import twolayer as tl


@pytest.fixture
def net():
    return network(31, 4, 6, 5, np.float32)[0]


class Tensor:
    """As torch.Tensor."""

    def __init__(self, array, dtype="torch.float32"):
        self.array, self.dtype = array, dtype

    def detach(self):
        return self

    cpu = detach

    def float(self):
        return Tensor(self.array)

    def numpy(self):
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array


def module(kind, **attributes):
    """As torch.nn's modules, whose type is what they are."""
    return type(kind, (), attributes)()


def linear(weight, bias, dtype="torch.float32"):
    bias = None if bias is None else Tensor(bias, dtype)
    return module("Linear", weight=Tensor(weight, dtype), bias=bias)


def sequential(*modules):
    return module("Sequential", children=lambda self: iter(modules))


def test_a_sequential_of_torch_is_read(net):
    (a1, a2), (c1, c2) = net.layers, net.biases
    first, second = linear(a1, c1), linear(a2, c2)
    relu, softmax = module("ReLU"), module("Softmax", dim=-1)
    assert tl.Network.from_torch(sequential(first, relu, second)) == net
    head = sequential(sequential(first, relu, module("Dropout")), second, softmax)
    assert tl.Network.from_torch(head) == net
    half = sequential(linear(a1, c1, "torch.bfloat16"), relu, second)
    assert tl.Network.from_torch(half) == net
    bare = tl.Network.from_torch(sequential(linear(a1, None), relu, linear(a2, None)))
    assert bare == tl.Network([a1, a2])


def test_other_modules_of_torch_are_refused(net):
    (a1, a2), (c1, c2) = net.layers, net.biases
    first, second, relu = linear(a1, c1), linear(a2, c2), module("ReLU")
    for modules, words in [
        ([first, module("ELU"), second], "linear, elu, linear; expected linear layers with relu"),
        ([first, relu, relu, second], "linear, relu, relu, linear"),
        ([relu, first, relu, second], "relu, linear"),
        ([first, module("Softplus", beta=2), second], "Softplus of beta 2"),
        ([first, module("Hardtanh", min_val=0.0, max_val=6.0), second], "Hardtanh from 0.0 to 6.0"),
        ([first, relu, second, module("Softmax", dim=0)], "Softmax over dimension 0"),
        ([first, relu, second, module("Sigmoid")], "sigmoid"),
        ([], "is empty"),
    ]:
        with pytest.raises(tl.InputError, match=words) as caught:
            tl.Network.from_torch(sequential(*modules))
        assert caught.value.argument == "module"


def dense(weight, bias, activation):
    """As keras.layers.Dense, whose kernel maps rows."""
    arrays = [weight.T] if bias is None else [weight.T, bias]
    function = type("function", (), {"__name__": activation})()
    return module("Dense", get_weights=lambda self: arrays, activation=function)


def model(*layers):
    return module("Sequential", layers=list(layers))


def test_a_model_of_keras_is_read(net):
    (a1, a2), (c1, c2) = net.layers, net.biases
    end = dense(a2, c2, "softmax")
    assert tl.Network.from_keras(model(dense(a1, c1, "relu"), end)) == net
    relu = module("ReLU", max_value=None, negative_slope=0.0, threshold=0.0)
    parts = [module("InputLayer"), dense(a1, c1, "linear"), relu, module("Dropout"), dense(a2, c2, "linear")]
    assert tl.Network.from_keras(model(*parts, module("Softmax"))) == net
    one = tl.Network.from_keras(model(dense(a1, c1, "relu"), dense(a2[:1], None, "sigmoid")))
    x = np.ones(4, np.float32)
    z = float(tl.Network([a1, a2[:1]], biases=[c1, None]).logits(x)[0])
    assert np.allclose(one.predict_proba(x), [1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))], rtol=1e-6)


def test_other_layers_of_keras_are_refused(net):
    (a1, a2), (c1, c2) = net.layers, net.biases
    for layers, words in [
        ([dense(a1, c1, "elu"), dense(a2, c2, "softmax")], "linear, elu, linear, softmax"),
        ([module("Conv2D"), dense(a1, c1, "relu"), dense(a2, c2, "softmax")], "conv2d, linear"),
        (
            [dense(a1, c1, "linear"), module("ReLU", max_value=6.0), dense(a2, c2, "softmax")],
            "ReLU of .*6.0",
        ),
    ]:
        with pytest.raises(tl.InputError, match=words) as caught:
            tl.Network.from_keras(model(*layers))
        assert caught.value.argument == "model"


def test_safetensors_are_read(net, tmp_path):
    (a1, a2), (c1, c2) = net.layers, net.biases
    path = tmp_path / "net.safetensors"
    save_file({"net.10.weight": a2, "net.10.bias": c2, "net.9.weight": a1, "net.9.bias": c1}, path)
    assert tl.Network.load(path) == net
    save_file({"fc1.weight": a1, "fc2.weight": a2}, path)
    assert tl.Network.load(str(path)) == tl.Network([a1, a2])
    for tensors, words in [
        ({"fc1.weight": a1}, "has the tensors fc1.weight; expected two weights"),
        ({"a.weight": a1, "b.weight": a2, "scale": c1}, "scale"),
        ({"a.weight": a2, "b.weight": a1}, "A2 has shape"),
    ]:
        save_file(tensors, path)
        with pytest.raises(tl.InputError, match=words):
            tl.Network.load(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(tl.InputError, match="cannot be read as .safetensors"):
        tl.Network.load(path)


def test_half_precision_of_either_kind_is_widened(net, tmp_path):
    path = tmp_path / "net.safetensors"
    first, second = np.float32([[1.5, -2.0], [0.25, 3.0]]), np.float32([[0.5, 1.0], [2.0, -4.0]])
    save_file({"0.weight": first.astype(np.float16), "2.weight": second}, path)
    assert tl.Network.load(path) == tl.Network([first, second])
    # bfloat16, which NumPy has not: by the format's own description.
    data = b"".join((a.view(np.uint32) >> 16).astype("<u2").tobytes() for a in (first, second))
    header = json.dumps({
        name: {"dtype": "BF16", "shape": [2, 2], "data_offsets": [8 * number, 8 * number + 8]}
        for number, name in enumerate(["0.weight", "2.weight"])
    })
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + data)
    assert tl.Network.load(path) == tl.Network([first, second])
    save_file({"0.weight": first.astype(np.int8), "2.weight": second}, path)
    with pytest.raises(tl.InputError, match="0.weight of type I8; expected BF16, F16, F32, F64"):
        tl.Network.load(path)


def save_onnx(path, nodes, constants, ends=("x", "y")):
    """A graph of nodes (operator, inputs, output, attributes)."""
    made = [helper.make_node(kind, inputs, [output], **rest) for kind, inputs, output, rest in nodes]
    arrays = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ends]
    graph = helper.make_graph(made, "net", values[:1], values[1:], arrays)
    onnx.save(helper.make_model(graph), path)


def test_a_chain_of_onnx_is_read(net, tmp_path):
    (a1, a2), (c1, c2) = net.layers, net.biases
    path = tmp_path / "net.onnx"
    constants = {"a1": a1, "a2": a2, "c1": c1, "c2": c2, "a1t": a1.T.copy(), "a2t": a2.T.copy()}
    # As PyTorch writes it.
    gemms = [
        ("Gemm", ["x", "a1", "c1"], "h", {"transB": 1}),
        ("Relu", ["h"], "a", {}),
        ("Gemm", ["a", "a2", "c2"], "y", {"transB": 1}),
    ]
    save_onnx(path, gemms, constants)
    assert tl.Network.load(path) == net
    # As Keras' and scikit-learn's are written.
    products = [
        ("Flatten", ["x"], "flat", {}),
        ("MatMul", ["flat", "a1t"], "p", {}),
        ("Add", ["c1", "p"], "h", {}),
        ("Relu", ["h"], "a", {}),
        ("Gemm", ["a", "a2t", "c2"], "z", {}),
        ("Softmax", ["z"], "y", {"axis": -1}),
    ]
    save_onnx(path, products, constants)
    assert tl.Network.load(path, dtype="float64").dtype == np.float64
    assert tl.Network.load(path) == net


def test_other_graphs_of_onnx_are_refused(net, tmp_path):
    (a1, a2), (c1, c2) = net.layers, net.biases
    path = tmp_path / "net.onnx"
    constants = {"a1": a1, "a2": a2, "c1": c1, "c2": c2}
    first = ("Gemm", ["x", "a1", "c1"], "h", {"transB": 1})
    relu = ("Relu", ["h"], "a", {})
    last = ("Gemm", ["a", "a2", "c2"], "y", {"transB": 1})
    for nodes, words in [
        ([first, ("Elu", ["h"], "a", {}), last], "linear, elu, linear"),
        ([first, relu, ("Gemm", ["a", "a2", "c2"], "y", {"transB": 1, "alpha": 2.0})], "a Gemm with"),
        ([first, relu, ("Add", ["a", "h"], "y", {})], "an Add|a Add with other inputs"),
        ([first, relu], "an output in the middle"),
        ([first, relu, last[:2] + ("z", {"transB": 1}), ("Softmax", ["z"], "y", {"axis": 0})], "axis 0"),
    ]:
        save_onnx(path, nodes, constants)
        with pytest.raises(tl.InputError, match=words) as caught:
            tl.Network.load(path)
        assert caught.value.argument == "path"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(tl.InputError, match="cannot be read as .onnx"):
        tl.Network.load(path)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        tl.Network.load(tmp_path / "net.npz")
    with pytest.raises(tl.InputError, match="ends in .npz, .safetensors or .onnx"):
        tl.Network.load("net.pt")
    path = tmp_path / "net.npz"
    path.write_bytes(b"PK nothing of the kind")
    with pytest.raises(tl.InputError, match="cannot be read as .npz"):
        tl.Network.load(path)
    np.savez(path, A1=np.ones((2, 2)))
    with pytest.raises(tl.InputError, match="has the arrays A1; expected A1, A2"):
        tl.Network.load(path)
    np.savez(path, A1=np.array([{}], object), A2=np.ones((2, 2)))
    with pytest.raises(tl.InputError, match="cannot be read as .npz"):
        tl.Network.load(path)
