"""How the contract suite makes each store: a place that several processes of one project would share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from uuid import uuid4

from octoplan.clock import Clock
from octoplan.state.git import GitStore
from octoplan.state.local import LocalStore
from octoplan.state.postgres import PostgresStore
from octoplan.state.store import StateStore
from octoplan.values.secret import Secret
from tests.git_repositories import make_repositories
from tests.postgres_server import server
from tests.simulation.memory_store import Disk, MemoryStore

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


@contextmanager
def git_place(folder: Path) -> Iterator[OpenStore]:
    """Every other opening is in the other clone, as if on another machine."""
    made = make_repositories(folder / "git")
    clones = cycle((made.laptop, made.runner))
    yield lambda clock: GitStore(next(clones), "production", clock)


@contextmanager
def postgres_place(folder: Path) -> Iterator[OpenStore]:
    """A schema of its own in the server of this test process."""
    schema = f"contract_{uuid4().hex}"
    yield lambda clock: PostgresStore(Secret(server().address), "shop/production", clock, schema=schema)


@contextmanager
def memory_place(folder: Path) -> Iterator[OpenStore]:
    """The simulation's own store, so that what it proves holds for the others."""
    disk = Disk()
    yield lambda clock: MemoryStore(disk)


KINDS = (
    Kind("local", local_place),
    Kind("git", git_place),
    Kind("postgres", postgres_place),
    Kind("memory", memory_place),
)
