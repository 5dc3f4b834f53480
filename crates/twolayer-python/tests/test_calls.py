"""A call while it runs: callbacks, interrupts, other threads, other processes, memory."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import network

import twolayer as tl

#: A call that takes minutes, after it has said that it begins.
LONG = """
import sys
import numpy as np, twolayer as tl
rng = np.random.default_rng(0)
net = tl.Network([rng.normal(size=(40, 10)), rng.normal(size=(30, 40))])
b = rng.dirichlet(np.ones(30), 300_000)
print("begins", flush=True)
try:
    net.invert(b, threads=int(sys.argv[1]))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_callback_sees_every_iteration(small):
    net, definition = small
    b = np.random.default_rng(5).dirichlet(np.ones(12))
    steps, caller = [], threading.get_ident()

    def watch(step):
        assert threading.get_ident() == caller
        steps.append(step)

    r = net.invert(b, callback=watch)
    # All entries of the trace but those of starts, which repeat the number before them.
    iterations = r.trace[1:][np.diff(r.trace["iteration"]) > 0]
    assert [step.nit for step in steps] == list(iterations["iteration"])
    assert [step.fun for step in steps] == list(iterations["loss"])
    assert np.array_equal(steps[-1].x, r.x)
    # A watched solve is the same.
    assert np.array_equal(net.invert(b).x, r.x)
    on_the_loss = [step for step in steps if step.stage == "target"]
    misfit = np.sum((definition.probabilities(on_the_loss[0].x) - b) ** 2)
    assert np.isclose(on_the_loss[0].fun, misfit, rtol=1e-10)


def test_a_callback_sees_all_inputs_where_the_units_are_fewer():
    net, definition = network(9, 30, 6, 12)
    b, steps = np.random.default_rng(6).dirichlet(np.ones(12)), []
    r = net.invert(b, callback=steps.append)
    assert all(step.x.shape == (30,) for step in steps) and np.array_equal(steps[-1].x, r.x)
    alone = net.invert(b)
    assert alone.x.shape == alone.jac.shape == (30,)
    for answer in (r, alone):
        misfit = np.sum((definition.probabilities(answer.x) - b) ** 2)
        assert np.isclose(answer.fun, misfit, rtol=1e-10)


def test_a_callback_ends_a_call(small):
    net, _ = small
    seen = []

    def enough(step):
        seen.append(step)
        if len(seen) == 2:
            raise StopIteration

    r = net.invert(np.full(12, 1 / 12), callback=enough)
    assert r.status == "stopped" and not r.success and len(seen) == 2
    assert np.isfinite(r.x).all() and np.isfinite(r.probabilities).all()


def test_what_a_callback_raises_comes_out(small):
    net, _ = small

    def fail(step):
        raise ZeroDivisionError(step.nit)

    with pytest.raises(ZeroDivisionError, match="^1$"):
        net.invert(np.full(12, 1 / 12), callback=fail)
    with pytest.raises(tl.InputError, match="single problem") as caught:
        net.invert(np.full((2, 12), 1 / 12), callback=fail)
    assert caught.value.argument == "callback"


# A thread alone works and listens by turns; several have one that listens.
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
def test_an_interrupt_ends_a_call(threads):
    call = [sys.executable, "-c", LONG, str(threads)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "begins\n"
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        # Uninterrupted it would say nothing, minutes later.
        assert child.stdout.read() == "interrupted\n"
    assert child.returncode == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_other_threads_run_meanwhile(small, threads):
    net, _ = small
    targets = np.random.default_rng(0).dirichlet(np.ones(12), 100_000)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(net.invert, targets, time_limit=2, threads=threads)
        turns = 0
        while not call.done():
            time.sleep(0.01)
            turns += 1
    # A call that kept the interpreter would leave a turn before it and one behind it.
    assert turns > 5
    assert "not-reached" in call.result().status


def test_calls_on_several_threads_are_those_of_one(small):
    net, _ = small
    targets = net.predict_proba(np.random.default_rng(1).normal(size=(40, 6)))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(net.invert, targets))
    for b, r in zip(targets, answers, strict=True):
        assert np.array_equal(net.invert(b).x, r.x)


def solve(job):
    net, b = job
    return net.invert(b).x


def test_a_network_goes_to_other_processes(small):
    net, _ = small
    targets = net.predict_proba(np.random.default_rng(2).normal(size=(3, 6)))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        answers = pool.map(solve, [(net, b) for b in targets])
    assert np.array_equal(answers, [net.invert(b).x for b in targets])


FORK = """
import os, sys
import numpy as np, twolayer as tl

rng = np.random.default_rng(0)
net = tl.Network([rng.normal(size=(1500, 100)) / 10, rng.normal(size=(4000, 1500)) / 40])
b = net.predict_proba(rng.normal(size=100))
p = net.problem(b)


def work():
    other = tl.Network(net.layers)
    x = other.invert(b, max_iterations=2).x
    return x.tobytes() + net.predict_proba(x).tobytes() + p.hess(x).tobytes()


before = work()
child = os.fork()
if child == 0:
    os._exit(0 if work() == before else 1)
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked here")
def test_a_forked_process_does_not_wait_for_threads_that_it_has_not():
    # The network is large enough for products to be shared out.
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=600, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_a_bar_counts_targets(small, capsys, threads):
    net, _ = small
    targets = np.random.default_rng(3).dirichlet(np.ones(12), 5)
    net.invert(targets, starts=2, progress=True, threads=threads)
    told = capsys.readouterr().err
    assert "targets: 100%" in told and "5/5" in told and "targets tried again" in told


def test_without_tqdm_there_is_no_bar_and_a_warning(small, monkeypatch):
    net, _ = small
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.warns(UserWarning, match="not installed"):
        assert net.invert(np.full(12, 1 / 12), progress=True).success


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is told otherwise")
def test_calls_leave_no_memory_behind():
    net, _ = network(8, 3, 6, 5)
    b = net.predict_proba(np.ones((2, 3)))

    def pages():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1])

    def work(calls):
        for _ in range(calls):
            net.invert(b, certify=True, threads=1)
            net.problem(b[0]).fun_and_jac(np.ones(3))
            with pytest.raises(tl.InputError):
                net.invert([1.0, 1.0, 1.0, 1.0, 1.0])

    work(500)
    before = pages()
    work(5000)
    # A single array of five numbers left behind by each call would be more than 100 pages.
    assert pages() - before < 100
