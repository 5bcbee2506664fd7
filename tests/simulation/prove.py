"""
The proof of "never twice, never lost", to be run by whoever doubts it: `make prove`.

    python -m tests.simulation.prove                     everything, and one line of JSON at the end
    python -m tests.simulation.prove --seed 4711         one random history again, event by event
    python -m tests.simulation.prove --script 17         one of the exhaustive ones

Exits 1 on any duplicate, loss or broken promise. Random histories are named by their seed; the same seed is the same
history on every machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.simulation.exhaustive import scripts
from tests.simulation.history import Verdict
from tests.simulation.random_histories import play

CHUNK: Final = 100
LOCAL_HOME_EVERY: Final = 20
"""Of so many random histories one is played on the real local home, which is slower than memory."""
_MEMORY_FOLDER: Final = Path("/dev/shm")
SHOWN_MAX: Final = 3
"""Failing histories that are printed in full."""


@dataclass(slots=True)
class Tally:
    """What a number of histories came to."""

    histories: int = 0
    faults: int = 0
    duplicates: int = 0
    losses: int = 0
    broken: int = 0
    unknown: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    failing: list[str] = field(default_factory=list)

    def add(self, name: str, verdict: Verdict) -> None:
        """Count one history."""
        self.histories += 1
        self.faults += verdict.faults.total()
        self.duplicates += len(verdict.duplicates)
        self.losses += len(verdict.losses)
        self.broken += len(verdict.broken)
        self.unknown += verdict.unknown
        self.kinds.update({fault.value: number for fault, number in verdict.faults.items()})
        if not verdict.is_sound:
            self.failing.append(name)

    def merge(self, other: Tally) -> None:
        """Add what another one counted."""
        for name in ("histories", "faults", "duplicates", "losses", "broken", "unknown"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.kinds.update(other.kinds)
        self.failing += other.failing


def play_seed(seed: int) -> Verdict:
    """The random history of a seed."""
    if seed % LOCAL_HOME_EVERY:
        return play(seed)
    folder = _MEMORY_FOLDER if _MEMORY_FOLDER.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as home:
        return play(seed, Path(home))


def play_seeds(first: int, count: int) -> Tally:
    """Random histories in a row."""
    tally = Tally()
    for seed in range(first, first + count):
        tally.add(str(seed), play_seed(seed))
    return tally


def play_scripts(numbers: Sequence[int], *, pairs: bool) -> Tally:
    """Some of the exhaustive histories, by their number."""
    tally, wanted = Tally(), set(numbers)
    for number, script in enumerate(scripts(pairs=pairs)):
        if number in wanted:
            tally.add(f"script {number}", script.play())
    return tally


def main() -> int:
    """The command."""
    options = _options()
    if options.seed is not None:
        return _show(f"seed {options.seed}", play_seed(options.seed))
    if options.script is not None:
        return _show(f"script {options.script}", list(scripts(pairs=True))[options.script].play())
    return _prove(options.histories, options.first, options.processes, 0 if options.no_kills else options.kills)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Prove that nobody gets a message twice and nobody is lost.")
    parser.add_argument("--histories", type=int, default=10_000, help="random histories (default 10000)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--kills", type=int, default=200, help="real processes to kill (default 200)")
    parser.add_argument("--no-kills", action="store_true", help="the simulation alone")
    parser.add_argument("--processes", type=int, default=2, help="how many at once (default 2)")
    parser.add_argument("--seed", type=int, help="play one random history and show it")
    parser.add_argument("--script", type=int, help="play one exhaustive history and show it")
    return parser.parse_args()


def _prove(histories: int, first: int, processes: int, kills: int) -> int:
    began = time.monotonic()
    tally, killed = Tally(), 0
    with ProcessPoolExecutor(processes, initializer=_forget_pandas) as pool, ProcessPoolExecutor(1) as killer:
        killing = killer.submit(_kill, kills, first) if kills else None
        for done, future in enumerate(as_completed(_jobs(pool, histories, first)), 1):
            tally.merge(future.result())
            if done % 10 == 0:
                _tell(f"{tally.histories:,} histories, {tally.faults:,} faults")
        if killing is not None:
            killed, duplicates, losses, unknown = killing.result()
            tally.merge(Tally(duplicates=duplicates, losses=losses, unknown=unknown))
    _report(tally)
    summary = {
        "histories": tally.histories,
        "faults": tally.faults,
        "duplicates": tally.duplicates,
        "losses": tally.losses,
        "broken": tally.broken,
        "unknown": tally.unknown,
        "kills": killed,
        "seconds": round(time.monotonic() - began),
        "failing_seeds": tally.failing,
    }
    print(json.dumps(summary))  # noqa: T201 - the command's result
    return 1 if tally.duplicates or tally.losses or tally.broken else 0


def _jobs(pool: ProcessPoolExecutor, histories: int, first: int) -> list[Future[Tally]]:
    exhaustive = range(sum(1 for _ in scripts(pairs=True)))
    jobs = [pool.submit(play_scripts, exhaustive[part::8], pairs=True) for part in range(8)]
    firsts = range(first, first + histories, CHUNK)
    return jobs + [pool.submit(play_seeds, seed, min(CHUNK, first + histories - seed)) for seed in firsts]


def _kill(kills: int, seed: int) -> tuple[int, int, int, int]:
    """Real processes, in a process of their own: kills, duplicates, losses, unknown outcomes."""
    from tests.simulation import kills as killing

    report = killing.run(kills, seed)
    return report.kills, report.duplicates, report.losses, report.unknown


def _forget_pandas() -> None:
    """Arrow looks for pandas on disk again and again where it is not installed; a third of the time goes there."""
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]


def _report(tally: Tally) -> None:
    for fault, times in tally.kinds.most_common():
        _tell(f"{times:9,}  {fault}")
    for name in tally.failing[:SHOWN_MAX]:
        kind, _, number = name.rpartition(" ")
        script = list(scripts(pairs=True))[int(number)] if kind else None
        _show(name, script.play() if script else play_seed(int(number)))


def _show(name: str, verdict: Verdict) -> int:
    """Print a history; 1 if it is not sound."""
    _tell("\n".join((f"--- {name} ---", *verdict.trace)))
    for kind, found in (("TWICE", verdict.duplicates), ("LOST", verdict.losses), ("BROKEN", verdict.broken)):
        for what in found:
            _tell(f"{kind}: {what}")
    return 0 if verdict.is_sound else 1


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
