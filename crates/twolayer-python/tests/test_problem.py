"""The objective for other minimisers: its derivatives, and itself as a method of SciPy."""

import pickle

import numpy as np
import pytest
import scipy.optimize
from conftest import network

import twolayer as tl

WEIGHT = 0.05
#: Complex steps are exact to rounding, whatever their length.
STEP = 1e-100


def value(definition, b, loss, weight, x):
    """L at a complex x."""
    f = definition.probabilities(x)
    misfit = np.sum((f - b) ** 2) if loss == "squared" else np.sum(b * (np.log(b) - np.log(f)))
    return misfit + 0.5 * weight**2 * np.sum(definition.products(x) ** 2)


def gradient(definition, b, loss, weight, x):
    """∇L at a complex x, by the chain rule in the cell of its real part."""
    f = definition.probabilities(x)
    on = (definition.a1 @ x + definition.c1).real > 0
    c = definition.a2[:, on] @ definition.a1[on]
    if loss == "squared":
        r = f - b
        slope = 2 * (f * r - f * np.sum(f * r))
    else:
        slope = f * b.sum() - b
    return c.T @ (slope + weight**2 * definition.products(x))


CASES = [(loss, weight) for loss in ("squared", "kl") for weight in (0.0, WEIGHT)]


@pytest.mark.parametrize(("loss", "weight"), CASES)
@pytest.mark.parametrize("backend", ["faer", "nalgebra", "ndarray"])
def test_derivatives_are_those_of_the_definition(loss, weight, backend):
    net, definition = network(21, 5, 30, 17)
    rng = np.random.default_rng(22)
    b = rng.dirichlet(np.ones(17))
    p = net.problem(b, loss=loss, regularizer=weight, backend=backend)
    for x in rng.normal(size=(20, 5)):
        def terms(y):
            return value(definition, b, loss, weight, y)

        def slopes(y):
            return gradient(definition, b, loss, weight, y)

        units = 1j * STEP * np.eye(5)
        by_steps = np.array([terms(x + unit).imag for unit in units]) / STEP
        hessian = np.array([slopes(x + unit).imag for unit in units]) / STEP
        # Rounding enters by the logits, and is carried on by C: once for a gradient, twice for a Hessian.
        error = 10 * definition.logit_error(x, np.finfo(float).eps)
        norm = np.linalg.norm(definition.a2, 2) * np.linalg.norm(definition.a1, 2)
        assert np.abs(slopes(x).real - by_steps).max() <= error * norm
        fun, jac = p.fun_and_jac(x)
        assert fun == p.fun(x) and np.array_equal(jac, p.jac(x))
        assert abs(fun - terms(x).real) <= error
        assert np.abs(jac - by_steps).max() <= error * norm
        assert np.abs(p.hess(x) - hessian).max() <= error * norm**2
        v = rng.normal(size=5)
        assert np.abs(p.hessp(x, v) - hessian @ v).max() <= error * norm**2 * np.linalg.norm(v)


def test_in_single_precision_values_are_its_own():
    net, _ = network(23, 4, 12, 9, np.float32)
    b = net.predict_proba(np.ones(4))
    p = net.problem(b)
    x = np.full(4, 0.1)
    value, jac = p.fun_and_jac(x)
    assert value == np.float32(value) and np.array_equal(jac, jac.astype(np.float32))
    assert jac.dtype == p.hess(x).dtype == np.float64


def test_scipy_minimises_it():
    net, _ = network(24, 4, 30, 20)
    b = net.predict_proba(np.full(4, 0.3))
    p = net.problem(b, loss="kl")
    x0 = np.full(4, 0.25)
    for options in [
        {"jac": p.jac, "method": "BFGS"},
        {"jac": p.jac, "hess": p.hess, "method": "trust-exact"},
        {"jac": p.jac, "hessp": p.hessp, "method": "trust-ncg"},
    ]:
        assert scipy.optimize.minimize(p.fun, x0, **options).fun < 1e-8
    assert scipy.optimize.minimize(p.fun_and_jac, x0, jac=True).fun < 1e-8


def test_it_is_a_method_of_scipy():
    net, _ = network(25, 4, 16, 9)
    b = net.predict_proba(np.ones(4))
    x0 = np.zeros(4)
    p = net.problem(b, loss="kl", regularizer=0.01, radius=3.0)
    r = scipy.optimize.minimize(p.fun, x0, method=p)
    ours = net.invert(b, loss="kl", regularizer=0.01, radius=3.0)
    assert np.array_equal(r.x, ours.x) and r.fun == ours.fun and r.success
    again = scipy.optimize.minimize(
        p.fun, x0, method=p, jac=p.jac, hess=p.hess, tol=1e-3, options={"maxiter": 50, "seed": 1}
    )
    assert again.nit <= r.nit
    ended = scipy.optimize.minimize(p.fun, x0, method=p, options={"maxiter": 1})
    assert ended.status == "iteration-limit"
    seen = []
    scipy.optimize.minimize(
        p.fun, x0, method=p, callback=lambda intermediate_result: seen.append(intermediate_result)
    )
    assert [step.nit for step in seen] == list(range(1, r.nit + 1))


def test_it_minimises_no_other_function():
    net, _ = network(26, 4, 16, 9)
    p, other = (net.problem(net.predict_proba(x)) for x in np.eye(2, 4))
    for call, argument in [
        ({"fun": other.fun}, "fun"),
        ({"fun": lambda x: p.fun(x)}, "fun"),
        ({"fun": p.fun, "args": (1,)}, "fun"),
        ({"fun": p.fun_and_jac, "jac": True}, "fun"),
        ({"fun": p.fun, "jac": other.jac}, "jac"),
        ({"fun": p.fun, "hess": np.eye}, "hess"),
        ({"fun": p.fun, "bounds": [(0, 1)] * 4}, "bounds"),
        ({"fun": p.fun, "constraints": [{"type": "eq", "fun": sum}]}, "constraints"),
    ]:
        with pytest.raises(tl.InputError) as caught:
            scipy.optimize.minimize(**call, x0=np.zeros(4), method=p)
        assert caught.value.argument == argument
    with pytest.raises(TypeError):
        scipy.optimize.minimize(p.fun, np.zeros(4), method=p, options={"disp": True})


def test_it_goes_through_pickle_and_refuses_what_it_cannot_evaluate():
    net, _ = network(27, 4, 16, 9)
    p = net.problem(net.predict_proba(np.ones(4)), loss="kl")
    assert pickle.loads(pickle.dumps(p)).fun(np.zeros(4)) == p.fun(np.zeros(4))
    for x, words in [(np.ones(3), r"x has shape \(3,\)"), ([0, 0, np.nan, 0], r"x\[2\] is NaN")]:
        with pytest.raises(tl.InputError, match=words) as caught:
            p.jac(x)
        assert caught.value.argument == "x"
    with pytest.raises(tl.InputError, match=r"p has shape"):
        p.hessp(np.zeros(4), np.zeros(2))
    with pytest.raises(tl.InputError, match="sums to"):
        net.problem(np.ones(9))
    with pytest.raises(tl.InputError, match="not finite at x"):
        p.jac(np.full(4, 1e308))
