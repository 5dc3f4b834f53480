"""Derivatives of answers: against differences of whole solves, and against JAX."""

import pickle
import sys
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import jax
import numpy as np
import pytest
from conftest import network

import twolayer as tl
import twolayer.jax
import twolayer.torch

jax.config.update("jax_enable_x64", True)
jnp = jax.numpy

#: Near the third root of a roundoff, where central differences are best.
STEP = 1e-5
#: Answers are known to the root of a roundoff, and so their differences to that over STEP.
OFF = np.sqrt(np.finfo(float).eps) / STEP


def drawn(seed, m):
    """A distribution, and a change of it."""
    rng = np.random.default_rng(seed)
    db = rng.normal(size=m) / m
    return rng.dirichlet(np.full(m, 5.0)), db - db.mean()


@pytest.mark.parametrize("backend", ["faer", "nalgebra", "ndarray"])
@pytest.mark.parametrize(
    "stated",
    [
        {"loss": "kl"},
        {"loss": "kl", "regularizer": 0.05, "radius": 0.7},
        {"near": np.full(6, 0.3), "near_weight": 0.01, "bounds": (-0.4, 0.4)},
    ],
)
def test_an_answer_moves_as_its_derivative_says(small, stated, backend):
    net, _ = small
    b, db = drawn(7, 12)
    r = net.invert(b, backend=backend, **stated)
    dx = r.jvp_b(db)
    ends = [net.invert(b + h * db, r.x, backend=backend, **stated) for h in (STEP, -STEP)]
    assert all(sorted(end.active_kinks) == sorted(r.active_kinks) for end in ends)
    difference = (ends[0].x - ends[1].x) / (2 * STEP)
    assert np.linalg.norm(difference - dx) <= OFF * (np.linalg.norm(dx) + np.linalg.norm(r.x))
    # The transposed product.
    v = np.cos(np.arange(6.0))
    by_b = r.vjp_b(v)
    assert by_b.shape == (12,)
    assert by_b @ db == pytest.approx(v @ dx, rel=1e-9)
    everything = r.vjp(v)
    assert np.array_equal(everything.b, by_b)
    assert [layer.shape for layer in everything.layers] == [(20, 6), (12, 20)]
    assert [bias.shape for bias in everything.biases] == [(20,), (12,)]
    assert (everything.radius is None) == ("radius" not in stated)
    assert (everything.regularizer is None) == ("regularizer" not in stated)
    assert (everything.near is None) == ("near" not in stated)
    assert (everything.lower is None) == ("bounds" not in stated) == (everything.upper is None)


def test_weights_and_bounds_have_gradients_too(small):
    """Along a change of everything at once, by solving again."""
    net, _ = small
    b, _ = drawn(7, 12)
    rng = np.random.default_rng(5)
    layers, biases, near = net.layers, net.biases, np.full(6, 0.3)
    changes = [rng.normal(size=a.shape) for a in (*layers, *biases, near)]
    lower, upper, v = np.full(6, -0.4), np.full(6, 0.4), np.cos(np.arange(6.0))
    moves = [rng.normal(size=6), rng.normal(size=6)]

    def solved(h, x0=None):
        a1, a2, c1, c2, x_ref = (
            a + h * da for a, da in zip((*layers, *biases, near), changes, strict=True)
        )
        bounds = (lower + h * moves[0], upper + h * moves[1])
        moved = tl.Network([a1, a2], biases=[c1, c2])
        return moved.invert(b, x0, bounds=bounds, near=x_ref, near_weight=0.01)

    r = solved(0)
    assert len(r.active_kinks) > 0
    g = r.vjp(v)
    gradients = [*g.layers, *g.biases, g.near, g.lower, g.upper]
    along = sum(np.sum(g * d) for g, d in zip(gradients, [*changes, *moves], strict=True))
    ends = [solved(h, np.clip(r.x, lower + h * moves[0], upper + h * moves[1])) for h in (STEP, -STEP)]
    assert all(sorted(end.active_kinks) == sorted(r.active_kinks) for end in ends)
    assert v @ (ends[0].x - ends[1].x) / (2 * STEP) == pytest.approx(along, rel=1e-2)


def test_many_answers_have_theirs_row_by_row(small):
    net, _ = small
    rows = [drawn(seed, 12) for seed in range(4)]
    B, DB = (np.array(side) for side in zip(*rows, strict=True))
    V = np.random.default_rng(0).normal(size=(4, 6))
    r = net.invert(B, loss="kl")
    by_b, dx = r.vjp_b(V), r.jvp_b(DB)
    assert (by_b.shape, dx.shape, len(r.vjp(V))) == ((4, 12), (4, 6), 4)
    for k in range(4):
        one = net.invert(B[k], loss="kl")
        assert np.array_equal(one.vjp_b(V[k]), by_b[k])
        assert np.array_equal(one.jvp_b(DB[k]), dx[k])
    again = pickle.loads(pickle.dumps(r))
    assert np.array_equal(again.vjp_b(V), by_b)
    # One b with two starts is two answers of the same b.
    two = net.invert(B[0], np.zeros((2, 6)), loss="kl")
    assert np.array_equal(two.vjp_b(V[[0, 0]])[1], by_b[0])


def test_single_precision_has_its_own():
    net, _ = network(3, 6, 20, 12, np.float32)
    wide = tl.Network(net.layers, biases=net.biases, dtype="float64")
    b, db = drawn(7, 12)
    v = np.cos(np.arange(6.0))
    r, reference = (of.invert(b, loss="kl") for of in (net, wide))
    assert r.vjp_b(v).dtype == r.jvp_b(db).dtype == np.float32
    for mine, other in ((r.vjp_b(v), reference.vjp_b(v)), (r.jvp_b(db), reference.jvp_b(db))):
        off = np.linalg.norm(mine - other) / np.linalg.norm(other)
        assert off <= 16 * np.sqrt(np.finfo(np.float32).eps)


def test_what_has_no_derivative_is_refused_by_name(small):
    # Fewer outcomes than inputs.
    net, _ = network(5, 8, 30, 4)
    b = net.predict_proba(np.full(8, 0.2))
    with pytest.raises(tl.NoDerivative, match="not strict") as caught:
        net.invert(b).vjp_b(np.ones(8))
    assert caught.value.reason == "not-strict"
    assert isinstance(caught.value, ArithmeticError)
    with pytest.raises(tl.NoDerivative, match="infinity") as caught:
        net.invert([1.0, 0, 0, 0]).vjp_b(np.ones(8))
    assert caught.value.reason == "at-infinity"
    assert net.invert(b, near=np.zeros(8), near_weight=0.01).vjp_b(np.ones(8)).shape == (4,)
    with pytest.raises(tl.NoDerivative, match="of another call") as caught:
        tl.Result(x=np.zeros(8), status="gradient-small").vjp_b(np.ones(8))
    assert caught.value.reason == "unknown"
    net, _ = small
    B = np.array([drawn(seed, 12)[0] for seed in range(2)])
    with pytest.raises(tl.NoDerivative, match="target 0: .*iteration limit") as caught:
        net.invert(B, max_iterations=1).vjp_b(np.ones((2, 6)))
    assert caught.value.reason == "not-converged"
    # The minimum is where the bound is.
    x = np.full(6, 0.25)
    r = net.invert(net.predict_proba(x), x, bounds=(-1, 0.25))
    with pytest.raises(tl.NoDerivative, match="corner.*upper bound") as caught:
        r.jvp_b(np.zeros(12))
    assert caught.value.reason == "corner"
    r = net.invert(B, loss="kl")
    for argument, wrong in (("v", np.ones(6)), ("v", np.ones((3, 6))), ("v", np.ones((2, 5)))):
        with pytest.raises(tl.InputError, match=r"v has shape") as caught:
            r.vjp_b(wrong)
        assert caught.value.argument == argument
    with pytest.raises(tl.InputError, match="db has shape"):
        r.jvp_b(np.ones((2, 6)))
    with pytest.raises(tl.InputError, match="NaN"):
        r.vjp_b(np.full((2, 6), np.nan))


def smooth(seed):
    """A network without kinks, in the library and in JAX."""
    rng = np.random.default_rng(seed)
    sizes = [5, 16, 12, 9]
    layers = [rng.normal(size=(n, d)) / np.sqrt(d) for d, n in zip(sizes, sizes[1:], strict=False)]
    biases = [0.3 * rng.normal(size=n) for n in sizes[1:]]
    net = tl.Network(layers, biases=biases, activation=["tanh", "softplus"])

    def logits(layers, x):
        a = jnp.tanh(layers[0] @ x + biases[0])
        a = jax.nn.softplus(layers[1] @ a + biases[1])
        return layers[2] @ a + biases[2]

    return net, layers, logits


def test_a_gradient_is_that_of_the_implicit_equation_in_jax():
    net, layers, logits = smooth(1)
    b, _ = drawn(3, 9)
    v = np.cos(np.arange(5.0))
    near = np.full(5, 0.1)

    def objective(x, b, layers, near):
        f = jax.nn.softmax(logits(layers, x))
        return jnp.sum((f - b) ** 2) + 0.5 * 0.05 * jnp.sum((x - near) ** 2)

    r = net.invert(b, near=near, near_weight=0.05)
    assert r.success
    hessian = jax.hessian(objective)(r.x, b, layers, near)
    w = np.linalg.solve(hessian, v)
    of_slope = jax.grad(lambda *rest: w @ jax.grad(objective)(r.x, *rest), argnums=(0, 1, 2))
    by_b, by_layers, by_near = of_slope(b, layers, near)
    # What x is off by, its Hessian is off by.
    error = {"rtol": 1e-6, "atol": 1e-6 * np.abs(w).max()}
    found = r.vjp(v)
    np.testing.assert_allclose(found.b, -by_b, **error)
    np.testing.assert_allclose(found.near, -by_near, **error)
    for mine, other in zip(found.layers, by_layers, strict=True):
        np.testing.assert_allclose(mine, -other, **error)
    # And as a function of JAX, with all that JAX makes of one.
    def inverse(b):
        return twolayer.jax.invert(net, b, near=near, near_weight=0.05)

    value, gradient = jax.value_and_grad(lambda b: v @ inverse(b))(jnp.asarray(b))
    assert value == pytest.approx(v @ r.x, rel=1e-12)
    assert np.array_equal(gradient, found.b)
    compiled = jax.jit(jax.grad(lambda b: v @ inverse(b)))
    assert np.array_equal(compiled(b), found.b)
    both = jax.vmap(jax.grad(lambda b: v @ inverse(b)))(jnp.stack([b, b[::-1]]))
    assert np.array_equal(both[0], found.b) and not np.array_equal(both[1], found.b)
    # Through a softmax before it: the chain rule meets the definition.
    def before(t):
        return v @ inverse(jax.nn.softmax(t))

    t = jnp.log(b)
    slope = jax.grad(before)(t)
    h = STEP * np.eye(9)[2]
    difference = (before(t + h) - before(t - h)) / (2 * STEP)
    assert slope[2] == pytest.approx(difference, rel=OFF, abs=OFF * np.abs(slope).max())


def test_jax_hears_why_there_is_no_gradient():
    net, _ = network(5, 8, 30, 4)
    b = jnp.asarray(net.predict_proba(np.full(8, 0.2)))
    assert twolayer.jax.invert(net, b).shape == (8,)
    with pytest.raises(Exception, match="not strict"):
        jax.block_until_ready(jax.grad(lambda b: twolayer.jax.invert(net, b).sum())(b))


class Tensor:
    """What is asked of a tensor."""

    device = "cpu"

    def __init__(self, values, dtype):
        self.values, self.dtype = np.asarray(values, dtype), dtype

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.values


def stand_in():
    """What is asked of PyTorch."""
    contexts = []

    class Function:
        @classmethod
        def apply(cls, b):
            contexts.append((cls, SimpleNamespace()))
            return cls.forward(contexts[-1][1], b)

    torch = ModuleType("torch")
    torch.autograd = SimpleNamespace(
        Function=Function, function=SimpleNamespace(once_differentiable=lambda f: f)
    )
    torch.as_tensor = lambda values, dtype, device: Tensor(values, dtype)
    return torch, contexts


def test_a_function_of_torch_has_the_same_gradient(small, monkeypatch):
    net, _ = small
    torch, contexts = stand_in()
    monkeypatch.setitem(sys.modules, "torch", torch)
    B = np.array([drawn(seed, 12)[0] for seed in range(2)])
    V = np.random.default_rng(0).normal(size=(2, 6))
    for b, v in ((B, V), (B[0], V[0])):
        r = net.invert(b, loss="kl")
        x = twolayer.torch.invert(net, Tensor(b, np.float64), loss="kl")
        assert np.array_equal(x.values, r.x)
        function, context = contexts.pop()
        assert np.array_equal(function.backward(context, Tensor(v, np.float64)).values, r.vjp_b(v))


if find_spec("torch"):

    def test_a_gradient_goes_through_torch_itself(small):
        import torch

        net, _ = small
        b = torch.tensor(drawn(7, 12)[0], requires_grad=True)
        x = twolayer.torch.invert(net, b, loss="kl")
        x.sum().backward()
        r = net.invert(b.detach().numpy(), loss="kl")
        assert np.array_equal(b.grad.numpy(), r.vjp_b(np.ones(6)))
