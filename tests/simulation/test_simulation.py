"""Nobody twice, nobody lost: a short part of what `make prove` plays, and whether the play itself can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.simulation.exhaustive import SMALLEST, Script, scripts
from tests.simulation.faults import Effect, Exactly, Fault, InTurn
from tests.simulation.history import History
from tests.simulation.prove import play_scripts, play_seeds
from tests.simulation.random_histories import play

SEEDS_PER_TEST: Final = 50


@pytest.mark.parametrize("part", range(4))
def test_single_faults_of_small_campaigns(part: int) -> None:
    """Every second pair of a fault and an effect, with and without an edit, soon and past the API's memory."""
    numbers = range(sum(1 for _ in scripts(pairs=False)))
    tally = play_scripts(numbers[part::8], pairs=False)
    assert tally.failing == []
    assert tally.faults >= len(numbers[part::8]) // 2


@pytest.mark.parametrize("first", range(1, 1 + 6 * SEEDS_PER_TEST, SEEDS_PER_TEST))
def test_random_histories(first: int) -> None:
    """Whatever the dice do to several campaigns, runs, machines and people."""
    tally = play_seeds(first, SEEDS_PER_TEST)
    assert tally.failing == []


def test_a_seed_is_one_history(tmp_path: Path) -> None:
    """The same seed gives the same events to the last one, so that a failure can be looked at again."""
    assert play(7).trace == play(7).trace
    assert play(7).trace != play(8).trace
    assert play(7, tmp_path).is_sound


def test_histories_have_unknown_outcomes_and_messages() -> None:
    """A lost answer is left to a person where it cannot be repeated; the person's word is then what counts."""
    lost = Script(SMALLEST, InTurn((Fault.LOST_ANSWER, Fault.THROTTLED_LONG)), pause_s=25 * 3600.0).play()
    assert lost.is_sound
    assert lost.unknown == 1
    assert lost.faults == {Fault.LOST_ANSWER: 1, Fault.THROTTLED_LONG: 1}


def test_a_paused_runner_that_was_replaced_sends_nothing_a_day_later() -> None:
    """Asleep between Intended and its POST, it wakes when the API has forgotten that the other one sent the batch."""
    assert Script(SMALLEST, Exactly({2: Fault.PAUSE_AFTER}), pause_s=25 * 3600.0).play().is_sound


def test_a_recover_that_dies_before_it_writes_the_lock_file_blocks_nobody() -> None:
    """The lock file still says "unknown", the home knows better: it is ahead, so the campaign goes on."""
    history = History(SMALLEST, InTurn((Fault.LOST_REQUEST,)))
    history.checkout.on_unknown = "stop"
    history.apply()
    history.world.choose = lambda _, effect: Fault.CRASH_AFTER if effect is Effect.COMMIT else None
    history.settle()
    assert [line["state"] for line in history.checkout.lock.lines.values() if "batch" in line] == ["unknown"]
    assert history.end().is_sound
