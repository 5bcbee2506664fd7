"""
Markdown that others' words cannot change, and that fits where it is put.

Invariants:
- Whatever a campaign file, a list or an API said stands in a code span: there a forge looks for no markup, mention,
  link, reference or emoji. The fence is longer than any run of backticks inside.
- No such word begins a line: what a line is, a quote or a row, its first characters decide, and these are ours.
- A page is cut between blocks, never inside one, so nothing that was opened stays open; it says what was cut.
- Sizes are bytes of UTF-8: forges that count characters then take it too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from octoplan.views.text import tame

RED: Final = "🔴"
"""Opens the heading of what needs somebody; the words after it say the same."""
_BACKTICKS: Final = re.compile("`+")
_BREAKS: Final = re.compile(r"[\r\n\t]+")


def code(text: str) -> str:
    """Some words on one line, as a code span; nothing for nothing."""
    line = tame(_BREAKS.sub(" ", text))
    if not line.strip():
        return ""
    fence = "`" * (_longest_run(line) + 1)
    # One space at either end belongs to the fence: without it a span could not end in a backtick.
    pad = " " if line[0] in "` " or line[-1] in "` " else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def cell(text: str) -> str:
    """As `code`, for a table: there a bar ends a cell even within a span."""
    return code(text).replace("|", "\\|")


def quote(text: str) -> str:
    """Words of several lines as a quote, each line a code span."""
    lines = [code(line) for line in re.split(r"\r\n|\r|\n", text)]
    # Two spaces at the end of a line keep the line.
    return "".join(f"> {line}  \n" if line else "> &nbsp;  \n" for line in lines)


def folded(summary: str, body: str) -> str:
    """A block that opens on a click; `summary` is HTML and ours."""
    return f"<details><summary>{summary}</summary>\n\n{body.rstrip()}\n\n</details>\n"


def row(cells: Sequence[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |\n"


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)


@dataclass(frozen=True, slots=True)
class Block:
    """
    A piece of a page that can stand or fall alone.

    `rank` 0 is always kept; of the others the lower ones go in first. `kind` names it where it is counted as cut.
    """

    text: str
    rank: int = 0
    kind: str = ""


def fit(blocks: Sequence[Block], bytes_max: int, notice: str) -> str:
    """
    As many blocks as go into `bytes_max`, in their order.

    Within a rank the first ones go in, and none after one that does not. `notice` is put at the end if something was
    cut, after a count of what was.
    """
    needed = sum(_size(block.text) for block in blocks if block.rank == 0)
    if sum(_size(block.text) for block in blocks) <= bytes_max:
        return "".join(block.text for block in blocks)
    room = bytes_max - needed - _size(_cut_words(Counter(block.kind for block in blocks), notice))
    kept = _kept(blocks, room)
    left_out = Counter(block.kind for number, block in enumerate(blocks) if number not in kept)
    return "".join(blocks[number].text for number in sorted(kept)) + _cut_words(left_out, notice)


def _kept(blocks: Sequence[Block], room: int) -> set[int]:
    """The numbers of the blocks that go in."""
    ranked = sorted(range(len(blocks)), key=lambda number: (blocks[number].rank, number))
    kept: set[int] = set()
    full: set[int] = set()
    for number in ranked:
        block = blocks[number]
        size = _size(block.text) if block.rank else 0
        if size > room:
            full.add(block.rank)
        if block.rank not in full:
            room -= size
            kept.add(number)
    return kept


def _cut_words(left_out: Mapping[str, int], notice: str) -> str:
    counted = ", ".join(f"{number:,} {kind}" for kind, number in left_out.items() if kind)
    return f"\n**Cut to fit:** {counted} left out. {notice}\n"


def _size(text: str) -> int:
    return len(text.encode())
