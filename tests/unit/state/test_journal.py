"""The batch's state machine: what the journal's replay accepts, and what it calls broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from octoplan.state.journal import BatchState, BrokenJournal, Entry, Kind, Phase, replay

START = datetime(2027, 3, 1, 9, tzinfo=UTC)


def history(*steps: tuple[Kind, dict[str, Any]]) -> list[Entry]:
    return [
        Entry(kind, "sale", "b1_x", START + timedelta(minutes=i), "r_1", data) for i, (kind, data) in enumerate(steps)
    ]


def intended(attempt: int = 1) -> tuple[Kind, dict[str, Any]]:
    data = {"request_id": f"id{attempt}", "attempt": attempt, "recipients": 2, "segments": 3, "cost": "0.10"}
    return (Kind.INTENDED, data)


def state_after(*steps: tuple[Kind, dict[str, Any]]) -> BatchState:
    return replay(history(*steps))["sale"].batches["b1_x"]


def test_a_batch_that_was_intended_is_open_until_its_outcome_is_known() -> None:
    """A crash right after Intended leaves the batch open: it may have been sent."""
    assert state_after(intended()).phase is Phase.OPEN


def test_an_unknown_outcome_keeps_the_batch_open_under_its_first_time() -> None:
    """The window in which repeating is safe counts from the first POST, not from the latest try."""
    state = state_after(intended(), (Kind.UNKNOWN, {"note": "reset"}), (Kind.UNKNOWN, {"note": "reset"}))
    assert (state.phase, state.opened_at) == (Phase.OPEN, START)


@pytest.mark.parametrize(
    ("end", "phase", "next_attempt"),
    [
        (Kind.SENT, Phase.SENT, 1),
        (Kind.SETTLED_SENT, Phase.SENT, 1),
        (Kind.NOT_SENT, Phase.FREE, 1),
        (Kind.REFUSED, Phase.FREE, 2),
        (Kind.SETTLED_NOT_SENT, Phase.FREE, 2),
    ],
)
def test_the_attempt_rises_only_after_a_definite_refusal(end: Kind, phase: Phase, next_attempt: int) -> None:
    """A request that never left keeps its number, so that a late arrival would still be recognised."""
    state = state_after(intended(), (end, {}))
    assert (state.phase, state.next_attempt) == (phase, next_attempt)


@pytest.mark.parametrize("after", [Kind.INTENDED, Kind.SENT, Kind.UNKNOWN, Kind.NOT_SENT, Kind.REFUSED])
def test_nothing_takes_a_batch_out_of_sent(after: Kind) -> None:
    """A journal that says "sent" and then something else is broken, and is refused as a whole."""
    step = intended(2) if after is Kind.INTENDED else (after, {})
    with pytest.raises(BrokenJournal):
        replay(history(intended(), (Kind.SENT, {}), step))


def test_an_attempt_number_cannot_be_skipped_or_used_again() -> None:
    """After a refusal the next intent must carry the next number, and no other."""
    for wrong in (1, 3):
        with pytest.raises(BrokenJournal):
            replay(history(intended(), (Kind.REFUSED, {}), intended(wrong)))


def test_an_outcome_without_an_intent_is_broken() -> None:
    """Intended comes first, always."""
    with pytest.raises(BrokenJournal):
        replay(history((Kind.SENT, {})))


def test_a_campaign_is_complete_until_its_next_batch() -> None:
    """Complete says that a run got to its end; whoever is written to after it opens the campaign again."""
    entries = history(intended(), (Kind.SENT, {}))
    done = Entry(Kind.COMPLETED, "sale", None, START, "r_1")
    again = Entry(Kind.INTENDED, "sale", "b1_y", START, "r_1", intended()[1])
    assert not replay(entries)["sale"].is_complete
    assert replay([*entries, done])["sale"].is_complete
    assert not replay([*entries, done, again])["sale"].is_complete


def test_nothing_is_complete_while_an_outcome_is_unknown() -> None:
    """Such an entry contradicts the ones before it."""
    with pytest.raises(BrokenJournal, match="unknown"):
        replay([*history(intended()), Entry(Kind.COMPLETED, "sale", None, START, "r_1")])
