"""What happened to a campaign since it was planned, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from octoplan.plan.since import tell_since
from octoplan.state.journal import Entry, Kind

AT = datetime(2027, 3, 20, 10, 12, tzinfo=UTC)
INTENDED = {"recipients": 500, "by": "ci on runner-1"}


def entry(kind: Kind, batch: str | None = "b1_a", run: str = "r_7", data: dict[str, Any] | None = None) -> Entry:
    return Entry(kind, "spring", batch, AT, run, data or {})


def intended(batch: str = "b1_a", run: str = "r_7") -> Entry:
    return entry(Kind.INTENDED, batch, run, INTENDED)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            [intended(), entry(Kind.SENT)],
            "500 recipients were written to by run r_7 of ci on runner-1, 2027-03-20 10:12 UTC (apply)",
        ),
        (
            [intended(), entry(Kind.UNKNOWN)],
            (
                "500 recipients were written to; 1 request(s) have no known outcome by run r_7 of ci on runner-1, "
                "2027-03-20 10:12 UTC (apply)"
            ),
        ),
        (
            [intended(), entry(Kind.REFUSED)],
            "nothing was sent by run r_7 of ci on runner-1, 2027-03-20 10:12 UTC (apply)",
        ),
        (
            [intended(), entry(Kind.SETTLED_SENT)],
            "500 recipients were written to by run r_7 of ci on runner-1, 2027-03-20 10:12 UTC (adopt)",
        ),
        (
            [entry(Kind.SETTLED_NOT_SENT)],
            "1 request(s) were settled by run r_7, 2027-03-20 10:12 UTC (recover)",
        ),
        ([entry(Kind.CANCELLED)], "requests were cancelled by run r_7, 2027-03-20 10:12 UTC (cancel)"),
        (
            [entry(Kind.FORGOTTEN, None)],
            "its recipients were forgotten by run r_7, 2027-03-20 10:12 UTC (state forget)",
        ),
    ],
    ids=["sent", "unknown", "refused", "adopted", "recovered", "cancelled", "forgotten"],
)
def test_each_command_is_told(entries: list[Entry], words: str) -> None:
    """What it did, its run, who ran it if the journal knows, when, and which command it was."""
    assert tell_since(entries, 0) == f"since then {words}"


def test_what_was_known_is_not_told() -> None:
    """Entries that the plan was made with are no news; nor is a campaign that was only opened or completed."""
    known = [intended(), entry(Kind.SENT)]
    assert tell_since(known, 2) is None
    assert tell_since([*known, entry(Kind.COMPLETED, None)], 2) is None


def test_many_runs_are_counted() -> None:
    """The last three in words, those before by number."""
    entries = [each for run in "abcde" for each in (intended(run, run), entry(Kind.SENT, run, run))]
    told = tell_since(entries, 0)
    assert told is not None
    assert told.startswith("since then 2 earlier run(s), and 500 recipients were written to by run c")
    assert told.count("by run") == 3
