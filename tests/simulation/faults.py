"""
Everything that can go wrong at an effect, as data. An effect is a moment at which a process touches the world.

`Exactly` and `InTurn` play named faults, for the exhaustive part; `ByChance` draws them from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Effect(StrEnum):
    """How a process touches the world."""

    ACQUIRE = "acquire"
    COMMIT = "commit"
    POST = "post"
    RELEASE = "release"


class Fault(StrEnum):
    """One mishap."""

    # Anywhere: the process ends, is paused while others act, or its clock is set.
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    PAUSE_BEFORE = "paused before, another runner takes over"
    PAUSE_AFTER = "paused after, another runner takes over"
    CLOCK_FORWARD = "wall clock a day forward"
    CLOCK_BACK = "wall clock a day back"
    CLOCK_STEP = "wall clock stepped by a minute"
    # Writing to the state home.
    WRITE_FAILS = "write fails"
    WRITE_FAILS_BUT_IS_THERE = "write reported as failed, but it is there"
    LEASE_TAKEN = "lease taken away"
    STOP_NOTICE = "stop notice posted"
    ASKED_TO_STOP = "signal"
    # The network.
    NO_CONNECTION = "no connection"
    LOST_REQUEST = "request lost"
    LOST_ANSWER = "answer lost"
    DOUBLED = "request delivered twice"
    LATE = "request delivered after the time-out"
    # Answers without the request being obeyed.
    THROTTLED = "429"
    THROTTLED_BRIEFLY = "429 with Retry-After 2"
    THROTTLED_LONG = "429 with Retry-After 3600"
    ERROR_500 = "500, not obeyed"
    ERROR_503_HTML = "503 HTML, not obeyed"
    HTML_200 = "200 HTML, not obeyed"
    REFUSED_FILE = "refused: content"
    REFUSED_ACCOUNT = "refused: account"
    REFUSED_RETRY = "refused: later"
    REFUSED_UNCLEAR = "refused: unclear"
    EMPTY_WALLET = "refused: funds, until topped up"
    # Answers after the request was obeyed.
    OBEYED_500 = "500, obeyed"
    OBEYED_503_HTML = "503 HTML, obeyed"
    OBEYED_HTML = "200 HTML, obeyed"
    OBEYED_EMPTY = "empty 200, obeyed"
    TRUNCATED = "answer cut in the middle"
    WRONG_COUNT = "another number of contacts"


_ANYWHERE: Final = (
    Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
    Fault.PAUSE_BEFORE,
    Fault.PAUSE_AFTER,
    Fault.CLOCK_FORWARD,
    Fault.CLOCK_BACK,
    Fault.CLOCK_STEP,
)
_WRITES: Final = (
    Fault.WRITE_FAILS,
    Fault.WRITE_FAILS_BUT_IS_THERE,
    Fault.LEASE_TAKEN,
    Fault.STOP_NOTICE,
    Fault.ASKED_TO_STOP,
)
FAULTS: Final[Mapping[Effect, tuple[Fault, ...]]] = {
    Effect.ACQUIRE: (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.WRITE_FAILS),
    Effect.COMMIT: (*_ANYWHERE, *_WRITES),
    Effect.POST: (Fault.ASKED_TO_STOP, *(fault for fault in Fault if fault not in _WRITES)),
    Effect.RELEASE: (Fault.CRASH_BEFORE, Fault.CRASH_AFTER),
}
"""Which faults can meet which effect."""

Chooser = Callable[[int, Effect], Fault | None]
"""The fault that meets an effect, given its number in the history (from 0)."""


@dataclass(frozen=True, slots=True)
class Exactly:
    """These faults at these effects, where they apply, and no others."""

    faults: Mapping[int, Fault] = field(default_factory=dict)

    def __call__(self, number: int, effect: Effect) -> Fault | None:
        fault = self.faults.get(number)
        return fault if fault in FAULTS[effect] else None


@dataclass(slots=True)
class InTurn:
    """The first POST of a history meets the first of these faults, the second POST the second, and no other effect."""

    faults: tuple[Fault, ...]
    _posts: int = 0

    def __call__(self, number: int, effect: Effect) -> Fault | None:
        if number == 0:
            self._posts = 0
        if effect is not Effect.POST:
            return None
        self._posts += 1
        return self.faults[self._posts - 1] if self._posts <= len(self.faults) else None


@dataclass(frozen=True, slots=True)
class ByChance:
    """Each effect meets a fault with probability `rate`, a POST three times as often; any of its faults alike."""

    dice: random.Random
    rate: float

    def __call__(self, number: int, effect: Effect) -> Fault | None:
        rate = self.rate * (3 if effect is Effect.POST else 1)
        return self.dice.choice(FAULTS[effect]) if self.dice.random() < rate else None


def no_faults(number: int, effect: Effect) -> Fault | None:
    """Nothing goes wrong."""
    return None
