"""JSON without floats."""

from __future__ import annotations

from decimal import Decimal

import pytest

from octoplan.sandbox.exact import read_json, write_json


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("5.00502839", "5.00502839"),
        ("0.0610", "0.061"),
        ("100", "100"),
        ("100.00", "100"),
        ("1E+2", "100"),
        ("0E-8", "0"),
    ],
)
def test_amounts_are_written_to_the_last_digit(amount: str, text: str) -> None:
    """A decimal is written as a JSON number with all its digits, no exponent and no idle zeros."""
    assert write_json({"cost": Decimal(amount)}) == f'{{"cost": {text}}}'.encode()


def test_round_trip() -> None:
    """What is written is read back as it was, amounts exact."""
    value = {"a": [Decimal("0.1"), 1, True, None, 'é"\n'], "b": {"c": ""}}
    assert read_json(write_json(value)) == value


def test_floats_are_refused() -> None:
    """A float has lost digits already, so it is a mistake of ours."""
    with pytest.raises(TypeError):
        write_json([0.1])


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"a": 1, "a": 2}', b"NaN", b"[Infinity]", b'"\xe9"', "\ufeff{}".encode(), b"[" * 100_000],
    ids=["empty", "cut", "twice", "nan", "infinity", "latin-1", "byte-order mark", "deep"],
)
def test_other_text_is_refused(body: bytes) -> None:
    """What two readers could read differently, or none, is refused."""
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the parser's
        read_json(body)
