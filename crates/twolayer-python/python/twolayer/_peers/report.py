"""What is told of a comparison: a table to be read, or JSON."""

import json
import platform
from collections.abc import Sequence

import numpy as np
import scipy

from .activations import Vector
from .instance import MET, Column, Instance

#: A loss is as low as another that it is above by this part at most.
_AS_LOW = 1e-6

#: The figures of a method: how each is headed, and whether more is better.
_HEADINGS = {
    "met": ("met", True),
    "lowest": ("lowest", True),
    "seconds_to_met": ("s to met", False),
    "loss_median": ("loss, median", False),
    "loss_largest": ("loss, largest", False),
    "seconds": ("s in all", False),
}


def figures(columns: Sequence[Column], goals: Vector) -> list[dict[str, float]]:
    """The figures of each method; infinite where there is nothing to be told."""
    lowest = np.min([column.losses for column in columns], axis=0)
    told = list[dict[str, float]]()
    for column in columns:
        met = column.losses <= goals
        as_low = met | (column.losses <= (1 + _AS_LOW) * lowest)
        to_met = np.inf if column.seconds_to_met is None else np.median(column.seconds_to_met)
        told.append(
            {
                "met": float(met.sum()),
                "lowest": float(as_low.sum()),
                "seconds_to_met": float(to_met),
                "loss_median": float(np.median(column.losses)),
                "loss_largest": float(column.losses.max()),
                "seconds": column.seconds,
            }
        )
    return told


def as_table(instance: Instance, columns: Sequence[Column], notes: Sequence[str]) -> str:
    """A line for each method, the best of each column marked, and what the columns are."""
    told = figures(columns, instance.goals)
    best = {
        key: (max if more else min)(one[key] for one in told) for key, (_, more) in _HEADINGS.items()
    }
    rows = [["", *(heading + " " for heading, _ in _HEADINGS.values())]]
    for column, one in zip(columns, told, strict=True):
        rows.append([column.name, *(_cell(key, one[key], best[key]) for key in _HEADINGS)])
    return "\n".join(
        [
            f"{instance.network!r}, {len(instance.targets)} targets, loss {instance.loss}",
            "",
            *_aligned(rows),
            "",
            "* the best of its column",
            f"met: a loss of at most {MET:g} of that at x0. lowest: met, or as low as any method came (to {_AS_LOW:g}).",
            "s to met: seconds until then, median over all targets; - where half are not met, or where it cannot be told.",
            f"s in all: every method goes on until it makes no more progress, or for {instance.seconds:g} s a target.",
            "Targets follow one another; in one call they are shared out over the cores.",
            *(note + "." for note in notes),
        ]
    )


def _cell(key: str, value: float, best: float) -> str:
    if not np.isfinite(value):
        return "- "
    kind = ".0f" if key in ("met", "lowest") else ".1e" if key.startswith("loss") else ".3g"
    return f"{value:{kind}}" + ("*" if value == best else " ")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = list[str]()
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return lines


def as_json(instance: Instance, columns: Sequence[Column], notes: Sequence[str]) -> str:
    """The same with every target's numbers; null where there is nothing to be told."""
    network = instance.network
    methods = [
        {
            "name": column.name,
            **{key: _finite(value) for key, value in one.items()},
            "losses": column.losses.tolist(),
            "seconds_to_met_each": None
            if column.seconds_to_met is None
            else [_finite(value) for value in column.seconds_to_met.tolist()],
        }
        for column, one in zip(columns, figures(columns, instance.goals), strict=True)
    ]
    told = {
        "inputs": network.inputs,
        "hidden_units": network.hidden_units,
        "outcomes": network.outcomes,
        "loss": instance.loss,
        "targets": len(instance.targets),
        "seconds_limit": instance.seconds,
        "losses_at_x0": instance.starts.tolist(),
        "methods": methods,
        "notes": list(notes),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
    }
    return json.dumps(told, indent=2, allow_nan=False)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
