"""Continuation from softplus to ReLU: Levenberg–Marquardt on the logarithms of few outcomes, with
ReLUs smoothed ever less, then Newton's method on the loss itself."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from methods import newton

# Widths over the median of |h|, stage after stage. The last is ReLU itself.
NARROW = [0.1, 0.01, 0]
WIDE = [1, 0.1, 0.01, 0]
# Without continuation, to tell what softplus does and what the logarithms do.
NONE = [0]
# A stage ends where an iteration gains less than this part of its value.
LITTLE_GAIN = 0.005
# At this loss over that at the start, Newton's method is tried.
NEAR = 1e-4


class LogRatios:
    """t − mean t for t = z − log b on d + d/4 + 16 outcomes spread evenly, which mostly determine x,
    with w·log(1 + exp(h/w)) in place of ReLU: 0 where the output is b. Unlike f − b it is not
    flattened by a softmax that is saturated at a wrong vertex."""

    def __init__(self, network, b):
        possible = np.flatnonzero(b > 0)
        d = network.A1.shape[1]
        few = min(len(possible), d + d // 4 + 16)
        rows = possible[np.arange(few) * len(possible) // few]
        self.A1, self.c1 = network.A1, network.c1
        self.A2 = np.asfortranarray(network.A2[rows])
        self.constant = network.c2[rows] - np.log(b[rows])

    def hidden(self, x):
        return self.A1 @ x + self.c1

    def residual(self, x, width):
        h = self.hidden(x)
        t = self.A2 @ (width * np.logaddexp(0, h / width) if width else np.maximum(h, 0))
        t += self.constant
        return t - t.mean()

    def jacobian(self, x, width):
        h = self.hidden(x)
        slopes = expit(h / width) if width else (h > 0).astype(float)
        # What the others add is below rounding.
        on = slopes > 1e-17
        J = self.A2[:, on] @ (slopes[on, None] * self.A1[on])
        return J - J.mean(axis=0)


@np.errstate(over="ignore", invalid="ignore")
def levenberg_marquardt(watched, ratios, x, width):
    """One stage, until an iteration gains little. A trial that overflows is refused."""
    residual = ratios.residual(x, width)
    value, damping = residual @ residual, None
    while True:
        watched.hessians += 1
        J = ratios.jacobian(x, width)
        gradient, gram = J.T @ residual, J.T @ J
        scale = np.trace(gram) / len(x)
        if not scale > 0:
            return x
        damping = 1e-3 * scale if damping is None else max(damping, 1e-15 * scale)
        while True:
            watched.check_time()
            if damping > 1e12 * scale:
                return x
            damped = gram + damping * np.eye(len(x))
            try:
                step = -cho_solve(cho_factor(damped, lower=True, check_finite=False), gradient)
            except np.linalg.LinAlgError:
                damping = max(10 * damping, 1e-8 * scale)
                continue
            trial = ratios.residual(x + step, width)
            linear = residual + J @ step
            lower, predicted = trial @ trial, value - linear @ linear
            ratio = (value - lower) / predicted if predicted > 0 else -1.0
            if lower < value and ratio > 1e-4:
                break
            if np.linalg.norm(step) <= 1e-14 * np.linalg.norm(x):
                return x
            damping *= 4
        is_little = lower > (1 - LITTLE_GAIN) * value
        x, residual, value = x + step, trial, lower
        damping *= 0.1 if ratio > 0.75 else 1.0 if ratio > 0.25 else 4.0
        if is_little:
            return x


def continuation(widths):
    """Rounds of stages, each from where the last round ended, until one changes nothing. Near a
    solution Newton's method on the loss is tried; from where that fails nothing is taken over."""

    def method(watched, x):
        objective = watched.objective
        ratios = LogRatios(objective.network, objective.b)
        while True:
            begin, size = x, np.median(np.abs(ratios.hidden(x)))
            for width in widths:
                x = levenberg_marquardt(watched, ratios, x, width * size)
            loss = watched.value(x)
            if loss <= NEAR * watched.start_loss:
                newton(watched, x, loss)
            if np.array_equal(x, begin):
                return "a round changes nothing"

    return method


METHODS = {
    "logarithms": continuation(NONE),
    "narrow-softplus": continuation(NARROW),
    "wide-softplus": continuation(WIDE),
}
