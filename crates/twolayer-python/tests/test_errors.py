"""What is refused, by the argument's name and in words."""

import numpy as np
import pytest
from conftest import network

import twolayer as tl

A1, A2 = np.ones((3, 2)), np.arange(12.0).reshape(4, 3)
FLAT = np.full(4, 0.25)


def with_entry(array, index, value):
    array = np.array(array, float)
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "argument", "words"),
    [
        (([A1],), "layers", "layers has 1; expected two arrays or more"),
        (([A1, A2, A2],), "A3", r"A3 has shape \(4, 3\); expected \(m, 4\)"),
        ((3,), "layers", "layers has int; expected arrays"),
        (([A1, A1],), "A2", r"A2 has shape \(3, 2\); expected \(m, 3\)"),
        (([A1[0], A2],), "A1", r"A1 has shape \(2,\); expected \(n, d\)"),
        (([A1[:0], A2],), "A1", r"A1 has shape \(0, 2\); every dimension must be at least 1"),
        (([with_entry(A1, (1, 0), np.nan), A2],), "A1", r"A1\[1, 0\] is NaN"),
        (([A1, with_entry(A2, (3, 2), np.inf)],), "A2", r"A2\[3, 2\] is inf"),
        (([A1.astype(complex), A2],), "A1", "A1 has entries of type complex128; expected float32 or float64"),
        (([A1, A2.astype(str)],), "A2", "A2 has entries of type <U32"),
        (([[[1, 2], [3]], A2],), "A1", "A1 is no array"),
        (([np.ma.masked_equal(A1, 1), A2],), "A1", "A1 has masked entries"),
        (([np.full((3, 2), 2**53 + 1), A2],), "A1", r"A1 has integers beyond 2\*\*53"),
        (([A1, A2], [np.ones(2), None]), "c1", r"c1 has shape \(2,\); expected \(3,\)"),
        (([A1, A2], [None, np.full(4, np.nan)]), "c2", r"c2\[0\] is NaN"),
        (([A1, A2], [None]), "biases", "biases has 1"),
        (([A1, A2], None, "elu"), "activation", "no activation is called `elu`"),
    ],
)
def test_a_network_that_is_none(arguments, argument, words):
    with pytest.raises(tl.InputError, match=words) as caught:
        tl.Network(*arguments)
    assert caught.value.argument == argument and isinstance(caught.value, ValueError)


def test_a_precision_that_there_is_not():
    with pytest.raises(tl.InputError, match="dtype is float16; it must be float32 or float64"):
        tl.Network([A1, A2], dtype="float16")


@pytest.mark.parametrize(
    ("call", "argument", "words"),
    [
        ({"b": FLAT[:3]}, "b", r"b has shape \(3,\); expected \(4,\) or \(K, 4\)"),
        ({"b": np.ones((4, 2))}, "b", r"b has shape \(4, 2\) and looks transposed"),
        ({"b": np.ones((1, 1, 4))}, "b", r"b has shape \(1, 1, 4\)"),
        ({"b": 2 * FLAT}, "b", "b sums to 2; a distribution sums to 1"),
        ({"b": [FLAT, 2 * FLAT]}, "b", "target 1: b sums to 2"),
        ({"b": [1.5, -0.5, 0, 0]}, "b", r"b\[1\] is -0.5; a probability must be at least 0"),
        ({"b": [np.nan, 1, 0, 0]}, "b", r"b\[0\] is NaN"),
        ({"b": None}, "b", "b has entries of type object"),
        ({"x0": np.ones(3)}, "x0", r"x0 has shape \(3,\)"),
        ({"x0": [np.inf, 0]}, "x0", r"x0\[0\] is inf"),
        ({"b": [FLAT] * 3, "x0": np.ones((2, 2))}, "x0", r"\(2, 2\); expected \(2,\) or \(3, 2\)"),
        ({"loss": "l1"}, "loss", 'loss is "l1"; it must be one of squared, kl'),
        ({"loss": None}, "loss", "loss is None; expected a string"),
        ({"backend": "mkl"}, "backend", 'backend is "mkl"; it must be one of faer, nalgebra, ndarray'),
        ({"hessian": "best"}, "hessian", 'hessian is "best"; it must be one of auto, secant'),
        ({"radius": 0}, "radius", "radius is 0; it must be finite and greater than 0"),
        ({"radius": "1 m"}, "radius", "radius is '1 m'; expected a number"),
        ({"radius": 1, "x0": [3.0, 4.0]}, "x0", "x0 has norm 5; it must be at most the radius R = 1"),
        ({"regularizer": np.ones(3)}, "regularizer", r"regularizer has shape \(3,\)"),
        ({"regularizer": np.nan}, "regularizer", "regularizer is nan; it must be finite"),
        ({"regularizer": 1e300}, "regularizer", "square of w"),
        ({"regularizer": [1, 1, np.inf, 1]}, "regularizer", r"w\[2\] is inf"),
        ({"max_iterations": 0}, "max_iterations", "max_iterations is 0; it must be an integer, at least 1"),
        ({"max_iterations": 1.5}, "max_iterations", "max_iterations is 1.5; expected an integer"),
        ({"starts": True}, "starts", "starts is True"),
        ({"threads": -1}, "threads", "threads is -1"),
        ({"seed": -1}, "seed", "seed is -1; it must be an integer, at least 0"),
        ({"time_limit": -1}, "time_limit", "time_limit is -1; it must be a number of seconds"),
        ({"gtol": 1}, "gtol", "gtol: gradient tolerance is 1; it must be at least 0 and below 1"),
        ({"ftol": -1}, "ftol", "ftol: decrement tolerance is -1"),
        ({"xtol": 2}, "xtol", "xtol: step tolerance is 2"),
    ],
)
def test_a_call_that_cannot_be_answered(call, argument, words):
    net = tl.Network([np.eye(3, 2), A2])
    with pytest.raises(tl.InputError, match=words) as caught:
        net.invert(**{"b": FLAT, **call})
    assert caught.value.argument == argument


def test_points_without_an_output():
    net, _ = network(0, 2, 3, 4)
    for points, words in [
        (np.ones(3), r"X has shape \(3,\)"),
        ([[0, 1], [np.nan, 0]], r"X\[1, 0\] is NaN"),
    ]:
        with pytest.raises(tl.InputError, match=words) as caught:
            net.predict_proba(points)
        assert caught.value.argument == "X"
