"""What the native half is handed."""

from typing import Any, Protocol, TypedDict

import numpy as np
import numpy.typing as npt

#: float32 or float64.
Array = npt.NDArray[Any]


class Statement(TypedDict):
    """What an objective is made of."""

    loss: str
    regularizer: npt.NDArray[np.float64] | None
    radius: float | None
    lower: npt.NDArray[np.float64] | None
    upper: npt.NDArray[np.float64] | None
    near: npt.NDArray[np.float64] | None
    near_weight: float | None


class Options(TypedDict):
    """How a call solves."""

    backend: str
    hessian: str
    max_iterations: int
    starts: int
    threads: int | None
    total: int | None
    seed: int
    time_limit: float | None
    gtol: float | None
    ftol: float | None
    xtol: float | None
    certify: bool
    trace: bool


class Search(TypedDict):
    """How a call looks for the nearest points."""

    want: tuple[int, float] | None
    tolerance: float | None
    starts: int
    max_iterations: int
    seed: int
    time_limit: float | None
    threads: int | None


class Callback(Protocol):
    """Is shown an iteration, and says whether the call is to end."""

    def __call__(self, row: npt.NDArray[np.float64], x: Array, /) -> bool: ...


class Bar(Protocol):
    """Is told how far a call is."""

    def begin(self, what: str, count: int) -> None: ...
    def advance(self) -> None: ...
    def end(self) -> None: ...
