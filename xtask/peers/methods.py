"""The peers: other ways to minimise a loss, each as a competent user would set it up."""

import time

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize


class Over(Exception):
    """The time is over, or the loss is as low as it need be."""


class Watched:
    """An objective that keeps the time and every new lowest loss, and stops a method with `Over`."""

    def __init__(self, objective, x0, seconds, stop_at):
        self.objective = objective
        # Evaluated before the clock starts: the loss at the start is known to every method.
        self.start_loss = self.lowest = float(objective.value(x0))
        self.seconds, self.stop_at = seconds, stop_at * self.start_loss
        self.history, self.evaluations, self.hessians = [], 0, 0
        self.restart_clock()

    def restart_clock(self):
        self.clock = time.perf_counter()

    def elapsed(self):
        return time.perf_counter() - self.clock

    def check_time(self):
        if self.elapsed() > self.seconds:
            raise Over("time limit")

    def seen(self, loss):
        """Keeps a new lowest loss, unless it came too late."""
        self.check_time()
        self.evaluations += 1
        if loss < self.lowest:
            self.lowest = float(loss)
            self.history.append([self.elapsed(), self.lowest])
            if loss <= self.stop_at:
                raise Over("reached")

    def value(self, x):
        loss = self.objective.value(x)
        self.seen(loss)
        return loss

    def value_and_gradient(self, x):
        loss, gradient = self.objective.value_and_gradient(x)
        self.seen(loss)
        return loss, gradient

    def gradient_and_hessian(self, x):
        self.check_time()
        self.hessians += 1
        return self.objective.gradient_and_hessian(x)

    def hessian_product(self, x, v):
        self.check_time()
        self.hessians += 1
        return self.objective.hessian_product(x, v)

    def residual(self, x):
        residual = self.objective.residual(x)
        self.seen(residual @ residual)
        return residual

    def jacobian(self, x):
        self.check_time()
        self.hessians += 1
        return self.objective.jacobian(x)


def newton(watched, x, loss=None):
    """Newton's method with the exact Hessian, a Levenberg damping that adapts to how well the
    quadratic model predicts, and Cholesky. `loss` is that at x, where x is not the start."""
    loss = watched.start_loss if loss is None else loss
    damping = None
    while True:
        gradient, hessian = watched.gradient_and_hessian(x)
        scale = np.abs(np.diag(hessian)).max()
        if not scale > 0 or not np.any(gradient):
            return "no curvature or no gradient"
        damping = 1e-6 * scale if damping is None else max(damping, 1e-15 * scale)
        while True:
            watched.check_time()
            if damping > 1e12 * scale:
                return "no step lowers the loss"
            damped = hessian + damping * np.eye(len(x))
            try:
                step = -cho_solve(cho_factor(damped, lower=True, check_finite=False), gradient)
            except np.linalg.LinAlgError:
                damping = max(10 * damping, 1e-8 * scale)
                continue
            predicted = -(gradient @ step + 0.5 * step @ (hessian @ step))
            trial = watched.value(x + step)
            ratio = (loss - trial) / predicted if predicted > 0 else -1.0
            if trial < loss and ratio > 1e-4:
                x, loss = x + step, trial
                damping *= 0.1 if ratio > 0.75 else 1.0 if ratio > 0.25 else 4.0
                break
            if np.linalg.norm(step) <= 1e-16 * np.linalg.norm(x):
                return "no step lowers the loss"
            damping *= 4


def scipy_minimize(watched, x0, **arguments):
    """The loss is scaled to 1 at the start, and tolerances are at zero: only the time limit, the
    loss asked for, or no further progress ends a run."""
    scale = 1 / watched.start_loss

    def value_and_gradient(x):
        loss, gradient = watched.value_and_gradient(x)
        return scale * loss, scale * gradient

    return str(minimize(value_and_gradient, x0, jac=True, **arguments).message)


def lbfgs(watched, x0):
    options = dict(maxiter=10**9, maxfun=10**9, ftol=0, gtol=0, maxcor=20)
    return scipy_minimize(watched, x0, method="L-BFGS-B", options=options)


def trust_ncg(watched, x0):
    size = np.linalg.norm(x0) or 1.0
    radii = dict(initial_trust_radius=0.1 * size, max_trust_radius=10 * size)
    scale = 1 / watched.start_loss
    product = lambda x, v: scale * watched.hessian_product(x, v)
    options = dict(maxiter=10**9, gtol=0, **radii)
    return scipy_minimize(watched, x0, method="trust-ncg", hessp=product, options=options)


METHODS = {"newton": newton, "l-bfgs-b": lbfgs, "trust-ncg": trust_ncg}
