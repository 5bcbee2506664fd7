"""What single characters cost: the counts of the message stage with the prices of the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from octoplan.limits import CHARACTERS_SHOWN_MAX
from octoplan.messages.characters import Cause, Culprit, Shift, extra_parts
from octoplan.messages.handling import Level, table_of
from octoplan.messages.statistics import Extreme, MessageStatistics
from octoplan.plan.model import CharacterFrom, DearerMessages, Difference, MessageLength, ReplacedCharacter, UnitPrice

_SMALLEST: Final = Decimal("0.00000001")
"""The API's costs have up to 8 decimals."""


@dataclass(frozen=True, slots=True)
class PartPrices:
    """Prices of messages by country and parts; where a plan knows only other lengths, in proportion to the parts."""

    known: Mapping[tuple[str, int], Decimal]

    @classmethod
    def of(cls, units: Iterable[UnitPrice]) -> PartPrices:
        """The prices that a plan knows."""
        return cls({(unit.country, unit.segments): unit.price for unit in units if unit.price is not None})

    def find(self, country: str, parts: int) -> tuple[Decimal, bool] | None:
        """A price, and whether it is only in proportion; `None` where nothing is known of the country."""
        exact = self.known.get((country, parts))
        if exact is not None:
            return exact, False
        others = sorted((length, price) for (where, length), price in self.known.items() if where == country)
        if not others:
            return None
        length, price = others[0]
        return (price * parts / length).quantize(_SMALLEST), True


def describe_difference(shifts: Mapping[Shift, int], prices: PartPrices) -> Difference | None:
    """How many parts more there are, and what they cost; `None` if there are none."""
    if not shifts:
        return None
    cost, is_estimated = Decimal(0), False
    for (country, now, then), count in shifts.items():
        dear, cheap = prices.find(country, now), prices.find(country, then)
        if dear is None or cheap is None:
            return Difference(sum(shifts.values()), extra_parts(shifts), None)
        cost += (dear[0] - cheap[0]) * count
        is_estimated |= dear[1] or cheap[1]
    return Difference(sum(shifts.values()), extra_parts(shifts), cost, is_estimated)


def describe_dearer(causes: Sequence[Cause], prices: PartPrices) -> tuple[DearerMessages, ...]:
    """What makes messages longer, most parts first; what is beyond the bound together at the end, without a name."""
    named = [(tuple(map(_from, cause.culprits)), cause.level, cause.shifts) for cause in causes[:CHARACTERS_SHOWN_MAX]]
    others: Counter[Shift] = Counter()
    for cause in causes[CHARACTERS_SHOWN_MAX:]:
        others.update(cause.shifts)
    found = [*named, ((), None, others)]
    priced = [(because, level, describe_difference(shifts, prices)) for because, level, shifts in found]
    return tuple(DearerMessages(because, extra, level) for because, level, extra in priced if extra is not None)


def describe_replaced(replaced: Mapping[Culprit, int], level: Level) -> tuple[ReplacedCharacter, ...]:
    """Each replaced character, those of the template first, then those of the most recipients."""
    table = table_of(level)
    ordered = sorted(replaced.items(), key=lambda item: (bool(item[0][1]), -item[1], item[0][0], sorted(item[0][1])))
    return tuple(ReplacedCharacter(_from(culprit), table[culprit[0]], count) for culprit, count in ordered)


def describe_length(extreme: Extreme | None) -> MessageLength | None:
    """The longest or shortest message."""
    if extreme is None:
        return None
    return MessageLength(extreme.row, extreme.units, extreme.segments, extreme.encoding, extreme.cuts)


def describe_pessimistic(statistics: MessageStatistics) -> dict[int, int]:
    """Recipients by parts, as Octopush's page on special characters counts."""
    histogram = Counter(statistics.segments)
    for (_, worst, standard), count in statistics.pessimistic.items():
        histogram[worst] += count
        histogram[standard] -= count
    return {parts: count for parts, count in sorted(histogram.items()) if count}


def _from(culprit: Culprit) -> CharacterFrom:
    return CharacterFrom(culprit[0], tuple(sorted(culprit[1])))
