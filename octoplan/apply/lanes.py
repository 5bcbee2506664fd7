"""
How many requests are under way at once.

Invariants:
- Every batch that is started ends as exactly one outcome, or as the error that is raised where it is awaited.
- A batch that is left behind is called unknown, never "not sent": its thread may still be heard.

`InlineLanes` sends one after the other in the caller's own thread, for simulations. `ThreadLanes` gives each request a
thread, so that the caller hears of a signal while a request hangs, and can leave it behind: its batch is in the journal
as intended, so the next run repeats it under the same request id.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol

from octoplan.apply.deliver import Delivery, Status
from octoplan.plan.outgoing import Outgoing

_POLL_S = 0.2
"""How long a wait for an answer may go on before it is asked again whether to stop."""

Send = Callable[[Outgoing], Delivery]


class Lanes(Protocol):
    """Room for some requests at once."""

    def has_room(self) -> bool:
        """Whether another request may start."""
        ...

    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        ...

    def start(self, batch: Outgoing) -> None:
        """Begin to send a batch."""
        ...

    def finished(self) -> list[Delivery]:
        """Wait for at least one outcome, or until it makes sense to ask again whether to stop."""
        ...

    def abandon(self) -> list[Delivery]:
        """Give up on what is under way: outcomes that are unknown, each in the journal as intended."""
        ...

    def halve(self) -> None:
        """The API is under strain: use half the room, at least one lane."""
        ...


class InlineLanes:
    """One lane, in the caller's thread."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._done: list[Delivery] = []

    def has_room(self) -> bool:
        """Whether the last outcome was taken."""
        return not self._done

    def is_idle(self) -> bool:
        """Whether the last outcome was taken."""
        return not self._done

    def start(self, batch: Outgoing) -> None:
        """Send it now."""
        self._done.append(self._send(batch))

    def finished(self) -> list[Delivery]:
        """The outcome."""
        done, self._done = self._done, []
        return done

    def abandon(self) -> list[Delivery]:
        """Nothing is ever under way between two calls."""
        return []

    def halve(self) -> None:
        """One lane cannot be halved."""


class ThreadLanes:
    """Up to `lanes` requests at once, each in a thread of its own."""

    def __init__(self, send: Send, lanes: int) -> None:
        self._send = send
        self._room = lanes
        self._under_way: dict[str, Outgoing] = {}
        self._results: queue.SimpleQueue[tuple[str, Delivery | BaseException]] = queue.SimpleQueue()

    def has_room(self) -> bool:
        """Whether fewer requests are under way than may be."""
        return len(self._under_way) < self._room

    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    def start(self, batch: Outgoing) -> None:
        """Send it in a thread that does not keep the process alive."""
        self._under_way[batch.digest] = batch
        threading.Thread(target=self._run, args=(batch,), name=f"send {batch.digest}", daemon=True).start()

    def _run(self, batch: Outgoing) -> None:
        try:
            self._results.put((batch.digest, self._send(batch)))
        except BaseException as error:  # noqa: BLE001 - it is raised again where the result is awaited
            self._results.put((batch.digest, error))

    def finished(self) -> list[Delivery]:
        """
        The next outcome, if one comes soon.

        :raises Exception: whatever ended a thread: a state home that cannot be written, or a bug.
        """
        try:
            digest, result = self._results.get(timeout=_POLL_S)
        except queue.Empty:
            return []
        del self._under_way[digest]
        if isinstance(result, BaseException):
            raise result
        return [result]

    def abandon(self) -> list[Delivery]:
        """Leave the threads behind; should one still end in time, it writes its outcome itself."""
        left = list(self._under_way.values())
        self._under_way.clear()
        return [_left_behind(each) for each in left]

    def halve(self) -> None:
        """Half as many from now on."""
        self._room = max(1, self._room // 2)


def _left_behind(batch: Outgoing) -> Delivery:
    detail = "left behind when stopped; the next run repeats it"
    return Delivery(batch.campaign, batch.digest, batch.recipients, batch.segments, Status.UNKNOWN, detail)
