"""Budgets: what all campaigns of an environment together may cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from octoplan.campaign.model import Budgets
from octoplan.clock import Mark
from octoplan.diagnostics import ExitCode
from octoplan.plan.budget import budget_use, check_budgets, is_currency, month_start
from octoplan.plan.model import Action, ActionKind, Cost, PlannedBatch
from octoplan.state.journal import CampaignState, Entry, Kind, replay
from octoplan.state.spending import add_spending

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2027, 3, 20, 9, tzinfo=UTC)
MARCH = datetime(2027, 2, 28, 23, tzinfo=UTC)
"""The first instant of March 2027 in Paris."""


def action(
    campaign: str, cost: str | None, kind: ActionKind = ActionKind.SEND, batches: Sequence[PlannedBatch] = ()
) -> Action:
    total = None if cost is None else Decimal(cost)
    return Action(
        campaign=campaign,
        identity=campaign,
        file=f"campaigns/{campaign}.yaml",
        description=None,
        kind=kind,
        reasons=(),
        type="sms_premium",
        purpose="alert",
        sender=None,
        content={},
        audience=None,
        message=None,
        batches=tuple(batches),
        cost=Cost(total, "simulation"),
        send_at=None,
        send_at_local=None,
        not_after=None,
    )


def request(
    batch: str, at: datetime, kind: Kind | None, cost: str | None = None, planned: str | None = "1.50"
) -> list[Entry]:
    """A request first sent at `at`, and what became of it an hour later."""
    intended: dict[str, Any] = {"request_id": f"r{batch}", "attempt": 1, "recipients": 3, "segments": 3}
    if planned is not None:
        intended["cost"] = planned
    entries = [Entry(Kind.INTENDED, "spring", batch, at, "r_1", intended)]
    end = {} if cost is None else {"cost": cost}
    return entries + ([] if kind is None else [Entry(kind, "spring", batch, at + timedelta(hours=1), "r_1", end)])


def states(*entries: list[Entry]) -> list[CampaignState]:
    return list(replay(entry for each in entries for entry in each).values())


def check(actions: Sequence[Action], before: Sequence[CampaignState] = (), **budgets: str) -> list[list[str]]:
    """The codes of the reasons that block each action."""
    given = Budgets.model_validate(budgets)
    use = budget_use(given, before, actions, NOW, PARIS)
    checked = check_budgets(actions, use, "euros")
    assert all(bool(each.reasons) is (each.kind is ActionKind.BLOCKED) for each in checked if each.kind.sends)
    assert {reason.exit_code for each in checked for reason in each.reasons} <= {ExitCode.BLOCKED}
    return [[reason.code for reason in each.reasons] for each in checked]


def test_campaigns_of_one_plan_are_counted_together_in_order() -> None:
    """What fits goes, what does not is blocked, and what is blocked uses nothing up."""
    plan = [action("a", "6"), action("b", "5"), action("c", "4"), action("d", "0.01")]
    assert check(plan, run="10") == [[], ["over-run-budget"], [], ["over-run-budget"]]
    assert check(plan, month="10") == [[], ["over-month-budget"], [], ["over-month-budget"]]


def test_a_budget_may_be_used_to_the_last_digit() -> None:
    """Equal is not over; one hundred-millionth more is."""
    assert check([action("a", "9.99999999"), action("b", "0.00000001")], month="10", run="10") == [[], []]
    assert check([action("a", "10.00000001")], month="10", run="10") == [["over-run-budget", "over-month-budget"]]


def test_what_was_billed_this_month_counts() -> None:
    """By the API's own figure where it gave one, else as planned."""
    before = states(request("b1", NOW - timedelta(days=5), Kind.SENT, "4"), request("b2", NOW, Kind.SENT))
    assert check([action("a", "4.50")], before, month="10") == [[]]
    assert check([action("a", "4.51")], before, month="10") == [["over-month-budget"]]


@pytest.mark.parametrize(
    ("at", "counts"),
    [(MARCH - timedelta(microseconds=1), False), (MARCH, True), (MARCH + timedelta(minutes=59), True)],
)
def test_the_month_begins_where_the_project_is(at: datetime, *, counts: bool) -> None:
    """Midnight in Paris is 23:00 UTC of the last day of February; it counts when the request was first sent."""
    use = budget_use(Budgets(month=Decimal(1)), states(request("b1", at, Kind.SENT, "4")), [], NOW, PARIS)
    assert (use.since, use.spent) == (MARCH, Decimal(4) if counts else Decimal(0))


@pytest.mark.parametrize(
    ("now", "zone", "start"),
    [
        ("2027-03-31T22:30:00+00:00", "Europe/Paris", "2027-03-31T22:00:00+00:00"),
        ("2027-04-01T02:30:00+00:00", "America/New_York", "2027-03-01T05:00:00+00:00"),
        ("2027-11-15T12:00:00+00:00", "America/New_York", "2027-11-01T04:00:00+00:00"),
        ("2027-04-01T00:00:00+00:00", None, "2027-04-01T00:00:00+00:00"),
    ],
)
def test_the_first_of_the_month_is_local(now: str, zone: str | None, start: str) -> None:
    """With the offset of that day, whatever the offset is by now; without a zone the month is UTC's."""
    found = month_start(datetime.fromisoformat(now), ZoneInfo(zone) if zone else None)
    assert found == datetime.fromisoformat(start)


def test_what_may_have_been_billed_counts() -> None:
    """Unknown outcomes with what was planned, cancelled ones too; what was refused or never left does not."""
    before = states(
        request("b1", NOW, None),
        request("b2", NOW, Kind.UNKNOWN),
        request("b3", NOW, Kind.REFUSED),
        request("b4", NOW, Kind.NOT_SENT),
        [*request("b5", NOW, Kind.SENT, "2"), Entry(Kind.CANCELLED, "spring", "b5", NOW, "r_1", {})],
    )
    spent = add_spending(before)
    assert (spent.total, spent.uncertain) == (Decimal("4.50"), Decimal("3.00"))


def test_a_request_that_the_plan_repeats_is_counted_once() -> None:
    """Its cost is part of the plan's."""
    before = states(request("b1", NOW, Kind.UNKNOWN))
    batch = PlannedBatch("b1", "rb1", 1, 3, 3, Decimal("1.50"), repeat=True)
    assert check([action("spring", "1.50", ActionKind.RESUME, [batch])], before, month="1.50") == [[]]
    unrelated = action("autumn", "0.01")
    assert check([unrelated], before, month="1.50") == [["over-month-budget"]]


def test_an_unknown_cost_never_counts_as_nothing() -> None:
    """Neither that of a campaign nor that of a request sent before; without a budget it is nobody's business."""
    lost = states(request("b1", NOW, Kind.SENT, None, planned=None))
    assert check([action("a", None)], month="1000000") == [["cost-unknown"]]
    assert check([action("a", None)], run="1000000") == [["cost-unknown"]]
    assert check([action("a", "1")], lost, month="1000000") == [["spending-unknown"]]
    assert check([action("a", "1")], lost, run="1") == [[]]
    assert check([action("a", None)], lost) == [[]]


def test_what_sends_nothing_is_not_held_against_a_budget() -> None:
    """A campaign that was sent, or waits, costs nothing now."""
    assert check([action("a", "9", ActionKind.SCHEDULED), action("b", "9", ActionKind.SENT)], month="1", run="1") == [
        [],
        [],
    ]


def test_a_budget_in_another_currency_is_refused() -> None:
    """Amounts of two units are not compared; Octopush's page on balances says `euros` where people write EUR."""
    assert check([action("a", "1")], month="10", currency="EUR") == [[]]
    assert check([action("a", "1")], month="10", currency="GBP") == [["budget-currency"]]
    assert is_currency("euros", "eur")
    assert is_currency("GBP", "gbp")
    assert not is_currency("sms_premium", "EUR")


def test_marks_do_not_matter_to_a_month() -> None:
    """A request is dated by the wall clock of its first try; the machine's own count has no calendar."""
    entries = request("b1", NOW, Kind.SENT, "4")
    entries[0] = Entry(
        Kind.INTENDED, "spring", "b1", NOW, "r_1", {**entries[0].data, "clock": {"boot": "x", "up_s": 1}}
    )
    assert add_spending(states(entries), since=MARCH).total == Decimal(4)
    assert Mark.of(entries[0].data["clock"]) is not None
