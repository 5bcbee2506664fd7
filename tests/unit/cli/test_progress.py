from __future__ import annotations

import io
import threading
from itertools import islice

import pytest

from octoplan.cli.progress import Position, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Time:
    """A clock that moves when it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(autouse=True)
def an_ordinary_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")


@pytest.mark.parametrize(
    ("position", "now", "line"),
    [
        (Position("inspect", 0, None, 10.0), 13.2, "inspect  3 s"),
        (Position("contacts", 0, 1_000, 10.0), 11.0, "contacts  1 s"),
        (Position("contacts", 4_000, 10_000, 10.0), 12.0, "contacts  4,000 of 10,000 rows  2,000/s  3 s left"),
        (Position("contacts", 4_000, None, 10.0), 12.0, "contacts  4,000 rows  2,000/s"),
        (Position("contacts", 4_000, 10_000, 10.0), 10.0, "contacts  4,000 of 10,000 rows"),
        (Position("sending", 3, 9, 10.0), 20.0, "sending  3 of 9 requests  0.3/s  20 s left"),
        (Position("prices", 2, 5, 10.0), 11.0, "prices  2 of 5 prices  2/s  2 s left"),
        (Position("contacts", 100, 100_000, 0.0), 10.0, "contacts  100 of 100,000 rows  10/s  2 h 46 min left"),
        (Position("contacts", 100, 1_000, 0.0), 10.0, "contacts  100 of 1,000 rows  10/s  1 min 30 s left"),
    ],
)
def test_the_line(position: Position, now: float, line: str) -> None:
    """Stage, rows, rows a second, and the time left of the stage where the total is known."""
    assert position.line(now) == line


def test_a_total_that_was_guessed_too_low_is_dropped() -> None:
    """More rows than were expected: then nobody knows how many are left."""
    assert Position("contacts", 1_100, 1_000, 0.0).line(1.0) == "contacts  1,100 rows  1,100/s"


def test_a_terminal_has_one_line_that_is_rewritten(time: Time) -> None:
    """Each drawing takes the place of the one before, and none is wider than the terminal."""
    stream = Terminal()
    progress = Progress(stream, time)
    progress.tell("contacts", 0, 9_000)
    time.now += 2
    progress.tell("contacts", 3_000, 9_000)
    progress.draw()
    progress.draw()
    # Of 40 columns the last stays free: some terminals begin a new line as soon as it is written.
    line = "contacts  3,000 of 9,000 rows  1,500/s  4 s left"[:39]
    assert stream.getvalue() == f"\r\x1b[K{line}" * 2


def test_a_wide_terminal_has_a_bar(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the total is known, and only in columns that the figures leave free."""
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    progress = Progress(stream, time)
    progress.tell("sending", 0, 40)
    time.now += 2
    progress.tell("sending", 10, 40)
    progress.draw()
    assert stream.getvalue() == f"\r\x1b[Ksending  10 of 40 requests  5/s  6 s left  [{'#' * 7}{'.' * 21}]"
    assert Position("contacts", 5, None, 0.0).bar(50) == ""
    assert Position("contacts", 5, 5, 0.0).bar(12) == f"[{'#' * 10}]"


def test_what_is_said_has_its_own_line(time: Time) -> None:
    """The line that is drawn makes room, and comes back below."""
    stream = Terminal()
    progress = Progress(stream, time)
    progress.tell("settle", 0, None)
    progress.draw()
    progress.say("refused")
    progress.say("unknown")
    progress.draw()
    drawn = "\r\x1b[Ksettle  0 s"
    assert stream.getvalue() == f"{drawn}\r\x1b[Krefused\nunknown\n{drawn}"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_a_log_gets_whole_lines(stream: io.StringIO, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a line cannot be rewritten, a file, a pipe or a dumb terminal, no control character is written."""
    monkeypatch.setenv("TERM", "dumb")
    progress = Progress(stream, time)
    progress.tell("settle", 0, None)
    time.now += 10
    progress.draw()
    progress.tell("settle", 50, None)
    progress.draw()
    assert stream.getvalue() == "settle  10 s\nsettle  50 rows  5/s\n"


def test_nothing_is_drawn_in_the_first_second() -> None:
    """A terminal hears nothing of what is over within a second, and a log nothing of less than ten."""
    assert list(islice(Progress(Terminal()).pauses(), 3)) == [1.0, 0.2, 0.2]
    assert list(islice(Progress(io.StringIO()).pauses(), 3)) == [10.0, 10.0, 10.0]


def test_each_stage_has_its_own_beginning(time: Time) -> None:
    """Rows a second are those of the stage, also when a stage comes again for the next campaign."""
    stream = io.StringIO()
    progress = Progress(stream, time)
    for _ in range(2):
        progress.tell("contacts", 0, None)
        time.now += 5
        progress.tell("contacts", 10, None)
        progress.draw()
    assert stream.getvalue() == "contacts  10 rows  2/s\n" * 2


class Impatient(Progress):
    """Draws at once."""

    def pauses(self) -> islice[float]:
        return islice(iter(lambda: 0.0, None), 1_000_000)


class Watched(Terminal):
    """Lets a test wait for the first drawing."""

    def __init__(self) -> None:
        super().__init__()
        self.is_written = threading.Event()

    def write(self, text: str) -> int:
        self.is_written.set()
        return super().write(text)


def test_the_end_leaves_an_empty_line_and_no_thread() -> None:
    """After an error too: what is said next begins on a line of its own, and nobody writes into it."""
    stream = Watched()
    before = threading.active_count()

    def fail() -> None:
        with Impatient(stream) as progress:
            progress.tell("contacts", 0, None)
            assert stream.is_written.wait(60)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert stream.getvalue().endswith("\r\x1b[K")
    assert threading.active_count() == before


def test_what_was_never_drawn_is_not_cleared() -> None:
    """A quick plan writes nothing at all."""
    stream = Terminal()
    with Progress(stream) as progress:
        progress.tell("contacts", 0, None)
    assert stream.getvalue() == ""


def test_a_closed_stream_stops_nothing(time: Time) -> None:
    """Whoever closed stderr gets no progress, and the plan goes on."""
    stream = Terminal()
    progress = Progress(stream, time)
    progress.tell("contacts", 0, None)
    stream.close()
    progress.draw()
