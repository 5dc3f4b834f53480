"""Targets in a Dask array, solved where its chunks are.

    >>> from twolayer.dask import invert
    >>> r = invert(net, b)                  # b a dask.array (K, m)
    >>> x, fun = dask.compute(r["x"], r["fun"])
"""

import inspect
from typing import Any

import numpy as np

from ._arguments import refuse
from ._network import Network
from ._twolayer import InputError

#: What is of one call with all targets.
_OF_ONE_CALL = {
    "total": "it is the length of b",
    "callback": "chunks are solved elsewhere",
    "progress": "dask.diagnostics and the dashboard of a cluster show it",
    "time_limit": "the targets that were not come to would depend on the cluster",
    "certify": "a chunk's answer has no certificates",
    "trace": "a chunk's answer has none",
}
_STATUS = "U32"


def invert(network: Network, b: Any, x0: Any = None, **options: Any) -> dict[str, Any]:
    """`Network.invert` for a Dask array of targets, chunk by chunk, when it is computed.

    Answers are those of one call with all K targets, to the bit, whatever the chunks and the workers. A chunk is a
    task; it is solved by one thread unless ``threads=`` says otherwise, so that a worker with several threads has as
    many chunks under way.

    Parameters
    ----------
    network : Network
        Goes to every worker once.
    b : dask.array (K, m)
        K must be known. Columns are put into one chunk.
    x0 : array (d,) or (K, d), or dask.array (K, d), optional
        As for `Network.invert`.
    **options
        As for `Network.invert`, but `starts`, `callback`, `progress`, `time_limit`, `certify`, `trace`, `total`.

    Returns
    -------
    dict of dask.array
        ``x`` (K, d), ``fun``, ``gradient_norm``, ``success``, ``status`` and ``nit`` (K,), in chunks as those of b.
        All come from the same tasks: compute together what is wanted of them, or ``dask.persist(r)`` first.

    Raises
    ------
    InputError
        At once, what cannot be worked on; when it is computed, targets that are no distributions.
    """
    import dask
    import dask.array as da

    if not isinstance(b, da.Array):
        refuse("b", f"b is {type(b).__name__}; expected a dask.array, or Network.invert for an array")
    if b.ndim != 2 or b.shape[1] != network.outcomes:
        refuse("b", f"b has shape {b.shape}; expected (K, {network.outcomes})")
    total = b.shape[0]
    if np.isnan(total):
        refuse("b", "b has chunks of unknown length; b.compute_chunk_sizes() makes them known")
    options = {"threads": 1, **options}
    _check(network, options)
    b = b.rechunk({1: -1})
    points = _starts(network, x0, b)
    records = da.map_blocks(
        _solve,
        b,
        *([] if points is None or points.ndim == 1 else [points]),
        # One task has it, and not every one.
        network=dask.delayed(network, pure=True),
        x0=points if points is not None and points.ndim == 1 else None,
        options={**options, "total": total},
        drop_axis=1,
        dtype=_record(network),
        meta=np.empty(0, _record(network)),
        name="invert",
    )
    return {name: records[name] for name in _record(network).names or ()}


def _check(network: Network, options: dict[str, Any]) -> None:
    """Refuses at once what every chunk would be refused for."""
    for name, reason in _OF_ONE_CALL.items():
        if name in options:
            refuse(name, f"{name} is for one call with all targets; here {reason}")
    if options.get("starts", 1) != 1:
        reason = "other starts are solutions of the nearest of all targets, which one call alone has"
        refuse("starts", f"starts is {options['starts']!r}; expected 1: {reason}")
    known = inspect.signature(network.invert).parameters
    for name in options.keys() - known.keys():
        refuse(name, f"{name} is no option of Network.invert")
    network.invert(np.empty((0, network.outcomes)), **options)


def _starts(network: Network, x0: Any, b: Any) -> Any:
    """None, one start, or a Dask array of as many as there are targets."""
    import dask.array as da

    if x0 is None:
        return None
    if not isinstance(x0, da.Array):
        x0 = np.asarray(x0)
        if x0.ndim == 1:
            network.invert(np.empty((0, network.outcomes)), x0)
            return x0
        x0 = da.from_array(x0)
    if x0.shape != (b.shape[0], network.inputs):
        expected = f"({network.inputs},) or ({b.shape[0]}, {network.inputs})"
        refuse("x0", f"x0 has shape {x0.shape}; expected {expected}: a start for each target")
    return x0.rechunk((b.chunks[0], -1))


def _record(network: Network) -> "np.dtype[np.void]":
    kind = network.dtype
    return np.dtype(
        [
            ("x", kind, (network.inputs,)),
            ("fun", kind),
            ("gradient_norm", kind),
            ("success", "?"),
            ("status", _STATUS),
            ("nit", "i8"),
        ]
    )


def _solve(
    targets: Any,
    points: Any = None,
    *,
    network: Network,
    x0: Any,
    options: dict[str, Any],
    block_info: Any = None,
) -> Any:
    """The records of a chunk."""
    try:
        r = network.invert(targets, x0 if points is None else points, trace=False, **options)
    except InputError as error:
        first, end = block_info[0]["array-location"][0]
        refuse(error.argument or "b", f"in rows {first} to {end - 1} of b: {error}")
    records = np.empty(len(targets), _record(network))
    for name in records.dtype.names or ():
        records[name] = r[name]
    return records
