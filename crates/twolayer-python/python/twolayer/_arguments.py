"""Arguments as the native half wants them, or an error that names the one at fault."""

import math
import operator
from typing import Any, NoReturn

import numpy as np

from ._twolayer import InputError
from ._types import Array, Options, Statement

#: Integers up to here are numbers of double precision.
_LARGEST_INTEGER = 2**53


def refuse(argument: str, message: str) -> NoReturn:
    """Raises the exception for an argument."""
    error = InputError(message)
    error.argument = argument
    raise error


def numbers(name: str, values: Any) -> Array:
    """An array of single or double precision, without a copy where it is one.

    Half precision and integers are widened, exactly; what is neither real nor exact is refused.
    """
    if np.ma.is_masked(values):
        refuse(name, f"{name} has masked entries; expected none")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        refuse(name, f"{name} is no array: {error}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype.kind in "iu":
        if array.size and max(abs(int(array.min())), abs(int(array.max()))) > _LARGEST_INTEGER:
            refuse(name, f"{name} has integers beyond 2**53, which no floating point number holds")
        return array.astype(np.float64)
    refuse(name, f"{name} has entries of type {array.dtype}; expected float32 or float64")


def vector(name: str, values: Any, length: int, dtype: Any) -> Array:
    """A contiguous array of one dimension and so many entries."""
    array = numbers(name, values)
    if array.shape != (length,):
        refuse(name, f"{name} has shape {array.shape}; expected ({length},)")
    return contiguous(array, dtype)


def rows(name: str, values: Any, length: int, dtype: Any) -> tuple[Array, bool]:
    """A contiguous array of rows of so many entries, and whether it was one row without a number."""
    array = numbers(name, values)
    if array.ndim not in (1, 2) or array.shape[-1] != length:
        transposed = " and looks transposed" if array.ndim == 2 and array.shape[0] == length else ""
        expected = f"({length},) or (K, {length})"
        refuse(name, f"{name} has shape {array.shape}{transposed}; expected {expected}")
    is_one = array.ndim == 1
    return contiguous(array.reshape(-1, length), dtype), is_one


def rounded_to(b: Any) -> str:
    """What b may have been rounded to: whether that is single precision is told by the numbers."""
    return "float16" if np.asarray(b).dtype == np.float16 else "float32"


def contiguous(array: Array, dtype: Any) -> Array:
    """The array as the native half borrows it: one number after the other, aligned."""
    return np.require(array, dtype, ["C", "A"])


def word(name: str, value: Any) -> str:
    """A name."""
    if not isinstance(value, str):
        refuse(name, f"{name} is {value!r}; expected a string")
    return value


def count(name: str, value: Any, least: int = 1) -> int:
    """An integer from ``least`` on."""
    try:
        number = operator.index(value)
    except TypeError:
        refuse(name, f"{name} is {value!r}; expected an integer")
    if isinstance(value, bool) or not least <= number < 2**63:
        refuse(name, f"{name} is {value!r}; it must be an integer, at least {least}")
    return number


def real(name: str, value: Any) -> float:
    """A finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        refuse(name, f"{name} is {value!r}; expected a number")
    if not math.isfinite(number):
        refuse(name, f"{name} is {number}; it must be finite")
    return number


def statement(
    network: Any,
    loss: Any,
    regularizer: Any,
    radius: Any,
    bounds: Any,
    near: Any,
    near_weight: Any,
) -> Statement:
    """What an objective is made of. A single weight of 0 is no regulariser."""
    weights, outcomes = None, network.outcomes
    lower, upper = (None, None) if bounds is None else _bounds(bounds, network.inputs)
    if regularizer is not None:
        if np.ndim(regularizer) == 0:
            weight = real("regularizer", regularizer)
            weights = np.full(outcomes, weight) if weight else None
        else:
            weights = vector("regularizer", regularizer, outcomes, np.float64)
    if (near is None) != (near_weight is None):
        missing = "near" if near is None else "near_weight"
        refuse(missing, f"{missing} is None; near and near_weight go together")
    return {
        "loss": word("loss", loss),
        "regularizer": weights,
        "radius": None if radius is None else real("radius", radius),
        "lower": lower,
        "upper": upper,
        "near": None if near is None else vector("near", near, network.inputs, np.float64),
        "near_weight": None if near_weight is None else real("near_weight", near_weight),
    }


def _bounds(bounds: Any, inputs: int) -> tuple[Array, Array]:
    """The two sides, from a pair or from what SciPy calls bounds."""
    sides = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") and hasattr(bounds, "ub") else bounds
    try:
        lower, upper = sides
    except (TypeError, ValueError):
        refuse("bounds", f"bounds is {bounds!r}; expected (lower, upper), each a number or an array ({inputs},)")
    return _bound("lower", lower, inputs), _bound("upper", upper, inputs)


def _bound(side: str, values: Any, inputs: int) -> Array:
    array = numbers("bounds", values)
    if array.ndim == 0:
        array = np.full(inputs, array)
    if array.shape != (inputs,):
        refuse("bounds", f"bounds has a {side} side of shape {array.shape}; expected ({inputs},) or one number")
    return contiguous(array, np.float64)


def only_with_nearest(**others: Any) -> None:
    """Refuses what a search for the nearest point does not have."""
    for name, value in others.items():
        if value is not None:
            refuse(name, f"{name} does not go with nearest; expected none")


def each(name: str, points: Array, targets: Array, inputs: int) -> None:
    """Refuses points that are neither one for all targets nor one for each; one target may have any."""
    if len(targets) != 1 and len(points) not in (1, len(targets)):
        expected = f"({inputs},) or ({len(targets)}, {inputs}): one for each target"
        refuse(name, f"{name} has shape {points.shape}; expected {expected}")


def total(value: Any, problems: int, starts: Any) -> int | None:
    """How many problems there are in all, where a call has so many of them."""
    if value is None:
        return None
    all_of_them = count("total", value, least=problems)
    if all_of_them > problems and starts != 1:
        refuse("starts", "starts is not 1 for a part of the targets; other starts are solutions of the nearest of all")
    return all_of_them


def options(
    *,
    backend: Any,
    hessian: Any,
    max_iterations: Any,
    starts: Any,
    threads: Any,
    total: int | None,
    seed: Any,
    time_limit: Any,
    gtol: Any,
    ftol: Any,
    xtol: Any,
    certify: Any,
    trace: Any,
) -> Options:
    """How a call solves."""

    def optional(name: str, value: Any) -> float | None:
        return None if value is None else real(name, value)

    return {
        "backend": word("backend", backend),
        "hessian": word("hessian", hessian),
        "max_iterations": count("max_iterations", max_iterations),
        "starts": count("starts", starts),
        "threads": None if threads is None else count("threads", threads),
        "total": total,
        "seed": count("seed", seed, least=0),
        "time_limit": optional("time_limit", time_limit),
        "gtol": optional("gtol", gtol),
        "ftol": optional("ftol", ftol),
        "xtol": optional("xtol", xtol),
        "certify": bool(certify),
        "trace": bool(trace),
    }
