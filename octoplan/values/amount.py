"""Amounts of money as text: exact, and never 0 for unknown."""

from __future__ import annotations

from decimal import Decimal

UNKNOWN = "unknown"


def render_amount(value: Decimal | None) -> str:
    """`1,234.50`, `0.00852941`: every digit that counts, at least two decimals; `unknown` for `None`."""
    if value is None:
        return UNKNOWN
    whole, _, decimals = f"{value:,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
