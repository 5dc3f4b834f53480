"""Sets this package beside SciPy's minimisers on a network of your own.

    python -m twolayer.compare NETWORK [--targets B.npy] [--count K] [--seed S] [--json]

Every method begins at the same random x0, in double precision, and goes on for as long as it makes progress, or
for --seconds. Without --targets, targets are outputs of the network at random inputs, so that each can be met;
an input is halved until no outcome has more than 0.99 there. SciPy's methods have exact gradients, products with
the Hessian and Jacobians: losses, gradients and products by NumPy or by this package's compiled functions,
whichever is faster for this network here, so that neither's overhead is held against them.
"""

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arguments import refuse, rows
from ._network import Network
from ._twolayer import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    asked = _parser().parse_args(arguments)
    if importlib.util.find_spec("scipy") is None:
        print("error: there is no SciPy to compare with; pip install scipy", file=sys.stderr)
        return 2
    from ._peers.instance import instance
    from ._peers.measure import measure
    from ._peers.report import as_json, as_table

    try:
        network = Network.load(asked.network, dtype="float64")
        targets = None if asked.targets is None else _targets(asked.targets, network)
        given = instance(network, targets, asked.count, asked.seed, asked.loss, asked.seconds)
    except (InputError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    columns, notes = measure(given)
    print((as_json if asked.json else as_table)(given, columns, notes))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m twolayer.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("network", metavar="NETWORK", help="a .npz, .safetensors or .onnx file")
    add("--targets", metavar="B.npy", help="distributions (m,) or (K, m)")
    add("--count", type=_number(int, 1), metavar="K", help="so many targets [20, or all of --targets]")
    add("--seed", type=_number(int, 0), default=0, metavar="S", help="of x0 and of random targets [0]")
    add("--loss", choices=["squared", "kl"], default="squared")
    add("--seconds", type=_number(float, 1e-3), default=10.0, help="the most for one solve [10]")
    add("--json", action="store_true", help="with every target's numbers, for a program to read")
    return parser


def _number(kind: Callable[[str], Any], least: float) -> Callable[[str], Any]:
    """What reads an option that is a number."""

    def read(text: str) -> Any:
        value = kind(text)
        if not least <= value < 2**63:
            raise argparse.ArgumentTypeError(f"{text} is not a number from {least:g} on")
        return value

    read.__name__ = kind.__name__
    return read


def _targets(path: str, network: Network) -> npt.NDArray[np.float64]:
    try:
        with open(path, "rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        refuse("targets", f"targets: {path} cannot be read as .npy: {error}")
    targets, _ = rows("targets", array, network.outcomes, np.float64)
    if not len(targets):
        refuse("targets", f"targets: {path} has no rows")
    return targets


if __name__ == "__main__":
    sys.exit(main())
