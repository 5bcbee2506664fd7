"""
The port that a state home's storage keeps: entries, ledger rows, one lease, one stop notice.

Everything that decides lives above it, in `home.py`; a store only keeps and finds. One contract test suite is run
against every store.

Invariants that every store keeps:
- `commit` writes all of its changes or none, durably before it returns, and only for the holder of the lease: after
  another run has taken over, a paused old holder can write nothing (its fencing number is lower).
- A recipient is in the ledger of a campaign at most once; a second row is refused by the store itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from octoplan.diagnostics import StateUnavailable
from octoplan.state.journal import Entry


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease, or held it: `fence` rises with every lease that was ever given out."""

    run: str
    owner: str
    host: str
    pid: int
    since: datetime
    fence: int = 0
    heartbeat: datetime | None = None
    url: str | None = None
    """The CI job, where there is one."""
    took_over: Holder | None = field(default=None, compare=False, repr=False)
    """In the answer of `acquire`: whose lease it was, if that run has died without giving it back."""

    def __str__(self) -> str:
        """For messages: `run r_3f… of dana on build-7 (process 4711), since …`."""
        since = f"{self.since:%Y-%m-%d %H:%M:%S} UTC"
        seen = f", last seen {self.heartbeat:%Y-%m-%d %H:%M:%S} UTC" if self.heartbeat else ""
        job = f", {self.url}" if self.url else ""
        return f"run {self.run} of {self.owner} on {self.host} (process {self.pid}), since {since}{seen}{job}"


@dataclass(frozen=True, slots=True)
class StopNotice:
    """Nothing may be sent in this environment until somebody takes the notice away."""

    reason: str
    owner: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LedgerRows:
    """Who is in a batch: keyed digests of 16 bytes, never numbers."""

    campaign: str
    batch: str
    recipients: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """
    One step of the protocol, written whole or not at all.

    `salt` is the campaign's own random part of its ledger key, given with its first entry; `free` names a batch whose
    recipients leave the ledger.
    """

    entry: Entry
    salt: bytes | None = field(default=None, repr=False)
    add: LedgerRows | None = None
    free: bool = False


class AlreadyWritten(Exception):
    """Something would be sent that contradicts what was sent: a broken invariant of ours, stopped by the home."""


class LeaseHeld(StateUnavailable):
    """Another run holds the lease."""

    def __init__(self, holder: Holder, *, hint: str) -> None:
        super().__init__(f"another run is applying: {holder}", hint=hint)
        self.holder = holder


class LeaseLost(StateUnavailable):
    """Another run has taken over; nothing more may be sent or written by this one."""


class StateStore(Protocol):
    """Where journal, ledger, lease and stop notice are kept. All times are aware, in UTC."""

    @property
    def place(self) -> str:
        """What and where it is, for messages; without credentials."""
        ...

    def read_entries(self, campaign: str | None = None) -> Iterable[Entry]:
        """The journal in the order in which it was written, of one campaign or all."""
        ...

    def read_salts(self) -> Mapping[str, bytes]:
        """The salt of every campaign that has a ledger and was not forgotten."""
        ...

    def find(self, campaign: str, recipients: Sequence[bytes]) -> Mapping[bytes, str]:
        """Of these recipients, those in the campaign's ledger, and the digest of their batch."""
        ...

    def commit(self, changes: Sequence[Change], holder: Holder) -> None:
        """
        Write all changes in order, durable when this returns.

        :raises AlreadyWritten: if a recipient is in the ledger already; nothing is written then.
        :raises LeaseLost: if `holder` no longer holds the lease; nothing is written then.
        :raises StateUnavailable: if it cannot be written, or it is not known whether it was.
        """
        ...

    def acquire(self, holder: Holder) -> Holder:
        """
        Take the lease; the answer carries the fencing number, and whose lease it was if that run is dead.

        :raises LeaseHeld: if another run holds it.
        """
        ...

    def release(self, holder: Holder) -> None:
        """Give the lease back; does nothing if it was lost."""
        ...

    def holder(self) -> Holder | None:
        """Who holds the lease now, if anybody."""
        ...

    def unlock(self, run: str) -> bool:
        """Take the lease away from the run of that name; `False` if it does not hold it."""
        ...

    def stop_notice(self) -> StopNotice | None:
        """The notice that forbids sending, if there is one; read afresh at each call."""
        ...

    def put_stop_notice(self, notice: StopNotice | None) -> None:
        """Post a notice, or take it away; works while somebody else holds the lease."""
        ...

    def forget(self, entry: Entry, holder: Holder) -> None:
        """
        Delete the salt and the ledger of `entry.campaign` for good and write `entry`; counts stay in the journal.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections; the store may be used again."""
        ...
