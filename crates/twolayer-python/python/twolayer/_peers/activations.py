"""φ(h), φ'(h) and φ''(h) of every activation, in NumPy; on a kink the side below counts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Triple = tuple[Vector, Vector, Vector]
Activation = Callable[[Vector], Triple]


def activation(name: str) -> Activation:
    """The one of this name, as `Network` has it."""
    kind, _, slope = name.partition(":")
    if kind == "leaky-relu":
        return _leaky_relu(float(slope))
    return _KNOWN[kind]


def _relu(h: Vector) -> Triple:
    on = (h > 0).astype(np.float64)
    return np.maximum(h, 0), on, np.zeros_like(h)


def _leaky_relu(slope: float) -> Activation:
    def at(h: Vector) -> Triple:
        slopes = np.where(h > 0, 1.0, slope)
        return slopes * h, slopes, np.zeros_like(h)

    return at


def _identity(h: Vector) -> Triple:
    return h, np.ones_like(h), np.zeros_like(h)


def _hard_tanh(h: Vector) -> Triple:
    inside = ((h > -1) & (h <= 1)).astype(np.float64)
    return np.clip(h, -1, 1), inside, np.zeros_like(h)


def _tanh(h: Vector) -> Triple:
    t = np.tanh(h)
    slope = 1 - t * t
    return t, slope, -2 * t * slope


def _sigmoid(h: Vector) -> Triple:
    s = _special().expit(h)
    slope = s * (1 - s)
    return s, slope, slope * (1 - 2 * s)


def _softplus(h: Vector) -> Triple:
    s, slope, _ = _sigmoid(h)
    return np.logaddexp(0, h), s, slope


def _silu(h: Vector) -> Triple:
    s, slope, bend = _sigmoid(h)
    return h * s, s + h * slope, 2 * slope + h * bend


def _gelu(h: Vector) -> Triple:
    below = _special().ndtr(h)
    density = np.exp(-0.5 * h * h) / np.sqrt(2 * np.pi)
    return h * below, below + h * density, density * (2 - h * h)


def _gelu_tanh(h: Vector) -> Triple:
    root, cubic = np.sqrt(2 / np.pi), 0.044715
    t, slope, bend = _tanh(root * (h + cubic * h**3))
    inner, inner_bend = root * (1 + 3 * cubic * h * h), 6 * root * cubic * h
    first = 0.5 * slope * inner
    second = 0.5 * (bend * inner * inner + slope * inner_bend)
    return 0.5 * h * (1 + t), 0.5 * (1 + t) + h * first, 2 * first + h * second


def _special() -> Any:
    import scipy.special

    return scipy.special


_KNOWN: dict[str, Activation] = {
    "relu": _relu,
    "identity": _identity,
    "hard-tanh": _hard_tanh,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "silu": _silu,
    "gelu": _gelu,
    "gelu-tanh": _gelu_tanh,
}
