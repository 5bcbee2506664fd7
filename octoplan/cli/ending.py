"""
What a command has promised to say when the process ends, on whichever way it comes there.

Light, as `main` needs it at every start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Teller = Callable[[int, BaseException | None], None]
"""Gets the exit code, and the error that led to it, if one did."""

_tellers: Final[list[Teller]] = []


def tell_at_end(teller: Teller) -> None:
    """Have `teller` called once, right before the process ends by itself."""
    _tellers.append(teller)


def tell_end(code: int, error: BaseException | None) -> None:
    """Called by `main` alone."""
    while _tellers:
        _tellers.pop()(code, error)
