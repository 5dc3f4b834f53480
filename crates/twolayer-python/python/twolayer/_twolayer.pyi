"""The native half: arrays of one precision, checked by the library."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ._types import Array, Bar, Callback, Options, Search, Statement

TRACE_COLUMNS: list[str]

class InputError(ValueError):
    argument: str | None

class NoDerivative(ArithmeticError):
    reason: str

class Network:
    def __new__(
        cls, weights: list[Array], biases: list[Array], activations: list[str]
    ) -> Network: ...
    def shape(self) -> list[int]: ...
    def weights(self) -> tuple[list[Array], list[Array]]: ...
    def outputs(self, points: Array, logits: bool, threads: int | None) -> Array: ...
    def nearest(
        self,
        targets: Array,
        rounded_to: str,
        references: Array,
        scales: Array | None,
        statement: Statement,
        settings: Search,
        bar: Bar | None,
    ) -> dict[str, Any]: ...
    def invert(
        self,
        targets: Array,
        rounded_to: str,
        starts: Array,
        statement: Statement,
        options: Options,
        callback: Callback | None,
        bar: Bar | None,
    ) -> dict[str, Any]: ...

class Problem:
    def __new__(
        cls,
        network: Network,
        target: Array,
        rounded_to: str,
        statement: Statement,
        backend_name: str,
    ) -> Problem: ...
    def value(self, x: npt.NDArray[np.float64]) -> float: ...
    def value_and_gradient(
        self, x: npt.NDArray[np.float64]
    ) -> tuple[float, npt.NDArray[np.float64]]: ...
    def hessian(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]: ...
    def hessian_product(
        self, x: npt.NDArray[np.float64], v: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]: ...
    def jvp_b(
        self,
        x: npt.NDArray[np.float64],
        pinned: list[int],
        change: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.float64]: ...
    def vjp(
        self,
        x: npt.NDArray[np.float64],
        pinned: list[int],
        v: npt.NDArray[np.float64],
        asked: bool,
    ) -> dict[str, Any]: ...
