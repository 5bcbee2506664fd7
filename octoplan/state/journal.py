"""
What happened, in time order, and what follows from it.

The journal is a list of entries; the state of a batch is their replay and nothing else. Each batch walks this machine:

    (none) ── intended ──▶ OPEN ── sent | settled-sent ──▶ SENT ── cancelled ──▶ CANCELLED    (both final)
                            │ ▲
                            │ └─ unknown (stays open: it may have been accepted)
                            ├── not-sent ──▶ FREE        same attempt number: the request never left
                            └── refused | settled-not-sent ──▶ FREE   the next attempt has the next number

Invariants:
- SENT is final but for a cancellation, and nobody of it is ever written to again; anything else raises.
- The attempt number rises only after a recorded definite refusal, by the API or by a person.
- While a batch is OPEN, only the very same body with the very same request id may be sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from octoplan.clock import Mark


class Kind(StrEnum):
    """What an entry says."""

    OPENED = "opened"  # a campaign's content and the counts of its rows, before its first batch and when they changed
    INTENDED = "intended"
    SENT = "sent"
    UNKNOWN = "unknown"
    NOT_SENT = "not-sent"
    REFUSED = "refused"
    SETTLED_SENT = "settled-sent"
    SETTLED_NOT_SENT = "settled-not-sent"
    CANCELLED = "cancelled"  # taken back before it left; its recipients stay written to, as far as we are concerned
    COMPLETED = "completed"  # a campaign's recipients, as they were resolved then, all have it
    FORGOTTEN = "forgotten"  # a campaign's ledger was deleted: it is closed for good


FREEING = frozenset({Kind.NOT_SENT, Kind.REFUSED, Kind.SETTLED_NOT_SENT})
"""Kinds that say "certainly not sent": the recipients leave the ledger in the same step."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal. `data` holds counts, codes and digests; never a number, name, text or key."""

    kind: Kind
    campaign: str
    batch: str | None
    at: datetime
    run: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Phase(StrEnum):
    """Where a batch stands."""

    OPEN = "open"
    SENT = "sent"
    CANCELLED = "cancelled"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class BatchState:
    """A batch as its entries left it. `opened_at` is the first POST under the present request id."""

    digest: str
    phase: Phase
    request_id: str
    attempt: int
    refusals: int
    recipients: int
    segments: int
    planned_cost: Decimal | None
    opened_at: datetime
    opened_mark: Mark | None
    changed_at: datetime
    cost: Decimal | None = None
    ticket: str | None = None
    send_at: str | None = None
    note: str | None = None
    anomaly: str | None = None

    @property
    def next_attempt(self) -> int:
        """The attempt number that a new request for this content must carry."""
        return self.refusals + 1


@dataclass(frozen=True, slots=True)
class Position:
    """How far the journal of a campaign has come: its number of entries, and the run and time of the last."""

    entries: int
    run: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CampaignState:
    """What is known of one campaign: the content it was last opened with, and its batches by digest."""

    campaign: str
    content: Mapping[str, str] | None
    opened_at: datetime | None
    batches: Mapping[str, BatchState]
    is_forgotten: bool = False
    """Whether its ledger was deleted; then nothing more can be sent for it."""
    is_complete: bool = False
    """Whether the last run that wrote to somebody got to its end; what a list gains later does not count."""
    position: Position | None = None
    audience: Mapping[str, Any] | None = None
    """The counts of its rows when it was last opened; `None` where that was not written down."""

    def in_phase(self, phase: Phase) -> tuple[BatchState, ...]:
        """The batches of one phase, oldest first."""
        return tuple(
            sorted((b for b in self.batches.values() if b.phase is phase), key=lambda b: (b.opened_at, b.digest))
        )

    @property
    def is_begun(self) -> bool:
        """Whether anything of it was sent or may have been; until then its content may still be edited."""
        return any(batch.phase is not Phase.FREE for batch in self.batches.values())

    @property
    def sent_recipients(self) -> int:
        """How many people were certainly written to."""
        return sum(batch.recipients for batch in self.in_phase(Phase.SENT))


class BrokenJournal(Exception):
    """Entries contradict each other: a bug, or somebody edited the state by hand."""


@dataclass(slots=True)
class _Campaign:
    """One campaign while its entries are replayed."""

    content: Mapping[str, str] | None = None
    opened_at: datetime | None = None
    batches: dict[str, BatchState] = field(default_factory=dict)
    is_forgotten: bool = False
    is_complete: bool = False
    position: Position | None = None
    audience: Mapping[str, Any] | None = None


class Journal:
    """The replay of entries, kept up to date as more are written."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """
        Replay `entries`, in the order in which they were written.

        :raises BrokenJournal: if one is not a step of the machine above.
        """
        self._campaigns: dict[str, _Campaign] = {}
        self.add_all(entries)

    def campaigns(self) -> Mapping[str, CampaignState]:
        """The state of every campaign by id, as it is now."""
        return {
            name: CampaignState(
                name,
                each.content,
                each.opened_at,
                dict(each.batches),
                each.is_forgotten,
                each.is_complete,
                each.position,
                audience=each.audience,
            )
            for name, each in self._campaigns.items()
        }

    def require_step(self, entry: Entry) -> None:
        """:raises BrokenJournal: if `entry` may not follow."""
        self._step(entry)

    def add_all(self, entries: Iterable[Entry]) -> None:
        """Take steps. :raises BrokenJournal: if one is none."""
        for entry in entries:
            batch = self._step(entry)
            campaign = self._campaigns.setdefault(entry.campaign, _Campaign())
            before = 0 if campaign.position is None else campaign.position.entries
            campaign.position = Position(before + 1, entry.run, entry.at)
            if batch is not None:
                campaign.batches[batch.digest] = batch
                campaign.is_complete &= entry.kind is not Kind.INTENDED
            elif entry.kind is Kind.COMPLETED:
                campaign.is_complete = True
            elif entry.kind is Kind.OPENED:
                campaign.content, campaign.opened_at = entry.data["content"], entry.at
                campaign.audience = entry.data.get("audience")
            else:
                campaign.is_forgotten = True

    def _step(self, entry: Entry) -> BatchState | None:
        """The batch after `entry`; `None` for entries that speak of the campaign as a whole."""
        known = self._campaigns.get(entry.campaign) or _Campaign()
        if entry.kind in (Kind.OPENED, Kind.FORGOTTEN):
            return None
        if entry.kind is Kind.COMPLETED:
            if any(batch.phase is Phase.OPEN for batch in known.batches.values()):
                raise BrokenJournal(f"campaign {entry.campaign} is called complete while an outcome is unknown")
            return None
        if entry.batch is None or known.is_forgotten:
            why = "names no batch" if entry.batch is None else "comes after it was forgotten"
            raise BrokenJournal(f"entry `{entry.kind}` of campaign {entry.campaign} {why}")
        return step(known.batches.get(entry.batch), entry)


def replay(entries: Iterable[Entry]) -> Mapping[str, CampaignState]:
    """
    Fold entries, in time order, into the state of every campaign.

    :raises BrokenJournal: if an entry is not a step of the machine above.
    """
    return Journal(entries).campaigns()


def step(before: BatchState | None, entry: Entry) -> BatchState:
    """
    One step of the machine; homes take it before they write an entry, so that no broken journal can come to be.

    :raises BrokenJournal: if the entry is no step from `before`.
    """
    if entry.kind is Kind.INTENDED:
        return _intended(before, entry)
    expected = Phase.SENT if entry.kind is Kind.CANCELLED else Phase.OPEN
    if before is None or before.phase is not expected:
        phase = "not begun" if before is None else before.phase
        raise BrokenJournal(f"entry `{entry.kind}` for batch {entry.batch}, which is {phase}")
    return _ended(before, entry)


def _intended(before: BatchState | None, entry: Entry) -> BatchState:
    data = entry.data
    expected = 1 if before is None else before.next_attempt
    if before is not None and before.phase is not Phase.FREE:
        raise BrokenJournal(f"batch {entry.batch} is intended again while it is {before.phase}")
    if data["attempt"] != expected:
        raise BrokenJournal(f"batch {entry.batch} has attempt {data['attempt']}, expected {expected}")
    return BatchState(
        digest=str(entry.batch),
        phase=Phase.OPEN,
        request_id=data["request_id"],
        attempt=data["attempt"],
        refusals=expected - 1,
        recipients=data["recipients"],
        segments=data["segments"],
        planned_cost=_amount(data.get("cost")),
        opened_at=entry.at,
        opened_mark=Mark.of(data.get("clock")),
        changed_at=entry.at,
        send_at=data.get("send_at"),
    )


_ENDS: Mapping[Kind, tuple[Phase, int]] = {
    Kind.SENT: (Phase.SENT, 0),
    Kind.SETTLED_SENT: (Phase.SENT, 0),
    Kind.CANCELLED: (Phase.CANCELLED, 0),
    Kind.UNKNOWN: (Phase.OPEN, 0),
    Kind.NOT_SENT: (Phase.FREE, 0),
    Kind.REFUSED: (Phase.FREE, 1),
    Kind.SETTLED_NOT_SENT: (Phase.FREE, 1),
}
"""Kind of entry -> the phase it leads to, and by how much it raises the number of definite refusals."""


def _ended(before: BatchState, entry: Entry) -> BatchState:
    phase, refusals = _ENDS[entry.kind]
    data = entry.data
    return BatchState(
        digest=before.digest,
        phase=phase,
        request_id=before.request_id,
        attempt=before.attempt,
        refusals=before.refusals + refusals,
        recipients=before.recipients,
        segments=before.segments,
        planned_cost=before.planned_cost,
        opened_at=before.opened_at,
        opened_mark=before.opened_mark,
        changed_at=entry.at,
        cost=_amount(data.get("cost")),
        ticket=data.get("ticket", before.ticket),
        send_at=before.send_at,
        note=data.get("note"),
        anomaly=data.get("anomaly"),
    )


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
