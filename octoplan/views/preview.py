"""Messages drawn as a phone shows them: one bubble each, cut where the billed parts are cut, on the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from octoplan.plan.samples import Sample
from octoplan.values.amount import render_amount
from octoplan.values.phone import mask
from octoplan.values.sms_size import Encoding, measure, split_parts
from octoplan.views.marks import is_unseen, mark_of, name_of
from octoplan.views.text import columns_of, count, paint

_BUBBLE_WIDTH: Final = 44
_CHARACTERS_NAMED_MAX: Final = 5
OWN_SENDER: Final = "the account’s own sender"


def render_phone(sample: Sample, sender: str | None, *, width: int, colour: bool, reveal: bool) -> str:
    """The bubble of one message, why it is shown, and what it costs in parts."""
    room = min(_BUBBLE_WIDTH, width - 6)
    head = (
        f"{', '.join(sample.why)}, line {sample.line}: {number_of(sample, reveal=reveal)} from {sender or OWN_SENDER}"
    )
    encoding = measure(sample.text).encoding
    lines = [paint(head, "strong", colour=colour), "  ╭" + "─" * (room + 2) + "╮"]
    for index, part in enumerate(split_parts(sample.text)):
        if index:
            lines.append("  ├" + f" part {index + 1} ".center(room + 2, "┄") + "┤")
        for line in _wrapped(part, room):
            lines += _row(line, encoding, room, colour=colour)
    lines += ["  ╰" + "─" * (room + 2) + "╯", f"  {size_words(sample)}"]
    lines += [f"  {words}" for words in reasons_for_length(sample.text)]
    return "\n".join(lines) + "\n"


def number_of(sample: Sample, *, reveal: bool) -> str:
    """The recipient's number, masked unless it is to be revealed."""
    return sample.phone if reveal else mask(sample.phone)


def size_words(sample: Sample) -> str:
    """`GSM-7, 72 septets, 1 part, costs 0.061`; nothing of the cost where no price is known."""
    size = measure(sample.text)
    unit = "septets" if size.encoding == "GSM-7" else "16-bit units"
    words = f"{size.encoding}, {size.units} {unit}, {count(size.segments, 'part')}"
    return words if sample.price is None else f"{words}, costs {render_amount(sample.price)}"


def reasons_for_length(text: str) -> Iterator[str]:
    """What makes a message longer than its characters, by name: what forces UCS-2, what takes two septets."""
    encoding = measure(text).encoding
    for mark, words in (("ucs2", "UCS-2 because of"), ("extension", "two septets each:")):
        found = list(dict.fromkeys(character for character in text if mark_of(character, encoding) == mark))
        if found:
            more = " …" if len(found) > _CHARACTERS_NAMED_MAX else ""
            yield f"{words} {', '.join(map(name_of, found[:_CHARACTERS_NAMED_MAX]))}{more}"


def _wrapped(text: str, room: int) -> Iterator[str]:
    for line in text.split("\n"):
        yield from textwrap.wrap(line, room, drop_whitespace=False, break_on_hyphens=False) or [""]


def _row(line: str, encoding: Encoding, room: int, *, colour: bool) -> Iterator[str]:
    """A line of a bubble; under marked characters a line with `^`, so that colour never carries meaning alone."""
    shown = "".join("·" if is_unseen(character) else character for character in line)
    marks = [mark_of(character, encoding) for character in line]
    painted = "".join(
        character if mark is None else paint(character, "bad" if mark == "ucs2" else "~", colour=colour)
        for character, mark in zip(shown, marks, strict=True)
    )
    yield f"  │ {painted}{' ' * (room - columns_of(shown))} │"
    if any(marks):
        under = "".join(
            (" " if mark is None else "^") * columns_of(character) for character, mark in zip(shown, marks, strict=True)
        )
        yield f"  │ {under}{' ' * (room - columns_of(under))} │"
