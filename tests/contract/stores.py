"""How the contract suite makes each store: a place that several processes of one project would share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from octoplan.clock import Clock
from octoplan.state.local import LocalStore
from octoplan.state.store import StateStore

OpenStore = Callable[[Clock], StateStore]
"""Opens the same place once more, as another process would."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of store: `place` makes a new, empty place in a folder; its life ends with the context."""

    name: str
    place: Callable[[Path], object]


@contextmanager
def local_place(folder: Path) -> Iterator[OpenStore]:
    yield lambda clock: LocalStore(folder / "environments" / "production", clock)


KINDS = (Kind("local", local_place),)
