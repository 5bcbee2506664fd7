"""
Small campaigns, every mishap: each fault at each effect, each two faults in a row, each two crashes.

A script is: apply, meeting its faults; apply again; quiet. Effects of the second apply are numbered on, so that a crash
in the recovery from a crash is among the pairs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle, product
from typing import Final

from tests.simulation.campaigns import Sheet, phone
from tests.simulation.faults import FAULTS, Chooser, Effect, Exactly, Fault, InTurn
from tests.simulation.history import History, Verdict

CRASHES: Final = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)
SMALLEST: Final = (Sheet("c0", "letter-c0", ((phone(1), "Ana"), (phone(2), "Ben")), 1),)
SMALL: Final = (
    Sheet("c0", "letter-c0", tuple((phone(number), "Ana") for number in range(3)), 2),
    Sheet("c1", "letter-c1", ((phone(2), "Ana"), (phone(3), "Ben")), 2, audience="growing"),
)
SOON_S: Final = 60.0
PAST_LIFETIME_S: Final = 25 * 3600.0
"""Between the runs: inside the lifetime of a request id, or past it."""


@dataclass(frozen=True, slots=True)
class Script:
    """
    One small history. `pause_s` is the time between its runs, and how long a paused runner sleeps on after another one
    took over; `is_edited` is whether somebody edits a value of the list between the runs.
    """

    sheets: tuple[Sheet, ...]
    faults: Exactly | InTurn = field(default_factory=Exactly)
    pause_s: float = SOON_S
    is_edited: bool = False

    def play(self) -> Verdict:
        """The history, judged."""
        return self._play(self.faults)

    def effects(self) -> list[Effect]:
        """What it does up to its quiet part, in order."""
        seen: list[Effect] = []

        def choose(number: int, effect: Effect) -> Fault | None:
            seen.append(effect)
            return self.faults(number, effect)

        self._play(choose)
        return seen

    def _play(self, choose: Chooser) -> Verdict:
        random.seed(0)  # the back-off of a delivery takes its jitter from here
        sleep = cycle((SOON_S, self.pause_s))
        history = History(self.sheets, choose, asleep_s=lambda: next(sleep))
        for _ in range(2):
            history.apply()
            history.world.advance(self.pause_s)
            history.unlock()
            if self.is_edited:
                sheet = history.checkout.sheets[0]
                history.edit("the values", replace(sheet, rows=tuple((number, "Dora") for number, _ in sheet.rows)))
        return history.end()


def scripts(*, pairs: bool) -> Iterator[Script]:
    """Every single fault; with `pairs` also every two crashes and every two faults of one request in a row."""
    for sheets, pause_s, is_edited in product((SMALLEST, SMALL), (SOON_S, PAST_LIFETIME_S), (False, True)):
        bare = Script(sheets, pause_s=pause_s, is_edited=is_edited)
        for number, effect in enumerate(bare.effects()):
            yield from (replace(bare, faults=Exactly({number: fault})) for fault in FAULTS[effect])
    if pairs:
        yield from _two_crashes()
        yield from _two_answers()


def _two_crashes() -> Iterator[Script]:
    for number, first in product(range(len(Script(SMALLEST).effects())), CRASHES):
        once = Script(SMALLEST, Exactly({number: first}))
        for later, second in product(range(number + 1, len(once.effects())), CRASHES):
            yield Script(SMALLEST, Exactly({number: first, later: second}))


def _two_answers() -> Iterator[Script]:
    for pause_s, first, second in product((SOON_S, PAST_LIFETIME_S), FAULTS[Effect.POST], FAULTS[Effect.POST]):
        yield Script(SMALLEST, InTurn((first, second)), pause_s)
