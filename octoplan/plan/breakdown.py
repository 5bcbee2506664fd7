"""What a plan costs by country and by number of parts, over all campaigns that it sends."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from octoplan.plan.model import Action, UnitPrice

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of what is sent; `cost` is `None` while a price in it is unknown, and without fees for requests."""

    recipients: int
    segments: int
    cost: Decimal | None


def by_country(actions: Iterable[Action]) -> dict[str, Share]:
    """Shares by country (ISO 3166), sorted."""
    return _shares(actions, lambda unit: unit.country)


def by_parts(actions: Iterable[Action]) -> dict[int, Share]:
    """Shares by the number of parts of a message, sorted."""
    return dict(sorted(_shares(actions, lambda unit: unit.segments).items()))


def _shares(actions: Iterable[Action], key: Callable[[UnitPrice], Key]) -> dict[Key, Share]:
    found: dict[Key, Share] = {}
    for unit in sorted(_units(actions), key=lambda unit: (unit.country, unit.segments)):
        found[key(unit)] = _add(found.get(key(unit), Share(0, 0, Decimal(0))), unit)
    return found


def _units(actions: Iterable[Action]) -> Iterator[UnitPrice]:
    return (unit for action in actions for unit in action.cost.unit_prices)


def _add(share: Share, unit: UnitPrice) -> Share:
    cost = None if share.cost is None or unit.price is None else share.cost + unit.price * unit.recipients
    return Share(share.recipients + unit.recipients, share.segments + unit.segments * unit.recipients, cost)
