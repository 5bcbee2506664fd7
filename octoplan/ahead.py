"""
Make the next items of an iterator in a thread, while the caller works on this one.

Worth it where both sides spend their time in code that runs beside other threads, as Arrow and DuckDB do.

Invariants:
- Order, items and errors are those of the iterator; it is made, read and closed in the thread and nowhere else.
- However the caller ends, also by a signal's exception, the thread has ended before the caller goes on.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from queue import Full, Queue
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_WAIT_S: Final = 0.1
"""How long the thread waits for room before it looks whether it is still wanted."""


class _End:
    """What the thread hands over last; `error` is what the iterator raised."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Maker(Generic[T]):
    """What runs in the thread; it shares with the caller the queue and the wish to end, nothing else."""

    def __init__(self, items: Iterable[T], depth: int) -> None:
        self.queue: Queue[T | _End] = Queue(depth)
        self.is_over = threading.Event()
        self._items = items

    def run(self) -> None:
        """Hand over everything and then an end, whatever happens: without it the caller would wait for ever."""
        try:
            self._hand_over()
        except BaseException as raised:  # noqa: BLE001 - the caller raises it
            self._put(_End(raised))
        else:
            self._put(_End(None))

    def _hand_over(self) -> None:
        iterator = iter(self._items)
        try:
            for item in iterator:
                self._put(item)
                if self.is_over.is_set():
                    return
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def _put(self, item: T | _End) -> None:
        while not self.is_over.is_set():
            with contextlib.suppress(Full):
                self.queue.put(item, timeout=_WAIT_S)
                return


def ahead(items: Iterable[T], depth: int = 2) -> Iterator[T]:
    """The items, of which at most `depth` wait. A caller that stops early ends the thread, and closes the iterator."""
    maker = _Maker(items, depth)
    thread = threading.Thread(target=maker.run, name="octoplan-ahead", daemon=True)
    try:
        thread.start()
        while not isinstance(item := maker.queue.get(), _End):
            yield item
        if item.error is not None:
            try:
                raise item.error
            finally:
                del item  # an error that this frame holds would hold the frame, and all that it works on
    finally:
        maker.is_over.set()
        if thread.ident is not None:
            thread.join()
