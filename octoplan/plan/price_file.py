"""
A dated list of prices in the project, for plans that do not ask the API.

As YAML:

    date: 2027-01-15
    currency: EUR
    prices:
      sms_premium: {FR: "0.061", DE: "0.0795"}
    replies: {FR: "0.03"}            # added for each part where answers are collected

or as CSV with the columns `date`, `currency`, `type`, `country`, `price` and, where answers are collected, `replies`.
Prices are for one part. A country that is not listed has an unknown price, never 0; so has one without `replies` in a
campaign that collects answers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from octoplan import limits
from octoplan.campaign.document import parse_document
from octoplan.campaign.fields import build_model
from octoplan.campaign.model import Amount, Line, MessageType, Region, Strict
from octoplan.campaign.source import SourceFile, read_source
from octoplan.diagnostics import Finding, InvalidInput, Place, Rule
from octoplan.gateway.port import SendRequest
from octoplan.messages.batches import Stratum
from octoplan.plan.price import Figure

OLD: Final = Rule("prices/old", "Price file is old", "warning")
BAD_ROW: Final = Rule("prices/bad-row", "Price cannot be used")
_COLUMNS: Final = ("date", "currency", "type", "country", "price")
_UNKNOWN: Final = Figure()

_Table = dict[tuple[str, str], Decimal]
"""By product and country."""


def _parse_date(text: object) -> object:
    """`2027-01-15`; what is no text at all is left to pydantic."""
    if not isinstance(text, str):
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("a date is written like `2027-01-15`") from None


def _refuse_nothing(price: Decimal) -> Decimal:
    if not price:
        raise ValueError("a price that is not known is left out, not written as 0")
    return price


Price = Annotated[Amount, AfterValidator(_refuse_nothing)]


class _Prices(Strict):
    """The file as YAML."""

    date: Annotated[date, BeforeValidator(_parse_date)]
    currency: Line
    prices: dict[MessageType, dict[Region, Price]]
    replies: dict[Region, Amount] = Field(default_factory=dict)


class _Row(Strict):
    """A row of the file as CSV."""

    date: Annotated[date, BeforeValidator(_parse_date)]
    currency: Line
    type: MessageType
    country: Region
    price: Price
    replies: Amount | None = None


@dataclass(frozen=True, slots=True)
class PriceFile:
    """
    Prices for one part, by product and country, and what collecting answers adds.

    `dated` is the oldest date in the file: a sum is as old as its oldest figure.
    """

    path: str
    dated: date
    currency: str
    _prices: _Table = field(repr=False)
    _replies: _Table = field(repr=False)

    def find(self, request: SendRequest, stratum: Stratum) -> Figure:
        """The price of one message; unknown where the file does not say."""
        country, segments = stratum
        price = self._prices.get((request.type, country))
        surcharge = self._replies.get((request.type, country)) if request.with_replies else Decimal(0)
        if price is None or surcharge is None:
            return _UNKNOWN
        return Figure(segments * (price + surcharge), "file", datetime.combine(self.dated, time(), UTC))

    def check_age(self, now: datetime) -> list[Finding]:
        """A warning if it is too old to be relied on."""
        age = now.date() - self.dated
        if age <= timedelta(days=limits.PRICE_FILE_FRESH_DAYS):
            return []
        detail = f"Its prices are of {self.dated.isoformat()}, {age.days} days ago."
        return [OLD.at(Place(self.path), detail, "compare it with the account's own price list, and date it anew")]


def read_price_file(root: Path, path: str) -> PriceFile:
    """
    Read the price file `path` of the project in `root`; `.csv` by its name, else YAML.

    :raises InvalidInput: with every finding.
    """
    source, findings = read_source(root, path, bytes_max=limits.PRICE_FILE_BYTES_MAX)
    if source is None:
        raise InvalidInput(f"the price file {path} cannot be read", findings=findings)
    return _read_csv(source) if path.lower().endswith(".csv") else _read_yaml(source)


def _read_yaml(source: SourceFile) -> PriceFile:
    document, findings = parse_document(source)
    built = None if document is None else build_model(_Prices, document)
    if built is None or built.model is None or findings:
        raise _unusable(source, [*findings, *(built.findings if built is not None else [])])
    model = built.model
    prices: _Table = {(kind, country): price for kind, each in model.prices.items() for country, price in each.items()}
    replies: _Table = {(kind, country): model.replies[country] for kind, country in prices if country in model.replies}
    return PriceFile(source.name, model.date, model.currency, prices, replies)


def _read_csv(source: SourceFile) -> PriceFile:
    rows: list[_Row] = []
    findings: list[Finding] = []
    for line, values in _records(source):
        try:
            rows.append(_Row.model_validate(values))
        except ValidationError as error:
            findings += _explain(source, line, error)
    currencies = sorted({row.currency for row in rows})
    if len(currencies) > 1:
        findings.append(BAD_ROW.at(Place(source.name), f"There are several currencies: {', '.join(currencies)}."))
    if findings or not rows:
        raise _unusable(source, findings or [BAD_ROW.at(Place(source.name), "There is no price in it.")])
    prices: _Table = {(row.type, row.country): row.price for row in rows}
    if len(prices) < len(rows):
        raise _unusable(source, [BAD_ROW.at(Place(source.name), "A product and country have two prices.")])
    replies: _Table = {(row.type, row.country): row.replies for row in rows if row.replies is not None}
    return PriceFile(source.name, min(row.date for row in rows), currencies[0], prices, replies)


def _records(source: SourceFile) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and filled fields of each row that is not empty."""
    reader = csv.reader(io.StringIO(source.text), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in _COLUMNS if name not in header]
        if missing:
            detail = f"The first line lacks {', '.join(f'`{name}`' for name in missing)}."
            raise _unusable(source, [BAD_ROW.at(Place(source.name, 1), detail)])
        for row in reader:
            if len(row) > len(header):
                detail = f"The row has {len(row)} fields, the header {len(header)}. Is a decimal comma in it?"
                raise _unusable(source, [BAD_ROW.at(source.place(reader.line_num, 1), detail)])
            filled = {name: value.strip() for name, value in zip(header, row, strict=False) if value.strip()}
            if filled:
                yield reader.line_num, filled
    except csv.Error as error:
        raise _unusable(source, [BAD_ROW.at(Place(source.name, reader.line_num), f"No CSV: {error}.")]) from None


def _explain(source: SourceFile, line: int, error: ValidationError) -> Iterator[Finding]:
    for detail in error.errors(include_url=False, include_input=False):
        name = ".".join(str(step) for step in detail["loc"])
        reason = detail.get("ctx", {}).get("error") or detail["msg"]
        yield BAD_ROW.at(source.place(line, 1), f"`{name}`: {reason}.")


def _unusable(source: SourceFile, findings: list[Finding]) -> InvalidInput:
    return InvalidInput(f"the price file {source.name} cannot be used", findings=findings)
