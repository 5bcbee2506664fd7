"""A message drawn as a phone shows it: one bubble, cut where the billed parts are cut."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

from octoplan.values.phone import mask
from octoplan.values.sms_size import measure, split_parts, ucs2_characters
from octoplan.views.text import count, paint

_BUBBLE_WIDTH = 44


@dataclass(frozen=True, slots=True)
class PhoneMessage:
    """One recipient's message, of the record `row`, shown as `line`. `phone` is E.164; number and text are personal."""

    label: str
    row: int
    line: int | str
    sender: str | None
    phone: str = field(repr=False)
    text: str = field(repr=False)


def render_phone(message: PhoneMessage, *, width: int, colour: bool, reveal: bool) -> str:
    """The bubble and what it costs in parts."""
    size = measure(message.text)
    room = min(_BUBBLE_WIDTH, width - 6)
    number = message.phone if reveal else mask(message.phone)
    head = f"{message.label}, line {message.line}: {number} from {message.sender or 'the account’s own sender'}"
    parts = split_parts(message.text)
    lines = [paint(head, "strong", colour=colour), "  ╭" + "─" * (room + 2) + "╮"]
    for index, part in enumerate(parts):
        if index:
            lines.append("  ├" + f" part {index + 1} ".center(room + 2, "┄") + "┤")
        lines += [f"  │ {line:<{room}} │" for line in _wrapped(part, room)]
    lines.append("  ╰" + "─" * (room + 2) + "╯")
    lines.append(
        f"  {size.encoding}, {size.units} {_unit(size.encoding)}, {count(size.segments, 'part')}{_guilty(message.text)}"
    )
    return "\n".join(lines) + "\n"


def _wrapped(text: str, room: int) -> list[str]:
    lines = []
    for line in text.split("\n"):
        lines += textwrap.wrap(line, room, drop_whitespace=False, break_on_hyphens=False) or [""]
    return lines


def _unit(encoding: str) -> str:
    return "septets" if encoding == "GSM-7" else "16-bit units"


def _guilty(text: str) -> str:
    characters = list(dict.fromkeys(character for _, character in ucs2_characters(text)))
    if not characters:
        return ""
    shown = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in characters[:5])
    return f"; UCS-2 because of {shown}" + (" …" if len(characters) > 5 else "")
