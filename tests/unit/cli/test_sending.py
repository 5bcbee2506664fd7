"""What a person at a terminal, or a log, is told of the requests of a run."""

from __future__ import annotations

import io

import pytest

from octoplan.apply.deliver import Delivery, Status, Waiting
from octoplan.apply.execute import CampaignBegun
from octoplan.cli.progress import Progress
from octoplan.cli.sending import LISTED_MAX, Sending


def sent(status: Status = Status.SENT, detail: str | None = None, anomaly: str | None = None) -> Delivery:
    return Delivery("spring", "b1_a", 2, 2, status, detail, ticket="sms_1", anomaly=anomaly)


def told(total: int, *events: Delivery | Waiting | CampaignBegun) -> list[str]:
    """The lines that stay, without progress."""
    stream = io.StringIO()
    sending = Sending(Progress(stream), total)
    for event in events:
        sending.tell(event)
    return stream.getvalue().splitlines()


def test_few_requests_have_a_line_each() -> None:
    """With its number, people, outcome and ticket."""
    assert told(2, CampaignBegun("spring", 2, 4), sent(), sent()) == [
        "[1/2] spring: 2 sent sms_1",
        "[2/2] spring: 2 sent sms_1",
    ]


@pytest.mark.parametrize("total", [LISTED_MAX + 1, 10_000])
def test_of_many_requests_only_those_that_need_somebody(total: int) -> None:
    """Whatever was not sent as planned is a line, with why; what went well is progress."""
    events = [sent(), sent(Status.REFUSED, "no"), sent(Status.UNKNOWN, "lost"), sent(Status.NOT_SENT, "down")]
    lines = told(total, *events, *[sent()] * 40, sent(anomaly="cost 2 instead of 1"))
    assert lines == [
        f"[2/{total}] spring: 2 refused sms_1 (no)",
        f"[3/{total}] spring: 2 unknown sms_1 (lost)",
        f"[4/{total}] spring: 2 not-sent sms_1 (down)",
        f"[45/{total}] spring: 2 sent sms_1 (cost 2 instead of 1)",
    ]


def test_a_long_pause_is_told() -> None:
    """A short one is nobody's business."""
    pause = Waiting("spring", "b1_a", 30.4, "too many requests")
    assert told(1, Waiting("spring", "b1_a", 1.0, "reset"), pause) == [
        "spring: waits 30 s before b1_a is sent again (too many requests)"
    ]
