"""The phone on the terminal."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from octoplan.plan.samples import Sample
from octoplan.values.sms_size import split_parts
from octoplan.views.preview import render_phone
from octoplan.views.text import columns_of


def drawn(text: str, *, colour: bool = False, reveal: bool = False, price: str | None = None) -> str:
    """A message to one French number."""
    cost = None if price is None else Decimal(price)
    sample = Sample(("longest", "to FR"), 12, "FR", 1, "+33612340001", text, cost)
    return render_phone(sample, "MAPLE", width=80, colour=colour, reveal=reveal)


def test_layout() -> None:
    """Why, line, masked number and sender; the bubble; encoding, size, parts and price; what makes it longer."""
    assert drawn("Zoë €", price="0.122") == (
        "longest, to FR, line 12: +33 •• •• •• • 01 from MAPLE\n"
        "  ╭──────────────────────────────────────────────╮\n"
        "  │ Zoë €                                        │\n"
        "  │   ^                                          │\n"
        "  ╰──────────────────────────────────────────────╯\n"
        "  UCS-2, 5 16-bit units, 1 part, costs 0.122\n"
        "  UCS-2 because of 'ë' (U+00EB)\n"
    )


def test_characters_of_two_septets_are_marked() -> None:
    """They take more room than they seem to."""
    shown = drawn("5 €")
    assert "│   ^ " in shown
    assert "GSM-7, 4 septets, 1 part\n  two septets each: '€' (U+20AC)" in shown


def test_parts_are_cut_where_phones_cut_them() -> None:
    """Each part begins under a line that numbers it."""
    text = "ë" + "0123456789" * 8
    first, second = split_parts(text)
    before, after = drawn(text).split(" part 2 ")
    assert re.sub(r"[^\dë]", "", before.partition("╮")[2]) == first
    assert re.sub(r"[^\d]", "", after.partition("╰")[0]) == second


@pytest.mark.parametrize("text", ["日本語", "e\u0301", "a\u202eb", "☀\ufe0f"])
def test_the_frame_stays_straight(text: str) -> None:
    """Wide, drawn-over and unseen characters do not move the right side; what turns the direction is a dot."""
    shown = drawn(text)
    assert {columns_of(line) for line in shown.splitlines() if line.startswith(("  │", "  ╭"))} == {50}
    assert "\u202e" not in shown


def test_colour_adds_nothing_but_colour() -> None:
    """The marks are there without it."""
    painted = drawn("Zoë €", colour=True)
    assert "\x1b[31" in painted
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == drawn("Zoë €")


def test_the_number_is_shown_only_when_asked() -> None:
    """Masked, or in full with `--reveal`."""
    assert "+33612340001" not in drawn("Hi")
    assert "+33612340001" in drawn("Hi", reveal=True)
