from __future__ import annotations

import pytest

from octoplan.values.phone import mask


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("+33612340056", "+33 •• •• •• • 56"),
        ("+12025550123", "+1 •• •• •• •• 23"),
        ("+262692123456", "+262 •• •• •• • 56"),
    ],
)
def test_calling_code_and_two_digits_stay(phone: str, masked: str) -> None:
    """A masked number shows its calling code and its last two digits, and no other digit."""
    assert mask(phone) == masked


@pytest.mark.parametrize("text", ["0612340056", "+33 6 12 34 00 56", "", "+", "+999123456", "Zoé", "+33"])
def test_what_is_no_e164_shows_nothing(text: str) -> None:
    """Text that is not E.164 is hidden wholly: a mistake of ours must not show somebody's number."""
    assert mask(text) == "••••••••"
