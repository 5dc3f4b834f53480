"""What a network puts out, and how it is made, copied and kept."""

import pickle

import numpy as np
import pytest
from conftest import Definition, network

import twolayer as tl


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_are_those_of_the_definition(dtype):
    net, definition = network(1, 5, 30, 17, dtype)
    X = np.random.default_rng(2).normal(size=(50, 5)).astype(dtype)
    logits, outputs = net.logits(X), net.predict_proba(X)
    assert logits.dtype == outputs.dtype == dtype
    roundoff = np.finfo(dtype).eps / 2
    for x, z, f in zip(X, logits, outputs, strict=True):
        error = definition.logit_error(x, roundoff)
        assert np.abs(z - definition.logits(x)).max() <= error
        # exp of a difference of two logits, m of them summed, divided.
        relative = 4 * error + (17 + 8) * roundoff
        expected = definition.probabilities(x)
        assert np.all(np.abs(f - expected) <= relative * expected)
        assert np.array_equal(net.logits(x), z) and np.array_equal(net.predict_proba(x), f)


def test_any_layout_and_number_of_threads_is_the_same_network():
    net, definition = network(4, 7, 40, 90)
    a1, a2 = net.layers
    biases = net.biases
    wide1, wide2 = np.empty((80, 21)), np.empty((90, 80))
    wide1[::2, ::3], wide2[:, ::-2] = a1, a2
    a1.flags.writeable = False
    X = np.random.default_rng(0).normal(size=(200, 7))
    expected = net.predict_proba(X)
    shifted = np.frombuffer(b"-" + a1.tobytes(), np.float64, offset=1).reshape(a1.shape)
    assert not shifted.flags.aligned
    assert np.array_equal(net.logits(shifted[:2, :7]), net.logits(a1[:2, :7]))
    for layers in [
        [shifted, a2],
        [np.asfortranarray(a1), np.asfortranarray(a2)],
        [wide1[::2, ::3], wide2[:, ::-2]],
        [a1.astype(">f8"), a2.tolist()],
    ]:
        other = tl.Network(layers, biases=biases)
        assert other == net
        assert np.array_equal(other.predict_proba(np.asfortranarray(X)), expected)
    for threads in [1, 2, 5]:
        assert np.array_equal(net.predict_proba(X, threads=threads), expected)


def test_a_large_network_is_copied_whole():
    # More entries than are copied at a time, and more in a row.
    rng = np.random.default_rng(0)
    for n, d in [(300, 500), (3, 70_000)]:
        a1, a2 = rng.normal(size=(n, d)), rng.normal(size=(4, n))
        for order in "CF":
            net = tl.Network([np.asarray(a1, order=order), a2])
            assert np.array_equal(net.layers[0], a1) and np.array_equal(net.layers[1], a2)
            assert not net.biases[0].any() and not net.biases[1].any()


def test_the_precision_is_that_of_the_arrays_or_what_is_asked_for():
    a1, a2 = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float64)
    assert tl.Network([a1, a1]).dtype == np.float32
    assert tl.Network([a1, a1], biases=[np.zeros(3), None]).dtype == np.float32
    assert tl.Network([a1, a2]).dtype == np.float64
    assert tl.Network([a1, a1], dtype="float64").dtype == np.float64
    assert tl.Network([a1.astype(np.float16), a1]).dtype == np.float32
    assert tl.Network([a1.astype(int), a1.astype(bool).astype(np.uint8)]).dtype == np.float64


def test_a_network_goes_through_pickle_and_a_file(tmp_path):
    net, _ = network(5, 4, 6, 8, np.float32)
    copy = pickle.loads(pickle.dumps(net))
    assert copy == net and copy.dtype == np.float32
    net.save(tmp_path / "net.npz")
    assert tl.Network.load(tmp_path / "net.npz") == net
    assert tl.Network.load(tmp_path / "net.npz", dtype="float64").dtype == np.float64
    assert net != network(6, 4, 6, 8, np.float32)[0] and net != 1
    assert repr(net) == "<twolayer.Network: 4 inputs, 6 relu, 8 outcomes, float32>"
    assert (net.inputs, net.hidden_units, net.outcomes) == (4, 6, 8)


def test_an_output_that_overflows_is_refused():
    net = tl.Network([[[1e200]], [[1e200], [0.0]]])
    with pytest.raises(tl.InputError, match="target 1: .*not finite at X") as caught:
        net.predict_proba([[0.0], [1e10]])
    assert caught.value.argument == "X"


def test_the_definition_is_what_it_says():
    definition = Definition([[1.0], [-1.0]], [0.0, 0.5], [[2.0, 0.0], [0.0, 1.0]], [0.0, 0.25])
    assert np.array_equal(definition.logits(np.array([3.0])), [6.0, 0.25])
    assert np.array_equal(definition.logits(np.array([-1.0])), [0.0, 1.75])
