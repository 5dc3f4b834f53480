"""The nearest images that the digits network reads as something else: `twolayer invert --nearest` and `--want`
beside SciPy's SLSQP with the same constraints, and a penalty with L-BFGS-B over a decade sweep of its weight.

    python counterfactuals.py TWOLAYER data/digits.npz COUNT

Needs NumPy, SciPy and scikit-learn. Prints JSON; all on one thread.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_digits

WANTED, LIKELY = 8, 0.9
# What a peer's answer may miss and be counted all the same, in logarithms of the output.
MET = 1e-6
# Weights of the distance beside the squared misfit.
SWEEP = 10.0 ** np.arange(3, -9, -1)
SHOWN = 3


class Network:
    def __init__(self, arrays):
        depth = sum(name.startswith("A") for name in arrays)
        self.layers = [(arrays[f"A{i}"], arrays[f"c{i}"]) for i in range(1, depth + 1)]

    def logarithms(self, x):
        """log f (m), and its Jacobian (m×d)."""
        a, jacobian = x, None
        for index, (weights, bias) in enumerate(self.layers):
            h = weights @ a + bias
            jacobian = weights if jacobian is None else weights @ jacobian
            if index < len(self.layers) - 1:
                on = h > 0
                a, jacobian = h * on, jacobian * on[:, None]
        largest = h.max()
        log_f = h - largest - np.log(np.exp(h - largest).sum())
        return log_f, jacobian - np.exp(log_f) @ jacobian


class Memory:
    """The last evaluation: SciPy asks for values and derivatives one by one."""

    def __init__(self, network):
        self.network, self.x, self.found = network, None, None

    def __call__(self, x):
        if self.x is None or not np.array_equal(self.x, x):
            self.x, self.found = x.copy(), self.network.logarithms(x)
        return self.found


def misses(network, x, b):
    log_f, _ = network.logarithms(x)
    if b is None:
        return max(0.0, np.log(LIKELY) - log_f[WANTED])
    ratios = log_f - np.log(b)
    return float(np.abs(ratios - ratios.mean()).max())


def slsqp(network, reference, b):
    of = Memory(network)
    if b is None:
        constraint = {
            "type": "ineq",
            "fun": lambda x: of(x)[0][WANTED] - np.log(LIKELY),
            "jac": lambda x: of(x)[1][WANTED],
        }
    else:
        log_b = np.log(b)
        constraint = {
            "type": "eq",
            "fun": lambda x: (lambda r: r[1:] - r[0])(of(x)[0] - log_b),
            "jac": lambda x: (lambda j: j[1:] - j[0])(of(x)[1]),
        }
    return minimize(
        lambda x: 0.5 * (x - reference) @ (x - reference),
        reference,
        jac=lambda x: x - reference,
        method="SLSQP",
        bounds=[(0, 1)] * len(reference),
        constraints=constraint,
        options={"maxiter": 1000, "ftol": 1e-14},
    ).x


def sweep(network, reference, b):
    """The nearest of the answers that have the output; else the one that misses it least."""
    log_b = None if b is None else np.log(b)

    def objective(x, weight):
        log_f, jacobian = network.logarithms(x)
        apart = x - reference
        if b is None:
            missing = max(0.0, np.log(LIKELY) - log_f[WANTED])
            return 0.5 * missing**2 + 0.5 * weight * apart @ apart, weight * apart - missing * jacobian[WANTED]
        ratios = log_f - log_b
        ratios -= ratios.mean()
        return 0.5 * ratios @ ratios + 0.5 * weight * apart @ apart, weight * apart + ratios @ jacobian

    x, answers = reference, []
    for weight in SWEEP:
        options = {"maxiter": 5000, "maxfun": 10000, "ftol": 1e-16, "gtol": 1e-12}
        x = minimize(
            objective, x, (weight,), jac=True, method="L-BFGS-B", bounds=[(0, 1)] * len(x), options=options
        ).x
        answers.append(x)
    met = [x for x in answers if misses(network, x, b) <= MET]
    if met:
        return min(met, key=lambda x: np.linalg.norm(x - reference))
    return min(answers, key=lambda x: misses(network, x, b))


def ours(twolayer, problem, references, targets, folder):
    near, out = os.path.join(folder, "near.npy"), os.path.join(folder, "out.npz")
    np.save(near, references)
    command = [twolayer, "invert", problem, "--out", out, "--near", near, "--lower", "0", "--upper", "1"]
    command += ["--threads", "1", "--quiet", "--report", "json"]
    if targets is None:
        command += ["--want", str(WANTED), "--margin", str(LIKELY)]
    else:
        b = os.path.join(folder, "b.npy")
        np.save(b, targets)
        command += ["--nearest", "--targets", b]
    printed = subprocess.run(command, capture_output=True, text=True)
    if printed.returncode not in (0, 1):
        sys.exit(printed.stderr)
    report = json.loads(printed.stdout)["nearest"]
    return np.load(out)["x"], [answer["solve_seconds"] for answer in report], [a["status"] for a in report]


def main():
    twolayer, problem, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    network = Network(np.load(problem))
    images = load_digits().data / 16
    outputs = np.exp([network.logarithms(x)[0] for x in images])
    read = outputs.argmax(axis=1)
    results, shown = {}, []
    for task in ("output", "winner"):
        # Images that are not read as the wanted digit, and for the outputs those of images that are.
        chosen = np.flatnonzero(read != WANTED)[:count]
        references = images[chosen]
        targets = outputs[np.flatnonzero(read == WANTED)[:count]] if task == "output" else None
        if targets is not None:
            targets = targets[np.arange(count) % len(targets)]
        with tempfile.TemporaryDirectory() as folder:
            answers, seconds, statuses = ours(twolayer, problem, references, targets, folder)
        programs = {"twolayer": (list(answers), seconds)}
        for name, solve in (("SLSQP", slsqp), ("penalty, L-BFGS-B", sweep)):
            found, took = [], []
            for index, reference in enumerate(references):
                began = time.perf_counter()
                found.append(solve(network, reference, None if targets is None else targets[index]))
                took.append(time.perf_counter() - began)
            programs[name] = (found, took)
        results[task] = {
            name: {
                "distances": [float(np.linalg.norm(x - r)) for x, r in zip(found, references)],
                "misses": [
                    float(misses(network, x, None if targets is None else targets[i])) for i, x in enumerate(found)
                ],
                "seconds": took,
            }
            for name, (found, took) in programs.items()
        }
        results[task]["twolayer"]["statuses"] = statuses
        if task == "winner":
            order = np.argsort(results[task]["twolayer"]["distances"])
            changed = [i for i in order if results[task]["twolayer"]["distances"][i] > 0][:SHOWN]
            for index in changed:
                pictures = {"image": references[index], **{name: found[index] for name, (found, _) in programs.items()}}
                shown.append({"reads": int(read[chosen[index]]), "pictures": {k: list(map(float, v)) for k, v in pictures.items()}})
    print(json.dumps({"results": results, "shown": shown, "met": MET}))


main()
