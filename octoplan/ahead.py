"""
Make the next items of an iterator in a thread, while the caller works on this one.

Worth it where both sides spend their time in code that runs beside other threads, as Arrow and DuckDB do. Order, items
and errors are those of the iterator.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from queue import Full, Queue
from typing import Final, TypeVar

T = TypeVar("T")

_WAIT_S: Final = 0.1
"""How long the thread waits for room before it looks whether it is still wanted."""


class _End:
    """What the thread hands over last; `error` is what the iterator raised."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterable[T], depth: int = 2) -> Iterator[T]:
    """The items, of which at most `depth` wait. A caller that stops early ends the thread, and closes the iterator."""
    queue: Queue[T | _End] = Queue(depth)
    is_over = threading.Event()

    def put(item: T | _End) -> None:
        while not is_over.is_set():
            with contextlib.suppress(Full):
                queue.put(item, timeout=_WAIT_S)
                return

    def hand_over() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                put(item)
                if is_over.is_set():
                    return
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def work() -> None:
        # Whatever happens an end is handed over, or the caller would wait for ever.
        try:
            hand_over()
        except BaseException as raised:  # noqa: BLE001 - the caller raises it
            put(_End(raised))
        else:
            put(_End(None))

    thread = threading.Thread(target=work, name="octoplan-ahead", daemon=True)
    try:
        thread.start()
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            try:
                raise item.error
            finally:
                del item  # an error that this frame holds would hold the frame, and all that it works on
    finally:
        # In here too if a signal's handler raises, which can be between any two steps.
        is_over.set()
        if thread.ident is not None:
            thread.join()
