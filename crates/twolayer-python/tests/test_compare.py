"""The comparison with SciPy: the peers' derivatives, who is told to be the best, what is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import REPOSITORY, network

import twolayer as tl
from twolayer import compare
from twolayer._peers.activations import activation
from twolayer._peers.instance import Column, Instance
from twolayer._peers.methods import METHODS, solve
from twolayer._peers.objective import NumpyNetwork, NumpyObjective
from twolayer._peers.report import as_table, figures

ROUNDOFF = np.finfo(float).eps / 2
NAMES = [
    "relu", "leaky-relu:0.1", "identity", "hard-tanh", "tanh", "sigmoid", "softplus", "silu", "gelu", "gelu-tanh",
]


@pytest.mark.parametrize("name", NAMES)
def test_slopes_and_bends_are_those_of_differences(name):
    h = np.linspace(-4, 4, 41) + 0.03
    step = np.finfo(float).eps ** (1 / 3)
    phi = activation(name)
    value, slope, bend = phi(h)
    up, down = phi(h + step), phi(h - step)
    # The error of a central difference is about the square of its step, times third derivatives below 10.
    for derivative, number in ((slope, 0), (bend, 1)):
        differences = (up[number] - down[number]) / (2 * step)
        assert np.abs(derivative - differences).max() <= 10 * step**2 * max(1, np.abs(value).max())


@pytest.mark.parametrize("loss", ["squared", "kl"])
@pytest.mark.parametrize("name", NAMES)
def test_the_peers_derivatives_are_those_of_the_library(name, loss):
    rng = np.random.default_rng(3)
    shapes = [(7, 4), (6, 7), (9, 6)]
    layers = [rng.normal(size=shape) / np.sqrt(shape[1]) for shape in shapes]
    net = tl.Network(layers, biases=[rng.normal(size=shape[0]) for shape in shapes], activation=name)
    b = rng.dirichlet(np.ones(9))
    ours, theirs = net.problem(b, loss=loss), NumpyObjective(NumpyNetwork(net), b, loss)
    # Sums of tens of products of numbers of about 1, twice over.
    tolerance = 1000 * ROUNDOFF
    for x in rng.normal(size=(5, 4)):
        value, gradient = theirs.fun_and_jac(x)
        assert np.isclose(value, ours.fun(x), rtol=tolerance)
        assert np.abs(gradient - ours.jac(x)).max() <= tolerance
        p = rng.normal(size=4)
        assert np.abs(theirs.hessp(x, p) - ours.hessp(x, p)).max() <= tolerance
        # The gradient of the squared norm of the residual.
        if loss == "squared":
            assert np.abs(2 * theirs.jacobian(x).T @ theirs.residual(x) - ours.jac(x)).max() <= tolerance


@pytest.mark.parametrize("name", METHODS)
def test_a_peer_meets_an_easy_target(name):
    net, _ = network(5, 3, 12, 20)
    x = np.random.default_rng(1).normal(size=3)
    b = net.predict_proba(x)
    objective = NumpyObjective(NumpyNetwork(net), b, "squared")
    x0 = x + 1e-3
    start = objective.fun_and_jac(x0)[0]
    run = solve(METHODS[name], objective, objective, x0, 60, 1e-12 * start)
    assert run.loss <= 1e-12 * start and 0 < run.seconds_to_goal <= run.seconds
    ended = solve(METHODS[name], objective, objective, x0, 1e-9, 0)
    assert ended.seconds_to_goal is None and ended.seconds < 60


def told(capsys, *arguments):
    assert compare.main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def test_all_methods_are_told(capsys):
    out = json.loads(told(capsys, REPOSITORY / "data" / "digits.npz", "--count", 3, "--seconds", 0.3, "--json"))
    assert (out["inputs"], out["hidden_units"], out["outcomes"], out["targets"]) == (64, 96, 10, 3)
    by_name = {method["name"]: method for method in out["methods"]}
    assert list(by_name) == ["twolayer", "twolayer, one call", "L-BFGS-B", "trust-ncg", "least_squares"]
    for method in by_name.values():
        losses, goals = np.array(method["losses"]), 1e-12 * np.array(out["losses_at_x0"])
        assert losses.shape == (3,) and method["met"] == np.sum(losses <= goals)
        assert method["loss_largest"] == losses.max() and np.all(losses <= out["losses_at_x0"])
        if method["seconds_to_met_each"] is not None:
            is_met = [seconds is not None for seconds in method["seconds_to_met_each"]]
            assert np.array_equal(is_met, losses <= goals)
    assert by_name["twolayer"]["met"] == 3
    assert any("the faster of the two" in note for note in out["notes"])


def test_given_targets_are_compared_on(capsys, tmp_path):
    rng = np.random.default_rng(0)
    net, _ = network(2, 3, 8, 5)
    net.save(tmp_path / "net.npz")
    np.save(tmp_path / "b.npy", rng.dirichlet(np.ones(5), 4))
    given = [tmp_path / "net.npz", "--targets", tmp_path / "b.npy", "--seconds", 0.2]
    assert json.loads(told(capsys, *given, "--json"))["targets"] == 4
    table = told(capsys, *given, "--count", 2, "--loss", "kl")
    assert "2 targets, loss kl" in table and "least_squares is left out" in table


def test_whoever_is_best_has_the_mark():
    net, _ = network(2, 3, 8, 5)
    ones = np.ones(3)
    instance = Instance(net, np.ones((3, 5)) / 5, ones, "squared", 1.0, ones)
    columns = [
        Column("ours", np.array([0.5, 0.3, 0.2]), np.full(3, np.inf), 9.0),
        Column("theirs", np.array([0.1, 0.3 + 1e-8, 1e-13]), np.array([np.inf, 0.5, 0.25]), 2.0),
        Column("alike", np.array([0.1, 0.3, 0.2]), None, 2.0),
    ]
    ours, theirs, alike = figures(columns, instance.goals)
    assert (ours["met"], theirs["met"], alike["met"]) == (0, 1, 0)
    assert (ours["lowest"], theirs["lowest"], alike["lowest"]) == (1, 3, 2)
    assert (ours["seconds_to_met"], theirs["seconds_to_met"]) == (np.inf, 0.5)
    lines = {line.split("  ")[0]: line.split() for line in as_table(instance, columns, ["a note"]).splitlines()}
    assert lines["theirs"] == ["theirs", "1*", "3*", "0.5*", "1.0e-01*", "3.0e-01", "2*"]
    assert lines["alike"] == ["alike", "0", "2", "-", "2.0e-01", "3.0e-01*", "2*"]
    assert lines["ours"] == ["ours", "0", "1", "-", "3.0e-01", "5.0e-01", "9"]


def test_what_cannot_be_compared_is_one_line(capsys, tmp_path):
    net, _ = network(2, 3, 8, 5)
    path = tmp_path / "net.npz"
    net.save(path)
    np.save(tmp_path / "wide.npy", np.ones((2, 6)) / 6)
    np.save(tmp_path / "none.npy", np.ones((0, 5)))
    np.save(tmp_path / "sum.npy", np.array([[0.2] * 5, [0.3] * 5]))
    (tmp_path / "text.npy").write_text("none")
    for arguments, words in [
        ([tmp_path / "missing.npz"], "No such file"),
        ([tmp_path / "net.txt"], ".npz"),
        ([path, "--targets", path], "cannot be read as .npy"),
        ([path, "--targets", tmp_path / "text.npy"], "cannot be read"),
        ([path, "--targets", tmp_path / "wide.npy"], "(2, 6)"),
        ([path, "--targets", tmp_path / "none.npy"], "no rows"),
        ([path, "--targets", tmp_path / "sum.npy"], "row 1"),
    ]:
        assert compare.main([str(argument) for argument in arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1 and words in error
    for arguments in (["--count", "0"], ["--seed", "-1"], ["--seconds", "nan"], ["--count", "x"]):
        with pytest.raises(SystemExit):
            compare.main([str(path), *arguments])
        assert "argument --" in capsys.readouterr().err


def test_without_scipy_that_is_said(tmp_path):
    script = """
import sys
sys.modules["scipy"] = sys.modules["scipy.optimize"] = None
from twolayer.compare import main
sys.exit(main(["net.npz"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr == "error: there is no SciPy to compare with; pip install scipy\n"


def test_a_large_jacobian_is_left_out(monkeypatch):
    from twolayer._peers import measure

    net, _ = network(2, 3, 8, 5)
    b = net.predict_proba(np.ones((1, 3)))
    loss = [net.problem(b[0]).fun(np.zeros(3))]
    monkeypatch.setattr(measure, "LARGEST_JACOBIAN", 14)
    columns, notes = measure.measure(Instance(net, b, np.zeros(3), "squared", 1.0, np.array(loss)))
    assert "least_squares" not in [column.name for column in columns]
    assert any("1.5e+01 numbers" in note for note in notes)
