"""What comes out of a call."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._derivatives import Origin
from ._twolayer import TRACE_COLUMNS, NoDerivative
from ._types import Array


class _Mapping(dict[str, Any]):
    """A dictionary whose keys are attributes, as SciPy's results are."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    __setattr__ = dict.__setitem__
    __delattr__ = dict.__delitem__

    def __dir__(self) -> list[str]:
        return [*self.keys(), *super().__dir__()]


if TYPE_CHECKING:
    _Base = _Mapping
else:
    try:
        from scipy.optimize import OptimizeResult as _Base
    except ImportError:
        _Base = _Mapping


class Result(_Base):
    """The answer of `Network.invert`: a ``scipy.optimize.OptimizeResult`` where SciPy is there, an equal mapping
    where not.

    With several problems every field has a leading K; lists where rows have different lengths.

    Attributes
    ----------
    x : ndarray (d,)
        The lowest point found, in the network's precision.
    fun : float
        The objective there, regulariser included.
    success : bool
        Whether x is a stationary point to the tolerances.
    status : str
        How the solve ended: ``"perfect-fit"``, ``"meets-target"``, ``"gradient-small"``, ``"iteration-limit"``, ….
    message : str
        The same with what can be done about it.
    nit : int
        Iterations through all stages.
    seconds : float
        How long the solve took that x is from, without what a call does before and after.
    starts : int
        How many starts were tried to the end.
    jac : ndarray (d,)
        The gradient at x; units in `active_kinks` count as off.
    gradient_norm : float
        The norm of the shortest subgradient at x, which is that of `jac` where x is on no kink.
    probabilities : ndarray (m,)
        The network's output at x.
    limit : str
        ``"smooth"``, ``"at-kinks"``, or ``"undetermined"`` where the solve did not converge.
    active_kinks : ndarray of int
        The hidden units whose kink x lies on.
    certificate : Certificate or None
        The proof that was asked for.
    trace : structured ndarray
        A record for every iteration, the start first.
    """

    # No item: what a result is compared, shown and iterated by is above.
    _origin: Origin | None = None

    def _problems(self) -> Origin:
        if self._origin is None:
            error = NoDerivative("only answers of invert have derivatives; this one is of another call")
            error.reason = "unknown"
            raise error
        return self._origin

    def vjp_b(self, v: npt.ArrayLike) -> Array:
        """The gradient of v·x by b (m,) for v (d,): what a function of x with the gradient v has for its
        gradient by b. Along changes of b that sum to 0, which all changes of a distribution do, it is the same with
        any number added to all entries. For K answers v is (K, d), and so are rows.

        Each call factors the Hessian at the answer.

        Raises
        ------
        NoDerivative
            An answer that has none: `reason` is ``"not-converged"``, ``"at-infinity"``, ``"not-strict"`` (many x
            are as good, as where there are fewer outcomes than inputs; `near` helps), ``"corner"`` (what holds x
            lets go of it here), ``"rough"`` (x is far from the minimum) or ``"unknown"`` (the result is not of
            `invert`).
        """
        found = [gradients["b"] for gradients in self._problems().vjp(self, v, False)]
        return found[0] if isinstance(self.status, str) else np.array(found)

    def vjp(self, v: npt.ArrayLike) -> Any:
        """The gradients of v·x by all that the problem is made of, for v (d,): a mapping with ``b``, ``layers``
        (arrays like A1, …, AL), ``biases``, ``regularizer``, ``near``, ``lower``, ``upper`` and ``radius``, None where
        there is none. A list of such for K answers and v (K, d). Raises as `vjp_b`.
        """
        found = [_Mapping(gradients) for gradients in self._problems().vjp(self, v, True)]
        return found[0] if isinstance(self.status, str) else found

    def jvp_b(self, db: npt.ArrayLike) -> Array:
        """How x (d,) moves along a change db (m,) of b, to first order; rows for K answers. Raises as `vjp_b`."""
        found = self._problems().jvp_b(self, db)
        return found[0] if isinstance(self.status, str) else np.array(found)

    def plot(self, axes: Any = None) -> Any:
        """Draws the loss of every iteration, of each problem, with matplotlib. Returns the axes."""
        import matplotlib.pyplot as plt

        if axes is None:
            axes = plt.subplots()[1]
        traces = self.trace if isinstance(self.trace, list) else [self.trace]
        for trace in traces:
            axes.plot(trace["iteration"], trace["loss"], marker=".", linewidth=1)
        axes.set_yscale("log")
        axes.set_xlabel("iteration")
        axes.set_ylabel("loss")
        return axes


class Certificate(_Mapping):
    """A proof that a stationary point lies near x, or why there is none.

    Attributes
    ----------
    certified : bool
        Whether it is proved. If not, only `kind` and `message` are there: the inequality that failed.
    kind : str
        ``"minimum"``, ``"saddle"`` or ``"maximum"``; of a refusal, its reason.
    radius : float
        A stationary point lies within this distance of x.
    unique : bool
        Whether there is exactly one.
    unique_within : float
        No second one lies within this distance on the same kinks.
    fun : (float, float)
        The objective at the stationary point lies between these.
    kinks : ndarray of int
        The units whose kinks it lies on.
    x, x_radius : ndarray (d,), float
        x after the proof's own Newton steps, and how far from there the stationary point is at most.
    kappa, eta, hessian_lipschitz, defect, least_eigenvalue, kink_distance, newton_steps, arithmetic
        The quantities of the proof (docs/certificates.md).
    """


_COUNTS = {"iteration", "restart", "flips", "pinned", "rows_used"}


def _trace_type() -> np.dtype[np.void]:
    def kind(column: str) -> str:
        if column == "stage":
            return "U10"
        return "i8" if column in _COUNTS else "f8"

    return np.dtype([(column, kind(column)) for column in TRACE_COLUMNS])


_TRACE = _trace_type()
_STAGES = np.array(["warm-start", "target"])


def _records(table: npt.NDArray[np.float64]) -> npt.NDArray[np.void]:
    """Rows of numbers as records."""
    records = np.empty(len(table), _TRACE)
    for column, values in zip(TRACE_COLUMNS, table.T, strict=True):
        records[column] = _STAGES[values.astype(int)] if column == "stage" else values
    return records


def result(fields: dict[str, Any], is_one: bool, origin: Origin) -> Result:
    """The result from the native half's fields, which have a leading K; without it for a single problem."""
    lengths, records = fields.pop("trace_lengths"), _records(fields["trace"])
    fields["trace"] = [records] if is_one else np.split(records, np.cumsum(lengths))[:-1]
    verdicts = fields["certificate"]
    fields["certificate"] = [None if verdict is None else Certificate(verdict) for verdict in verdicts]
    if is_one:
        return _of(origin, {name: _single(values[0]) for name, values in fields.items()})
    for name in ("status", "message", "limit"):
        fields[name] = np.array(fields[name], dtype=str)
    return _of(origin, fields)


def _of(origin: Origin, fields: dict[str, Any]) -> Result:
    answer = Result(fields)
    # Setting an attribute sets an item.
    object.__setattr__(answer, "_origin", origin)
    return answer


def nearest(fields: dict[str, Any], is_one: bool) -> Result:
    """The same of a search for the nearest points."""
    if is_one:
        return Result({name: _single(values[0]) for name, values in fields.items()})
    for name in ("status", "message"):
        fields[name] = np.array(fields[name], dtype=str)
    return Result(fields)


def _single(value: Any) -> Any:
    """Python's own number or truth value for NumPy's, but float32 stays what it is."""
    return value.item() if isinstance(value, (np.int64, np.float64, np.bool_)) else value


def step(row: npt.NDArray[np.float64], x: npt.NDArray[Any]) -> Result:
    """An iteration, for a callback."""
    entry = _records(row[None])[0]
    fields = {name: entry[name].item() for name in TRACE_COLUMNS}
    return Result({"x": x, "fun": fields["loss"], "nit": fields["iteration"], **fields})
