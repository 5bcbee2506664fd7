"""
Who gets a campaign when, where each recipient has a time of his own: waves of one instant each.

Invariants:
- Everybody is in exactly one wave, and nobody without an instant in any: who has none is counted and refused.
- Messages are numbered by instant and then text, of the pairs that occur. What is packed by that number has one
  instant and one text, and comes in the order of the instants.
- Zones are told once a distinct prefix; recipients stay columns, sorted by the engine that sorts texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from octoplan.audience.schemas import MESSAGES
from octoplan.campaign import rules
from octoplan.campaign.recipient_time import RecipientTime
from octoplan.campaign.resolve import Campaign
from octoplan.diagnostics import Finding, Rule, require_no_errors
from octoplan.messages.compose import ComposedMessage, in_order
from octoplan.plan.model import PlannedWave
from octoplan.rulebook.zones import Zones, number_zones
from octoplan.values.local_time import find_instants, load_zone

_TEXT: Final = MESSAGES.get_field_index("text")
_ZONES_NAMED_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Waves:
    """
    The messages of a campaign by instant and text: what `pack_batches` needs, as a message without waves has it.

    `instants` (aware, UTC) and `texts` are those of the numbers in the column `text`. `findings` are warnings.
    """

    message: ComposedMessage
    time: RecipientTime
    instants: tuple[datetime, ...]
    texts: tuple[str, ...] = field(repr=False)
    recipients_per_text: tuple[int, ...]
    findings: tuple[Finding, ...]
    _keys: pa.Int64Array = field(repr=False)

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the first and the last wave leave; `None` without a recipient."""
        return (self.instants[0], self.instants[-1]) if self.instants else None

    def send_at(self, number: int) -> str:
        """The instant of the messages with this number, as the API takes it."""
        return self.instants[number].isoformat(timespec="seconds")

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What goes out, with the columns of `MESSAGES` and in their order; from the start at each call."""
        ranks = {instant: rank for rank, instant in enumerate(sorted(set(self.instants)))}

        def rank(zones: Zones) -> int:
            instant = self.time.instant_for(zones)
            assert instant is not None, "who has no instant was refused"
            return ranks[instant]

        numbered = (self._numbered(rows, rank) for rows in self.message.messages())
        return in_order(numbered, len(self.texts))

    def _numbered(self, rows: pa.RecordBatch, rank: Callable[[Zones], int]) -> pa.RecordBatch:
        keys = _keys(number_zones(rows.column("phone"), rank), rows.column("text"), len(self.message.texts))
        return rows.set_column(_TEXT, MESSAGES.field(_TEXT), pc.index_in(keys, value_set=self._keys))


def plan_waves(
    campaign: Campaign, time: RecipientTime, message: ComposedMessage, told: Callable[[int], None] = lambda _: None
) -> Waves:
    """
    Find every recipient's instant; `told` hears of the rows that go by. Reads the messages once, `batches` again.

    :raises InvalidInput: with all findings, counted over all recipients.
    """
    counts = _count(message, told)
    people: Counter[Zones] = Counter()
    for (zones, _), number in counts.items():
        people[zones] += number
    findings = require_no_errors(_check(campaign, time, people), "The waves of the campaign cannot be planned.")
    instants = {zones: instant for zones in people if (instant := time.instant_for(zones)) is not None}
    pairs: Counter[tuple[datetime, int]] = Counter()
    for (zones, text), number in counts.items():
        pairs[instants[zones], text] += number
    ranks = {instant: rank for rank, instant in enumerate(sorted(set(instants.values())))}
    ordered = sorted(pairs)
    return Waves(
        message=message,
        time=time,
        instants=tuple(instant for instant, _ in ordered),
        texts=tuple(message.texts[text] for _, text in ordered),
        recipients_per_text=tuple(pairs[pair] for pair in ordered),
        findings=findings,
        _keys=pa.array([ranks[instant] * len(message.texts) + text for instant, text in ordered], pa.int64()),
    )


def describe_waves(time: RecipientTime, zones: Iterable[Zones]) -> tuple[PlannedWave, ...]:
    """The waves of recipients who may be in `zones`, in the order of their instants, for people."""
    places: dict[datetime, set[str]] = {}
    for each in zones:
        instant = time.instant_for(each)
        if instant is not None:
            places.setdefault(instant, set()).update(time.last_of(each))
    return tuple(_describe(instant, tuple(sorted(names))) for instant, names in sorted(places.items()))


def _describe(instant: datetime, zones: Zones) -> PlannedWave:
    return PlannedWave(instant, f"{instant.astimezone(load_zone(zones[0])):%a %Y-%m-%d %H:%M}", zones)


def on_each_clock(time: RecipientTime) -> str:
    """`Mon 2027-03-22 10:00 on each recipient's clock`."""
    return f"{time.written:%a %Y-%m-%d %H:%M} on each recipient's clock"


def _count(message: ComposedMessage, told: Callable[[int], None]) -> Counter[tuple[Zones, int]]:
    """Recipients by zones and text."""
    found: Counter[tuple[Zones, int]] = Counter()
    known: dict[Zones, int] = {}
    texts = max(len(message.texts), 1)
    for rows in message.messages():
        numbers = number_zones(rows.column("phone"), lambda zones: known.setdefault(zones, len(known)))
        names = list(known)
        for each in pc.value_counts(_keys(numbers, rows.column("text"), texts)).to_pylist():
            zones, text = divmod(each["values"], texts)
            found[names[zones], text] += each["counts"]
        told(rows.num_rows)
    return found


def _keys(first: pa.Int32Array, text: pa.Int32Array, texts: int) -> pa.Int64Array:
    """Two numbers as one, in the same order."""
    return pc.add(pc.multiply(first.cast(pa.int64()), texts), text.cast(pa.int64()))


# --- what can be wrong ------------------------------------------------------------------------------------------------


def _check(campaign: Campaign, time: RecipientTime, people: Mapping[Zones, int]) -> Iterator[Finding]:
    nowhere = sum(number for zones, number in people.items() if not time.zones_for(zones))
    if nowhere:
        detail = f"{_recipients(nowhere)}: nothing tells the time zone of their numbers, so nobody knows their clock."
        hint = "`elsewhere: Europe/Paris`, beside it, names the zone for them; or take them off the list"
        yield rules.RECIPIENT_ZONE.at(campaign.key_place("schedule", "recipient_local"), detail, hint)
    yield from _check_clocks(campaign, time, people)
    yield from _check_order(campaign, time, people)


def _check_clocks(campaign: Campaign, time: RecipientTime, people: Mapping[Zones, int]) -> Iterator[Finding]:
    """Zones whose clocks skip the time or show it twice, by what was made of it."""
    zones = {zone for each in people for zone in time.zones_for(each) if time.is_unclear_in(zone)}
    place = campaign.place("schedule", "at")
    for rule, shown, hint, names in _by_reading(time, sorted(zones)):
        number = sum(count for each, count in people.items() if not set(names).isdisjoint(time.zones_for(each)))
        yield rule.at(place, f"{_recipients(number)} in {name_zones(names)}: {shown}.", hint)


def _by_reading(time: RecipientTime, zones: Sequence[str]) -> Iterator[tuple[Rule, str, str | None, list[str]]]:
    found: dict[tuple[Rule, str, str | None], list[str]] = {}
    for zone in zones:
        found.setdefault(_reading(time, zone), []).append(zone)
    for (rule, shown, hint), names in found.items():
        yield rule, shown, hint, names


def _reading(time: RecipientTime, zone: str) -> tuple[Rule, str, str | None]:
    instant = time.instant_in(zone)
    if instant is not None:
        local = instant.astimezone(load_zone(zone))
        shown = f"clocks change around it; `clock_change: {time.clock_change}` makes it {local:%Y-%m-%d %H:%M}"
        return rules.TIME_CHOSEN, f"{shown} (UTC{local:%z})", None
    hint = "choose a time an hour earlier or later, or say `clock_change: earlier` or `later`"
    if find_instants(time.written, load_zone(zone)):
        return rules.TIME_TWICE, "clocks are put back and show this time twice", hint
    return rules.TIME_SKIPPED, "clocks are put forward and skip this time", hint


def _check_order(campaign: Campaign, time: RecipientTime, people: Iterable[Zones]) -> Iterator[Finding]:
    last = max((instant for zones in people if (instant := time.instant_for(zones)) is not None), default=None)
    if last is not None and campaign.not_after is not None and campaign.not_after <= last:
        detail = f"The last wave leaves at {last:%Y-%m-%d %H:%M} UTC, and `not_after` has to be later."
        yield rules.TIME_ORDER.at(campaign.place("schedule", "not_after"), detail)


def _recipients(number: int) -> str:
    return f"{number:,} recipient{'' if number == 1 else 's'}"


def name_zones(zones: Sequence[str]) -> str:
    """`Europe/Berlin, Europe/Paris, Europe/Rome and 4 more`."""
    shown = ", ".join(zones[:_ZONES_NAMED_MAX])
    more = len(zones) - _ZONES_NAMED_MAX
    return f"{shown} and {more} more" if more > 0 else shown
