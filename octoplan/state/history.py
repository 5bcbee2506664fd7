"""
What was sent over time: every request that the journal knows, by campaign and calendar month.

Invariants:
- Every request is in exactly one month, that of its first try, and has exactly one outcome.
- Unknown is never 0: a sum with an unknown part is unknown (`None`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import Any

from octoplan.state.journal import BatchState, Entry, Kind, Phase, step


class Outcome(StrEnum):
    """What became of a request. `NOT_SENT` and `REFUSED` are certain; whoever was in them may be in a later one."""

    SENT = "sent"
    REFUSED = "refused"
    NOT_SENT = "not-sent"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


_OUTCOMES: Mapping[Phase, Outcome] = {
    Phase.SENT: Outcome.SENT,
    Phase.OPEN: Outcome.UNKNOWN,
    Phase.CANCELLED: Outcome.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request as its entries left it. `month` is `2027-03`; `run` is the last one that wrote about it."""

    campaign: str
    month: str
    outcome: Outcome
    run: str
    batch: BatchState


@dataclass(frozen=True, slots=True)
class Figures:
    """What some requests come to. Amounts are in the account's own unit, `None` while a part of them is unknown."""

    records: tuple[RequestRecord, ...]

    def of(self, *outcomes: Outcome) -> tuple[BatchState, ...]:
        """The requests that ended so."""
        return tuple(record.batch for record in self.records if record.outcome in outcomes)

    def recipients(self, outcome: Outcome) -> int:
        """People in the requests that ended so."""
        return sum(batch.recipients for batch in self.of(outcome))

    def requests(self, outcome: Outcome) -> int:
        """How many requests ended so."""
        return len(self.of(outcome))

    @property
    def segments(self) -> int:
        """Parts of what was sent."""
        return sum(batch.segments for batch in self.of(Outcome.SENT))

    @property
    def planned(self) -> Decimal | None:
        """What the plan said that the requests cost which were sent."""
        return _sum(batch.planned_cost for batch in self.of(Outcome.SENT))

    @property
    def billed(self) -> Decimal | None:
        """What was billed for them."""
        return _sum(batch.cost for batch in self.of(Outcome.SENT))

    @property
    def requests_without_bill(self) -> int:
        """How many were sent, and nobody knows what for."""
        return sum(batch.cost is None for batch in self.of(Outcome.SENT))

    @property
    def difference(self) -> Decimal | None:
        """How much more was billed than planned."""
        return None if self.billed is None or self.planned is None else (self.billed - self.planned).normalize()

    @property
    def may_be_billed(self) -> Decimal | None:
        """The cost of what may have been sent, or was cancelled: nobody states that cancelling gives it back."""
        uncertain = self.of(Outcome.UNKNOWN, Outcome.CANCELLED)
        return _sum(batch.planned_cost if batch.cost is None else batch.cost for batch in uncertain)

    @property
    def first_at(self) -> datetime | None:
        """When the first of what was sent was tried first."""
        return min((batch.opened_at for batch in self.of(Outcome.SENT)), default=None)

    @property
    def last_at(self) -> datetime | None:
        """When the last of what was sent was known to be."""
        return max((batch.changed_at for batch in self.of(Outcome.SENT)), default=None)


@dataclass(frozen=True, slots=True)
class CampaignMonth:
    """
    One campaign in one month. `left_out` are the rows that got nothing, by reason, as the last apply until then found
    them; `None` where it did not write that down.
    """

    month: str
    campaign: str
    figures: Figures
    left_out: Mapping[str, int] | None


def history_of(
    entries: Iterable[Entry], zone: tzinfo, is_wanted: Callable[[RequestRecord], bool] = lambda _: True
) -> tuple[CampaignMonth, ...]:
    """
    The requests that are wanted, by month in `zone` and campaign, in this order; oldest first within one.

    :raises BrokenJournal: if the entries contradict each other.
    """
    records: dict[tuple[str, str], RequestRecord] = {}
    audiences: dict[str, list[tuple[str, Mapping[str, Any] | None]]] = {}
    for entry in entries:
        if entry.batch is not None:
            key = (entry.campaign, entry.batch)
            records[key] = _record(records.get(key), entry, zone)
        elif entry.kind is Kind.OPENED:
            audiences.setdefault(entry.campaign, []).append((_month(entry.at, zone), entry.data.get("audience")))
    wanted = sorted(filter(is_wanted, records.values()), key=_order)
    return tuple(
        CampaignMonth(month, campaign, Figures(tuple(group)), _left_out(audiences.get(campaign, []), month))
        for (month, campaign), group in groupby(wanted, key=lambda record: (record.month, record.campaign))
    )


def _record(before: RequestRecord | None, entry: Entry, zone: tzinfo) -> RequestRecord:
    batch = step(None if before is None else before.batch, entry)
    free = Outcome.REFUSED if entry.kind is Kind.REFUSED else Outcome.NOT_SENT
    outcome = _OUTCOMES.get(batch.phase, free)
    return RequestRecord(entry.campaign, _month(batch.opened_at, zone), outcome, entry.run, batch)


def _order(record: RequestRecord) -> tuple[str, str, datetime, str]:
    return record.month, record.campaign, record.batch.opened_at, record.batch.digest


def _month(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m}"


def _left_out(audiences: Iterable[tuple[str, Mapping[str, Any] | None]], month: str) -> Mapping[str, int] | None:
    counts = [counts for opened, counts in audiences if opened <= month]
    return counts[-1]["excluded"] if counts and counts[-1] is not None else None


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = list(amounts)
    return None if None in known else sum((amount for amount in known if amount is not None), Decimal(0))
