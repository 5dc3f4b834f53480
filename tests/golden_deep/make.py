"""Makes the golden vectors of deeper networks in 80-digit arithmetic.

    python make.py

Value, gradient and Hessian of both losses, by central differences of the definition with a step of 1e-18: off by
1e-36 times a third or fourth derivative, and by 1e-44 of rounding. Needs mpmath.
"""

import json
from pathlib import Path

import mpmath as mp

mp.mp.dps = 80
STEP = mp.mpf(10) ** -18

FUNCTIONS = {
    "relu": lambda h: h if h > 0 else mp.mpf(0),
    "leaky-relu:0.125": lambda h: h if h > 0 else h / 8,
    "softplus": lambda h: mp.log1p(mp.exp(-abs(h))) + (h if h > 0 else 0),
    "tanh": mp.tanh,
    "gelu": lambda h: h * mp.ncdf(h),
    "gelu-tanh": lambda h: h / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (h + mp.mpf("0.044715") * h**3))),
    "silu": lambda h: h / (1 + mp.exp(-h)),
    "sigmoid": lambda h: 1 / (1 + mp.exp(-h)),
    "hard-tanh": lambda h: max(mp.mpf(-1), min(mp.mpf(1), h)),
    "identity": lambda h: h,
}

#: Widths and activations.
NETWORKS = {
    **{name.split(":")[0]: ([3, 5, 6], [name]) for name in FUNCTIONS},
    "two_relu": ([3, 6, 5, 7], ["relu", "relu"]),
    "gelu_tanh_layers": ([4, 6, 5, 4], ["gelu", "tanh"]),
    "four_layers": ([3, 5, 5, 5, 6], ["silu", "softplus", "sigmoid"]),
    "clipped": ([3, 6, 5, 7], ["hard-tanh", "leaky-relu:0.125"]),
    "mixed": ([4, 5, 6, 5, 3], ["relu", "gelu-tanh", "leaky-relu:0.125"]),
}


class Draw:
    """Numbers with few digits, the same everywhere: a linear congruential generator."""

    def __init__(self, seed):
        self.state = seed

    def __call__(self, scale):
        self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
        part = (self.state >> 40) / 2**24 - 0.5
        return round(scale * part * 4096) / 4096


def logits(layers, activations, x):
    a = x
    for number, (weights, bias) in enumerate(layers):
        h = [mp.fsum([w * v for w, v in zip(row, a)]) + c for row, c in zip(weights, bias)]
        a = [FUNCTIONS[activations[number]](v) for v in h] if number < len(activations) else h
    return a


def output(z):
    powers = [mp.exp(v) for v in z]
    total = mp.fsum(powers)
    return [p / total for p in powers]


LOSSES = {
    "squared": lambda f, b: mp.fsum([(f - b) ** 2 for f, b in zip(f, b)]),
    "kl": lambda f, b: mp.fsum([b * mp.log(b / f) - b + f for f, b in zip(f, b)]),
}


def derivatives(value, x):
    d = len(x)

    def at(*moves):
        moved = list(x)
        for j, step in moves:
            moved[j] += step
        return value(moved)

    gradient = [(at((j, STEP)) - at((j, -STEP))) / (2 * STEP) for j in range(d)]
    hessian = [
        [
            (at((i, STEP), (j, STEP)) - at((i, STEP), (j, -STEP)) - at((i, -STEP), (j, STEP)) + at((i, -STEP), (j, -STEP)))
            / (4 * STEP**2)
            for j in range(d)
        ]
        for i in range(d)
    ]
    return {
        "value": float(value(x)),
        "gradient": [float(g) for g in gradient],
        "hessian": [[float(h) for h in row] for row in hessian],
    }


def main():
    for seed, (name, (widths, activations)) in enumerate(NETWORKS.items(), 1):
        draw = Draw(seed)
        layers = []
        for columns, rows in zip(widths, widths[1:]):
            weights = [[draw(4 / columns**0.5) for _ in range(columns)] for _ in range(rows)]
            layers.append((weights, [draw(1.0) for _ in range(rows)]))
        x = [draw(3.0) for _ in range(widths[0])]
        parts = [1 + round(8 * abs(draw(2.0))) for _ in range(widths[-1])]
        # Of a power of two, so that b is exact and its sum 1.
        parts[0] += 64 - sum(parts)
        b = [mp.mpf(part) / 64 for part in parts]
        assert min(parts) > 0
        exact = [([[mp.mpf(w) for w in row] for row in weights], [mp.mpf(c) for c in bias]) for weights, bias in layers]
        point = [mp.mpf(v) for v in x]
        record = {
            "name": name,
            "activations": activations,
            "weights": [weights for weights, _ in layers],
            "biases": [bias for _, bias in layers],
            "b": [float(v) for v in b],
            "x": x,
            "logits": [float(z) for z in logits(exact, activations, point)],
        }
        for loss, function in LOSSES.items():
            record[loss] = derivatives(lambda v: function(output(logits(exact, activations, v)), b), point)
        path = Path(__file__).parent / f"{name}.json"
        path.write_text(json.dumps(record, indent=1) + "\n")


main()
