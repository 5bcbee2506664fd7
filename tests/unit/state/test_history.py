"""What was sent over time, from the entries of a journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from octoplan.state.history import CampaignMonth, Outcome, RequestRecord, history_of
from octoplan.state.journal import Entry, Kind

MARCH = datetime(2027, 3, 10, tzinfo=UTC)
APRIL = datetime(2027, 4, 2, tzinfo=UTC)


def opened(at: datetime = MARCH, campaign: str = "sale", **data: Any) -> Entry:
    return Entry(Kind.OPENED, campaign, None, at, "r_1", {"content": {}, "key": "k1_", **data})


def intended(digest: str, at: datetime = MARCH, cost: str | None = "1.50", attempt: int = 1) -> Entry:
    data = {"request_id": digest, "attempt": attempt, "recipients": 10, "segments": 12, "cost": cost}
    return Entry(Kind.INTENDED, "sale", digest, at, "r_1", data)


def ended(kind: Kind, digest: str, at: datetime = MARCH, **data: Any) -> Entry:
    return Entry(kind, "sale", digest, at, "r_2", data)


def only(*entries: Entry, zone: ZoneInfo | None = None) -> CampaignMonth:
    (month,) = history_of(entries, zone or UTC)
    return month


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        ([], Outcome.UNKNOWN),
        ([Kind.UNKNOWN], Outcome.UNKNOWN),
        ([Kind.SENT], Outcome.SENT),
        ([Kind.UNKNOWN, Kind.SETTLED_SENT], Outcome.SENT),
        ([Kind.UNKNOWN, Kind.SETTLED_NOT_SENT], Outcome.NOT_SENT),
        ([Kind.NOT_SENT], Outcome.NOT_SENT),
        ([Kind.REFUSED], Outcome.REFUSED),
        ([Kind.SENT, Kind.CANCELLED], Outcome.CANCELLED),
    ],
)
def test_every_request_has_one_outcome(kinds: list[Kind], outcome: Outcome) -> None:
    """The one of its last entry; a request without an answer is unknown."""
    figures = only(opened(), intended("b1_a"), *(ended(kind, "b1_a") for kind in kinds)).figures
    assert {each: figures.recipients(each) for each in Outcome} == {
        each: 10 if each is outcome else 0 for each in Outcome
    }


def test_a_request_counts_in_the_month_of_its_first_try() -> None:
    """On the project's own calendar: what was sent at midnight in Paris is of the month that began there."""
    night = datetime(2027, 3, 31, 22, 30, tzinfo=UTC)
    entries = [opened(night), intended("b1_a", night), ended(Kind.SENT, "b1_a", night + timedelta(days=31))]
    assert only(*entries).month == "2027-03"
    assert only(*entries, zone=ZoneInfo("Europe/Paris")).month == "2027-04"


def test_what_was_refused_and_sent_later_counts_once() -> None:
    """The same request under its next attempt: sent, in the month of that attempt."""
    month = only(
        opened(),
        intended("b1_a"),
        ended(Kind.REFUSED, "b1_a"),
        intended("b1_a", APRIL, attempt=2),
        ended(Kind.SENT, "b1_a", APRIL, cost="1.50"),
    )
    assert (month.month, month.figures.requests(Outcome.SENT), month.figures.requests(Outcome.REFUSED)) == (
        "2027-04",
        1,
        0,
    )


def test_billed_is_held_against_planned() -> None:
    """To the last digit, of what was sent alone."""
    figures = only(
        opened(),
        intended("b1_a"),
        ended(Kind.SENT, "b1_a", cost="1.50000001"),
        intended("b1_b"),
        ended(Kind.REFUSED, "b1_b"),
    ).figures
    assert (figures.planned, figures.billed, figures.difference) == (
        Decimal("1.50"),
        Decimal("1.50000001"),
        Decimal("0.00000001"),
    )


def test_unknown_is_never_0() -> None:
    """A bill, a plan or a request whose cost nobody knows makes each sum that it is in unknown, and no other."""
    without_bill = only(opened(), intended("b1_a"), ended(Kind.SENT, "b1_a")).figures
    assert (without_bill.billed, without_bill.difference, without_bill.requests_without_bill) == (None, None, 1)
    assert without_bill.planned == Decimal("1.50")
    without_plan = only(opened(), intended("b1_a", cost=None), ended(Kind.SENT, "b1_a", cost="2")).figures
    assert (without_plan.planned, without_plan.billed, without_plan.difference) == (None, Decimal(2), None)
    assert only(opened(), intended("b1_a", cost=None)).figures.may_be_billed is None


def test_what_may_be_billed() -> None:
    """Unknown and cancelled requests with what they cost as far as is known; they are in no other sum."""
    figures = only(
        opened(),
        intended("b1_a"),
        intended("b1_b"),
        ended(Kind.SENT, "b1_b", cost="2"),
        ended(Kind.CANCELLED, "b1_b"),
    ).figures
    assert (figures.may_be_billed, figures.billed, figures.planned) == (Decimal("3.00"), Decimal(0), Decimal(0))


def test_rows_left_out_are_those_of_the_last_apply_until_then() -> None:
    """Also where a later month opened nothing anew; unknown where the journal has no counts."""
    counts = [{"rows": 5, "recipients": 4, "excluded": {"duplicate": number}} for number in (1, 2)]
    entries = [
        opened(MARCH, audience=counts[0]),
        intended("b1_a", MARCH),
        intended("b1_b", APRIL),
        opened(APRIL + timedelta(days=31), audience=counts[1]),
        intended("b1_c", APRIL + timedelta(days=31)),
    ]
    left_out = [month.left_out for month in history_of(entries, UTC)]
    assert left_out == [{"duplicate": 1}, {"duplicate": 1}, {"duplicate": 2}]
    assert only(opened(), intended("b1_a")).left_out is None


def test_months_and_campaigns_are_in_order_and_can_be_chosen() -> None:
    """By month, then by id; what is not wanted is in no figure."""
    other = Entry(Kind.INTENDED, "alpha", "b1_c", APRIL, "r_1", intended("b1_c").data)
    entries = [opened(), intended("b1_a", APRIL), intended("b1_b"), opened(campaign="alpha"), other]
    found = [(each.month, each.campaign) for each in history_of(entries, UTC)]
    assert found == [("2027-03", "sale"), ("2027-04", "alpha"), ("2027-04", "sale")]

    def is_wanted(record: RequestRecord) -> bool:
        return record.month == "2027-03"

    assert [each.month for each in history_of(entries, UTC, is_wanted)] == ["2027-03"]
