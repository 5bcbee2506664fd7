"""A history from a seed: which campaigns, which faults how often, what people do between the runs."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.simulation.campaigns import Row, Sheet, phone
from tests.simulation.faults import ByChance
from tests.simulation.history import History, Verdict
from tests.simulation.runner import Checkout
from tests.simulation.world import DAY_S

PEOPLE: Final = 14
"""Numbers of which lists are made: few, so that campaigns share recipients."""
_HOURS: Final = (0.0, 0.01, 1.0, 5.0, 18.0, 25.0, 30.0)


@dataclass(slots=True)
class Stage:
    """A history, its dice, and checkouts that somebody made earlier."""

    history: History
    dice: random.Random
    old: list[Checkout]

    def some_sheet(self) -> Sheet:
        return self.dice.choice(self.history.checkout.sheets)


def play(seed: int, folder: Path | None = None) -> Verdict:
    """The history of a seed; on the real local home in `folder` where one is given."""
    random.seed(seed)  # the back-off of a delivery takes its jitter from here
    dice = random.Random(seed)
    history = History(
        _sheets(dice),
        ByChance(dice, dice.choice((0.02, 0.08, 0.2))),
        trusts_count=dice.random() < 0.4,
        has_mark=dice.random() < 0.8,
        folder=folder,
        asleep_s=lambda: dice.choice(_HOURS) * 3600,
        unlocks=lambda: dice.random() < 0.8,
    )
    stage = Stage(history, dice, [])
    for _ in range(dice.randint(1, 5)):
        stage.old.append(copy(history.checkout))
        history.apply(on_other=dice.random() < 0.3)
        if dice.random() < 0.9:
            history.unlock()
        for _ in range(dice.randint(0, 3)):
            dice.choices(list(ACTS), list(ACTS.values()))[0](stage)
    return history.end()


# --- campaigns --------------------------------------------------------------------------------------------------------


def _sheets(dice: random.Random) -> tuple[Sheet, ...]:
    sheets = tuple(_sheet(f"c{index}", dice) for index in range(dice.randint(1, 3)))
    if len(sheets) > 1 and dice.random() < 0.3:
        # Two campaigns that send the same bytes to the same people, on purpose.
        first = replace(sheets[0], follow_up_of="c1", audience="frozen")
        return first, replace(first, id="c1", follow_up_of="c0"), *sheets[2:]
    return sheets


def _sheet(name: str, dice: random.Random) -> Sheet:
    return Sheet(
        id=name,
        letter=f"letter-{name}",
        rows=tuple(_row(number, dice) for number in dice.sample(range(PEOPLE), dice.randint(1, 12))),
        batch_size=dice.randint(1, 3),
        audience="growing" if dice.random() < 0.3 else "frozen",
        canary=dice.choice((0, 0, 0, 2)),
    )


def _row(number: int, dice: random.Random) -> Row:
    return phone(number), dice.choice(("Ana", "Ben", "Chloe"))


# --- what people do between runs --------------------------------------------------------------------------------------


def wait(stage: Stage) -> None:
    stage.history.world.advance(stage.dice.choice(_HOURS) * 3600)


def settle(stage: Stage) -> None:
    stage.history.settle()


def top_up(stage: Stage) -> None:
    stage.history.world.say("the wallet is topped up")
    stage.history.world.top_up()


def resume(stage: Stage) -> None:
    store = stage.history.office.opened()
    store.put_stop_notice(None)
    store.close()


def jump_clock(stage: Stage) -> None:
    stage.history.world.say("somebody sets the wall clock")
    stage.history.machine.jump(stage.dice.choice((-2 * DAY_S, -DAY_S, -1800.0, 1800.0, DAY_S)))


def restart(stage: Stage) -> None:
    stage.history.world.say("the machine is started anew")
    stage.history.machine.restart()


def shuffle_rows(stage: Stage) -> None:
    sheet = stage.some_sheet()
    rows = list(sheet.rows)
    stage.dice.shuffle(rows)
    stage.history.edit("order of rows", replace(sheet, rows=tuple(rows)))


def edit_value(stage: Stage) -> None:
    sheet = stage.some_sheet()
    edited = stage.dice.randrange(len(sheet.rows))
    rows = tuple((number, "Dora" if index == edited else name) for index, (number, name) in enumerate(sheet.rows))
    stage.history.edit("a value", replace(sheet, rows=rows))


def add_contact(stage: Stage) -> None:
    sheet = stage.some_sheet()
    row = _row(stage.dice.randrange(PEOPLE), stage.dice)
    if row[0] not in sheet.numbers:
        stage.history.edit("a contact more", replace(sheet, rows=(*sheet.rows, row)))


def remove_contact(stage: Stage) -> None:
    sheet = stage.some_sheet()
    if len(sheet.rows) > 1:
        stage.history.edit("a contact less", replace(sheet, rows=sheet.rows[1:]))


def reword(stage: Stage) -> None:
    sheet = stage.some_sheet()
    stage.history.edit("the text", replace(sheet, wording="salut" if sheet.wording == "bonjour" else "bonjour"))


def recut(stage: Stage) -> None:
    sheet = stage.some_sheet()
    stage.history.edit("the batch size", replace(sheet, batch_size=stage.dice.randint(1, 3)))


def opt_out(stage: Stage) -> None:
    stage.history.suppress(phone(stage.dice.randrange(PEOPLE)))


def change_policy(stage: Stage) -> None:
    stage.history.world.say("another policy for unknown outcomes")
    stage.history.checkout.on_unknown = stage.dice.choice(("repeat", "stop"))


def apply_old_checkout(stage: Stage) -> None:
    """Somebody runs an old workflow again: older lists, an older lock file, the present state home."""
    stage.history.world.say("an old checkout is applied")
    stage.history.apply(copy(stage.dice.choice(stage.old)), on_other=True)
    stage.history.unlock()


ACTS: Final[Mapping[Callable[[Stage], None], int]] = {
    wait: 6,
    settle: 3,
    top_up: 3,
    resume: 3,
    jump_clock: 1,
    restart: 2,
    shuffle_rows: 1,
    edit_value: 2,
    add_contact: 2,
    remove_contact: 1,
    reword: 1,
    recut: 1,
    opt_out: 1,
    change_policy: 1,
    apply_old_checkout: 2,
}
"""What can happen between two runs, and how often in proportion."""
