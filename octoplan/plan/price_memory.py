"""
What the API said about prices, kept in `.octoplan/prices.json` so that the next plan has less to ask.

It holds no personal data: account (a keyed fingerprint), product, country, parts, options, price and time. Apply writes
into it and never reads from it; a file that cannot be read counts as empty, one that cannot be written is left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from octoplan import limits
from octoplan.clock import from_text, to_text
from octoplan.gateway.port import SendRequest
from octoplan.messages.batches import Stratum
from octoplan.plan.price import Figure

FILE: Final = "prices.json"
_VERSION: Final = 1
_LIFETIME: Final = timedelta(seconds=limits.PRICE_MEMORY_S)

Key = tuple[str, str, str, int, bool]
"""Scope, product, country, parts, and whether answers are collected."""


@dataclass(slots=True)
class RememberedPrices:
    """
    The figures of `path`, those that are young enough at `now`.

    `scope` tells accounts apart: environment, endpoint and the account's fingerprint. With `recalls` off nothing is
    found in it, and what the API says is still kept for others.
    """

    path: Path
    scope: str
    now: datetime
    recalls: bool = True
    _figures: dict[Key, Figure] = field(default_factory=dict)
    _is_changed: bool = False

    def __post_init__(self) -> None:
        self._figures = _read(self.path, self.now)

    def find(self, request: SendRequest, stratum: Stratum) -> Figure | None:
        """A figure that is young enough, if there is one."""
        return self._figures.get(self._key(request, stratum)) if self.recalls else None

    def keep(self, request: SendRequest, stratum: Stratum, figure: Figure) -> None:
        """Remember what the API has just said; to other campaigns of this plan it is no older than to this one."""
        self._figures[self._key(request, stratum)] = figure
        self._is_changed = True

    def clear(self) -> None:
        """Forget everything: a price has changed."""
        self._figures.clear()
        self._is_changed = True

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if not self._is_changed or len(self._figures) > limits.PRICE_MEMORY_FIGURES_MAX:
            return
        with contextlib.suppress(OSError):
            _write(self.path, _render(self._figures))

    def _key(self, request: SendRequest, stratum: Stratum) -> Key:
        country, segments = stratum
        return (self.scope, request.type, country, segments, request.with_replies)


def _read(path: Path, now: datetime) -> dict[Key, Figure]:
    try:
        with path.open("rb") as stream:
            data = stream.read(limits.PRICE_MEMORY_BYTES_MAX + 1)
        document = json.loads(data) if len(data) <= limits.PRICE_MEMORY_BYTES_MAX else {}
        if document["version"] != _VERSION:
            return {}
        return dict(each for line in document["prices"] if (each := _read_line(line, now)) is not None)
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
        return {}


def _read_line(line: dict[str, Any], now: datetime) -> tuple[Key, Figure] | None:
    at, price = from_text(line["at"]), Decimal(line["price"])
    if not timedelta() <= now - at <= _LIFETIME or not price.is_finite() or price < 0:
        return None
    key = (str(line["scope"]), str(line["type"]), str(line["country"]), int(line["segments"]), bool(line["replies"]))
    return key, Figure(price, "memory", at)


def _render(figures: dict[Key, Figure]) -> str:
    lines = [
        {
            "scope": scope,
            "type": product,
            "country": country,
            "segments": segments,
            "replies": replies,
            "price": str(figure.amount),
            "at": to_text(figure.at),
        }
        for (scope, product, country, segments, replies), figure in sorted(figures.items(), key=lambda each: each[0])
        if figure.at is not None
    ]
    return json.dumps({"version": _VERSION, "prices": lines}, indent=1) + "\n"


def _write(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f"{FILE}.", delete=False, encoding="ascii") as file:
        try:
            file.write(text)
            file.close()
            os.replace(file.name, path)  # noqa: PTH105 - both are names of one folder
        except BaseException:
            os.unlink(file.name)  # noqa: PTH108
            raise
