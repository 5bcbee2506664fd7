"""
The port to a state home: where journal, ledger and lease live.

A plan is handed a `StateReader`, which cannot write. Apply is handed a `StateSession`, which exists only while the
lease is held.

Invariants that every home keeps:
- `intend` makes ledger rows and the Intended entry durable together before it returns; only then may a POST follow.
- A recipient is in the ledger of a campaign at most once. A second row is refused by the store itself.
- Rows leave the ledger only together with an entry that says "certainly not sent".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from octoplan.digests import DigestKey
from octoplan.state.journal import CampaignState, Entry, Kind


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lease."""

    run: str
    owner: str
    host: str
    pid: int
    since: datetime

    def __str__(self) -> str:
        """For messages: `run r_3f… of dana on build-7 (process 4711), since …`."""
        since = f"{self.since:%Y-%m-%d %H:%M:%S} UTC"
        return f"run {self.run} of {self.owner} on {self.host} (process {self.pid}), since {since}"


@dataclass(frozen=True, slots=True)
class Intent:
    """A batch about to be sent: everything that recovery needs to know of it, and nothing personal."""

    campaign: str
    digest: str
    request_id: str
    attempt: int
    recipients: int
    segments: int
    cost: str | None
    send_at: str | None


class StateReader(Protocol):
    """What a plan may ask of a home."""

    @property
    def key(self) -> DigestKey:
        """The project's digest key."""
        ...

    def campaigns(self) -> Mapping[str, CampaignState]:
        """Every campaign that was ever begun here, replayed from the journal."""
        ...

    def entries(self, campaign: str | None = None) -> Iterator[Entry]:
        """The journal in time order, of one campaign or all."""
        ...

    def written(self, campaign: str, phones: pa.StringArray) -> pa.StringArray:
        """
        For each E.164 number the digest of the batch that holds it in the campaign's ledger, or null.

        Asked in pieces while recipients stream by; the answer is in the order of `phones`.
        """
        ...

    def holder(self) -> Holder | None:
        """Who holds the lease now, if anybody."""
        ...


class StateSession(StateReader, Protocol):
    """What apply may do while it holds the lease."""

    run: str

    def open_campaign(self, campaign: str, content: Mapping[str, str]) -> None:
        """
        Write down the campaign's content before its first batch; the same content again changes nothing.

        :raises AlreadyWritten: if the campaign was begun with another content.
        """
        ...

    def intend(self, intent: Intent, phones: pa.StringArray) -> None:
        """
        Ledger, then Intended, durable when this returns.

        :raises AlreadyWritten: if a recipient is in the ledger already; nothing is written then.
        """
        ...

    def record(self, kind: Kind, campaign: str, digest: str, data: Mapping[str, Any]) -> None:
        """Write what became of a batch; kinds that say "certainly not sent" free its recipients in the same step."""
        ...


class StateHome(StateReader, Protocol):
    """A home as commands open it."""

    def session(self, run: str) -> AbstractContextManager[StateSession]:
        """
        Hold the lease for the length of the context.

        :raises StateUnavailable: if somebody else holds it, or the home cannot be written.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class AlreadyWritten(Exception):
    """Something would be sent that contradicts what was sent: a broken invariant of ours, stopped by the home."""
