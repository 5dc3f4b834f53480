"""Peers that work on the residual: for networks whose Jacobian has few rows."""

import numpy as np
from scipy.optimize import least_squares


def trf(watched, x0):
    """SciPy's `least_squares`, its trust region reflective. The smallest tolerance that it takes on
    the step; none on value and gradient. The value is scaled to 1 at the start."""
    scale = 1 / np.sqrt(watched.start_loss)
    residual = lambda x: scale * watched.residual(x)
    jacobian = lambda x: scale * watched.jacobian(x)
    ends = dict(xtol=1.01 * np.finfo(float).eps, ftol=None, gtol=None, max_nfev=10**9)
    return str(least_squares(residual, x0, jac=jacobian, method="trf", **ends).message)


class LogRatios:
    """t − mean t for t = z − log b: 0 where the output is b. Unlike f − b it is not flattened by a
    softmax that is saturated. The loss is that of the same point, for the watch."""

    def __init__(self, objective):
        self.objective, self.log_b = objective, np.log(objective.b)

    def at(self, x):
        point = self.objective.point(x)
        t = point.z - self.log_b
        return self.objective.value_of(point), t - t.mean(), point.on

    def jacobian(self, on):
        network = self.objective.network
        J = network.A2[:, on] @ network.A1[on]
        return J - J.mean(axis=0)


def minimum_norm(watched, x):
    """Gauss–Newton on the log-ratios with the shortest step, p = −J⁺t, halved until ‖t‖ falls. It is
    for a target that is attained, without a regulariser."""
    objective = watched.objective
    if objective.square or not np.all(objective.b > 0):
        return "only for positive targets and without a regulariser"
    ratios = LogRatios(objective)
    _, t, on = ratios.at(x)
    while True:
        watched.check_time()
        watched.hessians += 1
        step = np.linalg.lstsq(ratios.jacobian(on), -t)[0]
        while True:
            loss, trial, on = ratios.at(x + step)
            watched.seen(loss)
            if trial @ trial < t @ t:
                break
            step = 0.5 * step
            if not np.linalg.norm(step) > 1e-16 * np.linalg.norm(x):
                return "no step lowers the log-ratios"
        x, t = x + step, trial


METHODS = {"trf": trf, "minimum-norm": minimum_norm}
