from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from types import FrameType

import pytest

from octoplan.ahead import ahead


class Source:
    """Counts on request, and remembers who asked and how it ended."""

    def __init__(self, count: int, fails_at: int | None = None) -> None:
        self.count, self.fails_at = count, fails_at
        self.made = 0
        self.threads: set[str] = set()
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                self.threads.add(threading.current_thread().name)
                if number == self.fails_at:
                    raise OSError(f"at {number}")
                self.made += 1
                yield number
        finally:
            self.threads.add(threading.current_thread().name)
            self.closed.set()


def nobody_works() -> bool:
    return not any(thread.name == "octoplan-ahead" for thread in threading.enumerate())


@pytest.mark.parametrize("depth", [1, 2, 100])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_items_come_in_their_order(count: int, depth: int) -> None:
    """All of them, once, made in a thread that is gone at the end."""
    source = Source(count)
    assert list(ahead(source, depth)) == list(range(count))
    assert source.closed.is_set()
    assert source.threads == {"octoplan-ahead"}
    assert nobody_works()


@pytest.mark.parametrize("fails_at", [0, 1, 7])
def test_an_error_comes_where_the_iterator_raised_it(fails_at: int) -> None:
    """Everything before it arrives first; then the very error, and nothing is left behind."""
    source = Source(10, fails_at)
    items = ahead(source)
    assert [next(items) for _ in range(fails_at)] == list(range(fails_at))
    with pytest.raises(OSError, match=f"at {fails_at}"):
        next(items)
    assert list(items) == []
    assert source.closed.is_set()
    assert nobody_works()


def test_what_cannot_be_iterated_is_an_error_too() -> None:
    """An error before the first item reaches the caller; it would otherwise wait for ever."""

    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise LookupError("no beginning")

    with pytest.raises(LookupError, match="no beginning"):
        list(ahead(Broken()))
    assert nobody_works()


def test_an_error_in_closing_is_an_error_too() -> None:
    """An iterator that fails while it is closed does not leave the caller waiting."""

    class Broken(Iterator[int]):
        def __next__(self) -> int:
            raise StopIteration

        def close(self) -> None:
            raise LookupError("no end")

    with pytest.raises(LookupError, match="no end"):
        list(ahead(Broken()))
    assert nobody_works()


def test_no_more_is_made_than_waits() -> None:
    """At most `depth` items wait, one is in the making, and one is with the caller."""
    source = Source(1_000)
    with closing(ahead(source, 3)) as items:  # type: ignore[type-var]
        for number in range(20):
            assert next(items) == number
            assert source.made <= number + 1 + 3 + 1


@pytest.mark.parametrize("taken", [1, 2, 9])
def test_who_stops_early_ends_the_thread(taken: int) -> None:
    """Also while the thread waits for room; the iterator is closed, in the thread that made it."""
    source = Source(1_000)
    for number in ahead(source):
        if number + 1 == taken:
            break
    assert source.closed.is_set()
    assert source.threads == {"octoplan-ahead"}
    assert source.made < 20
    assert nobody_works()


def test_an_error_of_the_caller_ends_the_thread() -> None:
    """As does any exception in the loop's body."""
    source = Source(1_000)

    def work() -> None:
        for _ in ahead(source):
            raise LookupError("in the body")

    with pytest.raises(LookupError):
        work()
    assert source.closed.is_set()
    assert nobody_works()


def test_one_inside_another() -> None:
    """The items of one can be made ahead from those of another; whoever stops ends both."""
    source = Source(1_000)
    for number in ahead(each * 2 for each in ahead(source)):
        if number == 8:
            break
    assert source.closed.is_set()
    assert nobody_works()


def test_nothing_begins_before_the_first_item_is_asked_for() -> None:
    """An iterator that nobody uses starts no thread."""
    source = Source(3)
    items = ahead(source)
    assert nobody_works()
    del items
    assert source.made == 0


class Arrived(Exception):
    """What a signal's handler raises."""


def test_a_signal_in_the_middle_ends_the_thread() -> None:
    """
    The exception of a signal's handler that arrives while the caller waits for an item: the thread ends with it, and
    the iterator is closed.
    """
    caller = threading.get_ident()
    handled, closed = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        try:
            yield 1
            signal.pthread_kill(caller, signal.SIGUSR1)
            assert handled.wait(30)
            yield 2
        finally:
            closed.set()

    def handle(_number: int, _frame: FrameType | None) -> None:
        handled.set()
        raise Arrived

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with pytest.raises(Arrived):
            for _ in ahead(items()):
                pass
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert closed.is_set()
    assert nobody_works()
