from __future__ import annotations

from collections.abc import Iterator

import pytest

from octoplan.meter import Meter, Moment
from octoplan.views.timings import Timings, render_timings


@pytest.fixture
def timings() -> Timings:
    """Six readings of the clocks: the beginning, two stages of which one has a part, and the end."""
    readings: Iterator[Moment] = iter(
        [
            Moment(10.0, 1.0),  # the meter begins
            Moment(11.0, 1.5),  # contacts begin
            Moment(13.0, 5.0),  # contacts end
            Moment(13.0, 5.0),  # batches begin
            Moment(14.0, 5.5),  # ledger, a part of them, begins
            Moment(14.5, 6.0),  # ledger ends
            Moment(16.0, 7.0),  # batches end
            Moment(17.0, 7.25),  # now
        ]
    )
    meter = Meter(clock=lambda: next(readings))
    with meter.stage("contacts") as told:
        told(3_000_000)
    with meter.stage("batches"), meter.part("ledger") as told:
        told(10)
    return Timings.of(meter)


def test_the_table(timings: Timings) -> None:
    """A line a stage: a part is booked apart, and with the rest the lines add up to the total."""
    assert render_timings(timings) == (
        "stage                 rows   seconds     CPU s        rows/s\n"
        "contacts         3,000,000      2.00      3.50     1,500,000\n"
        "batches                         2.50      1.50\n"
        "ledger                  10      0.50      0.50            20\n"
        "rest                            2.00      0.75\n"
        "total                           7.00      6.25\n"
    )


def test_the_data(timings: Timings) -> None:
    """The same figures for programs, in seconds."""
    data = timings.to_data()
    assert data["stages"][0] == {"stage": "contacts", "rows": 3_000_000, "seconds": 2.0, "cpu_seconds": 3.5}
    assert [stage["stage"] for stage in data["stages"]] == ["contacts", "batches", "ledger", "rest"]
    assert data["total"] == {"seconds": 7.0, "cpu_seconds": 6.25}
