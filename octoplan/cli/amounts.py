"""Amounts of money on the command line."""

from __future__ import annotations

import re
from decimal import Decimal

import click


def parse_cost(context: click.Context, parameter: click.Parameter, text: str | None) -> Decimal | None:  # noqa: ARG001
    """An amount as a person types it, such as `12.50`; click's own signature."""
    if text is None:
        return None
    if not re.fullmatch(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,8})?", text):
        raise click.BadParameter("an amount is written like `150` or `150.00`")
    return Decimal(text)
