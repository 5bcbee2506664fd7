"""
One history: a few campaigns, runs with faults, edits between them, then quiet; everything follows from one seed.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Final

from octoplan.diagnostics import StateUnavailable
from octoplan.state.home import Home
from octoplan.state.local import LocalStore
from octoplan.state.store import StateStore
from tests.simulation.campaigns import KEY, Sheet, prepare
from tests.simulation.faults import Chooser, Effect, Fault, no_faults
from tests.simulation.judge import Judge
from tests.simulation.memory_store import Disk, MemoryStore
from tests.simulation.runner import Checkout, Ending, Office, apply, settle, unlock
from tests.simulation.world import PAUSED_POST_S, Machine, Process, SimulatedClock, World

QUIET_RUNS_MAX: Final = 12
"""Runs without faults after which a history must have come to its end."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge found. `unknown` counts outcomes that a person had to settle."""

    duplicates: tuple[str, ...]
    losses: tuple[str, ...]
    broken: tuple[str, ...]
    faults: Counter[Fault]
    effects: int
    unknown: int
    trace: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        return not (self.duplicates or self.losses or self.broken)


class History:
    """
    The stage on which a history is played: one project with its state home, machines and people.

    The state home is in memory, or the real local one in `folder`. `asleep_s` is how long a paused runner sleeps,
    asked before another one takes over and again after it; `unlocks` is whether its lease is taken away for that.
    """

    def __init__(
        self,
        sheets: tuple[Sheet, ...],
        choose: Chooser,
        *,
        trusts_count: bool = True,
        has_mark: bool = True,
        folder: Path | None = None,
        asleep_s: Callable[[], float] = lambda: 60.0,
        unlocks: Callable[[], bool] = lambda: True,
    ) -> None:
        self.world = World(choose)
        self.checkout = Checkout(sheets)
        self.versions: list[Sheet] = list(sheets)
        self.machine = Machine("laptop", trusts_count, has_mark or trusts_count)
        # Another machine's count cannot be compared, so where the count is what is trusted there is only one.
        self.other_machine = self.machine if trusts_count else Machine("runner", trusts_count, has_mark)
        self.judge = Judge(self.world)
        self.office = Office(self._opener(folder), self.judge.witness, folder is not None, self.judge.blame)
        self.unknown = 0
        self._asleep_s, self._unlocks = asleep_s, unlocks
        self._runs = count(1)

    def _opener(self, folder: Path | None) -> Callable[[], StateStore]:
        if folder is not None:
            clock = SimulatedClock(self.world, self.machine)
            return lambda: LocalStore(folder, clock)
        disk = Disk()
        return lambda: MemoryStore(disk)

    # --- what people do ----------------------------------------------------------------------------------------------

    def apply(self, checkout: Checkout | None = None, *, on_other: bool = False, may_pause: bool = True) -> Ending:
        """Run `apply`; the checkout's lock file is what it leaves behind."""
        return apply(self._process(on_other=on_other, may_pause=may_pause), checkout or self.checkout, self.office)

    def settle(self) -> None:
        """Somebody settles what is unknown, when nothing is on its way any more."""
        self.world.land_everything()
        self.unknown += settle(self._process(on_other=False, may_pause=False), self.checkout, self.office)

    def unlock(self) -> None:
        """Somebody takes the lease away from whoever holds it, dead or not."""
        self.world.say("the lease is taken away from whoever held it")
        unlock(self.office)

    def edit(self, what: str, sheet: Sheet) -> None:
        """Replace the campaign of that id in the checkout."""
        self.world.say(f"edit: {what} of {sheet.id}")
        self.versions.append(sheet)
        sheets = tuple(sheet if each.id == sheet.id else each for each in self.checkout.sheets)
        self.checkout.sheets = sheets

    def suppress(self, number: str) -> None:
        """Somebody opts out."""
        self.world.say("somebody opts out")
        self.checkout.suppressed |= {number}

    def _process(self, *, on_other: bool, may_pause: bool) -> Process:
        machine = self.other_machine if on_other else self.machine
        return Process(self.world, machine, f"r_{next(self._runs)}", self._meanwhile if may_pause else None)

    def _meanwhile(self, paused: Process, effect: Effect) -> None:
        """While one runner is paused, a person thinks it gone and lets another one do its work."""
        longest = PAUSED_POST_S / 2 if effect is Effect.POST else float("inf")
        self.world.advance(min(self._asleep_s(), longest))
        if self._unlocks():
            self.unlock()
        self.apply(replace(self.checkout), on_other=True, may_pause=False)
        self.world.advance(min(self._asleep_s(), longest))
        self.world.say(f"{paused.run} wakes up")

    # --- the end -----------------------------------------------------------------------------------------------------

    def end(self) -> Verdict:
        """Quiet: nothing goes wrong any more, people settle what is unknown and apply until nothing is left."""
        self.world.choose = no_faults
        self.world.say("--- quiet ---")
        self.checkout.on_unknown = "repeat"
        is_done = any(self._quiet_run() for _ in range(QUIET_RUNS_MAX))
        store = self.office.opened()
        home = Home(store, KEY, SimulatedClock(self.world, self.machine))
        self.judge.close_the_books(home, self.checkout, self.versions, is_done=is_done)
        store.close()
        self.world.close()
        found = self.judge.found
        return Verdict(
            tuple(found["duplicate"]),
            tuple(found["loss"]),
            tuple(found["broken"]),
            self.world.faults,
            self.world.effects,
            self.unknown,
            tuple(self.world.trace),
        )

    def _quiet_run(self) -> bool:
        self.world.top_up()
        self.unlock()
        self.settle()
        store = self.office.opened()
        store.put_stop_notice(None)
        home = Home(store, KEY, SimulatedClock(self.world, self.machine))
        with contextlib.suppress(StateUnavailable):  # a broken journal, of which the judge hears from the home itself
            self.checkout.sheets = tuple(self._as_begun(sheet, home) for sheet in self.checkout.sheets)
        store.close()
        return self.apply(may_pause=False).is_idle

    def _as_begun(self, sheet: Sheet, home: Home) -> Sheet:
        """Edits that a begun campaign refuses are taken back: the last version that it can go on with."""
        state = home.campaigns().get(sheet.id)
        if state is None or not state.is_begun:
            return sheet
        fitting = [
            each
            for each in self.versions
            if each.id == sheet.id and prepare(each, self.checkout.suppressed, "repeat").content == state.content
        ]
        return fitting[-1] if fitting else sheet
