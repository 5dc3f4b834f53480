"""Answers: of one target and of many, held against NumPy, SciPy and the command."""

import os
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.optimize
from conftest import REPOSITORY, network

import twolayer as tl


def command():
    """The command that was built beside these tests."""
    built = [REPOSITORY / "target" / profile / "twolayer" for profile in ("release", "debug")]
    named = [os.environ["TWOLAYER"]] if "TWOLAYER" in os.environ else built
    found = [str(path) for path in named if os.access(path, os.X_OK)]
    return found[0] if found else pytest.skip("the command is not built: cargo build")


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], {}),
        (["--loss", "kl", "--hessian", "exact"], {"loss": "kl", "hessian": "exact"}),
        (
            ["--backend", "nalgebra", "--hessian", "sampled", "--seed", "7", "--start", "zero"],
            {"backend": "nalgebra", "hessian": "sampled", "seed": 7, "x0": np.zeros(80)},
        ),
        (
            ["--backend", "ndarray", "--precision", "f32", "--regularizer", "0.001"],
            {"backend": "ndarray", "dtype": "float32", "regularizer": 0.001},
        ),
    ],
)
def test_answers_are_those_of_the_command_to_the_bit(
    tmp_path, detector, arguments, options
):
    out, problem = tmp_path / "result.npz", REPOSITORY / "data" / "cld3.npz"
    call = [command(), "invert", str(problem), "--out", str(out), "--quiet", *arguments]
    assert subprocess.run(call, capture_output=True, check=False).returncode in (0, 1)
    expected = dict(np.load(out))

    dtype = options.pop("dtype", "float64")
    net = tl.Network.load(problem, dtype=dtype)
    r = net.invert(detector["b"], **{"x0": detector["x0"], **options})
    assert r.x.dtype == dtype and r.x.shape == (45, 80) and r.fun.shape == (45,)
    for name, field in {
        "x": "x",
        "loss": "fun",
        "probabilities": "probabilities",
        "gradient_norm": "gradient_norm",
        "iterations": "nit",
        "converged": "success",
    }.items():
        assert np.array_equal(r[field], expected[name]), name


def test_other_starts_and_certificates_are_those_of_the_command(tmp_path):
    net, _ = network(20, 4, 16, 9)
    reached = net.predict_proba(np.random.default_rng(0).normal(size=(3, 4)))
    targets = np.concatenate([reached, np.random.default_rng(1).dirichlet(np.ones(9), 3)])
    (a1, a2), (c1, c2) = net.layers, net.biases
    np.savez(tmp_path / "problem.npz", A1=a1, A2=a2, c1=c1, c2=c2, b=targets)
    out = tmp_path / "result.npz"
    call = [command(), "invert", str(tmp_path / "problem.npz"), "--out", str(out), "--certify"]
    call += ["--starts", "3", "--seed", "7", "--radius", "4"]
    assert subprocess.run(call, capture_output=True, check=False).returncode in (0, 1)
    expected = dict(np.load(out))
    r = net.invert(targets, starts=3, seed=7, radius=4, certify=True)
    assert np.array_equal(r.x, expected["x"]) and set(r.starts) == {1, 3}
    certified = np.array([certificate.certified for certificate in r.certificate])
    assert np.array_equal(certified, expected["certified"]) and certified.any()
    radii = [c.radius for c in r.certificate if c.certified]
    assert np.array_equal(radii, expected["certificate_radius"][certified])


def test_the_three_lines_of_the_readme(detector):
    net = tl.Network.load(REPOSITORY / "data" / "cld3.npz", dtype="float64")
    r = net.invert(detector["b"])
    assert r.success.all() and r.fun.max() <= 1e-20


def test_one_target_is_one_of_many_without_its_number():
    net, definition = network(11, 6, 30, 25)
    rng = np.random.default_rng(12)
    targets = net.predict_proba(rng.normal(size=(3, 6)))
    many = net.invert(targets)
    assert many.x.shape == many.jac.shape == (3, 6) and many.probabilities.shape == (3, 25)
    assert len(many.trace) == len(many.active_kinks) == len(many.certificate) == 3
    for k, b in enumerate(targets):
        one = net.invert(b)
        assert isinstance(one, scipy.optimize.OptimizeResult) and isinstance(one.fun, float)
        for name in ("x", "jac", "probabilities"):
            assert np.array_equal(one[name], many[name][k])
        for name in ("fun", "nit", "status", "message", "success", "starts", "limit"):
            assert one[name] == many[name][k]
        assert one.success is True and one.certificate is None
        # The loss and its output by the definition.
        error = 4 * definition.logit_error(one.x, np.finfo(float).eps / 2) + 33 * np.finfo(float).eps
        assert np.abs(one.probabilities - definition.probabilities(one.x)).max() <= error
        assert one.fun <= 1e-20


def test_no_targets_are_no_problems():
    net, _ = network(11, 6, 30, 25)
    r = net.invert(np.ones((0, 25)))
    assert r.x.shape == (0, 6) and r.probabilities.shape == (0, 25) and r.trace == []
    assert r.status.shape == r.fun.shape == (0,)
    assert net.predict_proba(np.ones((0, 6))).shape == (0, 25)


def test_many_starts_of_one_target_are_many_problems():
    net, _ = network(13, 4, 16, 9)
    starts = np.random.default_rng(1).normal(size=(5, 4))
    r = net.invert(net.predict_proba(np.ones(4)), starts)
    assert r.x.shape == (5, 4)
    for x0, x in zip(starts, r.x, strict=True):
        assert np.array_equal(net.invert(net.predict_proba(np.ones(4)), x0).x, x)


def test_a_part_says_of_how_many_it_is():
    # Eight targets and more are solved otherwise than fewer.
    net, _ = network(31, 6, 24, 60)
    b = net.predict_proba(np.random.default_rng(0).normal(size=(10, 6)))
    whole, part = net.invert(b), net.invert(b[6:], total=10)
    assert np.array_equal(whole.x[6:], part.x)
    assert not np.array_equal(net.invert(b[6:]).x, part.x)
    with pytest.raises(tl.InputError, match="at least 10") as caught:
        net.invert(b, total=9)
    assert caught.value.argument == "total"
    with pytest.raises(tl.InputError, match="nearest of all") as caught:
        net.invert(b[:3], total=10, starts=2)
    assert caught.value.argument == "starts"
    assert np.array_equal(net.invert(b, total=10, starts=2).x, net.invert(b, starts=2).x)


def test_a_solve_tells_how_long_it_took():
    net, _ = network(14, 8, 40, 60)
    targets = net.predict_proba(np.random.default_rng(3).normal(size=(3, 8)))
    begin = time.perf_counter()
    r = net.invert(targets, threads=1)
    assert (r.seconds > 0).all() and r.seconds.sum() < time.perf_counter() - begin
    assert isinstance(net.invert(targets[0]).seconds, float)
    # The last entry of a trace is from the end of its solve.
    assert all(trace["elapsed"][-1] <= seconds for trace, seconds in zip(r.trace, r.seconds, strict=True))


def test_the_number_of_threads_changes_no_bit():
    net, _ = network(14, 8, 40, 60)
    targets = net.predict_proba(np.random.default_rng(3).normal(size=(20, 8)))
    first = net.invert(targets, starts=3, threads=1)
    for threads in (2, 3):
        again = net.invert(targets, starts=3, threads=threads)
        assert np.array_equal(first.x, again.x) and np.array_equal(first.nit, again.nit)


@pytest.mark.parametrize("loss", ["squared", "kl"])
def test_a_minimum_of_a_target_out_of_reach_is_one_to_scipy(loss):
    net, _ = network(15, 4, 24, 30)
    b = np.random.default_rng(16).dirichlet(np.ones(30))
    r = net.invert(b, loss=loss)
    p = net.problem(b, loss=loss)
    assert r.success and not r.status == "perfect-fit"
    found = scipy.optimize.minimize(p.fun, r.x, method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 0})
    assert r.fun <= found.fun * (1 + 1e-12)
    if r.limit == "smooth":
        scale = np.linalg.norm(p.jac(np.zeros(4)))
        assert np.linalg.norm(r.jac) <= 1e-7 * scale
        assert np.isclose(np.linalg.norm(r.jac), r.gradient_norm, rtol=1e-6)
        assert np.linalg.eigvalsh(p.hess(r.x)).min() > 0


def test_a_radius_holds_x_on_its_sphere(detector, detector_network):
    r = detector_network.invert(detector["b"][:5], radius=0.5)
    # A sum of 80 squares, each rounded.
    norms = np.linalg.norm(r.x, axis=1)
    assert np.all(norms <= 0.5 * (1 + 80 * np.finfo(float).eps))
    assert np.any(norms > 0.5 * (1 - 1e-6)) and r.fun.max() > 1e-8


@pytest.mark.parametrize("hessian", [
    "auto", "secant", "exact", "convexified", "gauss-newton", "sampled", "uniform", "leverage",
    "leverage-exact", "sketch", "conjugate-gradient",
])
def test_every_model_of_the_hessian_meets_a_target(hessian):
    net, _ = network(17, 5, 40, 200)
    r = net.invert(net.predict_proba(np.full(5, 0.3)), hessian=hessian)
    assert r.status == "perfect-fit" and r.fun <= 1e-20


def test_a_regularizer_is_one_weight_or_one_for_each_outcome():
    net, definition = network(18, 4, 16, 9)
    b = net.predict_proba(np.ones(4))
    one, each = (net.invert(b, regularizer=w) for w in (0.1, np.full(9, 0.1)))
    assert np.array_equal(one.x, each.x)
    assert np.array_equal(net.invert(b, regularizer=0).x, net.invert(b).x)
    misfit = np.sum((definition.probabilities(one.x) - b) ** 2)
    penalty = 0.5 * np.sum((0.1 * definition.products(one.x)) ** 2)
    assert np.isclose(one.fun, misfit + penalty, rtol=1e-12)


def test_tolerances_and_limits_end_a_solve(detector, detector_network):
    net, b = detector_network, detector["b"][0]
    assert net.invert(b, max_iterations=1).status == "iteration-limit"
    ended = net.invert(b, max_iterations=1)
    assert not ended.success and ended.message.startswith("not converged: iteration-limit: raise")
    # Of a minimum that is not zero; one that is met ends at its rounding error whatever the tolerances.
    rough = net.invert(b, regularizer=0.1, gtol=0.5, ftol=0.5, xtol=0.5)
    assert rough.success and rough.nit < net.invert(b, regularizer=0.1).nit


def test_what_a_time_limit_leaves_out_is_told(detector, detector_network):
    r = detector_network.invert(detector["b"], time_limit=0)
    ended = r.status == "not-reached"
    assert not r.success.all() and ended.any()
    assert np.isnan(r.x[ended]).all() and np.isnan(r.fun[ended]).all()
    assert np.isnan(r.probabilities[ended]).all() and np.isnan(r.jac[ended]).all()
    assert np.isfinite(r.x[~ended]).all()
    assert all(len(trace) == 0 for trace, gone in zip(r.trace, ended, strict=True) if gone)


def test_a_certificate_is_a_proof_or_a_reason():
    net, definition = network(21, 4, 16, 9)
    x = np.random.default_rng(2).normal(size=4)
    proof = net.invert(net.predict_proba(x), certify=True).certificate
    assert proof.certified and proof.kind == "minimum" and proof.unique and proof.message == ""
    # The target is the output at x itself, where the loss is zero.
    assert 0 <= proof.fun[0] <= proof.fun[1] < 1e-25
    roundoff = np.finfo(float).eps / 2
    assert np.linalg.norm(proof.x - x) <= proof.x_radius + 1e3 * definition.logit_error(x, roundoff)

    refusal = net.invert(net.predict_proba(x), max_iterations=1, certify=True).certificate
    assert not refusal.certified and refusal.message and refusal.kind != "minimum"
    assert "radius" not in refusal


def test_the_trace_has_every_iteration(detector, detector_network):
    r = detector_network.invert(detector["b"][3])
    assert r.trace["iteration"][0] == 0 and r.trace["iteration"][-1] == r.nit
    assert set(r.trace["stage"]) <= {"warm-start", "target"} and r.trace["stage"][-1] == "target"
    assert r.trace["loss"][-1] == r.fun
    assert np.all(np.diff(r.trace["elapsed"]) >= 0)
    without = detector_network.invert(detector["b"][3], trace=False)
    assert len(without.trace) == 0 and np.array_equal(without.x, r.x)


def test_a_result_is_drawn_and_read():
    import matplotlib

    matplotlib.use("agg")
    net, _ = network(19, 4, 16, 9)
    b = net.predict_proba(np.random.default_rng(0).normal(size=(3, 4)))
    axes = net.invert(b).plot()
    assert len(axes.lines) == 3 and axes.get_yscale() == "log"
    assert net.invert(b[0]).plot(axes) is axes and len(axes.lines) == 4
    r = net.invert(b[0])
    assert r["x"] is r.x and "status" in repr(r)
    with pytest.raises(AttributeError):
        r.missing


def test_without_scipy_the_result_is_an_equal_mapping():
    script = """
import sys
import time
sys.modules["scipy"] = sys.modules["scipy.optimize"] = None
import twolayer as tl
r = tl.Network([[[1.0], [2.0]], [[1.0, 0.5], [0.0, 1.0]]]).invert([0.4, 0.6])
assert isinstance(r, dict) and r["x"] is r.x and "nit" in dir(r)
r.extra = 1
assert r["extra"] == 1
del r.extra
try:
    r.extra
except AttributeError:
    print(r.status)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip()


@pytest.mark.parametrize("kind", ["float32", "float16"])
@pytest.mark.parametrize("loss", ["squared", "kl"])
def test_a_target_in_fewer_digits_is_met_as_closely_as_it_is_known(kind, loss):
    net, _ = network(3, 6, 24, 90)
    points = np.random.default_rng(0).standard_normal((3, net.inputs))
    b = net.predict_proba(points).astype(kind)
    r = net.invert(b, loss=loss, starts=3)
    assert set(r.status) == {"meets-target"}
    assert r.success.all() and (r.starts == 1).all()
    # Roundoffs of b and of its sum, each half an eps; the least number of float16 is 6e-8.
    most = np.finfo(kind).eps * np.linalg.norm(b.astype(float), axis=1) + 6e-8
    assert (np.linalg.norm(r.probabilities - b, axis=1) <= most).all()

    problem = net.problem(b[0], loss=loss)
    for method in (problem, pickle.loads(pickle.dumps(problem))):
        answer = scipy.optimize.minimize(method.fun, np.zeros(net.inputs), method=method)
        assert answer.status == "meets-target"
    # In single precision one of its numbers is met to rounding.
    if kind == "float32":
        same = tl.Network(net.layers, biases=net.biases, dtype=kind)
        assert set(same.invert(b, loss=loss).status) == {"perfect-fit"}
