"""A shape helps to mend a value and does not give it away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octoplan.values.shape import shape_of


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("+33 6 12 34 00 56", "+•• • •• •• •• 56"),
        ("06.12.34", "••.••.34"),
        ("06 12", "•• ••"),
        ("ask Zoé at 5", "xxx xxx xx •"),
        ("zoe@acme.example", "xxx@xxxx.xxxxxxx"),
        ("3,36E+10", "•,••x+••"),
        ("12\n34\u200b56", "••?••?56"),
        ("٠٦١٢٣٤", "••••••"),
        ("0612340001" * 10, "•" * 40 + "…"),
        ("", ""),
    ],
)
def test_length_and_separators_stay(value: str, shape: str) -> None:
    """Digits are dots but the last two of a long number, letters are `x`, what cannot be seen is `?`."""
    assert shape_of(value) == shape


@given(st.text(max_size=60))
def test_nothing_of_a_value_but_two_digits_is_left(value: str) -> None:
    """No letter or other sign than ASCII's own separators, whatever the script."""
    shown = shape_of(value)
    assert sum(character.isdigit() for character in shown) <= 2
    assert {character for character in shown if character.isalpha()} <= {"x"}
    assert all(character.isascii() or character in "•…" for character in shown)
    assert shown.isprintable()
