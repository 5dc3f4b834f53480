"""A bar on the terminal, by tqdm."""

import warnings
from typing import Any

from ._types import Bar


class _Tqdm:
    def __init__(self, tqdm: Any) -> None:
        self._new = tqdm
        self._bar: Any = None

    def begin(self, what: str, count: int) -> None:
        self._bar = self._new(total=count, desc=what, unit="target")

    def advance(self) -> None:
        self._bar.update()

    def end(self) -> None:
        self._bar.close()


def bar(wanted: object) -> Bar | None:
    """A bar, where one is wanted and tqdm is there."""
    if not wanted:
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        warnings.warn("progress is shown by tqdm, which is not installed", stacklevel=3)
        return None
    return _Tqdm(tqdm)
