"""Targets in a Dask array: the answers of one call, also where a worker is killed."""

import os
import pickle
import signal
import time

import dask
import dask.array as da
import numpy as np
import pytest
from conftest import network

import twolayer as tl
from twolayer.dask import invert

FIELDS = ["x", "fun", "gradient_norm", "success", "status", "nit"]


@pytest.fixture
def net():
    return network(31, 6, 24, 60)[0]


def targets(net, count, seed=0):
    """Half of them attained."""
    rng = np.random.default_rng(seed)
    attained = net.predict_proba(rng.normal(size=(count // 2, net.inputs)))
    return np.concatenate([attained, rng.dirichlet(np.ones(net.outcomes), count - count // 2)])


def assert_same_bits(answers, r):
    for name in FIELDS:
        assert answers[name].dtype.kind == r[name].dtype.kind
        assert np.array_equal(answers[name], r[name]), name


# Eight targets and more are solved otherwise than fewer, whatever the chunks.
@pytest.mark.parametrize(("count", "rows"), [(20, 3), (20, 20), (20, 1), (7, 3), (8, 4)])
def test_chunks_are_one_call(net, count, rows):
    b = targets(net, count)
    r = invert(net, da.from_array(b, chunks=(rows, 11)), loss="kl")
    assert list(r) == FIELDS and r["x"].chunks == (da.from_array(b, chunks=(rows, -1)).chunks[0], (6,))
    assert r["fun"].chunks == r["status"].chunks == r["x"].chunks[:1]
    assert_same_bits(dask.compute(r)[0], net.invert(b, loss="kl"))


def test_nothing_is_solved_before_it_is_wanted(net):
    def fail():
        raise ZeroDivisionError

    b = da.from_delayed(dask.delayed(fail)(), (10, 60), float)
    r = invert(net, b)
    with pytest.raises(ZeroDivisionError):
        r["x"].compute()


def test_starts_are_one_or_one_for_each_target(net):
    b, x0 = targets(net, 10), np.random.default_rng(4).normal(size=(10, 6))
    lazy = da.from_array(b, chunks=(4, -1))
    for given, one in [(x0, x0), (da.from_array(x0, chunks=(3, 2)), x0), (x0[0], x0[0]), (list(x0[0]), x0[0])]:
        assert_same_bits(dask.compute(invert(net, lazy, given))[0], net.invert(b, one))


def test_a_network_in_single_precision_answers_in_it():
    net, _ = network(31, 6, 24, 60, dtype=np.float32)
    b = targets(net, 9)
    r = invert(net, da.from_array(b, chunks=(4, -1)))
    assert r["x"].dtype == r["fun"].dtype == np.float32
    assert_same_bits(dask.compute(r)[0], net.invert(b))


def test_roundings_are_told_by_the_type_as_in_one_call(net):
    b = targets(net, 9).astype(np.float16)
    assert_same_bits(dask.compute(invert(net, da.from_array(b, chunks=(4, -1))))[0], net.invert(b))


@pytest.mark.parametrize(
    ("argument", "words", "options"),
    [
        ("starts", "nearest of all targets", {"starts": 2}),
        ("callback", "one call", {"callback": print}),
        ("progress", "one call", {"progress": True}),
        ("time_limit", "one call", {"time_limit": 1.0}),
        ("certify", "one call", {"certify": True}),
        ("trace", "one call", {"trace": True}),
        ("total", "one call", {"total": 10}),
        ("speed", "no option", {"speed": 3}),
        ("loss", "hinge", {"loss": "hinge"}),
        ("bounds", "bounds", {"bounds": (1, 0)}),
        ("x0", "a start for each target", {"x0": np.zeros((3, 6))}),
        ("x0", "expected (6,)", {"x0": np.zeros(5)}),
    ],
)
def test_what_no_chunk_could_do_is_refused_at_once(net, argument, words, options):
    b = da.from_array(targets(net, 10), chunks=(4, -1))
    with pytest.raises(tl.InputError) as caught:
        invert(net, b, **options)
    assert caught.value.argument == argument and words in str(caught.value)


def test_what_are_no_targets_is_refused_at_once(net):
    b = targets(net, 10)
    lazy = da.from_array(b, chunks=(4, -1))
    for given, words in [(b, "ndarray"), (lazy[0], "(60,)"), (lazy[:, 1:], "59"), (lazy[lazy[:, 0] > 0], "unknown")]:
        with pytest.raises(tl.InputError) as caught:
            invert(net, given)
        assert caught.value.argument == "b" and words in str(caught.value)


def test_a_bad_target_is_told_by_the_rows_that_it_is_in(net):
    b = targets(net, 10)
    b[5, 0] = np.nan
    r = invert(net, da.from_array(b, chunks=(4, -1)))
    with pytest.raises(tl.InputError, match="in rows 4 to 7 of b: ") as caught:
        r["x"].compute()
    assert caught.value.argument == "b"
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.argument, str(copy)) == (caught.value.argument, str(caught.value))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no process is killed so here")
@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_is_killed_changes_no_bit(net):
    from distributed import Client, LocalCluster

    b = targets(net, 3000)
    settings = {"distributed.scheduler.allowed-failures": 5, "distributed.comm.timeouts.connect": "60s"}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        lazy = da.from_array(b, chunks=(50, -1))
        futures = client.compute(list(invert(net, lazy)["x"].to_delayed().ravel()))
        workers = client.run(os.getpid)
        while not any(future.done() for future in futures):
            time.sleep(0.01)
        os.kill(next(iter(workers.values())), signal.SIGKILL)
        # In the middle.
        assert not all(future.done() for future in futures)
        x = np.concatenate(client.gather(futures))
        assert not set(client.run(os.getpid).values()) >= set(workers.values())
    assert np.array_equal(x, net.invert(b).x)
