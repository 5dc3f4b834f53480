"""Networks of more layers and other activations, held against their definition and against scikit-learn."""

import os
import pickle
import subprocess
import warnings

import numpy as np
import pytest
import scipy.optimize
from conftest import REPOSITORY
from scipy.special import erf, expit
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from test_loaders import dense, linear, model, module, sequential

import twolayer as tl

FUNCTIONS = {
    "relu": lambda h: np.maximum(h, 0),
    "leaky-relu:0.1": lambda h: np.where(h > 0, h, 0.1 * h),
    "softplus": lambda h: np.log1p(np.exp(-np.abs(h))) + np.maximum(h, 0),
    "tanh": np.tanh,
    "gelu": lambda h: 0.5 * h * (1 + erf(h / np.sqrt(2))),
    "gelu-tanh": lambda h: 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3))),
    "silu": lambda h: h * expit(h),
    "sigmoid": expit,
    "hard-tanh": lambda h: np.clip(h, -1, 1),
    "identity": lambda h: h,
}


def arrays(widths, seed=0):
    rng = np.random.default_rng(seed)
    pairs = list(zip(widths[1:], widths[:-1], strict=True))
    layers = [rng.normal(size=pair) * np.sqrt(3 / pair[1]) for pair in pairs]
    return layers, [0.3 * rng.normal(size=n) for n, _ in pairs]


def outputs(layers, biases, activations, x):
    """softmax(z) and z, by their definition."""
    for weight, bias, name in zip(layers, biases, [*activations, "identity"], strict=True):
        x = FUNCTIONS[name](weight @ x + bias)
    e = np.exp(x - x.max())
    return e / e.sum(), x


@pytest.mark.parametrize("name", FUNCTIONS)
def test_outputs_and_derivatives_are_those_of_the_definition(name):
    layers, biases = arrays([4, 9, 7, 12])
    net = tl.Network(layers, biases=biases, activation=[name, "tanh"])
    assert net.activations == (name, "tanh") and net.hidden_units == 16
    x = np.random.default_rng(1).normal(size=4)
    f, z = outputs(layers, biases, [name, "tanh"], x)
    assert np.allclose(net.predict_proba(x), f, rtol=1e-13)
    assert np.allclose(net.logits(x), z, rtol=1e-13)
    b = net.predict_proba(x + 0.5)
    problem = net.problem(b)
    difference = scipy.optimize.approx_fprime(x, lambda x: ((outputs(layers, biases, [name, "tanh"], x)[0] - b) ** 2).sum())
    assert np.allclose(problem.jac(x), difference, atol=1e-6)
    columns = [(problem.jac(x + 1e-6 * e) - problem.jac(x - 1e-6 * e)) / 2e-6 for e in np.eye(4)]
    assert np.allclose(problem.hess(x), columns, atol=1e-7)
    assert np.allclose(problem.hessp(x, np.ones(4)), problem.hess(x) @ np.ones(4), atol=1e-12)


DATA = {"digits": load_digits, "wine": load_wine, "iris": load_iris}


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.parametrize("hidden", [(24,), (24, 16), (32, 24, 16)])
def test_classifiers_of_scikit_learn_are_read_and_inverted(data, activation, hidden):
    X, y = DATA[data](return_X_y=True)
    X = StandardScaler().fit_transform(X)
    classifier = MLPClassifier(hidden, activation=activation, random_state=0, max_iter=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classifier.fit(X, y)
    net = tl.Network.from_sklearn(classifier)
    assert len(net.layers) == len(hidden) + 1
    known = classifier.predict_proba(X[:20])
    assert np.abs(net.predict_proba(X[:20]) - known).max() <= 1e-14
    # Three layers of sigmoids have narrow valleys.
    r = net.invert(net.predict_proba(X[:20]), X.mean(0), starts=4, max_iterations=2000)
    assert r.success.all(), r.status
    assert (r.fun <= 1e-20).all(), r.fun


def test_bounds_hold_and_an_entry_may_be_known():
    layers, biases = arrays([6, 16, 12, 20], seed=3)
    net = tl.Network(layers, biases=biases, activation="gelu")
    x = np.random.default_rng(4).uniform(-1, 1, size=6)
    b = net.predict_proba(x)
    lower, upper = np.full(6, -1.0), np.full(6, 1.0)
    lower[2] = upper[2] = x[2]
    for bounds in ((lower, upper), scipy.optimize.Bounds(lower, upper)):
        r = net.invert(b, bounds=bounds)
        assert r.status == "perfect-fit" and r.x[2] == x[2] and (np.abs(r.x) <= 1).all()
    r = net.invert(b, bounds=(0.9, np.inf))
    assert (r.x >= 0.9).all()
    for bad, words in [
        ((1, -1), "lower.0. is 1 and upper.0. is -1"),
        ((np.zeros(5), 1), "shape .5,."),
        (3, "expected .lower, upper."),
        ((np.nan, 1), "NaN"),
    ]:
        with pytest.raises(tl.InputError, match=words) as caught:
            net.invert(b, bounds=bad)
        assert caught.value.argument == "bounds"


def test_a_deep_network_is_pickled_saved_and_the_same_for_the_command(tmp_path):
    layers, biases = arrays([5, 14, 10, 24], seed=7)
    net = tl.Network(layers, biases=biases, activation=["relu", "silu"])
    copy = pickle.loads(pickle.dumps(net))
    assert copy == net and copy != tl.Network(layers, biases=biases)
    assert "14 relu, 10 silu" in repr(net)
    net.save(tmp_path / "net.npz")
    assert tl.Network.load(tmp_path / "net.npz") == net
    relu = tl.Network.load(tmp_path / "net.npz", activation="relu")
    assert relu.activations == ("relu", "relu")
    b = net.predict_proba(np.random.default_rng(1).normal(size=(9, 5)))
    np.save(tmp_path / "b.npy", b)
    command = [os.environ["TWOLAYER"], "invert", "net.npz", "--targets", "b.npy", "--out", "r.npz"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with np.load(tmp_path / "r.npz") as result:
        r = net.invert(b)
        assert r.success.all() and np.array_equal(r.x, result["x"])
    # The committed digits, by the command's own file.
    digits = tl.Network.load(REPOSITORY / "data" / "digits.npz")
    with np.load(REPOSITORY / "data" / "digits.npz") as arrays_of:
        r = digits.invert(arrays_of["b"], arrays_of["x0"])
    assert r.success.all() and (r.fun <= 1e-20).all()


def test_what_is_for_two_layers_says_so():
    layers, biases = arrays([4, 9, 7, 12])
    net = tl.Network(layers, biases=biases)
    b = net.predict_proba(np.zeros(4))
    for options in ({"certify": True}, {"regularizer": 0.1}):
        with pytest.raises(tl.InputError, match="two layers with ReLU"):
            net.invert(b, **options)


def test_what_does_not_fit_is_named():
    (a1, a2, a3), _ = arrays([4, 9, 7, 12])
    for call, argument, words in [
        (lambda: tl.Network([a1]), "layers", "two arrays or more"),
        (lambda: tl.Network(3), "layers", "int"),
        (lambda: tl.Network([a1, a3, a2]), "A2", "shape .12, 7."),
        (lambda: tl.Network([a1, a2, a3], biases=[None, None]), "biases", "has 2; expected 3"),
        (lambda: tl.Network([a1, a2, a3], activation="relu6"), "activation", "relu6"),
        (lambda: tl.Network([a1, a2, a3], activation=["relu"]), "activation", "1 names; expected 2"),
        (lambda: tl.Network([a1, a2, a3], activation=[1, 2]), "activation", "expected names"),
    ]:
        with pytest.raises(tl.InputError, match=words) as caught:
            call()
        assert caught.value.argument == argument


def test_other_programs_activations_are_known_by_their_names():
    layers, biases = arrays([4, 9, 7, 12])
    first, second, third = map(linear, layers, biases)
    gelu, tanh = module("GELU", approximate="tanh"), module("Tanh")
    read = tl.Network.from_torch(sequential(first, gelu, second, tanh, third))
    assert read == tl.Network(layers, biases=biases, activation=["gelu-tanh", "tanh"])
    leaky = module("LeakyReLU", negative_slope=0.05)
    read = tl.Network.from_torch(sequential(first, leaky, second, third))
    assert read.activations == ("leaky-relu:0.05", "identity")
    kinds = [dense(*pair, name) for pair, name in zip(zip(layers, biases), ["silu", "leaky_relu", "softmax"])]
    assert tl.Network.from_keras(model(*kinds)).activations == ("silu", "leaky-relu:0.2")


def test_an_answer_near_a_point():
    layers, biases = arrays([12, 20, 16, 5], seed=9)
    rng = np.random.default_rng(2)
    for count in (2, 3):
        net = tl.Network(layers if count == 3 else arrays([12, 20, 5], 9)[0])
        b, near = net.predict_proba(rng.normal(size=12)), rng.normal(size=12)
        plain = net.invert(b, near)
        close = net.invert(b, near, near=near, near_weight=1e-6)
        assert plain.success and close.success
        assert np.abs(close.probabilities - b).max() < 1e-3
        assert np.linalg.norm(close.x - near) <= np.linalg.norm(plain.x - near) * (1 + 1e-6)
        problem = net.problem(b, near=near, near_weight=0.5)
        at = rng.normal(size=12)
        term = net.problem(b).fun(at) + 0.25 * ((at - near) ** 2).sum()
        assert np.isclose(problem.fun(at), term, rtol=1e-14)
        assert np.allclose(problem.jac(at), net.problem(b).jac(at) + 0.5 * (at - near), atol=1e-13)
        assert np.allclose(problem.hess(at), net.problem(b).hess(at) + 0.5 * np.eye(12), atol=1e-12)
    for options, argument in [
        ({"near": near}, "near_weight"),
        ({"near_weight": 1.0}, "near"),
        ({"near": near[:3], "near_weight": 1.0}, "near"),
        ({"near": near, "near_weight": -1.0}, "near_weight"),
    ]:
        with pytest.raises(tl.InputError) as caught:
            net.invert(b, **options)
        assert caught.value.argument == argument
