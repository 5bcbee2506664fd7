"""
One local time, many instants: a time on the clock of each recipient.

Invariants:
- Of the zones that a number may be in the one that comes last decides: nobody gets anything before the written time,
  whichever of the zones he is in.
- Where nothing tells a zone, or clocks change and no rule says what then, there is no instant: never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from octoplan.values.local_time import ClockChange, find_instants, load_zone, read_around_change

if TYPE_CHECKING:
    from octoplan.rulebook.zones import Zones


@dataclass(frozen=True, slots=True)
class RecipientTime:
    """
    `written` is naive, as it is on each recipient's clock. `elsewhere` is the zone of those whose number tells none.

    Zones are IANA names, as `rulebook.zones` finds them for a number; instants are aware, in UTC.
    """

    written: datetime
    clock_change: ClockChange = "refuse"
    elsewhere: str | None = None

    def zones_for(self, zones: Zones) -> Zones:
        """The zones that decide about numbers that may be in `zones`; none if nothing tells."""
        return zones or ((self.elsewhere,) if self.elsewhere else ())

    def instant_in(self, zone: str) -> datetime | None:
        """When clocks in a zone show the time; `None` around a clock change that is refused."""
        return _instant(self.written, zone, self.clock_change)

    def instant_for(self, zones: Zones) -> datetime | None:
        """When it leaves for numbers that may be in `zones`; `None` if that is not known of each."""
        instants = [self.instant_in(zone) for zone in self.zones_for(zones)]
        known = [instant for instant in instants if instant is not None]
        return max(known) if known and len(known) == len(instants) else None

    def last_of(self, zones: Zones) -> Zones:
        """Those of the zones in which the instant is what clocks show then, or were chosen to show."""
        instant = self.instant_for(zones)
        return tuple(zone for zone in self.zones_for(zones) if self.instant_in(zone) == instant)

    def is_unclear_in(self, zone: str) -> bool:
        """Whether clocks in a zone skip the time or show it twice."""
        return len(find_instants(self.written, load_zone(zone))) != 1

    def instants_in(self, zones: Iterable[str]) -> tuple[datetime, ...]:
        """Every instant at which anybody in `zones`, or elsewhere, could get it, earliest first."""
        instants = {self.instant_in(zone) for zone in {*zones, *self.zones_for(())}}
        return tuple(sorted(instant for instant in instants if instant is not None))


@lru_cache(maxsize=20_000)
def _instant(written: datetime, name: str, clock_change: ClockChange) -> datetime | None:
    zone = load_zone(name)
    instants = find_instants(written, zone)
    if len(instants) == 1:
        return instants[0].astimezone(UTC)
    return None if clock_change == "refuse" else read_around_change(written, zone, clock_change).astimezone(UTC)
