"""How many requests are under way at once, and how fast they start."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pytest

from octoplan.apply.deliver import Delivery, Status
from octoplan.apply.lanes import ThreadLanes
from octoplan.apply.pace import Pace
from octoplan.gateway.port import SendRequest
from octoplan.plan.outgoing import Outgoing
from tests.clocks import ManualClock

REQUEST = SendRequest("Hi", b"{}", "sms_premium", "alert", None, None, False, False, False)
BATCH = Outgoing("production", "sale", "b1_0", 1, "id", 1, 1, {}, REQUEST, pa.array([], pa.string()))


def batches(count: int) -> list[Outgoing]:
    return [replace(BATCH, digest=f"b1_{index}") for index in range(count)]


def sent(batch: Outgoing) -> Delivery:
    return Delivery(batch.campaign, batch.digest, 1, 1, Status.SENT)


def run(lanes: ThreadLanes, todo: list[Outgoing], between: Callable[[], None] = lambda: None) -> list[str]:
    """Send everything; the digests in the order in which they ended."""
    ended: list[str] = []
    while todo or not lanes.is_idle():
        while todo and lanes.has_room():
            lanes.start(todo.pop(0))
        ended += [delivery.digest for delivery in lanes.finished()]
        between()
    return ended


@pytest.mark.parametrize("room", [1, 3, 8])
def test_never_more_at_once_than_there_is_room_and_each_exactly_once(room: int) -> None:
    """The room is used to the full, and never passed."""
    mutex = threading.Lock()
    full = threading.Barrier(room)
    now, most = 0, 0

    def send(batch: Outgoing) -> Delivery:
        nonlocal now, most
        with mutex:
            now += 1
            most = max(most, now)
        full.wait(timeout=30)  # nobody leaves before the room is full
        with mutex:
            now -= 1
        return sent(batch)

    ended = run(ThreadLanes(send, room), batches(room * 4))
    assert most == room
    assert sorted(ended) == sorted(batch.digest for batch in batches(room * 4))


def test_what_ends_a_thread_reaches_the_caller() -> None:
    """A state home that cannot be written must stop the run, not vanish in a thread."""

    def send(batch: Outgoing) -> Delivery:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        run(ThreadLanes(send, 2), batches(1))


def test_a_request_that_is_left_behind_is_unknown() -> None:
    """Nobody waits for it any more; it is said to be unknown, and its lane is free."""
    release = threading.Event()

    def send(batch: Outgoing) -> Delivery:
        release.wait(timeout=30)
        return sent(batch)

    lanes = ThreadLanes(send, 2)
    lanes.start(BATCH)
    assert not lanes.is_idle()
    (left,) = lanes.abandon()
    assert (left.digest, left.status, lanes.is_idle()) == ("b1_0", Status.UNKNOWN, True)
    release.set()


def test_strain_halves_the_room_down_to_one() -> None:
    """8, 4, 2, 1, and never none."""
    lanes = ThreadLanes(sent, 8)
    rooms = []
    for _ in range(5):
        count = 0
        while lanes.has_room():
            lanes.start(replace(BATCH, digest=f"b1_{count}"))
            count += 1
        rooms.append(count)
        while not lanes.is_idle():
            lanes.finished()
        lanes.halve()
    assert rooms == [8, 4, 2, 1, 1]


def test_the_pace_is_exact() -> None:
    """Ten requests at four a second start a quarter of a second apart, and the first at once."""
    clock = ManualClock()
    pace = Pace(clock, requests_per_second=Decimal(4))
    starts = []
    for _ in range(10):
        pace.wait(1)
        starts.append(clock.monotonic())
    assert [later - earlier for earlier, later in pairwise(starts)] == [0.25] * 9


def test_messages_count_by_the_size_of_the_request_before() -> None:
    """At 100 messages a second a request of 50 makes the next wait half a second; the slower of both rates counts."""
    clock = ManualClock()
    pace = Pace(clock, requests_per_second=Decimal(10), messages_per_second=Decimal(100))
    starts = []
    for messages in (50, 1, 1):
        pace.wait(messages)
        starts.append(clock.monotonic())
    assert [round(start - starts[0], 9) for start in starts] == [0.0, 0.5, 0.6]


def test_without_a_rate_nobody_waits() -> None:
    """The default is as fast as the API answers."""
    clock = ManualClock()
    pace = Pace(clock)
    for _ in range(3):
        pace.wait(500)
    assert clock.slept == []
