"""What a plan took, stage by stage: for a person, and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from octoplan.meter import Meter, StageTime


@dataclass(frozen=True, slots=True)
class Timings:
    """The stages in the order in which they first ran; `total` holds them and everything between them."""

    stages: Mapping[str, StageTime]
    total: StageTime

    @classmethod
    def of(cls, meter: Meter) -> Timings:
        """What `meter` has measured until now."""
        now = meter.clock()
        total = StageTime(now.wall - meter.began.wall, now.cpu - meter.began.cpu)
        return cls(dict(meter.stages), total)

    @property
    def rest(self) -> StageTime:
        """What belongs to no stage."""
        seconds = sum(stage.seconds for stage in self.stages.values())
        cpu_seconds = sum(stage.cpu_seconds for stage in self.stages.values())
        return StageTime(self.total.seconds - seconds, self.total.cpu_seconds - cpu_seconds)

    def to_data(self) -> dict[str, Any]:
        """As `--output json` has it, in seconds."""
        stages = {**self.stages, "rest": self.rest}
        return {
            "stages": [{"stage": name, "rows": stage.rows, **_seconds(stage)} for name, stage in stages.items()],
            "total": _seconds(self.total),
        }


def _seconds(stage: StageTime) -> dict[str, float]:
    return {"seconds": round(stage.seconds, 3), "cpu_seconds": round(stage.cpu_seconds, 3)}


def render_timings(timings: Timings) -> str:
    """A line a stage: rows, seconds on the clock, seconds of all processors, rows a second."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(timings))


def _lines(timings: Timings) -> Iterator[str]:
    yield _line("stage", "rows", "seconds", "CPU s", "rows/s")
    for name, stage in {**timings.stages, "rest": timings.rest, "total": timings.total}.items():
        rows = f"{stage.rows:,}" if stage.rows else ""
        rate = f"{stage.rows / stage.seconds:,.0f}" if stage.rows and stage.seconds else ""
        yield _line(name, rows, f"{stage.seconds:.2f}", f"{stage.cpu_seconds:.2f}", rate)


def _line(name: str, rows: str, seconds: str, cpu_seconds: str, rate: str) -> str:
    return f"{name:<12}{rows:>14}{seconds:>10}{cpu_seconds:>10}{rate:>14}"
