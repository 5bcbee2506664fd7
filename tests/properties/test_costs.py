"""The price shown is the price paid (guarantee G8)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest

from octoplan.sandbox import billing
from octoplan.sandbox.reading import Campaign
from tests.properties.costs import check_costs, fictional_numbers, open_world, random_case

CASES = 120
SEED = 2


def test_planned_cost_is_billed_cost() -> None:
    """
    To the last digit, for each request and each campaign, whatever is mixed; where nobody can know how many numbers
    have opted out at Octopush, the bill lies between the bounds that the plan names.
    """
    seen = check_costs(CASES, SEED)
    features = (
        "bounded",
        "refused",
        "mixed_countries",
        "mixed_parts",
        "with_replies",
        "optimised",
        "blacklist_option",
        "blacklisted_numbers",
        "grouped",
        "several_requests",
        "simulate_all",
        "simulate_strata",
        "sms_low_cost",
        "sms_premium",
    )
    assert seen["cases"] == CASES
    assert [name for name in features if not seen[name]] == []
    assert seen["exact"] > CASES // 2


def test_a_bill_that_is_off_by_the_last_digit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above would see a real send that costs a hundred-millionth more than its simulation."""
    honest = billing.quote
    sends = 0

    def dearer(campaign: Campaign, blacklist: frozenset[str]) -> billing.Quote:
        nonlocal sends
        quoted = honest(campaign, blacklist)
        if campaign.simulation_mode:
            return quoted
        sends += 1
        return replace(quoted, cost=quoted.cost + Decimal("0.00000001"))

    monkeypatch.setattr("octoplan.sandbox.service.quote", dearer)
    random, known = Random(SEED), fictional_numbers()
    with open_world() as world:
        case = next(case for case in iter(lambda: random_case(random, known), object()) if case and case.is_exact)
        with pytest.raises(AssertionError, match="billed otherwise than planned"):
            world.check(case)
    assert sends == 1
