"""What is shown of a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from octoplan.audience.rules import EXPLANATIONS
from octoplan.plan.model import ActionKind, ExclusionLine, Overridden, PlannedWave, TextVariant, UnitPrice, ZoneCount
from octoplan.views.plan_html import render_plan_page
from octoplan.views.plan_view import CampaignView, plan_view
from tests.unit.views.plans import AUDIENCE, MESSAGE, action_of, plan_of


def campaign(**changes: Any) -> CampaignView:
    """The view of a plan's only campaign."""
    (shown,) = plan_view(plan_of(action_of(**changes))).campaigns
    return shown


def test_dangerous_ones_come_first_and_sent_ones_apart() -> None:
    """The order of the text plan; campaigns that were sent are no cards of their own."""
    view = plan_view(plan_of(*(action_of(kind, kind) for kind in ActionKind)))
    assert [each.action.kind for each in view.campaigns][:4] == ["unknown", "conflict", "blocked", "send"]
    assert [action.kind for action in view.sent] == ["sent"]
    assert set(view.refused) == {"unknown", "conflict", "blocked"}


def test_the_funnel_loses_every_excluded_row_once() -> None:
    """From rows to those who are new, whatever the reason: the last step is who apply writes to."""
    steps = campaign().funnel
    assert [(step.label, step.left, step.lost) for step in steps] == [
        ("rows", 100, 0),
        ("selected", 80, 20),
        ("valid numbers", 72, 8),
        ("one per number", 65, 7),
        ("not suppressed", 60, 5),
        ("new", 50, 10),
    ]
    every = tuple(ExclusionLine(reason, 1, (), "") for reason in EXPLANATIONS)
    audience = replace(AUDIENCE, rows=100 + len(every), recipients=100, already_written=50, exclusions=every)
    assert campaign(audience=audience).funnel[-1].left == 50


def test_bars_are_shares_of_the_recipients() -> None:
    """Largest first, with their exact cost; more than eight countries end in one bar for the rest."""
    bars = campaign().by_country
    assert [(bar.label, bar.recipients, bar.percent) for bar in bars] == [("FR", 40, 80.0), ("US", 10, 20.0)]
    assert bars[1].cost == Decimal("0.1705882")
    many = tuple(UnitPrice(f"{first}{second}", 1, 1, Decimal(1)) for first in "AB" for second in "ABCDEF")
    action = action_of()
    bars = campaign(cost=replace(action.cost, unit_prices=many)).by_country
    assert (len(bars), bars[-1].label, bars[-1].recipients, bars[-1].cost) == (8, "5 others", 5, Decimal(5))


def test_an_unknown_price_leaves_the_sum_unknown() -> None:
    """Unknown is never 0, neither in a bar nor in the bar of the rest."""
    many = tuple(UnitPrice(f"A{letter}", 1, 1, None if letter == "I" else Decimal(1)) for letter in "ABCDEFGHI")
    bars = campaign(cost=replace(action_of().cost, unit_prices=many)).by_country
    assert bars[-1].cost is None


def test_a_phone_for_each_text() -> None:
    """Variants have one each, with who gets it; four are drawn and the others counted."""
    variants = tuple(TextVariant(f"Text {number}", (f"a == {number}",), {}, 1_200, 1) for number in range(6))
    shown = campaign(message=replace(MESSAGE, mode="variants", variants=variants))
    assert shown.phones[0].caption == "1,200 recipients where a == 0"
    assert (len(shown.phones), shown.phones_left_out) == (4, 2)
    grouped = campaign(message=replace(MESSAGE, mode="grouped", texts=9))
    assert [phone.caption for phone in grouped.phones] == ["9 different texts of one template"]


def test_clocks_show_the_local_time_and_the_hours() -> None:
    """A number that may be in several zones has a mark for each; hours are those that every rule permits."""
    paris, america = campaign(purpose="wholesale").local_times
    assert (paris.shown, paris.marks) == ("Sat 10:00", [41.7])
    assert america.shown == "Fri 23:00 to Sat 05:00"
    assert len(america.marks) == 2
    ((start, length),) = paris.open
    assert start <= 41.7 <= start + length
    assert 0 < length < 100


def test_each_wave_has_its_own_time() -> None:
    """Where everybody gets it at ten, every clock shows ten; and the page lists the waves."""
    at = {
        "Europe/Paris": datetime(2027, 3, 22, 9, tzinfo=UTC),
        "America/New_York": datetime(2027, 3, 22, 14, tzinfo=UTC),
    }
    zones = tuple(ZoneCount("FR", (zone,), 1, moment) for zone, moment in at.items())
    waves = tuple(PlannedWave(moment, "Mon 2027-03-22 10:00", (zone,)) for zone, moment in at.items())
    action = action_of(zones=zones, waves=waves, send_at_local="Mon 2027-03-22 10:00 on each recipient's clock")
    shown = plan_view(plan_of(action)).campaigns[0]
    assert [local.shown for local in shown.local_times] == ["Mon 10:00", "Mon 10:00"]
    assert "2027-03-22 09:00 UTC = 10:00 in Europe/Paris: 0 recipients" in render_plan_page(plan_of(action))


def test_hours_that_are_overridden_do_not_narrow_the_day() -> None:
    """What the campaign overrides with a reason is not drawn as closed."""
    sunday = datetime(2027, 3, 21, 20, tzinfo=UTC)
    zones = (ZoneCount("US", ("America/New_York",), 1),)
    hours = [
        sum(length for _, length in campaign(send_at=sunday, zones=zones, overrides=overrides).local_times[0].open)
        for overrides in ((), (Overridden("window/us-states", "agreed with everybody"),))
    ]
    assert 0 < hours[0] < hours[1] < 100
