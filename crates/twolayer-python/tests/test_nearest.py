"""The nearest points with an output, or with a winner."""

import os
import subprocess

import numpy as np
import pytest
from scipy.optimize import minimize

import twolayer as tl


@pytest.fixture
def net(rng):
    """More inputs than outcomes, and smooth."""
    layers = [rng.normal(size=(16, 8)), 0.4 * rng.normal(size=(4, 16))]
    return tl.Network(layers, biases=[rng.normal(size=16), rng.normal(size=4)], activation="tanh")


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_the_nearest_is_that_of_slsqp(net, rng):
    near, planted = rng.normal(size=8), rng.normal(size=8)
    b = net.predict_proba(planted)
    r = net.nearest(near, b)
    assert r.success and r.status == "nearest", r
    np.testing.assert_allclose(net.predict_proba(r.x), b, rtol=1e-9)
    assert r.distance == pytest.approx(np.linalg.norm(r.x - near), abs=1e-12)
    assert r.residual < 1e-5 and r.violation < 1e-10 and r.distinct >= 1
    log_b = np.log(b)

    def apart(x):
        ratios = np.log(net.predict_proba(x)) - log_b
        return (ratios - ratios[0])[1:]

    constraint = {"type": "eq", "fun": apart}
    peer = minimize(lambda x: 0.5 * (x - near) @ (x - near), r.x, jac=lambda x: x - near, constraints=constraint)
    # It starts at the answer, and finds nothing nearer around it.
    assert np.linalg.norm(peer.x - near) >= r.distance - 1e-6


def test_a_winner_within_bounds(net, rng):
    near = rng.normal(size=8)
    want = int(net.predict_proba(near).argmin())
    r = net.nearest(near, want=want, margin=0.6, bounds=(near - 3, near + 3))
    assert r.success, r
    assert net.predict_proba(r.x)[want] == pytest.approx(0.6, abs=1e-9)
    assert np.all(np.abs(r.x - near) <= 3)
    there = net.nearest(near, want=int(net.predict_proba(near).argmax()), margin=0.01)
    assert there.distance == 0 and np.array_equal(there.x, near)


def test_several_are_those_of_one_by_one(net, rng):
    near, planted = rng.normal(size=(5, 8)), rng.normal(size=(5, 8))
    b = net.predict_proba(planted)
    together = net.nearest(near, b, starts=2)
    assert together.x.shape == (5, 8) and together.distance.shape == (5,)
    for i in range(5):
        assert np.array_equal(together.x[i], net.nearest(near[i], b[i], starts=2).x)
    assert np.array_equal(net.nearest(near[0], b).x[2], net.nearest(near[0], b[2]).x)
    assert np.array_equal(net.invert(b, nearest=True, near=near, starts=2).x, together.x)


def test_single_precision_stays(net, rng):
    single = tl.Network([a.astype("f4") for a in net.layers], [c.astype("f4") for c in net.biases], activation="tanh")
    near = rng.normal(size=8).astype("f4")
    b = single.predict_proba(rng.normal(size=8).astype("f4"))
    r = single.nearest(near, b, scales=np.full(8, 2.0))
    assert r.x.dtype == np.float32 and r.success, r
    assert r.distance == pytest.approx(2 * np.linalg.norm(r.x - near), rel=1e-5)
    np.testing.assert_allclose(single.predict_proba(r.x), b, rtol=1e-4)


@pytest.mark.skipif("TWOLAYER" not in os.environ, reason="the command is not told")
def test_it_is_the_commands(net, rng, tmp_path):
    near, b = rng.normal(size=8), net.predict_proba(rng.normal(size=8))
    net.save(tmp_path / "net.npz")
    np.save(tmp_path / "b.npy", b[None])
    np.save(tmp_path / "near.npy", near)
    out = tmp_path / "out.npz"
    options = ["--nearest", "--targets", tmp_path / "b.npy", "--near", tmp_path / "near.npy", "--quiet"]
    subprocess.run([os.environ["TWOLAYER"], "invert", tmp_path / "net.npz", "--out", out, *options], check=True)
    assert np.array_equal(np.load(out)["x"][0], net.nearest(near, b).x)


def test_what_is_out_of_bounds_is_told(net, rng):
    near, b = rng.normal(size=8), net.predict_proba(rng.normal(size=8))
    r = net.nearest(near, b, bounds=(near - 1e-3, near + 1e-3))
    assert not r.success and r.status == "not-met" and "widen the bounds" in r.message


def test_what_cannot_be_asked_is_refused(net):
    near, b = np.zeros(8), np.full(4, 0.25)
    for argument, call in [
        ("b", lambda: net.nearest(near)),
        ("b", lambda: net.nearest(near, b, want=1)),
        ("b", lambda: net.nearest(near, [1.0, 0.0, 0.0, 0.0])),
        ("near", lambda: net.nearest(None, b)),
        ("near", lambda: net.nearest(np.zeros(7), b)),
        ("want", lambda: net.nearest(near, want=-1)),
        ("want", lambda: net.nearest(near, want=4)),
        ("margin", lambda: net.nearest(near, want=0, margin=1.0)),
        ("scales", lambda: net.nearest(near, b, scales=np.ones(3))),
        ("bounds", lambda: net.nearest(near, b, bounds=(1, 0))),
        ("near_weight", lambda: net.invert(b, nearest=True, near=near, near_weight=1.0)),
        ("loss", lambda: net.invert(b, nearest=True, near=near, loss="kl")),
        ("hessian", lambda: net.invert(b, nearest=True, near=near, hessian="exact")),
        ("backend", lambda: net.invert(b, nearest=True, near=near, backend="ndarray")),
        ("certify", lambda: net.invert(b, nearest=True, near=near, certify=True)),
    ]:
        with pytest.raises(tl.InputError) as error:
            call()
        assert error.value.argument == argument
