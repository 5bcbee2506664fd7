from __future__ import annotations

from decimal import Decimal

from octoplan.limits import CHARACTERS_SHOWN_MAX
from octoplan.messages.characters import Cause
from octoplan.messages.handling import Handling
from octoplan.plan.lengths import (
    PartPrices,
    describe_dearer,
    describe_difference,
    describe_pessimistic,
    describe_replaced,
)
from octoplan.plan.model import CharacterFrom, Difference, UnitPrice
from tests.unit.messages.test_handling import composed

UNITS = [
    UnitPrice("FR", 1, 10, Decimal("0.061")),
    UnitPrice("FR", 2, 10, Decimal("0.1")),
    UnitPrice("DE", 2, 10, Decimal("0.2")),
    UnitPrice("US", 1, 10, None),
]
PRICES = PartPrices.of(UNITS)


def test_a_difference_has_the_prices_of_the_plan() -> None:
    """What a part more costs is the difference of two prices that the API named, not one of them divided."""
    assert describe_difference({("FR", 2, 1): 10}, PRICES) == Difference(10, 10, Decimal("0.390"))


def test_a_length_that_nobody_named_is_estimated() -> None:
    """A price that was not asked is taken in proportion to the parts, and the figure says so."""
    assert describe_difference({("DE", 3, 1): 2}, PRICES) == Difference(2, 4, Decimal("0.4"), is_estimated=True)


def test_an_unknown_price_makes_an_unknown_cost() -> None:
    """Parts are counted, and what they cost is unknown, never 0."""
    assert describe_difference({("FR", 2, 1): 1, ("US", 2, 1): 1}, PRICES) == Difference(2, 2, None)
    assert describe_difference({("ES", 2, 1): 1}, PRICES) == Difference(1, 1, None)
    assert describe_difference({}, PRICES) is None


def test_no_recipient_is_lost_from_what_makes_messages_longer() -> None:
    """A plan names a bounded number of reasons; the others are together at the end."""
    causes = [Cause(((chr(0x100 + number), frozenset("a")),), {("FR", 2, 1): 3}) for number in range(60)]
    found = describe_dearer(causes, PRICES)
    assert len(found) == CHARACTERS_SHOWN_MAX + 1
    assert (found[0].because, found[0].level) == ((CharacterFrom("\u0100", ("a",)),), 3)
    assert (found[-1].because, found[-1].level) == ((), None)
    assert sum(each.extra.recipients for each in found) == 180


def test_replaced_characters_begin_with_the_template() -> None:
    """The template's characters first, which everybody reads; then the columns', most recipients first."""
    replaced = {("ï", frozenset("a")): 1, ("ê", frozenset("a")): 5, ("…", frozenset[str]()): 2}
    assert [(each.source.character, each.by) for each in describe_replaced(replaced, 3)] == [
        ("…", "..."),
        ("ê", "e"),
        ("ï", "i"),
    ]


def test_the_pessimistic_histogram_has_everybody() -> None:
    """Both ways of counting are of the same recipients."""
    message = composed("a" * 125 + "{{ a }}", Handling(), a=["&" * 20, "x" * 20, "ï", "x"])
    assert describe_pessimistic(message.statistics) == {1: 2, 2: 2}
