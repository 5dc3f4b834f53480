"""Products with the derivatives of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from . import _arguments
from ._twolayer import NoDerivative
from ._twolayer import Problem as _Native
from ._types import Array, Statement

if TYPE_CHECKING:
    from ._network import Network


class Origin:
    """What a call solved: enough to pose each of its problems again."""

    def __init__(
        self, network: Network, targets: Array, rounded_to: str, statement: Statement, backend: str
    ) -> None:
        self._network = network
        # The caller may write to his own later on.
        self._targets = targets.copy()
        self._rest = (rounded_to, statement, backend)

    def vjp(self, fields: dict[str, Any], v: npt.ArrayLike, layers: bool) -> list[dict[str, Any]]:
        """The gradients of v·x by what each problem is made of, in the network's precision."""
        answers = _answers(fields)
        rows = self._rows("v", v, self._network.inputs, answers)
        kind = self._network.dtype
        return [
            {name: _cast(value, kind) for name, value in found.items()}
            for found in self._each(answers, lambda native, answer, v: native.vjp(*answer, v, layers), rows)
        ]

    def jvp_b(self, fields: dict[str, Any], db: npt.ArrayLike) -> list[Array]:
        """How each x moves along a change of its b, in the network's precision."""
        answers = _answers(fields)
        rows = self._rows("db", db, self._network.outcomes, answers)
        found = self._each(answers, lambda native, answer, db: native.jvp_b(*answer, db), rows)
        return [dx.astype(self._network.dtype) for dx in found]

    def _rows(self, name: str, values: npt.ArrayLike, length: int, answers: list[Any]) -> Array:
        rows, is_one = _arguments.rows(name, values, length, np.float64)
        if len(rows) != len(answers) or (is_one and len(answers) != 1):
            expected = f"({len(answers)}, {length}): a row for each answer"
            _arguments.refuse(name, f"{name} has shape {np.shape(values)}; expected {expected}")
        return rows

    def _each(self, answers: list[Any], work: Any, rows: Array) -> list[Any]:
        found = []
        for number, (answer, row) in enumerate(zip(answers, rows, strict=True)):
            status, *rest = answer
            try:
                if status is not None:
                    _refuse(*status)
                target = self._targets[number if len(self._targets) > 1 else 0]
                native = _Native(self._network._native, target, *self._rest)
                found.append(work(native, rest, row))
            except NoDerivative as error:
                if len(answers) == 1:
                    raise
                named = NoDerivative(f"target {number}: {error}")
                named.reason = error.reason
                raise named from None
        return found


def _answers(fields: dict[str, Any]) -> list[tuple[Any, Array, list[int]]]:
    """For each answer why it has no derivative, where that is known; x; the kinks that hold it."""
    columns = [fields[name] for name in ("success", "status", "message", "x", "active_kinks")]
    if isinstance(fields["status"], str):
        columns = [[column] for column in columns]
    answers = []
    for success, status, message, x, kinks in zip(*columns, strict=True):
        why = None
        if status == "met-at-infinity":
            why = ("at-infinity", f"x is on the way to infinity, and not determined by b: {message}")
        elif not success:
            why = ("not-converged", f"x need not be a minimum: {message}")
        answers.append((why, np.asarray(x, np.float64), [int(kink) for kink in kinks]))
    return answers


def _refuse(reason: str, message: str) -> NoReturn:
    error = NoDerivative(message)
    error.reason = reason
    raise error


def _cast(value: Any, kind: np.dtype[Any]) -> Any:
    return value.astype(kind, copy=False) if isinstance(value, np.ndarray) else value
