"""
Times as people write them, and the instants they stand for.

Time zones come from the `tzdata` package, never from the machine, so that a plan is the same everywhere.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Final, Literal
from zoneinfo import ZoneInfo

from octoplan.values.names import nearest

WRITTEN_TIME_PATTERN: Final = (
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"
    r"(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?"
)

ClockChange = Literal["refuse", "earlier", "later"]
"""What becomes of a local time that clocks skip or show twice."""


@cache
def zone_names() -> frozenset[str]:
    """All IANA names that can be written, such as `Europe/Paris`."""
    return frozenset((files("tzdata") / "zones").read_text(encoding="utf-8").split())


@cache
def load_zone(name: str) -> ZoneInfo:
    """
    The rules of a time zone.

    :raises ValueError: if it is not an IANA name, with the nearest one.
    """
    if name not in zone_names():
        guess = nearest(name, zone_names())
        raise ValueError("not an IANA time zone" + (f"; did you mean `{guess}`?" if guess else ""))
    with (files("tzdata") / "zoneinfo" / name).open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)


def parse_written_time(text: str) -> datetime:
    """
    A time such as `2027-03-20T10:00`, with seconds and an offset if they are written; naive without an offset.

    :raises ValueError: if it is written in another way, or there is no such day.
    """
    if not re.fullmatch(WRITTEN_TIME_PATTERN, text):
        raise ValueError("not a time such as `2027-03-20T10:00` or `2027-03-20T10:00+01:00`")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("there is no such day") from None


def find_instants(local: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """
    Every instant (aware, in `zone`) at which clocks there show the naive time `local`, earliest first.

    One, but for the hours of a clock change: none when clocks skip it, two when they repeat it.
    """
    readings = [local.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    instants = {reading.astimezone(UTC): reading for reading in readings if _is_shown(reading, zone)}
    return tuple(instants[instant] for instant in sorted(instants))


def read_around_change(local: datetime, zone: ZoneInfo, choice: Literal["earlier", "later"]) -> datetime:
    """
    One instant (aware, in `zone`) for a naive time that clocks there skip or show twice.

    Of a time shown twice it is the first or the second showing. A skipped 02:30 is read on the clock as it was before
    the change (`later`: 03:30) or as it is after it (`earlier`: 01:30).
    """
    instants = sorted(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return instants[0 if choice == "earlier" else -1].astimezone(zone)


def _is_shown(reading: datetime, zone: ZoneInfo) -> bool:
    return reading.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == reading.replace(tzinfo=None)
